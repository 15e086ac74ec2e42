"""Arrays in files, mapped into memory as they are read and written."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from system.errors import Exhausted


def made(file: Path, shape: tuple[int, ...], dtype: Any, what: str, remedy: str) -> np.memmap:
    """Makes an `.npy` of that shape, to be filled; all of its bytes are the file's from the start.

    A map on a disk that fills up would end the process. Raises Exhausted, with `what` it is of and
    the `remedy`, where the disk has less.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    free = shutil.disk_usage(file.parent).free
    if size > free:
        raise Exhausted(
            f'{file}: {what} takes {size:,} bytes, the disk has {free:,} left; {remedy}'
        )
    mapped = np.lib.format.open_memmap(file, 'w+', dtype, shape)
    if hasattr(os, 'posix_fallocate'):
        with open(file, 'rb+') as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    return mapped
