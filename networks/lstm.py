"""LSTM autoencoders: an encoder of sequences, decoders that go on from its code, their losses.

Sequences are [N, T, features] outside and time-major, [T, N, features], in here. What is fed at
every step is known beforehand, but where a decoder is fed its own outputs, so its product with the
kernel is one for all steps; only the recurrent product is left to each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, Unpack

import tensorflow.compat.v1 as tf

from networks import layers, losses
from networks.endpoints import Blueprint, Endpoints, Lazy, distance_of
from networks.layers import Initial, bias_variable, group, kernel_variable
from networks.steps import masked, over_steps, step_metrics
from parameters import LOSSES, Experiment

UNROLLED = 64  # steps of the longest sequence that is not looped over

Carry = tuple[tf.Tensor, ...]
Step = Callable[..., Carry]
Loss = Callable[[str, tf.Tensor, tf.Tensor, tf.Tensor | None], tf.Tensor]


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
    prefix: str, inputs: int, units: int, *, forget_bias: float, **initial: Unpack[Initial]
) -> Cell:
    start = [0.0] * units + [forget_bias] * units + [0.0] * 2 * units
    kernel = None
    if inputs:
        kernel = kernel_variable(f'{prefix}kernel', (inputs, 4 * units), **initial)
    return Cell(
        kernel=kernel,
        recurrent_kernel=kernel_variable(
            f'{prefix}recurrent_kernel', (units, 4 * units), **initial
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


def _decoder(
    prefix: str,
    inputs: int,
    units: int,
    outputs: int,
    *,
    forget_bias: float,
    **initial: Unpack[Initial],
) -> Decoder:
    return Decoder(
        cell=_cell(prefix, inputs, units, forget_bias=forget_bias, **initial),
        kernel=kernel_variable(f'{prefix}output_kernel', (units, outputs), **initial),
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
            with group(f'step{t + 1}'):
                carry = held(t, step(product, *carry), carry)
            emitted.append(carry[0])
        return tf.stack(emitted), carry

    def body(t: tf.Tensor, emitted: tf.TensorArray, *carry: tf.Tensor) -> tuple[Any, ...]:
        made = held(t, step(products if one_for_all else products[t], *carry), carry)
        for new, old in zip(made, carry, strict=True):
            new.set_shape(old.shape)
        return t + 1, emitted.write(t, made[0]), *made

    shape = carry[0].shape
    with _functional_loops():  # whose gradient can be had of an imported graph, too
        emitted = tf.TensorArray(tf.float32, steps, element_shape=shape)
        _, emitted, *last = tf.while_loop(
            lambda t, *_: t < steps, body, [tf.constant(0), emitted, *carry]
        )
        stacked = emitted.stack()
    stacked.set_shape([steps, *shape])
    return stacked, tuple(last)


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


Stack = dict[int, _Layer]
DECODERS = {  # task -> what is decoded
    'reconstruct': ('decoder',),
    'predict': ('predictor',),
    'composite': ('decoder', 'predictor'),
}


def _stack(plan: Blueprint) -> Stack:
    """Makes or reuses each layer's variables, by number from 1; the last gives the code."""
    experiment = plan.experiment
    bias, initial = experiment.forget_bias, plan.initial
    needed = DECODERS[experiment.task]
    stack, below = {}, plan.spec.shape[1]
    for k, units in enumerate(experiment.hidden, start=1):
        fed = units  # by the decoder above
        if k == experiment.depth:
            fed = below * experiment.conditional + 2 * units * experiment.repeat_code
        with tf.variable_scope(f'layer{k}'):
            stack[k] = _Layer(
                encoder=_cell('', below, units, forget_bias=bias, **initial),
                decoders={
                    n: _decoder(f'{n}_', fed, units, below, forget_bias=bias, **initial)
                    for n in needed
                },
            )
        below = units
    return stack


class _Path(NamedTuple):
    """The way through a stack: up from what the tower reads, and down to it again."""

    plan: Blueprint
    stack: Stack

    @property
    def activation(self) -> str:
        """The activation of what is decoded: states are left as they are."""
        return self.plan.experiment.output_activation if self.plan.bottom == 1 else 'linear'

    def activated(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns what was decoded, with its activation."""
        with group('activation'):
            return layers.ACTIVATION[self.activation](logits)

    def turned(self, values: tf.Tensor) -> tf.Tensor:
        """Puts [N, T, ...] into the order of decoding, or back."""
        reverse = self.plan.experiment.order == 'reverse'
        with group('turned'):
            return _reversed(values, self.plan.batch.length) if reverse else values

    def encode(self) -> tuple[dict[int, tf.Tensor], tf.Tensor]:
        """Returns what is read and each layer's states by number, [N, T, units], and the code."""
        inputs, length = self.plan.batch.inputs, self.plan.batch.length
        with group('count'):
            steps, count = int(inputs.shape[1]), tf.shape(inputs)[0]
        hidden, state = {self.plan.lowest: inputs}, ()
        for k in range(self.plan.bottom, self.plan.top + 1):
            cell = self.stack[k].encoder
            with group(f'encoder{k}'):
                products = cell.product(_swapped(hidden[k - 1]))
                emitted, state = scan(cell.stepper(), cell.rest(count), products, steps, length)
                hidden[k] = self.plan.expose(f'hidden{k}', _swapped(emitted))
        with group('code'):
            return hidden, self.plan.expose('codings', tf.concat(state, axis=1))

    def decode_code(self, name: str, codings: tf.Tensor) -> tf.Tensor:
        """Decodes the code one layer down, in the order of decoding, [T, N, outputs]."""
        experiment, batch = self.plan.experiment, self.plan.batch
        decoder, code = (
            self.stack[self.plan.top].decoders[name],
            tuple(tf.split(codings, 2, axis=1)),
        )
        target, count = batch.inputs, int(batch.inputs.shape[1])
        if name == 'predictor':
            target, count = batch.target, self.plan.spec.future
        if experiment.conditional:
            first = self._first(name, tf.shape(codings)[0])
            if self.plan.mode.training is not True:
                return self._on_its_own(decoder, code, first, count)
            target = self.turned(target) if name == 'decoder' else target
            fed = _swapped(tf.concat([first[:, None], target[:, :-1]], axis=1))
        else:
            fed = codings if experiment.repeat_code else None
        products = decoder.cell.product(fed)
        return decoder.project(scan(decoder.cell.stepper(), code, products, count)[0])

    def _first(self, name: str, count: tf.Tensor) -> tf.Tensor:
        """Returns what a conditional decoder is fed first: zeros, or the last frame, [N, D]."""
        inputs = self.plan.batch.inputs
        return inputs[:, -1] if name == 'predictor' else tf.zeros([count, inputs.shape[2]])

    def _on_its_own(self, decoder: Decoder, code: Carry, first: tf.Tensor, count: int) -> tf.Tensor:
        """Decodes the code with each output fed to the step after it, [T, N, outputs]."""
        step = decoder.cell.stepper()

        def fed_back(_: tf.Tensor, __: tf.Tensor, frame: tf.Tensor, *state: tf.Tensor) -> Carry:
            state = step(decoder.cell.product(frame), *state)
            made = tf.matmul(state[0], decoder.kernel) + decoder.bias
            return made, self.activated(made), *state

        return scan(fed_back, (tf.zeros_like(first), first, *code), tf.zeros([]), count)[0]

    def decode_states(self, name: str, k: int, states: tf.Tensor) -> tf.Tensor:
        """Decodes states of layer k, [T, N, units], one layer down, [T, N, outputs]."""
        decoder = self.stack[k].decoders[name]
        cell, count = decoder.cell, tf.shape(states)[1]
        products, steps = cell.product(states), int(states.shape[0])
        return decoder.project(scan(cell.stepper(), cell.rest(count), products, steps)[0])

    def down(self, name: str, k: int, states: tf.Tensor) -> tf.Tensor:
        """Decodes states of layer k, in the order of decoding, to what is read, [N, T, D]."""
        for layer in range(k, self.plan.lowest, -1):
            with group(f'{name}{layer}'):
                states = self.decode_states(name, layer, states)
        with group('swapped'):
            return _swapped(states)


def autoencoder(plan: Blueprint) -> Endpoints:
    """Builds the LSTM autoencoder of Srivastava et al. 2015 from the tensor it reads on.

    The code is the last state [h, c] of the top layer, from which its decoders go on. Decoders of
    lower layers read what the one above has decoded, so that each layer with its inverse can be
    trained alone.
    """
    experiment, path = plan.experiment, _Path(plan, _stack(plan))
    hidden, codings = path.encode()
    tensors = {f'hidden{k}': hidden[k] for k in range(plan.bottom, plan.top + 1)}
    tensors['codings'] = codings
    loss, name, units = _loss_of(experiment), experiment.distance, plan.units
    kernels = [kernel for layer in path.stack.values() for kernel in layer.kernels]
    terms: dict[str, Lazy] = {'l2': lambda: losses.l2(kernels, experiment.l2)}
    metrics: dict[str, Lazy] = {}
    inputs, target, length = plan.batch.inputs, plan.batch.target, plan.batch.length
    for decoder in path.stack[plan.top].decoders:
        with group(f'{decoder}{plan.top}'):
            states = path.decode_code(decoder, codings)
        logits = path.down(decoder, plan.top - 1, states)
        if decoder == 'decoder':
            prefix, promised, wanted, counted = '', 'outputs', inputs, length
            logits = path.turned(logits)
        else:
            prefix, promised, wanted, counted = 'future_', 'predictions', target, None
        made = masked(units.back(path.activated(logits)), counted)
        tensors[promised] = plan.expose(promised, made)
        terms[f'{prefix}{name}'] = partial(loss, path.activation, logits, wanted, counted)
        metrics |= step_metrics(prefix, tensors[promised], units.back(wanted), counted)
    metrics |= {key: terms[key] for key in terms if key.endswith(name) and key not in metrics}
    if experiment.training == 'greedy':
        for k in range(plan.bottom, plan.top):
            label = f'phase{k}_outputs'
            with group(f'after_phase{k}'):
                made = path.turned(path.down('decoder', k, _swapped(path.turned(hidden[k]))))
                activated = path.activated(made)
                tensors[label] = plan.expose(label, masked(units.back(activated), length))
        terms |= _phase_losses(path, hidden, codings, loss)
    return Endpoints(tensors, terms, metrics)


def _phase_losses(
    path: _Path, hidden: dict[int, tf.Tensor], codings: tf.Tensor, loss: Loss
) -> dict[str, Lazy]:
    """Returns the losses of each layer with its inverse alone, as greedy phases minimise them."""
    experiment, length = path.plan.experiment, path.plan.batch.length

    def alone(k: int) -> tf.Tensor:
        """Decodes layer k by its own inverse, from its own states, [N, T, outputs]."""
        if k == path.plan.top:
            made = path.decode_code('decoder', codings)
        else:
            made = path.decode_states('decoder', k, _swapped(path.turned(hidden[k])))
        return path.turned(_swapped(made))

    def loss_of(k: int) -> tf.Tensor:
        activation = path.activation if k == path.plan.bottom else 'linear'
        return loss(activation, alone(k), hidden[k - 1], length)

    terms: dict[str, Lazy] = {}
    for k in range(path.plan.bottom, path.plan.top + 1):
        terms[f'phase{k}/{experiment.distance}'] = partial(loss_of, k)
        terms[f'phase{k}/l2'] = partial(losses.l2, path.stack[k].kernels, experiment.l2)
    return terms


def _loss_of(experiment: Experiment) -> Loss:
    """Returns (activation, logits, target, length) -> the experiment's loss of sequences, [N]."""
    distance, name = distance_of(experiment), LOSSES[experiment.loss]

    def loss(
        activation: str, logits: tf.Tensor, target: tf.Tensor, length: tf.Tensor | None
    ) -> tf.Tensor:
        return over_steps(name, lambda a, b: distance(a, activation, b), logits, target, length)

    return loss


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
