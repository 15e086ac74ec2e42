"""The verdict on a claim, from what the runs found."""

from __future__ import annotations

import math
import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.claim import AT_EPOCH, UNTIL, Claim, metric_of
from parameters import Experiment
from studies.spread import spread

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    '<': operator.lt,
    '<=': operator.le,
    '>': operator.gt,
    '>=': operator.ge,
}
_OPPOSITE = {'<': '>=', '<=': '>', '>': '<=', '>=': '<'}

Results = Mapping[str, Any]
"""What is kept of a run: its `metrics`, and beside them `parameters`, `seconds`, ..."""


@dataclass(frozen=True)
class Judgement:
    """What was measured of a claim: its sides, as `spread` describes them, and the verdict."""

    measured: Mapping[str, Any]
    bound: Mapping[str, Any]
    verdict: str  # holds, better, fails, or open: not beyond the spread of the seeds
    seconds: float  # of a run's updates, the mean over the seeds


def judge(claim: Claim, results: Callable[[Experiment], Results]) -> Judgement:
    """Returns the verdict; `results` gives those of a run."""
    seeds = range(claim.seeds)

    def values(experiment: Experiment, metric: str) -> list[float]:
        return [value_of(results(experiment.vary(seed=seed)), metric) for seed in seeds]

    measured = values(claim.experiment, claim.metric)
    if isinstance(claim.than, Experiment):
        than = values(claim.than, claim.than_metric or claim.metric)
    else:
        than = [claim.than] * claim.seeds
    bounds = [claim.factor * value for value in than]
    seconds = statistics.fmean(results(claim.experiment.vary(seed=s))['seconds'] for s in seeds)
    verdict = _verdict(claim, measured, bounds)
    return Judgement(spread(measured), spread(bounds), verdict, seconds)


def _verdict(claim: Claim, measured: Sequence[float], bounds: Sequence[float]) -> str:
    """Says whether the whole interval of the mean difference is on the claimed side of zero."""
    differences = [m - b for m, b in zip(measured, bounds, strict=True)]
    ends = differences if claim.every else spread(differences)['interval']
    if claim.relation == '=':
        if min(ends) <= 0 <= max(ends):
            return 'holds'
        beyond = 'greater' if min(ends) > 0 else 'less'
        return 'better' if beyond == metric_of(claim.metric).better else 'fails'
    if all(_RELATIONS[claim.relation](end, 0.0) for end in ends):
        return 'holds'
    if all(_RELATIONS[_OPPOSITE[claim.relation]](end, 0.0) for end in ends):
        return 'fails'
    return 'fails' if claim.every else 'open'


def value_of(results: Results, metric: str) -> float:
    """Returns a number that a run found.

    `metric` is a name in results.json, the quotient of two (`a / b`), a column of metrics.csv at an
    epoch of the last phase (`validation/accuracy at epoch 350`), or the seconds of updates to it
    (`seconds until validation/mse <= 0.01`). Raises KeyError where the run has no such number.
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
        epochs = [*map(int, history['epoch'])]
        last = len(epochs) - 1 - epochs[::-1].index(int(found['at']))
        return _number(history[found['name']][last])
    if found := UNTIL.fullmatch(metric):
        history = results['history']
        values = [*map(float, history[found['name']])]
        first = next((i for i, v in enumerate(values) if v <= float(found['most'])), None)
        return math.inf if first is None else sum(map(float, history['seconds'][: first + 1]))
    metrics = results['metrics']
    return float(metrics[metric] if metric in metrics else results[metric])


def _number(cell: str) -> float:
    value = float(cell)
    if math.isnan(value):
        raise ValueError
    return value
