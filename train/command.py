"""A run by the program's own command, in a process of its own: on this machine, or on a worker.

What is here is sent to workers as it stands, where nothing of the program can be imported: it needs
the standard library alone, and Dask where it is there anyway.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

# Of threads, of TensorFlow (others' variables begin with TF_ too, and hold what is secret), and of
# the libraries that it and NumPy compute with.
_OF_BITS = re.compile(
    r'OMP_NUM_THREADS|(MKL|OPENBLAS|ONEDNN|DNNL)_\w+|XLA_FLAGS|NVIDIA_TF32_OVERRIDE|'
    r'CUBLAS_WORKSPACE_CONFIG|TF_(ALLOW|AUTO|CPU|CUDA|CUDNN|DETERMINISTIC|DISABLE|ENABLE|GPU|MKL|'
    r'NUM|ONEDNN|OVERRIDE|REDUCE|USE|XLA)_\w+'
)
_OF_NO_BIT = re.compile(r'TF_CPP_\w+|TF_CONFIG|TF_FORCE_GPU_ALLOW_GROWTH')
_OF_DATA = 'DATASETS_DIR'
_APART = 'TF_CONFIG'  # these runs are not parts of one another
_POLL_SECONDS = 0.1
_USAGE, _IN_USE = 2, 5  # exit codes of system/errors.py
_ENDED = (130, 143, -2, -15)  # by a signal, where its run was saved
_IN_USE_SECONDS = 60.0  # that a run may take to be saved by a worker which lost the scheduler

# The run ends when the thread that started it does, as with a process that is killed: it would go
# on otherwise, in a folder that the same run, started again, could not have. Linux alone has this,
# and keeps it for the program that takes this one's place.
_WITH_PARENT = """
import ctypes, os, signal, sys
if sys.platform == 'linux':
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""

Outcome = tuple[int, str, float]  # exit code, what it wrote to stderr, seconds


class Command(NamedTuple):
    """What a run is started with."""

    words: tuple[str, ...]  # after `python`
    folder: str  # that it is started in
    log: str  # the file that what it prints is appended to
    environ: dict[str, str]  # variables that it has, and no others of their kind


def deciding(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that last bits depend on, in order."""
    return {name: environ[name] for name in sorted(environ) if _OF_BITS.fullmatch(name)}


def carried(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that a run needs as they are here, wherever it runs."""
    return {n: v for n, v in environ.items() if _is_carried(n) and n != _APART}


def _is_carried(name: str) -> bool:
    return name == _OF_DATA or any(of.fullmatch(name) for of in (_OF_BITS, _OF_NO_BIT))


def ends_with_this() -> tuple[str, ...]:
    """Returns what stands before a command's words, so that it ends when this process does."""
    return '-c', _WITH_PARENT, str(os.getpid())


def attempt(
    command: Command,
    is_over: Callable[[], bool],
    cores: set[int],
    first: tuple[str, ...] = (),
) -> Outcome:
    """Runs a command until it ends, or is to end, when it saves what it has.

    It is in a process group of its own, so that signals reach it through this process alone, and on
    these cores, where there are any; `first` is what stands before its words.
    """
    began = time.monotonic()
    theirs = {n: v for n, v in os.environ.items() if not _is_carried(n)}
    with (
        tempfile.TemporaryFile('w+', encoding='utf-8', errors='replace') as errors,
        open(command.log, 'ab') as opened,
    ):
        process = subprocess.Popen(
            [sys.executable, *first, *command.words],
            cwd=command.folder,
            env=theirs | command.environ,
            stdin=subprocess.DEVNULL,
            stdout=opened,
            stderr=errors,
            start_new_session=True,
        )
        try:
            if cores:
                os.sched_setaffinity(process.pid, cores)
            while process.poll() is None and not is_over():
                time.sleep(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait()
        errors.seek(0)
        return process.returncode, errors.read(), time.monotonic() - began


def attempt_on_worker(command: Command) -> Outcome:
    """Runs a command as a task of this Dask worker, until it ends or is not wanted any more.

    The task goes to another worker where this one closes, or the run was ended by a signal here.
    """
    from distributed import Reschedule, get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def is_unwanted() -> bool:  # cancelled by the client, or with it
        task = worker.state.tasks.get(key)
        return task is None or task.state in ('cancelled', 'released', 'forgotten')

    def is_closing() -> bool:
        return worker.status.name not in ('running', 'paused')

    def is_over() -> bool:
        return is_unwanted() or is_closing()

    for path in (command.words[0], command.folder, os.path.dirname(command.log)):
        if not os.path.exists(path):
            said = f'the worker {worker.address} has no {path}; it needs this program, and what it '
            return _USAGE, f'{said}reads and writes, under the same paths as here', 0.0
    limit = time.monotonic() + _IN_USE_SECONDS
    while True:
        outcome = attempt(command, is_over, set(), ends_with_this())
        if outcome[0] != _IN_USE or is_over() or time.monotonic() > limit:
            break
    if not is_unwanted() and (is_closing() or outcome[0] in _ENDED):
        raise Reschedule
    return outcome


def at_work(dask_worker: Any) -> list[str]:
    """Returns the keys of the tasks that a Dask worker executes, those cancelled among them."""
    return list(dask_worker.active_threads.values())
