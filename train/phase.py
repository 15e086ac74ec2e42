"""One phase of a run: its updates, its validation, and of a patient one the best epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow.compat.v1 as tf

from evaluation import overfit
from evaluation.scores import Evaluation, View
from inputs.rows import Rows
from model import Network
from parameters import Experiment
from phases import Noise, Phase
from reports import screen
from system.interrupts import Interrupts
from system.lines import say, setting
from train import loop, updates
from train.checkpoints import Checkpoints, State
from train.logs import Log
from train.team import Team

_SUMMARIES = 3  # of a phase, at most


@dataclass(frozen=True)
class Shared:
    """What the phases of a run have in common."""

    experiment: Experiment
    network: Network
    checkpoints: Checkpoints
    interrupts: Interrupts
    log: Log
    team: Team
    watched: bool  # every loss and gradient, at each step
    summarize: Callable[[int], None]  # tells of the network as it is after so many updates


class Training:
    """A phase being trained from wherever `state` says; what the loop calls its course."""

    def __init__(self, shared: Shared, phase: Phase, rows: Mapping[str, Rows], state: State):
        """Builds its updates over rows['train'], and what validates on rows['validation']."""
        network, experiment = shared.network, shared.experiment
        self._shared, self._phase, self._state = shared, phase, state
        self._held_out = rows.get('validation')
        self.name, self.patience = phase.name, experiment.patience
        self._updates = updates.build(
            experiment,
            phase,
            rows['train'],
            network.spec.sides,
            network.tower(phase.reads),
            units=network.units,
            restored_units=network.restored_units,
            watched=shared.watched,
            team=shared.team,
        )
        self._validation = self._evaluation()
        self._ends = False  # all workers know of a signal
        self._updates.initialize(network.session)
        length = self._updates.length
        self._summarized = summarized(length.steps // length.steps_per_epoch)
        saved = [*network.variables, *self._updates.slots]
        self._best = None
        if self.patience:
            self._best = Best(network.variables, phase.name)
            self._best.initialize(network.session)
            saved += self._best.copies
        self._saver = tf.train.Saver(saved)
        shared.checkpoints.expect(saved)
        if state.step:
            shared.checkpoints.restore(network.session, self._saver)

    def _evaluation(self) -> Evaluation:
        """Returns what scores the phase's losses, of a classifier its accuracy too."""
        experiment, phase = self._shared.experiment, self._phase
        names = [term.name for term in phase.losses]
        names += ['accuracy'] if experiment.classifies else []
        # A denoiser is validated as it trains, a classifier on clean inputs.
        noise = Noise() if experiment.parent else phase.corruption
        with tf.name_scope(f'{phase.name}/validation'):
            view = View({name: name for name in names}, samples=True, draws=True, noise=noise)
            return Evaluation(self._shared.network, view, reads=phase.reads)

    def train(self) -> None:
        """Trains the phase to its end, and says on the screen what came of it."""
        session, state = self._shared.network.session, self._state
        self._shared.team.chief_first(partial(loop.rehearse, session, self._updates))
        loop.train(session, self._updates, state, self)
        self.agree(0)
        if self._best:
            self._best.take(session)
            self._shared.summarize(state.updates)
        state.over = True
        self._save()
        self._updates.release(session)
        rows, examples = self._shared.log.rows, self._updates.length.examples
        say(*screen.phase(self._phase, rows, state.step, examples).split('\n'))
        if self._best:
            say(f'{"":10}keeps epoch {state.best_epoch}: validation loss {state.best:.5g}')
        elif (course := overfit.course(rows, self._phase)) and course.overfits:
            say(f'{"":10}{overfit.said(course, setting("patience"))}')
        if self._ends:
            self._shared.interrupts.check()

    def agree(self, steps: int) -> int:
        """Returns the chief's number of steps; notes a signal that any of the workers has had."""
        team, interrupts = self._shared.team, self._shared.interrupts
        agreed, signal = team.agree(steps if team.is_chief else 0, interrupts.pending)
        self._ends = bool(signal)
        if signal:
            interrupts.note(signal)
        return agreed

    def together(self) -> AbstractContextManager[None]:
        """Returns the context of the updates of a call, which need all workers."""
        return self._shared.team.together()

    def end_epoch(self, epoch: int, speed: float, means: dict[str, float]) -> dict[str, float]:
        """Validates, keeps the best weights, logs; returns the losses."""
        state = self._state
        shown = {f'train/{name}': value for name, value in means.items()}
        if self._held_out is not None:
            scored = self._validation.mean(self._held_out, self._heed)
            shown |= {f'validation/{name}': value for name, value in scored.items()}
            loss = sum(term.weight * scored[term.name] for term in self._phase.losses)
            before = math.inf if state.best is None or math.isnan(state.best) else state.best
            is_best = self._best and (state.best is None or loss < before)
            if self._best and self._shared.team.of_chief(bool(is_best)):
                self._best.keep(self._shared.network.session)
                state.best, state.best_epoch = loss, epoch
        self._shared.log.epoch(
            phase=self.name,
            epoch=epoch,
            step=state.updates,
            seconds=state.seconds,
            examples_per_second=speed,
            scores=shown,
        )
        is_last = bool(self._best) and loop.is_over(state, self._updates, self.patience)
        if epoch in self._summarized and not is_last:  # of which the best weights follow
            self._shared.summarize(state.updates)
        return shown

    def end_call(self) -> None:
        """Saves where that is due; after a signal it saves and raises Interrupted."""
        # Alone it need not wait until the others know, which is a call of updates later.
        ends = self._ends or (self._shared.team.size == 1 and self._shared.interrupts.pending)
        if ends or self._shared.checkpoints.due():
            self._save()
        if ends:
            self._shared.interrupts.check()

    def _heed(self) -> None:
        """Notes that a signal will be acted on, when the call of updates has ended."""
        _ = self._shared.interrupts.pending

    def _save(self) -> None:
        self._shared.log.flush()
        self._shared.checkpoints.save(self._shared.network.session, self._saver, self._state)


def summarized(epochs: int) -> set[int]:
    """Returns the epochs after which the network is told of: few, and the first ones closer."""
    return {*np.geomspace(1, epochs, _SUMMARIES).round().astype(int).tolist()}


class Best:
    """Copies of variables as they were after the best epoch, saved in checkpoints beside them."""

    def __init__(self, variables: Sequence[tf.Variable], scope: str):
        """Makes a copy of each on the current graph, named under `scope`."""
        self.copies = [
            tf.get_variable(
                f'{scope}/best/{variable.op.name}',
                variable.shape,
                variable.dtype.base_dtype,
                initializer=tf.zeros_initializer(),
                trainable=False,
                use_resource=True,
                collections=[tf.GraphKeys.LOCAL_VARIABLES],
            )
            for variable in variables
        ]
        pairs = list(zip(self.copies, variables, strict=True))
        self._start = [copy.initializer for copy in self.copies]
        self._keep = [copy.assign(variable.read_value()) for copy, variable in pairs]
        self._take = [variable.assign(copy.read_value()) for copy, variable in pairs]

    def initialize(self, session: tf.Session) -> None:
        """Sets the copies to zero."""
        session.run(self._start)

    def keep(self, session: tf.Session) -> None:
        """Copies the variables as they are."""
        session.run(self._keep)

    def take(self, session: tf.Session) -> None:
        """Sets the variables to what was kept."""
        session.run(self._take)
