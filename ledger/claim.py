"""A claim: what somebody says of a run, as numbers that a run can answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from evaluation import metrics
from parameters import Experiment

OURS = 'aim of this project'  # a source beside those of inst.py
RELATIONS = ('<', '<=', '>', '>=', '=')
AT_EPOCH = re.compile(r'(?P<name>\S+) at epoch (?P<at>\d+)')
UNTIL = re.compile(r'seconds until (?P<name>\S+) <= (?P<most>\S+)')


@dataclass(frozen=True)
class Claim:
    """`metric` of `experiment` stands in `relation` to `factor` times `than`.

    `than` is a figure, or an experiment, of which the same metric is compared, or `than_metric`.
    Experiments are compared seed by seed; what is judged is the mean difference, or where `every`,
    that of each seed; '=' holds where zero is within the interval of it, and is better beyond it on
    the side that is better of that metric. Raises ValueError for another relation, and for a metric
    that no run can have; `verdicts.value_of` says how one is written.
    """

    words: str
    source: str
    experiment: Experiment
    metric: str
    relation: str
    than: float | Experiment
    than_metric: str = ''
    factor: float = 1.0
    seeds: int = 1
    every: bool = False
    published: str = ''  # the figure as the source prints it
    note: str = ''

    def __post_init__(self) -> None:
        if self.relation not in RELATIONS:
            raise ValueError(f'{self.relation!r}: allowed are {", ".join(RELATIONS)}')
        for metric in filter(None, (self.metric, self.than_metric)):
            metric_of(metric)

    def experiments(self) -> tuple[Experiment, ...]:
        """Returns the experiments that it needs, each of them once."""
        other = (self.than,) if isinstance(self.than, Experiment) else ()
        return tuple(dict.fromkeys((self.experiment, *other)))

    def runs(self) -> list[Experiment]:
        """Returns every run that it needs, seeds outermost."""
        return [e.vary(seed=seed) for seed in range(self.seeds) for e in self.experiments()]


def metric_of(written: str) -> metrics.Metric:
    """Returns what a claim's metric is: unit and direction; raises ValueError for an unknown one.

    A quotient has its dividend's direction, and no unit.
    """
    first, *rest = written.split(' / ')
    if found := UNTIL.fullmatch(first):
        rest.append(found['name'])
        first = 'seconds'
    elif found := AT_EPOCH.fullmatch(first):
        first = found['name']
    try:
        made = metrics.find(first)
        for name in rest:
            metrics.find(name)
    except KeyError as error:
        raise ValueError(error.args[0]) from None
    return made._replace(unit='', is_accuracy=False) if ' / ' in written else made
