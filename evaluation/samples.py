"""How like real pictures drawn ones are: their distances in the features of a classifier of these.

Pixels cannot tell: blurred pictures, and means of many, lie near everything.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors
from sklearn.neural_network import MLPClassifier

from evaluation import remembered
from inputs.rows import Dataset, Rows, compared

COUNT = 2000  # pictures that are compared with as many
_LAYERS = (128, 64)  # units of the classifier; the last ones are the features
_LEARNED = 10_000  # pictures that it learns from,
_EPOCHS = 5  # so often
_TOGETHER = 100  # in a batch
_SIDE = 32  # pixels that it sees of a side, or up to twice as many: blocks are whole pixels
_PART = 64  # pictures that are read at once
NEAREST = 5  # neighbours that say how far near is
_BLUR = 14  # of the side: a deviation of two pixels in 28


class Eyes(NamedTuple):
    """The layers of a classifier below its classes."""

    kernels: list[np.ndarray]
    biases: list[np.ndarray]
    picture: tuple[int, ...]

    def features(self, images: np.ndarray) -> np.ndarray:
        """Returns what it sees in pictures, [N, ...] of so many numbers as `picture` -> [N, 64]."""
        seen = _small(images.reshape(-1, *self.picture))
        for kernel, bias in zip(self.kernels, self.biases, strict=True):
            seen = np.maximum(seen @ kernel + bias, 0)
        return seen


def opened(train: Rows, picture: tuple[int, ...]) -> Eyes:
    """Trains the classifier on the pictures with labels, alike for the same ones."""
    rows = compared(train.of_known(), _LEARNED)
    size = min(_TOGETHER, len(rows))
    network = MLPClassifier(_LAYERS, batch_size=size, max_iter=_EPOCHS, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', ConvergenceWarning)  # so few epochs are enough to see by
        network.fit(np.concatenate([*_parts(rows, picture)]), rows.labels)
    return Eyes(network.coefs_[:-1], network.intercepts_[:-1], picture)


def _parts(rows: Rows, picture: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yields pictures as they are seen, a few at a time, for large ones take gigabytes."""
    for start in range(0, len(rows), _PART):
        yield _small(rows.floats(start, min(start + _PART, len(rows))).reshape(-1, *picture))


def _small(images: np.ndarray) -> np.ndarray:
    """Returns pictures as rows, [N, H, W, ...] -> [N, pixels], large ones by means of blocks."""
    images = images.reshape(*images.shape[:3], -1)
    high, wide = (max(1, side // _SIDE) for side in images.shape[1:3])
    if max(high, wide) > 1:
        rows, columns = images.shape[1] // high, images.shape[2] // wide
        cut = images[:, : rows * high, : columns * wide]
        images = cut.reshape(len(cut), rows, high, columns, wide, -1).mean(axis=(2, 4))
    return images.reshape(len(images), -1)


def likeness(made: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Returns how the features of pictures lie to those of real ones, both [N, units].

    `frechet`: the squared distance of two Gaussians of their means and covariances (Heusel et al.
    2017, with another classifier). `density`: how many real neighbourhoods of five one lies in, as
    a part of five; `coverage`: the share of real neighbourhoods that one lies in (Naeem et al.
    2020).
    """
    apart = float(np.sum((made.mean(axis=0) - real.mean(axis=0)) ** 2))
    ours, theirs = (np.cov(features, rowvar=False) for features in (made, real))
    both = np.linalg.eigvals(ours @ theirs).real
    shared = 2 * float(np.sum(np.sqrt(np.maximum(both, 0))))
    among = NearestNeighbors(algorithm='brute').fit(real)
    radius = among.kneighbors(n_neighbors=NEAREST)[0][:, -1]
    squares = np.sum(made**2, axis=1)[:, None] + np.sum(real**2, axis=1)
    within = np.maximum(squares - 2 * made @ real.T, 0) <= radius**2
    return {
        'frechet': apart + float(np.trace(ours) + np.trace(theirs)) - shared,
        'density': float(within.sum() / (NEAREST * len(made))),
        'coverage': float(within.any(axis=0).mean()),
    }


def scores(data: Dataset, count: int, decoded: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Returns the likeness of pictures, by kind, to `count` test pictures, and of two other kinds.

    `_real`: as many training pictures; `_blurred`: these, blurred.
    """
    train, picture = data.splits['train'], data.spec.picture
    eyes, test = opened(train, picture), compared(data.splits['test'], count)
    seen = eyes.features(test.floats(0, len(test)))

    def beside() -> dict[str, float]:
        rows = compared(train, count)
        real = rows.floats(0, len(rows)).reshape(-1, *picture)
        sides = [0.0, *(side / _BLUR for side in picture[:2]), *(0.0 for _ in picture[2:])]
        kinds = {'real': real, 'blurred': gaussian_filter(real, sides)}
        return {
            f'{name}_{kind}': value
            for kind, images in kinds.items()
            for name, value in likeness(eyes.features(images), seen).items()
        }

    found = {
        f'{name}{kind}': value
        for kind, images in decoded.items()
        for name, value in likeness(eyes.features(images), seen).items()
    }
    found |= remembered.figures(data, ('samples', count), beside)
    return {f'sample_{name}': value for name, value in found.items()}
