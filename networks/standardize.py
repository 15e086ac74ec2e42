"""Standardised inputs: what stands between a user's units and those that a network computes in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from inputs import whitening
from inputs.rows import Dataset
from inputs.spec import Spec
from inputs.values import Range, scales
from inputs.whitening import CONTRAST, even
from parameters import Experiment

SCOPE = 'standardize/'  # of variables that are set before training, and not trained
SHIFT, SCALE = f'{SCOPE}shift', f'{SCOPE}scale'
_MEAN, _WHITENING, _COLOURING = (f'{SCOPE}{name}' for name in ('mean', 'whitening', 'colouring'))


class Columns(NamedTuple):
    """The shift and scale of each column, [columns]; None where the network reads what it is fed.

    A column is a feature, of pictures a channel.
    """

    shift: tf.Variable | None = None
    scale: tf.Variable | None = None

    def of(self, fed: tf.Tensor | None) -> Columns:
        """Returns the units of a batch, which do not depend on it."""
        return self

    def into(self, values: tf.Tensor) -> tf.Tensor:
        """Returns values, [..., columns], in the network's units."""
        return values if self.scale is None else (values - self.shift) / self.scale

    def back(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the network's values, [..., columns], in the user's units."""
        return values if self.scale is None else values * self.scale + self.shift


class Whitened(NamedTuple):
    """Each example at even contrast, then whitened by ZCA, [N, features] (see inputs/whitening.py).

    The brightness and contrast that an example loses are its own: they come back from what was
    `fed`, where that is known.
    """

    mean: tf.Variable
    whitening: tf.Variable
    colouring: tf.Variable
    fed: tf.Tensor | None = None

    def of(self, fed: tf.Tensor | None) -> Whitened:
        """Returns the units of a batch, of which this was fed before it was whitened."""
        return self._replace(fed=fed)

    def into(self, values: tf.Tensor) -> tf.Tensor:
        """Returns values, [N, features], whitened."""
        brightness, contrast = _of_each(values)
        return tf.matmul((values - brightness) / contrast - self.mean, self.whitening)

    def back(self, values: tf.Tensor) -> tf.Tensor:
        """Returns whitened values, [N, features], in the user's units."""
        even = tf.matmul(values, self.colouring) + self.mean
        if self.fed is None:
            return even
        brightness, contrast = _of_each(self.fed)
        return even * contrast + brightness


def _of_each(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the mean of each example and what its deviation is taken to be, [N, 1] both."""
    mean = tf.reduce_mean(values, axis=1, keepdims=True)
    variance = tf.reduce_mean(tf.square(values - mean), axis=1, keepdims=True)
    return mean, tf.sqrt(variance + CONTRAST)


Units = Columns | Whitened
AS_FED = Columns()


def units_of(experiment: Experiment, spec: Spec) -> Units:
    """Makes or reuses the variables of an experiment that standardises; they begin as identity."""
    if not experiment.standardizes:
        return AS_FED
    columns = spec.shape[-1]
    zeros, ones = tf.zeros_initializer(), tf.ones_initializer()
    if experiment.standardize == 'zca':
        square, alike = [columns, columns], tf.initializers.identity()
        return Whitened(
            _variable(_MEAN, [columns], zeros),
            _variable(_WHITENING, square, alike),
            _variable(_COLOURING, square, alike),
        )
    return Columns(_variable(SHIFT, [columns], zeros), _variable(SCALE, [columns], ones))


def _variable(name: str, shape: list[int], initializer: Any) -> tf.Variable:
    with tf.variable_scope(tf.VariableScope(reuse=tf.AUTO_REUSE), auxiliary_name_scope=False):
        return tf.get_variable(
            name, shape, initializer=initializer, trainable=False, use_resource=True
        )


def fitted(
    experiment: Experiment, data: Dataset, found: Range, check: Callable[[], None]
) -> tuple[Mapping[str, np.ndarray], Range]:
    """Returns the variables' values by name, from the training examples, and the range after them.

    `found` is the range before. Raises UsageError where there are too many features to whiten.
    """
    rows, kind = data.splits['train'], experiment.standardize
    if kind == 'zca':
        white = whitening.fitted(rows, data.key, check)
        made = {_MEAN: white.mean, _WHITENING: white.whitening, _COLOURING: white.colouring}
        return made, Range(np.array(white.least), np.array(white.most))
    shift, scale = scales(rows, data.spec, kind, check)
    range_ = Range((found.least - shift) / scale, (found.most - shift) / scale)
    return {SHIFT: shift, SCALE: scale}, range_


def has_units(values: Mapping[str, np.ndarray], columns: int) -> bool:
    """Whether a network of these variables has units of its own for examples, [N, ..., columns].

    One that is applied to patches of them has some for these alone.
    """
    return any(name in values and values[name].shape == (columns,) for name in (SHIFT, _MEAN))


def standardized(examples: np.ndarray, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns examples, [N, ..., columns], in the units of a network with these variables.

    Computed by NumPy, with nothing added to a graph.
    """
    if _MEAN not in values:
        return (examples - values[SHIFT]) / values[SCALE]
    made: np.ndarray = (even(examples) - values[_MEAN]) @ values[_WHITENING]
    return made.astype(np.float32)
