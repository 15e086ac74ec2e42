"""Processes that are forked from one that has imported TensorFlow, which takes seconds."""

from __future__ import annotations

import functools
import gc
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
_IMPORTED_FROM = (str(ROOT), str(ROOT / 'tests'))
_CONTEXT = multiprocessing.get_context('forkserver')
_CONTEXT.set_forkserver_preload(['main', 'inference', 'studies.run', 'ledger.fill'])


class Forked:
    """A call in a process of its own, from the program's folder; used as a subprocess.Popen is."""

    def __init__(self, call: Callable[..., int | None], *arguments: Any):
        """Starts it; what it returns is the exit code."""
        with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(_IMPORTED_FROM)):
            forkserver.ensure_running()  # whose first start imports what it is to hold
        self._folder = tempfile.TemporaryDirectory(prefix='said-')
        self._process = _CONTEXT.Process(target=_do, args=(self._folder.name, call, *arguments))
        self._process.start()
        weakref.finalize(self, self._process.kill)  # where a test fails, and nobody waits for it

    def poll(self) -> int | None:
        """Returns the exit code, or None while it runs."""
        return self._process.exitcode

    def wait(self) -> int | None:
        """Waits for its end; returns the exit code, of a signal its number below 0."""
        self._process.join()
        return self.returncode

    returncode = property(poll)

    def said(self, name: str = 'out') -> str:
        """Returns what it has written so far, to stdout or to stderr ('err')."""
        file = Path(self._folder.name, name)
        return file.read_text() if file.exists() else ''

    def communicate(self) -> tuple[str, str]:
        """Waits for its end; returns what it wrote to stdout and to stderr."""
        self.wait()
        return self.said('out'), self.said('err')

    def send_signal(self, number: int) -> None:
        """Sends it a signal."""
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """Ends it with SIGKILL."""
        self._process.kill()


def program(
    *flags: str,
    cores: set[int] | None = None,
    environ: dict[str, str] | None = None,
    folder: Path = ROOT,
) -> Forked:
    """Starts main.py with flags in a folder, on these cores, in an environment with these too."""
    return Forked(_main, flags, cores, environ or {}, folder)


def script(code: str, arguments: list[str], folder: Path) -> Forked:
    """Starts a script with its name and arguments in a folder; it may import the program."""
    return Forked(_script, code, arguments, folder)


def _script(code: str, arguments: list[str], folder: Path) -> None:
    os.chdir(folder)
    sys.argv = arguments
    exec(code, {'__name__': '__main__'})


def _main(
    flags: tuple[str, ...], cores: set[int] | None, environ: dict[str, str], folder: Path
) -> int:
    import main

    os.chdir(folder)
    os.environ |= environ
    if cores:
        os.sched_setaffinity(0, cores)
    gc.set_threshold(50_000, 20, 20)  # as main.py does
    return main.main(['main.py', *flags])


def _do(said: str, call: Callable[..., int | None], *arguments: Any) -> None:
    for number, name in ((1, 'out'), (2, 'err')):
        os.dup2(os.open(Path(said, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.chdir(ROOT)
    raise SystemExit(call(*arguments))


_ALONE = """
import json, os, sys, tempfile, traceback
import numpy, tensorflow.compat.v1
for line in sys.stdin:
    code, folder, arguments = json.loads(line)
    with tempfile.TemporaryFile('w+') as said:
        child = os.fork()
        if not child:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            try:
                os.chdir(folder)
                sys.argv = arguments
                exec(code, {'__name__': '__main__'})
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
            sys.stdout.flush()
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        said.seek(0)
        print(json.dumps([os.waitstatus_to_exitcode(status), said.read()]), flush=True)
"""


@functools.cache
def _server() -> subprocess.Popen:
    """Starts the process that those are forked from which know nothing of the program."""
    command, pipes = [sys.executable, '-c', _ALONE], {'stdin': subprocess.PIPE, 'text': True}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **pipes)


def alone(code: str, folder: Path, *arguments: str) -> tuple[int, str]:
    """Executes a script with its name and arguments; returns how it ended, and what it said.

    It is in a process of its own that had imported TensorFlow and numpy, and nothing of the
    program, and that is in this folder, from which it imports.
    """
    server = _server()
    print(json.dumps([code, str(folder), arguments or ['']]), file=server.stdin, flush=True)
    return tuple(json.loads(server.stdout.readline()))
