"""The session: threads and precision, in one place."""

from __future__ import annotations

from pathlib import Path

import tensorflow.compat.v1 as tf


def config(precision: str) -> tf.ConfigProto:
    """Returns the session's settings; 'bfloat16' turns on oneDNN's rewrite of matrix products."""
    settings = tf.ConfigProto()
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
