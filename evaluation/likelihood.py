"""The likelihood of examples under a variational autoencoder, estimated by importance sampling.

Burda et al. 2016, Importance Weighted Autoencoders: log p(x) is at least the expectation of
log (1/K sum_k p(x | z_k) p(z_k) / q(z_k | x)), each z_k sampled from q, and close to it
at K = 5,000.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from inputs.rows import Rows
from model import Network, batch_size
from networks import layers
from networks.endpoints import Batch
from system.interrupts import Interrupts
from system.progress import Bar

_AT_ONCE = 8  # codes an example in one call


def importance_nll(
    network: Network, rows: Rows, samples: int, key: int, interrupts: Interrupts
) -> float:
    """Returns -log p(x) in nats, the mean over the rows, by `samples` codes for each of them.

    `key` keys the pixels where the experiment draws them; codes are the same ones whatever it is.
    """
    with tf.name_scope('likelihood'):
        placed = tf.placeholder(tf.float32, network.endpoints.tensors['X'].shape, 'examples')
        pixels, seed = (tf.placeholder(tf.int64, [2], name) for name in ('pixels', 'seed'))
        count = tf.placeholder(tf.int32, [], 'codes')
        log_weights = _log_weights(network, placed, pixels, count, seed)
        logs_of_sums = tf.reduce_logsumexp(log_weights, axis=0)
    size, total = batch_size(network.spec.shape), 0.0
    with Bar('likelihood', len(rows) * samples, 'code', scale=True) as bar:
        for start in range(0, len(rows), size):
            inputs = rows.floats(start, start + size)
            sums = np.full(len(inputs), -np.inf)  # of the weights so far, their logarithms
            feeds: list[dict[tf.Tensor, Any]] = [
                {
                    placed: inputs,
                    pixels: (key, start),
                    seed: (start, done),
                    count: min(_AT_ONCE, samples - done),
                }
                for done in range(0, samples, _AT_ONCE)
            ]
            for fed, more in zip(feeds, network.run_each(logs_of_sums, feeds), strict=True):
                interrupts.check()
                sums = np.logaddexp(sums, more)
                bar.advance(len(inputs) * fed[count])
            total += float(np.sum(np.log(samples) - sums))
    return total / len(rows)


def _log_weights(
    network: Network, examples: tf.Tensor, pixels: tf.Tensor, count: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    """Returns log p(x | z) p(z) / q(z | x) of `count` codes an example, [count, N]."""
    examples = network.units.into(examples)
    if network.experiment.binarize:
        examples = layers.binarize(examples, pixels)
    found: dict[str, tf.Tensor] = {}

    def sampled(name: str, tensor: tf.Tensor) -> tf.Tensor:
        """Puts the codes of all samples in the place of one code an example."""
        if name != 'codings':
            found[name] = tensor
            return tensor
        mean, log_var = found['codings_mean'], found['codings_log_var']
        noise = tf.random.stateless_normal(tf.concat([[count], tf.shape(mean)], 0), seed)
        codes, found['log_ratios'] = layers.weighed(mean, log_var, noise)
        return tf.reshape(codes, [-1, int(mean.shape[-1])])

    ones = [1] * (examples.shape.rank - 1)
    batch = Batch(examples, tf.tile(examples, [count, *ones]))
    nll = network.tower(expose=sampled)(batch, layers.Mode()).losses['nll']()
    return found['log_ratios'] - tf.reshape(nll, tf.shape(found['log_ratios']))
