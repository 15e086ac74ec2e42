"""The page of a comparison, comparison.html: what its tables and its figure show."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reports import html
from reports.comparison import Comparison, Row
from reports.recorded import PAGE
from reports.side_by_side import cells
from system import disk

NAME = 'comparison.html'
_ALT = 'Curves of the runs by epoch, a panel a phase and score: training solid, validation dashed'


def write(found: Comparison) -> Path:
    """Writes the page of a comparison into its folder, and returns the file."""
    assert found.folder is not None, 'a comparison that was not written'
    places, file = found.shown, found.folder / NAME
    first, figure = [places[0] for places in found.seeds], found.figure
    page = html.render(
        'compare.html',
        title='Runs side by side',
        count=len(found.runs),
        runs=[_run(found, place) for place in places],
        heads=[str(place + 1) for place in places],
        fields=_rows(found.fields, places),
        scores=_rows(found.scores, places),
        seed_heads=[', '.join(str(place + 1) for place in places) for places in found.seeds],
        seed_fields=[row for row in _rows(found.fields, first) if row[0] != 'seed'],
        over_seeds=_rows(found.over_seeds, range(len(found.seeds))),
        warnings=found.warnings,
        figure=html.embedded(figure.parent, Path(figure.name)) if figure else '',
        alt=_ALT,
    )
    with disk.whole(file) as opened:
        opened.write(page)
    return file


def _run(found: Comparison, place: int) -> dict[str, Any]:
    """Returns what is said of a run, with the path of its own page from this one."""
    run = found.runs[place]
    page = run.folder / PAGE
    there = page.is_file() and not page.is_symlink()
    path = os.path.relpath(page, found.folder) if there else ''
    return {
        'number': str(place + 1),
        'name': found.names[place],
        'page': Path(path) if path else None,
        'note': '' if run.scores is not None else 'no scores',
    }


def _rows(rows: Sequence[Row], places: Sequence[int]) -> list[list[str]]:
    """Returns a row of words for each row that has a value at one of the places."""
    told = ([cell.strip() for cell in cells(row, places)] for row in rows)
    return [row for row in told if any(row[2:])]
