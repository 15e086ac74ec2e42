"""A run's folder: its place and name, its lock, and what is read of it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import dataset
from inputs.spec import Spec
from parameters import Experiment
from reports import run_files
from system import disk
from system.errors import DataError, RunInUse, UsageError
from system.received import Damage
from train.naming import former_names, name_of

APPLIED = (  # what a finished run writes of data, while other processes show it
    'predictions-', 'codes-', 'scores-', 'reconstructions-', 'generated-', 'evaluation-',
)  # fmt: skip
_WRITTEN = ('*.json', 'metrics.csv', 'model.*', 'report.html', *(f'{n}*' for n in APPLIED))
_FOLDERS = ('checkpoints', 'cache', 'figures', 'tb', 'saved_model', 'export')
_REMOVE = 'remove it'
_GOES_ON = 'the command that made this run goes on from its checkpoint'


@dataclass(frozen=True)
class Place:
    """Where a run reads and writes, and whether it begins again."""

    runs: Path = Path('runs')
    data_dir: Path = Path('data')
    run_dir: Path | None = None
    restart: bool = False
    verify: bool = False
    checkpoint_seconds: float = 0.0
    figures: bool = True  # whether runs draw; --mode=evaluate does so afterwards
    summaries: str = 'scalars'  # what tb/ is told: the scores, or all that TensorBoard shows
    tune: bool = False  # scored on validation examples, in folders of their own, without figures
    trusted: bool = False  # restored graphs may be large, loop and be random

    @property
    def root(self) -> Path:
        """Where run folders are made."""
        return self.runs / 'tuning' if self.tune else self.runs

    def folder(self, experiment: Experiment, base: Experiment) -> Path:
        """Returns the run's folder; `base` is the experiment as it stands in the catalogue."""
        if self.run_dir:
            return self.run_dir
        runs = self.root / experiment.name
        folder = runs / name_of(experiment, dataset.key_of(experiment), base, self.runs)
        if not os.path.exists(folder):
            for former in former_names(experiment, dataset.former_key_of(experiment), base):
                if os.path.isfile(runs / former / 'config.json'):
                    return runs / former
        return folder

    @property
    def switches(self) -> list[str]:
        """The flags that a run's command needs besides what the experiment is, as it was given."""
        asked = {'--tune': self.tune, '--trust_graph': self.trusted}
        return [flag for flag, given in asked.items() if given]

    def drawing(self, wanted: bool) -> Place:
        """Returns the place for a run that draws, where any does, only if that is wanted."""
        return dataclasses.replace(self, figures=self.figures and wanted)

    def of_parent(self) -> Place:
        """Returns the place for a parent: its own folder, never begun again."""
        return dataclasses.replace(self, run_dir=None, restart=False)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Makes the folder, holds its lock, and removes what an interrupted write left there.

    A start that fails before anything is trained leaves the folder as it was, or none. Raises
    RunInUse, or UsageError where the folder cannot be written.
    """
    lock = FileLock(folder / '.lock', timeout=0)
    missing = [place for place in (folder, *folder.parents) if not os.path.exists(place)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        was_empty = {*os.listdir(folder)} <= {'.lock'}
    except Timeout:
        raise RunInUse(f'{folder}: another process is running there') from None
    except OSError as error:
        raise UsageError(
            f'{folder}: the run folder cannot be written ({error.strerror}); name another with '
            '--runs or --run_dir'
        ) from None
    try:
        disk.tidy(folder, (*APPLIED, 'computed-'))
        for part in ('checkpoints', 'cache', 'figures'):
            disk.tidy(folder / part)
        yield
    except BaseException as error:
        if was_empty:
            _withdraw(folder, missing, keeps_log=not isinstance(error, UsageError | DataError))
        raise
    finally:
        lock.release()


def _withdraw(folder: Path, made: list[Path], *, keeps_log: bool) -> None:
    """Removes what a start wrote into an empty folder, and the folders made, if that is all."""
    written = {'.lock', 'config.json', 'environment.json', *(() if keeps_log else ('log.txt',))}
    with contextlib.suppress(OSError):  # a full disk is no reason to hide what failed
        if {*os.listdir(folder)} <= written:
            for name in written:
                (folder / name).unlink(missing_ok=True)
            for place in made:
                place.rmdir()


def restart(folder: Path) -> None:
    """Empties a run's folder of all that a run writes."""
    disk.remove(folder / run_files.RESULTS)  # which says that it is finished; last what it is
    for name in _FOLDERS:
        disk.remove(folder / name)
    written = {file for pattern in _WRITTEN for file in folder.glob(pattern)}
    for file in sorted(written, key=lambda file: file.name == run_files.CONFIG):
        disk.remove(file)


def refuse_links(folder: Path) -> None:
    """Raises UsageError where a folder that a run writes into is a link, or a file."""
    for name in _FOLDERS:
        if os.path.lexists(folder / name):
            disk.made_inside(folder / name)


def configured(folder: Path) -> dict[str, Any]:
    """Returns what a folder's config.json says of its run, empty where there is none.

    Raises DataError for damage.
    """
    return _read(folder, run_files.CONFIG, run_files.config, f'{_REMOVE} and results.json') or {}


def results_of(folder: Path) -> dict[str, Any] | None:
    """Returns what a finished run found, None where there is none; raises DataError for damage."""
    return _read(folder, run_files.RESULTS, run_files.results, _REMOVE)


def environment_of(folder: Path) -> dict[str, Any] | None:
    """Returns what a run's last bits depended on, None where it has not begun to train.

    Raises DataError for damage.
    """
    return _read(folder, run_files.ENVIRONMENT, run_files.environment, _REMOVE)


def _read(
    folder: Path, name: str, read: Callable[[Path], dict[str, Any]], remedy: str
) -> dict[str, Any] | None:
    try:
        with run_files.said(folder / name, f'{remedy}, and {_GOES_ON}'):
            return read(folder)
    except FileNotFoundError:
        return None


def configuration(folder: Path) -> tuple[Experiment, Spec]:
    """Returns what a finished run is, and of which data, from its config.json.

    Raises UsageError where there is no finished run, DataError where that file is not one of ours.
    """
    try:
        config = run_files.config(folder)
    except FileNotFoundError:
        config = {}
    except OSError as error:
        raise DataError(f'{folder / run_files.CONFIG}: cannot be read ({error.strerror})') from None
    except Damage as fault:
        raise _no_configuration(folder, fault) from None
    if not config or not (folder / 'results.json').is_file():
        raise UsageError(
            f'{folder}: no finished run there; train it first (without --mode=...), or name '
            'another with --run_dir'
        )
    try:
        return run_files.of_finished(config)
    except Damage as fault:
        raise _no_configuration(folder, fault) from None


def _no_configuration(folder: Path, fault: Damage) -> DataError:
    return DataError(f'{folder / run_files.CONFIG}: not the configuration of a run ({fault})')
