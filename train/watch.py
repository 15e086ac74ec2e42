"""The watch over the other workers of a run: whether they answer, and what they say of their end.

What a worker says to another it puts into a queue on the server of that one, by TensorFlow's
runtime: a signal that it has had, and what it ends by.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from networks import session as sessions
from system import disk
from system.errors import Elsewhere, Interrupted, Lost, UserError
from system.interrupts import tell
from system.lines import say
from train.team import Team

_PAUSE = 5.0  # seconds between two looks at a worker, at most
_LOOK = 2000  # milliseconds that one takes, at most
_LISTEN = 0.25  # seconds between two looks into the queue
_QUEUED = 64
_GRACE = 5.0  # seconds in which one that only waits is to find by itself that another has ended
_ON = "the same commands go on from the chief's last checkpoint"
_FIRST_SIGNAL = 128  # exit codes from there on are of signals


class _Reached(NamedTuple):
    """A worker's server: a session on it, and what puts into its queue, and takes out."""

    session: tf.Session
    turns: Callable[[], int]  # it has taken, as `Team.turns`
    show: Callable[[int], object]  # them: of this process alone
    put: Callable[[str], object]
    length: Callable[[], int]
    take: Callable[[], bytes]


class _Note(NamedTuple):
    """What a worker says to another."""

    to: int  # the number of the process that it is meant for
    worker: int  # who says it
    code: int  # the exit code that it ends with, or 128 and the signal that it has had
    said: str
    ends: bool  # at once


class Watch:
    """Looks every few seconds whether the other workers answer, and hears what they say."""

    def __init__(self, team: Team, seconds: float):
        self.removes: list[Path] = []  # where the process is ended
        self._team, self._seconds = team, seconds
        self._pause = min(_PAUSE, seconds / 4)
        self._over = threading.Event()
        self._reached: dict[int, _Reached] = {}
        self._names: dict[int, int] = {}  # of each process that answered: a number of its own
        self._anew: set[int] = set()  # those that are another process by now
        self._signals, self._wakes = os.pipe()
        os.set_blocking(self._wakes, False)
        self._had: list[int] = []  # signals
        self._told: Elsewhere | None = None
        self._told_at = self._left_at = math.inf  # when it was told, and when one of them ended
        self._others = [index for index in range(team.size) if index != team.index]
        self._seen: dict[int, float] = {}  # when they answered last
        self._turns = {team.index: (0, time.monotonic())}  # of each worker, and since when
        self._thread = threading.Thread(target=self._keep, name='watch')

    def meet(self, check: Callable[[], None]) -> None:
        """Waits until all have answered once; raises Lost where one does not, or what `check` does.

        From then on the watch is kept.
        """
        self._answers(self._team.index)  # first: from then on the others find it here
        waiting, said, began = {*range(self._team.size)}, False, time.monotonic()
        while waiting:
            waiting = {index for index in waiting if not self._answers(index)}
            check()
            if waiting and not said:
                say(f'waiting for {", ".join(map(self._team.named, sorted(waiting)))}')
                said = True
            if waiting and time.monotonic() - began > self._seconds:
                name = self._team.named(min(waiting))
                raise Lost(
                    f'{name} has not come in {self._seconds:g} seconds; start the same command '
                    'there, with its index in TF_CONFIG'
                )
            time.sleep(0.2 if waiting else 0)
        self._seen = dict.fromkeys(self._others, time.monotonic())
        self._thread.start()

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Hears of signals in the context, and tells the others of an error that ends it.

        Raises what another worker has told of where that is why something failed here.
        """
        is_main = threading.current_thread() is threading.main_thread()
        before = signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False) if is_main else -1
        try:
            yield
        except tf.errors.OpError as error:
            self._explain()
            self._tell(1, type(error).__name__)
            raise
        except UserError as error:
            self._tell(error.exit_code, str(error))
            raise
        except BaseException as error:
            self._tell(1, type(error).__name__)
            raise
        finally:
            if is_main:
                signal.set_wakeup_fd(before)
            self._over.set()
            os.write(self._wakes, b'\0')
            if self._thread.ident:
                self._thread.join()  # a thread in TensorFlow may not outlive Python
            os.close(self._wakes)
            os.close(self._signals)

    def _explain(self) -> None:
        """Raises what another worker has told of, if one does in the time that it may be silent.

        Where it is gone without a word, the watch ends the process meanwhile.
        """
        limit = time.monotonic() + 2 * self._seconds
        while self._thread.is_alive() and time.monotonic() < limit:
            if reason := self._reason():
                raise reason from None
            time.sleep(_LISTEN / 5)

    def _keep(self) -> None:
        """Ends this process where one has not answered for too long, until the watch is over."""
        due = 0.0
        while not self._over.is_set():
            if select.select([self._signals], [], [], _LISTEN)[0]:
                self._hear_signals(os.read(self._signals, _QUEUED))
            self._hear_others()
            self._show()
            self._end_if_told()
            if self._told or self._over.is_set() or time.monotonic() < due:
                continue
            if all([self._look_at(index) for index in self._others]):
                self._end_if_stuck()
            due = time.monotonic() + self._pause

    def _reason(self) -> UserError | None:
        """Returns why this worker is to end: a signal that it has had, or what it was told."""
        if self._had:
            return Interrupted(f'{signal.Signals(self._had[0]).name}; {_ON}', self._had[0])
        return self._told

    def _end_if_told(self) -> None:
        """Ends this process where it does not end by itself though another has told it to.

        That is where it waits for who is gone, which TensorFlow does not always notice.
        """
        now, reason = time.monotonic(), self._reason()
        is_within, grace = self._team.turns % 2, min(_GRACE, self._seconds)
        waits = is_within and now - max(self._left_at, self._turns[self._team.index][1]) > grace
        if reason and (waits or now - self._told_at > 2 * self._seconds):
            self._end(reason)

    def _end_if_stuck(self) -> None:
        """Ends this process where all are within what none can end alone, and none ends that.

        TensorFlow notices neither a worker that is in another call than the others, nor one that
        waits for what was lost on the way.
        """
        since = [at for turns, at in self._turns.values() if turns % 2]
        is_long = len(since) == self._team.size and time.monotonic() - max(since) > self._seconds
        if is_long and not self._over.is_set():
            self._hear_others()
            seconds = f'{self._seconds:g} seconds'
            reason = f'all {len(since)} workers answer, and none has ended a step for {seconds}'
            self._end(self._told or Lost(f'{reason}; {_ON}'))

    def _look_at(self, index: int) -> bool:
        """Returns whether a worker answers; ends this process where it has not for too long."""
        answers, reason = self._answers(index), ''
        if index in self._anew:
            reason = 'has ended, and been started anew'
        elif not answers and time.monotonic() - self._seen[index] > self._seconds:
            reason = f'has not answered for {self._seconds:g} seconds'
            del self._names[index]  # it would not hear either
        if reason and not self._over.is_set():
            self._hear_others()
            self._end(self._told or Lost(f'{self._team.named(index)} {reason}; {_ON}'))
        return answers

    def _note_turns(self, index: int, turns: int) -> None:
        if self._turns.get(index, (-1, 0.0))[0] != turns:
            self._turns[index] = turns, time.monotonic()

    def _show(self) -> None:
        """Lets the others see how many turns this worker has taken."""
        here, turns = self._reached.get(self._team.index), self._team.turns
        if here is None or turns == self._turns[self._team.index][0]:
            return
        with contextlib.suppress(tf.errors.OpError):
            here.show(turns)
            self._note_turns(self._team.index, turns)

    def _end(self, error: UserError) -> None:
        """Ends this process, whatever it waits for, having told the others why."""
        say(f'error: {error}', to=sys.stderr)
        self._tell(error.exit_code, str(error))
        for folder in self.removes:
            disk.remove(folder)
        os._exit(error.exit_code)

    def _hear_signals(self, numbers: bytes) -> None:
        """Tells the others of the first signal; a second one ends the process at once."""
        for number in filter(None, numbers):
            self._had.append(number)
            said = signal.Signals(number).name
            if len(self._had) == 1:
                self._tell(_FIRST_SIGNAL + number, said, ends=False)
            elif not self._over.wait(_LISTEN):  # Python itself ends it where it is not waiting
                self._end(Elsewhere(f'{said}, twice; {_ON}', _FIRST_SIGNAL + number))

    def _hear_others(self) -> None:
        """Takes what others have put into the queue here; the first of it is heeded."""
        here = self._reached.get(self._team.index)
        if here is None:
            return
        try:
            notes = [_Note(*json.loads(here.take())) for _ in range(here.length())]
        except (tf.errors.OpError, ValueError, TypeError):
            return
        for note in notes:
            if note.to != self._names[self._team.index]:
                continue  # as meant for the process that had this address before
            if note.ends:
                self._left_at = min(self._left_at, time.monotonic())
            if self._told:
                continue
            name = self._team.named(note.worker)
            has = f'has ended: {note.said}' if note.ends else f'has had {note.said}; {_ON}'
            self._told, self._told_at = Elsewhere(f'{name} {has}', note.code), time.monotonic()
            tell(self._told)

    def _tell(self, code: int, said: str, *, ends: bool = True) -> None:
        """Puts into the queue of each other worker why this one ends."""
        for index in [index for index in self._others if index in self._names]:
            note = _Note(self._names[index], self._team.index, code, said, ends)
            with contextlib.suppress(tf.errors.OpError, RuntimeError, KeyError):
                self._reached[index].put(json.dumps(note))

    def _answers(self, index: int) -> bool:
        """Whether a worker says its turns; notes these, and where it is another process by now."""
        if index not in self._reached:
            self._reached[index] = _reach(self._team, index)
        try:
            # Of a session that is begun this is about that worker alone; it would ask all before.
            self._note_turns(index, self._reached[index].turns())
            devices = self._reached[index].session.list_devices()
        except tf.errors.DeadlineExceededError:
            return False
        except tf.errors.OpError:
            del self._reached[index]  # a session of a process that has gone, or is not there yet
            return False
        name = next(device.incarnation for device in devices if device.device_type == 'CPU')
        if self._names.setdefault(index, name) != name:
            self._names[index] = name
            self._anew.add(index)
        self._seen[index] = time.monotonic()
        return True


def _reach(team: Team, index: int) -> _Reached:
    settings = tf.ConfigProto(operation_timeout_in_ms=_LOOK)
    settings.device_filters.append(f'/job:worker/task:{index}')
    with tf.Graph().as_default(), tf.device(f'/job:worker/task:{index}/device:CPU:0'):
        fed = tf.placeholder(tf.string, [])
        queue = tf.FIFOQueue(_QUEUED, [tf.string], [[]], shared_name='said')
        put, size, taken = queue.enqueue(fed), queue.size(), queue.dequeue()
        number = tf.placeholder(tf.int64, [])
        held = tf.raw_ops.VarHandleOp(dtype=tf.int64, shape=[], shared_name='turns')
        turns = tf.raw_ops.ReadVariableOp(resource=held, dtype=tf.int64)
        shown = tf.raw_ops.AssignVariableOp(resource=held, value=number)
        if index == team.index:
            session = sessions.opened(settings)
            session.run(shown, {number: team.turns})  # until then it does not answer
        else:
            session = tf.Session(f'grpc://{team.addresses[index]}', config=settings)
    return _Reached(
        session,
        turns=lambda: int(session.run(turns)),
        show=lambda found: session.run(shown, {number: found}),
        put=lambda words: session.run(put, {fed: words}),
        length=lambda: int(session.run(size)),
        take=lambda: session.run(taken),
    )
