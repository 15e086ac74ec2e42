"""The session: its threads and precision, and what it says of a full disk or memory."""

from __future__ import annotations

import ctypes
import functools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tensorflow.compat.v1 as tf

from system.errors import Exhausted
from system.lines import say
from system.names import unlinked
from system.quiet import silent

A = TypeVar('A')
B = TypeVar('B')
# Of every session of the process, also those that ask for nothing: or else the first one takes all
# of a GPU's memory, from each of several runs at once too.
os.environ.setdefault('TF_FORCE_GPU_ALLOW_GROWTH', 'true')
_GLOBAL_POOL = '_ZN10tensorflow11LocalDevice22use_global_threadpool_E'
_EXHAUSTED = ('No space left', 'OOM', 'ermission denied', 'Read-only')


def config(precision: str, shape: tuple[int, ...], parts: int = 1) -> tf.ConfigProto:
    """Returns the settings of a session that is fed examples of that shape, a batch in parts.

    'bfloat16' turns on oneDNN's rewrite of matrix products. Of several parts each is computed by
    operations of one thread, and as many of these run at once as there are cores: how many those
    are decides no bit, since no sum is divided among threads. Of one part all cores compute each
    operation. Of pictures, [H, W, C], then one operation runs at a time: on two cores a step of the
    bench's convolutions took 61 ms so, and 64 with two at once (on a busy machine 76 and 94); a
    dense step got slower, 7.1 ms for 5.3.
    """
    settings = tf.ConfigProto()
    if parts > 1:
        settings.intra_op_parallelism_threads = 1
    elif len(shape) > 2:
        settings.session_inter_op_thread_pool.add(num_threads=1, global_name='one at a time')
    _ASKED.add(settings.intra_op_parallelism_threads)
    if len(_ASKED) > 1 and not HAS_OWN_THREADS:
        _warn_of_threads()
    if _SERVED:
        settings.experimental.collective_group_leader = '/job:worker/replica:0/task:0'
        settings.device_filters.append(_SERVED['device'])
    if precision == 'bfloat16':
        rewrites = settings.graph_options.rewrite_options
        rewrites.auto_mixed_precision_onednn_bfloat16 = 1
    return settings


def opened(settings: tf.ConfigProto) -> tf.Session:
    """Opens a session on the current graph: where this is a worker of a cluster, on its server."""
    return tf.Session(_SERVED.get('target', ''), config=settings)


def serve(addresses: Sequence[str], index: int) -> Callable[[], None]:
    """Makes this process a worker: makes its server, which all later sessions are on.

    Returns what has it answer other workers. Its operations are of one thread each, as of a batch
    in parts. Raises Exhausted where the address cannot be had.
    """
    _SERVED['device'] = f'/job:worker/task:{index}'
    cluster, settings = {'worker': [*addresses]}, config('float32', (), parts=len(addresses))
    try:
        server = tf.train.Server(cluster, 'worker', index, config=settings, start=False)
    except tf.errors.OpError as error:
        raise Exhausted(f'{addresses[index]}: cannot be listened on ({error.message})') from None
    _SERVED['target'] = server.target
    _SERVED['server'] = server  # which ends where nothing holds it
    return server.start


_SERVED: dict[str, Any] = {}  # of a worker of a cluster: its server, target and device


def _give_own_threads() -> bool:
    """Lets each session of this process have the threads that it asks for; returns whether it can.

    By default the first session's are everybody's. This is a switch of TensorFlow that Python
    cannot reach by a name of its own.
    """
    try:
        library = min(Path(tf.sysconfig.get_lib()).glob('libtensorflow_framework.*'))
        ctypes.c_bool.in_dll(ctypes.CDLL(str(library)), _GLOBAL_POOL).value = False
    except (OSError, ValueError):
        return False
    return True


HAS_OWN_THREADS = _give_own_threads()
_ASKED: set[int] = set()  # threads an operation, by the sessions of this process


@functools.cache
def _warn_of_threads() -> None:
    say(
        'warning: this TensorFlow gives all sessions of a process the threads of its first one; '
        'last bits may differ from those of a run in a process of its own'
    )


@functools.cache
def gpus() -> tuple[str, ...]:
    """Returns the names of the GPUs that TensorFlow sees; says so where it could use some."""
    if not tf.test.is_built_with_gpu_support():
        return ()
    with silent():
        seen = tf.config.list_physical_devices('GPU')
    if not seen:
        say('TensorFlow sees no GPU that it can use; runs on the CPU')
    details = map(tf.config.experimental.get_device_details, seen)
    return tuple(found.get('device_name', 'GPU') for found in details)


def in_order(compute: Callable[[A], B], inputs: Iterable[A], at_once: int) -> Iterator[B]:
    """Yields what is computed of each input, in their order, of so many at the same time."""
    if at_once == 1:
        yield from map(compute, inputs)
        return
    with ThreadPoolExecutor(at_once) as pool:
        begun: deque[Future[B]] = deque()
        for one in inputs:
            begun.append(pool.submit(compute, one))
            if len(begun) > at_once:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def has_onednn() -> bool:
    """Whether TensorFlow computes by oneDNN here, which alone rounds to bfloat16.

    By itself it does on CPUs that have instructions for neural networks, by `kernels.choose` on
    those with AVX2 too; True where it does not say.
    """
    try:
        from tensorflow.python.util import _pywrap_util_port as asked
    except ImportError:
        return True
    return not hasattr(asked, 'IsMklEnabled') or bool(asked.IsMklEnabled())


@contextmanager
def exhaustion_said() -> Iterator[None]:
    """Raises Exhausted, one line, for what TensorFlow says at length of a full disk or memory."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, tf.errors.PermissionDeniedError) as error:
        said = [line for line in str(error).splitlines() if any(w in line for w in _EXHAUSTED)]
        detail = said[0] if said else error.message.splitlines()[0]
        raise Exhausted(f'{unlinked(detail.strip())}; what was saved before is kept') from None


def assign(session: tf.Session, values: Mapping[tf.Variable, np.ndarray]) -> None:
    """Sets variables by feeding what their initializers write, with no operation added."""
    writes = {variable.initializer: value for variable, value in values.items()}
    if writes:
        session.run(list(writes), {op.inputs[1]: value for op, value in writes.items()})
