"""A run on two workers, of which one is killed, stopped or asked to end."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

KIND = 'two workers'
WORKER_SECONDS = 10.0  # without an answer
_MORE_SECONDS = 20.0  # that the other one may take to end, on a machine that is busy
_ROOT = Path(__file__).resolve().parent.parent
_MAY_END = {  # signal -> exit codes of the one that has it, and of the other; 0: it came too late
    signal.SIGKILL: ((-signal.SIGKILL, 0), (6, 0)),
    signal.SIGSTOP: ((-signal.SIGKILL, 0), (6, 0)),
    # Before the program takes signals it ends without a word, and has not come.
    signal.SIGTERM: ((143, -signal.SIGTERM, 0), (143, 6, 0)),
}


@contextlib.contextmanager
def _started(line: Sequence[str]) -> Iterator[list[subprocess.Popen[str]]]:
    """Starts a command as two workers, the chief first; kills what is left of them in the end."""
    with contextlib.ExitStack() as ports:
        opened = [ports.enter_context(socket.create_server(('127.0.0.1', 0))) for _ in range(2)]
        addresses = [f'127.0.0.1:{one.getsockname()[1]}' for one in opened]
    processes = []
    # With TF_CONFIG the program keeps more of TensorFlow's own words quiet, if it is not told to.
    kept = {name: value for name, value in os.environ.items() if name != 'TF_CPP_MIN_LOG_LEVEL'}
    try:
        for index in range(2):
            config = {'cluster': {'worker': addresses}, 'task': {'type': 'worker', 'index': index}}
            process = subprocess.Popen(
                [*line, f'--worker_seconds={WORKER_SECONDS}'],
                cwd=_ROOT,
                env=kept | {'TF_CONFIG': json.dumps(config)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            processes.append(process)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def disturb(line: Sequence[str], chance: random.Random, seconds: float) -> tuple[bool, str]:
    """Does harm to one of two workers at a random time.

    Returns whether it came before their end, and what was wrong with how they ended.
    """
    victim, number = chance.randrange(2), chance.choice([*_MAY_END])
    at = chance.uniform(0.0, seconds)
    with _started(line) as both:
        time.sleep(at)
        in_time = both[victim].poll() is None
        both[victim].send_signal(number)
        other = both[1 - victim]
        try:
            _, said = other.communicate(timeout=WORKER_SECONDS + _MORE_SECONDS + seconds)
        except subprocess.TimeoutExpired:
            return in_time, f'{number.name} at worker {victim}: the other one hung'
        if number == signal.SIGSTOP:
            both[victim].kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            both[victim].wait(WORKER_SECONDS + _MORE_SECONDS)
        codes = both[victim].poll(), other.returncode
        lines = said.splitlines()
        fault = ''
        if any(code not in may for code, may in zip(codes, _MAY_END[number], strict=True)):
            fault = f'exit codes {codes}'
        elif len(lines) > 1 or (other.returncode == 6 and f'worker {victim} (' not in said):
            fault = f'it said {" / ".join(lines[-3:])}'
        return in_time, f'{number.name} at worker {victim}: {fault}' if fault else ''


def finish(line: Sequence[str]) -> tuple[int, str]:
    """Lets two workers end; returns the first exit code that is not 0, and what that one said."""
    with _started(line) as both:
        said = [process.communicate()[1] for process in both]
        codes = [process.returncode for process in both]
    return next(((code, words) for code, words in zip(codes, said, strict=True) if code), (0, ''))
