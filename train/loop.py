"""The one training loop: whatever the phase, it runs updates until the phase's steps are done.

Several updates run in one session call, inside a `while_loop`. A step's batch and its random
numbers depend on (seed, phase, step) alone, so how the steps are divided into calls changes
nothing, and to resume is to start at another step.
"""

from __future__ import annotations

import math
import re
import time
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf
from tqdm import tqdm

import layers
import model
import pairs
from dataset import Rows
from errors import Diverged
from layers import Mode
from parameters import Experiment, Phase, Term
from train import feeding
from train.checkpoints import Checkpoints, State
from train.interrupts import Interrupts
from train.network import Tower

_CALL_SECONDS = 0.2  # of updates in one session call: long enough to be cheap, short enough to stop


class Updates(NamedTuple):
    """A phase's updates on the current graph, and how many of them there are."""

    terms: tuple[str, ...]  # names of the losses in `sums`
    examples: int  # an epoch, those of a repeated pass too
    steps_per_epoch: int
    steps: int  # in the whole phase
    first: tf.Tensor  # feeds: run the steps first..last - 1,
    last: tf.Tensor
    sums_before: tf.Tensor  # adding to these
    sums: tf.Tensor  # the losses, summed over examples, float64
    health: tf.Tensor  # a number that is finite as long as all gradients were
    last_step: tf.Variable  # the last one applied
    begin: Callable[[tf.Session, int, int], None]  # (session, epoch, step within it)
    data: dict[tf.Variable, np.ndarray]  # what must be set before the first step
    slots: list[tf.Variable]
    failure: Callable[[], Exception | None]  # of what is read from disk
    trained: tuple[str, ...]  # names of the variables it moves

    def initialize(self, session: tf.Session) -> None:
        """Puts the data into the graph and zeroes the optimizer's slots."""
        for variable, value in self.data.items():
            session.run(variable.initializer, {variable.initializer.inputs[1]: value})
        session.run([variable.initializer for variable in self.slots])

    def release(self, session: tf.Session) -> None:
        """Frees the data's memory."""
        session.run([tf.raw_ops.DestroyResourceOp(resource=v.handle) for v in self.data])


def build(
    experiment: Experiment,
    phase: Phase,
    rows: Rows,
    picture: tuple[int, ...],
    tower: Tower,
    *,
    watched: bool = False,
) -> Updates:
    """Builds the updates of one phase over `rows`, which hold what the phase reads.

    `picture` is the shape of an example as it is drawn, if it is one. Where they are `watched`, a
    loss or gradient that is not finite is named, and moves nothing: this reads every gradient once
    more. Raises ValueError where the phase's pattern matches no variable that its losses move.
    """
    length = feeding.length_of(experiment, phase, len(rows))
    rate = phase.learning_rate or experiment.learning_rate
    key = zlib.crc32(f'{experiment.seed}:{phase.name}'.encode())
    variables = model.variables(tf.get_default_graph(), phase.trainable, trainable=True)
    data: dict[tf.Variable, np.ndarray] = {}
    made: dict[str, Any] = {}  # what only the loop's body can make: the optimizer and its variables

    def update(step: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        seed = tf.stack([tf.constant(key, tf.int64), step])
        batch = feed.fetch(step)
        x, target = batch.inputs, batch.target
        if phase.reads == 'X' and (experiment.flip or experiment.crop):
            target = x = layers.augment(x, picture, experiment.flip, experiment.crop, seed)
        if experiment.binarize:
            target = x = layers.binarize(x, seed)
        inputs = layers.corrupt(x, phase.corruption, seed)
        mode = Mode(True, seed, statistics={})
        endpoints = tower(batch._replace(inputs=inputs, target=target), mode)
        means = [tf.reduce_mean(endpoints.losses[term.name]()) for term in phase.losses]
        weights = [_weight(term, step, length.steps_per_epoch) for term in phase.losses]
        loss = tf.add_n([w * m for w, m in zip(weights, means, strict=True)])
        gradients = tf.gradients(loss, variables)
        checks = _checks(loss, gradients, variables) if watched else []
        if experiment.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, experiment.clip_norm)
        moved = [(g, v) for g, v in zip(gradients, variables, strict=True) if g is not None]
        if not moved:
            raise ValueError(f'{phase.name}: its losses move no variable of {phase.trainable!r}')
        optimizer = _optimizer(
            experiment, phase, _scheduled(experiment.schedule, rate, step, length.steps)
        )
        with tf.control_dependencies(checks):
            applied = [
                optimizer.apply_gradients(moved),
                *follow(mode.statistics, phase.trainable, step),
            ]
        made.update(optimizer=optimizer, trained=[v for _, v in moved])
        with tf.control_dependencies([*applied, last_step.assign(step)]):
            count = tf.cast(tf.shape(x)[0], tf.float64)
            return step + 1, sums + count * tf.cast(tf.stack(means), tf.float64)

    with tf.name_scope(phase.name):
        last_step = feeding.held(f'{phase.name}/last_step', np.int64(-1), data)
        feed = feeding.feed_of(rows, length, key, phase.name, data)
        first = tf.placeholder(tf.int64, [], 'first')
        last = tf.placeholder(tf.int64, [], 'last')
        sums_before = tf.placeholder(tf.float64, [len(phase.losses)], 'sums_before')
        _, sums = tf.while_loop(
            lambda step, _: step < last,
            update,
            [first, sums_before],
            parallel_iterations=1,  # a step begins when the one before it is applied
            back_prop=False,
        )
        with tf.control_dependencies([sums]):
            health = _health(made['optimizer'], made['trained'])
    return Updates(
        terms=tuple(term.name for term in phase.losses),
        examples=length.examples,
        steps_per_epoch=length.steps_per_epoch,
        steps=length.steps,
        first=first,
        last=last,
        sums_before=sums_before,
        sums=sums,
        health=health,
        last_step=last_step,
        begin=feed.begin,
        data=data,
        slots=made['optimizer'].variables(),
        trained=tuple(v.op.name for v in made['trained']),
        failure=lambda: next(
            filter(None, (getattr(p, 'failure', None) for p in vars(rows).values())), None
        ),
    )


def _checks(
    loss: tf.Tensor, gradients: list[tf.Tensor | None], variables: list[tf.Variable]
) -> list[tf.Tensor]:
    """Returns what fails, naming it, where the loss or a gradient is not finite."""
    norms = {
        f'gradient of {variable.op.name}': tf.nn.l2_loss(gradient)
        for gradient, variable in zip(gradients, variables, strict=True)
        if gradient is not None
    }
    return [tf.debugging.check_numerics(v, n) for n, v in ({'loss': loss} | norms).items()]


def _health(optimizer: tf.train.Optimizer, variables: list[tf.Variable]) -> tf.Tensor:
    """Returns a sum over what the gradients were added to: once one was not finite, nor is this.

    That is the optimizer's last slot (of Adam the mean square), or where it has none the variables.
    """
    slots = optimizer.get_slot_names()
    held = [optimizer.get_slot(v, slots[-1]) for v in variables] if slots else variables
    return tf.add_n([tf.reduce_sum(variable.read_value()) for variable in held])


def _weight(term: Term, step: tf.Tensor, steps_per_epoch: int) -> float | tf.Tensor:
    """Returns the term's weight, which rises with each step of its warm-up."""
    if not term.warmup:
        return term.weight
    return term.weight * tf.minimum(
        1.0, tf.cast(step, tf.float32) / (term.warmup * steps_per_epoch)
    )


def follow(statistics: dict[str, tf.Tensor], trainable: str, step: tf.Tensor) -> list[tf.Operation]:
    """Moves batch norm's averages, of the layers that are trained, towards a batch's.

    The first steps of a phase move them faster, so that where they began is soon forgotten.
    """
    moved = []
    done = tf.cast(step, tf.float32)
    kept = tf.minimum(pairs.MOMENTUM, (1.0 + done) / (10.0 + done))
    for variable in model.variables(tf.get_default_graph(), trainable):
        if variable.op.name in statistics:
            towards = statistics[variable.op.name] - variable.read_value()
            moved.append(variable.assign_add((1.0 - kept) * towards))
    return moved


def _scheduled(schedule: str, rate: float, step: tf.Tensor, steps: int) -> tf.Tensor:
    if schedule == 'constant':
        return tf.constant(rate, tf.float32)
    progress = tf.cast(step, tf.float32) / steps
    return rate * 0.5 * (1.0 + tf.cos(math.pi * progress))


def _optimizer(experiment: Experiment, phase: Phase, rate: tf.Tensor) -> tf.train.Optimizer:
    name = f'{phase.name}_{experiment.optimizer}'
    if experiment.optimizer == 'adam':
        return tf.train.AdamOptimizer(rate, name=name)
    if experiment.optimizer == 'momentum':
        return tf.train.MomentumOptimizer(rate, 0.9, name=name)
    return tf.train.GradientDescentOptimizer(rate, name=name)


def train(
    session: tf.Session,
    updates: Updates,
    state: State,
    *,
    name: str,
    patience: int,
    save: Callable[[], None],
    checkpoints: Checkpoints,
    interrupts: Interrupts,
    after_epoch: Callable[[int, float, dict[str, float]], dict[str, float]],
) -> None:
    """Runs the phase from `state` to its end, moving `state` along.

    It ends early when `patience` epochs have passed since its best one; 0: it does not.
    `after_epoch(epoch, examples a second, mean losses)` is called at each epoch's end and returns
    what to show. Raises Diverged at a loss that is not finite; after a signal Interrupted, once
    the run is saved.
    """
    begun, per_call = None, 1
    epochs = updates.steps // updates.steps_per_epoch
    total = updates.examples * epochs
    with tqdm(total=total, unit='ex', unit_scale=True, disable=None, leave=False) as bar:
        bar.update(state.step * total // updates.steps)
        while state.step < updates.steps and not _waited(state, updates, patience):
            epoch, inside = divmod(state.step, updates.steps_per_epoch)
            if epoch != begun:
                updates.begin(session, epoch, inside)
                begun = epoch
                bar.set_description(f'{name} epoch {epoch + 1}/{epochs}', refresh=False)
            if not inside and not state.sums:
                state.sums, state.seconds = [0.0] * len(updates.terms), 0.0
            steps = min(per_call, updates.steps_per_epoch - inside)
            began = time.perf_counter()
            state.sums = _run(session, updates, name, state, steps)
            seconds = time.perf_counter() - began
            state.step += steps
            state.seconds += seconds
            per_call = max(1, min(2 * per_call, int(steps * _CALL_SECONDS / seconds)))
            bar.update(state.step * total // updates.steps - bar.n)
            if inside + steps == updates.steps_per_epoch:
                sums, state.sums = state.sums, []
                means = {t: s / updates.examples for t, s in zip(updates.terms, sums, strict=True)}
                shown = after_epoch(epoch + 1, updates.examples / state.seconds, means)
                bar.set_postfix({k: f'{v:.4g}' for k, v in shown.items()}, refresh=False)
            if interrupts.pending or checkpoints.due():
                save()
                interrupts.check()


def _waited(state: State, updates: Updates, patience: int) -> bool:
    """Whether the best epoch is too long ago to go on."""
    epoch, inside = divmod(state.step, updates.steps_per_epoch)
    return bool(patience) and not inside and epoch - state.best_epoch >= patience


def _run(session: tf.Session, updates: Updates, name: str, state: State, steps: int) -> list[float]:
    feeds = {
        updates.first: state.step,
        updates.last: state.step + steps,
        updates.sums_before: state.sums,
    }
    try:
        sums, health = session.run([updates.sums, updates.health], feeds)
    except tf.errors.OpError as error:
        if updates.failure():
            raise updates.failure() from None
        found = re.search(r'(loss|gradient of \S+) : Tensor had', str(error))
        if not found:
            raise
        failed = int(session.run(updates.last_step)) + 1
        raise Diverged(
            f'{name}: the {found[1]} is not a finite number at step {failed}, whose update is not '
            'applied; the last checkpoint is kept. Try a smaller --set learning_rate=...'
        ) from None
    if not np.isfinite([*sums, health]).all():
        raise Diverged(
            f'{name}: a loss or gradient is not a finite number at a step from {state.step + 1} to '
            f'{state.step + steps}; the last checkpoint is kept'
        )
    return sums.tolist()
