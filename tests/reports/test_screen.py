"""What a run says of its scores: where they are of no use, it says so."""

import numpy as np
import pytest

import inst
from inputs.rows import Dataset, Rows
from inputs.spec import Spec, Values
from reports import screen

DRAW = np.random.default_rng(3)


def test_outputs_that_are_worse_than_a_constant_are_told(main, tmp_path):
    np.savez(tmp_path / 'x.npz', x=(DRAW.random((100, 6)) < 0.5).astype(np.float32))
    few = ('--set=hidden=5,4', '--set=epochs=20', '--nofigures')
    flags = ('--experiment=phasewise', f'--array={tmp_path}/x.npz', *few)
    code, out, err = main(*flags, '--set=learning_rate=3')
    assert code == 0, err
    assert 'is above 0.25, which the middle of ' in out


@pytest.mark.parametrize(
    ('name', 'score', 'words'),
    [
        ('train/mse', 0.6, 'a train/mse of 0.6 is above 0.5,'),  # a mean of 1 and 0
        ('train/mse', 0.4, ''),
        (
            'test/accuracy',
            0.75,
            "an accuracy of 75.0% is no more than that of always naming 'well'",
        ),
        ('test/accuracy', 0.8, ''),
    ],
)
def test_a_score_that_needs_no_learning_is_told(name, score, words):
    rows = Rows(np.zeros((4, 2), np.float32), np.array([1, 0, 1, 1]))
    known = Values(0, 2, False, ((0, 2), (1, 1)))
    data = Dataset('x', Spec((2,), ('ill', 'well'), values=known), {'test': rows}, '')
    said = screen.worthless({name: score}, data, inst.basic)
    assert len(said) == bool(words) and all(words in line for line in said)
    of_head = screen.worthless({name: score}, data, inst.phasewise_classifier)
    assert of_head == (said if 'accuracy' in name else [])  # its decoder is not trained
