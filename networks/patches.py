"""A restored graph of patches over whole pictures: at each place, its codes summed over regions.

As Coates, Ng and Lee 2011 have it: the encoder is a convolution, whatever is in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from inputs.spec import Spec
from networks.saved_graph import SavedGraph
from parameters import Experiment
from system.errors import DataError, UsageError

Change = Callable[[str, tf.Tensor], tf.Tensor]


class Grid(NamedTuple):
    """Where the patches of a picture lie: squares of a side, so many pixels apart."""

    side: int
    stride: int
    rows: int
    columns: int


def grid_of(restored: SavedGraph, spec: Spec, experiment: Experiment) -> Grid:
    """Returns where the patches lie that a saved graph reads of pictures, [H, W, channels].

    Raises DataError where it reads no squares, or larger ones, or there are fewer than regions.
    """
    height, width, channels = spec.shape
    size = math.prod(n or 0 for n in restored.shape or (0,))
    side = math.isqrt(size // channels)
    if not side or side * side * channels != size or side > min(height, width):
        reads = 'examples of any shape' if restored.shape is None else list(restored.shape)
        raise DataError(
            f'{restored.prefix}: its X:0 reads {reads}, which are no squares of pictures of '
            f'{height}x{width}x{channels}, as pool={experiment.pool} needs'
        )
    return laid(side, spec, experiment)


def laid(side: int, spec: Spec, experiment: Experiment) -> Grid:
    """Returns where patches of a side lie in pictures; raises UsageError for too few of them."""
    height, width, _ = spec.shape
    if side > min(height, width):
        raise UsageError(
            f'parent.patch_size={side}: must be at most the pictures, {height}x{width}'
        )
    rows, columns = ((length - side) // experiment.stride + 1 for length in (height, width))
    if experiment.pool > min(rows, columns):
        raise UsageError(
            f'pool={experiment.pool}: {rows}x{columns} patches of {side}x{side} are fewer than '
            f'regions; name at most {min(rows, columns)}, or another stride'
        )
    return Grid(side, experiment.stride, rows, columns)


def reads_whole(restored: SavedGraph, spec: Spec) -> bool:
    """Whether a saved graph reads whole pictures: a finished run's own, which cuts them itself."""
    return restored.shape == spec.shape


def most_numbers(spec: Spec, experiment: Experiment, units: int) -> int:
    """Returns how many numbers the codes of a picture's patches are at most, each of `units`."""
    rows, columns = (-(-length // experiment.stride) for length in spec.shape[:2])
    return rows * columns * units


def cut(pictures: tf.Tensor, grid: Grid) -> tf.Tensor:
    """Returns all patches of pictures, [N, H, W, C] -> [N * rows * columns, side * side * C]."""
    apart = grid.stride
    ends = (grid.rows - 1) * apart + 1, (grid.columns - 1) * apart + 1
    pixels = [
        pictures[:, top : top + ends[0] : apart, left : left + ends[1] : apart]
        for top in range(grid.side)
        for left in range(grid.side)
    ]
    size = grid.side**2 * int(pictures.shape[-1])
    return tf.reshape(tf.concat(pixels, axis=-1), [-1, size])


def summed(codings: tf.Tensor, grid: Grid, pool: int) -> tf.Tensor:
    """Returns the codes of patches, [N * rows * columns, units], summed over pool x pool regions.

    [N, pool * pool * units], the regions by rows.
    """
    units = int(codings.shape[-1])
    maps = tf.reshape(codings, [-1, grid.rows, grid.columns, units])
    tops, lefts = ([n * k // pool for k in range(pool + 1)] for n in (grid.rows, grid.columns))
    sums = [
        tf.reduce_sum(maps[:, tops[i] : tops[i + 1], lefts[j] : lefts[j + 1]], axis=[1, 2])
        for i in range(pool)
        for j in range(pool)
    ]
    return tf.concat(sums, axis=1)


def pooled(
    restored: SavedGraph, pictures: tf.Tensor, grid: Grid, pool: int, change: Change | None
) -> tf.Tensor:
    """Returns the codes that a saved graph gives all patches of pictures, summed over regions."""
    with tf.name_scope('patches'):
        examples = cut(pictures, grid)
        if restored.shape and len(restored.shape) > 1:
            examples = tf.reshape(examples, [-1, *map(int, restored.shape)])  # type: ignore[arg-type]
    codings = restored.tower(examples, None, change)['codings']
    with tf.name_scope('regions'):
        return summed(tf.reshape(codings, [-1, math.prod(map(int, codings.shape[1:]))]), grid, pool)
