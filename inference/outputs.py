"""What a run makes of data, in the order of their source: arrays to compute, files to write."""

from __future__ import annotations

import codecs
import csv
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from inputs.rows import Dataset, Rows
from system import disk, maps
from system.errors import UsageError
from system.progress import Bar

_HELD = 1 << 30  # bytes of an array above which it is on disk until it is written
_AS_NAMES = 'as-names'  # how what is no UTF-8 is written
_WIDE = 16_384  # columns of a CSV at most, as spreadsheets and pandas can still do with

Compute = Callable[[Rows], Iterator[dict[str, np.ndarray]]]


class Table(NamedTuple):
    """The examples of a data set in the order of their source.

    That is the order of a file, whatever split each row belongs to; a data set whose splits are of
    several files, as those of MNIST for training and for test, has one file after the other.
    """

    splits: dict[str, Rows]
    targets: dict[str, np.ndarray]  # the row of the table that each row of a split is
    columns: dict[str, np.ndarray]  # index, split, file and label, as far as they are known

    def __len__(self) -> int:
        return len(self.columns['index'])


def table_of(data: Dataset) -> Table:
    """Puts a data set's examples in the order of their source."""
    splits = data.shown
    places = np.concatenate([rows.places for rows in splits.values()])
    counts = [len(rows) for rows in splits.values()]
    numbers = np.repeat(np.arange(len(splits)), counts)
    order = np.lexsort((places, np.repeat(_files_of([*splits.values()]), counts)))
    columns = {'index': places[order]}
    files = [rows.files for rows in splits.values()]
    if all(part is not None for part in files):
        columns['file'] = np.concatenate([part for part in files if part is not None])[order]
    columns['split'] = np.array(list(splits))[numbers[order]]
    if data.spec.classes:
        names = [rows.named(data.spec.classes) for rows in splits.values()]
        columns['label'] = np.concatenate(names)[order]
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    ends = np.cumsum([len(rows) for rows in splits.values()])[:-1]
    targets = dict(zip(splits, np.split(ranks, ends), strict=True))
    return Table(splits, targets, columns)


def _files_of(splits: list[Rows]) -> list[int]:
    """Returns the number of each split's file: those with no place in common may be of one."""
    files: list[np.ndarray] = []
    numbers = []
    for rows in splits:
        free = (n for n, taken in enumerate(files) if not np.isin(rows.places, taken).any())
        number = next(free, len(files))
        if number == len(files):
            files.append(rows.places)
        else:
            files[number] = np.concatenate([files[number], rows.places])
        numbers.append(number)
    return numbers


@contextmanager
def gathered(
    table: Table, compute: Compute, beside: Path, check: Callable[[], None], what: str
) -> Iterator[dict[str, np.ndarray]]:
    """Yields what is computed of the table's rows, a batch at a time: arrays by name, [N, ...].

    Large ones are in files in the folder `beside`, for as long as the context lasts. `check` is
    called before each batch, and may raise to stop.
    """
    made: dict[str, np.ndarray] = {}
    with (
        tempfile.TemporaryDirectory(prefix='.computed-', suffix='.writing', dir=beside) as aside,
        Bar(what, len(table), 'example') as bar,
    ):
        for split, rows in table.splits.items():
            start = stop = 0
            for batch in compute(rows):
                check()
                for name, values in batch.items():
                    if name not in made:
                        file = Path(aside, f'{len(made)}.npy')
                        made[name] = _empty((len(table), *values.shape[1:]), values.dtype, file)
                    stop = start + len(values)
                    made[name][table.targets[split][start:stop]] = values
                bar.advance(stop - start)
                start = stop
        yield made


def _empty(shape: tuple[int, ...], dtype: Any, file: Path) -> np.ndarray:
    """Returns an array to be filled: in memory, or on disk where it is large."""
    size = np.dtype(dtype).itemsize * int(np.prod(shape, dtype=np.int64))
    if size <= _HELD:
        return np.empty(shape, dtype)
    return maps.made(file, shape, dtype, f'what is made of {shape[0]:,} examples', 'make room')


def write_npz(file: Path, arrays: Mapping[str, Any]) -> Path:
    """Writes arrays to an `.npz` file, whole or not at all; returns the file."""
    with disk.whole(file, 'wb') as opened, zipfile.ZipFile(opened, 'w') as packed:
        for name, values in arrays.items():  # `savez` takes none that is called 'file'
            with packed.open(f'{name}.npy', 'w', force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(values), allow_pickle=False)
    return file


def check_width(count: int) -> None:
    """Raises UsageError where a CSV of so many columns of numbers is too wide to be of use."""
    if count > _WIDE:
        raise UsageError(f'--format=csv: {count:,} columns are too many; use --format=npz')


def write_csv(
    file: Path, columns: Mapping[str, np.ndarray], numbers: Mapping[str, np.ndarray]
) -> Path:
    """Writes a CSV, whole or not at all; returns the file.

    `columns` are [N] each; of `numbers`, [N] or [N, ...], each number of an example has a column
    `name` or `name0`, `name1`, ... Raises UsageError where that is too wide to be of use.
    """
    wide = {name: values.reshape(len(values), -1) for name, values in numbers.items()}
    count = sum(values.shape[1] for values in wide.values())
    check_width(count)
    with _csv(file) as writer:
        header = list(columns)
        for name, values in wide.items():
            one = numbers[name].ndim == 1
            header += [name] if one else [f'{name}{k}' for k in range(values.shape[1])]
        writer.writerow(header)
        for row in range(len(next(iter(columns.values())))):
            writer.writerow(
                [str(values[row]) for values in columns.values()]
                + [f'{number:.9g}' for values in wide.values() for number in values[row]]
            )
    return file


@contextmanager
def _csv(file: Path) -> Iterator[Any]:
    options = {'newline': '', 'encoding': 'utf-8', 'errors': _AS_NAMES}
    with disk.whole(file, **options) as opened:
        yield csv.writer(opened)


def _as_names(error: UnicodeError) -> tuple[str | bytes, int]:
    """Writes a byte of a name as that byte, and what no name of a file holds as an escape."""
    assert isinstance(error, UnicodeEncodeError)
    error.end = error.start + 1
    try:
        return codecs.lookup_error('surrogateescape')(error)
    except UnicodeEncodeError:
        return codecs.backslashreplace_errors(error)


codecs.register_error(_AS_NAMES, _as_names)


def unlike(names: Iterable[str], others: Iterable[str], word: str) -> list[str]:
    """Returns names for columns: those that others have already, with a word before them."""
    names, taken = [*names], {*others}
    made: list[str] = []
    for own in names:
        name = own
        while name in taken or (name != own and name in names):
            name = f'{word} {name}'
        made.append(name)
    return made
