"""A study's figure: a panel a metric, over the field that is varied or by arm, and a trade-off."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from evaluation import metrics
from studies.study import Study
from system.rules import written

_WIDE = 10  # from the least value of a field to the greatest, for an axis of logarithms
_COLUMN = 12  # metrics in one column
_COLOURS = {'train': 'C0', 'validation': 'C1', 'test': 'C2'}  # of what belongs to a split


def draw(study: Study, points: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Draws a study: a panel a metric, every seed a dot, the mean with its 95 % interval.

    `points` are those of its results.json. The field that is varied is the x axis, or else the arms
    are; a trade-off, where the study has one, is a panel of one metric against another.
    """
    if len(points) == 1:
        return _strips(study, points[0], title)
    names = list(study.metrics or dict.fromkeys(n for p in points for n in p['metrics']))
    count = len(names) + bool(study.trade_off)
    lines = -(-count // 3)
    figure = Figure(figsize=(5 * min(count, 3), 3.8 * lines), layout='constrained')
    panels = figure.subplots(lines, min(count, 3), squeeze=False).ravel()
    for panel in panels[count:]:
        panel.axis('off')
    arms = list(dict.fromkeys(point['arm'] for point in points))
    for panel, name in zip(panels, names, strict=False):
        if study.over and len(study.values) > 1:
            _against_field(panel, study, points, arms, name)
        else:
            _by_arm(panel, points, arms, name)
        panel.set_ylabel(_wrapped(name), fontsize=9)
        panel.grid(alpha=0.3)
    if study.trade_off:
        _trade_off(panels[len(names)], study.over, study.trade_off, points)
    figure.suptitle(f'{title}\n{_explained(study)}', fontsize=10)
    return figure


def _explained(study: Study) -> str:
    if study.seeds == 1:
        return 'one seed'
    return f'{study.seeds} seeds: a dot a seed, bars the 95 % interval of the mean'


def _strips(study: Study, point: Mapping[str, Any], title: str) -> Figure:
    """Draws one arm in little room: a strip a metric, on its own scale, a colour a split."""
    found = point['metrics']
    rows: dict[str, dict[str, Any]] = {}  # metric -> split -> how its values lie
    for name in [name for name in study.metrics if name in found] or found:
        *split, last = name.split('/', 1)
        rows.setdefault(last, {})[split[0] if split else ''] = found[name]
    columns = 1 if len(rows) <= _COLUMN else 2
    lines = -(-len(rows) // columns)
    splits = [s for s in _COLOURS if any(s in lie for lie in rows.values())]
    height = 0.3 + 0.16 * max(len(lie) for lie in rows.values())
    figure = Figure(figsize=(7.5 * columns, 1.1 + lines * (height + 0.3)), layout='constrained')
    panels = figure.subplots(lines, columns, squeeze=False).T.ravel()
    for panel in panels[len(rows) :]:
        panel.axis('off')
    for panel, (name, lie) in zip(panels, rows.items(), strict=False):
        for place, (split, spread) in enumerate(lie.items()):
            _lying(panel, place, spread, _COLOURS.get(split, 'black'))
        words = '\n'.join(textwrap.wrap(metrics.said(name), 34))
        panel.set_ylabel(words, fontsize=8, rotation=0, ha='right', va='center')
        panel.set_ylim(len(lie) - 0.4, -0.6)
        panel.set_yticks([])
        values = {value for spread in lie.values() for value in spread['values']}
        if len(values) == 1:  # no scale is made up around it
            panel.set_xticks([*values], [f'{value:.5g}' for value in values])
        else:
            panel.xaxis.set_major_locator(MaxNLocator(5, min_n_ticks=2))
            panel.ticklabel_format(axis='x', useOffset=False)
        panel.tick_params(labelsize=7)
        panel.grid(alpha=0.3)
    for split in filter(None, splits):
        panels[0].plot([], [], 'o', color=_COLOURS[split], label=split)
    if any(splits):
        figure.legend(loc='outside lower center', ncols=len(splits), fontsize=8, frameon=False)
    figure.suptitle(f'{title}\n{_explained(study)}', fontsize=10)
    return figure


def _lying(panel: Axes, place: int, spread: Mapping[str, Any], colour: str) -> None:
    """Draws how values lie on a line: each a dot, the mean and its interval."""
    panel.plot(
        spread['values'], [place] * len(spread['values']), 'o', ms=4, color=colour, alpha=0.4
    )
    panel.errorbar([spread['mean']], [place], xerr=_bars([spread]), color=colour, marker='|', ms=9,
                   capsize=3)  # fmt: skip


def _bars(spreads: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Returns how far each interval reaches below and above its mean, [2, n]."""
    below = [max(s['mean'] - s['interval'][0], 0.0) for s in spreads]
    return np.array([below, [max(s['interval'][1] - s['mean'], 0.0) for s in spreads]])


def _wrapped(name: str) -> str:
    return '\n'.join(textwrap.wrap(metrics.said(name), 44))


def _against_field(
    panel: Axes, study: Study, points: Sequence[Mapping[str, Any]], arms: list[str], name: str
) -> None:
    numbers = {v: v[0] if isinstance(v, tuple) and len(v) == 1 else v for v in study.values}
    numeric = all(type(number) in (int, float) for number in numbers.values())
    places = {v: float(n) if numeric else i for i, (v, n) in enumerate(numbers.items())}
    for number, arm in enumerate(arms):
        aside = 0.0 if numeric else 0.06 * (number - (len(arms) - 1) / 2)  # bars beside each other
        mine = [p for p in points if p['arm'] == arm and name in p['metrics']]
        xs = [places[p['value']] + aside for p in mine]
        spreads = [p['metrics'][name] for p in mine]
        means = [s['mean'] for s in spreads]
        bars = _bars(spreads)
        named = any(isinstance(v, str | bool) for v in numbers)
        style = 'o' if named else 'o-'  # names have no order for a line to follow
        line = panel.errorbar(xs, means, bars, fmt=style, markersize=4, capsize=3, label=arm)
        for x, spread in zip(xs, spreads, strict=True):
            values = spread['values']
            panel.plot([x] * len(values), values, '.', color=line[0].get_color(), alpha=0.35)
    ends = sorted(x for x in places.values() if x > 0)
    if numeric and min(places.values()) >= 0 and ends and ends[-1] >= _WIDE * ends[0]:
        # Zero is put to the left of the logarithmic part.
        panel.set_xscale('symlog', linthresh=ends[0])
        panel.set_xticks(list(places.values()), [f'{x:g}' for x in places.values()])
        panel.minorticks_off()
    elif not numeric:
        words = [written(v) for v in study.values]
        angle = {'rotation': 20, 'ha': 'right'} if max(map(len, words)) > 8 else {}
        slanted: dict[str, Any] = {'fontsize': 8, **angle}
        panel.set_xticks(list(places.values()), words, **slanted)
    panel.set_xlabel(study.over)
    panel.legend(fontsize=8)


def _by_arm(panel: Axes, points: Sequence[Mapping[str, Any]], arms: list[str], name: str) -> None:
    for point in points:
        if name in point['metrics']:
            place, spread = arms.index(point['arm']), point['metrics'][name]
            panel.plot(
                [place] * len(spread['values']), spread['values'], 'o', color=f'C{place}', alpha=0.4
            )
            bars = _bars([spread])
            panel.errorbar([place], [spread['mean']], bars, color='black', marker='_', capsize=4)
    panel.set_xticks(range(len(arms)), arms, rotation=20, ha='right', fontsize=8)
    panel.set_xlim(-0.5, len(arms) - 0.5)
    panel.ticklabel_format(axis='y', useOffset=False)


def _trade_off(
    panel: Axes, over: str, names: tuple[str, str], points: Sequence[Mapping[str, Any]]
) -> None:
    across, up = names
    arms: dict[str, list[Mapping[str, Any]]] = {}
    for point in points:
        if {across, up} <= {*point['metrics']}:
            arms.setdefault(point['arm'], []).append(point)
    for arm, shown in arms.items():
        pairs = [(p['metrics'][across]['mean'], p['metrics'][up]['mean']) for p in shown]
        panel.plot(*zip(*pairs, strict=True), 'o-' if over else 'o', label=arm)
        for pair, value in zip(pairs, (p['value'] for p in shown), strict=True):
            label = f'{value:g}' if isinstance(value, float) else written(value)
            panel.annotate(f'{over} {label}' if over else '', pair, fontsize=8, xytext=(4, 4),
                           textcoords='offset points')  # fmt: skip
    if len(arms) > 1:
        panel.legend(fontsize=8)
    panel.set(title='trade-off')
    panel.set_xlabel(metrics.said(across), fontsize=9)
    panel.set_ylabel(_wrapped(up), fontsize=9)
    panel.margins(x=0.15)
    panel.grid(alpha=0.3)
