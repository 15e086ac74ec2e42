"""Distances, KL terms and penalties, all of natural logarithms.

What belongs to an example is [batch]-shaped, so that the caller reduces it once: likelihoods and
Gaussian KL terms are nats an example, summed over features and code units. Penalties are scalars.
"""

from __future__ import annotations

import math
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


def cosine(outputs: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns 1 - the cosine of the angle between output and target, [batch]; 1 where one is 0."""
    outputs, target = (tf.nn.l2_normalize(_per_example(t), axis=1) for t in (outputs, target))
    return 1.0 - tf.reduce_sum(outputs * target, axis=1)


def bernoulli_nll(logits: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns -sum(x log p + (1 - x) log(1 - p)), p = sigmoid(logits), in nats, [batch]."""
    nats = tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=logits)
    return tf.reduce_sum(_per_example(nats), axis=1)


def gaussian_nll(mean: tf.Tensor, target: tf.Tensor, log_var: tf.Tensor) -> tf.Tensor:
    """Returns -log N(target; mean, exp(log_var)) summed over features, in nats, [batch]."""
    squares = tf.square(target - mean) * tf.exp(-log_var)
    return 0.5 * tf.reduce_sum(_per_example(squares + log_var + math.log(2 * math.pi)), axis=1)


def laplace_nll(median: tf.Tensor, target: tf.Tensor, log_scale: tf.Tensor) -> tf.Tensor:
    """Returns -log Laplace(target; median, exp(log_scale)) summed over features, nats, [batch]."""
    distances = tf.abs(target - median) * tf.exp(-log_scale)
    return tf.reduce_sum(_per_example(distances + log_scale + math.log(2)), axis=1)


def psnr(outputs: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns the peak signal-to-noise ratio of pictures in [0, 1], cut to it, in dB, [batch]."""
    error = mse(tf.clip_by_value(outputs, 0.0, 1.0), target)
    return -10.0 / math.log(10) * tf.log(tf.maximum(error, 1e-10))


def ssim(outputs: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns the structural similarity of pictures, [batch, H, W, C] in [0, 1], [batch].

    Wang et al. 2004, windows of 11 x 11; the outputs are cut to [0, 1].
    """
    return tf.image.ssim(tf.clip_by_value(outputs, 0.0, 1.0), target, max_val=1.0)


def gaussian_kl(mean: tf.Tensor, log_var: tf.Tensor) -> tf.Tensor:
    """Returns KL(N(mean, exp(log_var)) || N(0, I)) in nats, [batch] (Kingma and Welling 2014)."""
    terms = tf.exp(log_var) + tf.square(mean) - 1.0 - log_var
    return 0.5 * tf.reduce_sum(_per_example(terms), axis=1)


def importance_bound(log_weights: tf.Tensor) -> tf.Tensor:
    """Minus the importance-weighted bound on log p(x), [N], of log p(x, z) / q(z | x), [K, N].

    Burda et al. 2016; of one code, in expectation, the evidence lower bound.
    """
    count = tf.cast(tf.shape(log_weights)[0], tf.float32)
    return tf.math.log(count) - tf.reduce_logsumexp(log_weights, axis=0)


def sparsity_kl(activations: tf.Tensor, target: float) -> tf.Tensor:
    """Returns sum_j KL(Bernoulli(target) || Bernoulli(mean activation of unit j)), a scalar.

    `activations`, [batch, units], are in (0, 1); the mean is the batch's (Ng 2011, CS294A).
    """
    mean = tf.clip_by_value(tf.reduce_mean(activations, axis=0), 1e-6, 1 - 1e-6)
    return tf.reduce_sum(
        target * (math.log(target) - tf.log(mean))
        + (1 - target) * (math.log(1 - target) - tf.log1p(-mean))
    )


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns -log softmax(logits)[label] in nats, [batch]; logits [batch, classes], labels int."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


def sigmoid_cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns -sum of log sigmoid(logits)[label] and log(1 - sigmoid) of the others, nats, [batch].

    A label below zero is unknown and counts nothing.
    """
    wanted = tf.one_hot(labels, int(logits.shape[-1]))
    nats = tf.nn.sigmoid_cross_entropy_with_logits(labels=wanted, logits=logits)
    return tf.where_v2(labels >= 0, tf.reduce_sum(nats, axis=1), 0.0)


def correct(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns 1.0 where the largest logit is the label's, [batch]."""
    return tf.cast(tf.equal(tf.argmax(logits, axis=1, output_type=tf.int32), labels), tf.float32)


def l2(kernels: Sequence[tf.Tensor], scale: float) -> tf.Tensor:
    """Returns scale * sum(kernel ** 2) / 2 over all kernels, a scalar, as contrib's l2 did."""
    return scale * tf.add_n([tf.nn.l2_loss(kernel) for kernel in kernels])
