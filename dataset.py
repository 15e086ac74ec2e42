"""Data sets: every source is written to TFRecords once, with a manifest, and read back verified.

A data set's records live in `<data_dir>/records/<key>/`; inputs/recording.py writes them.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from inputs import conversion, digests, patches, pictures, readers, recording, sources
from inputs.foreign import check_file
from inputs.labels import check_classes
from inputs.recording import SCHEMA
from inputs.rows import Dataset, Rows, arranged
from inputs.shards import UNLABELLED, Form, Records, check_shard, files_of
from inputs.spec import Spec
from inputs.splits import repeats
from parameters import CALTECH, OWN_DATA, Experiment
from system.disk import beside, content
from system.errors import DataError, UsageError
from system.lines import say
from system.names import filed

_DRAWABLE = (1, 3)  # channels of a picture
_TOLD: set[tuple[Path, int]] = set()  # records of which it was said what they lack
_REPEATED = 0.01  # share of test examples that are trained on, from which on it is said
_AXES = 64  # of an example at most, as NumPy has


def key_of(experiment: Experiment, *, whole: bool = False) -> str:
    """Returns the name of the experiment's data: a user's own by its file and a hash of it.

    A folder of pictures that is read `whole`, rather than in splits, has a name of its own.
    """
    own = _own(experiment, whole)
    if own:
        return f'{experiment.dataset}-{filed(own[0])}-{own[1]}'
    if experiment.dataset in CALTECH:  # recorded at a size
        size = 'x'.join(map(str, experiment.picture_size))
        return f'{experiment.dataset}-{size}-jpeg{experiment.jpeg_quality}'
    return readers.key_of(experiment.dataset)


def key_if_there(experiment: Experiment) -> str:
    """Returns the name of the experiment's data, '' where a user's own are no longer there."""
    try:
        return key_of(experiment)
    except (UsageError, DataError):
        return ''


def former_key_of(experiment: Experiment) -> str:
    """Returns the name that earlier versions gave the same data."""
    own = _own(experiment)
    return f'{experiment.dataset}:{own[0]}-{own[1]}' if own else key_of(experiment)


def same_data(key: str, other: str) -> bool:
    """Whether both are names of the same data, be the folder or file called otherwise, or moved."""
    kinds = {name.replace(':', '-').partition('-')[0] for name in (key, other)}
    return key == other or (len(kinds) == 1 and kinds <= {*OWN_DATA} and key[-8:] == other[-8:])


def _own(experiment: Experiment, whole: bool = False) -> tuple[str, str] | None:
    """Returns the name of a user's own folder or file, and a hash of what is in it, if it is one.

    Raises UsageError where there is none.
    """
    path = experiment.data_path
    if experiment.dataset == 'images':
        if not path:
            raise UsageError('--dataset=images: needs --images=DIR, a folder of pictures')
        found = pictures.everything(path) if whole else pictures.listed(path)
        settings = (found.digest, experiment.picture_size, experiment.jpeg_quality)
        digest = hashlib.sha256(repr(settings).encode()).hexdigest()
        return Path(path).resolve().name, digest[:8]
    if experiment.dataset != 'array':
        return None
    if not path:
        raise UsageError('--dataset=array: needs --array=FILE.npz')
    check_file(path)
    status = os.stat(path)
    return Path(path).stem, _digest(path, status.st_size, status.st_mtime_ns)[:8]


@functools.lru_cache(maxsize=4)
def _digest(path: str, _size: int, _changed: int) -> str:
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def folder_of(experiment: Experiment, data_dir: Path) -> Path:
    """Returns where the records of its data are, or will be: under the earlier name if there."""
    folder = data_dir / 'records' / key_of(experiment)
    former = folder.with_name(former_key_of(experiment))
    there = [name for name in (folder, former) if any(map(os.path.exists, (name, beside(name))))]
    return (there or [folder])[0]


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
    if experiment.dataset == 'images':
        listed = pictures.announced(experiment.data_path)
        if experiment.classifies:  # before what may take hours
            check_classes(listed.named, listed.classes)
    folder = folder_of(experiment, data_dir)
    data = _recorded(experiment, folder, key, verify, check)
    data = patches.patched(data, experiment, check)
    return arranged(data, experiment)


def whole(
    experiment: Experiment,
    data_dir: Path,
    *,
    read: Spec | None = None,
    labelled: bool = True,
    verify: bool = False,
    check: Callable[[], None] = lambda: None,
) -> Dataset:
    """Loads what a finished run is applied to: a user's own data, whole, in the order they are in.

    They are its split `test`, which is called 'all'. An array is read as it is; of a folder of
    pictures, records are written first where there are none. Of sequences those steps may be
    missing that follow what the run has `read`. Raises as `load` does.
    """
    key = key_of(experiment, whole=True)
    if experiment.dataset == 'array':
        source = sources.whole_array(experiment.data_path, labelled=labelled)
        data = held(key, source, digest=key.rpartition('-')[2])
    else:
        for line in pictures.everything(experiment.data_path).told:
            say(line)
        folder = data_dir / 'records' / key
        data = _recorded(experiment, folder, key, verify, check, whole=True)
        data = data._replace(splits={'test': data.splits['all']})
        if not labelled:
            data = data._replace(spec=data.spec._replace(classes=()))
    rows = dataclasses.replace(data.splits['test'], in_order=True)
    data = data._replace(splits={'test': rows}, tested='all')
    return arranged(data, experiment, read)


def held(key: str, source: sources.Source, digest: str = '') -> Dataset:
    """Returns a source as a data set in memory, as `load` would return it, without records."""
    shape = next(iter(source.splits.values())).x.shape[1:]
    splits = {
        name: Rows(
            examples.x.reshape(len(examples.x), math.prod(shape)),
            None if examples.y is None or not source.classes else examples.y.astype(np.int32),
            length=None if examples.length is None else examples.length.astype(np.int32),
            place=examples.places,
        )
        for name, examples in source.splits.items()
    }
    spec = _spec(shape, source.classes, source.feature_names)
    return Dataset(key, spec, splits, digest, shape)


def _spec(shape: tuple[int, ...], classes: tuple[str, ...], columns: tuple[str, ...]) -> Spec:
    """Returns what is known of examples of that shape, read as vectors."""
    is_picture = len(shape) == 2 or (len(shape) == 3 and shape[2] in _DRAWABLE)
    picture = shape if is_picture else ()
    return Spec((math.prod(shape),), classes, picture, feature_names=columns)


def _recorded(
    experiment: Experiment,
    folder: Path,
    key: str,
    verify: bool,
    check: Callable[[], None],
    *,
    whole: bool = False,
) -> Dataset:
    """Returns a data set from its records, written first where there are none."""
    data_dir = folder.parent.parent
    missing, is_new = [place for place in folder.parents if not os.path.exists(place)], False
    try:
        if _schema(folder) != SCHEMA:  # records that are there may be where nobody may write
            folder.parent.mkdir(parents=True, exist_ok=True)
            with _locked(folder, check):
                if _schema(folder) not in (SCHEMA, None):
                    say(f'the records of {key} are of another version and are written again')
                    shutil.rmtree(folder)
                if not (folder / 'manifest.json').is_file():
                    recording.write(experiment, folder, data_dir, check, whole=whole)
                    verify = is_new = True
    except BaseException as error:
        _withdraw(folder, missing)
        if not isinstance(error, OSError) or error.errno in conversion.OF_THE_PROCESS:
            raise
        named = os.fsdecode(error.filename or data_dir)
        if error.errno in conversion.OF_THE_NETWORK:
            raise DataError(
                f'{named}: cannot be read now ({error.strerror}); the same command goes on'
            ) from None
        if not Path(os.path.abspath(named)).is_relative_to(os.path.abspath(data_dir)):
            raise UsageError(f'{named}: cannot be read ({error.strerror})') from None
        raise UsageError(f'--data_dir={data_dir}: cannot be written ({error.strerror})') from None
    stamp, budget = (folder / 'manifest.json').stat().st_mtime_ns, experiment.cache_bytes
    is_told = (folder, stamp) in _TOLD
    if not is_new and not is_told and (doubt := sources.said_of(key, _origin(folder))):
        say(f'warning: {doubt}; to have those, once they are there, remove {folder}')
    _say_left_out(folder, stamp, is_new=is_new)
    if verify:
        _kept.cache_clear()
        data = read(folder, budget, verify=True)
    else:
        data = _kept(folder, budget, stamp)
    tested = len(data.splits.get('test', ()))
    if data.repeated > _REPEATED * tested and not is_told:
        say(
            f'warning: {key}: {data.repeated} of {tested} test examples are in train too, byte for '
            f'byte{" and label" * bool(data.spec.classes)}: scores of them are of what was learned'
        )
    return data._replace(key=key)


def _withdraw(folder: Path, made: list[Path]) -> None:
    """Removes the folders that were made for records that came to nothing, if that is all."""
    lock = Path(f'{folder}.lock')
    with suppress(OSError):
        if made and {*os.listdir(folder.parent)} <= {lock.name}:
            lock.unlink(missing_ok=True)
            for place in made:
                place.rmdir()


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
                say(f'another process writes the records of {folder.name}; waiting for it')
            waits = True
    try:
        yield
    finally:
        lock.release()


def _schema(folder: Path) -> int | None:
    """Returns the version of the records there; None where there are none, or damaged ones.

    0 of an array whose empty names were taken for a class once, as any version did that read them,
    or whose columns may have had names that were not read.
    """
    try:
        manifest = json.loads(content(folder / 'manifest.json'))
        is_read = 'feature_names' in manifest and all(map(str.strip, manifest['classes']))
        if folder.name.startswith('array-') and not is_read:
            return 0
        return manifest['schema']
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _origin(folder: Path) -> str:
    return str(read_manifest(folder).get('source', ''))


def _say_left_out(folder: Path, stamp: int, *, is_new: bool) -> None:
    """Says what records lack, once in a process; of new ones that was said."""
    if not is_new and (folder, stamp) not in _TOLD:
        manifest = read_manifest(folder)
        left_out = manifest.get('unreadable', {})
        pictures.say_left_out(left_out | manifest.get('ignored', {}))
        if left_out:
            say(f'they could not be read once; to try again, remove {folder}')
    _TOLD.add((folder, stamp))


@functools.lru_cache(maxsize=1)
def _kept(folder: Path, budget: int, _stamp: int) -> Dataset:
    """Reads a folder of records once for all the runs of a process."""
    return read(folder, budget)


def forget() -> None:
    """Lets go of the records that were read last, which the next run of a process might have."""
    _kept.cache_clear()


def read(folder: Path, budget: int = 1 << 62, *, verify: bool = False) -> Dataset:
    """Reads a folder of records, into memory where all of it fits `budget` bytes.

    A set without a test split, as iris, is tested on train.
    """
    manifest = read_manifest(folder)
    remedy = _remedy(folder)
    contents: list[str] = []
    shape, classes = tuple(manifest['shape']), tuple(manifest['classes'])
    form = Form(shape, manifest['dtype'], manifest['encoding'])
    size = math.prod(shape) * np.dtype(form.dtype).itemsize
    fits = size * sum(entry['examples'] for entry in manifest['splits'].values()) <= budget
    splits, records = {}, {}
    for split, entry in manifest['splits'].items():
        indices = []
        for shard in entry['shards']:
            indices.append(check_shard(folder, shard, remedy, verify=verify))
            alone = Records([folder / shard['file']], indices[-1:], form, remedy)
            contents.append(digests.content_of(shard, alone))
        records[split] = np.concatenate([index[:, :2] for index in indices])
        files = [folder / shard['file'] for shard in entry['shards']]
        stored = Records(files, indices, form, remedy).reshape((math.prod(shape),))
        y = np.concatenate([index[:, 2] for index in indices]).astype(np.int32)
        places = np.concatenate([index[:, 3] for index in indices])
        if classes and len(y) and not UNLABELLED <= y.min() <= y.max() < len(classes):
            raise DataError(f'{folder}: a label is not one of the {len(classes)} classes')
        length = None
        if indices[0].shape[1] > 4:
            length = np.concatenate([index[:, 4] for index in indices]).astype(np.int32)
        paths = [p for shard in entry['shards'] for p in files_of(folder, shard, remedy)]
        stored.check()  # before memory is taken for as many as the manifest says
        x = stored[:] if fits else stored
        splits[split] = Rows(
            x,
            y if classes else None,
            length=length,
            place=places,
            files=np.array(paths) if paths else None,
        )
    if 'train' in splits:
        splits.setdefault('test', splits['train'])
    digests.keep(folder, manifest, contents)
    spec = _spec(shape, classes, tuple(manifest.get('feature_names', ())))
    made = Dataset(folder.name, spec, splits, digests.digest_of(contents), shape)
    repeated = repeats(records['train'], records['test']) if 'test' in records else 0
    return made._replace(folder=folder, repeated=repeated)


def same_examples(
    data: Dataset, key: str, digest: str, check: Callable[[], None] = lambda: None
) -> bool:
    """Whether a key and a digest, of this or of any earlier version, are of these examples.

    `check` is called now and then where all of them are read for it, and may raise to stop.
    """
    if digest == data.digest or not data.folder or not same_data(key, data.key):
        return digest == data.digest
    manifest = read_manifest(data.folder)
    return digest in digests.earlier(data.folder, manifest, _remedy(data.folder), check)


def _remedy(folder: Path) -> str:
    return f'remove {folder} to have it written again'


def _is_ours(manifest: dict[str, Any]) -> bool:
    """Whether a manifest says all that is read of it; what is missing raises KeyError."""
    shape, splits = manifest['shape'], manifest['splits']
    shards = [shard for entry in splits.values() for shard in entry['shards']]
    counts = [*shape, *(entry['examples'] for entry in splits.values())]
    counts += [shard[name] for shard in shards for name in ('examples', 'bytes')]
    columns = manifest.get('feature_names', [])
    words = [manifest['source'], *manifest['classes'], *columns]
    words += [shard[name] for shard in shards for name in ('file', 'sha256', 'index_sha256')]
    return (
        manifest['dtype'] in ('uint8', 'float32')
        and manifest['encoding'] in ('raw', 'jpeg')
        and ('train' in splits or splits.keys() == {'all'})
        and 0 < len(shape) <= _AXES
        and isinstance(columns, list)
        and len(columns) in (0, shape[-1], math.prod(shape))
        and all(type(count) is int and 0 <= count < 1 << 48 for count in counts)
        and all(isinstance(word, str) for word in words)
        and all(entry['shards'] for entry in splits.values())
        and all(os.path.basename(shard['file']) == shard['file'] for shard in shards)
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Returns the manifest of a folder of records; raises DataError where it is not one of ours."""
    file = folder / 'manifest.json'
    try:
        manifest = json.loads(content(file))
        if manifest['schema'] != SCHEMA:
            raise DataError(f'{file}: schema {manifest["schema"]}; this version reads {SCHEMA}')
        if not _is_ours(manifest):
            raise ValueError('a manifest of another program')
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DataError(
            f'{file}: not a manifest; remove {folder} to have it written again'
        ) from None
    return manifest
