"""A memory: pictures stored in the weights of a decoder, each under a one-hot vector."""

from __future__ import annotations

import math

import tensorflow.compat.v1 as tf

from networks import layers, pairs
from networks.endpoints import Blueprint, Endpoints, Lazy, distance_of, reconstruction_metrics
from networks.layers import group
from parameters import LOSSES


def decoder(plan: Blueprint) -> Endpoints:
    """Decodes a one-hot vector, or the vector kept for it, to the picture stored under it."""
    experiment, spec = plan.experiment, plan.spec
    codings = plan.batch.inputs
    if experiment.memory_code:
        shape = (spec.shape[0], experiment.memory_code)
        learned = not experiment.memory_fixed
        codes = layers.kernel_variable('codes', shape, 'unit', experiment.seed, trainable=learned)
        with group('code'):
            codings = tf.matmul(codings, codes)
    codings = plan.expose('codings', codings)
    maps, activation = _maps(plan, codings), experiment.output_activation
    with group('picture'):
        logits = tf.reshape(maps, [-1, math.prod(spec.picture)])
        outputs = plan.expose('outputs', layers.ACTIVATION[activation](logits))
    distance, name = distance_of(experiment), LOSSES[experiment.loss]
    terms: dict[str, Lazy] = {name: lambda: distance(logits, activation, plan.batch.target)}
    metrics = reconstruction_metrics(outputs, plan.batch.target)
    if name == 'nll':
        metrics['nll'] = terms['nll']
    return Endpoints({'codings': codings, 'outputs': outputs}, terms, metrics)


def _maps(plan: Blueprint, codings: tf.Tensor) -> tf.Tensor:
    """Returns the pictures, [N, H, W, channels], without their activation.

    A dense layer makes small maps of the codings, [N, units], and transposed convolutions double
    their sides until they have the picture's.
    """
    experiment = plan.experiment
    height, width, *rest = plan.spec.picture
    depth, activation = len(experiment.filters), experiment.activation
    sizes = [tuple(-(-side // 2**k) for side in (height, width)) for k in range(depth + 1)]
    units = math.prod(sizes[depth]) * experiment.filters[0]
    made = layers.dense('start', codings, units, activation=activation, **plan.initial)
    with group('maps'):
        made = tf.reshape(made, [-1, *sizes[depth], experiment.filters[0]])
    widths = (*experiment.filters[1:], math.prod(rest))
    kinds = (*[activation] * (depth - 1), 'linear')
    for k, (channels, kind) in enumerate(zip(widths, kinds, strict=True), start=1):
        made = pairs.deconvolution(
            f'deconvolution{k}',
            made,
            (*sizes[depth - k], channels),
            side=experiment.kernel_size,
            activation=kind,
            **plan.initial,
        )
    return made
