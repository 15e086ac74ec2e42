"""The graphs: what can be minimised, and the names that a saved graph promises.

`build` makes the inference graph on the placeholder `X:0`, with every variable and promised name.
`tower` makes the same network again on the same variables over other inputs: a batch in training,
or the cached activations of a lower layer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NamedTuple

import tensorflow.compat.v1 as tf

import layers
import losses
from layers import Mode
from parameters import Experiment, Spec
from saved_graph import SavedGraph

Lazy = Callable[[], tf.Tensor]
INFERENCE = Mode()


class Batch(NamedTuple):
    """What a tower is fed: the tensor it reads, what to reconstruct, labels if there are any."""

    inputs: tf.Tensor  # [N, features], or the activations of a lower layer
    target: tf.Tensor  # as inputs
    y: tf.Tensor | None = None  # [N], int32


class Endpoints(NamedTuple):
    """A network's named tensors, and its losses and metrics by name, built when they are called.

    A loss is [batch]-shaped, or a scalar where it is a penalty on weights.
    """

    tensors: dict[str, tf.Tensor]
    losses: dict[str, Lazy]
    metrics: dict[str, Lazy]


def build(experiment: Experiment, spec: Spec, restored: SavedGraph | None = None) -> Endpoints:
    """Builds the inference graph, with its variables and the names promised to users.

    `restored` is the saved graph of the experiment's parent, imported as it stands; without a
    parent the network is built from the experiment's fields.
    """
    X = tf.placeholder(tf.float32, [None, *spec.shape], name='X')
    y, mode = None, INFERENCE
    if experiment.parent:
        y = tf.placeholder(tf.int32, [None], name='y')
        if experiment.head_dropout:
            mode = Mode(tf.placeholder_with_default(False, [], name='training'))
    endpoints = tower(experiment, spec, Batch(X, X, y), mode, restored=restored)
    promised = {name: tf.identity(t, name=name) for name, t in endpoints.tensors.items()}
    if y is not None:
        promised['accuracy'] = tf.reduce_mean(endpoints.metrics['accuracy'](), name='accuracy')
    return endpoints._replace(tensors={'X': X, **promised})


def tower(
    experiment: Experiment,
    spec: Spec,
    batch: Batch,
    mode: Mode = INFERENCE,
    *,
    reads: str = 'X',
    restored: SavedGraph | None = None,
) -> Endpoints:
    """Builds the network from the tensor `reads` on, over `batch`, below the current name scope."""
    with tf.name_scope('tower'):
        if experiment.parent:
            return _classifier(experiment, spec, batch, mode, reads, restored)
        return _dense_autoencoder(experiment, spec, batch, reads)


def _dense_autoencoder(experiment: Experiment, spec: Spec, batch: Batch, reads: str) -> Endpoints:
    sizes = (math.prod(spec.shape), *experiment.hidden)
    depth = len(experiment.hidden)
    pairs = {
        k: layers.dense_pair(
            f'layer{k}',
            sizes[k - 1],
            sizes[k],
            tied=experiment.tied,
            initializer=experiment.initializer,
            seed=experiment.seed,
        )
        for k in range(1, depth + 1)
    }
    lowest = 0 if reads == 'X' else int(reads.removeprefix('hidden'))
    hidden = {lowest: batch.inputs}  # hidden[k] is [N, sizes[k]]
    for k in range(lowest + 1, depth + 1):
        hidden[k] = pairs[k].encode(hidden[k - 1], experiment.activation)

    def invert(k: int, codings: tf.Tensor) -> tf.Tensor:
        return pairs[k].decode(
            codings, experiment.output_activation if k == 1 else experiment.activation
        )

    def reconstruct(k: int) -> tf.Tensor:
        """Decodes hidden[k] through all the layers below it, down to what the tower reads."""
        outputs = hidden[k]
        for layer in range(k, lowest, -1):
            outputs = invert(layer, outputs)
        return outputs

    tensors = {f'hidden{k}': hidden[k] for k in range(1, depth + 1) if k in hidden}
    tensors |= {'codings': hidden[depth], 'outputs': reconstruct(depth)}
    terms: dict[str, Lazy] = {
        'mse': lambda: losses.mse(tensors['outputs'], batch.target),
        'l2': lambda: losses.l2([w for p in pairs.values() for w in p.kernels], experiment.l2),
    }
    for k in range(lowest + 1, depth + 1):
        terms[f'phase{k}/mse'] = lambda k=k: losses.mse(invert(k, hidden[k]), hidden[k - 1])
        terms[f'phase{k}/l2'] = lambda k=k: losses.l2(pairs[k].kernels, experiment.l2)
        if experiment.training == 'greedy' and k < depth:
            tensors[f'phase{k}_outputs'] = reconstruct(k)
    return Endpoints(tensors, terms, _reconstruction_metrics(tensors['outputs'], batch.target))


def _reconstruction_metrics(outputs: tf.Tensor, target: tf.Tensor) -> dict[str, Lazy]:
    return {
        'mse': lambda: losses.mse(outputs, target),
        'squared_error': lambda: losses.squared_error(outputs, target),
        'mae': lambda: losses.mae(outputs, target),
    }


def _classifier(
    experiment: Experiment,
    spec: Spec,
    batch: Batch,
    mode: Mode,
    reads: str,
    restored: SavedGraph | None,
) -> Endpoints:
    """Puts a head on the codings of a restored graph; reading 'codings', the head alone."""
    if reads == 'codings':
        tensors = {'codings': batch.inputs}
    else:
        tensors = restored.tower(batch.inputs, mode.training)
    hidden = tensors['codings']
    settings = {'initializer': 'he_avg', 'seed': experiment.seed}
    with tf.variable_scope('head'):
        if experiment.standardize_codings:
            mean, deviation = standardizer(int(hidden.shape[-1]))
            hidden = (hidden - mean) / deviation
        for k, units in enumerate(experiment.head, start=1):
            hidden = layers.dropout(hidden, experiment.head_dropout, mode, salt=k)
            hidden = layers.dense(
                f'hidden{k}', hidden, units, activation=experiment.head_activation, **settings
            )
        hidden = layers.dropout(hidden, experiment.head_dropout, mode, salt=0)
        logits = layers.dense('logits', hidden, len(spec.classes), activation='linear', **settings)
    terms = {'cross_entropy': lambda: losses.cross_entropy(logits, batch.y)}
    metrics = {**terms, 'accuracy': lambda: losses.correct(logits, batch.y)}
    if 'outputs' in tensors:
        metrics |= _reconstruction_metrics(tensors['outputs'], batch.target)
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
