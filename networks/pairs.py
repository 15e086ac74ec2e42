"""Layers with their inverses, over get_variable: dense, convolution, either with batch norm.

A pair's variables are in the scope it is given, so that one pattern selects one greedy phase.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

import tensorflow.compat.v1 as tf

from networks.layers import ACTIVATION, Mode, bias_variable, flattened, is_saved, kernel_variable

MOMENTUM = 0.98  # share of its moving averages that batch norm keeps at an update
_EPSILON = 1e-3  # added to the variance that batch norm divides by
_STRIDE = 2  # of every convolution


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
        if is_saved():  # which converters know, and whose gradient goes through a batch's moments
            return tf.nn.batch_normalization(
                inputs, mean, variance, self.beta, self.gamma, _EPSILON
            )
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


Shift: TypeAlias = tf.Variable | BatchNorm
"""What follows a product: a bias, or a normalisation that has one."""


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
    fans: tuple[float, float]
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


Pair = DensePair | ConvPair


def convolution(
    scope: str, inputs: tf.Tensor, channels: int, *, side: int, initializer: str, seed: int
) -> tf.Tensor:
    """Returns a convolution at stride 2, [N, H, W, C] -> [N, H / 2, W / 2, channels], and bias."""
    before, area = int(inputs.shape[-1]), side * side
    with tf.variable_scope(scope):
        shape, fans = (side, side, before, channels), (before * area, channels * area)
        kernel = kernel_variable('kernel', shape, initializer, seed, fans)
        product = tf.nn.conv2d(inputs, kernel, strides=_STRIDE, padding='SAME')
        return product + bias_variable('bias', channels)


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
