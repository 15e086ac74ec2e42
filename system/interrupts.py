"""SIGINT and SIGTERM: noted when they arrive, acted on where a run can be saved.

So is what another process has had, or ended by, whose run this is too.

Python acts on a signal between two of its own instructions. While TensorFlow computes there is
none, and what it computes may have no end: so a thread looks on, which ends the process then.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

from system.errors import Interrupted, UserError
from system.lines import say

_FIRST_SIGNAL = 128  # exit codes from there on are of signals
_GRACE_SECONDS = 1.0  # for Python to act on a second signal, before the thread does
os.register_at_fork(after_in_child=lambda: _forget())


class Interrupts:
    """Notes the first signal; a second one ends the process at once.

    Where `patience` is set, so does the first after so many seconds in which nobody asked for it:
    what is computed does not end.
    """

    def __init__(self, said: str = '', *, restarts: bool = False, alone: bool = False):
        """Says what has become of the work that a signal ends: that it is saved, if no other word.

        What `restarts` would begin again by the same command. Of work that stands `alone` a signal
        that comes when it is done ends nothing.
        """
        self.patience: float | None = None
        self._command = f'the same command{" without --restart" if restarts else ""}'
        self._said, self._alone = said or f'saved; {self._command} goes on from here', alone
        self._received = 0
        self._is_heeded = False  # a signal, by what is asked for it
        self._told: UserError | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._waker: socket.socket | None = None  # tells the thread that looks on
        self._waker_before = -1

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is not threading.main_thread():
            return self  # where Python takes no signals
        self._told = _OPEN[-1]._told if _OPEN else None
        _OPEN.append(self)
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        with contextlib.suppress(OSError):  # without a file left to open, it goes on unwatched
            reader, self._waker = socket.socketpair()
            self._waker.setblocking(False)
            told = self._waker.fileno()
            self._waker_before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
            threading.Thread(target=self._watch, args=(reader,), daemon=True).start()
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        if self._waker is not None:
            signal.set_wakeup_fd(self._waker_before)
            self._waker.close()  # which ends the thread
            self._waker = None
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self in _OPEN:
            _OPEN.remove(self)
        if failure is None and not self._alone:
            self.check()  # one that came too late to be acted on still ends what comes next

    def _note(self, number: int, _frame: object) -> None:
        if self._received:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif sys.stderr is not None and sys.stderr.isatty():  # somebody waits for an answer
            words = 'ends as soon as all is whole; once more ends it at once'
            with contextlib.suppress(OSError):
                os.write(2, f'\n{signal.Signals(number).name}: {words}\n'.encode())
        self._received = number

    def _watch(self, reader: socket.socket) -> None:
        """Ends the process where a signal came that Python does not get to act on."""
        came, until, number = 0, None, 0
        with reader:
            while True:
                reader.settimeout(None if until is None else max(0.001, until - time.monotonic()))
                try:
                    told = reader.recv(1)
                except TimeoutError:
                    if came > 1 or not self._is_heeded:
                        _end(number)
                    until = None
                    continue
                if not told:
                    return
                if self._waker_before != -1:  # whoever looked on before still does
                    with contextlib.suppress(OSError):
                        os.write(self._waker_before, told)
                if told[0] in self._before:
                    came, number = came + 1, told[0]
                    seconds = self.patience if came == 1 else _GRACE_SECONDS
                    until = None if seconds is None else time.monotonic() + seconds

    @property
    def pending(self) -> int:
        """The signal that has arrived, here or where another process told of it; 0: none has."""
        self._is_heeded = bool(self._received)
        elsewhere = self._told.exit_code - _FIRST_SIGNAL if self._told else 0
        return self._received or max(0, elsewhere)

    def note(self, number: int) -> None:
        """Notes a signal that another process has had."""
        self._told = self._told or Interrupted(self._words(number), number)

    def finished(self) -> None:
        """From now on a signal is said to have come when the work was done."""
        self._said = f'the run is finished; {self._command} goes on with what is left, if anything'

    def check(self) -> None:
        """Raises Interrupted if a signal has arrived, or what another process told of."""
        self._is_heeded = bool(self._received)
        if self._received:
            raise Interrupted(self._words(self._received), self._received)
        if self._told:
            raise self._told

    def _words(self, number: int) -> str:
        return f'{signal.Signals(number).name}: {self._said}'


_OPEN: list[Interrupts] = []  # of the main thread, the innermost last


def tell(error: UserError) -> None:
    """Has the next check raise an error, of another process; the first that is told of counts."""
    for interrupts in [*_OPEN]:
        interrupts._told = interrupts._told or error


def _end(number: int) -> None:
    """Ends the process, whatever its other threads do."""
    with contextlib.suppress(OSError, ValueError):
        name = signal.Signals(number).name
        say(
            f'error: {name}: in the midst of a computation that does not end; what was saved '
            'before is kept',
            to=sys.stderr,
        )
        sys.stderr.flush()
    os._exit(128 + number)


def _forget() -> None:
    """Has a copy of the process tell no thread of its signals: there is none in it."""
    with contextlib.suppress(ValueError):
        signal.set_wakeup_fd(-1)
