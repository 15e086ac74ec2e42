"""What a case of arrays, pictures or surroundings is: what is made, and how a run on it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

RIGHT, LINE, EITHER = 'right', 'line', 'either'  # how a run may end; a race ends either way
TOUCHED = 'touched'  # a file in the case's folder that nothing may have made
Made = Callable[[Path], Sequence[str]]


class Case(NamedTuple):
    """What is made in a folder, how a run on it ends, and what is done before it begins."""

    made: Made  # returns the flags that name it
    end: str = RIGHT
    around: Callable[[Path], object] = lambda folder: None  # in the run's own process
    is_started: bool = False  # as a shell does it, and not as a copy of a process that has begun
    trains: bool = True  # which leaves a finished run where it ends well
