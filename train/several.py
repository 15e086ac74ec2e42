"""Several runs: one after the other in this process, or at once, in processes of their own."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any, NamedTuple

from command_line import base_of_parent, flags_of, is_said
from parameters import Experiment
from system import disk, kernels
from system.errors import (
    DataError,
    Diverged,
    Exhausted,
    Interrupted,
    RunInUse,
    UsageError,
    UserError,
)
from system.interrupts import Interrupts
from system.lines import shown
from train.command import Command, Outcome, carried
from train.executors import Executing, opened
from train.folder import Place
from train.identity import as_begun, settle
from train.run import looked_at, run

_MAIN = Path(__file__).resolve().parent.parent / 'main.py'
_ERRORS = {kind.exit_code: kind for kind in (Exhausted, UsageError, DataError, Diverged, RunInUse)}
_POLL_SECONDS = 0.1
_ARRIVES_SECONDS = 60.0  # that a network's file system may take to show what another machine wrote


class Job(NamedTuple):
    """A run: the experiment, as it stands in the catalogue, and where it is made."""

    experiment: Experiment
    base: Experiment
    place: Place

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.place.folder(self.experiment, self.base)

    @property
    def is_missing(self) -> bool:
        """Whether there is no finished run, or it is to begin again, or to have more epochs."""
        if self.place.restart or not (self.folder / 'results.json').is_file():
            return True
        with contextlib.suppress(UserError):  # which is said when it is run
            asked = as_begun(self.folder, self.experiment)
            return settle(self.folder, {'experiment': asked.resolved()}, begins=False)
        return False

    @property
    def said(self) -> str:
        """What tells the run from the others, as its flags."""
        return shlex.join(flags_of(self.experiment, self.base))

    def flags(self) -> list[str]:
        """Returns the command line of this very run, after `python main.py`."""
        place = self.place
        switches = {
            '--restart': place.restart,
            '--verify': place.verify,
            '--nofigures': not place.figures,
        }
        return [
            *flags_of(self.experiment, self.base),
            f'--runs={place.runs}',
            f'--data_dir={place.data_dir}',
            f'--checkpoint_seconds={place.checkpoint_seconds}',
            f'--summaries={place.summaries}',
            *place.switches,
            *(switch for switch, given in switches.items() if given),
        ]


class Ended(NamedTuple):
    """A job that is finished."""

    index: int  # type: ignore[assignment]  # among the jobs; hides tuple.index
    results: dict[str, Any]
    seconds: float  # that it took; of one that was there before, next to nothing
    at_once: int = 1  # so many run when it ends


def train_each(
    jobs: Sequence[Job], log: Path, at_once: int = 1, scheduler: str = ''
) -> Iterator[Ended]:
    """Trains what is missing and yields each job when it has ended; what runs print goes to `log`.

    One after the other they end in their order. At once, or by a scheduler's workers, parents are
    trained before what restores them, and what was there before comes last. Raises what a run
    raises, when all have stopped; what is wrong with anybody's data, before the first has begun.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f'{log.parent}: cannot be written ({error.strerror}); name another with --runs'
        ) from None
    for experiment, base, _ in jobs:
        if not is_said(experiment, base):
            parent = getattr(experiment.parent, 'name', '')
            raise UsageError(
                f'{base.name} with the parent {parent}: write a variation with a name of its own, '
                f"as in another = {base.name}.vary('another', parent={parent})"
            )
    missing = [job for job in jobs if job.is_missing]
    waiting = dict(enumerate(jobs))
    if at_once == 1 and not scheduler:
        _look_ahead(missing, log)
    else:
        cores = max((job.experiment.parts for job in missing), default=1)
        with (
            Interrupts(restarts=any(job.place.restart for job in jobs)) as interrupts,
            opened(at_once, scheduler, cores, interrupts.check) as executing,
        ):
            _look_ahead(missing, log)
            for stage in _stages(missing):
                for job, seconds in _submitted(stage, log, executing, interrupts):
                    index = next((i for i, other in waiting.items() if other is job), None)
                    if index is not None:  # or else the parent of one
                        del waiting[index]
                        yield Ended(index, _read(job, log), seconds, executing.at_once())
    for index, job in waiting.items():
        began = time.monotonic()
        results = _run(job, log)
        yield Ended(index, results, time.monotonic() - began)


def _look_ahead(jobs: Sequence[Job], log: Path) -> None:
    """Looks at the data of each experiment and of its parents, without holding them in memory."""
    seen: set[Experiment] = set()
    with (
        disk.appended(log) as opened,
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
    """Trains, or only reads what is finished; progress bars, on the error stream, still show.

    Raises what the run raises, which is said to be of it.
    """
    try:
        with disk.appended(log) as opened, contextlib.redirect_stdout(opened):
            return run(*job)
    except Interrupted:
        raise
    except UserError as error:
        error.args = (f'{job.said}: {error}',)
        raise


def _read(job: Job, log: Path) -> dict[str, Any]:
    """Returns what a run found that has ended elsewhere; raises DataError where nothing has come.

    Listing the folder makes a file system of several machines look for it anew.
    """
    folder = job.folder
    limit = time.monotonic() + _ARRIVES_SECONDS
    while not (folder.is_dir() and 'results.json' in os.listdir(folder)):
        if time.monotonic() > limit:
            raise DataError(
                f'{folder}: the run has ended, and its results are not here; --runs must be a '
                'folder that all workers share'
            )
        time.sleep(_POLL_SECONDS)
    return _run(job._replace(place=dataclasses.replace(job.place, restart=False)), log)


def _stages(jobs: Sequence[Job]) -> list[list[Job]]:
    """Returns the jobs, and those that train their parents where these have no finished run.

    Each is there once, after the parent that it needs.
    """
    known = {job.folder: job for job in jobs}
    found: dict[Path, int] = {}

    def stage_of(job: Job) -> int:
        if job.folder not in found:
            found[job.folder] = 0
            experiment = job.experiment
            if isinstance(experiment.parent, Experiment) and not experiment.draws_parent:
                parent = Job(
                    experiment.lineage(), base_of_parent(experiment), job.place.of_parent()
                )
                parent = known.setdefault(parent.folder, parent)  # asked for too, or not
                if parent.is_missing:
                    found[job.folder] = stage_of(parent) + 1
        return found[job.folder]

    last = max(map(stage_of, jobs), default=0)
    return [
        [job for folder, job in known.items() if found.get(folder) == stage]
        for stage in range(last + 1)
    ]


def _submitted(
    jobs: Sequence[Job], log: Path, executing: Executing, interrupts: Interrupts
) -> Iterator[tuple[Job, float]]:
    """Submits jobs, and yields each that has ended with its seconds; raises what one fails of."""
    folder, environ = str(Path.cwd()), carried(kernels.asked())
    running: dict[Future[Outcome], Job] = {}
    for job in jobs:
        words = (str(_MAIN), *job.flags())
        name = f'{job.experiment.name}-seed{job.experiment.seed}'
        future = executing.submit(Command(words, folder, str(log.absolute()), environ), name)
        running[future] = job
    while running:
        interrupts.check()
        executing.look()
        done, _ = wait(running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            job = running.pop(future)
            yield job, _seconds_of(job, executing.outcome(future), log)


def _seconds_of(job: Job, outcome: Outcome, log: Path) -> float:
    """Returns what a run took, when its words are in the log; raises what it failed of."""
    code, said, seconds = outcome
    with disk.appended(log) as opened:
        opened.writelines(f'{shown(line)}\n' for line in said.splitlines())
    if code:
        lines = said.strip().splitlines() or [f'exit code {code}']
        words = f'{job.said}: {lines[-1].removeprefix("error: ")}'
        raise _ERRORS.get(code, UserError)(words)
    return seconds
