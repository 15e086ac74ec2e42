"""What a network must know of its data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

_SIZES = ('shape', 'picture', 'frame')


class Values(NamedTuple):
    """The values that a network was trained on, as it reads them."""

    least: float
    most: float
    is_bytes: bool  # recorded as bytes, and read as numbers in [0, 1]
    columns: tuple[tuple[float, float], ...] = ()  # least and greatest of each, of few features


class Spec(NamedTuple):
    """What a network must know of its data: how an example is laid out, and what it shows."""

    shape: tuple[int, ...]  # of one example as it is fed: (784,), (28, 28, 1), (steps, features)
    classes: tuple[str, ...] = ()  # names of the labels 0, 1, ...; empty without labels
    picture: tuple[int, ...] = ()  # how an example is drawn: (28, 28); empty where it is no picture
    frame: tuple[int, ...] = ()  # how a step of a sequence is drawn, where each is a picture
    future: int = 0  # steps of a sequence that follow those that are fed
    one_hot: bool = False  # an example is the number of a stored picture
    values: Values | None = None  # what was trained on, where that is known

    @property
    def layout(self) -> str:
        """How an example is laid out: 'flat', 'steps', 'maps' or 'one-hot'."""
        return 'one-hot' if self.one_hot else {1: 'flat', 2: 'steps'}.get(len(self.shape), 'maps')

    @property
    def said(self) -> str:
        """How the shape of an example is told to people."""
        if len(self.shape) == 1:
            return f'{self.shape[0]} features'
        return 'x'.join(map(str, self.shape))


def as_json(spec: Spec) -> dict[str, Any]:
    """Returns what a run's configuration keeps of its data, as JSON values."""
    sizes = {name: list(getattr(spec, name)) for name in _SIZES}
    made: dict[str, Any] = sizes | {'classes': list(spec.classes)}
    if spec.values:
        columns = [list(column) for column in spec.values.columns]
        made['values'] = spec.values._asdict() | {'columns': columns}
    return made


def from_json(found: Mapping[str, Any]) -> Spec:
    """Returns what `as_json` wrote; raises KeyError, TypeError or ValueError for anything else."""
    sizes = {name: tuple(found.get(name, ())) for name in _SIZES}
    classes = tuple(found['classes'])
    if not all(type(n) is int and 0 < n < 1 << 31 for size in sizes.values() for n in size):
        raise ValueError('a shape that is none')
    if not sizes['shape'] or not all(isinstance(name, str) for name in classes):
        raise ValueError('no shape, or classes that are no names')
    values = _values(found['values']) if 'values' in found else None
    return Spec(sizes['shape'], classes, sizes['picture'], sizes['frame'], values=values)


def _values(found: Mapping[str, Any]) -> Values:
    columns = tuple((float(least), float(most)) for least, most in found['columns'])
    made = Values(float(found['least']), float(found['most']), found['is_bytes'] is True, columns)
    numbers = made.least, made.most, *(number for column in columns for number in column)
    if not all(map(math.isfinite, numbers)):
        raise ValueError('a range that is none')
    return made
