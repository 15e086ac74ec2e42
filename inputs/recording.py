"""Writes a data set's records: shards for each split, and a manifest that says what is in them.

Everything is written beside the data set's folder, which appears when it is whole.
"""

from __future__ import annotations

import glob
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from inputs import pictures, sources
from inputs.foreign import Examples
from inputs.shards import Form, write_shard
from parameters import Experiment
from system import disk
from system.errors import DataError
from system.names import filed, shown

SCHEMA = 4
_SHARD_EXAMPLES = 20_000  # rows of an array in a shard


def write(
    experiment: Experiment,
    folder: Path,
    data_dir: Path,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Writes the records of the experiment's data set; `check` may raise to interrupt that."""
    print(f'writing the records of {shown(folder.name)} to {shown(folder)}, once')
    if experiment.dataset == 'images':
        settings = pictures.Settings(experiment.picture_size, experiment.jpeg_quality)
        write_pictures(pictures.listed(experiment.data_path), settings, folder, check)
    else:
        source = sources.read(experiment.dataset, experiment.data_path, data_dir, check)
        write_arrays(source, folder, check)


def write_arrays(
    source: sources.Source, folder: Path, check: Callable[[], None] = lambda: None
) -> None:
    """Writes a source of whole arrays."""
    aside = disk.beside(folder)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        splits = {name: _split(aside, name, rows, check) for name, rows in source.splits.items()}
        first = source.splits['train'].x
        form = Form(first.shape[1:], str(first.dtype))
        _finish(folder, form, source.origin, source.classes, splits)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _split(folder: Path, split: str, rows: Examples, check: Callable[[], None]) -> dict[str, Any]:
    shards = []
    for file, start, stop in _shards(folder, split, len(rows.x), _SHARD_EXAMPLES):
        check()
        labels = [None] * (stop - start) if rows.y is None else rows.y[start:stop].tolist()
        columns = [(x.tobytes() for x in rows.x[start:stop]), labels]
        if rows.length is not None:
            columns.append(rows.length[start:stop].tolist())
        examples = zip(*columns, strict=True)
        shards.append(write_shard(file, examples))
    return {'examples': len(rows.x), 'shards': shards}


def _shards(folder: Path, split: str, examples: int, most: int) -> list[tuple[Path, int, int]]:
    """Divides a split into shards of about the same size: file, first row, row after the last."""
    count = max(1, math.ceil(examples / most))
    ends = [examples * i // count for i in range(count + 1)]
    return [
        (folder / f'{split}-{i:05d}-of-{count:05d}.tfrecord', ends[i], ends[i + 1])
        for i in range(count)
    ]


class _Shard(NamedTuple):
    """A shard of pictures; `entry` is there when it is whole, with what the manifest will say."""

    split: str
    file: Path
    pictures: list[pictures.Picture]

    @property
    def entry(self) -> Path:
        return self.file.with_suffix('.json')


def write_pictures(
    found: pictures.Folder,
    settings: pictures.Settings,
    folder: Path,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Writes a folder of pictures; an interrupted write goes on after its last whole shard.

    Raises DataError where too many of them cannot be read.
    """
    _say_what_changed(found, folder)
    shards = _planned(found, disk.beside(folder))
    todo = [shard for shard in shards if not _json(shard.entry)]
    if len(todo) < len(shards):
        print(f'goes on: {len(shards) - len(todo)} of {len(shards)} shards are there')
    jobs = [shard.pictures for shard in todo]
    with pictures.converted(found, jobs, settings, check) as streams:
        for shard, stream in zip(todo, streams, strict=True):
            unreadable: dict[str, str] = {}
            entry = write_shard(shard.file, pictures.readable(stream, unreadable))
            disk.write_json(shard.entry, entry | {'unreadable': unreadable})
    splits: dict[str, Any] = {}
    unreadable = {}
    for shard in shards:
        entry = _json(shard.entry)
        unreadable |= entry.pop('unreadable')
        split = splits.setdefault(shard.split, {'examples': 0, 'shards': []})
        split['examples'] += entry['examples']
        split['shards'].append(entry)
    try:
        pictures.say_what_is_left_out(found, unreadable, splits)
    except DataError:
        shutil.rmtree(disk.beside(folder))
        raise
    for file in disk.beside(folder).glob('*.json'):
        file.unlink()
    extra = {
        'images': os.path.realpath(found.folder),
        'jpeg_quality': settings.quality,
        'listing': found.digest,
        'unreadable': unreadable | found.ignored,
    }
    form = Form(settings.shape, 'uint8', 'jpeg' if settings.quality else 'raw')
    _finish(folder, form, f'pictures of {found.folder}', found.classes, splits, extra)


def _planned(found: pictures.Folder, aside: Path) -> list[_Shard]:
    """Returns all shards, having thrown away those of another plan."""
    shards = [
        _Shard(split, file, files[start:stop])
        for split, files in found.splits.items()
        for file, start, stop in _shards(aside, split, len(files), pictures.SHARD)
    ]
    plan = {'schema': SCHEMA, 'shards': [shard.file.name for shard in shards]}
    if _json(aside / 'plan.json') != plan:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        (aside / 'plan.json').write_text(json.dumps(plan))
    return shards


def _say_what_changed(found: pictures.Folder, folder: Path) -> None:
    """Prints that a folder of pictures was recorded before, as it was or as it was to be then."""
    name = filed(Path(found.folder).resolve().name)
    for other in folder.parent.glob(f'images[:-]{glob.escape(name)}-*/manifest.json'):
        before = _json(other) or {}
        if before.get('images') == os.path.realpath(found.folder):
            same = before.get('listing') == found.digest
            what = 'in another form' if same else 'before its files changed'
            where, name = shown(found.folder), shown(other.parent.name)
            print(f'{where} was recorded {what} as {name}, which is kept')


def _json(file: Path) -> Any:
    """Returns a file's content, or None where there is none to be read."""
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None


def _finish(
    folder: Path,
    form: Form,
    origin: str,
    classes: tuple[str, ...],
    splits: dict[str, Any],
    extra: dict[str, Any] | None = None,
) -> None:
    """Writes the manifest and renames the folder into place."""
    manifest = {
        'schema': SCHEMA,
        'source': origin,
        'shape': list(form.shape),
        'dtype': form.dtype,
        'encoding': form.encoding,
        'classes': list(classes),
        'splits': splits,
        **(extra or {}),
    }
    aside = disk.beside(folder)
    disk.write_json(aside / 'manifest.json', manifest)
    disk.move(aside, folder)  # a folder there has no manifest: leavings of another program
