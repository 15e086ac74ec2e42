"""The work of an update, and what a processor does at most of it: large products of matrices."""

from __future__ import annotations

import math
import time

from parameters import Experiment

_SIDE, _SECONDS = 3072, 1.5  # of the products, and of looking for their best


def operations(experiment: Experiment, shape: tuple[int, ...]) -> float:
    """Returns the multiplications and additions of an example's products in an update.

    Each kernel has one product forward, one for its own gradient, and one for that of what it is
    fed, but where that is the data. An LSTM's decoder is fed nothing.
    """
    if experiment.network == 'conv':
        forward = _of_convolutions(experiment, shape)
    elif experiment.network == 'lstm':
        forward = _of_sequences(experiment, shape)
    else:
        widths = (*shape, *experiment.hidden)
        pairs = [a * b for a, b in zip(widths, widths[1:], strict=False)]
        forward = [*pairs, *reversed(pairs)]
    return 2.0 * (3 * sum(forward) - forward[0])


def _of_convolutions(experiment: Experiment, shape: tuple[int, ...]) -> list[float]:
    """Returns the multiplications of each convolution forward, and of each transposed one."""
    (height, width, channels), made = shape, []
    for filters in experiment.filters:
        height, width = -(-height // 2), -(-width // 2)
        made.append(height * width * experiment.kernel_size**2 * channels * filters)
        channels = filters
    return [*made, *reversed(made)]  # the inverse has as many


def _of_sequences(experiment: Experiment, shape: tuple[int, ...]) -> list[float]:
    (steps, features), (units,) = shape, experiment.hidden
    recurrent = steps * units * 4 * units
    return [steps * features * 4 * units, recurrent, recurrent, steps * units * features]


def peak(precision: str) -> float:
    """Returns the most operations a second of a large product in TensorFlow, on all cores."""
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default(), tf.Session() as session:
        factors = [
            tf.get_variable(
                name,
                initializer=tf.cast(
                    tf.random.stateless_uniform([_SIDE, _SIDE], [0, seed]), precision
                ),
                use_resource=True,
            )
            for seed, name in enumerate('ab')
        ]
        session.run(tf.global_variables_initializer())
        product = session.make_callable(tf.matmul(*factors).op)
        best, end = math.inf, time.monotonic() + _SECONDS
        while time.monotonic() < end:
            began = time.perf_counter()
            product()
            best = min(best, time.perf_counter() - began)
    return 2.0 * _SIDE**3 / best
