"""The one training loop: whatever the phase, it runs updates until the phase's steps are done.

Several updates run in one session call. A step depends on (seed, phase, step) alone, so how the
steps are divided into calls changes nothing, and to resume is to start at another step.
"""

from __future__ import annotations

import re
import time
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
import tensorflow.compat.v1 as tf

from system.errors import Diverged
from system.lines import setting
from system.progress import Bar
from train.checkpoints import State
from train.updates import Updates

_CALL_SECONDS = 0.2  # of updates in one session call: long enough to be cheap, short enough to stop


class Course(Protocol):
    """The phase that is trained, as the loop sees it."""

    name: str
    patience: int  # epochs without a better one that end it; 0: none do

    def agree(self, steps: int) -> int:
        """Returns how many updates all workers make in one call: the chief's number."""

    def together(self) -> AbstractContextManager[None]:
        """Returns the context of the updates of a call, which need all workers."""

    def end_epoch(self, epoch: int, speed: float, means: dict[str, float]) -> dict[str, float]:
        """Takes an epoch's examples a second and mean losses; returns what to show."""

    def end_call(self) -> None:
        """Saves where that is due; after a signal it saves and raises Interrupted."""


def train(session: tf.Session, updates: Updates, state: State, course: Course) -> None:
    """Runs the phase from `state` to its end, moving `state` along.

    It ends early when the course's patience is over. Raises Diverged at a loss that is not finite.
    """
    begun, per_call, length = None, 1, updates.length
    epochs = length.steps // length.steps_per_epoch
    total = length.examples * epochs
    done = state.step * total // length.steps
    with Bar(course.name, total, 'example', done=done, scale=True) as bar:
        while not is_over(state, updates, course.patience):
            epoch, inside = divmod(state.step, length.steps_per_epoch)
            if epoch != begun:
                updates.begin(session, epoch, inside)
                begun = epoch
                bar.name(f'{course.name:9} epoch {epoch + 1:,}/{epochs:,}')
            if not inside and not state.sums:
                state.sums, state.seconds = [0.0] * len(updates.terms), 0.0
            steps = course.agree(min(per_call, length.steps_per_epoch - inside))
            began = time.perf_counter()
            with course.together():
                state.sums = run(session, updates, course.name, state, steps)
            seconds = time.perf_counter() - began
            state.step += steps
            state.seconds += seconds
            per_call = max(1, min(2 * per_call, int(steps * _CALL_SECONDS / seconds)))
            bar.to(state.step * total // length.steps)
            if inside + steps == length.steps_per_epoch:
                sums, state.sums = state.sums, []
                means = {t: s / length.examples for t, s in zip(updates.terms, sums, strict=True)}
                speed = length.examples / state.seconds
                shown = course.end_epoch(epoch + 1, speed, means)
                bar.end_step(shown, speed, last=is_over(state, updates, course.patience))
            course.end_call()


def rehearse(session: tf.Session, updates: Updates) -> None:
    """Makes a call of no updates, so that the first one finds all that TensorFlow makes for it."""
    sums = [0.0] * len(updates.terms)
    feeds = {updates.first: 0, updates.last: 0, updates.sums_before: sums}
    session.run([updates.sums, updates.health], feeds)


def is_over(state: State, updates: Updates, patience: int) -> bool:
    """Whether the phase's steps are done, or its best epoch is too long ago to go on."""
    epoch, inside = divmod(state.step, updates.length.steps_per_epoch)
    waited = bool(patience) and not inside and epoch - state.best_epoch >= patience
    return state.step >= updates.length.steps or waited


def run(session: tf.Session, updates: Updates, name: str, state: State, steps: int) -> list[float]:
    """Runs so many updates from `state` on; returns the sums of the epoch's losses so far.

    Raises Diverged where a loss or gradient is not finite, and what reading the rows raised.
    """
    feeds = {
        updates.first: state.step,
        updates.last: state.step + steps,
        updates.sums_before: state.sums,
    }
    try:
        sums, health = session.run([updates.sums, updates.health], feeds)
    except tf.errors.OpError as error:
        if updates.rows.failure:
            raise updates.rows.failure from None
        found = re.search(r'(loss|gradient of \S+) : Tensor had', str(error))
        if not found:
            raise
        applied = max(int(session.run(updates.last_step)), state.step - 1)  # counted from 0
        raise Diverged(
            f'{name}: the {found[1]} is not a finite number at step {applied + 2}, whose update is '
            'not applied; the last checkpoint is kept. Try a smaller '
            f'{setting(f"{updates.rate}=...")}'
        ) from None
    if not np.isfinite([*sums, health]).all():
        raise Diverged(
            f'{name}: a loss or gradient is not a finite number at a step from {state.step + 1} to '
            f'{state.step + steps}; the last checkpoint is kept'
        )
    return sums.tolist()
