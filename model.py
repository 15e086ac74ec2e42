"""The graphs: what can be minimised, and the names that a saved graph promises.

`build` makes the inference graph on the placeholder `X:0`, with every variable and promised name.
`tower` makes the same network again on the same variables over other inputs: a batch in training,
or the cached activations of a lower layer.
"""

from __future__ import annotations

import math
import re

import tensorflow.compat.v1 as tf

import layers
import losses
import pairs
import recurrent
from endpoints import (
    Batch,
    Endpoints,
    Expose,
    Lazy,
    distance_of,
    reconstruction_metrics,
    unchanged,
)
from layers import Mode
from parameters import LOSSES, Experiment, Spec
from saved_graph import SavedGraph

INFERENCE = Mode()


def build(experiment: Experiment, spec: Spec, restored: SavedGraph | None = None) -> Endpoints:
    """Builds the inference graph, with its variables and the names promised to users.

    `restored` is the saved graph of the experiment's parent, imported as it stands; without a
    parent the network is built from the experiment's fields.
    """
    X = tf.placeholder(tf.float32, [None, *spec.shape], name='X')
    y, mode = None, INFERENCE
    if experiment.classifies:
        y = tf.placeholder(tf.int32, [None], name='y')
    if experiment.has_training_mode():
        mode = Mode(tf.placeholder_with_default(False, [], name='training'))

    def promise(name: str, tensor: tf.Tensor) -> tf.Tensor:
        """Names a tensor at the top; what follows is computed from the name, so that it feeds."""
        with tf.name_scope(None):
            return tf.identity(tensor, name=name)

    length = None
    if experiment.network == 'lstm' and not experiment.parent:
        length = tf.placeholder_with_default([spec.shape[0]], [None], name='length')
    batch = Batch(X, X, y, length)
    endpoints = tower(experiment, spec, batch, mode, restored=restored, expose=promise)
    tensors = {'X': X, **endpoints.tensors}
    if length is not None:
        tensors['length'] = length
    if y is not None:
        tensors['accuracy'] = tf.reduce_mean(endpoints.metrics['accuracy'](), name='accuracy')
    return endpoints._replace(tensors=tensors)


def tower(
    experiment: Experiment,
    spec: Spec,
    batch: Batch,
    mode: Mode = INFERENCE,
    *,
    reads: str = 'X',
    restored: SavedGraph | None = None,
    expose: Expose = unchanged,
) -> Endpoints:
    """Builds the network from the tensor `reads` on, over `batch`, below the current name scope."""
    with tf.name_scope('tower'):
        if experiment.parent:
            return _classifier(experiment, spec, batch, mode, reads, restored, expose)
        if experiment.network == 'memory':
            return _memory(experiment, spec, batch, expose)
        if experiment.network == 'lstm':
            return recurrent.autoencoder(experiment, spec, batch, mode, reads, expose)
        return _autoencoder(experiment, spec, batch, mode, reads, expose)


def _stack(experiment: Experiment, spec: Spec) -> dict[int, pairs.Pair]:
    """Makes or reuses each layer with its inverse, by number from 1; the last gives the code."""
    settings = {'initializer': experiment.initializer, 'seed': experiment.seed}
    stack: dict[int, pairs.Pair] = {}
    if experiment.network == 'dense':
        shape = (math.prod(spec.shape),)
        for k, units in enumerate(experiment.hidden, start=1):
            stack[k] = pairs.dense_pair(f'layer{k}', shape, units, tied=experiment.tied, **settings)
            shape = stack[k].outputs
        return stack
    shape, norm = spec.shape, experiment.batch_norm
    for k, channels in enumerate(experiment.filters, start=1):
        settings['normalized'] = norm, norm and k > 1  # the output has a bias
        stack[k] = pairs.conv_pair(
            f'layer{k}',
            shape,
            channels,
            side=experiment.kernel_size,
            upsample=experiment.decoder == 'upsample',
            **settings,
        )
        shape = stack[k].outputs
    if experiment.code_size:
        settings['normalized'] = norm
        k, units = experiment.depth, experiment.code_size
        stack[k] = pairs.dense_pair(f'layer{k}', shape, units, tied=False, **settings)
    return stack


def _autoencoder(
    experiment: Experiment, spec: Spec, batch: Batch, mode: Mode, reads: str, expose: Expose
) -> Endpoints:
    settings = {'initializer': experiment.initializer, 'seed': experiment.seed}
    stack, depth = _stack(experiment, spec), experiment.depth
    kernels = [kernel for pair in stack.values() for kernel in pair.kernels]
    lowest = 0 if reads == 'X' else int(reads.removeprefix('hidden'))
    tensors: dict[str, tf.Tensor] = {}
    hidden = {lowest: batch.inputs}  # hidden[k] is [N, *stack[k].outputs]
    for k in range(lowest + 1, depth + 1):
        activation = experiment.code if k == depth else experiment.activation
        made = layers.ACTIVATION[activation](stack[k].encode(hidden[k - 1], mode))
        if not (experiment.variational and k == depth):  # a Gaussian's mean is noisy by itself
            made = layers.dropout(made, experiment.dropout, mode, f'hidden{k}')
        tensors[f'hidden{k}'] = hidden[k] = expose(f'hidden{k}', made)
    codings = layers.flattened(hidden[depth])
    if experiment.variational:
        units = stack[depth].outputs[0]
        below = layers.flattened(hidden[depth - 1])
        with tf.variable_scope(f'layer{depth}'):
            raw = layers.dense('log_var', below, units, activation='linear', **settings)
            with tf.variable_scope('log_var', reuse=True):
                kernels.append(tf.get_variable('kernel'))
        mean = tensors['codings_mean'] = expose('codings_mean', codings)
        log_var = tensors['codings_log_var'] = expose('codings_log_var', layers.log_variance(raw))
        codings = layers.sample(mean, log_var, mode)
    tensors['codings'] = expose('codings', codings)

    def activation_of(k: int) -> str:
        """Returns the activation of layer k's inverse."""
        return experiment.output_activation if k == 1 else experiment.activation

    def decode(k: int, codings: tf.Tensor) -> tf.Tensor:
        """Decodes hidden[k] down to what the tower reads, but for the last activation."""
        made = stack[k].decode(codings, mode)
        for layer in range(k - 1, lowest, -1):
            made = layers.ACTIVATION[activation_of(layer + 1)](made)
            made = layers.dropout(made, experiment.dropout, mode, f'decoded{layer}')
            made = stack[layer].decode(made, mode)
        return made

    final = layers.ACTIVATION[activation_of(lowest + 1)]
    logits = decode(depth, tensors['codings'])
    tensors['outputs'] = expose('outputs', final(logits))
    if experiment.training == 'greedy':
        for k in range(lowest + 1, depth):
            name = f'phase{k}_outputs'
            tensors[name] = expose(name, final(decode(k, hidden[k])))
    if experiment.classify:
        with tf.variable_scope('head'):
            classes = len(spec.classes)
            made = layers.dense(
                'logits', tensors['codings'], classes, activation='linear', **settings
            )
        tensors['logits'] = expose('logits', made)

    distance = distance_of(experiment)
    name = LOSSES[experiment.loss]
    terms: dict[str, Lazy] = {
        'mse': lambda: losses.mse(tensors['outputs'], batch.target),
        name: lambda: distance(logits, activation_of(lowest + 1), batch.target),
        'l2': lambda: losses.l2(kernels, experiment.l2),
        'ssim': lambda: losses.ssim(tensors['outputs'], batch.target),
        'sparsity': lambda: losses.sparsity_kl(tensors['codings'], experiment.sparsity_target),
    }
    metrics = reconstruction_metrics(tensors['outputs'], batch.target)
    if experiment.network == 'conv':
        metrics['psnr'] = lambda: losses.psnr(tensors['outputs'], batch.target)
    if experiment.classify:
        metrics['cross_entropy'] = terms['cross_entropy'] = lambda: losses.sigmoid_cross_entropy(
            tensors['logits'], batch.y
        )
        metrics['accuracy'] = lambda: losses.correct(tensors['logits'], batch.y)
    if name == 'nll':
        metrics['nll'] = terms['nll']
    if experiment.variational:
        metrics['kl'] = terms['kl'] = lambda: losses.gaussian_kl(mean, log_var)
        if name == 'nll':  # only then are both in nats
            metrics['nelbo'] = lambda: terms['nll']() + terms['kl']()
    for k in range(lowest + 1, depth + 1):
        target = batch.target if k == lowest + 1 else hidden[k - 1]
        terms[f'phase{k}/{name}'] = lambda k=k, target=target: distance(
            stack[k].decode(hidden[k], mode), activation_of(k), target
        )
        terms[f'phase{k}/l2'] = lambda k=k: losses.l2(stack[k].kernels, experiment.l2)
        terms[f'phase{k}/sparsity'] = lambda k=k: losses.sparsity_kl(
            hidden[k], experiment.sparsity_target
        )
    return Endpoints(tensors, terms, metrics)


def _memory(experiment: Experiment, spec: Spec, batch: Batch, expose: Expose) -> Endpoints:
    """Decodes a one-hot vector, or the vector learned for it, to the picture stored under it."""
    height, width, *rest = spec.picture
    channels, depth = math.prod(rest), len(experiment.filters)
    settings = {'initializer': experiment.initializer, 'seed': experiment.seed}
    sizes = [tuple(-(-side // 2**k) for side in (height, width)) for k in range(depth + 1)]
    codings = batch.inputs
    if experiment.memory_code:
        shape = (spec.shape[0], experiment.memory_code)
        codings = tf.matmul(
            codings, layers.kernel_variable('codes', shape, 'unit', experiment.seed)
        )
    codings = expose('codings', codings)
    units = math.prod(sizes[depth]) * experiment.filters[0]
    made = layers.dense('start', codings, units, activation=experiment.activation, **settings)
    made = tf.reshape(made, [-1, *sizes[depth], experiment.filters[0]])
    widths = (*experiment.filters[1:], channels)
    kinds = (*[experiment.activation] * (depth - 1), experiment.output_activation)
    for k, (units, kind) in enumerate(zip(widths, kinds, strict=True), start=1):
        made = pairs.deconvolution(
            f'deconvolution{k}',
            made,
            (*sizes[depth - k], units),
            side=experiment.kernel_size,
            activation=kind,
            **settings,
        )
    outputs = expose('outputs', tf.reshape(made, [-1, math.prod(spec.picture)]))
    metrics = reconstruction_metrics(outputs, batch.target)
    return Endpoints({'codings': codings, 'outputs': outputs}, {'mse': metrics['mse']}, metrics)


def _classifier(
    experiment: Experiment,
    spec: Spec,
    batch: Batch,
    mode: Mode,
    reads: str,
    restored: SavedGraph | None,
    expose: Expose,
) -> Endpoints:
    """Puts a head on the codings of a restored graph; reading 'codings', the head alone.

    The restored part is used as at inference, whatever the mode: what is random in it is off. Its
    layers' activations are dropped as the experiment says.
    """

    def dropped(name: str, tensor: tf.Tensor) -> tf.Tensor:
        return layers.dropout(tensor, experiment.finetune_dropout, mode, name)

    tensors = {'codings': batch.inputs}
    if reads != 'codings':
        change = dropped if experiment.finetune_dropout else None
        tensors = restored.tower(batch.inputs, batch.length, change)
    tensors = {name: expose(name, tensor) for name, tensor in tensors.items()}
    hidden = tensors['codings']
    settings = {'initializer': 'he_avg', 'seed': experiment.seed}
    with tf.variable_scope('head'):
        if experiment.standardize_codings:
            mean, deviation = standardizer(int(hidden.shape[-1]))
            hidden = (hidden - mean) / deviation
        for k, units in enumerate(experiment.head, start=1):
            hidden = layers.dropout(hidden, experiment.head_dropout, mode, f'head{k}')
            hidden = layers.dense(
                f'hidden{k}', hidden, units, activation=experiment.head_activation, **settings
            )
        hidden = layers.dropout(hidden, experiment.head_dropout, mode, 'head')
        logits = layers.dense('logits', hidden, len(spec.classes), activation='linear', **settings)
    logits = expose('logits', logits)
    terms = {'cross_entropy': lambda: losses.cross_entropy(logits, batch.y)}
    metrics = {**terms, 'accuracy': lambda: losses.correct(logits, batch.y)}
    if 'outputs' in tensors:
        metrics |= reconstruction_metrics(tensors['outputs'], batch.target)
    return Endpoints({**tensors, 'logits': logits}, terms, metrics)


def standardizer(units: int) -> tuple[tf.Variable, tf.Variable]:
    """Makes or reuses the codings' mean and standard deviation, [units], set before training."""
    keep = {'trainable': False, 'use_resource': True}
    return (
        tf.get_variable('mean', [units], initializer=tf.zeros_initializer(), **keep),
        tf.get_variable('deviation', [units], initializer=tf.ones_initializer(), **keep),
    )


def variables(
    graph: tf.Graph, pattern: str = '.*', *, trainable: bool = False
) -> list[tf.Variable]:
    """Returns the model's variables whose whole name matches `pattern`, in order of creation."""
    key = tf.GraphKeys.TRAINABLE_VARIABLES if trainable else tf.GraphKeys.GLOBAL_VARIABLES
    return [v for v in graph.get_collection(key) if re.fullmatch(pattern, v.op.name)]


def upstream(tensor: tf.Tensor) -> set[str]:
    """Returns the names of the variables that a tensor is computed from."""
    seen, todo = set(), [tensor.op]
    while todo:
        op = todo.pop()
        if op not in seen:
            seen.add(op)
            todo += [source.op for source in op.inputs]
    return {op.name for op in seen if op.type == 'VarHandleOp'}
