"""Layers over get_variable: a dense layer with its inverse, and dropout.

Each function opens the variable scope it is named by, so that layer k's variables are `layerk/...`
and one pattern selects one greedy phase. Importing this module switches TensorFlow to TF1 behaviour
(graphs, sessions, control flow of the first kind) for the process.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()

ACTIVATION = {
    'linear': tf.identity,
    'elu': tf.nn.elu,
    'relu': tf.nn.relu,
    'sigmoid': tf.sigmoid,
    'tanh': tf.tanh,
}
_SCALING = {'he': (2.0, 'fan_in'), 'he_avg': (2.0, 'fan_avg'), 'glorot': (1.0, 'fan_avg')}


def kernel_variable(name: str, shape: tuple[int, ...], initializer: str, seed: int) -> tf.Variable:
    """Returns a kernel whose initial values depend on (seed, its full name) alone."""
    scale, mode = _SCALING[initializer]
    full_name = f'{tf.get_variable_scope().name}/{name}'
    keyed = tf.variance_scaling_initializer(
        scale, mode, 'truncated_normal', seed=zlib.crc32(f'{seed}:{full_name}'.encode())
    )
    return tf.get_variable(name, shape, initializer=keyed, use_resource=True)


def bias_variable(name: str, units: int) -> tf.Variable:
    """Returns a bias, [units], that starts at zero."""
    return tf.get_variable(name, [units], initializer=tf.zeros_initializer(), use_resource=True)


class DensePair(NamedTuple):
    """A dense layer [inputs -> units] and the layer that inverts it [units -> inputs]."""

    kernel: tf.Variable  # [inputs, units]
    bias: tf.Variable  # [units]
    decoder_kernel: tf.Variable | None  # [units, inputs]; None where tied
    decoder_bias: tf.Variable  # [inputs]

    def encode(self, inputs: tf.Tensor, activation: str) -> tf.Tensor:
        """Returns activation(inputs @ kernel + bias), [N, units]."""
        return ACTIVATION[activation](tf.matmul(inputs, self.kernel) + self.bias)

    def decode(self, codings: tf.Tensor, activation: str) -> tf.Tensor:
        """Returns activation(codings @ decoder kernel + decoder bias), [N, inputs]."""
        if self.decoder_kernel is None:
            product = tf.matmul(codings, self.kernel, transpose_b=True)
        else:
            product = tf.matmul(codings, self.decoder_kernel)
        return ACTIVATION[activation](product + self.decoder_bias)

    @property
    def kernels(self) -> list[tf.Variable]:
        """The kernels there are, each once."""
        return [k for k in (self.kernel, self.decoder_kernel) if k is not None]


def dense_pair(
    scope: str, inputs: int, units: int, *, tied: bool, initializer: str, seed: int
) -> DensePair:
    """Makes or reuses the variables of a dense layer and its inverse, under `scope`."""
    with tf.variable_scope(scope):
        return DensePair(
            kernel=kernel_variable('kernel', (inputs, units), initializer, seed),
            bias=bias_variable('bias', units),
            decoder_kernel=None
            if tied
            else kernel_variable('decoder_kernel', (units, inputs), initializer, seed),
            decoder_bias=bias_variable('decoder_bias', inputs),
        )


def dense(
    scope: str, inputs: tf.Tensor, units: int, *, activation: str, initializer: str, seed: int
) -> tf.Tensor:
    """Returns activation(inputs @ kernel + bias), [N, units], with variables under `scope`."""
    with tf.variable_scope(scope):
        kernel = kernel_variable('kernel', (int(inputs.shape[-1]), units), initializer, seed)
        return ACTIVATION[activation](tf.matmul(inputs, kernel) + bias_variable('bias', units))


class Mode(NamedTuple):
    """Whether a tower trains, and what keys its random numbers.

    `training` is False, True or a bool tensor; `seed` is an int tensor of shape [2] that differs
    for every step, or None for masks drawn afresh at every run (the exported graph).
    """

    training: bool | tf.Tensor = False
    seed: tf.Tensor | None = None


def dropout(inputs: tf.Tensor, rate: float, mode: Mode, salt: int) -> tf.Tensor:
    """Zeroes a share `rate` of the inputs in training, scaling up the rest; `salt` is its own."""
    if not rate or mode.training is False:
        return inputs
    if mode.seed is not None:
        return tf.nn.experimental.stateless_dropout(inputs, rate, seed=mode.seed + [salt, 0])
    return tf.nn.dropout(inputs, rate=rate * tf.cast(mode.training, tf.float32))


def mask(inputs: tf.Tensor, share: float, seed: tf.Tensor) -> tf.Tensor:
    """Sets a share of the inputs to zero (masking noise, Vincent et al. 2010), keyed on `seed`."""
    if not share:
        return inputs
    drawn = tf.random.stateless_uniform(tf.shape(inputs), seed)
    return inputs * tf.cast(drawn >= share, inputs.dtype)
