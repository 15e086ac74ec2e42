"""A claim: what somebody says of a run, as numbers that a run can answer."""

from __future__ import annotations

from dataclasses import dataclass

from parameters import Experiment

OURS = 'aim of this project'  # a source beside those of inst.py
RELATIONS = ('<', '<=', '>', '>=', '=')


@dataclass(frozen=True)
class Claim:
    """`metric` of `experiment` stands in `relation` to `factor` times `than`.

    `than` is a figure, or an experiment, of which the same metric is compared, or `than_metric`.
    Experiments are compared seed by seed; what is judged is the mean difference, or where `every`,
    that of each seed; '=' holds where zero is within the interval of it, and beyond it is better,
    where an accuracy is greater or anything else is less. `value_of` says what a metric can be.
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

    def __post_init__(self):
        if self.relation not in RELATIONS:
            raise ValueError(f'{self.relation!r}: allowed are {", ".join(RELATIONS)}')

    def experiments(self) -> tuple[Experiment, ...]:
        """Returns the experiments that it needs, each of them once."""
        other = (self.than,) if isinstance(self.than, Experiment) else ()
        return tuple(dict.fromkeys((self.experiment, *other)))

    def runs(self) -> list[Experiment]:
        """Returns every run that it needs, seeds outermost."""
        return [e.vary(seed=seed) for seed in range(self.seeds) for e in self.experiments()]
