"""Layers over get_variable: dense, convolution, batch norm, dropout, corruption, sampling.

Each function opens the variable scope it is named by, so that layer k's variables are `layerk/...`
and one pattern selects one greedy phase. Importing this module switches TensorFlow to TF1 behaviour
(graphs, sessions, control flow of the first kind) for the process.
"""

from __future__ import annotations

import math
import zlib
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from parameters import Noise

tf.disable_v2_behavior()

ACTIVATION = {
    'linear': tf.identity,
    'elu': tf.nn.elu,
    'relu': tf.nn.relu,
    'sigmoid': tf.sigmoid,
    'tanh': tf.tanh,
}
_SCALING = {  # variance of a kernel's values, times the fan named
    'he': (2.0, 'fan_in'),
    'he_avg': (2.0, 'fan_avg'),
    'glorot': (1.0, 'fan_avg'),
    'lecun': (1.0, 'fan_in'),
    'small': (1 / 3, 'fan_in'),  # as torch.nn.Linear has by default
    'unit': (1.0, 'one'),
}
_LOG_VAR_LIMIT = 10.0
_STRIDE = 2  # of every convolution
_EPSILON = 1e-3  # added to the variance that batch norm divides by
MOMENTUM = 0.98  # share of its moving averages that batch norm keeps at an update
_TRUNCATED = 0.87962566103423978  # deviation of a unit normal cut at +-2


def kernel_variable(
    name: str,
    shape: tuple[int, ...],
    initializer: str,
    seed: int,
    fans: tuple[float, float] | None = None,
) -> tf.Variable:
    """Returns a kernel whose initial values depend on (seed, its full name) alone.

    `fans` are the inputs that add up in one output, and the reverse; of a matrix, its shape.
    """
    full_name = f'{tf.get_variable_scope().name}/{name}'
    keyed = tf.truncated_normal_initializer(
        stddev=_deviation(initializer, *(fans or shape[-2:])) / _TRUNCATED,
        seed=zlib.crc32(f'{seed}:{full_name}'.encode()),
    )
    return tf.get_variable(name, shape, initializer=keyed, use_resource=True)


def _deviation(initializer: str, fan_in: float, fan_out: float) -> float:
    """Returns the standard deviation that the initializer wants of a kernel's values."""
    scale, fan = _SCALING[initializer]
    fans = {'one': 1, 'fan_in': fan_in, 'fan_avg': (fan_in + fan_out) / 2}
    return math.sqrt(scale / fans[fan])


def initial_value(name: str, shape: tuple[int, ...], initializer: str, seed: int) -> np.ndarray:
    """Returns what a variable might begin with: kernels as `kernel_variable`, vectors at zero.

    The scales and variances of batch norm are one.
    """
    if len(shape) < 2:
        return np.full(shape, name.endswith(('gamma', 'variance')), np.float32)
    area = math.prod(shape[:-2])
    deviation = _deviation(initializer, area * shape[-2], area * shape[-1])
    generator = np.random.default_rng(zlib.crc32(f'{seed}:{name}'.encode()))
    return generator.normal(0, deviation, shape).astype(np.float32)


def bias_variable(name: str, units: int) -> tf.Variable:
    """Returns a bias, [units], that starts at zero."""
    return tf.get_variable(name, [units], initializer=tf.zeros_initializer(), use_resource=True)


class Mode(NamedTuple):
    """Whether a tower trains, and what keys its random numbers.

    `training` is False, True or a bool tensor. `seed` is an int tensor of shape [2] that differs
    for every step; None draws afresh at every run where `training` holds (the exported graph). A
    tower with a seed that does not train, as in evaluation, samples codes and drops nothing. In
    `statistics` batch norm leaves, by the name of the variable that follows it, what it has found.
    """

    training: bool | tf.Tensor = False
    seed: tf.Tensor | None = None
    statistics: dict[str, tf.Tensor] | None = None

    @property
    def samples(self) -> bool:
        """Whether what is random may be drawn at all."""
        return self.seed is not None or self.training is not False


class BatchNorm(NamedTuple):
    """Batch normalisation over all but the last axis (Ioffe and Szegedy 2015)."""

    gamma: tf.Variable  # [channels], as all four
    beta: tf.Variable
    moving_mean: tf.Variable
    moving_variance: tf.Variable

    def __call__(self, inputs: tf.Tensor, mode: Mode) -> tf.Tensor:
        """Normalises [N, H, W, channels] by the batch where `mode` trains, else as learned.

        In training the batch's mean and variance are left in `mode.statistics`.
        """
        scale = {'scale': self.gamma, 'offset': self.beta, 'epsilon': _EPSILON}
        if mode.training is True:
            made, *moments = tf.nn.fused_batch_norm(inputs, **scale, is_training=True)
            if mode.statistics is not None:
                names = (variable.op.name for variable in self.moving)
                mode.statistics.update(zip(names, moments, strict=True))
            return made
        moments = [variable.read_value() for variable in self.moving]
        if mode.training is not False:
            pairs = zip(tf.nn.moments(inputs, [0, 1, 2]), moments, strict=True)
            moments = [tf.where_v2(mode.training, batch, learned) for batch, learned in pairs]
        mean, variance = moments
        return tf.nn.fused_batch_norm(
            inputs, **scale, mean=mean, variance=variance, is_training=False
        )[0]

    @property
    def moving(self) -> tuple[tf.Variable, tf.Variable]:
        """The variables that follow the batches' mean and variance."""
        return self.moving_mean, self.moving_variance


def batch_norm(prefix: str, channels: int) -> BatchNorm:
    """Makes or reuses the variables of a batch normalisation, named `<prefix>gamma` and so on."""
    zeros, ones = tf.zeros_initializer(), tf.ones_initializer()

    def variable(name: str, initializer: Any, trainable: bool) -> tf.Variable:
        return tf.get_variable(
            f'{prefix}{name}',
            [channels],
            initializer=initializer,
            trainable=trainable,
            use_resource=True,
        )

    return BatchNorm(
        gamma=variable('gamma', ones, True),
        beta=variable('beta', zeros, True),
        moving_mean=variable('moving_mean', zeros, False),
        moving_variance=variable('moving_variance', ones, False),
    )


Shift = tf.Variable | BatchNorm  # what follows a product: a bias, or a normalisation that has one


def _shift(prefix: str, channels: int, *, normalized: bool) -> Shift:
    return batch_norm(prefix, channels) if normalized else bias_variable(f'{prefix}bias', channels)


def _shifted(product: tf.Tensor, shift: Shift, mode: Mode) -> tf.Tensor:
    return shift(product, mode) if isinstance(shift, BatchNorm) else product + shift


class DensePair(NamedTuple):
    """A dense layer [inputs -> units] and the layer that inverts it, both without activation."""

    kernel: tf.Variable  # [inputs, units]
    bias: tf.Variable  # [units]
    decoder_kernel: tf.Variable | None  # [units, inputs]; None where tied
    decoder_shift: Shift  # [inputs], or [channels] of feature maps
    inputs: tuple[int, ...]  # the shape of an input: (features,), or (H, W, channels)

    def encode(self, inputs: tf.Tensor, mode: Mode) -> tf.Tensor:
        """Returns inputs @ kernel + bias, [N, *inputs] -> [N, units]."""
        return tf.matmul(flattened(inputs), self.kernel) + self.bias

    def decode(self, codings: tf.Tensor, mode: Mode) -> tf.Tensor:
        """Returns codings @ decoder kernel, shifted, [N, units] -> [N, *inputs]."""
        if self.decoder_kernel is None:
            product = tf.matmul(codings, self.kernel, transpose_b=True)
        else:
            product = tf.matmul(codings, self.decoder_kernel)
        if len(self.inputs) > 1:
            product = tf.reshape(product, [-1, *self.inputs])
        return _shifted(product, self.decoder_shift, mode)

    @property
    def outputs(self) -> tuple[int, ...]:
        """The shape of a code."""
        return (int(self.kernel.shape[1]),)

    @property
    def kernels(self) -> list[tf.Variable]:
        """The kernels there are, each once."""
        return [k for k in (self.kernel, self.decoder_kernel) if k is not None]


def dense_pair(
    scope: str,
    inputs: tuple[int, ...],
    units: int,
    *,
    tied: bool,
    initializer: str,
    seed: int,
    normalized: bool = False,
) -> DensePair:
    """Makes or reuses the variables of a dense layer and its inverse, under `scope`.

    `normalized` puts batch norm in place of the inverse's bias.
    """
    features = math.prod(inputs)
    with tf.variable_scope(scope):
        return DensePair(
            kernel=kernel_variable('kernel', (features, units), initializer, seed),
            bias=bias_variable('bias', units),
            decoder_kernel=None
            if tied
            else kernel_variable('decoder_kernel', (units, features), initializer, seed),
            decoder_shift=_shift('decoder_', inputs[-1], normalized=normalized),
            inputs=inputs,
        )


class ConvPair(NamedTuple):
    """A convolution at stride 2 and the layer that inverts it, both without activation."""

    kernel: tf.Variable  # [side, side, channels before, channels]
    shift: Shift  # [channels]
    decoder_kernel: tf.Variable  # as kernel; upsampling: [side, side, channels, channels before]
    decoder_shift: Shift  # [channels before]
    inputs: tuple[int, ...]  # (H, W, channels before)
    upsample: bool

    def encode(self, inputs: tf.Tensor, mode: Mode) -> tf.Tensor:
        """Returns the convolution, shifted: [N, *inputs] -> [N, *outputs]."""
        product = tf.nn.conv2d(inputs, self.kernel, strides=_STRIDE, padding='SAME')
        return _shifted(product, self.shift, mode)

    def decode(self, codings: tf.Tensor, mode: Mode) -> tf.Tensor:
        """Returns the transposed convolution, shifted: [N, *outputs], or flat -> [N, *inputs].

        Upsampling repeats each value of a map before a plain convolution (Odena et al. 2016).
        """
        maps = tf.reshape(codings, [-1, *self.outputs])
        if self.upsample:
            maps = tf.image.resize_nearest_neighbor(maps, self.inputs[:2])
            product = tf.nn.conv2d(maps, self.decoder_kernel, strides=1, padding='SAME')
        else:
            product = transposed(maps, self.decoder_kernel, self.inputs)
        return _shifted(product, self.decoder_shift, mode)

    @property
    def outputs(self) -> tuple[int, ...]:
        """The shape of the feature maps: half the size of the inputs, rounded up."""
        height, width, _ = self.inputs
        return -(-height // _STRIDE), -(-width // _STRIDE), int(self.kernel.shape[-1])

    @property
    def kernels(self) -> list[tf.Variable]:
        """The kernels."""
        return [self.kernel, self.decoder_kernel]


def conv_pair(
    scope: str,
    inputs: tuple[int, ...],
    channels: int,
    *,
    side: int,
    initializer: str,
    seed: int,
    normalized: tuple[bool, bool],
    upsample: bool,
) -> ConvPair:
    """Makes or reuses the variables of a convolution and its inverse, under `scope`.

    `inputs` is [H, W, channels before]. `normalized` says which of the two has batch norm in place
    of its bias.
    """
    before, area = inputs[-1], side * side
    if upsample:
        shape, fans = (side, side, channels, before), (channels * area, before * area)
    else:
        shape, fans = (side, side, before, channels), _transposed_fans(channels, before, area)
    with tf.variable_scope(scope):
        return ConvPair(
            kernel=kernel_variable(
                'kernel',
                (side, side, before, channels),
                initializer,
                seed,
                (before * area, channels * area),
            ),
            shift=_shift('', channels, normalized=normalized[0]),
            decoder_kernel=kernel_variable('decoder_kernel', shape, initializer, seed, fans),
            decoder_shift=_shift('decoder_', before, normalized=normalized[1]),
            inputs=inputs,
            upsample=upsample,
        )


def _transposed_fans(before: int, after: int, area: int) -> tuple[float, float]:
    """Returns the fans of a transposed convolution; a pixel meets a part of the kernel only."""
    return before * area / _STRIDE**2, after * area


def transposed(maps: tf.Tensor, kernel: tf.Variable, shape: tuple[int, ...]) -> tf.Tensor:
    """Returns the transposed convolution at stride 2, [N, h, w, c] -> [N, *shape]; no bias.

    h and w are half of the shape's, rounded up; kernel is [side, side, shape's channels, c].
    """
    wanted = tf.stack([tf.shape(maps)[0], *shape])
    product = tf.nn.conv2d_transpose(maps, kernel, wanted, strides=_STRIDE, padding='SAME')
    product.set_shape([None, *shape])
    return product


def flattened(values: tf.Tensor) -> tf.Tensor:
    """Returns [N, ...] as [N, features]."""
    if values.shape.rank == 2:
        return values
    return tf.reshape(values, [-1, math.prod(map(int, values.shape[1:]))])


def dense(
    scope: str, inputs: tf.Tensor, units: int, *, activation: str, initializer: str, seed: int
) -> tf.Tensor:
    """Returns activation(inputs @ kernel + bias), [N, units], with variables under `scope`."""
    with tf.variable_scope(scope):
        kernel = kernel_variable('kernel', (int(inputs.shape[-1]), units), initializer, seed)
        return ACTIVATION[activation](tf.matmul(inputs, kernel) + bias_variable('bias', units))


def deconvolution(
    scope: str,
    inputs: tf.Tensor,
    shape: tuple[int, int, int],
    *,
    side: int,
    activation: str,
    initializer: str,
    seed: int,
) -> tf.Tensor:
    """Returns a transposed convolution at stride 2, [N, h, w, c] -> [N, *shape].

    h and w are half of the shape's, rounded up.
    """
    with tf.variable_scope(scope):
        before, after = int(inputs.shape[-1]), shape[-1]
        fans = _transposed_fans(before, after, side * side)
        kernel = kernel_variable('kernel', (side, side, after, before), initializer, seed, fans)
        product = transposed(inputs, kernel, shape)
        return ACTIVATION[activation](product + bias_variable('bias', after))


def _keyed(seed: tf.Tensor, name: str) -> tf.Tensor:
    """Returns a seed of its own for each use of one step's seed."""
    return seed + [zlib.crc32(name.encode()), 0]


def dropout(inputs: tf.Tensor, rate: float, mode: Mode, name: str) -> tf.Tensor:
    """Zeroes a share `rate` of the inputs in training, scaling up the rest; keyed by its name."""
    if not rate or mode.training is False:
        return inputs
    if mode.seed is not None:
        return tf.nn.experimental.stateless_dropout(inputs, rate, seed=_keyed(mode.seed, name))
    return tf.nn.dropout(inputs, rate=rate * tf.cast(mode.training, tf.float32))


def corrupt(inputs: tf.Tensor, noise: Noise, seed: tf.Tensor) -> tf.Tensor:
    """Returns the inputs with noise keyed on `seed` (Vincent et al. 2010): masked, or added to."""
    if not noise.amount:
        return inputs
    seed = _keyed(seed, 'corruption')
    if noise.kind == 'gaussian':
        return inputs + noise.amount * tf.random.stateless_normal(tf.shape(inputs), seed)
    drawn = tf.random.stateless_uniform(tf.shape(inputs), seed)
    return inputs * tf.cast(drawn >= noise.amount, inputs.dtype)


def augment(pictures: tf.Tensor, flip: bool, crop: int, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors half of the pictures, [N, H, W, C], and shifts each by up to `crop` pixels.

    What a shift leaves empty repeats the edge. Keyed on `seed`.
    """
    count, height, width = tf.shape(pictures)[0], *map(int, pictures.shape[1:3])
    seed = _keyed(seed, 'augment')
    drawn = tf.random.stateless_uniform([count, 3, 1], seed, -crop, crop + 1, tf.int32)
    mirrored = tf.random.stateless_uniform([count, 1], seed + [1, 0]) < 0.5 * flip
    rows = tf.clip_by_value(tf.range(height) + drawn[:, 0], 0, height - 1)
    columns = tf.clip_by_value(tf.range(width) + drawn[:, 1], 0, width - 1)
    columns = tf.where_v2(mirrored, width - 1 - columns, columns)
    if crop:
        pictures = tf.gather(pictures, rows, axis=1, batch_dims=1)
    return tf.gather(pictures, columns, axis=2, batch_dims=1)


def log_variance(raw: tf.Tensor) -> tf.Tensor:
    """Keeps a log-variance within +-10, smoothly, so that its exponential stays finite."""
    return _LOG_VAR_LIMIT * tf.tanh(raw / _LOG_VAR_LIMIT)


def sample(mean: tf.Tensor, log_var: tf.Tensor, mode: Mode) -> tf.Tensor:
    """Draws from N(mean, exp(log_var)), differentiably; returns the mean where the mode says so."""
    if not mode.samples:
        return mean
    if mode.seed is not None:
        drawn = tf.random.stateless_normal(tf.shape(mean), _keyed(mode.seed, 'sample'))
    else:
        drawn = tf.random.normal(tf.shape(mean)) * tf.cast(mode.training, tf.float32)
    return mean + tf.exp(0.5 * log_var) * drawn
