"""The names of a table's columns, which say in what order its numbers stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from system.errors import DataError


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
    had, wanted = ([*map(str, names or ())] for names in (found, known))
    if not had or not wanted or had == wanted:
        return
    for column, count in Counter(had).items():
        if count > wanted.count(column) > 0:
            raise DataError(f'{what}: column {column!r} is there {count} times; leave out others')
    others = [(c, 'lacks') for c in wanted if c not in had]
    others += [(c, 'has, and the run was not trained on,') for c in had if c not in wanted]
    if others:
        column, verb = others[0]
        more = f' and {len(others) - 1} more differ' if len(others) > 1 else ''
        raise DataError(f'{what} {verb} column {column!r}{more}; {remedy}')
    raise DataError(f'{what} has its columns in another order than was trained on; {remedy}')


def checked_names(names: np.ndarray | None, columns: int, where: str = '') -> tuple[str, ...]:
    """Returns the names of so many columns, of none (); raises DataError for what are none."""
    if names is None:
        return ()
    if names.dtype.kind == 'S':
        names = np.char.decode(names, 'utf-8', 'backslashreplace')
    if names.dtype.kind not in 'Uiu' or names.shape != (columns,):
        raise DataError(
            f'{where}feature_names must be [{columns}], a name for each column of x; it is '
            f'{list(names.shape)} of {names.dtype}'
        )
    return tuple(map(str, names.tolist()))
