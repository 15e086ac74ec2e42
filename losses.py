"""Distances and penalties. A distance is [batch]-shaped, so that the caller reduces it once."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow.compat.v1 as tf


def _per_example(values: tf.Tensor) -> tf.Tensor:
    return tf.reshape(values, [tf.shape(values)[0], -1])


def mse(outputs: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns the squared error averaged over an example's features, [batch]."""
    return tf.reduce_mean(_per_example(tf.square(outputs - target)), axis=1)


def squared_error(outputs: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns the squared error summed over an example's features, [batch]."""
    return tf.reduce_sum(_per_example(tf.square(outputs - target)), axis=1)


def mae(outputs: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns the absolute error averaged over an example's features, [batch]."""
    return tf.reduce_mean(_per_example(tf.abs(outputs - target)), axis=1)


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns -log softmax(logits)[label] in nats, [batch]; logits [batch, classes], labels int."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


def correct(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns 1.0 where the largest logit is the label's, [batch]."""
    return tf.cast(tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels), tf.float32)


def l2(kernels: Sequence[tf.Tensor], scale: float) -> tf.Tensor:
    """Returns scale * sum(kernel ** 2) / 2 over all kernels, a scalar, as contrib's l2 did."""
    return scale * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])
