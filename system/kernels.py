"""What the CPU says of itself, and by which kernels TensorFlow is to compute on it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

_ONEDNN = 'TF_ENABLE_ONEDNN_OPTS'
_CHOSEN_BY = re.compile(r'sse4_[12]|avx\w*|fma|f16c|amx_\w+')  # instructions of a CPU
_BY_ITSELF = re.compile(r'avx512_(vnni|bf16)|avx_vnni|amx_\w+')  # TensorFlow turns it on
_SAYS = Path('/proc/cpuinfo')


def choose() -> None:
    """Turns oneDNN on where the CPU has AVX2, nobody chose, and TensorFlow is still to be imported.

    By itself TensorFlow turns it on only where there are instructions for neural networks.
    docs/speed.md says what it gains without them.
    """
    if _ONEDNN in os.environ or 'tensorflow' in sys.modules:
        return
    known = instructions()
    if 'avx2' in known and not any(map(_BY_ITSELF.fullmatch, known)):
        os.environ[_ONEDNN] = '1'
        _CHOSEN.add(_ONEDNN)


_CHOSEN: set[str] = set()  # variables that are not the user's


def asked() -> dict[str, str]:
    """Returns the environment without what was chosen here: on another CPU it is chosen anew."""
    return {name: value for name, value in os.environ.items() if name not in _CHOSEN}


def instructions() -> list[str]:
    """Returns those of the CPU's instructions that code is chosen by; none where it says none."""
    return sorted(name for name in _said_of_cpu('flags').split() if _CHOSEN_BY.fullmatch(name))


def has_bfloat16() -> bool:
    """Whether the CPU says that it has bfloat16 instructions; True where it cannot be asked."""
    known = instructions()
    return not known or 'avx512_bf16' in known or 'amx_bf16' in known


def cpu() -> str:
    """Returns the name of the CPU's model, '' where it says none: its caches divide up sums."""
    return _said_of_cpu('model name')


def _said_of_cpu(name: str) -> str:
    try:
        with _SAYS.open() as lines:
            found = next((line for line in lines if line.startswith(name)), '')
    except OSError:
        return ''
    return found.partition(':')[2].strip()
