"""New data in the scale of a run: brought to it where that is known, refused or said where not."""

import numpy as np
import pytest

import dataset
import inst
from inputs import sources, values
from inputs.rows import arranged
from inputs.spec import Spec
from inputs.values import brought, described, measured
from system.errors import DataError

DRAW = np.random.default_rng(0)
SERIES = inst.lstm_reconstruct
MAPS = inst.conv_ae


def held(x, experiment=MAPS):
    return arranged(dataset.held('new', sources.of_arrays(x)), experiment)


def trained_on(x, experiment=MAPS):
    data = held(x, experiment)
    rows = data.splits['test']
    return described(rows, data.spec, measured(rows, data.spec))


def whole(most, shape=(60, 8, 8)):
    made = DRAW.integers(0, most + 1, shape)
    made.flat[:2] = 0, most
    return made.astype(np.float32)


def test_maps_of_measurements_are_not_multiplied():
    rain = DRAW.gamma(1, 20, (60, 8, 8)).clip(0, 161).astype(np.float32)
    trained = trained_on(np.maximum(rain, rain == rain.max()) + (rain > 160))
    dry = held(rain[:5] / 200)
    made = brought(dry, trained, lambda _: None)
    assert np.array_equal(made.splits['test'].x, dry.splits['test'].x)


def test_pictures_of_whole_greys_are():
    """Of what was whole numbers up to 255 in training, greys on [0, 1] are the same pictures."""
    greys, said = whole(255), []
    made = brought(held(greys[:20] / 255), trained_on(greys), said.append)
    np.testing.assert_allclose(made.splits['test'].x, greys[:20].reshape(20, 8, 8, 1), rtol=1e-5)
    assert 'times 255' in said[0]


@pytest.mark.parametrize(
    ('before', 'now'),
    [
        (whole(180, (60, 9, 4)), whole(1, (5, 9, 4))),
        (DRAW.random((60, 9, 4)), whole(200, (5, 9, 4))),
    ],
    ids=['quiet', 'counts'],
)
def test_series_are_no_pictures(before, now):
    """Whatever their range is: their values are counts, or shares, or anything."""
    said = []
    new = held(now, SERIES)
    made = brought(new, trained_on(before, SERIES), said.append, refuses=False)
    assert np.array_equal(made.splits['test'].x, new.splits['test'].x)
    assert not any('255' in line.split(': the run')[0] for line in said)


@pytest.mark.parametrize('most', [4095, 65535])
def test_pictures_of_few_bits_are_no_dark_ones_of_many(most):
    new = held(whole(255).astype(np.uint8))
    with pytest.raises(DataError, match='holds bytes, from 0 to 255; the run was trained on'):
        brought(new, trained_on(whole(most)), lambda _: None)


def test_what_is_scored_may_be_of_another_scale_which_is_said():
    table = DRAW.normal(5, 1, (60, 3))
    trained, new, said = trained_on(table, inst.basic), held(table + 100, inst.basic), []
    with pytest.raises(DataError):
        brought(new, trained, said.append)
    made = brought(new, trained, said.append, refuses=False)
    assert made.splits['test'].x is new.splits['test'].x and said[-1].startswith('warning: ')


def test_what_is_whole_is_kept_of_a_run():
    from inputs.spec import as_json, from_json

    spec = Spec((8, 8, 1), picture=(8, 8), values=trained_on(whole(255)), has_lengths=True)
    assert spec.values.is_whole and from_json(as_json(spec)) == spec
    assert not trained_on(whole(255) / 2).is_whole
    assert (
        values.Values(0, 255, False).is_whole is False
    )  # of an earlier run, where it is not known
