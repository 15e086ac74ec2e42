"""A run's folder: its name, its lock, and the files in it that people read."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import disk
from command_line import changed, same_parent
from errors import DataError, RunInUse, UsageError
from parameters import Experiment

POSITION = ('phase', 'epoch', 'step', 'seconds', 'examples_per_second')
_UNCOMPARED = ('description', 'source', 'phases')  # words, and what follows from the fields


def name_of(experiment: Experiment, key: str, base: Experiment) -> str:
    """Returns the run folder's name: data, seed, precision and what differs from the catalogue."""
    parts = [f'{key}-seed{experiment.seed}']
    if experiment.precision != 'float32':
        parts.append(experiment.precision)
    if experiment.parent != base.parent and not same_parent(experiment, base):
        parts.append(f'parent={hashlib.sha256(str(experiment.parent).encode()).hexdigest()[:8]}')
    parts += [f'{name}={value}' for name, value in changed(experiment, base).items()]
    return '-'.join(parts).replace('/', '_')


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Makes the folder, holds its lock, and removes what an interrupted write left there.

    Raises RunInUse, or UsageError where the folder cannot be written.
    """
    lock = FileLock(folder / '.lock', timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise RunInUse(f'{folder}: another process is running there') from None
    except OSError as error:
        raise UsageError(
            f'{folder}: the run folder cannot be written ({error.strerror}); name another with '
            '--runs or --run_dir'
        ) from None
    try:
        for part in ('', 'checkpoints', 'cache', 'figures'):
            disk.tidy(folder / part)
        yield
    finally:
        lock.release()


def restart(folder: Path) -> None:
    """Empties a run's folder of all that a run writes."""
    for name in ('checkpoints', 'cache', 'figures', 'tb', 'saved_model'):
        disk.remove(folder / name)
    for pattern in ('*.json', 'metrics.csv', 'model.*', 'predictions-*.csv', 'report.html'):
        for file in folder.glob(pattern):
            file.unlink()


def read_json(file: Path) -> Any:
    """Returns the file's content, or None where there is no file; raises DataError for damage."""
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise DataError(f'{file}: damaged; --restart begins again') from None


def settle(folder: Path, config: dict[str, Any]) -> None:
    """Records what this folder's run is, or checks that it is the same.

    A run may go on with more epochs where that equals having asked for them at once. Raises
    UsageError that shows every difference.
    """
    saved = read_json(folder / 'config.json') or {}
    differences = _differences(saved, config)
    if differences and _extends(differences, config):
        (folder / 'results.json').unlink(missing_ok=True)
    elif differences:
        shown = '; '.join(f'{n} was {_short(o)}, now {_short(w)}' for n, o, w in differences)
        raise UsageError(
            f'{folder}: holds a run of another configuration ({shown}); '
            '--restart begins again, --run_dir names another folder'
        )
    if differences or config.keys() - saved.keys():
        disk.write_json(folder / 'config.json', saved | config)


def _differences(saved: Any, asked: Any, name: str = '') -> list[tuple[str, Any, Any]]:
    """Lists (dotted name, saved, asked) where two JSON values differ, of what both of them have."""
    if isinstance(saved, dict) and isinstance(asked, dict):
        return [
            found
            for key in sorted(saved.keys() & asked.keys())
            if key not in _UNCOMPARED
            for found in _differences(saved[key], asked[key], f'{name}.{key}' if name else key)
        ]
    return [] if saved == asked else [(name.removeprefix('experiment.'), saved, asked)]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f'{text[:57]}...'


def _extends(differences: list[tuple[str, Any, Any]], config: dict[str, Any]) -> bool:
    """Whether only the epochs grew, in a run that is the same however it is cut."""
    experiment = config['experiment']
    (name, old, new), *others = differences
    exact = experiment['schedule'] == 'constant' and len(experiment['phases']) == 1
    exact = exact and not experiment.get('patience')
    return name == 'epochs' and not others and new > old and exact


def extend_sibling(folder: Path, config: dict[str, Any]) -> Path | None:
    """Copies the longest finished run beside `folder` that this one only continues; returns it."""
    if (folder / 'config.json').exists():
        return None
    found = []
    for file in folder.parent.glob('*/results.json'):
        with contextlib.suppress(DataError):  # a damaged neighbour is no fault of this run
            saved = read_json(file.with_name('config.json')) or {}
            differences = _differences(saved, config)
            if differences and _extends(differences, config):
                found.append((saved['experiment']['epochs'], file.parent))
    if not found:
        return None
    _, sibling = max(found)
    shutil.copytree(sibling / 'checkpoints', folder / 'checkpoints', dirs_exist_ok=True)
    shutil.copy(sibling / 'metrics.csv', folder / 'metrics.csv')
    return sibling


def environment(tensorflow_version: str, precision: str) -> dict[str, Any]:
    """Returns what a run's last bits depend on besides its configuration."""
    import numpy

    return {
        'python': platform.python_version(),
        'tensorflow': tensorflow_version,
        'numpy': numpy.__version__,
        'machine': platform.machine(),
        'cpus': len(os.sched_getaffinity(0))
        if hasattr(os, 'sched_getaffinity')
        else os.cpu_count(),
        'precision': precision,
    }


class Metrics:
    """metrics.csv: a row a phase and epoch. Columns a later phase adds are blank before it."""

    def __init__(self, folder: Path, updates: int):
        """Keeps the rows of the first `updates` updates; those after it will be written again."""
        self._file = folder / 'metrics.csv'
        self.rows: list[dict[str, str]] = []
        if self._file.is_file():
            with open(self._file, newline='') as opened:
                whole = [row for row in csv.DictReader(opened) if None not in row.values()]
            self.rows = [row for row in whole if int(row['step']) <= updates]
        self._columns = list(self.rows[0]) if self.rows else list(POSITION)
        self._rewrite()

    def append(self, position: dict[str, Any], metrics: dict[str, float]) -> None:
        """Adds one row, on disk when this returns."""
        row = {k: f'{v:.6g}' if isinstance(v, float) else str(v) for k, v in position.items()}
        row |= {name: f'{value:.8g}' for name, value in metrics.items()}
        self.rows.append(row)
        fresh = [name for name in row if name not in self._columns]
        if fresh:
            self._columns += fresh
            self._rewrite()
            return
        with open(self._file, 'a', newline='') as opened:
            csv.DictWriter(opened, self._columns, restval='').writerow(row)

    def _rewrite(self) -> None:
        with disk.whole(self._file, newline='') as opened:
            writer = csv.DictWriter(opened, self._columns, restval='')
            writer.writeheader()
            writer.writerows(self.rows)
