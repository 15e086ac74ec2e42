"""Readers of bytes from outside: IDX files and arrays, refused where they are damaged or too large.

Nothing is unpickled, and no more memory is taken than a file of that kind may need.
"""

from __future__ import annotations

import gzip
import math
import os
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from inputs.columns import checked_names
from inputs.labels import AS_NAMES
from system import disk
from system.errors import DataError, UsageError, UserError
from system.lines import say

_DAMAGE = 'damage'
_HEADER = 10_000  # bytes, at most, of an array's header
_STEPS = 16  # values of a column that float32 must keep apart, where there are as many
_BESIDE = 6  # bytes that a number takes beside itself: as float32, and in two masks
_ALL_BUT = 0.8  # of the memory, that arrays may take while they are read
_SEEN = 20_000  # rows, or not twice as many, that are looked at for it
_NOISE = 1e-12  # of its size, by which a column may vary that is constant but for rounding
_ALIASES = {  # what others call it, in lower case: one that is there without ours was meant
    'x': ('x', 'x_train', 'data', 'images', 'features'),
    'y': ('y', 'y_train', 'label', 'labels', 'target', 'targets'),
    'length': (
        'length',
        'lengths',
        'lens',
        'n_steps',
        'seq_len',
        'seq_lens',
        'seq_lengths',
        'sequence_length',
        'sequence_lengths',
    ),
    'split': ('split', 'splits', 'fold', 'folds', 'partition', 'partitions', 'subset', 'subsets'),
}
_HEADERS = {  # how an array begins -> what reads its shape, order and type
    b'\x93NUMPY\x01\x00': np.lib.format.read_array_header_1_0,
    b'\x93NUMPY\x02\x00': np.lib.format.read_array_header_2_0,
}
_NAMES = 'feature_names'  # of the columns of a table
_OURS = ('index', 'file', 'labels', 'classes', 'run', 'data')  # beside what --mode=... computed
_LISTED = 10  # names of arrays
_SAID: set[tuple[str, ...]] = set()
_PLAIN = {  # of arrays of objects
    'y': AS_NAMES,
    'split': 'np.asarray(split, dtype=str)',
    'length': 'np.asarray(length, dtype=int)',
    'feature_names': 'np.asarray(feature_names, dtype=str)',
    'x': "np.array(np.asarray(x).tolist(), 'float64')",
}
_NUMBERS = {  # of arrays that hold no real numbers, by the kind of their NumPy type
    **dict.fromkeys('mM', "x.astype('int64')"),
    **dict.fromkeys('US', "x.astype('float64')"),
    'O': "x.astype('float64')",
    'V': 'numpy.lib.recfunctions.structured_to_unstructured(x)',
    'c': 'np.concatenate([x.real, x.imag], axis=-1)',
}


class Examples(NamedTuple):
    """Rows with their labels: x [N, ...] uint8 or float32, y [N] int64 or None.

    `length` [N] int64 says how many steps of each sequence count, where that is not all; `place`
    [N] int64 which row of the source each of them is, where they are not all of it in its order.
    """

    x: np.ndarray
    y: np.ndarray | None
    length: np.ndarray | None = None
    place: np.ndarray | None = None
    split: np.ndarray | None = None  # the name of each one's split, where their owner says it
    names: tuple[str, ...] = ()  # of the columns, where their owner says them

    @property
    def places(self) -> np.ndarray:
        """Which row of the source each of them is, [N]."""
        return np.arange(len(self.x)) if self.place is None else self.place

    def take(self, rows: np.ndarray | slice) -> Examples:
        """Returns the chosen rows."""
        y, length, split = (
            None if part is None else part[rows] for part in (self.y, self.length, self.split)
        )
        return Examples(self.x[rows], y, length, self.places[rows], split, self.names)


def arrays(path: str, needed: str, *others: str) -> dict[str, np.ndarray]:
    """Reads an array of an `.npz` file, and `others` where there are any, never unpickling.

    Raises DataError where it is damaged, would take too much memory, does not have it, or has it or
    another under a name that is not read.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if isinstance(file, np.lib.npyio.NpzFile):
                assert file.zip is not None  # before it is closed
                taken = _check_headers(file.zip)
                read = (name for name in taken if name.removesuffix('.npy') in (needed, *others))
                check_memory(path, sum(map(taken.__getitem__, read)), _ALL_BUT)
                _check_names(path, file.zip)
            held = list(getattr(file, 'files', ()))
            if {'data', 'shape', 'format'} <= {*held}:
                raise DataError(
                    f'{path}: is a sparse matrix m, as scipy.sparse.load_npz reads it; '
                    f'np.savez(file, {needed}=m.toarray())'
                )
            if needed not in held:
                value = _meant(needed, held) or '...'
                raise DataError(
                    f'{path}: needs an array named {needed} (np.savez(file, {needed}={value})), '
                    f'has {", ".join(held) or "no named array"}'
                )
            for name in others:
                meant = _meant(name, held)
                if name not in held and meant:  # which would be passed over in silence
                    raise DataError(
                        f'{path}: has {", ".join(held)}, of which {meant} is not read; save it as '
                        f'{name} (np.savez(file, {needed}={needed}, {name}={meant})), or leave '
                        'it out'
                    )
            return {name: _plain(file, name, path) for name in (needed, *others) if name in held}
    except UserError:
        raise
    except Exception as error:  # a damaged file can raise anything in any of its readers
        if isinstance(error, MemoryError) and _unlike(path) == _DAMAGE:
            raise  # for what an array claims is in the file, as was looked at
        kind = 'pickled objects, which are not read' if _is_pickled(error) else _unlike(path)
        raise DataError(f'{path}: not an .npz of plain arrays ({kind})') from None


def _check_names(path: str, archive: zipfile.ZipFile) -> None:
    """Raises DataError where two arrays have one name, so that either could be read."""
    counts = Counter(name.removesuffix('.npy') for name in archive.namelist())
    for name, count in counts.items():
        if count > 1:
            raise DataError(f'{path}: has {count} arrays named {name}; save it with one')


def _unlike(path: str) -> str:
    """Says what a file is that is no `.npz`, or a damaged one."""
    try:
        with open(path, 'rb') as file:
            first = file.read(6)
    except OSError as error:
        return error.strerror or 'unreadable'
    if not first:
        return 'it is empty'
    if first == b'\x93NUMPY':
        return 'one array without a name, a .npy; np.savez(file, x=np.load(...)) names it'
    if first.startswith(b'\x1f\x8b') or path.lower().endswith(('.csv', '.tsv', '.txt', '.xlsx')):
        return 'a table or a packed file; docs/own-table.md says how a table becomes an .npz'
    if not first.startswith(b'PK'):
        return f'it begins with {first!r}; np.savez(file, x=x) makes one'
    return _DAMAGE


def _plain(file: np.lib.npyio.NpzFile, name: str, path: str) -> np.ndarray:
    """Returns an array of the file; raises DataError where it would have to be unpickled."""
    try:
        array = file[name]
        if not isinstance(array, np.ndarray):  # but the bytes of any other file in it
            raise DataError(f'{path}: {name} is no array; np.savez(file, {name}={name}) makes one')
        if array.dtype.kind == 'U' and array.size and array.dtype.itemsize:
            codes = np.ascontiguousarray(array).view(f'{array.dtype.byteorder}u4')
            if codes.max() > sys.maxunicode:  # which Python raises for wherever it meets one
                raise DataError(f'{path}: {name} holds what are no characters; save it anew')
        return array
    except ValueError as error:
        if not _is_pickled(error):
            raise
        plain = _PLAIN.get(name, f"{name}.astype('float64')")
        raise DataError(
            f'{path}: {name} holds pickled objects, which are not read; save it as plain values, '
            f'np.savez(file, {name}={plain})'
            + (', and series of unequal lengths padded, with length' if name == 'x' else '')
        ) from None


def _is_pickled(error: Exception) -> bool:
    return 'Object arrays' in str(error) or 'pickled data' in str(error)


def _meant(wanted: str, held: Sequence[str]) -> str | None:
    """Returns the array that has another name for what is wanted, if there is one."""
    return next((name for name in held if name.lower() in _ALIASES.get(wanted, ())), None)


def check_file(path: str) -> None:
    """Raises UsageError where there is no file to be read as `.npz`, saying what is there."""
    if os.path.isdir(path):
        raise UsageError(f'--array={path}: is a folder; name an .npz file, or give --images=DIR')
    if os.path.lexists(path) and not os.path.isfile(path):
        raise UsageError(f'--array={path}: is no file that can be read')
    try:
        open(path, 'rb').close()
    except (OSError, ValueError) as error:  # of a name that holds a zero, too
        absent = isinstance(error, FileNotFoundError | NotADirectoryError | ValueError)
        reason = getattr(error, 'strerror', None)
        why = 'no such file' if absent else f'cannot be read ({reason})'
        raise UsageError(f'--array={path}: {why}') from None


def read_npz(path: str, *, labelled: bool = True, trains: bool = False) -> Examples:
    """Reads `x` and, where there are any, `length` and, where it is wanted, `y` of an `.npz` file.

    `y` is as it was saved, for `labels.numbered`. Raises UsageError where there is no such file,
    DataError where it does not hold what it must, or holds that under another name, or what cannot
    be trained on where it `trains`.
    """
    check_file(path)
    others = ('y', 'length', 'split', _NAMES) if labelled else ('length', _NAMES)
    found = arrays(path, 'x', *others)
    _say_unread(path)
    read = checked(found['x'], found.get('y'), found.get('length'), f'{path}: ', trains=trains)
    names = checked_names(found.get(_NAMES), read.x.shape[1:], f'{path}: ')
    return read._replace(split=found.get('split'), names=names)


def _say_unread(path: str) -> None:
    """Says which arrays of a file have a name that is never read, once of each file."""
    with np.load(path, allow_pickle=False) as file:
        unread = [name for name in file.files if name not in (*_ALIASES, _NAMES, *_OURS)]
    if unread and (path, *unread) not in _SAID:
        _SAID.add((path, *unread))
        read, more = ', '.join((*_ALIASES, _NAMES)), ', ...' * (len(unread) > _LISTED)
        first = ', '.join(unread[:_LISTED]) + more
        say(f'{path}: of its arrays not read: {first}; what is read is called {read}')


def checked(
    x: np.ndarray,
    y: np.ndarray | None,
    length: np.ndarray | None,
    where: str = '',
    *,
    trains: bool = False,
) -> Examples:
    """Returns arrays as examples: x [N, ...] uint8 or float32, `length` [N] whole numbers.

    Beyond its length a sequence is zero, whatever is there; [N, steps] with lengths is read as
    [N, steps, 1]. Raises DataError, which begins with `where`, for what is no number or not finite,
    and for what is trained on, where a column's values are the same as float32.
    """
    if x.dtype.kind not in 'biuf':
        kept = f'; save {_NUMBERS[x.dtype.kind]}' if x.dtype.kind in _NUMBERS else ''
        remedy = _not_a_number(x) or kept
        raise DataError(f'{where}x must hold real numbers, it holds {x.dtype}{remedy}')
    if length is not None and x.ndim == 2:  # a number a step
        x = x[..., None]
    if x.ndim < 2 or not x.size:
        remedy = ''
        if x.ndim == 1 and x.size:
            remedy = '; x[:, None] has one number an example, x[None] one example'
        elif x.ndim > 1:
            remedy = '; its examples have no features' if len(x) else '; it has no examples'
        raise DataError(f'{where}x must be [examples, features...], it is {list(x.shape)}{remedy}')
    raw = x
    if x.dtype != np.uint8:
        with np.errstate(over='ignore'):  # what becomes infinite is named below
            x = x.astype(np.float32)
    if length is not None:
        x, length = _counted(where, x, length)
    if x.dtype != np.uint8:
        _check_finite(where, x, raw)
    if trains:
        _check_apart(where, raw if length is None else raw[np.arange(x.shape[1]) < length[:, None]])
    return Examples(x, y, length)


def _not_a_number(x: np.ndarray) -> str:
    """Names the first of objects or texts that is no number, and says what to do about it."""
    if x.ndim == 0:
        given = x.item()
        if hasattr(given, 'toarray'):
            return '; of a sparse matrix, give x.toarray()'
        return '; of a file, give what is in it' if isinstance(given, str | bytes) else ''
    if x.dtype.kind not in 'OUS':
        return ''
    for place, value in np.ndenumerate(x):
        try:
            float(value)
        except (TypeError, ValueError, OverflowError):
            at = ', '.join(f'{name} {i}' for name, i in zip(('row', 'column'), place, strict=False))
            return (
                f', as {str(value)!r} in {at}; leave out what is no number, or put one in its place'
            )
    return ''


def _check_finite(where: str, x: np.ndarray, raw: np.ndarray) -> None:
    """Raises DataError where x, float32 of the values in `raw`, has a NaN or an infinity."""
    lost = ~np.isfinite(x)
    bad = np.flatnonzero(lost.reshape(len(x), -1).any(axis=1))
    if not len(bad):
        return
    columns = np.flatnonzero(lost.reshape(-1, x.shape[-1]).all(axis=0))
    given = raw.reshape(x.shape)[..., columns]
    if len(columns) and len(x) > 1 and not np.isfinite(given).any():  # as behind a trailing comma
        named = ', '.join(map(str, columns[:_LISTED]))
        raise DataError(f'{where}x has no number in any row of column {named}; leave it out')
    value = raw.reshape(x.shape)[bad[0]][lost[bad[0]]][0]
    if np.isfinite(value):
        raise DataError(f'{where}x has {value:g} in row {bad[0]}, more than float32 holds; scale x')
    raise DataError(
        f'{where}x has NaN or infinity in {len(bad)} rows, first in row {bad[0]}; leave these rows '
        'out, or fill them; of sequences that are padded so, save how many steps count, as length'
    )


def _check_apart(where: str, raw: np.ndarray) -> None:
    """Raises DataError where a column varies by less than float32 holds of values so large."""
    if raw.dtype.kind not in 'iuf' or raw.dtype.itemsize < 4 or raw.dtype == np.float32:
        return
    columns = raw.reshape(-1, raw.shape[-1])
    ends = columns.min(axis=0), columns.max(axis=0)
    least, most = (end.astype(np.float64) for end in ends)
    size, span = np.maximum(np.abs(least), np.abs(most)), most - least
    if raw.dtype.kind != 'f':  # of which float64 may hold too little
        span = np.array(
            [float(b - a) for a, b in zip(*(end.tolist() for end in ends), strict=True)]
        )
    noise = _NOISE if raw.dtype.kind == 'f' else 0.0  # whole numbers are not rounded
    some = columns[:: max(1, len(columns) // _SEEN)]
    had, kept = _distinct(some), _distinct(some.astype(np.float32))
    bad = np.flatnonzero((span > noise * size) & (kept < _STEPS) & (kept < had))
    if len(bad):
        column = bad[0]
        start, end = least[column], most[column]
        tiny = size[column] < np.finfo(np.float32).tiny
        mend = f'/= {size[column]:.3g}' if tiny else f'-= {start:.12g}'
        raise DataError(
            f'{where}x has values from {start:.12g} to {end:.12g} in column {column}, of which '
            f'float32 keeps only {kept[column]:,} apart; x[..., {column}] {mend} mends it (of one '
            f'number a step x {mend[:2]} ...), or leave it out'
        )


def _distinct(columns: np.ndarray) -> np.ndarray:
    """Returns how many different values each column has, [columns]."""
    found: np.ndarray = 1 + np.count_nonzero(np.diff(np.sort(columns, axis=0), axis=0), axis=0)
    return found


def _counted(where: str, x: np.ndarray, length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns sequences with zeros after the steps that count, whatever was there, and those steps.

    Raises DataError where `length` says what cannot be.
    """
    must = f'{where}length must be [{len(x)}] like x, whole numbers from 1 to the steps of x'
    if length.dtype.kind not in 'iuf' or length.shape != (len(x),):
        raise DataError(f'{must}; it is {list(length.shape)} of {length.dtype}')
    bad = np.flatnonzero(~((length >= 1) & (length <= x.shape[1]) & (length % 1 == 0)))
    if len(bad):
        raise DataError(
            f'{must}, which has {x.shape[1]}; row {bad[0]} has {length[bad[0]]:g}; x is [N, steps, '
            f'features], here {list(x.shape)}'
        )
    x = x.copy()  # which is somebody's own
    x[np.arange(x.shape[1]) >= length[:, None]] = 0
    return x, length.astype(np.int64)


def _check_headers(opened: zipfile.ZipFile) -> dict[str, int]:
    """Returns how many bytes each member takes while it is read, as float32 beside what it is.

    Raises ValueError where a header is longer than NumPy would accept, or claims too much.
    """
    taken = {}
    for entry in opened.infolist():
        taken[entry.filename] = entry.file_size
        with opened.open(entry) as member:
            first = member.read(12)  # magic 6, version 2, length 2 or 4
        length = first[8:10] if first[6:7] == b'\x01' else first[8:12]
        if int.from_bytes(length, 'little') > _HEADER:
            raise ValueError('its header is too long')
        if first[:8] in _HEADERS:
            with opened.open(entry) as member:
                np.lib.format.read_magic(member)
                shape, _, dtype = _HEADERS[first[:8]](member)
            if math.prod(shape) * dtype.itemsize > entry.file_size and not dtype.hasobject:
                raise ValueError('it claims more than it holds')
            if dtype.kind in 'biuf' and dtype != np.uint8:
                taken[entry.filename] += _BESIDE * math.prod(shape)
    return taken


def read_idx(file: Path, *, dimensions: int) -> np.ndarray:
    """Reads an IDX file of unsigned bytes, gz or not; raises DataError naming what is wrong."""
    magic = bytes((0, 0, 8, dimensions))
    size = 4 + 4 * dimensions
    try:
        with (
            disk.opened_regular(file, follows=True) as packed,
            gzip.open(packed) if file.suffix == '.gz' else packed as opened,
        ):
            header = opened.read(size)
            if header[:4] != magic or len(header) < size:
                raise DataError(
                    f'{file}: not an IDX file of {dimensions} dimensions '
                    f'(begins with {header[:4].hex()}, not {magic.hex()})'
                )
            shape = np.frombuffer(header, '>u4', dimensions, offset=4).astype(int).tolist()
            wanted = math.prod(shape)
            check_memory(f'{file}', wanted)
            content = opened.read(wanted + 1)  # never more than it says, however it is packed
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f'{file}: damaged gzip or unreadable ({error})') from None
    if len(content) != wanted:
        what = 'truncated' if len(content) < wanted else 'too long'
        raise DataError(f'{file}: {what}, its header says {size + wanted} bytes')
    return np.frombuffer(content, np.uint8).reshape(shape)


def check_memory(what: str, size: int, share: float = 0.5) -> None:
    """Raises DataError where so many bytes are more than a share of this machine's memory."""
    whole = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    if size > share * whole:
        raise DataError(
            f'{what}: would take {size / 1e9:,.0f} GB, more than {share:.0%} of the memory here '
            f'({whole / 1e9:.0f} GB)'
        )
