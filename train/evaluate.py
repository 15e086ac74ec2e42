"""Evaluation: a network's metrics over a split, its activations, and PCA to compare with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

import model
from dataset import Rows
from train.interrupts import Interrupts

BATCH = 1000


class Evaluation:
    """A tower on placeholders, and the metrics it is asked for."""

    def __init__(self, batch: model.Batch, fetches: Mapping[str, tf.Tensor]):
        self._batch = batch
        self._fetches = dict(fetches)

    def mean(self, session: tf.Session, rows: Rows) -> dict[str, float]:
        """Returns each metric's mean over the rows; a scalar counts once for each example."""
        sums = dict.fromkeys(self._fetches, 0.0)
        for start in range(0, len(rows), BATCH):
            stop = min(start + BATCH, len(rows))
            feeds = {self._batch.inputs: rows.floats(start, stop)}
            if self._batch.y is not None:
                feeds[self._batch.y] = rows.y[start:stop]
            for name, value in session.run(self._fetches, feeds).items():
                sums[name] += float(np.mean(value, dtype=np.float64)) * (stop - start)
        return {name: total / len(rows) for name, total in sums.items()}


def compute(session: tf.Session, inputs: tf.Tensor, tensor: tf.Tensor, rows: Rows) -> np.ndarray:
    """Returns `tensor` for every row, [N, ...], in memory."""
    parts = [
        session.run(tensor, {inputs: rows.floats(start, start + BATCH)})
        for start in range(0, len(rows), BATCH)
    ]
    return np.concatenate(parts)


def cached(
    session: tf.Session,
    inputs: tf.Tensor,
    tensor: tf.Tensor,
    rows: Rows,
    *,
    file: Path,
    budget: int,
    interrupts: Interrupts,
) -> Rows:
    """Computes activations once: in memory, or mapped from `file` where they exceed `budget` bytes.

    `file` must be named by what it depends on: one that exists is used as it is.
    """
    shape = (len(rows), *map(int, tensor.shape[1:]))
    if 4 * np.prod(shape, dtype=np.int64) <= budget:
        interrupts.check()
        return Rows(compute(session, inputs, tensor, rows), rows.y)
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_suffix('.writing')
        written = np.lib.format.open_memmap(aside, 'w+', np.float32, shape)
        for start in range(0, len(rows), BATCH):
            interrupts.check()
            feeds = {inputs: rows.floats(start, start + BATCH)}
            written[start : start + BATCH] = session.run(tensor, feeds)
        written.flush()
        os.replace(aside, file)
    return Rows(np.load(file, mmap_mode='r'), rows.y)


def pca(train: Rows, test: Rows, units: int) -> tuple[float, np.ndarray]:
    """Returns the test MSE of PCA with `units` components fitted on train, and those components."""
    fitted = _pca(train, units)
    images = test.floats(0, len(test))
    outputs = fitted.inverse_transform(fitted.transform(images))
    return float(np.mean((outputs - images) ** 2, dtype=np.float64)), fitted.components_


def projection(rows: Rows, units: int) -> np.ndarray:
    """Returns the rows' own first `units` principal components, [N, units]."""
    return _pca(rows, units).transform(rows.floats(0, len(rows)))


def _pca(rows: Rows, units: int) -> PCA:
    return PCA(units, svd_solver='covariance_eigh').fit(rows.floats(0, len(rows)))


def plane_angle(decoder_kernel: np.ndarray, components: np.ndarray) -> float:
    """Returns the largest angle, in degrees, between the planes spanned by two sets of rows."""
    return float(np.degrees(subspace_angles(decoder_kernel.T, components.T).max()))


def clear(folder: Path) -> None:
    """Removes cached activations that a finished run no longer needs."""
    shutil.rmtree(folder, ignore_errors=True)
