"""What a run says on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from evaluation.metrics import SPLITS
from inputs.rows import Dataset, Rows
from inputs.spec import Spec
from parameters import Experiment
from phases import Phase
from system.lines import shown

_NOT_SPARSE = 2  # times its target


def size(splits: Mapping[str, Rows], spec: Spec, variables: Sequence[tf.Variable]) -> str:
    """Describes the splits trained on and scored, and the number of weights."""
    sizes = ', '.join(f'{len(rows):,} {name}' for name, rows in splits.items())
    parameters = sum(int(v.shape.num_elements()) for v in variables)
    return f'{sizes} examples of {spec.said}; {len(variables)} variables, {parameters:,} parameters'


def phase(done: Phase, rows: Sequence[dict[str, str]], updates: int, examples: int) -> str:
    """Describes a finished phase by its rows of metrics.csv; `examples` are an epoch's."""
    mine = [row for row in rows if row['phase'] == done.name]
    seconds = sum(float(row['seconds']) for row in mine)
    scores = ', '.join(
        f'{name} {float(value):.4g}'
        for row in mine[-1:]  # none where metrics.csv was removed
        for name, value in row.items()
        if value and name.startswith(('train/', 'validation/'))
    )
    speed = len(mine) * examples / max(seconds, 1e-9)
    return (
        f'{done.name:9} reads {done.reads}, trains {done.trainable}: {len(mine):,} epochs, '
        f'{updates:,} updates, {seconds:.1f} s, {speed:,.0f} examples/s\n{"":10}{scores}'
    )


class Scores(NamedTuple):
    """A run's metrics as text."""

    splits: tuple[str, ...]
    rows: list[tuple[str, ...]]  # a metric's name, and its value in each of the splits
    others: list[tuple[str, str]]  # what belongs to no split


def scored(metrics: Mapping[str, float]) -> Scores:
    """Sorts metrics, named `split/name`, into rows of a table."""
    splits = tuple(s for s in SPLITS if any(name.startswith(f'{s}/') for name in metrics))
    names = dict.fromkeys(name.split('/', 1)[1] for name in metrics if '/' in name)

    def text(name: str) -> str:
        return f'{metrics[name]:.5g}' if name in metrics else ''

    rows = [(name, *(text(f'{split}/{name}') for split in splits)) for name in names]
    return Scores(splits, rows, [(name, text(name)) for name in metrics if '/' not in name])


def scores(results: dict[str, Any]) -> str:
    """Lays out a finished run's metrics, a split a column."""
    splits, rows, others = scored(results['metrics'])
    wide = max(len(name) for name, *_ in [('',), *rows, *others]) + 2
    lines = [
        f'{name:{wide}}' + ''.join(f'{text:>12}' for text in texts)
        for name, *texts in [('', *splits), *rows]
    ]
    return '\n'.join(map(shown, lines + [f'{name:{wide}}{text}' for name, text in others]))


def unsparse(metrics: Mapping[str, float], experiment: Experiment) -> list[str]:
    """Says where units are on far more often than their target, and what brings them there."""
    target = experiment.sparsity_target
    found = [value for name, value in metrics.items() if name.endswith('/mean_activation')]
    if not experiment.has('sparsity') or not found or found[0] < _NOT_SPARSE * target:
        return []
    return [
        f'warning: sparsity_target={target}: units are on for {found[0]:.3g} in the mean; more '
        'epochs, a greater learning_rate or a greater sparsity bring them there'
    ]


def worthless(metrics: Mapping[str, float], data: Dataset, experiment: Experiment) -> list[str]:
    """Says where the scores are no better than what needs no learning.

    A training error above what the middle of each column's range, which is that of the training
    examples, would have, but not of a head on a restored network, whose decoder is not trained; an
    accuracy that naming the most frequent class would have.
    """
    said, known, rows = [], data.spec.values, data.splits.get('test')
    error, accuracy = metrics.get('train/mse'), metrics.get(f'{data.tested}/accuracy')
    if known and error is not None and experiment.parent is None:
        ranges = np.array(known.columns or [(known.least, known.most)])
        middle = float(np.mean(np.ptp(ranges, axis=1) ** 2) / 4)
        if error > middle > 0:
            said.append(
                f'warning: a train/mse of {error:.4g} is above {middle:.4g}, which the middle of '
                'the range in the place of every value would have at most: the outputs are of no '
                'use; more or fewer epochs, a lower learning_rate or other layers may help'
            )
    if accuracy is not None and rows is not None and rows.known.any():
        counts = np.bincount(rows.labels[rows.known])
        share = counts.max() / counts.sum()
        if accuracy <= share + 1e-9:
            said.append(
                f'warning: an accuracy of {accuracy:.1%} is no more than that of always naming '
                f'{data.spec.classes[counts.argmax()]!r}, as {share:.1%} of the {data.tested} '
                f'examples{"" if rows.known.all() else " with a label"} are'
            )
    return said
