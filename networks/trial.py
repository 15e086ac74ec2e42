"""A stranger's graph, tried on a few examples in a process of its own, before it is used in this.

What a graph does to memory and time only running it tells. The process has limits of both; what
ends it, and what is wrong with the codes, is one line of error here. This bounds what the examples
that are tried need, not what others may.
"""

from __future__ import annotations

import json
import math
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from networks import saved_graph, weights
from networks.codes import FLAT
from system.errors import DataError
from system.lines import say

SECONDS = 10  # of processor time, once TensorFlow is imported
_IDLE_SECONDS = 20.0  # in which it computes nothing
_BYTES = 1 << 30  # of memory besides what TensorFlow takes,
_OF_WEIGHTS = 4  # so many times the weights,
_OF_INPUTS = 100  # and so many times the examples
_FEW = 3  # examples, at first
_MOST_SECONDS = 1.0  # that more of them may take
_CLOSE = 1e-4  # of the greatest number: how far rounding may take the same codes
_ROOT = Path(__file__).resolve().parent.parent
_START = 'import sys; sys.path.insert(0, sys.argv[1]); from networks import trial; trial.answer()'
_LET = '; --trust_graph lets it, where you know it'


class Examples(NamedTuple):
    """What a graph is tried on."""

    x: np.ndarray  # [N, ...], float32, as they are recorded
    length: np.ndarray | None  # [N], of sequences: steps that count
    shape: tuple[int, ...]  # of an example, where the graph does not say how it reads them


def drawn(shape: tuple[int, ...]) -> Examples:
    """Returns a few examples of random numbers in [0, 1]."""
    return Examples(np.random.default_rng(0).random((_FEW, *shape), np.float32), None, shape)


def tried(
    path: str,
    examples: Callable[[], Examples],
    *,
    wanted: Sequence[Sequence[str]] = ((),),
    layer: int = 0,
    trusted: bool = False,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Tries a saved graph, unless it was written here; says in a line what is doubtful about it.

    `path` and `layer` are as of `saved_graph.read`, and of `wanted` each. One that is `trusted` has
    no limits. `check` is called meanwhile. Raises DataError, one line, where the graph is refused,
    fails, takes too much, or gives no codes.
    """
    if saved_graph.is_own(path):
        return
    file = f'{saved_graph.prefix_of(path)}.meta'
    with tempfile.TemporaryDirectory(prefix='trial-') as name:
        folder = Path(name)
        x, length, shape = examples()
        steps = np.zeros(0, np.int32) if length is None else length
        np.savez(folder / 'examples.npz', x=x, length=steps)
        asked = {
            'path': path,
            'examples': str(folder / 'examples.npz'),
            'shape': shape,
            'wanted': [list(names) for names in wanted],
            'layer': layer,
            'trusted': trusted,
        }
        said = _asked(asked, folder / 'said', file, check)
    if 'refused' in said:
        raise DataError(said['refused'])
    for words in said['doubts']:
        say(f'warning: {file}: {words}')


def _asked(
    asked: Mapping[str, Any], err: Path, file: str, check: Callable[[], None]
) -> dict[str, Any]:
    """Asks another process to try a graph; returns its answer, or why there is none."""
    others = ('TF_CONFIG', 'TF_CPP_MIN_LOG_LEVEL', 'CUDA_VISIBLE_DEVICES')
    environment = {key: value for key, value in os.environ.items() if key not in others}
    environment |= {'TF_CPP_MIN_LOG_LEVEL': '3', 'CUDA_VISIBLE_DEVICES': '-1'}
    line = [sys.executable, '-P', '-c', _START, str(_ROOT), json.dumps(asked)]
    is_late, spent, worked = False, 0, time.monotonic()
    with open(err, 'wb') as opened:
        process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=opened,
            env=environment,
            start_new_session=True,  # a signal from the keyboard is for this process alone
        )
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    answer, _ = process.communicate(timeout=0.1)
                    break
                check()
                if (now := _spent(process.pid)) != spent:
                    spent, worked = now, time.monotonic()
                elif time.monotonic() - worked > _IDLE_SECONDS:
                    is_late = True
                    process.kill()
        finally:
            process.kill()
            process.wait()
    check()
    if answer:
        made: dict[str, Any] = json.loads(answer)
        return made
    words = err.read_text(errors='replace').strip().splitlines()
    return {'refused': f'{file}: {_end(-process.returncode, is_late, words)}'}


def _spent(pid: int) -> int:
    """Returns the processor time that a process has had, in ticks; where none is said, the time."""
    try:
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
        return int(fields[11]) + int(fields[12])
    except (OSError, IndexError, ValueError):
        return time.monotonic_ns()


def _end(number: int, is_late: bool, words: Sequence[str]) -> str:
    """Says how the process ended that was to answer, by the number of its signal."""
    if is_late:
        return f'refused, for a trial of it stands still for {_IDLE_SECONDS:.0f} seconds'
    if number == signal.SIGXCPU:
        return f'refused, for a trial of it takes more than {SECONDS} s of processor time{_LET}'
    if number == signal.SIGKILL or any('bad_alloc' in line for line in words):
        return f'refused, for a trial of it takes too much memory{_LET}'
    if number > 0:
        return f'refused, for a trial of it ends the process ({signal.Signals(number).name})'
    return f'cannot be tried ({words[-1] if words else f"exit code {-number}"})'


def answer() -> None:
    """Tries the graph that the command line names, under limits; prints the answer as JSON."""
    asked = json.loads(sys.argv[2])
    answered = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    file, most = f'{saved_graph.prefix_of(asked["path"])}.meta', 0
    if not asked['trusted']:
        most = _limited(asked)
    too_much = f'takes more than {most / 1e9:.1f} GB of memory{_LET}'
    try:
        said: dict[str, Any] = {'doubts': doubts(asked)}
    except DataError as error:
        said = {'refused': str(error)}
    except (MemoryError, tf.errors.ResourceExhaustedError):
        said = {'refused': f'{file}: refused, for a trial of it {too_much}'}
    except tf.errors.OpError as error:
        said = {'refused': f'{file}: fails on the first examples ({weights.words_of(error)})'}
    except Exception as error:  # whatever it is, it is the graph's: the caller has the words
        words = f'{type(error).__name__}: {weights.words_of(error)}'
        said = {'refused': f'{file}: cannot be used ({words})'}
    answered.write(json.dumps(said))
    answered.flush()
    os._exit(0)  # what a broken graph has left is not tidied up


def _limited(asked: Mapping[str, Any]) -> int:
    """Limits the memory and time of this process from now on; returns the bytes it may take."""
    prefix = saved_graph.prefix_of(asked['path'])
    held = sum(file.stat().st_blocks * 512 for file in weights.data_files(prefix))
    inputs = Path(asked['examples']).stat().st_size
    most = _BYTES + _OF_WEIGHTS * held + _OF_INPUTS * inputs
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(used.ru_utime + used.ru_stime) + SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 2))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # where memory is not told of in this way, as on a Mac
        status = Path('/proc/self/status').read_text()
        held = int(re.findall(r'VmData:\s+(\d+)', status)[0]) << 10
        resource.setrlimit(resource.RLIMIT_DATA, (held + most, held + most))
    return most


def doubts(asked: Mapping[str, Any]) -> list[str]:
    """Runs a graph on examples; returns what is doubtful about its codes, in words.

    `asked` is what `tried` asks another process. Raises DataError where they are none, and whatever
    reading and running the graph raises.
    """
    with np.load(asked['examples'], allow_pickle=False) as held:
        x, steps = held['x'], held['length']
    length = steps if len(steps) else None
    found: dict[str, None] = {}
    for wanted in asked['wanted']:
        layer = 0 if wanted else asked['layer']
        restored = saved_graph.read(
            asked['path'], tuple(wanted), layer=layer, trusted=asked['trusted']
        )
        shape = restored.shape_for(x.shape[1:], tuple(asked['shape']))
        size = math.prod(shape)
        if size <= math.prod(x.shape[1:]):  # as of patches; more are said where it is used
            examples = x.reshape(len(x), -1)[:, :size].reshape(len(x), *shape)
            found |= dict.fromkeys(_run(restored, examples, length, asked['trusted']))
    return list(found)


def _run(
    restored: saved_graph.SavedGraph, x: np.ndarray, length: np.ndarray | None, trusted: bool
) -> list[str]:
    """Does `doubts` of a graph that was read, on examples in its shape."""
    file, doubts = f'{restored.prefix}.meta', []
    settings = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=2)
    with tf.Graph().as_default(), tf.Session(config=settings) as session:
        X = tf.placeholder(tf.float32, [None, *x.shape[1:]])
        counts = restored.counts_steps and length is not None
        counted = tf.placeholder(tf.int32, [None]) if counts else None
        tensors = restored.tower(X, counted)
        weights.load(session, restored.variables)
        name = next(name for name in FLAT if name in tensors)

        def codes(count: int) -> np.ndarray:
            fed = x[:count]
            feeds = {X: fed}
            if counted is not None and length is not None:
                feeds[counted] = length[:count]
            made: np.ndarray = session.run(tensors, feeds)[name]
            if len(made) != len(fed):
                raise DataError(f'{file}: gives {len(made)} rows of {name}:0 for {len(fed)} of X:0')
            if not np.isfinite(made).all():
                raise DataError(f'{file}: its {name}:0 has NaN or infinity on the first examples')
            return made

        first = codes(_FEW)
        began = time.perf_counter()
        again = codes(_FEW)
        spent = time.perf_counter() - began
        if not _equal(first, again):
            doubts.append('encodes the same examples differently each time')
            if not trusted:
                raise DataError(f'{file}: refused, for it {doubts[0]}{_LET}')
        elif not _equal(first[:-1], codes(len(first) - 1)):
            doubts.append('what it makes of an example depends on the others in a batch')
        many = codes(max(_FEW, int(_FEW * _MOST_SECONDS / spent)))
        if (many == many[:1]).all() and not (x[: len(many)] == x[:1]).all():
            doubts.append(f'makes the same {name}:0 of all of the first {len(many)} examples')
    return doubts


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether codes are the same but for rounding."""
    scale = max(1e-30, float(np.abs(one).max(initial=0.0)))
    return bool((np.abs(one - other) <= _CLOSE * scale).all())
