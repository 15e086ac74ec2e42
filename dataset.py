"""Data sets: every source is written to TFRecords once, with a manifest, and read back verified.

A data set's records live in `<data_dir>/records/<key>/`; recording.py writes them.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

import pictures
import recording
from errors import DataError, UsageError
from parameters import Experiment, Spec
from recording import SCHEMA
from records import UNLABELLED, Form, Records, check_shard

_LABELLED = 20061201  # keys the choice of labelled examples apart from other draws of a seed
_DRAWABLE = (1, 3)  # channels of a picture


@dataclass(frozen=True, eq=False)
class Rows:
    """A split or its activations: x [N, ...] in memory or on disk, y [N] int32 or None.

    `target` is what is to be made of x, where that is not x itself. `length` [N] int32 says how
    many steps of each sequence count, where that is not all.
    """

    x: np.ndarray | Records
    y: np.ndarray | None
    target: np.ndarray | Records | None = None
    length: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x)

    def floats(self, start: int, stop: int) -> np.ndarray:
        """Returns rows start..stop as the network reads them: float32, bytes scaled to [0, 1]."""
        return _scaled(self.x[start:stop])

    def targets(self, start: int, stop: int) -> np.ndarray:
        """Returns what is to be made of the rows start..stop, as `floats` does."""
        return _scaled((self.x if self.target is None else self.target)[start:stop])

    def take(self, chosen: np.ndarray | slice) -> Rows:
        """Returns the chosen rows; what is on disk stays there."""

        def taken(part: np.ndarray | Records | None) -> np.ndarray | Records | None:
            if part is None:
                return None
            return part.take(chosen) if isinstance(part, Records) else part[chosen]

        return Rows(*(taken(getattr(self, part)) for part in PARTS))

    def shaped(self, shape: tuple[int, ...]) -> Rows:
        """Returns the same examples, each of another shape."""
        is_array = isinstance(self.x, np.ndarray)
        x = self.x.reshape(len(self), *shape) if is_array else self.x.reshape(shape)
        return replace(self, x=x)

    def steps(self, start: int, stop: int) -> np.ndarray | Records:
        """Returns the steps start..stop of every sequence, [N, stop - start, ...]."""
        if isinstance(self.x, Records):
            return self.x.steps(start, stop)
        return self.x[:, start:stop]


PARTS = tuple(part.name for part in fields(Rows))


def _scaled(values: np.ndarray) -> np.ndarray:
    is_bytes = values.dtype == np.uint8
    return values.astype(np.float32) / np.float32(255) if is_bytes else values


class Dataset(NamedTuple):
    """A verified data set. `splits` has train and test, and validation where there is one."""

    key: str
    spec: Spec
    splits: dict[str, Rows]
    digest: str  # of the records' hashes: the same digest is the same data
    recorded: tuple[int, ...] = ()  # the shape of an example in the records
    tested: str = 'test'  # what the examples in `test` are, and scores of them are called

    def without_test(self) -> Dataset:
        """Returns it with the validation examples in the place of the test's.

        Raises UsageError where there are none.
        """
        if 'validation' not in self.splits:
            raise UsageError(f'--tune: {self.key} has no validation examples to score on')
        splits = self.splits | {'test': self.splits['validation']}
        return self._replace(splits=splits, tested='validation')


def key_of(experiment: Experiment) -> str:
    """Returns the name of the experiment's data: a user's own by its file and a hash of it."""
    path = experiment.data_path
    if experiment.dataset == 'images':
        if not path:
            raise UsageError('--dataset=images: needs --images=DIR, a folder of pictures')
        found = pictures.listed(path)
        settings = (found.digest, experiment.picture_size, experiment.jpeg_quality)
        digest = hashlib.sha256(repr(settings).encode()).hexdigest()
        return f'images:{Path(path).resolve().name}-{digest[:8]}'
    if experiment.dataset != 'array':
        return experiment.dataset
    if not path:
        raise UsageError('--dataset=array: needs --array=FILE.npz')
    if not Path(path).is_file():
        raise UsageError(f'--array={path}: no such file')
    with open(path, 'rb') as file:
        digest = hashlib.file_digest(file, 'sha256').hexdigest()
    return f'array:{Path(path).stem}-{digest[:8]}'


def load(
    experiment: Experiment,
    data_dir: Path,
    *,
    verify: bool = False,
    check: Callable[[], None] = lambda: None,
) -> Dataset:
    """Loads the experiment's data set, writing its records first where there are none.

    `verify` hashes every shard. `check` is called while records are written, and may raise to stop
    that. Raises DataError where records and manifest disagree, naming file and offset.
    """
    key = key_of(experiment)
    folder = data_dir / 'records' / key
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder, check):
            if _schema(folder) not in (SCHEMA, None):
                print(f'the records of {key} are of another version and are written again')
                shutil.rmtree(folder)
            if not (folder / 'manifest.json').is_file():
                recording.write(experiment, folder, data_dir, check)
                verify = True
    except OSError as error:
        raise UsageError(f'--data_dir={data_dir}: cannot be written ({error.strerror})') from None
    stamp, budget = (folder / 'manifest.json').stat().st_mtime_ns, experiment.cache_bytes
    if verify:
        _kept.cache_clear()
        data = read(folder, budget, verify=True)
    else:
        data = _kept(folder, budget, stamp)
    if experiment.network == 'memory':
        return memory(data, experiment.pictures)
    if experiment.network == 'conv' and not experiment.parent:
        if not data.spec.picture:
            raise UsageError(f'{data.key}: holds no pictures, which network=conv reads')
        return shaped(data, (*data.spec.picture[:2], *(data.spec.picture[2:] or (1,))))
    reads = experiment.parent or experiment
    if isinstance(reads, Experiment) and reads.network == 'lstm':
        predicted = reads is experiment and experiment.task != 'reconstruct'
        return sequences(data, reads.future, predicted=predicted)
    if not experiment.parent and any(rows.length is not None for rows in data.splits.values()):
        raise UsageError(f'{data.key}: has lengths, which only network=lstm reads')
    return data


@contextmanager
def _locked(folder: Path, check: Callable[[], None]) -> Iterator[None]:
    """Holds the lock of a folder of records, once no other process does."""
    lock, waits = FileLock(f'{folder}.lock'), False
    while not lock.is_locked:
        try:
            lock.acquire(timeout=0.2)
        except Timeout:
            check()
            if not waits:
                print(f'another process writes the records of {folder.name}; waiting for it')
            waits = True
    try:
        yield
    finally:
        lock.release()


def _schema(folder: Path) -> int | None:
    """Returns the version of the records there; None where there are none, or damaged ones."""
    try:
        return json.loads((folder / 'manifest.json').read_text())['schema']
    except (OSError, ValueError, KeyError, TypeError):
        return None


@functools.lru_cache(maxsize=1)
def _kept(folder: Path, budget: int, _stamp: int) -> Dataset:
    """Reads a folder of records once for all the runs of a process."""
    return read(folder, budget)


def shaped(data: Dataset, shape: tuple[int, ...]) -> Dataset:
    """Returns the data with each example of that shape, where that differs by how it is written.

    A vector takes any shape of as many features; another shape at most loses or gains ones.
    """
    if data.spec.shape == shape or math.prod(data.spec.shape) != math.prod(shape):
        return data
    sides = ([size for size in form if size > 1] for form in (data.spec.shape, shape))
    if min(len(data.spec.shape), len(shape)) > 1 and next(sides) != next(sides):
        return data
    splits: dict[str, Rows] = {}
    for name, rows in data.splits.items():
        same = [n for n in splits if data.splits[n] is rows]  # a test split that is the train split
        splits[name] = splits[same[0]] if same else rows.shaped(shape)
    return data._replace(spec=data.spec._replace(shape=shape), splits=splits)


def sequences(data: Dataset, future: int, *, predicted: bool) -> Dataset:
    """Returns the data as sequences, [N, T, features]: the first axis of an example is time.

    The last `future` steps are cut off, to be the target where they are `predicted`. Raises
    UsageError where the data holds no sequences, or too short ones.
    """
    if len(data.recorded) < 2:
        raise UsageError(
            f'{data.key}: holds {data.spec.shape[0]} features an example; network=lstm reads '
            'sequences, x of [N, steps, features]'
        )
    total, features = data.recorded[0], math.prod(data.recorded[1:])
    past = total - future
    if past < 1:
        raise UsageError(f'future={future}: {data.key} has sequences of {total} steps')
    splits: dict[str, Rows] = {}
    for name, rows in data.splits.items():
        if future and rows.length is not None:
            raise UsageError(f'future={future}: needs sequences of one length; {data.key} has more')
        rows = rows.shaped((total, features))
        target = rows.steps(past, total) if predicted else None
        splits[name] = replace(rows, x=rows.steps(0, past), target=target)
    rows_are_steps = bool(data.spec.picture)
    frame = data.recorded[1:] if not rows_are_steps and len(data.recorded) > 2 else ()
    spec = data.spec._replace(
        shape=(past, features), picture=() if frame else (past, features), frame=frame,
        future=future,
    )  # fmt: skip
    return data._replace(spec=spec, splits=splits)


def memory(data: Dataset, count: int) -> Dataset:
    """Returns the first `count` training pictures, each to be decoded from its one-hot vector."""
    train = data.splits['train']
    if not data.spec.picture:
        raise UsageError(f'{data.key}: holds no pictures, which network=memory stores')
    if count > len(train):
        raise UsageError(f'pictures={count}: {data.key} has {len(train)} to train on')
    labels = None if train.y is None else train.y[:count]
    rows = Rows(np.eye(count, dtype=np.float32), labels, train.x[:count].reshape(count, -1))
    spec = data.spec._replace(shape=(count,))
    return data._replace(spec=spec, splits={'train': rows, 'test': rows})


def stratified(y: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Returns the rows of a share of each class, at least one of each, chosen by `seed`.

    A smaller share of the same seed is a part of a larger one.
    """
    generator = np.random.default_rng((_LABELLED, seed))
    chosen = []
    for label in np.unique(y):
        mine = generator.permutation(np.flatnonzero(y == label))
        chosen.append(mine[: max(1, round(share * len(mine)))])
    return np.sort(np.concatenate(chosen))


def unlabelled(rows: Rows, share: float, seed: int) -> Rows:
    """Returns the rows with the labels of all but a share of each class hidden."""
    if share == 1.0 or rows.y is None:
        return rows
    known = stratified(rows.y, share, seed)
    y = np.full_like(rows.y, UNLABELLED)
    y[known] = rows.y[known]
    return replace(rows, y=y)


def read(folder: Path, budget: int = 1 << 62, *, verify: bool = False) -> Dataset:
    """Reads a folder of records, into memory where all of it fits `budget` bytes.

    A set without a test split, as iris, is tested on train.
    """
    manifest = read_manifest(folder)
    remedy = f'remove {folder} to have it written again'
    digest = hashlib.sha256()
    shape, classes = tuple(manifest['shape']), tuple(manifest['classes'])
    form = Form(shape, manifest['dtype'], manifest['encoding'])
    size = math.prod(shape) * np.dtype(form.dtype).itemsize
    fits = size * sum(entry['examples'] for entry in manifest['splits'].values()) <= budget
    splits = {}
    for split, entry in manifest['splits'].items():
        indices = []
        for shard in entry['shards']:
            indices.append(check_shard(folder, shard, remedy, verify=verify))
            digest.update(shard['sha256'].encode())
        files = [folder / shard['file'] for shard in entry['shards']]
        stored = Records(files, indices, form, remedy).reshape((math.prod(shape),))
        y = np.concatenate([index[:, 2] for index in indices]).astype(np.int32)
        if classes and len(y) and not 0 <= y.min() <= y.max() < len(classes):
            raise DataError(f'{folder}: a label is not one of the {len(classes)} classes')
        length = None
        if indices[0].shape[1] > 3:
            length = np.concatenate([index[:, 3] for index in indices]).astype(np.int32)
        stored.check()  # before memory is taken for as many as the manifest says
        x = stored[:] if fits else stored
        splits[split] = Rows(x, y if classes else None, length=length)
    splits.setdefault('test', splits['train'])
    is_picture = len(shape) == 2 or (len(shape) == 3 and shape[2] in _DRAWABLE)
    spec = Spec(shape=(math.prod(shape),), classes=classes, picture=shape if is_picture else ())
    return Dataset(folder.name, spec, splits, digest.hexdigest()[:16], shape)


def _is_ours(manifest: dict[str, Any]) -> bool:
    """Whether a manifest says all that is read of it; what is missing raises KeyError."""
    shape, splits = manifest['shape'], manifest['splits']
    shards = [shard for entry in splits.values() for shard in entry['shards']]
    counts = [*shape, *(entry['examples'] for entry in splits.values())]
    counts += [shard[name] for shard in shards for name in ('examples', 'bytes')]
    words = [manifest['source'], *manifest['classes']]
    words += [shard[name] for shard in shards for name in ('file', 'sha256', 'index_sha256')]
    return (
        manifest['dtype'] in ('uint8', 'float32')
        and manifest['encoding'] in ('raw', 'jpeg')
        and 'train' in splits
        and 0 < len(shape) <= 4
        and all(type(count) is int and 0 <= count < 1 << 48 for count in counts)
        and all(isinstance(word, str) for word in words)
        and all(entry['shards'] for entry in splits.values())
        and all(os.path.basename(shard['file']) == shard['file'] for shard in shards)
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Returns the manifest of a folder of records; raises DataError where it is not one of ours."""
    file = folder / 'manifest.json'
    try:
        manifest = json.loads(file.read_text())
        if manifest['schema'] != SCHEMA:
            raise DataError(f'{file}: schema {manifest["schema"]}; this version reads {SCHEMA}')
        known = _is_ours(manifest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        known = False
    if not known:
        raise DataError(f'{file}: not a manifest; remove {folder} to have it written again')
    return manifest
