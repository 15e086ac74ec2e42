"""Data sets of a user's own: a function that reads one is named by the decorator `reader`.

Its name is then a value of `dataset`. What it returns is looked at before anything is recorded, for
it was written elsewhere.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import linecache
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from inputs import sources
from inputs.columns import checked_names
from inputs.foreign import Examples
from inputs.shards import UNLABELLED
from inputs.sources import Request, Source
from parameters import DATASETS
from system.errors import DataError, UsageError, UserError, place_in

__all__ = ['Examples', 'Reader', 'Request', 'Source', 'reader', 'split']

Reader = Callable[[Request], Source]

OWN: dict[str, str] = {}  # each such data set -> 8 hexadecimal digits of what reads it
_SPLITS = ('train', 'validation', 'test')


def reader(function: Reader) -> Reader:
    """Names a data set after the function that reads it, as a decorator.

    Raises UsageError where there is a data set of that name.
    """
    name = function.__name__
    if name in DATASETS:
        raise UsageError(f'{name}: there is a data set of that name; name the function otherwise')
    linecache.checkcache()  # so that it is the text as it is now
    OWN[name] = hashlib.sha256(_text(function).encode()).hexdigest()[:8]
    DATASETS.append(name)
    sources.SOURCES[name] = functools.partial(_read, function)
    return function


def _text(function: Reader) -> str:
    """Returns a function's text, and that of the functions and constants of its file it goes by."""
    text, name = inspect.getsource(function), function.__name__
    whole = ''.join(linecache.getlines(inspect.unwrap(function).__code__.co_filename))
    there: dict[str, list[ast.stmt]] = {}
    for node in _at_the_top(ast.parse(whole).body):
        for made in _named(node):
            there.setdefault(made, []).append(node)
    found, due = {name: text}, [*ast.parse(textwrap.dedent(text)).body]
    while due:
        used = {node.id for node in ast.walk(due.pop()) if isinstance(node, ast.Name)}
        for other in sorted(used & there.keys() - found.keys()):
            found[other] = ''.join(ast.get_source_segment(whole, n) or '' for n in there[other])
            due += there[other]
    return text + ''.join(found[other] for other in sorted(found.keys() - {name}))


def _at_the_top(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yields the statements of a file that are in no function or class, those under an if too."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from _at_the_top(
                [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.stmt)]
            )


def _named(node: ast.stmt) -> list[str]:
    """Returns the names that a statement at the top of a file gives to what it makes."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return []
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    inner = (part for target in targets for part in ast.walk(target))
    return [part.id for part in inner if isinstance(part, ast.Name)]


def forget() -> None:
    """Takes back the names of all such data sets."""
    for name in OWN:
        DATASETS.remove(name)
        del sources.SOURCES[name]
    OWN.clear()


def key_of(name: str) -> str:
    """Returns the name of a data set's records: of a user's own with a hash of what reads it."""
    return f'{name}-{OWN[name]}' if name in OWN else name


def split(examples: Examples, shares: Sequence[float] = (0.8, 0.1, 0.1)) -> dict[str, Examples]:
    """Returns train, validation and test in these shares of each class, shuffled once and for all.

    A share of zero leaves that split out. Raises UsageError for what are no shares of a whole.
    """
    if len(shares) != 3 or min(shares) < 0 or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        raise UsageError(f'shares={shares}: must be three numbers from 0 on that add up to 1')
    train, validation, test = shares
    if examples.split is not None:  # their owner says it
        return sources._told(examples, 'split of the examples')
    made = sources._split(examples, (train, validation, test))
    return {name: rows for name, rows in made.items() if len(rows.x)}


def _read(function: Reader, asked: Request) -> Source:
    """Calls a user's reader; raises DataError, which names its line, for whatever it raises."""
    code, name = inspect.unwrap(function).__code__, function.__name__
    try:
        found = function(asked)
    except (UserError, MemoryError):
        raise
    except Exception as error:
        where = place_in(code.co_filename, error)
        raise DataError(f'{where}: {name} raised {type(error).__name__}: {error}') from None
    try:
        return _checked(found)
    except DataError as error:
        line = f'{code.co_filename}:{code.co_firstlineno}'
        raise DataError(f'{line}: {name} must return a Source; {error}') from None


def _checked(found: Any) -> Source:
    """Returns the source with arrays as they are recorded; raises DataError for what cannot be."""
    if not isinstance(found, Source):
        raise DataError(f'it returned {type(found).__name__}')
    classes = tuple(map(str, found.classes))
    if not all(name.strip() for name in classes):
        raise DataError('its classes must have names; an example without a label is -1 in y')
    given: Any = found.splits
    if not isinstance(given, dict) or not {'train'} <= given.keys() <= {*_SPLITS}:
        raise DataError(f'its splits must be a dict of {", ".join(_SPLITS)}, or train alone')
    splits = {name: _rows(name, rows, classes) for name, rows in given.items()}
    if len({rows.names for rows in splits.values()}) > 1:
        raise DataError('its splits have columns of different names, or in another order')
    forms = {(rows.x.shape[1:], str(rows.x.dtype)) for rows in splits.values()}
    if len(forms) > 1 or len({rows.length is None for rows in splits.values()}) > 1:
        raise DataError(f'its splits hold examples of different kinds: {sorted(forms)}')
    return Source(str(found.origin), splits, classes, is_mixed=False)


def _rows(split: str, rows: Any, classes: tuple[str, ...]) -> Examples:
    if not isinstance(rows, Examples):
        raise DataError(f'{split} is {type(rows).__name__}, not Examples(x, y)')
    if rows.split is not None:
        raise DataError(f'{split} has a split of its own, which split(...) must be given to heed')
    x = np.asarray(rows.x)
    y, length = (None if part is None else np.asarray(part) for part in (rows.y, rows.length))
    if not 2 <= x.ndim <= 5 or not x.size:
        raise DataError(f'x of {split} must be [examples, features...], it is {list(x.shape)}')
    if x.dtype != np.uint8:
        if not (np.issubdtype(x.dtype, np.number) and np.isrealobj(x)):
            raise DataError(f'x of {split} must hold bytes or real numbers, it holds {x.dtype}')
        x = x.astype(np.float32)
        bad = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))
        if len(bad):
            raise DataError(f'x of {split} has NaN or infinity, first in row {bad[0]}')
    if (y is None) != (not classes):
        raise DataError(
            f'{split} has y where there are classes, names of its numbers, and not else'
        )
    if y is not None:
        none = f' ({UNLABELLED}: no label)'
        _check_whole(f'y of {split}', y, len(x), UNLABELLED, len(classes) - 1, none)
    if length is not None:
        if x.ndim < 3:
            raise DataError(f'length of {split} needs x of [N, steps, features]')
        _check_whole(f'length of {split}', length, len(x), 1, x.shape[1])
    y, length = (part if part is None else part.astype(np.int64) for part in (y, length))
    names = checked_names(np.asarray(rows.names or ()), x.shape[1:], f'{split}: ')
    return Examples(x, y, length, rows.place, names=names)


def _check_whole(
    what: str, values: np.ndarray, count: int, least: int, most: int, note: str = ''
) -> None:
    whole = np.issubdtype(values.dtype, np.integer) and values.shape == (count,)
    if not whole or values.min() < least or values.max() > most:
        raise DataError(
            f'{what} must be [{count}] like x, whole numbers from {least} to {most}{note}'
        )
