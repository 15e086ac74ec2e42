"""Several runs: one after the other in this process, or at once, each on cores of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from command_line import base_of_parent, flags_of
from parameters import Experiment
from system.errors import DataError, Diverged, Exhausted, RunInUse, UsageError, UserError
from system.interrupts import Interrupts
from system.lines import shown
from train.folder import Place
from train.run import looked_at, run

_MAIN = Path(__file__).resolve().parent.parent / 'main.py'
_ERRORS = {kind.exit_code: kind for kind in (Exhausted, UsageError, DataError, Diverged, RunInUse)}
_POLL_SECONDS = 0.1


class Job(NamedTuple):
    """A run: the experiment, as it stands in the catalogue, and where it is made."""

    experiment: Experiment
    base: Experiment
    place: Place

    @property
    def is_missing(self) -> bool:
        """Whether there is no finished run, or it is to begin again."""
        folder = self.place.folder(self.experiment, self.base)
        return self.place.restart or not (folder / 'results.json').is_file()

    def flags(self) -> list[str]:
        """Returns the command line of this very run, after `python main.py`."""
        place = self.place
        switches = {
            '--restart': place.restart,
            '--verify': place.verify,
            '--tune': place.tune,
            '--nofigures': not place.figures,
        }
        return [
            *flags_of(self.experiment, self.base),
            f'--runs={place.runs}',
            f'--data_dir={place.data_dir}',
            f'--checkpoint_seconds={place.checkpoint_seconds}',
            f'--summaries={place.summaries}',
            *(switch for switch, given in switches.items() if given),
        ]


class Ended(NamedTuple):
    """A job that is finished."""

    index: int  # type: ignore[assignment]  # among the jobs; hides tuple.index
    results: dict[str, Any]
    seconds: float  # that it took; of one that was there before, next to nothing


def train_each(jobs: Sequence[Job], log: Path, at_once: int = 1) -> Iterator[Ended]:
    """Trains what is missing and yields each job when it has ended; what runs print goes to `log`.

    One after the other they end in their order. At once, parents are trained before what restores
    them, and what was there before comes last. Raises what a run raises, when all have stopped;
    what is wrong with anybody's data, before the first has begun.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    _look_ahead([job for job in jobs if job.is_missing], log)
    waiting = dict(enumerate(jobs))
    if at_once > 1:
        for stage in _stages([job for job in jobs if job.is_missing]):
            for job, seconds in _at_once(stage, log, at_once):
                index = next((i for i, other in waiting.items() if other is job), None)
                if index is not None:  # or else the parent of one
                    del waiting[index]
                    place = dataclasses.replace(job.place, restart=False)
                    yield Ended(index, _run(job._replace(place=place), log), seconds)
    for index, job in waiting.items():
        began = time.monotonic()
        results = _run(job, log)
        yield Ended(index, results, time.monotonic() - began)


def _look_ahead(jobs: Sequence[Job], log: Path) -> None:
    """Looks at the data of each experiment and of its parents, without holding them in memory."""
    seen: set[Experiment] = set()
    with (
        open(log, 'a', buffering=1) as opened,
        contextlib.redirect_stdout(opened),
        Interrupts() as interrupts,
    ):
        for experiment, _, place in jobs:
            here = dataclasses.replace(place, verify=False)  # which each run does by itself
            while True:
                alike = experiment.vary(seed=0, cache_bytes=0)
                if alike not in seen:
                    interrupts.check()
                    looked_at(alike, here, interrupts.check)
                seen.add(alike)
                if not isinstance(experiment.parent, Experiment):
                    break
                experiment = experiment.lineage()


def _run(job: Job, log: Path) -> dict[str, Any]:
    """Trains, or only reads what is finished; progress bars, on the error stream, still show."""
    with _appended(log) as opened, contextlib.redirect_stdout(opened):
        return run(*job)


def _appended(log: Path) -> IO[str]:
    """Opens a log, a line at a time, which takes whatever a run prints."""
    return open(log, 'a', buffering=1, encoding='utf-8', errors='backslashreplace')


def _stages(jobs: list[Job]) -> list[list[Job]]:
    """Returns the jobs, after those that train their parents where these have no finished run."""
    parents: dict[Path, Job] = {}
    for experiment, _, place in jobs:
        if isinstance(experiment.parent, Experiment):
            parent = experiment.lineage()
            above = base_of_parent(experiment)
            job = Job(parent, above, place.of_parent())
            if job.is_missing:
                parents.setdefault(job.place.folder(parent, above), job)
    return [*_stages(list(parents.values())), jobs] if parents else [jobs]


def _at_once(jobs: Sequence[Job], log: Path, at_once: int) -> Iterator[tuple[Job, float]]:
    """Runs jobs in processes of their own, so many at once; yields each with its seconds.

    When one fails, or a signal arrives, the others save what they have and stop.
    """
    waiting, cores = list(reversed(jobs)), _shares(at_once)
    running: list[_Running] = []
    with Interrupts() as interrupts:
        try:
            while waiting or running:
                while waiting and len(running) < at_once and not interrupts.pending:
                    running.append(_Running(waiting.pop(), cores.pop(), log))
                interrupts.check()
                for one in [one for one in running if one.process.poll() is not None]:
                    running.remove(one)
                    cores.append(one.cores)
                    yield one.job, one.end(log)
                time.sleep(_POLL_SECONDS)
        finally:
            for one in running:
                one.process.terminate()
            for one in running:
                one.process.wait()


def _shares(count: int) -> list[set[int]]:
    """Divides the cores that this process may use; with fewer of them than shares, all share."""
    if not hasattr(os, 'sched_getaffinity'):
        return [set()] * count
    cores = sorted(os.sched_getaffinity(0))
    return [set(cores[i::count]) or set(cores) for i in range(count)]


class _Running:
    """A job in its process, in a process group of its own: signals reach it through this one."""

    def __init__(self, job: Job, cores: set[int], log: Path):
        self.job, self.cores, self._began = job, cores, time.monotonic()
        self._errors: IO[str] = tempfile.TemporaryFile('w+', encoding='utf-8', errors='replace')  # noqa: SIM115 (open while it runs)
        with _appended(log) as opened:
            self.process = subprocess.Popen(
                [sys.executable, str(_MAIN), *job.flags()],
                stdin=subprocess.DEVNULL,
                stdout=opened,
                stderr=self._errors,
                start_new_session=True,
            )
        if cores:
            os.sched_setaffinity(self.process.pid, cores)

    def end(self, log: Path) -> float:
        """Returns its seconds; raises what it failed of."""
        self._errors.seek(0)
        said = self._errors.read()
        self._errors.close()
        with _appended(log) as opened:
            opened.writelines(f'{shown(line)}\n' for line in said.splitlines())
        code = self.process.returncode
        if code:
            lines = said.strip().splitlines() or [f'exit code {code}']
            words = f'{self.job.experiment.name}: {lines[-1].removeprefix("error: ")}'
            raise _ERRORS.get(code, UserError)(words)
        return time.monotonic() - self._began
