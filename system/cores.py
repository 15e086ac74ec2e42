"""Pieces of work, done by this process and, where there is a core for one, by a copy of it."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess

_PATIENCE = 10.0  # seconds that the copy has at least, where nothing is left to do here
_SLOWER = 3  # or so many times as long as what was done here took


def number() -> int:
    """Returns the number of cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share(actions: Sequence[Callable[[], object]], here: Sequence[Callable[[], object]]) -> None:
    """Does up to 256 things in whatever order, and those of `here` in this process alone.

    The former may change files, and nothing in memory. The copy begins with all that is in memory
    here: nothing is sent to it. It must not use what has threads, as TensorFlow, for it has none
    of them. What it has not done, because it could not be started, has failed or does not end, is
    done here, and errors are raised here.
    """
    begun = time.monotonic()
    with contextlib.ExitStack() as ends:
        left, copy = None, None
        if len(actions) > 1 and number() > 1:
            with contextlib.suppress(OSError):  # no file or process to be had: all is done here
                left = _queue(ends, len(actions))
                copy = _copied(ends, left, actions)
        for action in here:
            action()
        done = set() if left is None else _take(left, actions)
        if copy is not None:
            copy.join(max(_PATIENCE, _SLOWER * (time.monotonic() - begun)))
            copy.kill()
            copy.join()
        if copy is None or copy.exitcode != 0:
            for index in set(range(len(actions))) - done:
                actions[index]()


def _queue(ends: contextlib.ExitStack, count: int) -> int:
    """Returns what the numbers from 0 on are read from, a byte each, by whoever comes first."""
    reader, writer = os.pipe()
    ends.callback(os.close, reader)
    os.write(writer, bytes(range(count)))
    os.close(writer)
    return reader


def _take(left: int, actions: Sequence[Callable[[], object]]) -> set[int]:
    """Does what nobody has taken yet, until nothing is left; returns the numbers of what it did."""
    done = set()
    while number := os.read(left, 1):
        actions[number[0]]()
        done.add(number[0])
    return done


def _copied(
    ends: contextlib.ExitStack, left: int, actions: Sequence[Callable[[], object]]
) -> BaseProcess | None:
    """Starts a copy of this process that does what is left; returns None where there can be none.

    At the end it is gone, having ended what it was at, where it has not hung.

    Raises OSError where there is no memory for it, or where no more processes are allowed.
    """
    # Elsewhere than on Linux libraries do not expect a process of several threads to be copied.
    if sys.platform != 'linux' or multiprocessing.current_process().daemon:
        return None
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a closed one
            stream.flush()  # or the copy could say it again
    copy = multiprocessing.get_context('fork').Process(
        target=_alone, args=(left, actions), daemon=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)  # of the threads it lacks
        copy.start()
    ends.callback(_end, copy, left)
    return copy


def _end(copy: BaseProcess, left: int) -> None:
    """Lets the copy end what it is at, and nothing more: a file is whole then, or was not begun."""
    while os.read(left, 256):
        pass
    copy.join(_PATIENCE)
    copy.kill()
    copy.join()


def _alone(left: int, actions: Sequence[Callable[[], object]]) -> None:
    """Does what is left in the copy and ends it; what fails is done again, and said, elsewhere."""
    sys.stdout = sys.stderr = open(os.devnull, 'w')  # noqa: SIM115  (until the end)
    gc.freeze()  # nothing of TensorFlow's is to be taken down
    gc.disable()
    try:
        _take(left, actions)
    except BaseException:
        os._exit(1)
    os._exit(0)
