"""The weights of a saved graph: a checkpoint's values, read as data and checked, or set."""

from __future__ import annotations

import glob
import hashlib
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from networks.session import assign
from system import names
from system.errors import DataError


class Declared(NamedTuple):
    """What a graph says of one of its variables."""

    dtype: tf.DType
    shape: tf.TensorShape


@contextmanager
def opened(prefix: str) -> Iterator[Any]:
    """Opens a saved graph's weights; raises DataError where they cannot be read."""
    for file in (Path(f'{prefix}.index'), *data_files(prefix)):
        if os.path.lexists(file) and not file.is_file():
            raise DataError(f'{file}: is no file')
    if os.path.lexists(f'{prefix}.index') and not data_files(prefix):
        raise DataError(f'{prefix}.data-00000-of-00001: is missing, and holds the weights')
    try:
        yield tf.train.load_checkpoint(names.plain(prefix))
    except (tf.errors.OpError, IndexError, RuntimeError, ValueError, MemoryError) as error:
        raise DataError(f'{prefix}: the checkpoint cannot be read ({words_of(error)})') from None


def values(
    prefix: str, declared: Mapping[str, Declared], *, alone: bool = False
) -> dict[str, np.ndarray]:
    """Reads the variables of a saved graph, as data; `alone` there may be no others.

    Raises DataError for a checkpoint that cannot be read, and one that lists all variables that are
    missing, of another type or shape than declared, longer than the file, or not finite.
    """
    with opened(prefix) as checkpoint:
        shapes, dtypes = (
            checkpoint.get_variable_to_shape_map(),
            checkpoint.get_variable_to_dtype_map(),
        )
        held = sum(file.stat().st_size for file in data_files(prefix))
        faults, found = [], {}
        for name, wanted in declared.items():
            if name not in shapes:
                faults.append(f'{name} is missing')
            elif not wanted.shape.is_compatible_with(shapes[name]) or wanted.dtype != dtypes[name]:
                is_ = f'{dtypes[name].name} {shapes[name]}'
                faults.append(f'{name} is {is_}, not {wanted.dtype.name} {wanted.shape}')
            elif math.prod(shapes[name]) * wanted.dtype.size > held:
                faults.append(f'{name} is longer than the file')
            else:
                found[name] = checkpoint.get_tensor(name)
                if wanted.dtype.is_floating and not np.isfinite(found[name]).all():
                    faults.append(f'{name} has NaN or infinity')
        # A head on pooled codes keeps what its parent brings outputs back by, and has no outputs.
        idle = (n for n in sorted(shapes.keys() - declared) if not n.startswith('standardize/'))
        faults += [f'{name} is of no use' for name in idle if alone]
        if faults:
            raise DataError(f'{prefix}: the weights do not fit the graph: {"; ".join(faults)}')
        return found


def data_files(prefix: str) -> list[Path]:
    """Returns the files that hold a saved graph's weights."""
    return list(Path(prefix).parent.glob(f'{glob.escape(Path(prefix).name)}.data-*'))


def is_whole(prefix: str) -> bool:
    """Whether all files of a saved graph are there, be there in them what will."""
    files = (Path(f'{prefix}{ending}') for ending in ('.meta', '.index'))
    return all(file.is_file() for file in files) and bool(data_files(prefix))


def checksum(variables: Mapping[str, np.ndarray]) -> str:
    """Returns the sha256 (16 hex digits) of the variables' names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name in sorted(variables):
        value = np.ascontiguousarray(variables[name])
        digest.update(f'{name} {value.dtype} {value.shape}\n'.encode())
        digest.update(value.tobytes())
    return digest.hexdigest()[:16]


def load(session: tf.Session, values: Mapping[str, np.ndarray]) -> None:
    """Sets the named variables of the session's graph, adding no operation to it."""
    made = {v.op.name: v for v in session.graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)}
    assign(session, {made[name]: value for name, value in values.items()})


def words_of(error: Exception) -> str:
    """Returns the line in which an operation says why it failed; of other errors the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ['']
    places = [i for i, line in enumerate(lines) if line.startswith('[[{{node')]
    return names.unlinked(lines[places[0] - 1] if places and places[0] else lines[0])[:200]
