"""What a run says on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow.compat.v1 as tf

from dataset import Rows
from parameters import Phase, Spec

SPLITS = ('train', 'validation', 'test')


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
        for name, value in mine[-1].items()
        if value and name.startswith(('train/', 'validation/'))
    )
    speed = len(mine) * examples / max(seconds, 1e-9)
    return (
        f'{done.name:9} reads {done.reads}, trains {done.trainable}: {len(mine):,} epochs, '
        f'{updates:,} updates, {seconds:.1f} s, {speed:,.0f} examples/s\n{"":10}{scores}'
    )


def scores(results: dict[str, Any]) -> str:
    """Lays out a finished run's metrics, a split a column."""
    metrics = results['metrics']
    splits = [s for s in SPLITS if any(name.startswith(f'{s}/') for name in metrics)]
    names = dict.fromkeys(name.split('/', 1)[1] for name in metrics if '/' in name)
    lines = [f'{"":18}' + ''.join(f'{split:>12}' for split in splits)]
    for name in names:
        cells = [metrics.get(f'{split}/{name}') for split in splits]
        texts = ['' if cell is None else f'{cell:.5g}' for cell in cells]
        lines.append(f'{name:18}' + ''.join(f'{text:>12}' for text in texts))
    lines += [f'{name:18}{value:.5g}' for name, value in metrics.items() if '/' not in name]
    return '\n'.join(lines)
