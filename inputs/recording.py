"""Writes a data set's records: shards for each split, and a manifest that says what is in them.

Everything is written beside the data set's folder, which appears when it is whole.
"""

from __future__ import annotations

import glob
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from inputs import caltech, conversion, lost, pictures, sources
from inputs.foreign import Examples
from inputs.shards import UNLABELLED, Entry, Form, paths_file, write_shard
from parameters import CALTECH, PICTURES, Experiment
from system import disk
from system.errors import DataError
from system.lines import say, shown
from system.names import filed

SCHEMA = 5
_SHARD_EXAMPLES = 20_000  # rows of an array in a shard


def write(
    experiment: Experiment,
    folder: Path,
    data_dir: Path,
    check: Callable[[], None] = lambda: None,
    *,
    whole: bool = False,
) -> None:
    """Writes the records of the experiment's data set; `check` may raise to interrupt that.

    A folder of pictures that is wanted `whole` is one split, in the order of its paths.
    """
    begun = f'writing the records of {folder.name} to {folder}, once'
    if experiment.dataset in PICTURES:
        settings = conversion.Settings(experiment.picture_size, experiment.jpeg_quality)
        if experiment.dataset in CALTECH:
            found = caltech.listed(experiment.dataset, data_dir)
            say(begun, *found.told)
        else:
            found = (pictures.everything if whole else pictures.listed)(experiment.data_path)
            say(begun)
        write_pictures(found, settings, folder, check)
    else:
        source = sources.read(experiment.dataset, experiment.data_path, data_dir, check)
        say(begun)
        write_arrays(source, folder, check)


def write_arrays(
    source: sources.Source, folder: Path, check: Callable[[], None] = lambda: None
) -> None:
    """Writes a source of whole arrays."""
    aside = disk.beside(folder)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        mixed = np.random.default_rng(0)  # the first of a split are taken for all, here and there
        splits = {}
        for name, rows in source.splits.items():
            order = np.arange(len(rows.x)) if source.is_mixed else mixed.permutation(len(rows.x))
            splits[name] = _split(aside, name, rows, order, check)
        first = source.splits['train'].x
        form = Form(first.shape[1:], str(first.dtype))
        extra = {'feature_names': [*source.feature_names]}
        _finish(folder, form, source.origin, source.classes, splits, extra)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _split(
    folder: Path, split: str, rows: Examples, order: np.ndarray, check: Callable[[], None]
) -> dict[str, Any]:
    shards = []
    for file, start, stop in _shards(folder, split, len(rows.x), _SHARD_EXAMPLES):
        check()
        none, chosen = [None] * (stop - start), order[start:stop]
        labels = none if rows.y is None else rows.y[chosen].tolist()
        lengths = none if rows.length is None else rows.length[chosen].tolist()
        columns = rows.x[chosen], labels, rows.places[chosen].tolist(), lengths
        entries = (
            Entry(x.tobytes(), None if label == UNLABELLED else label, place, length)
            for x, label, place, length in zip(*columns, strict=True)
        )
        shards.append(write_shard(file, entries))
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
    settings: conversion.Settings,
    folder: Path,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Writes a folder of pictures; an interrupted write goes on after its last whole shard.

    Raises DataError where too many of them cannot be read.
    """
    _say_what_changed(found, folder)
    for words in lost.told(found):
        say(words)
    places = pictures.places(found)
    shards = _planned(found, disk.beside(folder))
    todo = [shard for shard in shards if not _json(shard.entry)]
    if len(todo) < len(shards):
        say(f'goes on: {len(shards) - len(todo)} of {len(shards)} shards are there')
    jobs = [shard.pictures for shard in todo]
    with conversion.converted(found, jobs, settings, check) as streams:
        for shard, stream in zip(todo, streams, strict=True):
            unreadable: dict[str, str] = {}
            paths: list[str] = []
            entry = write_shard(shard.file, _entries(stream, places, paths, unreadable))
            disk.write_json(paths_file(shard.file), paths)
            entry['files_sha256'] = disk.sha256(paths_file(shard.file))
            disk.write_json(shard.entry, entry | {'unreadable': unreadable})
    splits: dict[str, Any] = {}
    unreadable = dict(found.denied)
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
    splits = {name: entry for name, entry in splits.items() if entry['examples']}
    for shard in shards:
        shard.entry.unlink()
    (disk.beside(folder) / 'plan.json').unlink()
    extra = {
        'images': os.path.realpath(found.folder),
        'jpeg_quality': settings.quality,
        'listing': found.digest,
        'unreadable': unreadable,
        'ignored': found.ignored,
    }
    form = Form(settings.shape, 'uint8', 'jpeg' if settings.quality else 'raw')
    _finish(folder, form, f'pictures of {found.folder}', found.classes, splits, extra)


def _entries(
    stream: conversion.Stream,
    places: Mapping[str, int],
    paths: list[str],
    unreadable: dict[str, str],
) -> Iterator[Entry]:
    """Yields what is recorded of each picture that can be read, and notes their paths."""
    for picture, made in conversion.readable(stream, unreadable):
        paths.append(picture.path)
        yield Entry(made, picture.label, places[picture.path])


def _planned(found: pictures.Folder, aside: Path) -> list[_Shard]:
    """Returns all shards, having thrown away those of another plan."""
    shards = [
        _Shard(split, file, files[start:stop])
        for split, files in found.splits.items()
        for file, start, stop in _shards(aside, split, len(files), pictures.SHARD)
    ]
    names = [shard.file.name for shard in shards]
    plan = {'schema': SCHEMA, 'listing': found.digest, 'shards': names}
    if _json(aside / 'plan.json') != plan:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        (aside / 'plan.json').write_text(json.dumps(plan))
    return shards


def _say_what_changed(found: pictures.Folder, folder: Path) -> None:
    """Prints that a folder of pictures was recorded before, as it was or as it was to be then.

    And that recordings of a folder of its name were interrupted: they are of no use to this one.
    """
    filed_name = filed(Path(found.folder).resolve().name)
    splits = {split: files for split, files in found.splits.items() if files}
    for other in folder.parent.glob(f'images[:-]{glob.escape(filed_name)}-*/manifest.json'):
        before = _json(other) or {}
        alike = before.get('splits', {}).keys() == splits.keys()
        if alike and before.get('images') == os.path.realpath(found.folder):
            same = before.get('listing') == found.digest
            what = 'in another form' if same else 'before its files changed'
            where, name = shown(found.folder), shown(other.parent.name)
            say(f'{where} was recorded {what} as {name}, which is kept')
    key = re.compile(rf'\.(images[:-]{re.escape(filed_name)}-[0-9a-f]{{8}})\.writing')
    for left in folder.parent.glob('.images*.writing'):
        if left != disk.beside(folder) and (one := key.fullmatch(left.name)):
            with suppress(Timeout), FileLock(left.with_name(f'{one[1]}.lock'), timeout=0):
                say(
                    f'{shown(left)} is of an interrupted recording, of other files or in another '
                    'form; remove it if it is of no use'
                )


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
