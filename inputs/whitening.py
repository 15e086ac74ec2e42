"""Whitening: examples of equal brightness and contrast, whose features vary alike and alone.

ZCA as Coates, Ng and Lee 2011 have it, computed here by NumPy; networks/standardize.py puts it into
the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from inputs.rows import Rows
from system.errors import UsageError
from system.lines import say

CONTRAST = 10 / 255**2  # added to an example's variance, of values in [0, 1]
LEAST = 0.1  # added to the variance of each direction, of examples of contrast 1
FEATURES = 4096  # at most: a matrix of all pairs of them is computed and kept
_READ = 10_000_000  # numbers in examples that are read together


class Whitening(NamedTuple):
    """What whitens examples of equal contrast, and what undoes it, float32."""

    mean: np.ndarray  # [features]
    whitening: np.ndarray  # [features, features], symmetric, as its inverse
    colouring: np.ndarray
    least: float  # value of the whitened training examples
    most: float


def even(examples: np.ndarray) -> np.ndarray:
    """Returns examples, [N, features], each at mean 0 and, but for flat ones, deviation 1."""
    values = examples.astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    return values / np.sqrt(values.var(axis=1, keepdims=True) + CONTRAST)


def fitted(rows: Rows, name: str, check: Callable[[], None] = lambda: None) -> Whitening:
    """Returns the whitening of the rows, [N, features].

    Raises UsageError, of the data set called `name`, where there are too many features.
    """
    features = rows.x.shape[1]
    if features > FEATURES:
        raise UsageError(
            f'standardize=zca: {name} has {features:,} features, at most {FEATURES:,} can be '
            'whitened; patch_size=... cuts pictures into smaller ones'
        )
    some = rows.floats(0, max(1, _READ // features)).astype(np.float64)
    if (variance := some.var(axis=1).mean()) < CONTRAST:
        say(
            f'warning: standardize=zca: an example of {name} varies by {variance**0.5:.2g}, and '
            f'is whitened as values in [0, 1] are, of which {CONTRAST**0.5:.2g} is next to '
            'nothing: multiply x'
        )
    total, squares = np.zeros(features), np.zeros((features, features))
    for part in _parts(rows, check):
        total += part.sum(axis=0)
        squares += part.T @ part
    mean = total / len(rows)
    variance, directions = np.linalg.eigh(squares / len(rows) - np.outer(mean, mean))
    deviation = np.sqrt(np.maximum(variance, 0) + LEAST)
    whitening = (directions / deviation) @ directions.T
    least, most = np.inf, -np.inf
    for part in _parts(rows, check):
        made = (part - mean) @ whitening
        least, most = min(least, made.min()), max(most, made.max())
    return Whitening(
        mean=mean.astype(np.float32),
        whitening=whitening.astype(np.float32),
        colouring=((directions * deviation) @ directions.T).astype(np.float32),
        least=float(least),
        most=float(most),
    )


def _parts(rows: Rows, check: Callable[[], None]) -> Iterator[np.ndarray]:
    """Yields the rows at even contrast, a part at a time."""
    step = max(1, _READ // rows.x.shape[1])
    for start in range(0, len(rows), step):
        check()
        yield even(rows.floats(start, start + step))
