"""The session: its threads and precision, and what it says of a full disk or memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

from system.errors import Exhausted
from system.names import unlinked

_EXHAUSTED = ('No space left', 'OOM', 'ermission denied', 'Read-only')


def config(precision: str, shape: tuple[int, ...]) -> tf.ConfigProto:
    """Returns the settings of a session that is fed examples of that shape.

    'bfloat16' turns on oneDNN's rewrite of matrix products. Of pictures, [H, W, C], one operation
    runs at a time: on two cores a step of the bench's convolutions took 61 ms so, and 64 with two
    at once (on a busy machine 76 and 94); a dense step got slower, 7.1 ms for 5.3.
    """
    settings = tf.ConfigProto()
    if len(shape) > 2:
        settings.session_inter_op_thread_pool.add(num_threads=1, global_name='one at a time')
    if precision == 'bfloat16':
        rewrites = settings.graph_options.rewrite_options
        rewrites.auto_mixed_precision_onednn_bfloat16 = 1
    return settings


def has_bfloat16() -> bool:
    """Whether the CPU says that it has bfloat16 instructions; True where it cannot be asked."""
    try:
        flags = Path('/proc/cpuinfo').read_text()
    except OSError:
        return True
    return 'avx512_bf16' in flags or 'amx_bf16' in flags or 'flags' not in flags


@contextmanager
def exhaustion_said() -> Iterator[None]:
    """Raises Exhausted, one line, for what TensorFlow says at length of a full disk or memory."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, tf.errors.PermissionDeniedError) as error:
        said = [line for line in str(error).splitlines() if any(w in line for w in _EXHAUSTED)]
        detail = said[0] if said else error.message.splitlines()[0]
        raise Exhausted(f'{unlinked(detail.strip())}; what was saved before is kept') from None


def assign(session: tf.Session, variable: tf.Variable, value: np.ndarray) -> None:
    """Sets a variable by feeding what its initializer writes, with no operation added."""
    initializer = variable.initializer
    _, written = initializer.inputs
    session.run(initializer, {written: value})
