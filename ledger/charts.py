"""The ledger's charts: of each source, how far its claims are on the claimed side or beyond it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping

from matplotlib.figure import Figure

from ledger.claim import Claim, metric_of
from ledger.verdicts import Judgement

_LOOKS = {  # verdict -> colour and marker: told apart without colours too
    'holds': ('#1b7837', 'o'),
    'better': ('#2166ac', '^'),
    'open': ('#777777', 's'),
    'fails': ('#b2182b', 'X'),
}
_TICKS = (1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2, 3, 5, 10)
_FARTHEST = math.log(20)  # what is beyond that is drawn at the edge, as an arrow
_NEAR = 0.02  # up to here the axis is linear, from here on logarithmic
_WRAP = 62


def margins(claim: Claim, judgement: Judgement) -> list[float]:
    """Returns how many times better than its bound each seed is, as logarithms: below 0 is worse.

    An accuracy counts as its errors, decibels as the error that they are of. Of values that have
    no quotient, or no better side, the list is empty.
    """
    metric = metric_of(claim.metric)
    if claim.sign == '=' and not metric.better:
        return []
    pairs = zip(judgement.measured['values'], judgement.bound['values'], strict=True)
    found = []
    for measured, bound in pairs:
        wanted = {'>': 'greater', '<': 'less'}.get(claim.sign[0], metric.better)
        sign = 1 if wanted == 'greater' else -1
        if metric.is_accuracy:
            measured, bound, sign = 1 - measured, 1 - bound, -sign
        if '(dB)' in metric.unit:
            measured, bound = 10 ** (measured / 10), 10 ** (bound / 10)
        if not (0 < measured < math.inf and 0 < bound < math.inf):
            return []
        found.append(sign * (math.log(measured) - math.log(bound)))
    return found


def chart(judgements: Mapping[Claim, Judgement]) -> Figure | None:
    """Draws a line a claim, a mark a seed; None where nothing can be drawn."""
    found = {claim: margins(claim, judged) for claim, judged in judgements.items()}
    shown = {claim: values for claim, values in found.items() if values}
    if not shown:
        return None
    labels = [_label(claim) for claim in shown]
    heights = [1.1 + label.count('\n') for label in labels]
    figure = Figure(figsize=(9, 1.1 + 0.19 * sum(heights)), layout='constrained')
    panel = figure.subplots()
    most = max(abs(value) for values in shown.values() for value in values)
    limit = min(max(1.25 * most, 0.02), _FARTHEST)
    at, places = 0.0, []
    for height, (claim, values) in zip(heights, shown.items(), strict=True):
        places.append(at + height / 2)
        at += height
        colour, marker = _LOOKS[judgements[claim].verdict]
        for value in values:
            shape = marker if abs(value) < limit else '>' if value > 0 else '<'
            place = math.copysign(min(abs(value), 0.98 * limit), value)
            filled = colour if judgements[claim].seeds > 1 else 'none'
            panel.plot(place, places[-1], shape, color=colour, mfc=filled, ms=6, alpha=0.8)
        panel.hlines(places[-1], min(values), max(values), colour, lw=1.5, alpha=0.5)
    panel.axvline(0, color='black', lw=1)
    panel.set_xlim(-limit, limit)
    panel.set_xscale('asinh', linear_width=_NEAR)
    ticks = _ticks(limit)
    xs = [-math.log(t) for t in reversed(ticks)] + [0] + [math.log(t) for t in ticks]
    names = [f'{t:g}x' for t in reversed(ticks)] + ['bound'] + [f'{t:g}x' for t in ticks]
    panel.set_xticks(xs, names, fontsize=8)
    panel.minorticks_off()
    panel.set_ylim(at, 0)
    panel.set_yticks(places, labels, fontsize=8)
    panel.grid(axis='x', alpha=0.3)
    words = 'worse than claimed, or better: by this factor (accuracies, decibels: of errors)'
    panel.set_xlabel(f'{words}; arrows: beyond' if most >= limit else words)
    present = {judgements[claim].verdict for claim in shown}
    for verdict, (colour, marker) in _LOOKS.items():
        if verdict in present:
            panel.plot([], [], marker, color=colour, label=verdict)
    if any(judgements[claim].seeds == 1 for claim in shown):
        panel.plot([], [], 'o', color='black', mfc='none', label='hollow: one seed')
    figure.legend(loc='outside upper right', ncols=5, fontsize=8, frameon=False)
    return figure


def _ticks(limit: float) -> list[float]:
    """Returns the factors that are named, with room for their names."""
    found: list[float] = []  # from the outermost inwards
    width = math.asinh(limit / _NEAR)
    for tick in reversed(_TICKS):
        at = math.asinh(math.log(tick) / _NEAR) / width
        above = math.asinh(math.log(found[-1]) / _NEAR) / width if found else 1.1
        if 0.16 < at < above - 0.16:
            found.append(tick)
    return found[::-1]


def _label(claim: Claim) -> str:
    return '\n'.join(textwrap.wrap(claim.words, _WRAP))
