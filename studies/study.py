"""A study: several runs of the catalogue for one question."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from evaluation import metrics
from parameters import FIELDS, Experiment
from system.errors import UsageError
from system.rules import plain


@dataclass(frozen=True)
class Study:
    """A question that needs several runs: every arm, at every value of one field, for every seed.

    The first arm is what the others are compared with, seed by seed. Raises UsageError for what
    cannot be run or compared, KeyError for a metric that no run has.
    """

    name: str
    description: str
    source: str
    arms: tuple[Experiment, ...]
    seeds: int = 5
    over: str = ''  # the field that is varied, if one is
    values: tuple[Any, ...] = ()
    metrics: tuple[str, ...] = ()  # printed and drawn; none: all
    trade_off: tuple[str, str] | None = None  # two metrics drawn against each other

    def __post_init__(self) -> None:
        for name in ('arms', 'values', 'metrics'):
            if not isinstance(value := getattr(self, name), tuple):
                kind = type(value).__name__
                raise UsageError(f'{self.name}: {name} must be a tuple, as (one,), it is {kind}')
        seeds = plain(self.seeds, 'int')
        if type(seeds) is not int:
            raise UsageError(f'{self.name}: seeds={self.seeds!r}: must be a whole number')
        object.__setattr__(self, 'seeds', seeds)
        if (field := self.over.split('.')[-1]) in FIELDS:  # also a parent's
            kind = str(FIELDS[field].type)
            object.__setattr__(self, 'values', tuple(plain(v, kind) for v in self.values))
        if not self.arms:
            raise UsageError(f'{self.name}: arms=(): needs an experiment at least')
        if self.seeds < 1:
            raise UsageError(f'{self.name}: seeds={self.seeds}: must be at least 1')
        if self.over and not self.values:
            raise UsageError(f'{self.name}: values=(): over={self.over} needs some')
        if self.values and not self.over:
            raise UsageError(f"{self.name}: over='': needs a field, which values are of")
        data = sorted({f'{arm.dataset} {arm.data_path}'.strip() for arm in self.arms})
        if len(data) > 1 and self.over != 'dataset':
            raise UsageError(
                f'{self.name}: its arms are on {" and ".join(data)}: numbers found on different '
                'data cannot be compared; give all the same with .vary(dataset=...)'
            )
        names = [arm.name for arm in self.arms]
        for name in {name for name in names if names.count(name) > 1}:
            raise UsageError(
                f'{self.name}: two of its arms are called {name}; give one a name of its own, as '
                f"in {name}.vary('another', ...)"
            )
        self.points()  # raises UsageError for a field or a value that cannot be
        for name in (*self.metrics, *(self.trade_off or ())):
            metrics.kept(name)  # raises KeyError for one that no run has

    def vary(self, **changes: Any) -> Study:
        """Returns the study with other values of `over`, or with all arms varied alike."""
        values = self.values
        if self.over in changes:
            values = (changes.pop(self.over),)
        arms = tuple(arm.vary(**changes) for arm in self.arms)
        return dataclasses.replace(self, arms=arms, values=values)

    def points(self) -> list[tuple[Experiment, Any, Experiment]]:
        """Returns (arm, value, the arm at that value); without `over` the value is None."""
        if not self.over:
            return [(arm, None, arm) for arm in self.arms]
        return [
            (arm, value, arm.vary(**{self.over: value}))
            for value in self.values
            for arm in self.arms
        ]

    def of_validation(self) -> Study:
        """Returns the study with scores of validation examples in the place of the test's."""

        def moved(name: str) -> str:
            return name.replace('test/', 'validation/')

        names, pair = tuple(map(moved, self.metrics)), self.trade_off
        pair = pair and (moved(pair[0]), moved(pair[1]))
        return dataclasses.replace(self, metrics=names, trade_off=pair)

    def resolved(self) -> dict[str, Any]:
        """Returns the study as plain JSON values."""
        plain = {name: getattr(self, name) for name in ('name', 'seeds', 'over', 'values')}
        return json.loads(json.dumps(plain | {'arms': [arm.resolved() for arm in self.arms]}))
