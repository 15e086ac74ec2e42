"""How far the seeds of a kind of run lie apart: what a single run is judged by."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import inst
from ledger.claim import metric_of
from ledger.values import Results, value_of
from parameters import FIELDS, Experiment

_DATA = ('dataset', 'data_path')
_LEAST = 3  # seeds of a run whose deviation counts
_SHARE = 0.9  # of the kind's runs lie closer together
_FACTOR = 10  # between the updates of runs of a kind
_KNOWN = 3  # such runs, before they speak for a kind


def usual_deviation(
    experiment: Experiment, updates: int, metric: str, groups: Sequence[Sequence[Results]]
) -> float | None:
    """Returns the relative deviation over seeds that nine in ten runs of the kind stay below.

    `groups` are runs of several seeds, as `alike` sorts them. A kind is a kind of network on the
    same data that is trained for `updates`, to a tenth or to ten times as many, or, where less
    than three of these tell, for any number of them. Where less than three of those tell, too, it
    is the greater of what such networks on any data and what any networks on these data deviate
    by; and where nothing tells of one of them, of what any network does, too. Of less than ten runs
    it is the greatest. Of an accuracy it is the deviation of the errors, of decibels that of these
    as they are. None where no run tells.
    """
    if is_fixed(experiment, metric):
        return 0.0

    def is_on_the_data(run: Results) -> bool:
        return _is_of_the_data(experiment, run)

    def is_network(run: Results) -> bool:
        return inst.EXPERIMENTS[run['experiment']].kind == experiment.kind

    def is_as_long(run: Results) -> bool:
        return updates <= _FACTOR * run['updates'] and run['updates'] <= _FACTOR * updates

    def nine_in_ten(least: int, *kind: Callable[[Results], bool]) -> float | None:
        found = [_deviation(metric, runs) for runs in groups if all(is_(runs[0]) for is_ in kind)]
        known = sorted(deviation for deviation in found if deviation is not None)
        if len(known) < least:
            return None
        return known[min(len(known) - 1, math.floor(_SHARE * len(known)))]

    for kind in ((is_on_the_data, is_network, is_as_long), (is_on_the_data, is_network)):
        if (known := nine_in_ten(_KNOWN, *kind)) is not None:
            return known
    of_networks = nine_in_ten(_KNOWN, is_network, is_as_long)
    if of_networks is None:
        of_networks = nine_in_ten(_KNOWN, is_network)
    either = [of_networks, nine_in_ten(1, is_on_the_data)]
    if None in either:
        either.append(nine_in_ten(1))
    return max((deviation for deviation in either if deviation is not None), default=None)


def is_fixed(experiment: Experiment, metric: str) -> bool:
    """Whether a number is the same for all seeds."""
    return metric == 'parameters' or (metric == 'updates' and not experiment.patience)


def _is_of_the_data(experiment: Experiment, run: Results) -> bool:
    """Whether a run saw the experiment's data, at whatever size: seeds of others say nothing."""
    fields, seen = experiment.fields(), run['decisive']
    return all(seen.get(name, FIELDS[name].default) == fields[name] for name in _DATA)


def alike(kept: Iterable[Results]) -> list[list[Results]]:
    """Returns the runs of several seeds that differ in nothing but these, together."""
    groups: dict[str, list[Results]] = {}
    for run in kept:
        if run['experiment'] in inst.EXPERIMENTS:
            key = json.dumps([run['data'], _without_seed(run['decisive'])])
            groups.setdefault(key, []).append(run)
    return [runs for runs in groups.values() if len(runs) >= _LEAST]


def _without_seed(decisive: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_seed(value) if isinstance(value, dict) else value
        for name, value in decisive.items()
        if name != 'seed'
    }


def _deviation(metric: str, runs: Iterable[Results]) -> float | None:
    """Returns the relative deviation of a metric; None where a run lacks it."""
    try:
        values = [value_of(run, metric) for run in runs]
    except KeyError:
        return None
    if not all(map(math.isfinite, values)):
        return None
    size = statistics.fmean(size_of(metric, value) for value in values)
    if not (0 < size < math.inf):
        return None
    return statistics.stdev(values) / size


def size_of(metric: str, value: float) -> float:
    """Returns what deviations of a value are relative to: an accuracy's errors, 1 dB, the value."""
    its = metric_of(metric)
    if '(dB)' in its.unit:  # a logarithm: a tenth more of it says nothing
        return 1.0
    return 1 - value if its.is_accuracy else abs(value)
