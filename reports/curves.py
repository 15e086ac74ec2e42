"""The curves of several runs in one figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures import label_losses, panels_of_losses, shortened
from reports.recorded import Point

_STYLES = {'train': '-', 'validation': '--'}
_COLOURS = 10  # that are told apart
_MARKERS = ('', 'o')  # of the first ten lines, and of the next
MOST = _COLOURS * len(_MARKERS)  # lines that are told apart
_LONGEST = 70  # letters of a line in the legend


class Line(NamedTuple):
    """Runs that look alike in the figure."""

    label: str
    runs: Sequence[Sequence[Point]]  # the points of each


def draw(lines: Sequence[Line], title: str) -> Figure | None:
    """Draws a panel a phase and score: training solid, validation dashed, a look a line.

    `lines` are at most MOST. None where they have no points.
    """
    panels = dict.fromkeys(
        (p.phase, p.score) for line in lines for points in line.runs for p in points
    )
    if not panels:
        return None
    figure, axes = panels_of_losses(len(panels))
    for panel, (phase, score) in zip(axes, panels, strict=True):
        ends = []
        for place, line in enumerate(lines):
            for points in line.runs:
                mine = [p for p in points if (p.phase, p.score) == (phase, score)]
                for split, style in _STYLES.items():
                    xs = [p.epoch for p in mine if p.split == split]
                    ys = [p.value for p in mine if p.split == split]
                    marker = _MARKERS[place // _COLOURS] or ('.' if len(xs) == 1 else '')
                    every = max(1, len(xs) // 8)
                    panel.plot(xs, ys, style, color=f'C{place % _COLOURS}', marker=marker,
                               markevery=every, ms=4, lw=1.3)  # fmt: skip
                    ends += [value for value in ys if np.isfinite(value)]
        label_losses(panel, phase, score, (min(ends, default=0.0), max(ends, default=0.0)))
    _legend(figure, lines)
    figure.suptitle(title, fontsize=10)
    return figure


def _legend(figure: Figure, lines: Sequence[Line]) -> None:
    """Says below the panels which line is which."""
    splits = {p.split for line in lines for points in line.runs for p in points}
    marks = [
        Line2D([], [], color=f'C{i % _COLOURS}', marker=_MARKERS[i // _COLOURS], ms=4)
        for i in range(len(lines))
    ]
    words = [shortened(line.label, _LONGEST) for line in lines]
    for split, style in _STYLES.items():
        if split in splits:
            marks.append(Line2D([], [], color='black', ls=style))
            words.append(split)
    inches = 0.8 + 0.075 * max(map(len, words))  # that an entry is wide
    columns = max(1, int(figure.get_figwidth() / inches))
    figure.legend(marks, words, loc='outside lower center', ncols=columns, fontsize=8,
                  frameon=False)  # fmt: skip
