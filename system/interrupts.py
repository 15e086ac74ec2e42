"""SIGINT and SIGTERM: noted when they arrive, acted on where a run can be saved."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from system.errors import Interrupted


class Interrupts:
    """Notes the first signal; a second one ends the process at once."""

    def __init__(self, said: str = 'saved; the same command goes on from here'):
        """Says what has become of the work that a signal ends."""
        self._said = said
        self._received = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is not threading.main_thread():
            return self  # where Python takes no signals
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if failure is None:
            self.check()  # one that came too late to be acted on still ends what comes next

    def _note(self, number: int, _frame: object) -> None:
        if self._received:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._received = number

    @property
    def pending(self) -> int:
        """The signal that has arrived, 0 where none has."""
        return self._received

    def note(self, number: int) -> None:
        """Notes a signal that another process has had."""
        self._received = self._received or number

    def check(self) -> None:
        """Raises Interrupted if a signal has arrived."""
        if self._received:
            name = signal.Signals(self._received).name
            raise Interrupted(f'{name}: {self._said}', self._received)
