"""Layers over get_variable: kernels, dense layers, dropout, corruption, augmentation, sampling.

Each function opens the variable scope it is named by, so that layer k's variables are `layerk/...`
and one pattern selects one greedy phase. Importing this module switches TensorFlow to TF1 behaviour
(graphs, sessions, control flow of the first kind) for the process.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, NamedTuple, TypedDict

import numpy as np
import tensorflow.compat.v1 as tf

from phases import Noise

tf.disable_v2_behavior()

ACTIVATION = {
    'linear': tf.identity,
    'elu': tf.nn.elu,
    'relu': tf.nn.relu,
    'sigmoid': tf.sigmoid,
    'tanh': tf.tanh,
}
REACHED = {  # least and greatest value of each
    'linear': (-math.inf, math.inf),
    'elu': (-1.0, math.inf),
    'relu': (0.0, math.inf),
    'sigmoid': (0.0, 1.0),
    'tanh': (-1.0, 1.0),
}
SCALING = {  # variance of a kernel's values, times the fan named
    'he': (2.0, 'fan_in'),
    'he_avg': (2.0, 'fan_avg'),
    'glorot': (1.0, 'fan_avg'),
    'lecun': (1.0, 'fan_in'),
    'small': (1 / 3, 'fan_in'),  # as torch.nn.Linear has by default
    'unit': (1.0, 'one'),
}
TOWER = 'tower'  # the scope of a network that is built again over other inputs
_IS_GROUPED = ContextVar('_IS_GROUPED', default=False)
_IS_SAVED = ContextVar('_IS_SAVED', default=False)
_LOG_VAR_LIMIT = 10.0
_TRUNCATED = 0.87962566103423978  # deviation of a unit normal cut at +-2


class Initial(TypedDict):
    """What the initial values of kernels depend on, besides their names."""

    initializer: str
    seed: int


def kernel_variable(
    name: str,
    shape: tuple[int, ...],
    initializer: str,
    seed: int,
    fans: tuple[float, float] | None = None,
    trainable: bool = True,
) -> tf.Variable:
    """Returns a kernel whose initial values depend on (seed, its full name) alone.

    `fans` are the inputs that add up in one output, and the reverse; of a matrix, its shape.
    """
    full_name = f'{tf.get_variable_scope().name}/{name}'
    keyed = tf.truncated_normal_initializer(
        stddev=_deviation(initializer, *(fans or shape[-2:])) / _TRUNCATED,
        seed=zlib.crc32(f'{seed}:{full_name}'.encode()),
    )
    return tf.get_variable(name, shape, initializer=keyed, trainable=trainable, use_resource=True)


def _deviation(initializer: str, fan_in: float, fan_out: float) -> float:
    """Returns the standard deviation that the initializer wants of a kernel's values."""
    scale, fan = SCALING[initializer]
    fans = {'one': 1, 'fan_in': fan_in, 'fan_avg': (fan_in + fan_out) / 2}
    return math.sqrt(scale / fans[fan])


def initial_value(name: str, shape: tuple[int, ...], initializer: str, seed: int) -> np.ndarray:
    """Returns what a variable might begin with: kernels drawn at random, vectors at zero.

    Kernels are as wide as those of `kernel_variable`, of a Gaussian that is not cut. The scales and
    variances of batch norm are one.
    """
    if len(shape) < 2:
        return np.full(shape, name.endswith(('gamma', 'variance')), np.float32)
    area = math.prod(shape[:-2])
    deviation = _deviation(initializer, area * shape[-2], area * shape[-1])
    generator = np.random.default_rng(zlib.crc32(f'{seed}:{name}'.encode()))
    return generator.normal(0, deviation, shape).astype(np.float32)


def bias_variable(name: str, units: int, start: float | Sequence[float] = 0.0) -> tf.Variable:
    """Returns a bias, [units], whose values begin at `start`."""
    initializer = tf.constant_initializer(start)
    return tf.get_variable(name, [units], initializer=initializer, use_resource=True)


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
        """Whether anything random happens at all."""
        return self.seed is not None or self.training is not False


@contextmanager
def grouped() -> Iterator[None]:
    """Lets `group` name what is made meanwhile: the graph for inference, and that alone.

    In what order TensorFlow adds gradients depends on the names of operations, so that those of
    towers and of what is trained on them stay as they are.
    """
    token = _IS_GROUPED.set(True)
    try:
        yield
    finally:
        _IS_GROUPED.reset(token)


def group(name: str) -> AbstractContextManager[Any]:
    """Puts what is made meanwhile below a name, so that TensorBoard draws it as one."""
    return tf.name_scope(name) if _IS_GROUPED.get() else nullcontext()


@contextmanager
def saving() -> Iterator[None]:
    """Says that what is made meanwhile is saved for others: see `is_saved`."""
    token = _IS_SAVED.set(True)
    try:
        yield
    finally:
        _IS_SAVED.reset(token)


def is_saved() -> bool:
    """Whether a graph is made to be saved: it takes any batch, and other programs can read it.

    It computes the same numbers as the one that is used here, by a few operations more or less.
    """
    return _IS_SAVED.get()


def batched(
    compute: Callable[[tf.Tensor], tf.Tensor], inputs: tf.Tensor, shape: tuple[int, ...]
) -> tf.Tensor:
    """Returns what is computed of the inputs, [N, ...] -> [N, *shape]; if saved, of N = 0 too.

    TensorFlow's convolutions on a CPU give results of a wrong shape for no example: there they are
    given one of zeros, which is cut off again.
    """
    if not is_saved():
        return compute(inputs)
    count = tf.shape(inputs)[0]
    lacking = tf.stack([tf.maximum(1 - count, 0), *map(int, inputs.shape[1:])])
    padded = tf.concat([inputs, tf.zeros(lacking)], axis=0)  # whose sides are known wherever read
    made = compute(padded)[:count]
    made.set_shape([None, *shape])
    return made


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
    """Returns the inputs with noise keyed on `seed` (Vincent et al. 2010); clean where it is 0."""
    if not noise.amount:
        return inputs
    return CORRUPTIONS[noise.kind](inputs, noise.amount, _keyed(seed, 'corruption'))


def _masked(inputs: tf.Tensor, share: float, seed: tf.Tensor) -> tf.Tensor:
    uniform = tf.random.stateless_uniform(tf.shape(inputs), seed)
    return inputs * tf.cast(uniform >= share, inputs.dtype)


def _with_gaussian(inputs: tf.Tensor, deviation: float, seed: tf.Tensor) -> tf.Tensor:
    return inputs + deviation * tf.random.stateless_normal(tf.shape(inputs), seed)


CORRUPTIONS: dict[str, Callable[[tf.Tensor, float, tf.Tensor], tf.Tensor]] = {
    'mask': _masked,
    'gaussian': _with_gaussian,
}


def binarize(greys: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns 1 with the probability that a grey in [0, 1] gives, or else 0; keyed on `seed`."""
    uniform = tf.random.stateless_uniform(tf.shape(greys), _keyed(seed, 'binarize'))
    return tf.cast(uniform < greys, greys.dtype)


def augment(
    examples: tf.Tensor, picture: tuple[int, ...], flip: bool, crop: int, seed: tf.Tensor
) -> tf.Tensor:
    """Mirrors half of the examples, [N, ...], and shifts each by up to `crop` pixels.

    Each is a picture of shape `picture`, (H, W) or (H, W, C), whatever shape it is fed in. What a
    shift leaves empty repeats the edge. Keyed on `seed`.
    """
    (height, width), shape = picture[:2], examples.shape[1:]
    pictures, count = tf.reshape(examples, [-1, *picture]), tf.shape(examples)[0]
    seed = _keyed(seed, 'augment')
    shifts = tf.random.stateless_uniform([count, 3, 1], seed, -crop, crop + 1, tf.int32)
    mirrored = tf.random.stateless_uniform([count, 1], seed + [1, 0]) < 0.5 * flip
    rows = tf.clip_by_value(tf.range(height) + shifts[:, 0], 0, height - 1)
    columns = tf.clip_by_value(tf.range(width) + shifts[:, 1], 0, width - 1)
    columns = tf.where_v2(mirrored, width - 1 - columns, columns)
    if crop:
        pictures = tf.gather(pictures, rows, axis=1, batch_dims=1)
    made = tf.gather(pictures, columns, axis=2, batch_dims=1)
    return tf.reshape(made, [-1, *map(int, shape)])


def log_variance(raw: tf.Tensor) -> tf.Tensor:
    """Keeps a log-variance within +-10, smoothly, so that its exponential stays finite."""
    return _LOG_VAR_LIMIT * tf.tanh(raw / _LOG_VAR_LIMIT)


def sample(mean: tf.Tensor, log_var: tf.Tensor, mode: Mode) -> tf.Tensor:
    """Draws from N(mean, exp(log_var)), differentiably; returns the mean where the mode says so."""
    if not mode.samples:
        return mean
    return mean + tf.exp(0.5 * log_var) * _normal(tf.shape(mean), mode, 'sample')


def samples(
    mean: tf.Tensor, log_var: tf.Tensor, count: int, mode: Mode
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws `count` codes z of each example, as `weighed` returns them."""
    shape = tf.concat([[count], tf.shape(mean)], axis=0)
    return weighed(mean, log_var, _normal(shape, mode, 'samples'))


def weighed(mean: tf.Tensor, log_var: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns codes z, [K, N, units], from unit noise, and log p(z) / q(z | x) of each, [K, N].

    q is N(mean, exp(log_var)), p the unit Gaussian.
    """
    codes = mean + tf.exp(0.5 * log_var) * noise
    squares = tf.square(noise) + log_var - tf.square(codes)
    return codes, 0.5 * tf.reduce_sum(squares, axis=-1)


def _normal(shape: tf.Tensor, mode: Mode, name: str) -> tf.Tensor:
    if mode.seed is not None:
        return tf.random.stateless_normal(shape, _keyed(mode.seed, name))
    return tf.random.normal(shape) * tf.cast(mode.training, tf.float32)
