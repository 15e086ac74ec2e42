"""TFRecords: every source is written once, with a manifest, and read back verified.

A data set's records live in `<data_dir>/records/<key>/`: `manifest.json` and, for each split,
shards of tf.train.Example with `x` (raw bytes) and, where there are labels, `y`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import mmap
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf
from filelock import FileLock

import sources
from errors import DataError, UsageError
from parameters import Experiment, Spec

SCHEMA = 1
_LABELLED = 20061201  # keys the choice of labelled examples apart from other draws of a seed
_SHARD_EXAMPLES = 20_000
_READ_BATCH = 2048
_FRAME = 16  # bytes around a record: length 8, its CRC 4, the record, its CRC 4


class Rows(NamedTuple):
    """A split or its activations: x [N, ...] in memory or mapped from disk, y [N] int32 or None.

    `target` is what is to be reconstructed, where that is not x.
    """

    x: np.ndarray
    y: np.ndarray | None
    target: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x)

    def floats(self, start: int, stop: int) -> np.ndarray:
        """Returns rows start..stop as the network reads them: float32, bytes scaled to [0, 1]."""
        return _scaled(self.x[start:stop])

    def targets(self, start: int, stop: int) -> np.ndarray:
        """Returns what is to be reconstructed of the rows start..stop, as `floats` does."""
        return _scaled((self.x if self.target is None else self.target)[start:stop])

    def take(self, chosen: np.ndarray | slice) -> Rows:
        """Returns the chosen rows."""
        return Rows(*(None if part is None else part[chosen] for part in self))


def _scaled(values: np.ndarray) -> np.ndarray:
    is_bytes = values.dtype == np.uint8
    return values.astype(np.float32) / np.float32(255) if is_bytes else values


class Dataset(NamedTuple):
    """A verified data set. `splits` has train and test, and validation where there is one."""

    key: str
    spec: Spec
    splits: dict[str, Rows]
    digest: str  # of the records' hashes: the same digest is the same data


def key_of(experiment: Experiment) -> str:
    """Returns the name of the experiment's data: a user's own by its file and a hash of it."""
    if experiment.dataset != 'array':
        return experiment.dataset
    path = experiment.data_path
    if not path:
        raise UsageError('--dataset=array: needs --array=FILE.npz')
    if not Path(path).is_file():
        raise UsageError(f'--array={path}: no such file')
    with open(path, 'rb') as file:
        digest = hashlib.file_digest(file, 'sha256').hexdigest()
    return f'array:{Path(path).stem}-{digest[:8]}'


def load(experiment: Experiment, data_dir: Path, *, verify: bool = False) -> Dataset:
    """Loads the experiment's data set, writing its records first where there are none.

    `verify` hashes every shard. Raises DataError where records and manifest disagree, naming file
    and offset.
    """
    key = key_of(experiment)
    folder = data_dir / 'records' / key
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f'{folder}.lock'):
            if not (folder / 'manifest.json').is_file():
                print(f'writing the records of {key} to {folder}, once')
                source = sources.read(experiment.dataset, experiment.data_path, data_dir)
                write(source, folder)
                verify = True
    except OSError as error:
        raise UsageError(f'--data_dir={data_dir}: cannot be written ({error.strerror})') from None
    stamp = (folder / 'manifest.json').stat().st_mtime_ns
    data = _kept(folder, stamp) if not verify else read(folder, verify=True)
    return memory(data, experiment.pictures) if experiment.network == 'memory' else data


@functools.lru_cache(maxsize=1)
def _kept(folder: Path, _stamp: int) -> Dataset:
    """Reads a folder of records once for all the runs of a process."""
    return read(folder)


def memory(data: Dataset, count: int) -> Dataset:
    """Returns the first `count` training pictures, each to be decoded from its one-hot vector."""
    train = data.splits['train']
    if not data.spec.picture:
        raise UsageError(f'{data.key}: holds no pictures, which network=memory stores')
    if count > len(train):
        raise UsageError(f'pictures={count}: {data.key} has {len(train)} to train on')
    labels = None if train.y is None else train.y[:count]
    rows = Rows(np.eye(count, dtype=np.float32), labels, train.x[:count])
    spec = data.spec._replace(shape=(count,))
    return data._replace(spec=spec, splits={'train': rows, 'test': rows})


def stratified(rows: Rows, share: float, seed: int) -> Rows:
    """Returns a share of each class, at least one of each, chosen by `seed`.

    A smaller share of the same seed is a part of a larger one.
    """
    if share == 1.0:
        return rows
    generator = np.random.default_rng((_LABELLED, seed))
    chosen = []
    for label in np.unique(rows.y):
        mine = generator.permutation(np.flatnonzero(rows.y == label))
        chosen.append(mine[: max(1, round(share * len(mine)))])
    return rows.take(np.sort(np.concatenate(chosen)))


def write(source: sources.Source, folder: Path) -> None:
    """Writes the source's records and manifest beside `folder`, then renames them into place."""
    aside = Path(tempfile.mkdtemp(prefix=f'.{folder.name}-', dir=folder.parent))
    try:
        splits = {name: _write_split(aside, name, rows) for name, rows in source.splits.items()}
        first = source.splits['train'].x
        manifest = {
            'schema': SCHEMA,
            'source': source.origin,
            'shape': list(first.shape[1:]),
            'dtype': str(first.dtype),
            'classes': list(source.classes),
            'splits': splits,
        }
        with open(aside / 'manifest.json', 'w') as file:
            json.dump(manifest, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        if folder.exists():  # no manifest in it: leavings of another program
            shutil.rmtree(folder)
        os.rename(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write_split(folder: Path, split: str, rows: sources.Examples) -> dict[str, Any]:
    shards = []
    count = max(1, math.ceil(len(rows.x) / _SHARD_EXAMPLES))
    for index in range(count):
        start, stop = (len(rows.x) * i // count for i in (index, index + 1))
        file = folder / f'{split}-{index:05d}-of-{count:05d}.tfrecord'
        with tf.io.TFRecordWriter(str(file)) as writer:
            for row in range(start, stop):
                writer.write(_encode(rows, row))
        with open(file, 'rb') as written:
            os.fsync(written.fileno())
        entry = {'file': file.name, 'examples': stop - start, 'bytes': file.stat().st_size}
        shards.append(entry | {'sha256': _sha256(file)})
    return {'examples': len(rows.x), 'shards': shards}


def _encode(rows: sources.Examples, row: int) -> bytes:
    features = {'x': tf.train.Feature(bytes_list=tf.train.BytesList(value=[rows.x[row].tobytes()]))}
    if rows.y is not None:
        label = tf.train.Int64List(value=[int(rows.y[row])])
        features['y'] = tf.train.Feature(int64_list=label)
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _sha256(file: Path) -> str:
    with open(file, 'rb') as opened:
        return hashlib.file_digest(opened, 'sha256').hexdigest()


def read(folder: Path, *, verify: bool = False) -> Dataset:
    """Reads a folder of records whole; a set without a test split, as iris, is tested on train."""
    manifest = read_manifest(folder)
    remedy = f'remove {folder} to have it written again'
    digest = hashlib.sha256()
    splits = {}
    for split, entry in manifest['splits'].items():
        for shard in entry['shards']:
            _check_shard(folder, shard, verify=verify, remedy=remedy)
            digest.update(shard['sha256'].encode())
        splits[split] = _read_split(folder, manifest, entry, remedy)
    splits.setdefault('test', splits['train'])
    shape = tuple(manifest['shape'])
    spec = Spec(
        shape=(math.prod(shape),),
        classes=tuple(manifest['classes']),
        picture=shape if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3)) else (),
    )
    return Dataset(folder.name, spec, splits, digest.hexdigest()[:16])


def read_manifest(folder: Path) -> dict[str, Any]:
    """Returns the manifest of a folder of records; raises DataError where it is not one of ours."""
    file = folder / 'manifest.json'
    try:
        manifest = json.loads(file.read_text())
        if manifest['schema'] != SCHEMA:
            raise DataError(f'{file}: schema {manifest["schema"]}; this version reads {SCHEMA}')
        known = {'source', 'shape', 'dtype', 'classes', 'splits'} <= manifest.keys()
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise DataError(f'{file}: not a manifest; remove {folder} to have it written again')
    return manifest


def _check_shard(folder: Path, shard: dict[str, Any], *, verify: bool, remedy: str) -> None:
    """Checks size, framing and, where asked, hash before TensorFlow opens the file.

    A frame that claims an absurd length would end the process inside TensorFlow.
    """
    file = folder / shard['file']
    if not file.is_file():
        raise DataError(f'{file}: missing; {remedy}')
    size = file.stat().st_size
    if size != shard['bytes']:
        raise DataError(f'{file}: {size} bytes, the manifest says {shard["bytes"]}; {remedy}')
    if verify and _sha256(file) != shard['sha256']:
        raise DataError(f'{file}: its sha256 is not the one in the manifest; {remedy}')
    offset = count = 0
    with open(file, 'rb') as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        while offset < size:
            length = struct.unpack_from('<Q', data, offset)[0] if offset + 8 <= size else size
            if offset + _FRAME + length > size:
                raise DataError(f'{file}: damaged record at offset {offset}; {remedy}')
            offset, count = offset + _FRAME + length, count + 1
    if count != shard['examples']:
        expected = shard['examples']
        raise DataError(f'{file}: {count} records, the manifest says {expected}; {remedy}')


def _read_split(folder: Path, manifest: dict[str, Any], entry: dict[str, Any], remedy: str) -> Rows:
    dtype, shape = np.dtype(manifest['dtype']), manifest['shape']
    x = np.empty((entry['examples'], math.prod(shape)), dtype)
    y = np.empty(entry['examples'], np.int32) if manifest['classes'] else None
    start = 0
    for shard in entry['shards']:
        file = folder / shard['file']
        begin = start
        try:
            for part, labels in _parsed(file, dtype, labelled=y is not None):
                x[start : start + len(part)] = part
                if y is not None:
                    y[start : start + len(part)] = labels
                start += len(part)
        except (tf.errors.OpError, ValueError):
            offset = _offset_of_damage(file)
            raise DataError(f'{file}: damaged record at offset {offset}; {remedy}') from None
        if start - begin != shard['examples']:
            raise DataError(f'{file}: only {start - begin} records could be read; {remedy}')
    if y is not None and len(y) and not 0 <= y.min() <= y.max() < len(manifest['classes']):
        raise DataError(f'{folder}: a label is not one of the {len(manifest["classes"])} classes')
    return Rows(x, y)


def _parsed(
    file: Path, dtype: np.dtype, *, labelled: bool
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    features = {'x': tf.io.FixedLenFeature([], tf.string)}
    if labelled:
        features['y'] = tf.io.FixedLenFeature([], tf.int64)
    with tf.Graph().as_default(), tf.Session() as session:
        records = tf.data.TFRecordDataset(str(file)).batch(_READ_BATCH)
        batch = tf.io.parse_example(tf.data.make_one_shot_iterator(records).get_next(), features)
        batch['x'] = tf.io.decode_raw(batch['x'], tf.as_dtype(dtype))
        while True:
            try:
                parsed = session.run(batch)
            except tf.errors.OutOfRangeError:
                return
            yield parsed['x'], parsed.get('y')


def _offset_of_damage(file: Path) -> int:
    """Returns the byte offset of the first record that TensorFlow cannot read."""
    offset = 0
    try:
        for record in tf.io.tf_record_iterator(str(file)):
            tf.train.Example.FromString(record)
            offset += _FRAME + len(record)
    except Exception:
        return offset
    return offset
