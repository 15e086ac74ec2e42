"""How far the seeds of a kind of run lie apart: what a single run is judged by."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping
from typing import Any

import inst
from ledger.claim import metric_of
from ledger.values import Results, value_of
from parameters import Experiment

_FIXED = ('parameters', 'updates')  # are the same for all seeds
_LEAST = 3  # seeds of a run whose deviation counts
_SHARE = 0.9  # of the kind's runs lie closer together


def usual_deviation(experiment: Experiment, metric: str, kept: Iterable[Results]) -> float | None:
    """Returns the relative deviation over seeds that nine in ten runs of the kind stay below.

    A kind is a kind of network, or where no such run has several seeds, any. Of an accuracy it is
    the deviation of the errors. None where no run tells.
    """
    if metric in _FIXED:
        return 0.0
    by_kind: dict[str, list[float]] = {}
    for kind, runs in _alike(kept):
        found = _deviation(metric, runs)
        if found is not None:
            by_kind.setdefault(kind, []).append(found)
    known = by_kind.get(experiment.kind) or [one for many in by_kind.values() for one in many]
    if not known:
        return None
    known.sort()
    return known[min(len(known) - 1, math.floor(_SHARE * len(known)))]


def _alike(kept: Iterable[Results]) -> list[tuple[str, list[Results]]]:
    """Returns the runs that differ in nothing but the seed, with the kind of their network."""
    groups: dict[str, tuple[str, list[Results]]] = {}
    for run in kept:
        experiment = inst.EXPERIMENTS.get(run['experiment'])
        if experiment is not None:
            key = json.dumps([run['data'], _without_seed(run['decisive'])])
            groups.setdefault(key, (experiment.kind, []))[1].append(run)
    return [(kind, runs) for kind, runs in groups.values() if len(runs) >= _LEAST]


def _without_seed(decisive: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_seed(value) if isinstance(value, dict) else value
        for name, value in decisive.items()
        if name != 'seed'
    }


def _deviation(metric: str, runs: Iterable[Results]) -> float | None:
    """Returns the relative deviation of a metric; None where a run lacks it."""
    try:
        values = [size_of(metric, value_of(run, metric)) for run in runs]
    except KeyError:
        return None
    mean = statistics.fmean(values)
    if not (0 < mean < math.inf):
        return None
    return statistics.stdev(values) / mean


def size_of(metric: str, value: float) -> float:
    """Returns what deviations of a value are relative to: an accuracy's errors, or the value."""
    return 1 - value if metric_of(metric).is_accuracy else abs(value)
