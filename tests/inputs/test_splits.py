"""How sets are split: as ever where that leaves enough, small classes together."""

import hashlib

import numpy as np
import pytest

from inputs import sources
from inputs.foreign import Examples
from inputs.splits import LEAST, alone, sizes

THIRDS = (0.8, 0.1, 0.1)
SMALL = {  # a set's classes -> how many are trained on, validated on and tested on
    '10 of 4': ([4] * 10, [32, 4, 4]),
    '10 of 5': ([5] * 10, [40, 5, 5]),
    '2 of 5': ([5, 5], [8, 1, 1]),
    '100 of 3': ([3] * 100, [240, 30, 30]),
    '12 of 1': ([1] * 12, [10, 1, 1]),
    'one large and 9 of 4': ([15] + [4] * 9, [41, 5, 5]),
    '9': ([9], [9, 0, 0]),
    '1': ([1], [1, 0, 0]),
}


@pytest.mark.parametrize('name', SMALL)
def test_small_classes_fill_the_shares_of_the_whole_set(name):
    counts, wanted = SMALL[name]
    made = sizes(counts, THIRDS)
    assert made.sum(axis=0).tolist() == wanted
    assert made.sum(axis=1).tolist() == counts and made.min() >= 0


def test_a_class_keeps_an_example_to_learn_while_others_can_be_held_out():
    made = sizes([1] * 20 + [4] * 10, THIRDS)
    assert made[:, 0].min() == 1 and made[:20, 1:].max() == 0
    assert made.sum(axis=0).tolist() == [48, 6, 6]


def test_no_class_gives_much_more_than_another_of_its_size():
    made = sizes([4] * 25, THIRDS)
    assert made[:, 0].min() >= 3 and made[:, 1:].max() == 1


def test_classes_large_enough_are_each_divided_by_themselves():
    generator = np.random.default_rng(0)
    for _ in range(300):
        counts = generator.integers(8, 300, generator.integers(1, 12)).tolist()
        if sum(counts) >= LEAST:
            np.testing.assert_array_equal(sizes(counts, THIRDS), alone(counts, THIRDS))


def divided_one_by_one(y, shares):
    """Returns the rows of each split as they were chosen before small classes were filled up."""
    generator = np.random.default_rng(20170313)
    parts = [[], [], []]
    for label in np.unique(y):
        rows = generator.permutation(np.flatnonzero(y == label))
        ends = np.round(np.cumsum(shares) * len(rows)).astype(int)
        for part, chosen in zip(parts, np.split(rows, ends[:2]), strict=True):
            part.append(chosen)
    return [generator.permutation(np.concatenate(part)) for part in parts]


@pytest.mark.parametrize('shares', [THIRDS, (0.9, 0.1, 0.0), (1.0, 0.0, 0.0)])
def test_rows_that_were_enough_are_in_the_same_splits_and_order_as_ever(shares):
    generator, compared = np.random.default_rng(1), 0
    for _ in range(200):
        counts = generator.integers(1, generator.choice([9, 30, 200]), generator.integers(1, 12))
        y = generator.permutation(np.repeat(np.arange(len(counts)), counts))
        before = divided_one_by_one(y, shares)
        enough = all(
            2 * len(rows) >= share * len(y) for rows, share in zip(before, shares, strict=True)
        )
        if len(y) >= LEAST and enough:
            made = sources._split(Examples(np.arange(len(y))[:, None], y), shares)
            for rows, split in zip(before, ('train', 'validation', 'test'), strict=True):
                now = made[split].x[:, 0] if split in made else []
                np.testing.assert_array_equal(now, rows)
            compared += 1
    assert compared > 100


def test_mnist5k_has_the_rows_in_the_order_that_it_always_had(tmp_path):
    found = sources.read('mnist5k', '', tmp_path)
    digest = hashlib.sha256()
    for split in ('train', 'validation', 'test'):
        digest.update(found.splits[split].x.tobytes() + found.splits[split].y.tobytes())
    assert digest.hexdigest()[:16] == 'cbf55c14351181f2'
