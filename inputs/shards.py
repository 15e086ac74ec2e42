"""TFRecord shards: written whole, each with an index, and read back by row.

A shard `name.tfrecord` holds tf.train.Examples with `x` (raw bytes, or a JPEG) and, where there are
any, the label `y` and the number of steps that count, `length`. Its index `name.npy`, int64
[examples, 4 or 5], has each record's bytes, CRC, label and place in the source, and such a length,
so that any row is read alone, and known to be the one that was recorded: memory does not grow with
the data, and a shuffled epoch costs no buffer. Of pictures, `name.files.json` has the paths.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import math
import os
import struct
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c
import numpy as np
import tensorflow.compat.v1 as tf

from system import disk, names
from system.errors import DataError

_FRAME = 16  # bytes around a record: length 8, its CRC 4, the record, its CRC 4
_READ = 2048  # rows decoded in one call
_HELD = 64  # shards that stay open; others are opened for each read
_AT_ONCE = 1 << 30  # bytes that one call reads: Linux returns less than 2 GiB
_ORDER = ('length', 'x', 'y')  # of the parts of a record
UNLABELLED = -1


class Form(NamedTuple):
    """What a record's `x` is: the shape and type of an example, and how it is encoded."""

    shape: tuple[int, ...]
    dtype: str
    encoding: str = 'raw'  # or 'jpeg'


class Entry(NamedTuple):
    """What is recorded of one example."""

    x: bytes
    label: int | None
    place: int  # in the source, from 0 on
    length: int | None = None  # steps that count, of sequences of different lengths


def write_shard(file: Path, examples: Iterable[Entry]) -> dict[str, Any]:
    """Writes the examples and their index; returns the manifest's entry.

    Both files are on disk under their own names only when they are whole.
    """
    aside, index = disk.beside(file), []
    with tf.io.TFRecordWriter(names.plain(aside)) as writer:
        for entry in examples:
            record = _example(entry.x, entry.label, entry.length)
            writer.write(record)
            label = UNLABELLED if entry.label is None else entry.label
            row = [len(record), _masked(record), label, entry.place]
            index.append(row if entry.length is None else [*row, entry.length])
    index_file = file.with_suffix('.npy')
    disk.move(aside, file)
    with disk.whole(index_file, 'wb') as opened:
        np.save(opened, np.array(index, np.int64).reshape(len(index), -1 if index else 4))
    return {
        'file': file.name,
        'examples': len(index),
        'bytes': file.stat().st_size,
        'sha256': disk.sha256(file),
        'index_sha256': disk.sha256(index_file),
    }


def _example(
    x: bytes, label: int | None, length: int | None = None, order: Sequence[str] = _ORDER
) -> bytes:
    """Returns a serialized tf.train.Example, the same bytes for the same data in every process.

    Protobuf itself writes a map in an order that differs from one process to another.
    """
    parts = {'x': tf.train.Feature(bytes_list=tf.train.BytesList(value=[x]))}
    for name, number in (('y', label), ('length', length)):
        if number is not None:
            parts[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[number]))
    return _joined({name: _part(name, feature) for name, feature in parts.items()}, order)


def _part(name: str, feature: tf.train.Feature) -> bytes:
    return tf.train.Features(feature={name: feature}).SerializeToString()


def _joined(parts: Mapping[str, bytes], order: Sequence[str]) -> bytes:
    """Returns an Example of serialized features, in that order, as far as there are any."""
    features = b''.join(parts[name] for name in order if name in parts)
    size, length = b'', len(features)
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return b'\n' + size + bytes([length]) + features


def is_in_order(records: Records) -> bool:
    """Whether records are as they are written here; earlier versions took protobuf's order.

    All of a shard are of one process, and so as its first is.
    """
    first = records.serialized(np.arange(min(1, len(records))))
    return all(record == _joined(_parts(record, records), _ORDER) for record in first)


def parts_of(records: Records) -> list[str]:
    """Returns the names of the parts that the first record has."""
    return [name for record in records.serialized(np.arange(1)) for name in _parts(record, records)]


def hashes(
    records: Records,
    orders: Sequence[Sequence[str]] = (_ORDER,),
    check: Callable[[], None] = lambda: None,
) -> list[str]:
    """Returns the sha256 that a shard has with the parts of its records in each of these orders."""
    found = [hashlib.sha256() for _ in orders]
    for start in range(0, len(records), _READ):
        check()
        for record in records.serialized(np.arange(start, min(start + _READ, len(records)))):
            parts = _parts(record, records)
            for digest, order in zip(found, orders, strict=True):
                ordered = _joined(parts, order)
                size = struct.pack('<Q', len(ordered))
                sums = (struct.pack('<I', _masked(content)) for content in (size, ordered))
                digest.update(b''.join((size, next(sums), ordered, next(sums))))
    return [digest.hexdigest() for digest in found]


def _parts(record: bytes, records: Records) -> dict[str, bytes]:
    """Returns the features of a record by name, each serialized alone."""
    try:
        found = tf.train.Example.FromString(record).features.feature
    except Exception:  # DecodeError, of one protobuf or another
        raise records.unlike() from None
    return {name: _part(name, feature) for name, feature in found.items()}


def files_of(folder: Path, shard: Mapping[str, Any], remedy: str) -> list[str]:
    """Returns the paths of a shard's pictures, below the folder they came from; of others, none.

    Raises DataError, which ends with `remedy`, where they are not what the manifest says.
    """
    if 'files_sha256' not in shard:
        return []
    file = paths_file(folder / shard['file'])
    if not file.is_file() or disk.sha256(file) != shard['files_sha256']:
        raise DataError(f'{file}: missing, or not what the manifest says; {remedy}')
    paths = json.loads(file.read_text())
    is_list = isinstance(paths, list) and len(paths) == shard['examples']
    if not is_list or not all(isinstance(path, str) for path in paths):
        raise DataError(f'{file}: not the paths of {shard["file"]}; {remedy}')
    return paths


def paths_file(shard: Path) -> Path:
    """Returns where the paths of a shard's pictures are."""
    return shard.with_suffix('.files.json')


def check_shard(folder: Path, shard: Mapping[str, Any], remedy: str, *, verify: bool) -> np.ndarray:
    """Returns a shard's index, having checked sizes, the index's hash and, if asked, the shard's.

    Raises DataError, which ends with `remedy`, where they are not what the manifest says.
    """
    file = folder / shard['file']
    index = file.with_suffix('.npy')
    for needed in (file, index):
        if not needed.is_file():
            raise DataError(f'{needed}: missing; {remedy}')
    size = file.stat().st_size
    if size != shard['bytes']:
        raise DataError(f'{file}: {size} bytes, the manifest says {shard["bytes"]}; {remedy}')
    for needed, wanted in ((index, shard['index_sha256']), (file, shard['sha256'])):
        if (verify or needed is index) and disk.sha256(needed) != wanted:
            raise DataError(f'{needed}: its sha256 is not the one in the manifest; {remedy}')
    made = np.load(index)
    if made.ndim != 2 or made.shape[1] < 4 or (made[:, 0] + _FRAME).sum() != size:
        raise DataError(f'{index}: not the index of the shard beside it; {remedy}')
    return made


class _Files:
    """Files that are read here and there; some are held open, and closed when nobody has this."""

    def __init__(self) -> None:
        self._held: dict[Path, int] = {}  # descriptors
        weakref.finalize(self, _close, self._held)

    def read(self, file: Path, start: int, size: int) -> bytes:
        """Returns so many bytes from `start` on, or as many as there are."""
        descriptor, own = self._held.get(file), False
        if descriptor is None:
            descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
            own = len(self._held) >= _HELD
            if not own and (other := self._held.setdefault(file, descriptor)) != descriptor:
                os.close(descriptor)  # for another thread has opened it
                descriptor = other
        try:
            parts = []
            while size and (part := os.pread(descriptor, min(size, _AT_ONCE), start)):
                parts.append(part)
                start, size = start + len(part), size - len(part)
            return parts[0] if len(parts) == 1 else b''.join(parts)
        finally:
            if own:
                os.close(descriptor)

    def close(self) -> None:
        """Closes the files, which are opened again when they are read."""
        _close(self._held)


def _close(held: dict[Path, int]) -> None:
    while held:
        os.close(held.popitem()[1])


class Records:
    """Examples on disk that index like an array, [N, *shape], and are decoded when asked for.

    A record that is damaged raises DataError with its file and offset. `failure` keeps that error
    for callers who are told of it by TensorFlow.
    """

    def __init__(self, files: list[Path], indices: list[np.ndarray], form: Form, remedy: str):
        """Takes the shards of one split, each with its index; opens a file when it is read."""
        self._files, self._remedy = files, remedy
        self._opened = _Files()
        self.form = form
        lengths = [index[:, 0] for index in indices]
        self._lengths = np.concatenate(lengths)
        self._crcs = np.concatenate([index[:, 1] for index in indices])
        self._shard = np.repeat(np.arange(len(files), dtype=np.int32), [len(i) for i in indices])
        self._offsets = np.concatenate([np.cumsum(n + _FRAME) - n - _FRAME for n in lengths])
        self._rows = np.arange(len(self._lengths))
        self._shape = form.shape
        self._steps = slice(None)
        self.failure: DataError | None = None

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that the array would have."""
        if self._steps == slice(None):
            return len(self), *self._shape
        return len(self), self._steps.stop - self._steps.start, *self._shape[1:]

    @property
    def dtype(self) -> np.dtype:
        """The type of the array's values."""
        return np.dtype(self.form.dtype)

    def check(self) -> None:
        """Raises DataError where the first record is not of the form that the manifest says."""
        self._decoded(self._read(self._rows[:1]))

    def __getitem__(self, chosen: slice | np.ndarray) -> np.ndarray:
        """Reads and decodes the chosen rows."""
        rows = self._rows[chosen]
        made = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for start in range(0, len(rows), _READ):
            part = slice(start, start + _READ)
            decoded = self._decoded(self._read(rows[part]))
            made[part] = decoded if self._steps == slice(None) else decoded[:, self._steps]
        return made

    def _decoded(self, serialized: list[bytes]) -> np.ndarray:
        try:
            return _decoder(self.form)(serialized).reshape(len(serialized), *self._shape)
        except (tf.errors.OpError, ValueError):
            raise self.unlike() from None

    def unlike(self) -> DataError:
        """Returns the error of records of another form."""
        return DataError(
            f'{self._files[0].parent}: records are not what the manifest says; {self._remedy}'
        )

    def decode(self, record: tf.Tensor) -> tf.Tensor:
        """Decodes one serialized row, a string, to what it is here."""
        made = tf.reshape(decoded(record, self.form), self._shape)
        return made if self._steps == slice(None) else made[self._steps]

    def take(self, chosen: slice | np.ndarray) -> Records:
        """Returns the chosen rows, still on disk."""
        return self._like(_rows=self._rows[chosen])

    def reshape(self, shape: tuple[int, ...]) -> Records:
        """Returns the same rows, each of another shape."""
        return self._like(_shape=shape)

    def steps(self, start: int, stop: int) -> Records:
        """Returns the steps start..stop of each row, a sequence."""
        return self._like(_steps=slice(start, stop))

    def _like(self, **changes: Any) -> Records:
        """Returns a copy with other attributes; both read through the same open files."""
        other = copy.copy(self)
        for name, value in changes.items():
            setattr(other, name, value)
        return other

    def serialized(self, chosen: np.ndarray) -> np.ndarray:
        """Returns the chosen rows as they are recorded, an array of bytes objects."""
        try:
            return np.array(self._read(self._rows[chosen]), object)
        except DataError as error:
            self.failure = error
            raise

    def _read(self, rows: np.ndarray) -> list[bytes]:
        """Reads records, those that follow one another in one piece."""
        shards = self._shard[rows]
        breaks = np.flatnonzero((np.diff(rows) != 1) | (np.diff(shards) != 0)) + 1
        found: list[bytes] = []
        for span in np.split(rows, breaks) if len(rows) else ():
            file, start = self._files[shards[len(found)]], int(self._offsets[span[0]])
            lengths, crcs = self._lengths[span].tolist(), self._crcs[span].tolist()
            size = sum(lengths) + _FRAME * len(span)
            content = self._opened.read(file, start, size)
            at = 0
            for length, crc in zip(lengths, crcs, strict=True):
                frame = content[at : at + length + _FRAME]
                if not _is_whole(frame, length, crc):
                    raise DataError(
                        f'{file}: damaged record at offset {start + at}, or another one; '
                        f'{self._remedy}'
                    )
                found.append(frame[12:-4])
                at += length + _FRAME
        return found

    def close(self) -> None:
        """Closes the files, which are opened again when they are read."""
        self._opened.close()


def _is_whole(frame: bytes, length: int, crc: int) -> bool:
    """Whether a frame holds the record of that length and CRC, undamaged."""
    if len(frame) != length + _FRAME:
        return False
    stated, of_length = struct.unpack_from('<QI', frame)
    (of_record,) = struct.unpack_from('<I', frame, length + 12)
    sums = stated, of_length, of_record
    return sums == (length, _masked(frame[:8]), crc) and crc == _masked(frame[12:-4])


def _masked(content: bytes) -> int:
    crc = google_crc32c.value(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def decoded(record: tf.Tensor, form: Form) -> tf.Tensor:
    """Decodes one serialized example, a string, to its `x`, [*shape]."""
    features = {'x': tf.io.FixedLenFeature([], tf.string)}
    x = tf.io.parse_single_example(record, features)['x']
    if form.encoding == 'jpeg':  # as Pillow and libjpeg decode it
        x = tf.io.decode_jpeg(x, form.shape[-1], dct_method='INTEGER_ACCURATE')
        x.set_shape(form.shape)
        return x
    return tf.reshape(tf.io.decode_raw(x, tf.as_dtype(form.dtype)), form.shape)


@functools.lru_cache(maxsize=8)
def _decoder(form: Form) -> Callable[[list[bytes]], np.ndarray]:
    """Returns a function from serialized examples to [n, *shape], in a session of its own."""
    with tf.Graph().as_default():
        records = tf.placeholder(tf.string, [None])
        if form.encoding == 'raw':
            features = {'x': tf.io.FixedLenFeature([], tf.string)}
            x = tf.io.parse_example(records, features)['x']
            made = tf.io.decode_raw(x, tf.as_dtype(form.dtype))
        else:
            made = tf.map_fn(lambda record: decoded(record, form), records, tf.as_dtype(form.dtype))
        made = tf.reshape(made, [-1, math.prod(form.shape)])
        on_cpu = tf.ConfigProto(device_count={'GPU': 0})  # a GPU would only be on the way
        return tf.Session(config=on_cpu).make_callable(made, [records])
