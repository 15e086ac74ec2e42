"""New data in the scale of a run: brought to it where that is known, refused or said where not."""

import numpy as np
import pytest

import dataset
import inst
from inputs import sources
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


def test_what_is_kept_of_data_is_not_for_those_in_another_scale(tmp_path):
    """Errors of principal components, say, which the runs to come find beside the records."""
    greys = whole(255)
    for new, kept in ((greys[:20], tmp_path), (greys[:20] / 255, None)):
        data = held(new)._replace(folder=tmp_path)
        assert brought(data, trained_on(greys), lambda _: None).folder == kept


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
    made = brought(new, trained_on(before, SERIES), said.append)
    assert np.array_equal(made.splits['test'].x, new.splits['test'].x)
    assert not any('255' in line.split(': the run')[0] for line in said)


@pytest.mark.parametrize('most', [4095, 65535])
def test_pictures_of_few_bits_are_no_dark_ones_of_many(most):
    new = held(whole(255).astype(np.uint8))
    with pytest.raises(DataError, match='holds bytes, from 0 to 255; the run was trained on'):
        brought(new, trained_on(whole(most)), lambda _: None)


def test_rows_of_bytes_are_those_of_pictures_to_a_sequence_on_the_unit_range():
    """As uint8 is in training: [0, 255] is read as [0, 1]."""
    trained = trained_on(DRAW.random((60, 9, 4)).astype('float32'), SERIES)
    new = held(whole(255, (20, 9, 4)).astype(np.uint8), SERIES)
    made = brought(new, trained, lambda _: None).splits['test']
    assert made.floats(0, 20).max() == 1


def test_what_is_refused_for_its_scale_can_be_given_in_parts():
    """As it may be right, and odd: which the line says."""
    table, said = DRAW.normal(5, 1, (60, 3)), []
    trained, new = trained_on(table, inst.basic), held(table + 100, inst.basic)
    with pytest.raises(DataError, match='given fewer than 10 at a time$'):
        brought(new, trained, said.append)
    brought(held(table[:9] + 100, inst.basic), trained, said.append)
    assert said[-1].startswith('warning: ')


def test_what_is_whole_is_kept_of_a_run():
    from inputs.spec import as_json, from_json

    spec = Spec((8, 8, 1), picture=(8, 8), values=trained_on(whole(255)), has_lengths=True)
    assert spec.values.is_whole and from_json(as_json(spec)) == spec
    assert not trained_on(whole(255) / 2).is_whole
    earlier = as_json(spec)
    del earlier['values']['is_whole']  # as of an earlier run, of which its range tells
    assert from_json(earlier).values.is_whole
    for least, most in ((0, 254.5), (0, 100)):
        earlier['values'] |= {'least': least, 'most': most}
        assert not from_json(earlier).values.is_whole
