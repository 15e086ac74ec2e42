"""Labels as people have them, made class numbers: names, numbers, bytes, booleans, one-hot rows.

What can be read in one way only is read so; all else is one line that says what to do about it.
Examples may be without a label: NaN among numbers, None among objects, an empty name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from inputs.shards import UNLABELLED
from system.errors import DataError
from system.lines import say

_DOUBTFUL = ('nan', 'none', 'null', 'na', 'n/a', '<na>', 'nat')  # names that may mean no label
MOST = 10_000  # different labels
AS_NAMES = "pandas.Series(y).fillna('').to_numpy(str)"  # what is no label has an empty name
_EXACT = 2.0**53  # below it, a float holds every whole number


class Labels(NamedTuple):
    """The class of every example, and what the classes are called."""

    y: np.ndarray  # [N] int64, UNLABELLED where there is none
    classes: tuple[str, ...]


def check_classes(what: str, classes: Sequence[str]) -> None:
    """Raises DataError, which begins with `what`, for classes that no classifier can learn."""
    if not classes:
        raise DataError(
            f'{what}: a classifier needs labels, and this data set has none (folders by class, '
            'or y in the .npz file)'
        )
    if len(classes) < 2:
        raise DataError(f'{what}: all is of class {classes[0]!r}; a classifier needs two')


def numbered(raw: np.ndarray, rows: int, what: str = 'y') -> Labels:
    """Returns the labels of so many examples, the classes in the order of their values.

    Whole numbers (floats too), names, UTF-8 bytes and booleans are [N] or [N, 1], one-hot rows are
    [N, K], whose classes are called by the number of their column. Raises DataError, which begins
    with `what`, for anything else. Where no example has a label there are no classes.
    """
    column = _column(raw, rows, what)
    known, y = np.flatnonzero(~is_missing(column)), np.full(rows, UNLABELLED, np.int64)
    if not len(known):
        return Labels(y, ())
    labels = _PLAIN.get(column.dtype.kind, _unreadable)(column[known], what, known)
    values, numbers = np.unique(labels, return_inverse=True)
    for number, name in enumerate(map(str, values)):
        if _is_doubtful(name, values):
            instead = 'NaN' if values.dtype.kind == 'i' else "''"
            say(
                f'warning: {what}: {name!r} is taken for a class, of {(numbers == number).sum()} '
                f'rows; if that is no label, write {instead} in its place'
            )
    if len(values) > MOST:
        raise DataError(f'{what} has {len(values)} different labels; at most {MOST} are allowed')
    y[known] = numbers
    return Labels(y, tuple(map(str, values)))


def as_given(labels: Any) -> np.ndarray:
    """Returns labels as an array: what a list holds stays what it is, what a mask hides is None."""
    if isinstance(labels, np.ma.MaskedArray):
        labels = labels.tolist()
    if isinstance(labels, list | tuple):
        labels = plain(np.array(labels, object))
    return np.asarray(labels)


def plain(raw: np.ndarray) -> np.ndarray:
    """Returns labels that may be Python objects as the names or numbers that they are."""
    if raw.dtype.kind not in 'OT':
        return raw
    missing = is_missing(raw.reshape(-1))
    items = raw.reshape(-1)[~missing].tolist()
    try:
        made = np.asarray(items)
    except ValueError:  # lists of unequal lengths
        return raw
    if len({*map(_kind, items)}) > 1 or made.dtype.kind == 'O':
        return raw  # which is refused elsewhere
    if not missing.any():
        return made.reshape(raw.shape)
    if made.dtype.kind in 'iuf' and np.abs(made.astype(float)).max(initial=0) < _EXACT:
        numbers = np.full(raw.size, np.nan)
        numbers[~missing] = made
        return numbers.reshape(raw.shape)
    names = np.char.decode(made, 'utf-8') if made.dtype.kind == 'S' else made.astype(str)
    filled = np.zeros(raw.size, names.dtype)  # empty names
    filled[~missing] = names
    return filled.reshape(raw.shape)


def is_missing(values: np.ndarray) -> np.ndarray:
    """Returns which of [N] values are no label: NaN, None, or an empty name."""
    if values.dtype.kind == 'f':
        return np.isnan(values)
    if values.dtype.kind in 'SU':
        return np.char.str_len(np.char.strip(values)) == 0
    if values.dtype.kind in 'OT':
        return np.array([_is_none(value) for value in values.tolist()], bool)
    return np.zeros(len(values), bool)


def _is_none(value: object) -> bool:
    if isinstance(value, str | bytes):
        return not value.strip()
    is_float = isinstance(value, float | np.floating)
    return value is None or type(value).__name__ == 'NAType' or (is_float and value != value)


def _kind(value: object) -> str:
    """Returns which of _OBJECTS it is, '' for none."""
    return next((kind for kind, types in _OBJECTS.items() if isinstance(value, types)), '')


def _is_doubtful(name: str, values: np.ndarray) -> bool:
    """Whether one of the classes may mean that there is no label, as -1 beside 0, 1, ... may."""
    if len(values) < 2:
        return False
    if values.dtype.kind == 'i':
        return name == '-1' and values[0] == -1 and len(values) > 2
    return name.strip().lower() in _DOUBTFUL


def _column(raw: np.ndarray, rows: int, what: str) -> np.ndarray:
    """Returns one label an example, [N]: of one-hot rows, the column of their one."""
    if raw.ndim and len(raw) == rows and raw.size == rows:
        return raw.reshape(rows)
    if raw.ndim != 2 or len(raw) != rows:
        remedy = f'; save y.reshape({rows})' if raw.size == rows else ''
        raise DataError(f'{what} must be [{rows}] like x, it is {list(raw.shape)}{remedy}')
    if raw.dtype.kind not in 'biuf':
        raise DataError(
            f'{what} must be [{rows}] like x, or one-hot rows of numbers; it is {list(raw.shape)} '
            f'of {raw.dtype}: save one label an example'
        )
    one_hot = np.isin(raw, (0, 1)).all(axis=1) & ((raw == 1).sum(axis=1) == 1)
    if not one_hot.all():
        row = int(np.argmin(one_hot))
        shown = ' '.join(f'{value:g}' for value in raw[row, :6].astype(float))
        more = ' ...' if raw.shape[1] > 6 else ''
        has_none = not np.nan_to_num(raw[row].astype(float)).any()
        label = 'NaN where there is none' if has_none else 'such as y.argmax(axis=1)'
        raise DataError(
            f'{what} is {list(raw.shape)} and not one-hot: row {row} is [{shown}{more}], not one 1 '
            f'and else 0; save one label an example, {label}'
        )
    return raw.argmax(axis=1)


def _whole(values: np.ndarray, what: str, places: np.ndarray) -> np.ndarray:
    """Returns floats that are whole numbers as such."""
    lost = np.flatnonzero(~np.isfinite(values))
    if len(lost):
        raise DataError(
            f'{what} has infinity in {len(lost)} rows, first in row {places[lost[0]]}; write NaN '
            'where there is no label'
        )
    bad = np.flatnonzero((values != np.rint(values)) | (np.abs(values) >= _EXACT))
    if len(bad):
        raise DataError(
            f'{what} must hold whole numbers or names, row {places[bad[0]]} has '
            f'{values[bad[0]]:g}; save classes, such as np.digitize(y, edges), or leave y out'
        )
    return values.astype(np.int64)


def _decoded(values: np.ndarray, what: str, places: np.ndarray) -> np.ndarray:
    """Returns bytes as the names they are in UTF-8."""
    try:
        return np.char.decode(values, 'utf-8')
    except UnicodeDecodeError as error:
        raise DataError(
            f'{what} holds bytes that are not UTF-8, as {error.object[:40]!r}; save '
            "np.char.decode(y, 'latin-1'), or whatever they are in"
        ) from None


def _of_objects(values: np.ndarray, what: str, places: np.ndarray) -> np.ndarray:
    """Returns Python objects as names or numbers, where all are of one of these kinds."""
    items = values.tolist()
    kinds = [*map(_kind, items)]
    other = next((row for row, kind in enumerate(kinds) if not kind or kind != kinds[0]), None)
    made = np.asarray(items) if other is None else values
    if made.dtype.kind not in _PLAIN or made.dtype.kind == 'O':
        row = other or 0
        raise DataError(
            f'{what} holds objects that are neither all names nor all numbers, as {items[row]!r} '
            f'in row {places[row]}; save y={AS_NAMES}'
        )
    return _PLAIN[made.dtype.kind](made, what, places)


def _as_they_are(values: np.ndarray, what: str, places: np.ndarray) -> np.ndarray:
    return values


def _unreadable(values: np.ndarray, what: str, places: np.ndarray) -> np.ndarray:
    raise DataError(
        f'{what} must hold whole numbers or names, it holds {values.dtype}; save y={AS_NAMES}'
    )


_OBJECTS: dict[str, tuple[type, ...]] = {
    'name': (str,),
    'bytes': (bytes,),
    'truth': (bool, np.bool_),
    'number': (int, float, np.integer, np.floating),
}
_Reader = Callable[[np.ndarray, str, np.ndarray], np.ndarray]  # of values, what, and their rows
_PLAIN: dict[str, _Reader] = {  # by the kind of a NumPy type
    **dict.fromkeys('biuU', _as_they_are),
    'f': _whole,
    'S': _decoded,
    **dict.fromkeys('OT', _of_objects),
}
