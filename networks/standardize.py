"""Standardised inputs: what stands between a user's units and those that a network computes in."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow.compat.v1 as tf

from inputs.spec import Spec
from parameters import Experiment

SHIFT, SCALE = 'standardize/shift', 'standardize/scale'  # variables, set before training


class Units(NamedTuple):
    """The shift and scale of each column, [columns]; None where the network reads what it is fed.

    A column is a feature, of pictures a channel.
    """

    shift: tf.Variable | None = None
    scale: tf.Variable | None = None

    def into(self, values: tf.Tensor) -> tf.Tensor:
        """Returns values, [..., columns], in the network's units."""
        return values if self.scale is None else (values - self.shift) / self.scale

    def back(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the network's values, [..., columns], in the user's units."""
        return values if self.scale is None else values * self.scale + self.shift


AS_FED = Units()


def units_of(experiment: Experiment, spec: Spec) -> Units:
    """Makes or reuses the variables of an experiment that standardises; they begin as identity."""
    if not experiment.standardizes:
        return AS_FED
    with tf.variable_scope(tf.VariableScope(reuse=tf.AUTO_REUSE), auxiliary_name_scope=False):
        shift, scale = (
            tf.get_variable(
                name,
                [spec.shape[-1]],
                initializer=initializer,
                trainable=False,
                use_resource=True,
            )
            for name, initializer in (
                (SHIFT, tf.zeros_initializer()),
                (SCALE, tf.ones_initializer()),
            )
        )
    return Units(shift, scale)
