"""A classifier's head on the codings of a restored graph."""

from __future__ import annotations

import tensorflow.compat.v1 as tf

from networks import layers, losses, patches, steps
from networks.endpoints import Blueprint, Endpoints, Lazy, reconstruction_metrics, unchanged
from networks.layers import Initial
from parameters import Experiment


def classifier(plan: Blueprint) -> Endpoints:
    """Puts a head on the codings of a restored graph; reading 'codings', the head alone.

    The restored part is used as at inference, whatever the mode: what is random in it is off. Its
    layers' activations are dropped, and its batch norm goes by the batch, as the experiment says.
    """
    experiment, batch = plan.experiment, plan.batch

    def dropped(name: str, tensor: tf.Tensor) -> tf.Tensor:
        return layers.dropout(tensor, experiment.finetune_dropout, plan.mode, name)

    change = dropped if experiment.finetune_dropout else None
    if plan.reads == 'codings':
        tensors = {'codings': plan.expose('codings', batch.inputs)}
    else:
        assert plan.restored is not None, 'a head without a restored graph'
        if experiment.pool and not patches.reads_whole(plan.restored, plan.spec):
            grid = patches.grid_of(plan.restored, plan.spec, experiment)
            codings = patches.pooled(plan.restored, batch.inputs, grid, experiment.pool, change)
            tensors = {'codings': plan.expose('codings', codings)}
        else:
            is_exposed = plan.expose is not unchanged
            expose = plan.expose if is_exposed else None  # so that the outputs are of what is fed
            by_batch = experiment.finetune_batch_norm and plan.mode.training is True
            statistics = plan.mode.statistics if by_batch else None
            tensors = plan.restored.tower(batch.inputs, batch.length, change, expose, statistics)
        if 'outputs' in tensors and not _is_reconstruction(plan, tensors['outputs']):
            del tensors['outputs']
        tensors |= {
            name: plan.expose(name, tensor) for name, tensor in tensors.items() if name != 'codings'
        }
    logits = tensors['logits'] = plan.expose('logits', _logits(plan, tensors['codings']))
    terms: dict[str, Lazy] = {'cross_entropy': lambda: losses.cross_entropy(logits, batch.y)}
    metrics = {**terms, 'accuracy': lambda: losses.correct(logits, batch.y)}
    terms['l2'] = lambda: losses.l2(_kernels(experiment), experiment.l2)
    if 'outputs' in tensors:
        metrics |= _reconstruction(plan, tensors['outputs'])
    return Endpoints(tensors, terms, metrics)


def _is_reconstruction(plan: Blueprint, outputs: tf.Tensor) -> bool:
    """Whether outputs are of the inputs' shape: a stranger may mean something else by the name."""
    if outputs.shape.rank is None:
        return False
    return plan.spec.one_hot or outputs.shape.is_compatible_with(plan.batch.inputs.shape)


def _reconstruction(plan: Blueprint, outputs: tf.Tensor) -> dict[str, Lazy]:
    """Returns the distances of what the restored graph makes of its input, as far as it counts."""
    target, length, restored = plan.batch.target, plan.batch.length, plan.restored
    if restored is None or not restored.counts_steps or outputs.shape.rank != 3:
        return reconstruction_metrics(outputs, target)
    outputs = tf.ensure_shape(outputs, [None, *target.shape[1:]])  # which a graph may leave open
    return steps.step_metrics('', outputs, target, length)


def _logits(plan: Blueprint, codings: tf.Tensor) -> tf.Tensor:
    """Returns what the head makes of the codings, [N, units] -> [N, classes]."""
    experiment, hidden = plan.experiment, codings
    settings = Initial(initializer='he_avg', seed=experiment.seed)
    with tf.variable_scope('head'):
        if experiment.standardize_codings:
            mean, deviation = _standardizer(int(codings.shape[-1]))
            hidden = (codings - mean) / deviation
        for k, units in enumerate(experiment.head, start=1):
            hidden = layers.dropout(hidden, experiment.head_dropout, plan.mode, f'head{k}')
            hidden = layers.dense(
                f'hidden{k}', hidden, units, activation=experiment.head_activation, **settings
            )
        hidden = layers.dropout(hidden, experiment.head_dropout, plan.mode, 'head')
        classes = len(plan.spec.classes)
        return layers.dense('logits', hidden, classes, activation='linear', **settings)


def _kernels(experiment: Experiment) -> list[tf.Variable]:
    """Returns the kernels of the head, which is there already."""
    scopes = [*(f'hidden{k}' for k, _ in enumerate(experiment.head, start=1)), 'logits']
    found = []
    for scope in scopes:
        with tf.variable_scope(f'head/{scope}', reuse=True):
            found.append(tf.get_variable('kernel'))
    return found


def _standardizer(units: int) -> tuple[tf.Variable, tf.Variable]:
    """Makes or reuses the codings' mean and standard deviation, [units], set before training."""
    keep = {'trainable': False, 'use_resource': True}
    return (
        tf.get_variable('mean', [units], initializer=tf.zeros_initializer(), **keep),
        tf.get_variable('deviation', [units], initializer=tf.ones_initializer(), **keep),
    )
