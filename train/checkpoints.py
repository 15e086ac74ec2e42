"""Resume state: weights, optimizer slots and position, written whole or not at all.

A checkpoint is a folder `checkpoints/<updates>/`: a Saver's files, `state.json`, and a manifest of
their sizes and hashes. It is written under another name, flushed to disk and renamed; then
`newest.json` names it. The last two are kept: where the newest is damaged, the one before is used.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow.compat.v1 as tf

from system import disk, names, received
from system.errors import DataError
from system.lines import say
from system.received import is_count, is_number, is_score

_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
_NAME = re.compile(r'\d{9,}')
_SHARE = 0.01  # of the time, at most, goes into checkpoints where no interval is asked for
_SECONDS = 2.0  # between two of them then, at least
_SPEED = 2e8  # bytes a second that the first one is expected to be written at
_LARGEST = 1 << 20  # bytes of a file that says something of a checkpoint


@dataclass
class State:
    """A position in training. JSON keeps its floats exactly, so that a resumed sum is the same."""

    phase: int = 0  # index of the phase
    step: int = 0  # updates done in this phase
    before: int = 0  # updates done in the phases before it
    sums: list[float] = field(default_factory=list)  # of this epoch's losses, over its examples
    seconds: float = 0.0  # spent in this epoch
    best: float | None = None  # the least validation loss of this phase's epochs,
    best_epoch: int = 0  # and which of them has it, where the phase has patience
    over: bool = False  # the phase has ended, and has its weights

    @property
    def updates(self) -> int:
        """Updates done in all phases."""
        return self.before + self.step


class Checkpoints:
    """The checkpoints of one run folder, and when the next is due."""

    def __init__(self, run_folder: Path, seconds: float = 0.0, *, keeps: bool = True):
        """Spaces them by `seconds`; 0 spaces them so that they cost under 1 % of the time.

        Where it does not keep any, as a worker that has a chief, it only reads those there are.
        """
        self._keeps = keeps
        self._seconds = seconds
        self.folder = run_folder / 'checkpoints'
        self._saved_at = time.monotonic()
        self._cost = 0.0
        self._good: Path | None = None  # the newest that is known to be whole

    def expect(self, variables: list[tf.Variable]) -> None:
        """Says what will be saved, so that the first one is not due sooner than it is worth."""
        size = sum(v.dtype.size * v.shape.num_elements() for v in variables)
        self._cost = self._cost or size / _SPEED

    def due(self) -> bool:
        """Whether enough time has passed since the last one."""
        wait = self._seconds or max(_SECONDS, self._cost / _SHARE)
        return self._keeps and time.monotonic() - self._saved_at >= wait

    def save(self, session: tf.Session, saver: tf.train.Saver, state: State) -> None:
        """Writes one checkpoint and removes all but it and the last good one before."""
        began = time.monotonic()
        final = self.folder / f'{state.updates:09d}'
        if (final == self._good and not state.over) or not self._keeps:
            return
        with disk.whole_folder(final) as aside:
            prefix = names.plain(aside / 'state')
            saver.save(session, prefix, write_meta_graph=False, write_state=False)
            (aside / 'state.json').write_text(json.dumps(dataclasses.asdict(state)))
            manifest = {file.name: _entry(file) for file in sorted(aside.iterdir())}
            (aside / 'manifest.json').write_text(json.dumps(manifest, indent=1))
        disk.write_json(self.folder / 'newest.json', final.name)
        for folder in self._all() if final != self._good else ():  # or else two are there
            if folder not in (final, self._good):
                disk.remove(folder)
        self._good = final
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - began

    def latest(self) -> State | None:
        """Returns the newest whole checkpoint's position, None where there never was one.

        Prints a warning that names each newer one that is damaged or missing. Raises DataError
        where none is whole.
        """
        found, faults, unread = self._all(), [], False
        newest = self._newest()
        if newest and self.folder / newest not in found:
            faults.append(f'{self.folder / newest}: missing')
        for folder in reversed(found):
            try:
                state = _read(folder)
            except _DAMAGE as error:
                faults.append(f'{folder}: damaged checkpoint ({error})')
                unread |= isinstance(error, OSError)  # as of a disk that is not there for a while
                continue
            for fault in faults:
                say(f'warning: {fault}; goes on from {folder.name}, the one before')
            self._good = folder
            return state
        if faults:
            remedy = 'see that it can be read' if unread else '--restart begins again'
            raise DataError(f'{"; ".join(faults)}; no other is whole, {remedy}')
        return None

    def restore(self, session: tf.Session, saver: tf.train.Saver) -> None:
        """Restores the variables of `latest`; raises DataError where that fails."""
        assert self._good is not None, 'latest() found none'
        try:
            saver.restore(session, names.plain(self._good / 'state'))
        except (tf.errors.OpError, ValueError):
            raise DataError(
                f'{self._good}: the weights are not of this network, as it is built today; an '
                'earlier version of the code goes on from there, --run_dir names another folder'
            ) from None

    def _newest(self) -> str:
        """Returns the name that was saved last, as far as it is known."""
        try:
            name = _said(self.folder / 'newest.json')
        except (OSError, ValueError):
            return ''
        return name if isinstance(name, str) and _NAME.fullmatch(name) else ''

    def _all(self) -> list[Path]:
        """Returns the checkpoints, oldest first; links are none."""
        try:
            entries = list(os.scandir(self.folder))
        except FileNotFoundError:
            return []
        names = [e.name for e in entries if _NAME.fullmatch(e.name) and _is_own(e, 'dir')]
        return [self.folder / name for name in sorted(names, key=int)]


def _entry(file: Path) -> dict[str, Any]:
    return {'bytes': file.stat().st_size, 'sha256': disk.sha256(file)}


def _read(folder: Path) -> State:
    """Returns a checkpoint's position; raises ValueError, or what reading raises, for damage."""
    present = {entry.name for entry in os.scandir(folder) if _is_own(entry, 'file')}
    if 'manifest.json' not in present:
        raise ValueError('no manifest.json')
    manifest = _said(folder / 'manifest.json')
    for name, wanted in manifest.items():
        if name not in present:
            raise ValueError(f'{name} is missing')
        size = (folder / name).stat().st_size
        if size != wanted['bytes']:
            raise ValueError(f'{name} has {size} bytes, not {wanted["bytes"]}')
        if disk.sha256(folder / name) != wanted['sha256']:
            raise ValueError(f'the sha256 of {name} is another')
    if 'state.json' not in manifest:
        raise ValueError('its manifest lacks state.json')
    state = State(**_said(folder / 'state.json'))
    for name, fits in _FITS.items():
        if not fits(getattr(state, name)):
            raise ValueError(f'its {name} is of the wrong kind')
    if f'{state.updates:09d}' != folder.name:
        raise ValueError(f'it is of update {state.updates}')
    return state


def _said(file: Path) -> Any:
    """Returns what a file of JSON holds; raises ValueError or OSError where it cannot be read."""
    return received.parsed(received.content(file, _LARGEST))


_FITS: dict[str, Callable[[Any], bool]] = {  # a part of the position -> whether it is one
    'phase': is_count,
    'step': is_count,
    'before': is_count,
    'sums': lambda value: isinstance(value, list) and all(map(is_number, value)),
    'seconds': lambda value: is_number(value) and value >= 0,
    'best': lambda value: value is None or is_score(value),
    'best_epoch': is_count,
    'over': lambda value: isinstance(value, bool),
}


def _is_own(entry: os.DirEntry[str], kind: str) -> bool:
    """Whether it is a 'file' or a 'dir' itself, and no link to one."""
    return getattr(entry, f'is_{kind}')(follow_symlinks=False)
