"""Resume state: weights, optimizer slots and position, written whole or not at all.

A checkpoint is a folder `checkpoints/<updates>/` with a Saver's files and `state.json`; it is
written under another name, flushed to disk and renamed. The last two are kept.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import tensorflow.compat.v1 as tf

from errors import DataError

_KEPT = 2
_SHARE = 0.01  # of the time, at most, goes into checkpoints where no interval is asked for
_SECONDS = 2.0  # between two of them then, at least
_SPEED = 2e8  # bytes a second that the first one is expected to be written at


@dataclass
class State:
    """A position in training. JSON keeps its floats exactly, so that a resumed sum is the same."""

    phase: int = 0  # index of the phase
    step: int = 0  # updates done in this phase
    before: int = 0  # updates done in the phases before it
    sums: list[float] = field(default_factory=list)  # of this epoch's losses, over its examples
    seconds: float = 0.0  # spent in this epoch

    @property
    def updates(self) -> int:
        """Updates done in all phases."""
        return self.before + self.step


class Checkpoints:
    """The checkpoints of one run folder, and when the next is due."""

    def __init__(self, run_folder: Path, seconds: float = 0.0):
        """Spaces them by `seconds`; 0 spaces them so that they cost under 1 % of the time."""
        self._seconds = seconds
        self.folder = run_folder / 'checkpoints'
        self._saved_at = time.monotonic()
        self._cost = 0.0

    def expect(self, variables: list[tf.Variable]) -> None:
        """Says what will be saved, so that the first one is not due sooner than it is worth."""
        size = sum(v.dtype.size * v.shape.num_elements() for v in variables)
        self._cost = self._cost or size / _SPEED

    def due(self) -> bool:
        """Whether enough time has passed since the last one."""
        wait = self._seconds or max(_SECONDS, self._cost / _SHARE)
        return time.monotonic() - self._saved_at >= wait

    def save(self, session: tf.Session, saver: tf.train.Saver, state: State) -> None:
        """Writes one checkpoint and removes all but the last two."""
        began = time.monotonic()
        aside = self.folder / '.writing'
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        saver.save(session, str(aside / 'state'), write_meta_graph=False, write_state=False)
        (aside / 'state.json').write_text(json.dumps(dataclasses.asdict(state)))
        for file in (*aside.iterdir(), aside):
            _flush(file)
        final = self.folder / f'{state.updates:09d}'
        shutil.rmtree(final, ignore_errors=True)
        os.rename(aside, final)
        _flush(self.folder)
        for old in self._all()[:-_KEPT]:
            shutil.rmtree(old)
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - began

    def latest(self) -> State | None:
        """Returns the newest checkpoint's position, or None where there is none."""
        found = self._all()
        if not found:
            return None
        try:
            return State(**json.loads((found[-1] / 'state.json').read_text()))
        except (OSError, ValueError, TypeError):
            raise DataError(f'{found[-1]}: damaged checkpoint; --restart begins again') from None

    def restore(self, session: tf.Session, saver: tf.train.Saver) -> None:
        """Restores the newest checkpoint's variables; raises DataError where that fails."""
        newest = self._all()[-1]
        try:
            saver.restore(session, str(newest / 'state'))
        except (tf.errors.OpError, ValueError):
            raise DataError(f'{newest}: damaged checkpoint; --restart begins again') from None

    def _all(self) -> list[Path]:
        return sorted(self.folder.glob('[0-9]*'))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
