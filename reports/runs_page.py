"""The page of all runs, index.html: what each found, and a link to its page."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from evaluation import metrics
from reports import html, run_files, run_page
from reports.captions import words_of
from system import disk
from system.lines import say
from system.received import is_text

NAME = 'index.html'
_SCORES = ('accuracy', 'mse', 'future_mse', 'nelbo', 'separation')  # where a run has them
_FIGURES = ('confusion', 'reconstructions', 'sequences', 'features', 'latent', 'loss_curves')
_SECTIONS = {  # a folder below that of all runs -> its heading, and the split that is told of
    '': ('Trained', 'test'),
    'tuning': ('Tuning', 'validation'),
}
_STUDY = Path('figures', 'study.png')
_HEAD = 512  # bytes of a page, in which it says what made it
_MARK = b'content="layerwise-autoencoders"'
_WAIT_SECONDS = 10.0  # for another process that writes the page


class _Run(NamedTuple):
    """A finished run, as the page shows it."""

    folder: Path  # below that of all runs
    experiment: str
    dataset: str
    seed: int
    varied: str  # what differs from the catalogue, as the folder's name has it
    metrics: dict[str, float]
    seconds: float
    finished: datetime
    figure: str  # the name of one; '' where there is none
    has_page: bool


class _Study(NamedTuple):
    """A finished study, or several seeds of one experiment, as the page shows it."""

    folder: Path  # below that of all runs
    name: str
    finished: datetime


def write(runs: Path) -> None:
    """Writes the page of all finished runs and studies below `runs`.

    Links are not followed, and what is no run is left out. What goes wrong is told and does not
    end the program: the run that was finished is whole without this page.
    """
    file = runs / NAME
    try:
        with FileLock(runs / '.index.lock', timeout=_WAIT_SECONDS):
            if not _may_replace(file):
                say(f'warning: {file}: is no page of runs, and is left as it is')
                return
            page = _page(runs)
            with disk.whole(file) as opened:
                opened.write(page)
    except Timeout:
        say(f'warning: {file}: another process is writing it; it may lack this run')
    except OSError as error:
        say(f'warning: {file}: cannot be written ({error.strerror or error})')


def _may_replace(file: Path) -> bool:
    """Whether there is no such file, or it is a page of runs."""
    try:
        return _MARK in disk.read_regular(file, _HEAD)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _page(runs: Path) -> str:
    sections, damaged = [], []
    studies: list[_Study] = []
    for below, (title, split) in _SECTIONS.items():
        found: list[_Run] = []
        for folder in _folders(runs, below):
            try:
                read = _read(runs, folder)
            except (OSError, ValueError, OverflowError, KeyError):
                damaged.append(str(folder))
                continue
            if isinstance(read, _Run):
                found.append(read)
            elif read:
                studies.append(read)
        if found:
            found.sort(key=lambda run: run.finished, reverse=True)
            sections.append(_section(title, split, found))
    studies.sort(key=lambda study: study.finished, reverse=True)
    return html.render(
        'runs.html',
        title='All runs',
        runs=str(runs),
        sections=sections,
        studies=[_drawn(study) for study in studies],
        damaged=sorted(damaged),
    )


def _folders(runs: Path, below: str) -> Iterator[Path]:
    """Yields the folders that hold results, below `runs`: those of `below/<experiment>/<run>`."""
    for experiment in [] if below and (runs / below).is_symlink() else _inside(runs / below):
        for run in _inside(experiment):
            if os.path.lexists(run / 'results.json'):
                yield run.relative_to(runs)


def _inside(folder: Path) -> list[Path]:
    """Returns the folders in a folder that are no links."""
    try:
        with os.scandir(folder) as entries:
            return [Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _read(runs: Path, folder: Path) -> _Run | _Study | None:
    """Returns the run, or the study with its figure, in a folder; None where there is neither.

    Raises one of several errors where its results.json, or its time, is damaged.
    """
    file = runs / folder / 'results.json'
    finished = datetime.fromtimestamp(file.lstat().st_mtime).astimezone()
    held = run_files.found_in(runs / folder)
    if 'experiment' not in held:
        is_drawn = is_text(held.get('study')) and html.has_picture(runs / folder, _STUDY)
        return _Study(folder, held['study'], finished) if is_drawn else None
    results = run_files.results(runs / folder)
    dataset, seed = results['dataset'], results['seed']
    start = f'{dataset}-seed{seed}'.replace('/', '_')
    page = runs / folder / run_page.NAME
    return _Run(
        folder,
        results['experiment'],
        dataset,
        seed,
        folder.name.removeprefix(start).removeprefix('-'),
        {name: float(value) for name, value in results['metrics'].items()},
        float(results['seconds']),
        finished,
        next((name for name in _FIGURES if html.has_picture(runs / folder, _of(name))), ''),
        stat.S_ISREG(page.lstat().st_mode) if os.path.lexists(page) else False,
    )


def _section(title: str, split: str, found: list[_Run]) -> dict[str, Any]:
    """Returns what the template needs of runs that are shown together."""
    names = [n for n in _SCORES if any(f'{split}/{n}' in run.metrics for run in found)]
    return {
        'title': title,
        'split': split,
        'scores': [(name, metrics.find(name).unit) for name in names],
        'rows': [
            {
                'experiment': run.experiment,
                'dataset': run.dataset,
                'seed': str(run.seed),
                'varied': run.varied,
                'page': run.folder / run_page.NAME if run.has_page else None,
                'figure': run.folder / _of(run.figure) if run.figure else None,
                'alt': words_of(run.figure).caption,
                'numbers': [_number(run.metrics.get(f'{split}/{n}'), '.5g') for n in names]
                + [_number(run.seconds, ',.1f')],
                **_at(run.finished),
            }
            for run in found
        ],
    }


def _drawn(study: _Study) -> dict[str, Any]:
    """Returns what the template needs of a study."""
    return {
        'name': study.name,
        'folder': str(study.folder),
        'figure': study.folder / _STUDY,
        **_at(study.finished),
    }


def _at(finished: datetime) -> dict[str, str]:
    """Returns a time as machines read it, as it is sorted by, and as people read it."""
    return {
        'when': finished.isoformat(timespec='seconds'),
        'order': repr(finished.timestamp()),
        'finished': f'{finished:%Y-%m-%d %H:%M}',
    }


def _of(figure: str) -> Path:
    return Path('figures', f'{figure}.png')


def _number(value: float | None, layout: str) -> tuple[str, str]:
    """Returns a number as it is sorted by, and as it is read."""
    if value is None:
        return '', ''
    return repr(value) if math.isfinite(value) else '', format(value, layout)
