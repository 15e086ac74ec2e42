"""Whether a phase went on for too long: whether its validation loss had been clearly better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from parameters import Experiment
from phases import Phase, schedule_of

_FEWEST = 10  # epochs, below which nothing is said
_LATE = 0.9  # share of the epochs: a best one after that is no reason to stop earlier
_RISE = 0.02  # of the best loss, at least, that the last one lies above it,
_NOISE = 3.0  # and so many times what neighbouring epochs differ by
_WIDEST = 9  # epochs that a level is the median of
_PATIENCE = 5  # epochs, the least that is advised


class Course(NamedTuple):
    """A phase's validation loss over its epochs, which are counted from 1."""

    epochs: int
    best_epoch: int  # the first with the least loss: the one that patience keeps
    best: float
    last: float
    overfits: bool
    advised: int  # patience with which it would have stopped after its best epoch, and kept that


def course(rows: Sequence[Mapping[str, str]], phase: Phase) -> Course | None:
    """Judges a phase by its rows of metrics.csv; None where it has no validation losses.

    The loss is the sum of the phase's weighted losses, as patience looks at it. The phase overfits
    where its end lies above its best epoch by over 2 %, and by more than the noise between epochs.
    """
    mine = [row for row in rows if row['phase'] == phase.name]
    names = [f'validation/{term.name}' for term in phase.losses]
    if not mine or not all(row.get(name) for row in mine for name in names):
        return None
    columns = [[float(row[name]) for row in mine] for name in names]
    losses = np.array([term.weight for term in phase.losses]) @ np.array(columns)
    best = int(np.argmin(losses))
    return Course(
        epochs=len(losses),
        best_epoch=best + 1,
        best=float(losses[best]),
        last=float(losses[-1]),
        overfits=_overfits(losses, best),
        advised=_patience(losses[: best + 1]),
    )


def by_phase(
    rows: Sequence[Mapping[str, str]], experiment: Experiment
) -> dict[str, dict[str, Any]]:
    """Returns the course of each phase that was validated, for results.json.

    With patience none overfits: it ended with the weights of its best epoch.
    """
    found = {phase.name: course(rows, phase) for phase in schedule_of(experiment)}
    return {
        name: {**one._asdict(), 'overfits': one.overfits and not experiment.patience}
        for name, one in found.items()
        if one
    }


def _overfits(losses: np.ndarray, best: int) -> bool:
    """Compares the level at the end with that around the best epoch, each a median of epochs."""
    count = len(losses)
    if count < _FEWEST or best + 1 > _LATE * count:
        return False
    half = min(_WIDEST, count // 10) // 2
    level = float(np.median(losses[max(0, best - half) : best + half + 1]))
    rise = float(np.median(losses[-(2 * half + 1) :])) - level
    noise = float(np.median(np.abs(np.diff(losses[best:]))))
    return rise > max(_RISE * abs(level), _NOISE * noise)


def _patience(until_best: np.ndarray) -> int:
    """Returns twice the longest wait for a better epoch there was, up to the best one."""
    before = np.minimum.accumulate(until_best)
    better = np.flatnonzero(np.append(True, before[1:] < before[:-1]))
    return max(_PATIENCE, 2 * int(np.diff(better).max(initial=0)))


def said(found: Course, flag: str = '--set patience') -> str:
    """Says in one line that the phase overfits, and that the `flag` would keep its best epoch."""
    return (
        f'overfits: validation loss {found.best:.5g} at epoch {found.best_epoch:,}, '
        f'{found.last:.5g} at the last, {found.epochs:,}; {flag}={found.advised} '
        'stops earlier and keeps the weights of the best epoch'
    )


def all_said(phases: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns a line for each of results.json's phases that overfits."""
    found = {name: Course(**values) for name, values in phases.items()}
    return [f'{name} {said(one)}' for name, one in found.items() if one.overfits]
