"""What was computed of a data set alone, kept beside its records for the runs to come."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path

import numpy as np
import sklearn
from filelock import FileLock

from inputs.rows import Dataset
from system import disk

FILE = 'baselines.json'
_MOST = 1 << 20  # bytes of the file that are read
_PATIENCE = 10  # seconds with another process, before the figures go unkept

Figures = dict[str, float]


def figures(data: Dataset, of: tuple[Hashable, ...], compute: Callable[[], Figures]) -> Figures:
    """Returns the figures, computed where no earlier run has left them.

    `of` says what they are of, besides the examples as they are laid out. They are kept in
    `baselines.json` in the folder of the data's records, where there is one that can be written.
    A damaged file is written again.
    """
    if not data.folder:
        return compute()
    versions = (np.__version__, sklearn.__version__)
    key = repr((of, data.digest, data.tested, data.spec.shape, data.spec.future, versions))
    file = data.folder / FILE
    if key in (kept := _read(file)):
        return kept[key]
    found = compute()
    with suppress(OSError), FileLock(f'{data.folder}.lock', timeout=_PATIENCE):
        disk.write_json(file, {**_read(file), key: found})
    return found


def _read(file: Path) -> dict[str, Figures]:
    """Returns the entries of a file that are figures; none of one that is damaged, or not there."""
    try:
        entries = json.loads(disk.read_regular(file, _MOST))
        return {
            key: found for key, found in entries.items() if all(map(_is_figure, found.values()))
        }
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def _is_figure(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)
