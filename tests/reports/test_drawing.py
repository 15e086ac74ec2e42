"""What is drawn of data in order is of the examples that it is said to be of."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import dataset
import inst
from inputs import sources
from inputs.rows import arranged
from reports import drawing

MANY = 1200  # examples: more than are drawn


class Copier:
    """A network that gives its inputs again; their codes are their first two numbers."""

    restored = None
    endpoints = SimpleNamespace(tensors={'outputs': None, 'codings': None})

    def compute(self, name, rows):
        """Returns the tensor of that name, [N, ...]."""
        values = rows.floats(0, len(rows))
        return values if name == 'outputs' else values.reshape(len(rows), -1)[:, :2]


@pytest.mark.parametrize('shape', [(12, 2), (8, 8)])
def test_outputs_and_places_in_the_plane_are_of_the_examples_that_are_drawn(
    shape, dotted, monkeypatch
):
    x = np.random.default_rng(0).random((MANY, *shape)).astype(np.float32)
    data = arranged(dataset.held('new', sources.of_arrays(x)), inst.lstm_reconstruct)
    rows = replace(data.splits['test'], in_order=True)
    data = data._replace(splits={'test': rows})
    monkeypatch.setattr(drawing, '_saved', lambda made, folder: made)
    made = drawing.draw(None, Copier(), data, 'title', {})
    if shape == (12, 2):
        fed, parts, _, _, _, places = made['sequences'].args
        assert places.tolist() == [0, 300, 600, 900]
        np.testing.assert_array_equal(fed, x[places])
        np.testing.assert_array_equal(parts[''], x[places])
    else:
        codings, places, pictures, *_ = made['latent_pictures'].args
        np.testing.assert_array_equal(codings[places], pictures.reshape(len(places), -1)[:, :2])
        np.testing.assert_array_equal(pictures, x[places])
