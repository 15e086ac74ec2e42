"""What is counted of sequences, [N, T, features]: the steps before an example's `length`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import tensorflow.compat.v1 as tf

from networks import losses
from networks.endpoints import Lazy
from networks.layers import group

_SUMMED = ('nll', 'squared_error')  # over steps; other losses are means


def masked(values: tf.Tensor, length: tf.Tensor | None) -> tf.Tensor:
    """Returns [N, T, features] with zeros from step `length` on."""
    if length is None:
        return values
    with group('masked'):
        return values * tf.sequence_mask(length, int(values.shape[1]), tf.float32)[:, :, None]


def over_steps(
    name: str,
    loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    made: tf.Tensor,
    target: tf.Tensor,
    length: tf.Tensor | None,
) -> tf.Tensor:
    """Returns a loss of single steps, (made, target) [n, features] -> [n], for sequences, [N].

    It is the sum or the mean over the steps that count.
    """
    steps, features = map(int, made.shape[1:])
    values = loss(tf.reshape(made, [-1, features]), tf.reshape(target, [-1, features]))
    values, counted = tf.reshape(values, [-1, steps]), tf.cast(steps, tf.float32)
    if length is not None:
        values *= tf.sequence_mask(length, steps, tf.float32)
        counted = tf.cast(length, tf.float32)
    total = tf.reduce_sum(values, axis=1)
    return total if name in _SUMMED else total / counted


def step_metrics(
    prefix: str, made: tf.Tensor, target: tf.Tensor, length: tf.Tensor | None
) -> dict[str, Lazy]:
    """Returns the distances of sequences made and wanted, [N, T, D], by name after `prefix`."""
    known = {
        'mse': losses.mse,
        'squared_error': losses.squared_error,
        'mae': losses.mae,
        'cosine': losses.cosine,
    }
    return {
        f'{prefix}{name}': partial(over_steps, name, loss, made, target, length)
        for name, loss in known.items()
    }
