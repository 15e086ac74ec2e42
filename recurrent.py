"""LSTM autoencoders: an encoder of sequences, decoders that go on from its code, their losses.

Sequences are [N, T, features] outside and time-major, [T, N, features], in here. What is fed at
every step is known beforehand, but where a decoder is fed its own outputs, so its product with the
kernel is one for all steps; only the recurrent product is left to each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import tensorflow.compat.v1 as tf

import layers
import losses
from endpoints import Batch, Endpoints, Expose, Lazy, distance_of
from layers import Mode, bias_variable, kernel_variable
from parameters import LOSSES, Experiment, Spec

UNROLLED = 64  # steps of the longest sequence that is not looped over
_SUMMED = ('nll', 'squared_error')  # over steps; other losses are means

Carry = tuple[tf.Tensor, ...]
Step = Callable[..., Carry]


class Cell(NamedTuple):
    """An LSTM's variables; its gates are in the order input, forget, output, candidate.

    Hochreiter and Schmidhuber 1997, with the forget gates of Gers et al. 2000.
    """

    kernel: tf.Variable | None  # [inputs, 4 * units]; None where nothing is fed
    recurrent_kernel: tf.Variable  # [units, 4 * units]
    bias: tf.Variable  # [4 * units]

    def product(self, inputs: tf.Tensor | None) -> tf.Tensor:
        """Returns inputs @ kernel + bias, [..., inputs] -> [..., 4 * units]; of None, the bias."""
        if inputs is None:
            return self.bias.read_value()
        flat = tf.reshape(inputs, [-1, int(inputs.shape[-1])])
        made = tf.matmul(flat, self.kernel) + self.bias
        if inputs.shape.rank == 2:
            return made
        return tf.reshape(made, [int(inputs.shape[0]), -1, int(made.shape[-1])])

    def stepper(self) -> Step:
        """Returns (product, h, c) -> (h, c), all but the product [N, units]."""
        recurrent_kernel = self.recurrent_kernel.read_value()

        def step(product: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> Carry:
            gates = product + tf.matmul(h, recurrent_kernel)
            entered, kept, shown, candidate = tf.split(gates, 4, axis=1)
            c = tf.sigmoid(kept) * c + tf.sigmoid(entered) * tf.tanh(candidate)
            return tf.sigmoid(shown) * tf.tanh(c), c

        return step

    def rest(self, count: tf.Tensor) -> Carry:
        """Returns the state to begin with, zeros, of `count` sequences."""
        zeros = tf.zeros(tf.stack([count, self.recurrent_kernel.shape[0]]))
        return zeros, zeros


def _cell(
    prefix: str, inputs: int, units: int, *, forget_bias: float, initializer: str, seed: int
) -> Cell:
    start = [0.0] * units + [forget_bias] * units + [0.0] * 2 * units
    settings = {'initializer': initializer, 'seed': seed}
    kernel = None
    if inputs:
        kernel = kernel_variable(f'{prefix}kernel', (inputs, 4 * units), **settings)
    return Cell(
        kernel=kernel,
        recurrent_kernel=kernel_variable(
            f'{prefix}recurrent_kernel', (units, 4 * units), **settings
        ),
        bias=bias_variable(f'{prefix}bias', 4 * units, start),
    )


class Decoder(NamedTuple):
    """An LSTM and the dense layer that makes each of its states an output, without activation."""

    cell: Cell
    kernel: tf.Variable  # [units, outputs]
    bias: tf.Variable  # [outputs]

    def project(self, states: tf.Tensor) -> tf.Tensor:
        """Returns states @ kernel + bias, [T, N, units] -> [T, N, outputs]."""
        units, outputs = map(int, self.kernel.shape)
        made = tf.matmul(tf.reshape(states, [-1, units]), self.kernel) + self.bias
        return tf.reshape(made, [int(states.shape[0]), -1, outputs])


def _decoder(prefix: str, inputs: int, units: int, outputs: int, **settings) -> Decoder:
    cell = _cell(prefix, inputs, units, **settings)
    settings.pop('forget_bias')
    return Decoder(
        cell=cell,
        kernel=kernel_variable(f'{prefix}output_kernel', (units, outputs), **settings),
        bias=bias_variable(f'{prefix}output_bias', outputs),
    )


def scan(
    step: Step,
    carry: Carry,
    products: tf.Tensor,
    steps: int,
    length: tf.Tensor | None = None,
    *,
    unrolled: bool | None = None,
) -> tuple[tf.Tensor, Carry]:
    """Runs `step`, (product, *carry) -> carry, so many times.

    Returns the first part of the carry at each step, [steps, N, ...], and the last carry.
    `products` are [steps, N, ...], or one for all steps. From step `length` [N] on, an example's
    carry stays as it is. Few steps are unrolled, of more a loop is made.
    """

    def held(t: int | tf.Tensor, made: Carry, before: Carry) -> Carry:
        if length is None:
            return made
        counts = tf.expand_dims(t < length, 1)
        return tuple(tf.where_v2(counts, new, old) for new, old in zip(made, before, strict=True))

    one_for_all = products.shape.rank < 3
    if steps <= UNROLLED if unrolled is None else unrolled:
        emitted = []
        for t, product in enumerate([products] * steps if one_for_all else tf.unstack(products)):
            carry = held(t, step(product, *carry), carry)
            emitted.append(carry[0])
        return tf.stack(emitted), carry

    def body(t: tf.Tensor, emitted: tf.TensorArray, *carry: tf.Tensor) -> tuple:
        made = held(t, step(products if one_for_all else products[t], *carry), carry)
        for new, old in zip(made, carry, strict=True):
            new.set_shape(old.shape)
        return t + 1, emitted.write(t, made[0]), *made

    shape = carry[0].shape
    with _functional_loops():  # whose gradient can be had of an imported graph, too
        emitted = tf.TensorArray(tf.float32, steps, element_shape=shape)
        _, emitted, *carry = tf.while_loop(
            lambda t, *_: t < steps, body, [tf.constant(0), emitted, *carry]
        )
        stacked = emitted.stack()
    stacked.set_shape([steps, *shape])
    return stacked, tuple(carry)


@contextmanager
def _functional_loops() -> Iterator[None]:
    tf.enable_control_flow_v2()
    try:
        yield
    finally:
        tf.disable_control_flow_v2()


class _Layer(NamedTuple):
    """An encoder, and its inverses: of what it read, and of what follows that."""

    encoder: Cell
    decoders: dict[str, Decoder]  # 'decoder', 'predictor', as far as the task needs them

    @property
    def kernels(self) -> list[tf.Variable]:
        """All kernels."""
        cells = [self.encoder, *(decoder.cell for decoder in self.decoders.values())]
        found = [k for cell in cells for k in (cell.kernel, cell.recurrent_kernel) if k is not None]
        return found + [decoder.kernel for decoder in self.decoders.values()]


def _stack(experiment: Experiment, spec: Spec) -> dict[int, _Layer]:
    """Makes or reuses each layer's variables, by number from 1; the last gives the code."""
    settings = {
        'initializer': experiment.initializer,
        'seed': experiment.seed,
        'forget_bias': experiment.forget_bias,
    }
    needed = {
        'reconstruct': ['decoder'],
        'predict': ['predictor'],
        'composite': ['decoder', 'predictor'],
    }[experiment.task]
    stack, below = {}, spec.shape[1]
    for k, units in enumerate(experiment.hidden, start=1):
        fed = units  # by the decoder above
        if k == experiment.depth:
            fed = below * experiment.conditional + 2 * units * experiment.repeat_code
        with tf.variable_scope(f'layer{k}'):
            stack[k] = _Layer(
                encoder=_cell('', below, units, **settings),
                decoders={n: _decoder(f'{n}_', fed, units, below, **settings) for n in needed},
            )
        below = units
    return stack


def autoencoder(
    experiment: Experiment, spec: Spec, batch: Batch, mode: Mode, reads: str, expose: Expose
) -> Endpoints:
    """Builds the LSTM autoencoder of Srivastava et al. 2015 from the tensor `reads` on.

    The code is the last state [h, c] of the top layer, from which its decoders go on. Decoders of
    lower layers read what the one above has decoded, so that each layer with its inverse can be
    trained alone.
    """
    stack, depth, length = _stack(experiment, spec), experiment.depth, batch.length
    lowest = 0 if reads == 'X' else int(reads.removeprefix('hidden'))
    steps, count = int(batch.inputs.shape[1]), tf.shape(batch.inputs)[0]
    tensors: dict[str, tf.Tensor] = {}
    hidden = {lowest: batch.inputs}
    state: Carry = ()
    for k in range(lowest + 1, depth + 1):
        cell = stack[k].encoder
        products = cell.product(_swapped(hidden[k - 1]))
        emitted, state = scan(cell.stepper(), cell.rest(count), products, steps, length)
        tensors[f'hidden{k}'] = hidden[k] = expose(f'hidden{k}', _swapped(emitted))
    codings = tensors['codings'] = expose('codings', tf.concat(state, axis=1))
    wanted = {'decoder': (batch.inputs, steps), 'predictor': (batch.target, spec.future)}
    activation = experiment.output_activation if lowest == 0 else 'linear'

    def turned(values: tf.Tensor) -> tf.Tensor:
        """Puts [N, T, ...] into the order of decoding, or back."""
        return _reversed(values, length) if experiment.order == 'reverse' else values

    def first(name: str) -> tf.Tensor:
        """Returns what a conditional decoder is fed first: zeros, or the last frame, [N, D]."""
        if name == 'predictor':
            return batch.inputs[:, -1]
        return tf.zeros(tf.stack([tf.shape(codings)[0], batch.inputs.shape[2]]))

    def from_code(name: str) -> tf.Tensor:
        """Decodes the code one layer down, in the order of decoding, [T, N, outputs]."""
        decoder, (target, count) = stack[depth].decoders[name], wanted[name]
        step, cell = decoder.cell.stepper(), decoder.cell
        code = tuple(tf.split(codings, 2, axis=1))
        if not experiment.conditional:
            fed = codings if experiment.repeat_code else None
            return decoder.project(scan(step, code, cell.product(fed), count)[0])
        if mode.training is True:
            target = turned(target) if name == 'decoder' else target
            fed = tf.concat([first(name)[:, None], target[:, :-1]], axis=1)
            return decoder.project(scan(step, code, cell.product(_swapped(fed)), count)[0])

        def own(_: tf.Tensor, __: tf.Tensor, frame: tf.Tensor, *state: tf.Tensor) -> Carry:
            state = step(cell.product(frame), *state)
            made = tf.matmul(state[0], decoder.kernel) + decoder.bias
            return made, layers.ACTIVATION[activation](made), *state

        nothing, frame = tf.zeros([]), first(name)
        return scan(own, (tf.zeros_like(frame), frame, *code), nothing, count)[0]

    def alone(k: int) -> tf.Tensor:
        """Decodes layer k by its own inverse, from its own states, in the order of decoding."""
        if k == depth:
            return from_code('decoder')
        return inverse('decoder', k, _swapped(turned(hidden[k])))

    def inverse(name: str, k: int, states: tf.Tensor) -> tf.Tensor:
        """Decodes states of layer k, [T, N, units], one layer down, [T, N, outputs]."""
        decoder = stack[k].decoders[name]
        cell, size = decoder.cell, tf.shape(states)[1]
        products = cell.product(states)
        return decoder.project(
            scan(cell.stepper(), cell.rest(size), products, int(states.shape[0]))[0]
        )

    def below(name: str, k: int, states: tf.Tensor) -> tf.Tensor:
        """Decodes states of layer k down to what the tower reads, in the order of decoding."""
        for layer in range(k, lowest, -1):
            states = inverse(name, layer, states)
        return states

    def loss(kind: str, made: tf.Tensor, target: tf.Tensor, length: tf.Tensor | None) -> tf.Tensor:
        return _over_steps(name, lambda a, b: distance(a, kind, b), made, target, length)

    distance, name = distance_of(experiment), LOSSES[experiment.loss]
    activate = layers.ACTIVATION[activation]
    terms: dict[str, Lazy] = {
        'l2': lambda: losses.l2([v for pair in stack.values() for v in pair.kernels], experiment.l2)
    }
    metrics: dict[str, Lazy] = {}
    if 'decoder' in stack[depth].decoders:
        logits = turned(_swapped(below('decoder', depth - 1, from_code('decoder'))))
        tensors['outputs'] = expose('outputs', _masked(activate(logits), length))
        terms[name] = lambda: loss(activation, logits, batch.inputs, length)
        metrics |= _metrics('', tensors['outputs'], batch.inputs, length)
    if 'predictor' in stack[depth].decoders:
        future = _swapped(below('predictor', depth - 1, from_code('predictor')))
        tensors['predictions'] = expose('predictions', activate(future))
        terms[f'future_{name}'] = lambda: loss(activation, future, batch.target, None)
        metrics |= _metrics('future_', tensors['predictions'], batch.target, None)
    if name == 'nll':
        metrics |= {key: terms[key] for key in terms if key.endswith(name)}
    if experiment.training == 'greedy':
        for k in range(lowest + 1, depth):
            made = turned(_swapped(below('decoder', k, _swapped(turned(hidden[k])))))
            label = f'phase{k}_outputs'
            tensors[label] = expose(label, _masked(activate(made), length))
        for k in range(lowest + 1, depth + 1):
            terms[f'phase{k}/{name}'] = lambda k=k: loss(
                activation if k == lowest + 1 else 'linear',
                turned(_swapped(alone(k))),
                hidden[k - 1],
                length,
            )
            terms[f'phase{k}/l2'] = lambda k=k: losses.l2(stack[k].kernels, experiment.l2)
    return Endpoints(tensors, terms, metrics)


def _swapped(values: tf.Tensor) -> tf.Tensor:
    """Exchanges the first two axes: batch-major for time-major, or back."""
    return tf.transpose(values, [1, 0, 2])


def _reversed(values: tf.Tensor, length: tf.Tensor | None) -> tf.Tensor:
    """Returns [N, T, ...] with the first `length` steps in reverse; all of them where None."""
    if length is None:
        return tf.reverse(values, [1])
    count, steps = tf.shape(values)[0], int(values.shape[1])
    steps_in_order = tf.range(steps)[None, :]
    mirrored = length[:, None] - 1 - steps_in_order
    index = tf.where_v2(mirrored >= 0, mirrored, steps_in_order)
    made = tf.gather(values, tf.broadcast_to(index, tf.stack([count, steps])), batch_dims=1)
    made.set_shape(values.shape)
    return made


def _masked(values: tf.Tensor, length: tf.Tensor | None) -> tf.Tensor:
    """Returns [N, T, features] with zeros from step `length` on."""
    if length is None:
        return values
    return values * tf.sequence_mask(length, int(values.shape[1]), tf.float32)[:, :, None]


def _over_steps(
    name: str,
    loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    made: tf.Tensor,
    target: tf.Tensor,
    length: tf.Tensor | None,
) -> tf.Tensor:
    """Returns a loss of single steps, (made, target) [n, features] -> [n], for sequences, [N].

    It is the sum or the mean over the steps that count.
    """
    steps, features = map(int, made.shape[1:])
    values = loss(tf.reshape(made, [-1, features]), tf.reshape(target, [-1, features]))
    values, counted = tf.reshape(values, [-1, steps]), tf.cast(steps, tf.float32)
    if length is not None:
        values *= tf.sequence_mask(length, steps, tf.float32)
        counted = tf.cast(length, tf.float32)
    total = tf.reduce_sum(values, axis=1)
    return total if name in _SUMMED else total / counted


def _metrics(
    prefix: str, made: tf.Tensor, target: tf.Tensor, length: tf.Tensor | None
) -> dict[str, Lazy]:
    known = {'mse': losses.mse, 'squared_error': losses.squared_error, 'mae': losses.mae}
    return {
        f'{prefix}{name}': lambda name=name, loss=loss: _over_steps(
            name, loss, made, target, length
        )
        for name, loss in known.items()
    }
