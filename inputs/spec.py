"""What a network must know of its data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

_SIZES = ('shape', 'picture', 'frame')
_AXES = 64  # of an example at most, as NumPy has
_MOST = 1 << 30  # numbers of an example, at most
_LONGEST = 10_000  # characters of a name of a class or column
_LETTERS = 1 << 26  # of the names of all, each as long as the longest: so they are held
_CHANNELS = (1, 3)  # of a picture


class Values(NamedTuple):
    """The values that a network was trained on, as it reads them."""

    least: float
    most: float
    is_bytes: bool  # recorded as bytes, and read as numbers in [0, 1]
    columns: tuple[tuple[float, float], ...] = ()  # least and greatest of each, of few features
    is_whole: bool = False  # whole numbers up to 255, as bytes are, though recorded as others

    @property
    def in_unit(self) -> bool:
        """Whether they are in [0, 1], give or take what resizing adds to the greatest."""
        return self.least >= 0 and self.most <= 1.01


class Spec(NamedTuple):
    """What a network must know of its data: how an example is laid out, and what it shows."""

    shape: tuple[int, ...]  # of one example as it is fed: (784,), (28, 28, 1), (steps, features)
    classes: tuple[str, ...] = ()  # names of the labels 0, 1, ...; empty without labels
    picture: tuple[int, ...] = ()  # how an example is drawn: (28, 28); empty where it is no picture
    frame: tuple[int, ...] = ()  # how a step of a sequence is drawn, where each is a picture
    future: int = 0  # steps of a sequence that follow those that are fed
    one_hot: bool = False  # an example is the number of a stored picture
    values: Values | None = None  # what was trained on, where that is known
    has_lengths: bool = False  # of the sequences trained on not all steps counted
    feature_names: tuple[str, ...] = ()  # of the columns of a table, where its owner said them

    @property
    def layout(self) -> str:
        """How an example is laid out: 'flat', 'steps', 'maps' or 'one-hot'."""
        return 'one-hot' if self.one_hot else {1: 'flat', 2: 'steps'}.get(len(self.shape), 'maps')

    @property
    def sides(self) -> tuple[int, ...]:
        """Height, width and any channels of pictures and maps; () of what is neither."""
        return self.picture or (self.shape if self.layout == 'maps' else ())

    @property
    def is_drawn(self) -> bool:
        """Whether its numbers are greys or colours, of which one range holds for all.

        Of sequences those whose steps are pictures; a series may be of anything.
        """
        return bool(self.frame or (self.picture and self.layout != 'steps'))

    @property
    def in_unit(self) -> bool:
        """Whether what was trained on is in [0, 1], or not known: greys from black to white."""
        return self.values is None or self.values.in_unit

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
    if spec.has_lengths:
        made['has_lengths'] = True
    if spec.feature_names:
        made['feature_names'] = list(spec.feature_names)
    if spec.values:
        columns = [list(column) for column in spec.values.columns]
        made['values'] = spec.values._asdict() | {'columns': columns}
    return made


def from_json(found: Mapping[str, Any]) -> Spec:
    """Returns what `as_json` wrote; raises KeyError, TypeError or ValueError for anything else."""
    shape, picture, frame = (size(name, found.get(name, [])) for name in _SIZES)
    classes, columns = (
        _names(name, given)
        for name, given in (
            ('classes', found['classes']),
            ('feature_names', found.get('feature_names', [])),
        )
    )
    if not shape:
        raise ValueError('no shape')
    if picture and (len(picture) not in (2, 3) or (*picture, 1)[2] not in _CHANNELS):
        raise ValueError(f'picture={list(picture)} is not height, width, and 1 or 3 channels')
    values = _values(found['values']) if 'values' in found else None
    made = Spec(shape, classes, picture, frame, values=values, feature_names=columns)
    return made._replace(has_lengths=found.get('has_lengths') is True)


def _names(what: str, found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError(f'{what} that are no names')
    longest = max(map(len, found), default=0)
    if longest > _LONGEST or len(found) * max(1, longest) > _LETTERS:
        raise ValueError(f'{what} that are too long, or too many')
    return tuple(found)


def size(name: str, found: Any) -> tuple[int, ...]:
    """Returns the sides that a configuration says; raises ValueError for what are none."""
    if not isinstance(found, list) or len(found) > _AXES:
        raise ValueError(f'{name} is no list of at most {_AXES} sides')
    if not all(type(side) is int and 0 < side <= _MOST for side in found):
        raise ValueError(f'a side of {name} is no whole number from 1 to {_MOST:,}')
    if math.prod(found) > _MOST:
        raise ValueError(f'{name}={found} has more than {_MOST:,} numbers')
    return tuple(found)


def _values(found: Mapping[str, Any]) -> Values:
    columns = tuple((float(least), float(most)) for least, most in found['columns'])
    least, most, is_bytes = float(found['least']), float(found['most']), found['is_bytes'] is True
    # Of an earlier run, where it is not known, by its range alone.
    ends_whole = least >= 0 and 127.5 < most <= 255 and least % 1 == most % 1 == 0
    is_whole = bool(found.get('is_whole', ends_whole and not is_bytes and not columns))
    made = Values(least, most, is_bytes, columns, is_whole)
    ranges = (made.least, made.most), *columns
    if not all(math.isfinite(least) and math.isfinite(most) for least, most in ranges):
        raise ValueError('a range that is none')
    if not all(least <= most for least, most in ranges):
        raise ValueError('a range whose least value is above its greatest')
    return made
