"""Runs on each graph of the corpus, under limits of time and memory, and how they ended."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from torture.cases import EITHER, RIGHT

SECONDS, BYTES = 60, 2 << 30  # of processor time, and of memory, that a case may take
_WALL = 20  # times as many seconds until it is killed, on a busy machine
_LIMITS = (-signal.SIGKILL, -signal.SIGALRM, -signal.SIGXCPU)  # by which a limit ends a process
ENDS = ('right', 'in one line', 'not as it should', 'over the limit', 'traceback', 'crash')
_FLAGS = (
    '--experiment=phasewise_classifier', '--set=head=3', '--set=epochs=1',
    '--set=steps_per_epoch=2', '--nofigures',
)  # fmt: skip


def campaign(output: Path, at_once: int) -> None:
    """Runs on each graph, so many at once, and writes how many runs ended how."""
    import tensorflow.compat.v1  # noqa: F401  which all processes are copies of

    from torture.graphs import CASES

    outcomes = []
    with tempfile.TemporaryDirectory(prefix='torture-') as name:
        os.environ['XDG_STATE_HOME'] = str(Path(name, 'state'))
        write(Path(name), list(CASES))
        for one in tried(Path(name), list(CASES), at_once):
            outcomes.append(one)
            output.write_text(table(outcomes))
            words = one['words'].replace(name, '')
            print(f'{len(outcomes)}/{len(CASES)} {one["name"]}: {one["end"]}: {words}', flush=True)
    print(table(outcomes))


def write(folder: Path, names: Sequence[str]) -> None:
    """Writes the graphs of these cases, and data for them, in a process of its own."""
    child = _forked(partial(_write, folder, names), folder / 'written.txt')
    if os.waitpid(child, 0)[1]:
        raise RuntimeError((folder / 'written.txt').read_text()[-2000:])


def _write(folder: Path, names: Sequence[str]) -> int:
    from networks import layers  # noqa: F401  switches TensorFlow to graphs
    from torture import graphs

    draw = np.random.default_rng(0)
    x = draw.random((60, graphs.FEATURES), np.float32)
    np.savez(folder / 'data.npz', x=x, y=draw.integers(0, 3, 60))
    for number, name in enumerate(names):
        graphs.save(folder / f'{number}', graphs.CASES[name])
    return 0


def tried(folder: Path, names: Sequence[str], at_once: int) -> Iterator[dict[str, Any]]:
    """Runs on the graphs that were written, so many at once; yields how each run ended."""
    import main  # noqa: F401  which the processes are copies of
    import train.run  # noqa: F401
    from torture.graphs import CASES

    calls = []
    for number, name in enumerate(names):
        flags = [
            *_FLAGS,
            f'--array={folder}/data.npz',
            f'--parent={folder}/{number}',
            f'--data_dir={folder}/data{number}',
            f'--run_dir={folder}/run{number}',
        ]
        calls.append((name, folder / f'said{number}', partial(call_main, flags)))
    for name, code, said, used in ran(calls, at_once):
        yield outcome(name, CASES[name].end, code, said, used)


def ran(
    calls: Sequence[tuple[str, Path, Callable[[], int]]], at_once: int
) -> Iterator[tuple[str, int, str, Any]]:
    """Calls each in a process of its own, so many at once, whose words go to the file beside it.

    Yields its name, how it ended, of a signal the number below 0, what it said, and what it used.
    """
    waiting = [*calls]
    running: dict[int, tuple[str, Path, float]] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            name, words, call = waiting.pop(0)
            running[_forked(call, words)] = name, words, time.monotonic()
        child, status, used = os.wait4(-1, os.WNOHANG)
        if not child:
            for pid, (_, _, began) in running.items():
                if time.monotonic() - began > _WALL * SECONDS:
                    os.killpg(pid, signal.SIGKILL)
            time.sleep(0.05)
        elif child in running:
            name, words, _ = running.pop(child)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)  # what it has left behind
            yield name, os.waitstatus_to_exitcode(status), words.read_text(errors='replace'), used


def outcome(
    name: str, wanted: str, code: int, said: str, used: Any, lines_of: Sequence[int] = (2, 3)
) -> dict[str, Any]:
    """Returns how a run on a case ended, one of ENDS, what it took, and its last words.

    A line of error is one with an exit code among `lines_of`.
    """
    lines = [line for line in said.splitlines() if line.strip()]
    seconds, memory = used.ru_utime + used.ru_stime, used.ru_maxrss << 10
    is_line = code in lines_of and bool(lines) and lines[-1].startswith('error: ')
    if 'Traceback' in said:
        end = 'traceback'
    elif seconds > SECONDS or memory > BYTES or code in _LIMITS:
        end = 'over the limit'
    elif code < 0 or not (code == 0 or is_line):
        end = 'crash'
    elif wanted == EITHER or (code == 0) == (wanted == RIGHT):
        end = 'right' if code == 0 else 'in one line'
    else:
        end = 'not as it should'
    words = lines[-1][:300] if lines else ''
    return {'name': name, 'end': end, 'seconds': seconds, 'memory': memory, 'words': words}


def table(outcomes: Sequence[dict[str, Any]]) -> str:
    """Returns how many ended how, and what none should."""
    lines = [f'| tried | {" | ".join(ENDS)} |', '|' + '---:|' * (1 + len(ENDS))]
    counts = [sum(one['end'] == end for one in outcomes) for end in ENDS]
    lines.append(f'| {" | ".join(map(str, (len(outcomes), *counts)))} |')
    bad = [one for one in outcomes if one['end'] not in ENDS[:2]]
    lines += [f'- {one["name"]}: {one["end"]}: {one["words"]}' for one in bad]
    return '\n'.join(lines) + '\n'


def call_main(flags: Sequence[str]) -> int:
    """Calls the program with flags, in this process; returns the exit code."""
    import main

    return main.main(['main.py', *flags])


def _forked(call: Callable[[], int], said: Path) -> int:
    """Calls in a copy of this process, whose words go to a file; returns its number."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.setsid()
        for number in (1, 2):
            os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        code = call()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == '__main__':
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
    campaign(Path(sys.argv[1]), int(sys.argv[2]))
