"""A phase's updates: losses, gradients, the optimizer's step, in a loop of the graph itself.

A step's batch and its random numbers depend on (seed, phase, step) alone.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

import model
from evaluation import metrics
from inputs.rows import Rows
from networks import gradients, layers, pairs
from networks import session as sessions
from networks.endpoints import Batch
from networks.layers import Mode
from networks.standardize import AS_FED, Units
from parameters import Experiment
from phases import Phase, Term
from train import batches, feeding
from train.team import ALONE, Team

_MOMENTUM = 0.9
_PART = 40  # bits of a seed below the number of the part

OPTIMIZERS: dict[str, Callable[[tf.Tensor, str], tf.train.Optimizer]] = {  # of (rate, name)
    'adam': lambda rate, name: tf.train.AdamOptimizer(rate, name=name),
    'momentum': lambda rate, name: tf.train.MomentumOptimizer(rate, _MOMENTUM, name=name),
    'sgd': lambda rate, name: tf.train.GradientDescentOptimizer(rate, name=name),
}


def _constant(rate: float, step: tf.Tensor, steps: int) -> tf.Tensor:
    return tf.constant(rate, tf.float32)


def _cosine(rate: float, step: tf.Tensor, steps: int) -> tf.Tensor:
    progress = tf.cast(step, tf.float32) / steps
    return rate * 0.5 * (1.0 + tf.cos(math.pi * progress))


SCHEDULES: dict[str, Callable[[float, tf.Tensor, int], tf.Tensor]] = {  # of (rate, step, steps)
    'constant': _constant,
    'cosine': _cosine,
}


class Updates(NamedTuple):
    """A phase's updates on the current graph, and how many of them there are."""

    terms: tuple[str, ...]  # names of the losses in `sums`
    length: feeding.Length
    first: tf.Tensor  # feeds: run the steps first..last - 1,
    last: tf.Tensor
    sums_before: tf.Tensor  # adding to these
    sums: tf.Tensor  # the losses, summed over examples, float64
    health: tf.Tensor  # a number that is finite as long as all gradients were
    last_step: tf.Variable  # the last one applied
    begin: Callable[[tf.Session, int, int], None]  # (session, epoch, step within it)
    data: dict[tf.Variable, np.ndarray]  # what must be set before the first step
    slots: list[tf.Variable]
    rows: Rows  # which may fail to be read, from disk
    trained: tuple[str, ...]  # names of the variables it moves
    rate: str  # name of the field that holds their learning rate

    def initialize(self, session: tf.Session) -> None:
        """Puts the data into the graph and zeroes the optimizer's slots."""
        for variable, value in self.data.items():  # one by one: what is fed is in memory twice
            sessions.assign(session, {variable: value})
        session.run([variable.initializer for variable in self.slots])

    def release(self, session: tf.Session) -> None:
        """Frees the data's memory."""
        session.run([tf.raw_ops.DestroyResourceOp(resource=v.handle) for v in self.data])


def build(
    experiment: Experiment,
    phase: Phase,
    rows: Rows,
    sides: tuple[int, ...],
    tower: model.Tower,
    *,
    units: Units = AS_FED,
    restored_units: Units = AS_FED,
    watched: bool = False,
    team: Team = ALONE,
) -> Updates:
    """Builds the updates of one phase over `rows`, which hold what the phase reads.

    `sides` are those of a picture or map, if an example is one; `units` those of X, and
    `restored_units` those in which a graph that is restored has it. Where they are `watched`, a
    loss or gradient that is not finite is named, and moves nothing: this reads every gradient once
    more. Of each batch this worker of the `team` has its parts. Raises ValueError where the phase's
    pattern matches no variable that its losses move.
    """
    for term in phase.losses:
        metrics.find(term.name)  # raises for one that the table of metrics lacks
    length = feeding.length_of(experiment, phase, len(rows))
    key = zlib.crc32(f'{experiment.seed}:{phase.name}'.encode())
    data: dict[tf.Variable, np.ndarray] = {}
    with tf.name_scope(phase.name):
        last_step = feeding.held(f'{phase.name}/last_step', np.array(-1, np.int64), data)
        feed = feeding.feed_of(rows, length, key, phase.name, experiment.parts, data, team)
        body = _Body(
            experiment,
            phase,
            length,
            key,
            feed.fetch,
            sides,
            units,
            restored_units,
            tower,
            watched,
            last_step,
            team,
            known=1.0 if rows.y is None else float(np.mean(rows.y >= 0)),
        )
        first = tf.placeholder(tf.int64, [], 'first')
        last = tf.placeholder(tf.int64, [], 'last')
        sums_before = tf.placeholder(tf.float64, [len(phase.losses)], 'sums_before')
        _, sums = tf.while_loop(
            lambda step, _: step < last,
            body,
            [first, sums_before],
            parallel_iterations=1,  # a step begins when the one before it is applied
            back_prop=False,
        )
        with tf.control_dependencies([sums]):
            health = _health(body.optimizer, body.moved)
    return Updates(
        terms=tuple(term.name for term in phase.losses),
        length=length,
        first=first,
        last=last,
        sums_before=sums_before,
        sums=sums,
        health=health,
        last_step=last_step,
        begin=feed.begin,
        data=data,
        slots=body.optimizer.variables(),
        rows=rows,
        trained=tuple(v.op.name for v in body.moved),
        rate=phase.rate,
    )


@dataclass(eq=False)
class _Body:
    """The loop's body: one update. It keeps what it made, which is read after the loop."""

    experiment: Experiment
    phase: Phase
    length: feeding.Length
    key: int  # of the phase's random numbers
    fetch: Callable[[tf.Tensor], feeding.Parts]  # step -> the parts of a batch
    sides: tuple[int, ...]
    units: Units
    restored_units: Units  # that noise is added in, too
    tower: model.Tower
    watched: bool
    last_step: tf.Variable
    team: Team
    known: float  # share of the examples whose labels are known
    optimizer: tf.train.Optimizer = field(init=False)
    moved: list[tf.Variable] = field(init=False)

    def __call__(self, step: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes the update `step`; returns the next one, and the sums of the losses so far."""
        phase, per_epoch = self.phase, self.length.steps_per_epoch
        numbers = range(self.experiment.parts)[self.team.mine(self.experiment.parts)]
        parts, size = self.fetch(step)
        statistics: list[dict[str, tf.Tensor]] = []
        towers = []
        for number, (batch, _) in zip(numbers, parts, strict=True):
            seed = tf.stack([tf.constant(self.key + (number << _PART), tf.int64), step])
            statistics.append({})
            mode = Mode(True, seed, statistics[-1])
            with gradients.fastest(self.experiment.precision, self.experiment.parts):
                towers.append(self.tower(self._disturbed(batch, seed), mode))
        losses = batches.Losses(
            [_weight(term, step, per_epoch) for term in phase.losses],
            [[tower.losses[term.name]() for tower in towers] for term in phase.losses],
            statistics,
            [part.count for part in parts],
            size,
        )
        variables = model.variables(tf.get_default_graph(), phase.trainable, trainable=True)
        found = batches.found(losses, variables, self.team)
        applied = self._applied(found, variables, step)
        applied += follow(found.statistics, phase.trainable, step)
        with tf.control_dependencies(applied):
            noted = self.last_step.assign(step)
        with tf.control_dependencies([*applied, noted]):
            means = tf.cast(tf.stack(found.means), tf.float64)
            return step + 1, sums + tf.cast(size, tf.float64) * means

    def _disturbed(self, batch: Batch, seed: tf.Tensor) -> Batch:
        """Returns the batch, augmented, drawn black or white, and corrupted, as is asked."""
        experiment, (x, target) = self.experiment, batch[:2]
        batch = batch._replace(known=self.known)
        if self.phase.reads == 'X':
            if experiment.flip or experiment.crop:  # as they are, before each pixel has a scale
                target = x = layers.augment(x, self.sides, experiment.flip, experiment.crop, seed)
            same = target is x
            batch = batch._replace(fed=target)
            x = self.units.into(x)
            target = x if same else self.units.into(target)
        if experiment.binarize:
            target = x = layers.binarize(x, seed)
        noise = self.phase.corruption
        if noise.amount and self.phase.reads == 'X':
            units = self.restored_units
            x = units.back(layers.corrupt(units.into(x), noise, seed))
        else:
            x = layers.corrupt(x, noise, seed)
        return batch._replace(inputs=x, target=target)

    def _applied(
        self, found: batches.Found, variables: list[tf.Variable], step: tf.Tensor
    ) -> list[tf.Operation]:
        """Moves the phase's variables down the gradients of the loss."""
        experiment, phase = self.experiment, self.phase
        slopes = found.gradients
        checks = _checks(found.loss, slopes, variables) if self.watched else []
        if experiment.clip_norm:
            slopes, _ = tf.clip_by_global_norm(slopes, experiment.clip_norm)
        moves = [(g, v) for g, v in zip(slopes, variables, strict=True) if g is not None]
        if not moves:
            raise ValueError(f'{phase.name}: its losses move no variable of {phase.trainable!r}')
        rate = phase.learning_rate or experiment.learning_rate
        scheduled = SCHEDULES[experiment.schedule](rate, step, self.length.steps)
        name = f'{phase.name}_{experiment.optimizer}'
        self.optimizer = OPTIMIZERS[experiment.optimizer](scheduled, name)
        self.moved = [variable for _, variable in moves]
        with tf.control_dependencies(checks):
            return [self.optimizer.apply_gradients(moves)]


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
