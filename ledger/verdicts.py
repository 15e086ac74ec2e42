"""The verdict on a claim, from what the runs found."""

from __future__ import annotations

import math
import operator
import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from scipy import stats

from ledger.claim import Claim, metric_of
from ledger.usual import is_fixed, size_of
from ledger.values import Results, value_of
from parameters import Experiment
from studies.spread import CONFIDENCE, difference, spread

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    '<': operator.lt,
    '<=': operator.le,
    '>': operator.gt,
    '>=': operator.ge,
}
_OPPOSITE = {'<': '>=', '<=': '>', '>': '<=', '>=': '<'}
_FAR = 3.0  # deviations of its kind that a difference found by one seed must exceed
_RANKED = 6  # seeds from which on ranks can show anything: five equal signs are no rare event
_NORMAL = 0.05  # p of Shapiro and Wilk below which differences are compared by their ranks

Usual = Callable[[Experiment, int, str], float | None]
"""Returns how far seeds of a kind of run of so many updates lie apart; see ledger/usual.py."""


@dataclass(frozen=True)
class Judgement:
    """What was measured of a claim: its sides, as `spread` describes them, and the verdict."""

    measured: Mapping[str, Any]
    bound: Mapping[str, Any]
    verdict: str  # holds, better, fails, or open: not beyond the spread of the seeds
    seconds: float  # of a run's updates, the mean over the seeds
    seeds: int  # that it rests on
    p: float | None = None  # of the difference, if there were none; None where no test was made
    reach: float | None = None  # of one seed: how large a difference is none yet


class _Test(NamedTuple):
    """Where the difference lies, and how likely such a one is where there is none."""

    least: float
    most: float
    p: float | None = None


def judge(
    claim: Claim, results: Callable[[Experiment], Results], seeds: int, usual: Usual
) -> Judgement:
    """Returns the verdict from the first so many seeds; `results` gives those of a run."""
    numbers = range(seeds)

    def values(experiment: Experiment, metric: str) -> list[float]:
        return [value_of(results(experiment.vary(seed=seed)), metric) for seed in numbers]

    measured = values(claim.experiment, claim.metric)
    if isinstance(claim.than, Experiment):
        than = values(claim.than, claim.than_metric or claim.metric)
    else:
        than = [claim.than] * seeds
    bounds = [claim.bound(value) for value in than]
    seconds = statistics.fmean(results(claim.experiment.vary(seed=s))['seconds'] for s in numbers)
    alone, deviation = seeds == 1 and not claim.every, None
    if alone:
        updates = results(claim.experiment.vary(seed=0))['updates']
        deviation = usual(claim.experiment, updates, claim.metric)
    if len(measured) == 1 and not claim.every:
        found = _of_one(claim, measured[0], than[0], deviation)
    else:
        found = _tested(claim, [*map(difference, measured, bounds)])
    finite = [abs(bound) for bound in bounds if math.isfinite(bound)]
    margin = claim.margin * statistics.fmean(finite) if finite else 0.0
    verdict = _verdict(claim, (found.least, found.most), margin)
    reach = (found.most - found.least) / 2 if alone and claim.sign != '=' else None
    return Judgement(spread(measured), spread(bounds), verdict, seconds, seeds, found.p, reach)


def _tested(claim: Claim, differences: Sequence[float]) -> _Test:
    """Returns where the difference lies: of each seed, or in the mean over several."""
    if claim.every:
        return _Test(min(differences), max(differences))
    ranked = len(differences) >= _RANKED and claim.sign != '='  # ranks know of no margin
    if ranked and not _is_normal(differences):
        return _by_ranks(differences)
    return _by_mean(
        differences, is_fixed=claim.sign == '=' or is_fixed(claim.experiment, claim.metric)
    )


def _of_one(claim: Claim, measured: float, than: float, usual: float | None) -> _Test:
    """Returns the difference, and as much around it as seeds of the kind make of nothing."""
    found, sizes = difference(measured, claim.bound(than)), [size_of(claim.metric, measured)]
    if isinstance(claim.than, Experiment) and claim.than != claim.experiment:
        size = size_of(claim.than_metric or claim.metric, than)
        sizes.append(abs(claim.factor) * size)  # or else it is the seed's own baseline
    if usual is None or not math.isfinite(found):
        return _Test(-math.inf, math.inf)
    half = _FAR * usual * math.hypot(*sizes)
    return _Test(found - half, found + half)


def _is_normal(differences: Sequence[float]) -> bool:
    """Whether they may be Gaussian; of infinite ones, or all alike, ranks say no more."""
    if not all(map(math.isfinite, differences)) or len({*differences}) == 1:
        return True
    with warnings.catch_warnings(action='ignore'):
        return bool(stats.shapiro(differences).pvalue >= _NORMAL)


def _by_mean(differences: Sequence[float], *, is_fixed: bool) -> _Test:
    """Tests by Student's t; what is all alike, and not because it is fixed, by signs.

    It comes in steps, as shares of examples and updates in whole epochs do.
    """
    found = spread(differences)
    least, most = found['interval']
    if not found['deviation']:  # of no seed another difference
        if is_fixed or not math.isfinite(least):
            return _Test(least, most, float(least == 0.0))
        p = 2.0 ** (1 - len(differences)) if least else 1.0
        return _Test(least, most, p) if p < 1 - CONFIDENCE else _Test(-math.inf, math.inf, p)
    if not math.isfinite(found['deviation']):
        return _Test(least, most, 1.0)
    ratio = abs(found['mean']) / found['deviation'] * len(differences) ** 0.5
    return _Test(least, most, 2 * float(stats.t.sf(ratio, len(differences) - 1)))


def _by_ranks(differences: Sequence[float]) -> _Test:
    """Tests by Wilcoxon's signed ranks, which a few differences far away do not upset."""
    p = float(stats.wilcoxon(differences).pvalue)
    if p >= 1 - CONFIDENCE:
        return _Test(-math.inf, math.inf, p)
    ranks = stats.rankdata(list(map(abs, differences)))
    signed = sum(math.copysign(r, d) for r, d in zip(ranks, differences, strict=True) if d)
    side = math.copysign(statistics.median(map(abs, filter(None, differences))), signed)
    return _Test(side, side, p)


def _verdict(claim: Claim, ends: tuple[float, float], margin: float) -> str:
    """Says whether the whole interval of the difference is on the claimed side, or equal enough."""
    if claim.sign == '=':
        if all(-margin <= end <= margin for end in ends):
            return 'holds'
        if not (min(ends) > margin or max(ends) < -margin):
            return 'open'
        beyond = 'greater' if min(ends) > margin else 'less'
        return 'better' if beyond == metric_of(claim.metric).better else 'fails'
    if all(_RELATIONS[claim.sign](end, 0.0) for end in ends):
        return 'holds'
    if all(_RELATIONS[_OPPOSITE[claim.sign]](end, 0.0) for end in ends):
        return 'fails'
    return 'fails' if claim.every else 'open'


def false_discovery_rates(judgements: Mapping[Claim, Judgement]) -> dict[Claim, float]:
    """Returns, of each tested claim, q: what share of verdicts as sure as its are expected wrong.

    Nothing can be said so of claims that were made of the figures that test them. Source: Benjamini
    and Hochberg 1995.
    """
    asked = {c: j.p for c, j in judgements.items() if c.is_beforehand and c.sign != '='}
    tested = {claim: p for claim, p in asked.items() if p is not None}
    if not tested:
        return {}
    found = stats.false_discovery_control([*tested.values()])
    return dict(zip(tested, map(float, found), strict=True))
