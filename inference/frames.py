"""Run folders as pandas frames. pandas is needed for nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports import recorded
from reports.recorded import Notes, Recorded
from system.errors import UsageError
from system.lines import shown

if TYPE_CHECKING:
    import pandas as pd

_FIRST = ('experiment', 'dataset', 'seed', 'precision')


def runs(*places: str | Path) -> pd.DataFrame:
    """Returns a row a run: its path, whether it is finished, every field and every score.

    Fields have the names of `--set`, those of a parent `parent.x`, several numbers as `300,150`;
    scores those of results.json, `test/mse`. What a run has not is missing. A place is a run's
    folder, one with runs below it, or a pattern as `runs/tied/*`. What cannot be read is a warning.
    Raises UsageError where there are no runs, a place is not there, or pandas is not installed.
    """
    frame, notes = _pandas().DataFrame, Notes()
    found = _read(places, notes)
    _warn(notes)
    fields = dict.fromkeys(name for run in found for name in run.fields)
    scores = dict.fromkeys(name for run in found for name in run.scores or {})
    columns = dict.fromkeys(('run', *_FIRST, 'finished', *fields, *scores))
    return frame([_row(run) for run in found], columns=list(columns))


def curves(*places: str | Path) -> pd.DataFrame:
    """Returns a row a score and epoch of each run, from metrics.csv: what the curves are drawn of.

    The columns are run, experiment, dataset, seed, phase, epoch, step, split (train or validation),
    score and value. Raises as `runs`.
    """
    frame, notes = _pandas().DataFrame, Notes()
    names = ('run', *_FIRST[:3], *recorded.Point._fields)
    rows = [
        (str(run.folder), *(run.fields.get(name) for name in _FIRST[:3]), *point)
        for run in _read(places, notes)
        for point in recorded.points(run.folder, notes)
    ]
    _warn(notes)
    return frame(rows, columns=list(names))


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise UsageError('pandas is not installed, which frames need: pip install pandas') from None
    return pandas


def _read(places: Sequence[str | Path], notes: Notes) -> list[Recorded]:
    read = [recorded.read(found.folder, notes) for found in recorded.find(places, notes)]
    known = [run for run in read if run]
    if not known:
        said = ', '.join(map(str, places)) or 'no place is named'
        raise UsageError(f"{said}: no runs there; name their folder, as in runs('runs')")
    return known


def _row(run: Recorded) -> dict[str, Any]:
    told = {'run': str(run.folder), 'finished': run.finished}
    return told | run.fields | (run.scores or {})


def _warn(notes: Notes) -> None:
    for words in recorded.warnings(notes):
        warnings.warn(shown(words), stacklevel=3)
