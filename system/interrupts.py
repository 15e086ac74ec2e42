"""SIGINT and SIGTERM: noted when they arrive, acted on where a run can be saved.

So is what another process has had, or ended by, whose run this is too.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from system.errors import Interrupted, UserError

_FIRST_SIGNAL = 128  # exit codes from there on are of signals


class Interrupts:
    """Notes the first signal; a second one ends the process at once."""

    def __init__(self, said: str = 'saved; the same command goes on from here'):
        """Says what has become of the work that a signal ends."""
        self._said = said
        self._received = 0
        self._told: UserError | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is not threading.main_thread():
            return self  # where Python takes no signals
        self._told = _OPEN[-1]._told if _OPEN else None
        _OPEN.append(self)
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self in _OPEN:
            _OPEN.remove(self)
        if failure is None:
            self.check()  # one that came too late to be acted on still ends what comes next

    def _note(self, number: int, _frame: object) -> None:
        if self._received:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._received = number

    @property
    def pending(self) -> int:
        """The signal that has arrived, here or where another process told of it; 0: none has."""
        elsewhere = self._told.exit_code - _FIRST_SIGNAL if self._told else 0
        return self._received or max(0, elsewhere)

    def note(self, number: int) -> None:
        """Notes a signal that another process has had."""
        self._told = self._told or Interrupted(self._words(number), number)

    def check(self) -> None:
        """Raises Interrupted if a signal has arrived, or what another process told of."""
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
