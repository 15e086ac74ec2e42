"""What knows no sequences: the mean, the last frame, principal components, to compare with."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression

from evaluation import probes
from inputs.rows import Dataset, Rows, compared
from model import Network

_LARGE = 2048  # sequences that PCA is fitted on, where they are large: about a minute
MADE = {'': 'outputs', 'future_': 'predictions'}  # prefix of a score -> the tensor it is of


def errors(network: Network, data: Dataset) -> dict[str, float]:
    """Returns test errors of what knows no sequences, each beside the score of the same ending.

    `mean`: the training sequences' mean, step by step. `copy`: the last frame that is fed, at every
    step. `pca`: as many principal components of the whole sequence as the code has numbers, and a
    linear regression from them for the future, fitted on 2,048 training sequences where they are
    large; left out where they are of different lengths.
    """
    train, test = data.splits['train'], data.splits['test']
    units = int(network.endpoints.tensors['codings'].shape[1])
    size, found = math.prod(data.spec.shape), dict[str, float]()
    many = _LARGE if size > probes.COVARIANCE else probes.FITTED // size
    some = compared(train, many)
    units_fit = units <= min(size, len(some))
    prefixes = tuple(p for p, name in MADE.items() if name in network.endpoints.tensors)
    for prefix in prefixes:
        mean, sums = mean_of(prefix, train), Counter[str]()
        for part in probes.parts(test):
            wanted = target_of(prefix, part)
            for label, made in guesses(mean, part).items():
                sums[label] += _errors(made, wanted, part.length).sum(dtype=np.float64)
        found |= {f'{prefix}{label}_mse': float(s) / len(test) for label, s in sums.items()}
    if units_fit and test.length is None:
        linear = _linear(prefixes, some, test, units)
        found |= {f'{prefix}pca_mse': error for prefix, error in linear.items()}
    return found


def target_of(prefix: str, rows: Rows) -> np.ndarray:
    """Returns the sequences that are scored: the future, or what is fed, [N, T, D]."""
    return rows.targets(0, len(rows)) if prefix else rows.floats(0, len(rows))


def mean_of(prefix: str, train: Rows) -> np.ndarray:
    """Returns the mean of training sequences, each step of those that have it, [1, T, D]."""
    sums: Any = 0.0  # to begin with; then arrays
    counts: Any = 0.0
    for part in probes.parts(train):
        counted = steps_counted(
            part.length, len(part), target_of(prefix, part.take(slice(1))).shape[1]
        )
        sums = sums + np.sum(
            target_of(prefix, part) * counted[:, :, None], axis=0, dtype=np.float64
        )
        counts = counts + counted.sum(axis=0)[:, None]
    found: np.ndarray = (sums / np.maximum(counts, 1))[None].astype(np.float32)
    return found


def guesses(mean: np.ndarray, test: Rows) -> dict[str, np.ndarray]:
    """Returns what the mean and the last frame make of each test sequence, [1 or N, T, D]."""
    fed = test.floats(0, len(test))
    last = np.full(len(test), fed.shape[1]) if test.length is None else test.length
    return {'mean': mean, 'copy': fed[np.arange(len(test)), last - 1][:, None]}


def steps_counted(length: np.ndarray | None, count: int, steps: int) -> np.ndarray:
    """Returns 1 for each step that counts, 0 for the others, [N, T]."""
    if length is None:
        return np.ones((count, steps), np.float32)
    return (np.arange(steps) < length[:, None]).astype(np.float32)


def _errors(made: np.ndarray, wanted: np.ndarray, length: np.ndarray | None) -> np.ndarray:
    """Returns each sequence's squared error, the mean over its features and steps, [N]."""
    squares = np.mean((made - wanted) ** 2, axis=2)
    counted = steps_counted(length, *squares.shape)
    return (squares * counted).sum(axis=1) / counted.sum(axis=1)


def _linear(wanted: tuple[str, ...], train: Rows, test: Rows, units: int) -> dict[str, float]:
    """Returns the errors of principal components by prefix; of the future, by a regression."""
    components = probes.fit(train, units)
    found = {'': components.error(test)} if '' in wanted else {}
    if 'future_' in wanted:

        def pair(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
            codes = components.scores(_flat(rows.floats(0, len(rows))))
            return codes, _flat(target_of('future_', rows))

        fitted, errors = LinearRegression().fit(*pair(train)), []
        for part in probes.parts(test):
            codes, target = pair(part)
            errors.append(np.mean((fitted.predict(codes) - target) ** 2, axis=1, dtype=np.float64))
        found['future_'] = float(np.mean(np.concatenate(errors)))
    return found


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)
