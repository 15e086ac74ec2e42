"""What is kept off the screen: TensorFlow's start-up messages, and what a thread prints."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from system.errors import Exhausted
from system.standard import fill

_ADDRESSES = 11 << 28  # bytes: on two cores a small run that draws takes 2.46 GiB
_WARNING = 'warning: '  # that a line begins with
_LOCK = threading.Lock()


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Keeps TensorFlow's start-up messages off the screen; its Python errors still get through.

    Raises Exhausted where this process may not have the addresses that it begins with: it would be
    aborted, or wait for ever for threads that cannot be made.
    """
    _check_room()
    # Of a cluster its runtime says, besides, each look at a worker that fails.
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3' if 'TF_CONFIG' in os.environ else '2')
    fill()
    if sys.stderr:
        sys.stderr.flush()
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
        import tensorflow as tf

        tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def _check_room() -> None:
    try:
        import resource
    except ImportError:  # of a system without such limits
        return
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY and most < _ADDRESSES:
        raise Exhausted(
            f'this process may have {most / 2**30:.1f} GiB of addresses (`ulimit -v`), and '
            f'TensorFlow needs {_ADDRESSES / 2**30:.1f}'
        )


class _Screen:
    """Stands in for `sys.stdout`: all that is printed, but by threads that are not to be heard."""

    def __init__(self, stream: Any):
        self.stream = stream
        self.unheard: dict[int, list[str]] = {}  # thread -> what it has warned of

    def write(self, text: str) -> int:
        told = self.unheard.get(threading.get_ident())
        if told is None:
            return self.stream.write(text)
        if text.startswith(_WARNING):
            told.append(text.removeprefix(_WARNING))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def unheard() -> Iterator[list[str]]:
    """Drops what this thread prints; others, which may do the same meanwhile, are heard.

    Yields a list, to which lines are added that it warns by.
    """
    thread = threading.get_ident()
    with _LOCK:  # where each thread put back what it found, the last would put back a stand-in
        screen = sys.stdout if isinstance(sys.stdout, _Screen) else _Screen(sys.stdout)
        told = screen.unheard[thread] = []
        sys.stdout = screen
    try:
        yield told
    finally:
        with _LOCK:
            screen.unheard.pop(thread, None)
            if not screen.unheard and sys.stdout is screen:
                sys.stdout = screen.stream
