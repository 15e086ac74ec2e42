"""How many examples of each class are trained on and held out, where a set has no splits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEAST = 10  # examples, of which some are held out; fewer are all trained on


def sizes(
    counts: Sequence[int], shares: Sequence[float], unlabelled: Sequence[bool] = ()
) -> np.ndarray:
    """Divides classes of so many examples by the shares, train first; returns [classes, splits].

    Each class is divided by itself, as `alone` does, where every split gets at least half of its
    share by that. Classes too small for it are filled up together: the shares are met over the
    whole set, and a class keeps an example to be trained on as long as others can be held out.
    Those `unlabelled` are no class, and do not count in the others' shares.
    """
    if any(unlabelled) and not all(unlabelled):
        whole = np.empty((len(counts), len(shares)), np.int64)
        for kind in (False, True):
            mine = np.flatnonzero(np.equal(unlabelled, kind)).tolist()
            whole[mine] = sizes([counts[k] for k in mine], shares)
        return whole
    made, total = alone(counts, shares), sum(counts)
    if total < LEAST:
        made[:, 0], made[:, 1:] = counts, 0
        return made
    if all(2 * made[:, 1:].sum(axis=0) >= np.multiply(shares[1:], total)):
        return made
    wanted = alone([total], shares)[0]
    whole = np.array(counts, np.int64)
    left = _filled(whole, wanted[1:].sum(), whole - 1, whole)  # held out, not yet in a split
    made[:, 0] = whole - left
    for split in range(1, len(shares)):
        made[:, split] = _filled(left, wanted[split], left)
        left = left - made[:, split]
    return made


def alone(counts: Sequence[int], shares: Sequence[float]) -> np.ndarray:
    """Divides each class by itself, rounded where a split ends; returns [classes, splits]."""
    ends = np.round(np.multiply.outer(counts, np.cumsum(shares))).astype(np.int64)
    ends[:, -1] = counts
    return np.diff(ends, axis=1, prepend=0)


def repeats(trained: np.ndarray, tested: np.ndarray) -> int:
    """Counts the records that are tested on and trained on, of [n, 2], each one's bytes and CRC."""
    numbers = (records[:, 0] << 32 | records[:, 1] for records in (tested, trained))
    return int(np.isin(*numbers).sum())


def _filled(weights: np.ndarray, total: int, *limits: np.ndarray) -> np.ndarray:
    """Divides `total` in proportion to the weights, [n], the largest remainders rounded up.

    None exceeds its limit; the second limits are for what does not fit within the first.
    """
    made = np.minimum(weights * total // max(weights.sum(), 1), limits[0])
    for limit in limits:
        while (missing := total - made.sum()) > 0 and (made < limit).any():
            order = np.argsort(made * weights.sum() - weights * total, kind='stable')
            made[order[made[order] < limit[order]][:missing]] += 1
    return made


def evenly(count: int, most: int) -> np.ndarray:
    """Returns places spread evenly over `count` of them: so many at most."""
    wanted = min(count, most)
    return np.arange(wanted) * count // max(1, wanted)
