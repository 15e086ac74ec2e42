"""The names of a table's columns, which say in what order its numbers stand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from system.errors import DataError
from system.lines import say

_MOST = 1 << 16  # names, and
_LETTERS = 1 << 22  # of them together, that are kept


def columns_of(x: Any) -> list[Any] | None:
    """Returns the names of a table's columns, None of what has none."""
    columns = getattr(x, 'columns', None)
    return None if columns is None else list(columns)


def check_columns(
    what: str, found: Sequence[Any] | None, known: Sequence[Any] | None, remedy: str
) -> None:
    """Raises DataError where a table has other columns than those `known`, or in another order.

    Nothing is known of a table without names. What is wrong begins with `what` it is of, and ends
    with the remedy.
    """
    if not found or not known or list(found) == list(known):
        return
    if len({all(isinstance(name, str) for name in names) for names in (found, known)}) > 1:
        return  # numbers, as pandas gives where nobody named the columns, beside names
    had, wanted = Counter(found), Counter(known)
    extra, missing = had - wanted, wanted - had
    for column in extra:
        if wanted[column]:
            raise DataError(f'{what}: column {column!r} is there {had[column]} times')
    differ = len(extra) + len(missing)
    more = f' and {differ - 1} more differ' if differ > 1 else ''
    for verb, columns in (('lacks', missing), ('has, and the run was not trained on,', extra)):
        for column in columns:
            raise DataError(f'{what} {verb} column {column!r}{more}; {remedy}')
    raise DataError(f'{what} has its columns in another order than was trained on; {remedy}')


def checked_names(
    names: np.ndarray | None, shape: Sequence[int], where: str = ''
) -> tuple[str, ...]:
    """Returns the names of the columns of examples of a shape, () where there are none.

    There is one for each number of the last axis, or of an example. Raises DataError for others.
    """
    if names is None or not names.size:
        return ()
    if names.dtype.kind == 'S':
        names = np.char.decode(names, 'utf-8', 'backslashreplace')
    counts = dict.fromkeys((shape[-1], math.prod(shape)))
    if names.dtype.kind not in 'Uiu' or names.shape not in [(count,) for count in counts]:
        allowed = ' or '.join(f'[{count}]' for count in counts)
        raise DataError(
            f'{where}feature_names must be {allowed}, a name for each column of x; it is '
            f'{list(names.shape)} of {names.dtype}'
        )
    if len(names) > _MOST or np.char.str_len(names.astype(str)).sum() > _LETTERS:
        say(f'{where}feature_names: are not kept, for they are too many, or too long')
        return ()
    return tuple(map(str, names.tolist()))
