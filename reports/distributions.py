"""How the scores of single examples are distributed, beside those of the training data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.scale import SymmetricalLogTransform
from matplotlib.ticker import MaxNLocator, NullFormatter

from evaluation import metrics

_PANELS = 9  # at most
_BINS = 40
_WIDE = 30  # times the least that the greatest must be, for an axis of powers
_POWERS = 5  # that are named to each side of 0, at most
_CROWDED = 2 / _BINS  # of an axis: what nine of ten values take where nothing is seen of them


def distributions(shown: Mapping[str, Mapping[str, np.ndarray]], title: str) -> Figure | None:
    """Draws a panel a score: histograms of it, as shares, for each of the named sets of examples.

    `shown` has scores, [N] each, by the name of the set and of the score. The first set is what the
    others are compared with: what 99 of 100 of it are no worse than is a line. None where the
    last has nothing that is drawn, as of a classifier alone where no label is known.
    """
    shown = {  # of labels, those that there are
        label: {n: v[~np.isnan(v)] for n, v in scores.items() if not np.isnan(v).all()}
        for label, scores in shown.items()
    }
    first = next(iter(shown.values()))
    wanted = [n for n in [*shown.values()][-1] if not metrics.find(n).is_accuracy]
    names = wanted[:_PANELS]
    if not names:
        return None
    lines = -(-len(names) // 3)
    columns = min(len(names), 3)
    figure = Figure(figsize=(4.6 * columns, 3.5 * lines + 0.4), layout='constrained')
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel in panels[len(names) :]:
        panel.axis('off')
    for panel, name in zip(panels, names, strict=False):
        sets = {label: scores[name] for label, scores in shown.items() if name in scores}
        together = np.concatenate(list(sets.values()))
        edges, scale = _edges(together)
        if scale:  # before anything is drawn, which margins are beside
            panel.set_xscale(**scale)
            panel.xaxis.set_minor_formatter(NullFormatter())  # which would lie on each other
            if 'linthresh' in scale:
                panel.set_xticks(_ticks(edges, scale['linthresh']))
        else:
            panel.xaxis.set_major_locator(MaxNLocator(5))  # 0.0025 and its like are wide
        for number, (label, values) in enumerate(sets.items()):
            weights = np.full(len(values), 1 / len(values))
            style = {'alpha': 0.45} if number == 0 else {'histtype': 'step', 'linewidth': 1.6}
            label = f'{label} ({len(values):,})'
            panel.hist(values, edges, weights=weights, label=label, color=f'C{number}', **style)
        if len(sets) > 1 and name in first:
            share = 0.01 if metrics.find(name).better == 'greater' else 0.99
            limit = float(np.quantile(first[name], share))
            panel.axvline(limit, color='black', linestyle=':', label=f'99 % of {next(iter(sets))}')
        unit = metrics.find(name).unit
        panel.set(title=name, xlabel=unit, ylabel='share of the examples')
        panel.legend(fontsize=8)
        panel.grid(alpha=0.3)
    figure.suptitle(title)
    return figure


def _edges(values: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """Returns edges of bins over the values, and the scale of their axis; {} where it is linear.

    It is one of powers where far values would leave one bin to all others; about 0 it is linear,
    where not all are positive, as rounding leaves some cosines.
    """
    least, most = float(values.min()), float(values.max())
    low, high = np.quantile(values, (0.05, 0.95))
    is_crowded = high - low < _CROWDED * (most - least)
    if least > 0 and (is_crowded or most > _WIDE * least):
        return np.geomspace(least, most * (1 + 1e-6), _BINS + 1), {'value': 'log'}
    if is_crowded:
        near = 10 ** np.round(np.log10(np.median(np.abs(values[values != 0])), dtype=np.float64))
        powers = SymmetricalLogTransform(10, near, 1)
        low, high = np.asarray(powers.transform_non_affine(np.array([least, most])))
        places = np.linspace(low, high, _BINS + 1)
        edges = np.asarray(powers.inverted().transform_non_affine(places))
        edges[[0, -1]] = least, most  # which rounding may leave outside
        return edges, {'value': 'symlog', 'linthresh': near}
    if most <= least:
        least, most = least - 0.5, most + 0.5
    return np.linspace(least, most, _BINS + 1), {}


def _ticks(edges: np.ndarray, near: float) -> list[float]:
    """Returns the powers of ten from `near` on that lie within the edges, to both sides of 0."""
    count = max(1, int(np.ceil(np.log10(np.abs(edges).max() / near))) + 1)
    powers = near * 10.0 ** np.arange(0, count, -(-count // _POWERS))
    ticks = np.array([*-powers[::-1], 0, *powers])
    return [float(t) for t in ticks if edges[0] <= t <= edges[-1]]
