"""K-means as a network: centroids are a kernel, and an example's code says how near each is to it.

The squared distance to the nearest centroid is the loss, whose gradient moves that one alone: the
stochastic k-means of Bottou and Bengio 1995. The code is the triangle of Coates, Ng and Lee 2011.
"""

from __future__ import annotations

import tensorflow.compat.v1 as tf

from networks import layers, losses
from networks.endpoints import Blueprint, Endpoints, Lazy, reconstruction_metrics
from networks.layers import group

KERNEL = 'layer1/kernel'  # [features, centroids], which begin between the mean and examples


def centroids(plan: Blueprint) -> Endpoints:
    """Codes examples by how much nearer than on average each centroid is, and decodes the nearest.

    With z the distances to the centroids, the code is max(0, mean(z) - z), [N, centroids].
    """
    inputs, experiment = plan.batch.inputs, plan.experiment
    features, units = int(inputs.shape[-1]), experiment.hidden[0]
    with tf.variable_scope('layer1'):
        kernel = layers.kernel_variable('kernel', (features, units), 'he', experiment.seed)
    with group('encoder1'):
        products = tf.matmul(inputs, kernel)
        lengths = tf.reduce_sum(tf.square(inputs), axis=1, keepdims=True)
        squares = lengths - 2.0 * products + tf.reduce_sum(tf.square(kernel), axis=0)
        distances = tf.sqrt(tf.maximum(squares, 0.0))
        code = tf.nn.relu(tf.reduce_mean(distances, axis=1, keepdims=True) - distances)
    hidden = plan.expose('hidden1', code)
    codings = plan.expose('codings', hidden)
    with group('decoder1'):
        nearest = tf.gather(tf.transpose(kernel), tf.argmax(codings, axis=1))
    outputs = plan.expose('outputs', plan.units.back(nearest))
    target, name = plan.units.back(plan.batch.target), experiment.distance
    terms: dict[str, Lazy] = {name: lambda: losses.mse(nearest, plan.batch.target)}
    metrics = reconstruction_metrics(outputs, target)
    metrics[name] = terms[name]
    return Endpoints({'hidden1': hidden, 'codings': codings, 'outputs': outputs}, terms, metrics)
