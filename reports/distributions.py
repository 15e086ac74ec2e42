"""How the scores of single examples are distributed, beside those of the training data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from evaluation import metrics

_PANELS = 9  # at most
_BINS = 40
_WIDE = 30  # times the least that the greatest must be, for an axis of powers


def distributions(shown: Mapping[str, Mapping[str, np.ndarray]], title: str) -> Figure:
    """Draws a panel a score: histograms of it, as shares, for each of the named sets of examples.

    `shown` has scores, [N] each, by the name of the set and of the score. The first set is what the
    others are compared with: what 99 of 100 of it are no worse than is a line.
    """
    first = next(iter(shown.values()))
    wanted = [n for n in [*shown.values()][-1] if not metrics.find(n).is_accuracy]
    names = wanted[:_PANELS]
    lines = -(-len(names) // 3)
    columns = min(len(names), 3)
    figure = Figure(figsize=(4.6 * columns, 3.5 * lines + 0.4), layout='constrained')
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel in panels[len(names) :]:
        panel.axis('off')
    for panel, name in zip(panels, names, strict=False):
        sets = {label: scores[name] for label, scores in shown.items() if name in scores}
        together = np.concatenate(list(sets.values()))
        edges, is_log = _edges(together)
        for number, (label, values) in enumerate(sets.items()):
            weights = np.full(len(values), 1 / len(values))
            style = {'alpha': 0.45} if number == 0 else {'histtype': 'step', 'linewidth': 1.6}
            label = f'{label} ({len(values):,})'
            panel.hist(values, edges, weights=weights, label=label, color=f'C{number}', **style)
        if len(sets) > 1 and name in first:
            share = 0.01 if metrics.find(name).better == 'greater' else 0.99
            limit = float(np.quantile(first[name], share))
            panel.axvline(limit, color='black', linestyle=':', label=f'99 % of {next(iter(sets))}')
        if is_log:
            panel.set_xscale('log')
            panel.xaxis.set_minor_formatter(NullFormatter())  # which would lie on each other
        else:
            panel.xaxis.set_major_locator(MaxNLocator(5))  # 0.0025 and its like are wide
        unit = metrics.find(name).unit
        panel.set(title=name, xlabel=unit, ylabel='share of the examples')
        panel.legend(fontsize=8)
        panel.grid(alpha=0.3)
    figure.suptitle(title)
    return figure


def _edges(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Returns edges of bins over the values, and whether they are on an axis of powers."""
    least, most = float(values.min()), float(values.max())
    if least > 0 and most > _WIDE * least:
        return np.geomspace(least, most * (1 + 1e-6), _BINS + 1), True
    if most <= least:
        least, most = least - 0.5, most + 0.5
    return np.linspace(least, most, _BINS + 1), False
