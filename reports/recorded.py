"""What run folders hold, read without TensorFlow: configuration, scores, and curves by epoch.

What cannot be read is left out and noted: the words of what is wrong -> the names of where it is.
"""

from __future__ import annotations

import glob
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from parameters import IDENTITY, PARENTS, SHARED
from reports import run_files
from system.errors import UsageError
from system.lines import shown
from system.received import Damage

PAGE = 'report.html'  # in a run's folder, about it
_DERIVED = ('phases', 'columns')  # follow from the fields
_CURVES = ('train', 'validation')  # columns of metrics.csv that are curves begin so
_TOLD = 3  # names, at most, in a warning

T = TypeVar('T')
Notes = dict[str, list[str]]


class Found(NamedTuple):
    """A run folder."""

    folder: Path
    named: bool  # itself, and not only a folder that it lies in


class Recorded(NamedTuple):
    """A run, as its folder has it."""

    folder: Path
    fields: dict[str, Any]  # of the experiment, and of its parent as parent.x, in order
    data: str  # the digest of its examples; '' where it is not known yet
    finished: bool
    scores: dict[str, float] | None  # None where there are none, or they cannot be read

    @property
    def configuration(self) -> tuple[Any, ...]:
        """What its runs of other seeds have too."""
        return self.data, *((n, v) for n, v in self.fields.items() if n != 'seed')


class Point(NamedTuple):
    """A score in metrics.csv."""

    phase: str
    epoch: int
    step: int
    split: str
    score: str
    value: float


def noted(notes: Notes, words: str, where: object) -> None:
    """Adds to what is wrong."""
    notes.setdefault(words, []).append(shown(where))


def warnings(notes: Notes) -> list[str]:
    """Returns a line for each thing that is wrong."""
    lines = []
    for words, names in notes.items():
        more = f' and {len(names) - _TOLD:,} more' if len(names) > _TOLD else ''
        lines.append(f'{", ".join(names[:_TOLD])}{more}: {words}')
    return lines


def find(places: Iterable[str | Path], notes: Notes) -> list[Found]:
    """Returns the run folders that are named, and those below other folders, each once.

    A place is a path, or a pattern with `*`, `?` or `[`. Raises UsageError where nothing is there.
    """
    found: dict[tuple[int, int], Found] = {}
    for place in places:
        named, is_pattern = _matching(str(place))
        for path in named:
            if _is_run(path):
                identity = _identity(path)
                before = found.get(identity)
                if before and before.named and not is_pattern:
                    noted(notes, 'named before; it counts once', path)
                if not (before and before.named):
                    found[identity] = Found(path, named=True)
                continue
            below = list(_below(path, notes)) if path.is_dir() else []
            if not below and not is_pattern:
                noted(notes, 'no run there, nor below; left out', path)
            for run in below:
                found.setdefault(_identity(run), Found(run, named=False))
    return list(found.values())


def _matching(place: str) -> tuple[list[Path], bool]:
    """Returns what a place names, and whether it is a pattern; a path that is there is none."""
    place = os.path.expanduser(place)
    if os.path.lexists(place):
        return [Path(place)], False
    if not glob.has_magic(place):
        raise UsageError(f'{place}: there is no such folder; name the folders of runs')
    matching = sorted(glob.glob(place, recursive=True), key=_in_order)
    if not matching:
        raise UsageError(f'{place}: nothing matches this pattern; name the folders of runs')
    return [Path(name) for name in matching], True


def _is_run(folder: Path) -> bool:
    return os.path.isfile(folder / 'config.json')


def _identity(folder: Path) -> tuple[int, int]:
    """Returns what is the same of one folder by whatever path, links too."""
    stat = folder.stat()
    return stat.st_dev, stat.st_ino


def _below(root: Path, notes: Notes) -> Iterator[Path]:
    """Yields the run folders below a folder; links are followed, each folder is entered once."""
    seen: set[tuple[int, int]] = set()

    def unreadable(error: OSError) -> None:
        noted(notes, f'cannot be read ({error.strerror}); left out', error.filename)

    for folder, inner, files in os.walk(root, onerror=unreadable, followlinks=True):
        identity = _identity(Path(folder))
        if identity in seen or 'config.json' in files:
            inner.clear()
        if 'config.json' in files and identity not in seen:
            yield Path(folder)
        seen.add(identity)
        inner[:] = sorted((name for name in inner if not name.startswith('.')), key=_in_order)


def _in_order(name: str) -> list[tuple[float, str]]:
    """Orders names as people do: seed2 before seed10, 0.005 before 0.01."""
    parts = re.split(r'([0-9]+(?:\.[0-9]+)?)', name)  # every other one is a number
    return [(float(part), '') if i % 2 else (0.0, part) for i, part in enumerate(parts)]


def read(folder: Path, notes: Notes) -> Recorded | None:
    """Reads a run; None, which is noted, where its configuration cannot be read."""
    remedy = 'the run is left out'
    config = _read(folder, run_files.CONFIG, run_files.config, notes, remedy)
    if config is None:
        return None
    if not config:
        noted(notes, f'not the configuration of a run; {remedy}', folder / run_files.CONFIG)
        return None
    digest = config.get('data', {}).get('digest', '')
    finished = os.path.exists(folder / run_files.RESULTS)
    fields, scores = _flat(_completed(config)), _scores(folder, notes)
    return Recorded(folder, fields, digest, finished, scores)


def _read(
    folder: Path, name: str, read: Callable[[Path], T], notes: Notes, remedy: str
) -> T | None:
    """Returns what a file holds; None where it is absent, or, which is noted, damaged."""
    try:
        return read(folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        noted(notes, f'cannot be read ({error.strerror}); {remedy}', folder / name)
    except Damage as fault:
        noted(notes, f'damaged ({fault}); {remedy}', folder / name)
    return None


def _completed(config: dict[str, Any]) -> dict[str, Any]:
    """Returns the experiment of a configuration with the fields that are newer than it."""
    saved = config['experiment']
    made = run_files.experiment_in(config, any_data=True).resolved()
    return made | {'dataset': saved.get('dataset', made['dataset'])}


def _flat(saved: dict[str, Any], of: str = '') -> dict[str, Any]:
    """Returns the fields of a configuration, and those of its parents as parent.x."""
    apart = (*IDENTITY, *_DERIVED, 'parent', *(SHARED if of else ()))
    flat = {} if of else {'experiment': saved['name']}
    flat |= {f'{of}{name}': _plain(value) for name, value in saved.items() if name not in apart}
    parent = saved.get('parent')
    if isinstance(parent, dict):
        flat[f'{of}parent'] = _plain(parent.get('name'))
        flat |= _flat(parent, f'{of}{PARENTS}')
    elif parent is not None:
        flat[f'{of}parent'] = _plain(parent)
    return flat


def _plain(value: Any) -> Any:
    """Returns a value that a cell of a table can hold: several numbers as `--set` takes them."""
    if isinstance(value, list):
        return ','.join(map(str, value))
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _scores(folder: Path, notes: Notes) -> dict[str, float] | None:
    remedy = 'scores are left out'
    results = _read(folder, run_files.RESULTS, run_files.results, notes, remedy)
    if results is None:
        return None
    names = (name for name in run_files.NUMBERS if name in results)
    scores: dict[str, float] = results['metrics'] | {name: results[name] for name in names}
    if all(map(math.isfinite, scores.values())):
        return scores
    noted(notes, f'has NaN or infinity; {remedy}', folder / run_files.RESULTS)
    return None


def points(folder: Path, notes: Notes) -> list[Point]:
    """Returns the curves of a run, from its metrics.csv; none, which is noted, where that is bad.

    A last line that is being written is left out.
    """
    file, remedy = folder / run_files.METRICS, 'curves are left out'
    if not os.path.lexists(file):
        noted(notes, 'not there yet; without curves', file)
        return []
    rows = _read(folder, run_files.METRICS, run_files.metrics, notes, remedy)
    if rows == []:
        noted(notes, 'has no lines; without curves', file)
    return [point for row in rows or [] for point in _points(row)]


def _points(row: dict[str, str]) -> Iterator[Point]:
    place = row['phase'], int(row['epoch']), int(row['step'])
    for name, text in row.items():
        split, _, score = name.partition('/')
        if split in _CURVES and text:
            yield Point(*place, split, score, float(text))
