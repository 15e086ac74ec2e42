"""The numbers of a run that a claim can name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ledger.claim import AT_EPOCH, UNTIL

Results = Mapping[str, Any]
"""What is kept of a run: its `metrics`, and beside them `parameters`, `seconds`, ..."""


def value_of(results: Results, metric: str) -> float:
    """Returns a number that a run found.

    `metric` is a name in results.json, the quotient of two (`a / b`), a column of metrics.csv at an
    epoch of the last phase (`validation/accuracy at epoch 350`), or the updates or their seconds to
    it (`updates until validation/mse <= 0.01`), in whole epochs. Raises KeyError where the run has
    no such number.
    """
    if ' / ' in metric:
        first, second = (value_of(results, part) for part in metric.split(' / '))
        if not second:
            raise KeyError(f'{metric}: is divided by 0')
        return first / second
    try:
        return _looked_up(results, metric)
    except (KeyError, ValueError):  # no such name or epoch, or an empty cell
        run = ' '.join(results[name] for name in ('experiment', 'key') if name in results)
        raise KeyError(f'{metric}: not among the results of {run}') from None


def _looked_up(results: Results, metric: str) -> float:
    if found := AT_EPOCH.fullmatch(metric):
        history = results['history']
        phases, epochs = history['phase'], [*map(int, history['epoch'])]
        asked = phases[-1], int(found['at'])
        last = len(epochs) - 1 - [*zip(phases, epochs, strict=True)][::-1].index(asked)
        return _number(history[found['name']][last])
    if found := UNTIL.fullmatch(metric):
        history = results['history']
        values = [*map(float, history[found['name']])]
        first = next((i for i, v in enumerate(values) if v <= float(found['most'])), None)
        if first is None:
            return math.inf
        if found['spent'] == 'updates':
            return _number(history['step'][first])
        return sum(map(float, history['seconds'][: first + 1]))
    metrics = results['metrics']
    return float(metrics[metric] if metric in metrics else results[metric])


def _number(cell: str) -> float:
    value = float(cell)
    if math.isnan(value):
        raise ValueError
    return value
