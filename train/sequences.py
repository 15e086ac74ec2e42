"""Sequence networks: the baselines that their scores stand beside, and what their figures show."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression

from dataset import Dataset, Rows
from train import figures, probe
from train.network import Network

_LARGE = 2048  # sequences that PCA is fitted on, where they are large: about a minute
_MADE = {'': 'outputs', 'future_': 'predictions'}  # prefix of a score -> the tensor it is of
_EXAMPLES = 5  # drawn


def baselines(network: Network, data: Dataset) -> dict[str, float]:
    """Returns test errors of what knows no sequences, each beside the score of the same ending.

    `mean`: the training sequences' mean, step by step. `copy`: the last frame that is fed, at every
    step. `pca`: as many principal components of the whole sequence as the code has numbers, and a
    linear regression from them for the future, fitted on 2,048 training sequences where they are
    large; left out where they are of different lengths.
    """
    train, test = data.splits['train'], data.splits['test']
    units = int(network.endpoints.tensors['codings'].shape[1])
    size, found = math.prod(data.spec.shape), {}
    many = _LARGE if size > probe.COVARIANCE else probe.FITTED // size
    some = probe.compared(train, many)
    units_fit = units <= min(size, len(some))
    prefixes = tuple(p for p, name in _MADE.items() if name in network.endpoints.tensors)
    for prefix in prefixes:
        wanted = _wanted(prefix, test)
        for label, made in _guesses(prefix, train, test).items():
            found[f'{prefix}{label}_mse'] = float(np.mean(_errors(made, wanted, test.length)))
    if units_fit and test.length is None:
        linear = _linear(prefixes, some, test, units)
        found |= {f'{prefix}pca_mse': error for prefix, error in linear.items()}
    return found


def _wanted(prefix: str, rows: Rows) -> np.ndarray:
    """Returns the sequences that are scored: the future, or what is fed, [N, T, D]."""
    return rows.targets(0, len(rows)) if prefix else rows.floats(0, len(rows))


def _guesses(prefix: str, train: Rows, test: Rows) -> dict[str, np.ndarray]:
    """Returns what the mean and the last frame make of each test sequence, [1 or N, T, D]."""
    sums, counts = 0.0, 0.0
    for start in range(0, len(train), probe.COMPARED):
        part = train.take(slice(start, start + probe.COMPARED))
        counted = _counted(part.length, len(part), _wanted(prefix, part.take(slice(1))).shape[1])
        sums = sums + np.sum(_wanted(prefix, part) * counted[:, :, None], axis=0, dtype=np.float64)
        counts = counts + counted.sum(axis=0)[:, None]
    fed = test.floats(0, len(test))
    last = np.full(len(test), fed.shape[1]) if test.length is None else test.length
    return {
        'mean': (sums / np.maximum(counts, 1))[None].astype(np.float32),
        'copy': fed[np.arange(len(test)), last - 1][:, None],
    }


def _counted(length: np.ndarray | None, count: int, steps: int) -> np.ndarray:
    """Returns 1 for each step that counts, 0 for the others, [N, T]."""
    if length is None:
        return np.ones((count, steps), np.float32)
    return (np.arange(steps) < length[:, None]).astype(np.float32)


def _errors(made: np.ndarray, wanted: np.ndarray, length: np.ndarray | None) -> np.ndarray:
    """Returns each sequence's squared error, the mean over its features and steps, [N]."""
    squares = np.mean((made - wanted) ** 2, axis=2)
    counted = _counted(length, *squares.shape)
    return (squares * counted).sum(axis=1) / counted.sum(axis=1)


def _linear(wanted: tuple[str, ...], train: Rows, test: Rows, units: int) -> dict[str, float]:
    """Returns the errors of principal components by prefix; of the future, by a regression."""
    fed, others = (Rows(_flat(rows.floats(0, len(rows))), None) for rows in (train, test))
    error, components = probe.pca(fed, others, units)
    found = {'': error}
    if 'future_' in wanted:
        fitted = LinearRegression().fit(fed.x @ components.T, _flat(_wanted('future_', train)))
        made = fitted.predict(others.x @ components.T) - _flat(_wanted('future_', test))
        found['future_'] = float(np.mean(made**2, dtype=np.float64))
    return {prefix: found[prefix] for prefix in wanted}


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


def drawn(network: Network, data: Dataset) -> dict[str, Any]:
    """Returns the figures of a sequence network: sequences beside what it makes, error by step."""
    train, test = data.splits['train'], probe.compared(data.splits['test'])
    made = {
        prefix: network.compute(name, test)
        for prefix, name in _MADE.items()
        if name in network.endpoints.tensors
    }
    panels: dict[str, dict[str, np.ndarray]] = {}
    for prefix, values in made.items():
        guesses = {'network': values, **_guesses(prefix, train, test)}
        wanted = _wanted(prefix, test)
        counted = _counted(test.length, *wanted.shape[:2])
        panels['prediction' if prefix else 'reconstruction'] = {
            {'mean': 'mean sequence', 'copy': 'last frame again'}.get(label, label): np.sum(
                np.mean((guess - wanted) ** 2, axis=2) * counted, axis=0
            )
            / np.maximum(counted.sum(axis=0), 1)
            for label, guess in guesses.items()
        }
    found = {'error_by_step': figures.error_by_step(panels)}
    if data.spec.frame or data.spec.picture:
        found['sequences'] = _strips(data, test, made)
    return found


def _strips(data: Dataset, test: Rows, made: dict[str, np.ndarray]) -> Any:
    """Draws sequences as strips of frames, or each as one picture whose rows are the steps."""
    fed, titles = test.floats(0, 2 * _EXAMPLES), {'': 'reconstructed', 'future_': 'predicted'}
    if data.spec.frame:
        lines: dict[str, np.ndarray] = {}
        for index in range(min(_EXAMPLES - 2, len(test))):
            lines[f'{index + 1}: fed'] = fed[index]
            for prefix, values in made.items():
                if prefix:
                    lines[f'{index + 1}: what follows'] = test.targets(index, index + 1)[0]
                lines[f'{index + 1}: {titles[prefix]}'] = values[index]
        return figures.picture_rows(lines, data.spec.frame)
    parts = {prefix: values[: len(fed)] for prefix, values in made.items()}
    future = [test.targets(0, 2 * _EXAMPLES)] if 'future_' in parts else []
    result = [parts.get('', fed), *([parts['future_']] if future else [])]
    words = ' and '.join(titles[prefix] for prefix in parts)
    lines = {
        'sequences, time downwards' + (': fed, and what follows' if future else ''): np.concatenate(
            [fed, *future], axis=1
        ),
        words if '' in parts else f'fed, and {words}': np.concatenate(result, axis=1),
    }
    shape = next(iter(lines.values())).shape[1:]
    return figures.picture_rows(lines, shape)
