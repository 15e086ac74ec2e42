"""What every network is built from and returns: a blueprint, named tensors, losses and metrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from inputs.spec import Spec
from networks import layers, losses
from networks.layers import Initial, Mode
from networks.saved_graph import SavedGraph
from networks.standardize import AS_FED, Units
from parameters import Experiment

Lazy = Callable[[], tf.Tensor]
Expose = Callable[[str, tf.Tensor], tf.Tensor]
Distance = Callable[[tf.Tensor, str, tf.Tensor], tf.Tensor]
_DEVIATION = 0.1  # of a learned likelihood, to begin with
_LEARNED = {  # loss -> the variable that is learned, the loss, where the variable begins
    'gaussian': ('output_log_var', losses.gaussian_nll, 2 * math.log(_DEVIATION)),
    'laplace': ('output_log_scale', losses.laplace_nll, math.log(_DEVIATION / 2**0.5)),
}
_PLAIN = {'mse': losses.mse, 'mae': losses.mae, 'cosine': losses.cosine}  # of outputs and target
LOSSES = (*_PLAIN, *_LEARNED, 'bernoulli')


class Batch(NamedTuple):
    """What a tower is fed: the tensor it reads, what to reconstruct, labels if there are any."""

    inputs: tf.Tensor  # [N, features], [N, H, W, C], [N, T, D], or activations of a lower layer
    target: tf.Tensor  # as inputs; a memory's picture, [N, pixels]; what follows, [N, T2, D]
    y: tf.Tensor | None = None  # [N], int32; below zero where unknown
    length: tf.Tensor | None = None  # [N] or [1], int32: steps that count; None: all
    fed: tf.Tensor | None = None  # the target before it was standardised, where that is known
    known: float = 1.0  # share of the examples, over all batches, whose labels are known


def unchanged(name: str, tensor: tf.Tensor) -> tf.Tensor:
    """Exposes nothing: each tensor stands for itself."""
    return tensor


class Blueprint(NamedTuple):
    """All that one tower is built from."""

    experiment: Experiment
    spec: Spec
    batch: Batch
    mode: Mode = Mode()
    reads: str = 'X'  # the tensor that the batch's inputs are values of
    restored: SavedGraph | None = None  # of the experiment's parent, if it has one
    expose: Expose = unchanged  # what stands for each named tensor in the tower
    units: Units = AS_FED  # of X; the batch and the losses are in those of the network

    @property
    def lowest(self) -> int:
        """The number of encoder layers below the tower: 0 where it reads X, 2 for hidden2."""
        return 0 if self.reads == 'X' else int(self.reads.removeprefix('hidden'))

    @property
    def bottom(self) -> int:
        """The number of the lowest layer in the tower."""
        return self.lowest + 1

    @property
    def top(self) -> int:
        """The number of the layer that gives the code."""
        return self.experiment.depth

    @property
    def initial(self) -> Initial:
        """What the initial values of kernels depend on, besides their names."""
        return Initial(initializer=self.experiment.initializer, seed=self.experiment.seed)


class OfBatch(NamedTuple):
    """A loss of a whole batch, which is no mean over its examples: `score` of all `values`.

    It depends on these by their mean over the examples alone.
    """

    values: tf.Tensor  # [batch, ...]
    score: Callable[[tf.Tensor], tf.Tensor]  # -> a scalar


class Endpoints(NamedTuple):
    """A network's named tensors, and its losses and metrics by name, built when they are called.

    A loss is [batch]-shaped, a scalar where it is a penalty on variables, or else OfBatch.
    """

    tensors: dict[str, tf.Tensor]
    losses: dict[str, Lazy]
    metrics: dict[str, Lazy]


def distance_of(experiment: Experiment) -> Distance:
    """Returns (logits, activation, target) -> the experiment's loss, [batch].

    A Gaussian or Laplace likelihood has one variance or scale for all features, learned with the
    rest (Rybkin et al. 2021). It begins at a deviation of 0.116 (the variable at 2 ln 0.1, within
    the bounds of `layers.log_variance`), as of a fair reconstruction of data in [0, 1]: from 1,
    Adam takes thousands of updates in which the KL weighs far too much.
    """
    if experiment.loss == 'bernoulli':
        return lambda logits, _, target: losses.bernoulli_nll(logits, target)
    if experiment.loss in _LEARNED:
        name, nll, start = _LEARNED[experiment.loss]
        with tf.variable_scope('layer1'):
            log_width = layers.log_variance(layers.bias_variable(name, 1, start))
        return lambda logits, activation, target: nll(
            layers.ACTIVATION[activation](logits), target, log_width
        )
    found = _PLAIN[experiment.loss]
    return lambda logits, activation, target: found(layers.ACTIVATION[activation](logits), target)


def reconstruction_metrics(outputs: tf.Tensor, target: tf.Tensor) -> dict[str, Lazy]:
    """Returns the distances of outputs and target, both [N, ...] in the user's units, by name."""
    return {
        name: partial(distance, outputs, target)
        for name, distance in (
            ('mse', losses.mse),
            ('squared_error', losses.squared_error),
            ('mae', losses.mae),
            ('cosine', losses.cosine),
        )
    }
