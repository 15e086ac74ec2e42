"""The codes of a restored graph, as they are promised: [N, units], float32."""

from __future__ import annotations

import math

import tensorflow.compat.v1 as tf

from system.errors import DataError

FLAT = ('codings', 'logits')  # tensors of a number of columns, which is known before all else
WIDEST = 1 << 18  # columns, of which a thousand rows take a gigabyte


def fitted(
    name: str, tensor: tf.Tensor, rows: int | None, file: str, trusted: bool = False
) -> tf.Tensor:
    """Returns a tensor of a graph as [N, units], float32: maps flattened, other floats cast.

    `rows` is how many X:0 has, where that is known. Raises DataError, one line, for what is none:
    no floats, no known shape, no row an example, no column, or more columns than are held in
    memory, unless it is `trusted`.
    """
    shape, said = tensor.shape, f'{file}: its {name}:0 '
    if not tensor.dtype.is_floating:
        raise DataError(f'{said}is of {tensor.dtype.name}, where floats are needed')
    if shape.rank is None:
        raise DataError(f'{said}has no known shape; give it one with set_shape, [None, units]')
    sizes = shape.as_list()
    if len(sizes) < 2:
        raise DataError(f'{said}is of shape {sizes}, where [N, units] is needed')
    if None in sizes[1:]:
        raise DataError(f'{said}is of shape {sizes}, of which N alone may be open; use set_shape')
    if sizes[0] not in (None, rows):
        raise DataError(f'{said}has {sizes[0]} rows, however many X:0 has')
    units = math.prod(sizes[1:])
    if not units:
        raise DataError(f'{said}is of shape {sizes}, which holds no number')
    if units > WIDEST and not trusted:
        raise DataError(
            f'{said}has {units:,} numbers an example, more than {WIDEST:,}, of which a thousand '
            'examples take a gigabyte; --trust_graph takes it'
        )
    if len(sizes) > 2:
        tensor = tf.reshape(tensor, [-1, units])
    return as_float32(tensor)


def unfitted(tensor: tf.Tensor, was: tf.Tensor) -> tf.Tensor:
    """Returns a tensor that was `fitted` in the shape and of the type that it `was`."""
    if was.shape.rank != 2:
        tensor = tf.reshape(tensor, [-1, *was.shape.as_list()[1:]])
    return tensor if tensor.dtype == was.dtype else tf.cast(tensor, was.dtype)


def as_float32(tensor: tf.Tensor) -> tf.Tensor:
    """Returns a tensor of floats as float32: itself, where it is."""
    return tensor if tensor.dtype.base_dtype == tf.float32 else tf.cast(tensor, tf.float32)
