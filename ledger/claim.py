"""A claim: what somebody says of a run, as numbers that a run can answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from numbers import Real
from typing import Any

from evaluation import metrics
from parameters import IMAGES, Experiment
from system.errors import UsageError
from system.rules import written

OURS = 'aim of this project'  # a source beside those of inst.py
AFTER = 'asked when the runs were there'  # a note: its figures could be seen before it was made
MARGIN = 'margin set when the runs were there'
SIGNS = ('<', '<=', '>', '>=', '=')
_WORDS = {  # a relation in words, where the metric has a better side: its sign if less is better
    'better': '<',
    'worse': '>',
    'no better': '>=',
    'no worse': '<=',
}
_MIRRORED = {'<': '>', '<=': '>=', '>': '<', '>=': '<='}
AT_EPOCH = re.compile(r'(?P<name>\S+) at epoch (?P<at>\d+)')
UNTIL = re.compile(
    r'(?P<spent>seconds|updates) until (?P<name>\S+) <= (?P<most>-?\d+(\.\d+)?(e[+-]?\d+)?)'
)
_KINDS: dict[str, tuple[Any, str]] = {  # of a claim's parts, and what to write
    'words': (str, 'text'),
    'source': (str, 'text'),
    'experiment': (Experiment, 'an experiment, its name without quotes'),
    'metric': (str, "the name of a metric, as 'test/mse'"),
    'than': ((Real, Experiment), 'a number or an experiment, its name without quotes'),
    'factor': (Real, 'a number'),
    'plus': (Real, 'a number'),
    'margin': (Real, 'a number'),
    'seeds': (int, 'a whole number'),
}


@dataclass(frozen=True)
class Claim:
    """`metric` of `experiment` stands in `relation` to `factor` times `than`, and `plus`.

    `than` is a figure, or an experiment, of which the same metric is compared, or `than_metric`.
    `relation` is a sign, or a word that takes its direction from the table of metrics: 'better',
    'worse', 'no better', 'no worse'.
    Experiments are compared seed by seed; what is judged is the mean difference, or where `every`,
    that of each seed. '=' needs a `margin`, a part of the bound that the difference may be: it
    holds where the whole interval of it is within, and is better where all of it is beyond on the
    side that is better of that metric; a `factor` says how much worse is no worse.
    `values.value_of` says how a metric is written. Raises UsageError for another relation, a metric
    that no run can have, and runs on different data.
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
    margin: float = 0.0
    published: str = ''  # the figure as the source prints it
    note: str = ''
    plus: float = 0.0
    seen: bool = False  # figures had a part in its words, seeds or arms, as its note says

    def __post_init__(self) -> None:
        for name, (kinds, wanted) in _KINDS.items():
            if not isinstance(value := getattr(self, name), kinds):
                raise UsageError(f'{self._said}{name}={value!r}: must be {wanted}')
        if self.relation not in (*SIGNS, *_WORDS):
            allowed = ', '.join((*SIGNS, *_WORDS))
            raise UsageError(f'{self._said}{self.relation!r}: allowed are {allowed}')
        if (self.margin > 0) != (self.relation == '='):
            raise UsageError(
                f'{self._said}margin={self.margin}: must be over 0 with =, as 0.01 for 1 % of the '
                'bound, and has no effect with others'
            )
        if self.seeds < 1:
            raise UsageError(f'{self._said}seeds={self.seeds}: at least one is needed')
        for metric in filter(None, (self.metric, self.than_metric)):
            try:
                metric_of(metric)
            except ValueError as error:
                raise UsageError(f'{self._said}{error}') from None
        if self.relation in _WORDS and not metric_of(self.metric).better:
            raise UsageError(
                f'{self._said}{self.relation!r}: neither side of {self.metric} is better; must be '
                f'{", ".join(SIGNS)}'
            )
        mine, *others = self.experiments()
        for other in others:
            if data_of(other) != data_of(mine):
                raise UsageError(
                    f'{self._said}{mine.name} is on {data_of(mine)} and {other.name} on '
                    f'{data_of(other)}: numbers found on different data cannot be compared; give '
                    'both the same with .vary(dataset=...)'
                )

    @property
    def _said(self) -> str:
        return f'claim {self.words!r}: '

    @property
    def is_beforehand(self) -> bool:
        """Whether nothing of it was chosen when figures like its own could be seen."""
        return not (self.seen or AFTER in self.note or MARGIN in self.note)

    @property
    def sign(self) -> str:
        """How the metric is to stand to its bound, as one of `SIGNS`."""
        sign = _WORDS.get(self.relation, self.relation)
        mirrored = self.relation in _WORDS and metric_of(self.metric).better == 'greater'
        return _MIRRORED[sign] if mirrored else sign

    def bound(self, than: float) -> float:
        """Returns what the metric is to stand to: of a factor of 1.1 a tenth more, below 0 too."""
        return (self.factor if than >= 0 else 2 - self.factor) * than + self.plus

    def experiments(self) -> tuple[Experiment, ...]:
        """Returns the experiments that it needs, each of them once."""
        other = (self.than,) if isinstance(self.than, Experiment) else ()
        return tuple(dict.fromkeys((self.experiment, *other)))

    def runs(self) -> list[Experiment]:
        """Returns every run that it needs, seeds outermost."""
        return [e.vary(seed=seed) for seed in range(self.seeds) for e in self.experiments()]


def data_of(experiment: Experiment) -> str:
    """Says what data an experiment is trained and scored on."""
    fields, cut = experiment.fields(), ('patch_size', 'patches')
    told = (*IMAGES, *cut) if experiment.has('patch_size') else IMAGES
    sizes = [f'{n}={written(v)}' for n, v in fields.items() if n in told]
    return ' '.join(filter(None, (experiment.dataset, experiment.data_path, *sizes)))


def metric_of(metric: str) -> metrics.Metric:
    """Returns what a claim's metric is: unit and direction; raises ValueError for an unknown one.

    A quotient has its dividend's direction, and no unit.
    """
    first, *rest = metric.split(' / ')
    kept: tuple[str, ...] = ('validation/',)  # of each epoch
    if found := UNTIL.fullmatch(first):
        rest.append(found['name'])
        first = found['spent']
    elif found := AT_EPOCH.fullmatch(first):
        first, kept = found['name'], ('validation/', 'seconds')
    if found and not found['name'].startswith(kept):
        raise ValueError(
            f'{metric}: of each epoch only validation/... is kept, not {found["name"]}'
        )
    try:
        made = metrics.kept(first)
        for name in rest:
            metrics.kept(name)
    except KeyError as error:
        raise ValueError(error.args[0]) from None
    return made._replace(unit='', is_accuracy=False) if ' / ' in metric else made
