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
_LARGEST = 1e38  # that a loss, a float32, can be; what is beyond is a gap
_NAME, _NOTE = 60, 24  # letters of a line in the legend
_INCHES = (0.075, 0.2)  # that a letter of the legend is wide, and a line of it high


class Line(NamedTuple):
    """Runs that look alike in the figure."""

    name: str
    note: str  # that stands behind it
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
                    ys = [_drawable(p.value) for p in mine if p.split == split]
                    marker = _MARKERS[place // _COLOURS] or ('.' if len(xs) == 1 else '')
                    every = max(1, len(xs) // 8)
                    panel.plot(xs, ys, style, color=f'C{place % _COLOURS}', marker=marker,
                               markevery=every, ms=4, lw=1.3)  # fmt: skip
                    ends += [value for value in ys if np.isfinite(value)]
        label_losses(panel, phase, score, (min(ends, default=0.0), max(ends, default=0.0)))
    _legend(figure, lines)
    figure.suptitle(title, fontsize=10)
    return figure


def _drawable(value: float) -> float:
    return value if abs(value) <= _LARGEST else np.nan


def _legend(figure: Figure, lines: Sequence[Line]) -> None:
    """Says below the panels which line is which, and makes the figure as much higher."""
    splits = {p.split for line in lines for points in line.runs for p in points}
    marks = [
        Line2D([], [], color=f'C{i % _COLOURS}', marker=_MARKERS[i // _COLOURS], ms=4)
        for i in range(len(lines))
    ]
    words = [f'{shortened(line.name, _NAME)}{shortened(line.note, _NOTE)}' for line in lines]
    for split, style in _STYLES.items():
        if split in splits:
            marks.append(Line2D([], [], color='black', ls=style))
            words.append(split)
    wide, high = _INCHES
    width, height = figure.get_size_inches()
    columns = max(1, int(width / (0.8 + wide * max(map(len, words)))))
    figure.set_figheight(height + high * (1 - (-len(words) // columns)))
    figure.legend(marks, words, loc='outside lower center', ncols=columns, fontsize=8,
                  frameon=False)  # fmt: skip
