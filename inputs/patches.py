"""Patches: squares cut from the pictures of a data set, which are then its examples."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import numpy as np

from inputs.foreign import check_memory
from inputs.rows import Dataset, Rows, refuse_lengths
from parameters import Experiment
from system.errors import UsageError

_CUT = 20110411  # keys where patches are cut apart from other draws of a seed
_HELD_OUT = 10  # times as few of them are cut from pictures that are held out
_READ = 10_000_000  # numbers in pictures that are read together


def patched(
    data: Dataset, experiment: Experiment, check: Callable[[], None] = lambda: None
) -> Dataset:
    """Returns the data with patches in the place of whole pictures, where the experiment asks.

    They are of `patch_size`, drawn evenly from all places in all pictures of a split by the
    experiment's seed, in memory, without labels. `check` may raise in between. Raises UsageError
    where there are no pictures or maps of that size.
    """
    side, sides = experiment.has('patch_size'), data.sides
    if not side:
        return data
    refuse_lengths(data)
    if not sides:
        raise UsageError(f'patch_size={side}: needs pictures, and {data.key} has none')
    if side > min(sides[:2]):
        raise UsageError(
            f'patch_size={side}: {data.key} has pictures of {sides[0]}x{sides[1]} only'
        )
    shape = (side, side, sides[2])
    picture = (side, side, *data.spec.picture[2:]) if data.spec.picture else ()
    numbers = {name: number for number, name in enumerate(data.splits)}

    def of(name: str, rows: Rows) -> Rows:
        count = experiment.patches if name == 'train' else -(-experiment.patches // _HELD_OUT)
        check_memory(
            f'patches={experiment.patches}', count * math.prod(shape) * rows.x.dtype.itemsize
        )
        draw = np.random.default_rng((_CUT, experiment.seed, numbers[name]))
        return cut(rows, sides, side, count, draw, check)

    # Without the seed, for where patches are cut belongs to a run, as do its initial values.
    which = (data.digest, side, experiment.patches)
    return data._replace(
        spec=data.spec._replace(shape=(math.prod(shape),), picture=picture, classes=()),
        splits=data.mapped(of),
        digest=hashlib.sha256(repr(which).encode()).hexdigest()[:16],
        recorded=picture or shape,
        folder=None,  # what is kept beside the records is of whole pictures
    )


def cut(
    rows: Rows,
    sides: tuple[int, ...],
    side: int,
    count: int,
    draw: np.random.Generator,
    check: Callable[[], None] = lambda: None,
) -> Rows:
    """Returns `count` patches of `side`, [count, numbers], of rows with `sides`: [H, W, channels].

    Each picture is read once, from the first on; the patches are then shuffled.
    """
    height, width, channels = sides
    chosen = np.sort(draw.integers(0, len(rows), count))
    top, left = (draw.integers(0, size - side + 1, count) for size in (height, width))
    order = draw.permutation(count)
    window = np.arange(side)
    made = np.empty((count, side, side, channels), rows.x.dtype)
    step = max(1, _READ // math.prod(sides))
    for start in range(0, len(rows), step):
        check()
        mine = slice(*np.searchsorted(chosen, (start, start + step)))
        pictures = np.asarray(rows.x[start : start + step]).reshape(-1, *sides)
        down = (top[mine, None] + window)[:, :, None]
        across = (left[mine, None] + window)[:, None, :]
        made[order[mine]] = pictures[(chosen[mine] - start)[:, None, None], down, across]
    place = np.empty(count, np.int64)
    place[order] = rows.places[chosen]
    return Rows(made.reshape(count, -1), None, place=place, most=rows.most)
