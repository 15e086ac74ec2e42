"""TensorFlow Lite's converter, in a process of its own: a graph that it cannot take may end it."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import tensorflow.compat.v1 as tf
from tensorflow import lite

from system import names
from system.errors import UsageError
from system.lines import shown

FLOAT, DYNAMIC_RANGE = 'model.tflite', 'model-dynamic-range.tflite'
_OPTIMIZED: dict[str, list[lite.Optimize]] = {FLOAT: [], DYNAMIC_RANGE: [lite.Optimize.DEFAULT]}
_LONGEST = 200  # characters of what the converter says

Convert = Callable[[Path, Path, Sequence[str]], None]


@contextlib.contextmanager
def converter(*, begun: bool) -> Iterator[Convert]:
    """Yields what converts signatures of a SavedModel, once, into files of a folder.

    Its process is a copy of this one as it is on entry, which has imported TensorFlow: enter before
    there is a session, whose threads a copy lacks. Where there was one, or on a system on which
    copies do not work, it is a new process. It is `begun` only where it will be needed. What is
    yielded raises UsageError for a graph that the converter refuses.
    """
    ours, theirs = multiprocessing.Pipe()
    context: Any = multiprocessing.get_context('fork' if _may_be_copied() else 'spawn')
    process = context.Process(target=_serve, args=(theirs, ours), daemon=True)
    if begun:
        process.start()
    theirs.close()

    def convert(saved_model: Path, folder: Path, keys: Sequence[str]) -> None:
        said = saved_model.with_name('said')
        said.touch()
        with contextlib.suppress(BrokenPipeError):  # where it has ended already
            ours.send((names.plain(saved_model), folder, list(keys), said))
        process.join()
        if process.exitcode:
            lines = said.read_text(errors='replace').splitlines()
            why = [line for line in lines if 'rror' in line] or ['it ended']
            words = shown(why[-1])[:_LONGEST]
            raise UsageError(f'--format=tflite: TensorFlow Lite refuses the graph: {words}')

    try:
        yield convert
    finally:
        ours.close()
        if begun:
            process.kill()
            process.join()


def _may_be_copied() -> bool:
    """Whether this is Linux, and no thread runs that would be missing in a copy of the process."""
    threads = list(Path('/proc/self/task').glob('*/comm'))
    of_sessions = any(thread.read_text().startswith('tf_') for thread in threads)
    return bool(threads) and not of_sessions and threading.active_count() == 1


def _serve(asked: Connection, others: Connection) -> None:
    """Converts what is asked for, if anything is: with all signatures, as TensorFlow 2 does."""
    others.close()  # or else this end would not see that the other process has ended
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which the other process acts on
    try:
        saved_model, folder, keys, said = asked.recv()
    except EOFError:
        return
    for number in (1, 2):
        os.dup2(os.open(said, os.O_WRONLY | os.O_APPEND), number)
    gc.freeze()  # each conversion looks through all objects, which took most of its time
    tf.enable_v2_behavior()
    made = lite.TFLiteConverter.from_saved_model(saved_model, signature_keys=keys)
    for name, optimized in _OPTIMIZED.items():
        made.optimizations = optimized
        Path(folder, name).write_bytes(made.convert())
