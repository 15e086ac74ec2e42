"""A comparison of runs on the screen: fields and scores as rows, runs as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports.comparison import MOST, Comparison, Row, Spread, numbered
from system.lines import shown
from system.rules import written

_BETWEEN = '  '
_CELL = 24  # letters of a value
_MARK = '*'


def text(found: Comparison, width: int) -> str:
    """Lays out a comparison in lines of at most `width` letters, if they are not very few."""
    places, count = found.shown, len(found.runs)
    lines = [f'{count:,} runs']
    if len(places) < count:
        lines[0] += f', {len(places)} of them here (the best in a score before others); all are in '
        lines[0] += 'comparison.csv'
    digits = len(str(places[-1] + 1))
    for place in places:
        lacks = '' if found.runs[place].scores is not None else ' (no scores)'
        name = _cut(shown(found.names[place]), width - digits - 4 - len(lacks))
        lines.append(f'{_BETWEEN}{place + 1:{digits}}{_BETWEEN}{name}{lacks}')
    heads = [str(place + 1) for place in places]
    fields = [cells(row, places) for row in found.fields]
    scores = [cells(row, places) for row in found.scores]
    marked = any(any(row.best) for row in found.scores)
    words = f'scores ({_MARK} the best)' if marked else 'scores'
    parts = [('what differs', 'better' if scores else '', fields), (words, 'better', scores)]
    lines += _blocks(parts, heads, width)
    if not fields:
        lines += ['', 'nothing differs in configuration']
    if found.seeds:
        lines += _over_seeds(found, width)
    return '\n'.join(lines)


def _over_seeds(found: Comparison, width: int) -> list[str]:
    """Lays out mean and deviation of the configurations that have several seeds."""
    groups = range(min(len(found.seeds), MOST))
    first = [found.seeds[group][0] for group in groups]
    fields = [
        told
        for row in found.fields
        if row.name != 'seed' and len({*(told := cells(row, first))[2:]}) > 1
    ]
    scores = [cells(row, groups) for row in found.over_seeds]
    heads = [f'runs {_cut(numbered(found.seeds[group]), _CELL)}' for group in groups]
    parts = [('over seeds', '', fields)] if fields else []
    parts.append(('mean +- deviation', 'better', scores))
    lines = _blocks(parts, heads, width)
    left = len(found.seeds) - len(groups)
    return [*lines, f'{left:,} more configurations are in seeds.csv'] if left else lines


def cells(row: Row, places: Sequence[int]) -> list[str]:
    """Returns a row's name, which direction is better, and the values at some places."""
    best = row.best or (False,) * len(row.values)
    values = [_value(row.values[place]) + (_MARK if best[place] else ' ') for place in places]
    return [shown(row.name), row.better, *values]


def _value(value: Any) -> str:
    if value is None:
        return ''
    if isinstance(value, Spread):
        return f'{_number(value.mean)} +- {_number(value.deviation, 2)}'
    if isinstance(value, float):
        return _number(value)
    return _cut(shown(written(value)), _CELL)


def _number(value: float, digits: int = 5) -> str:
    """Writes a number in so many digits, but no thousands as a power of ten."""
    return f'{value:.0f}' if 10**digits <= abs(value) < 1e12 else f'{value:.{digits}g}'


def _cut(words: str, most: int) -> str:
    """Returns words with their middle left out where they are longer than there is room for."""
    most = max(most, 8)
    if len(words) <= most:
        return words
    return f'{words[: most // 2 - 2]}...{words[-(most - most // 2 - 1) :]}'


def _blocks(
    parts: Sequence[tuple[str, str, list[list[str]]]], heads: Sequence[str], width: int
) -> list[str]:
    """Lays out parts of a table, each with its words, below one another, their columns in line.

    Columns that do not fit beside the others follow below.
    """
    parts = [part for part in parts if part[2]]
    tables = [[[words, better, *(f'{head} ' for head in heads)], *rows]
              for words, better, rows in parts]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*sum(tables, []), strict=True)]
    lines, start = [], 2
    while start < len(widths):
        stop, used = start + 1, sum(widths[:2]) + 2 * len(_BETWEEN) + widths[start]
        while stop < len(widths) and used + len(_BETWEEN) + widths[stop] <= width:
            used += len(_BETWEEN) + widths[stop]
            stop += 1
        shape = [*widths[:2], *widths[start:stop]]
        for table in tables:
            rows = [[*row[:2], *row[start:stop]] for row in table]
            filled = [row for row in rows if any(cell.strip() for cell in row[2:])]
            lines += ['', *(_line(row, shape) for row in filled)]
        start = stop
    return lines


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Returns a line of a table: words to the left, values to the right."""
    words = [cell.ljust(width) for cell, width in zip(cells[:2], widths[:2], strict=True)]
    values = [cell.rjust(width) for cell, width in zip(cells[2:], widths[2:], strict=True)]
    return _BETWEEN.join([*words, *values]).rstrip()
