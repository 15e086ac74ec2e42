"""Stacks of dense layers or convolutions, each with its inverse: tied, greedy, variational."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from networks import layers, losses, pairs
from networks.endpoints import (
    Blueprint,
    Distance,
    Endpoints,
    Lazy,
    OfBatch,
    distance_of,
    reconstruction_metrics,
)
from networks.layers import group

Stack = dict[int, pairs.Pair]
"""A layer and its inverse by number, from 1 on; the last gives the code."""


def dense(plan: Blueprint) -> Endpoints:
    """Builds a stack of dense layers."""
    return _autoencoder(plan, _dense_stack(plan))


def convolutional(plan: Blueprint) -> Endpoints:
    """Builds a stack of convolutions at stride 2, with a dense layer for the code on top."""
    made = _autoencoder(plan, _convolutional_stack(plan))
    outputs, target = made.tensors['outputs'], plan.units.back(plan.batch.target)
    made.losses['ssim'] = lambda: losses.ssim(outputs, target)
    if plan.spec.picture and plan.spec.in_unit:
        made.metrics['psnr'] = lambda: losses.psnr(outputs, target)
    return made


def _dense_stack(plan: Blueprint) -> Stack:
    stack: Stack = {}
    shape: tuple[int, ...] = (math.prod(plan.spec.shape),)
    for k, units in enumerate(plan.experiment.hidden, start=1):
        tied = plan.experiment.tied
        stack[k] = pairs.dense_pair(f'layer{k}', shape, units, tied=tied, **plan.initial)
        shape = stack[k].outputs
    return stack


def _convolutional_stack(plan: Blueprint) -> Stack:
    experiment, shape = plan.experiment, plan.spec.shape
    stack: Stack = {}
    norm = experiment.batch_norm
    for k, channels in enumerate(experiment.filters, start=1):
        stack[k] = pairs.conv_pair(
            f'layer{k}',
            shape,
            channels,
            side=experiment.kernel_size,
            upsample=experiment.decoder == 'upsample',
            normalized=(norm, norm and k > 1),  # the output has a bias
            **plan.initial,
        )
        shape = stack[k].outputs
    if experiment.code_size:
        k, units = experiment.depth, experiment.code_size
        stack[k] = pairs.dense_pair(
            f'layer{k}', shape, units, tied=False, normalized=norm, **plan.initial
        )
    return stack


class _Path(NamedTuple):
    """The way through a stack: up from what the tower reads, and down to it again."""

    plan: Blueprint
    stack: Stack

    def encode(self) -> dict[int, tf.Tensor]:
        """Returns what is read and each layer's activations by number, [N, *its outputs]."""
        experiment, mode = self.plan.experiment, self.plan.mode
        hidden = {self.plan.lowest: self.plan.batch.inputs}
        for k in range(self.plan.bottom, self.plan.top + 1):
            with group(f'encoder{k}'):
                activation = experiment.code_layer if k == self.plan.top else experiment.activation
                made = self._encoded(k, activation, hidden[k - 1])
                noisy = experiment.variational and k == self.plan.top  # a Gaussian's mean, as is
                if not noisy:
                    made = layers.dropout(made, experiment.dropout, mode, f'hidden{k}')
                hidden[k] = self.plan.expose(f'hidden{k}', made)
        return hidden

    def _encoded(self, k: int, activation: str, inputs: tf.Tensor) -> tf.Tensor:
        """Returns layer k's activations, [N, *its outputs], of what it reads."""

        def compute(values: tf.Tensor) -> tf.Tensor:
            return self.activate(activation, self.stack[k].encode(values, self.plan.mode))

        pair = self.stack[k]
        is_conv = isinstance(pair, pairs.ConvPair)
        return layers.batched(compute, inputs, pair.outputs) if is_conv else compute(inputs)

    def activation(self, k: int) -> str:
        """Returns the activation of layer k's inverse."""
        experiment = self.plan.experiment
        return experiment.output_activation if k == 1 else experiment.activation

    def decode(self, k: int, activations: tf.Tensor) -> tf.Tensor:
        """Decodes layer k's activations to what the tower reads, without the last activation."""
        mode, made = self.plan.mode, activations
        for layer in range(k, self.plan.lowest, -1):
            with group(f'decoder{layer}'):
                if layer < k:
                    made = self.activate(self.activation(layer + 1), made)
                    rate = self.plan.experiment.dropout
                    made = layers.dropout(made, rate, mode, f'decoded{layer}')
                pair, compute = self.stack[layer], partial(self.stack[layer].decode, mode=mode)
                is_conv = isinstance(pair, pairs.ConvPair)
                made = layers.batched(compute, made, pair.inputs) if is_conv else compute(made)
        return made

    def activated(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns what was decoded, with the last activation."""
        with group('activation'):
            return self.activate(self.activation(self.plan.bottom), logits)

    def activate(self, activation: str, values: tf.Tensor) -> tf.Tensor:
        """Returns the values with an activation.

        TensorFlow makes one operation of a convolution, its batch norm and a tanh, which it then
        cannot run; of a tanh whose signs are turned it does not.
        """
        if activation == 'tanh' and self.plan.experiment.has('batch_norm'):
            return -tf.tanh(-values)
        return layers.ACTIVATION[activation](values)


def _autoencoder(plan: Blueprint, stack: Stack) -> Endpoints:
    experiment, path, expose = plan.experiment, _Path(plan, stack), plan.expose
    kernels = [kernel for pair in stack.values() for kernel in pair.kernels]
    hidden = path.encode()
    tensors = {f'hidden{k}': hidden[k] for k in range(plan.bottom, plan.top + 1)}
    with group('flat'):
        codings = layers.flattened(hidden[plan.top])
    if experiment.variational:
        below = hidden[plan.top - 1]
        if isinstance(stack[plan.top], pairs.DensePair):
            with group('flat'):
                below = layers.flattened(below)
        tensors['codings_mean'] = mean = expose('codings_mean', codings)
        with group('log_var'):
            raw, kernel = _log_variance(plan, below, stack[plan.top].outputs[-1])
            kernels.append(kernel)
            log_var = expose('codings_log_var', layers.log_variance(raw))
        tensors['codings_log_var'] = log_var
        with group('sample'):
            codings = layers.sample(mean, log_var, plan.mode)
    tensors['codings'] = expose('codings', codings)
    logits = path.decode(plan.top, tensors['codings'])
    tensors['outputs'] = expose('outputs', plan.units.back(path.activated(logits)))
    if experiment.training == 'greedy':
        # Whose moments batch norm is not to follow: those of the way above are left there.
        aside = path._replace(plan=plan._replace(mode=plan.mode._replace(statistics=None)))
        for k in range(plan.bottom, plan.top):
            name = f'phase{k}_outputs'
            with group(f'after_phase{k}'):
                made = path.activated(aside.decode(k, hidden[k]))
                tensors[name] = expose(name, plan.units.back(made))
    if experiment.classify:
        made, kernel = _logits(plan, tensors['codings'])
        tensors['logits'] = expose('logits', made)
        kernels.append(kernel)
    return _scored(path, hidden, tensors, logits, kernels)


def _log_variance(plan: Blueprint, below: tf.Tensor, units: int) -> tuple[tf.Tensor, tf.Variable]:
    """Returns the raw log-variance of a Gaussian code, [N, code], and the kernel it is made by.

    Of feature maps, [N, H, W, C], it is a convolution like the one that gives the mean, to as many
    channels as `units`.
    """
    with tf.variable_scope(f'layer{plan.experiment.depth}'):
        if below.shape.rank == 2:
            raw = layers.dense('log_var', below, units, activation='linear', **plan.initial)
        else:
            side = plan.experiment.kernel_size
            maps = pairs.convolution('log_var', below, units, side=side, **plan.initial)
            raw = layers.flattened(maps)
        with tf.variable_scope('log_var', reuse=True):
            return raw, tf.get_variable('kernel')


def _logits(plan: Blueprint, codings: tf.Tensor) -> tuple[tf.Tensor, tf.Variable]:
    """Returns the outputs of a classifier that is trained together with the rest, and its kernel.

    They are [N, classes].
    """
    with tf.variable_scope('head'):
        classes = len(plan.spec.classes)
        made = layers.dense('logits', codings, classes, activation='linear', **plan.initial)
        with tf.variable_scope('logits', reuse=True):
            return made, tf.get_variable('kernel')


def _scored(
    path: _Path,
    hidden: dict[int, tf.Tensor],
    tensors: dict[str, tf.Tensor],
    logits: tf.Tensor,
    kernels: list[tf.Variable],
) -> Endpoints:
    """Returns the endpoints: the tensors, and all losses and metrics of them."""
    experiment, batch = path.plan.experiment, path.plan.batch
    distance, name = distance_of(experiment), experiment.distance
    target = path.plan.units.back(batch.target)
    terms: dict[str, Lazy] = {
        'mse': lambda: losses.mse(tensors['outputs'], target),
        name: lambda: distance(logits, path.activation(path.plan.bottom), batch.target),
        'l2': lambda: losses.l2(kernels, experiment.l2),
        'sparsity': partial(_sparsity, tensors['codings'], experiment.sparsity_target),
    }
    metrics = reconstruction_metrics(tensors['outputs'], target)
    if experiment.classify:
        metrics['cross_entropy'] = lambda: losses.sigmoid_cross_entropy(tensors['logits'], batch.y)
        # The others count nothing, so that this is the mean over those whose labels are known.
        terms['cross_entropy'] = lambda: metrics['cross_entropy']() / batch.known
        metrics['accuracy'] = lambda: losses.correct(tensors['logits'], batch.y)
    if name not in metrics:  # a likelihood, or a distance in the network's units
        metrics[name] = terms[name]
    if experiment.variational:
        metrics['kl'] = terms['kl'] = lambda: losses.gaussian_kl(
            tensors['codings_mean'], tensors['codings_log_var']
        )
        if name == 'nll':  # only then are both in nats
            metrics['nelbo'] = lambda: terms['nll']() + terms['kl']()
    if experiment.bounds:
        terms['bound'] = partial(_bound, path, tensors, distance)
    return Endpoints(tensors, terms | _phase_losses(path, hidden, distance, name), metrics)


def _bound(path: _Path, tensors: dict[str, tf.Tensor], distance: Distance) -> tf.Tensor:
    """Returns minus the bound on the likelihood by several codes of each example, [N]."""
    plan, count = path.plan, path.plan.experiment.bound_samples
    mean, log_var = tensors['codings_mean'], tensors['codings_log_var']
    codes, log_ratios = layers.samples(mean, log_var, count, plan.mode)
    logits = path.decode(plan.top, tf.reshape(codes, [-1, int(mean.shape[-1])]))
    target = tf.tile(plan.batch.target, [count, *[1] * (plan.batch.target.shape.rank - 1)])
    nll = distance(logits, path.activation(plan.bottom), target)
    return losses.importance_bound(log_ratios - tf.reshape(nll, tf.shape(log_ratios)))


def _phase_losses(
    path: _Path, hidden: dict[int, tf.Tensor], distance: Distance, name: str
) -> dict[str, Lazy]:
    """Returns the losses of each layer with its inverse alone, as greedy phases minimise them."""
    experiment, plan = path.plan.experiment, path.plan

    def alone(k: int) -> tf.Tensor:
        target = plan.batch.target if k == plan.bottom else hidden[k - 1]
        made = path.stack[k].decode(hidden[k], plan.mode)
        return distance(made, path.activation(k), target)

    terms: dict[str, Lazy] = {}
    for k in range(plan.bottom, plan.top + 1):
        terms[f'phase{k}/{name}'] = partial(alone, k)
        terms[f'phase{k}/l2'] = partial(losses.l2, path.stack[k].kernels, experiment.l2)
        terms[f'phase{k}/sparsity'] = partial(_sparsity, hidden[k], experiment.sparsity_target)
    return terms


def _sparsity(activations: tf.Tensor, target: float) -> OfBatch:
    return OfBatch(activations, partial(losses.sparsity_kl, target=target))
