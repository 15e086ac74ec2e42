"""A folder of pictures: what is in it, and each picture made the size that is recorded.

Reading and encoding go on in processes of their own, which import this module without TensorFlow.
"""

from __future__ import annotations

import functools
import hashlib
import io
import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from system.errors import DataError, UsageError
from system.names import shown

ENDINGS = ('.png', '.jpg', '.jpeg', '.bmp', '.gif')
SHARD = 2000  # pictures in a shard, all of which an interruption may cost
UNREADABLE = 0.05  # share of unreadable pictures above which nothing is recorded
_CHUNK = 64  # pictures a process is handed at a time
_SHOWN = 10  # unreadable files that are printed; the manifest has all
_SPLITS = {'train': 'train', 'validation': 'validation', 'val': 'validation', 'test': 'test'}
_SHARES = (0.8, 0.1, 0.1)  # of train, validation and test, where the folder has no such folders


class Picture(NamedTuple):
    """A file of the folder, and the number of its class if there are classes."""

    path: str  # below the folder
    label: int | None


class Folder(NamedTuple):
    """What a folder of pictures holds. Each split is in the order of a hash of the paths."""

    folder: str
    splits: dict[str, list[Picture]]
    classes: tuple[str, ...]
    digest: str  # of paths, sizes and times of change
    ignored: dict[str, str]  # links that lead nowhere, or round in a loop


class Settings(NamedTuple):
    """How pictures are recorded."""

    shape: tuple[int, int, int]  # height, width, channels
    quality: int  # of JPEG; 0: raw bytes


@functools.lru_cache(maxsize=4)
def listed(path: str) -> Folder:
    """Lists a folder: pictures of a class in a folder each (or below it), or all of them flat.

    Folders `train` and `test` (and `validation`) at the top are kept as the splits; otherwise each
    class is split 80/10/10 by a hash of the paths. Raises UsageError where there is no folder,
    DataError where it holds no pictures, or too few, or some beside the classes.
    """
    if not Path(path).is_dir():
        raise UsageError(f'--images={path}: no such folder')
    ignored: dict[str, str] = {}
    found = sorted(_walk(Path(path), (), (), ignored))
    if not found:
        raise DataError(f'--images={path}: no pictures there ({", ".join(ENDINGS)})')
    digest = hashlib.sha256()
    for parts, size, changed in found:
        digest.update(os.fsencode('/'.join(parts)) + f' {size} {changed}\n'.encode())
    tops = {parts[0] for parts, _, _ in found if len(parts) > 1}
    has_splits = {'train', 'test'} <= tops <= _SPLITS.keys()
    grouped: dict[str, dict[str | None, list[str]]] = {}
    for parts, _, _ in found:
        split = _SPLITS[parts[0]] if has_splits and len(parts) > 1 else ''
        inner = parts[1:] if split else parts
        name = inner[0] if len(inner) > 1 else None
        grouped.setdefault(split, {}).setdefault(name, []).append('/'.join(parts))
    names = {name for group in grouped.values() for name in group}
    if None in names and (len(names) > 1 or len(grouped) > 1 and '' in grouped):
        stray = next(p for group in grouped.values() for p in group.get(None, []))
        raise DataError(
            f'--images={path}: {stray} lies beside folders of pictures; put every picture into the '
            'folder of its class, or all of them into one folder'
        )
    if len(found) < 10:
        raise DataError(
            f'--images={path}: {len(found)} pictures; at least 10 are needed to split them'
        )
    classes = tuple(sorted(name for name in names if name is not None))
    splits = _split(grouped, classes)
    return Folder(path, splits, classes, digest.hexdigest()[:16], ignored)


def _walk(
    folder: Path,
    parts: tuple[str, ...],
    above: tuple[tuple[int, int], ...],
    ignored: dict[str, str],
) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Finds all pictures: path, size and time of change; follows links, but not in a loop."""
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        ignored['/'.join(parts)] = 'a link to a folder that it lies in'
        return
    for entry in os.scandir(folder):
        if entry.name.startswith('.'):
            continue
        inner = (*parts, entry.name)
        try:
            if entry.is_dir():
                yield from _walk(Path(entry.path), inner, (*above, here), ignored)
            elif entry.name.lower().endswith(ENDINGS):
                found = entry.stat()
                yield inner, found.st_size, found.st_mtime_ns
        except OSError as error:
            ignored['/'.join(inner)] = str(error.strerror)


def _split(
    grouped: Mapping[str, Mapping[str | None, list[str]]], classes: tuple[str, ...]
) -> dict[str, list[Picture]]:
    def hashed(path: str) -> bytes:
        return hashlib.sha256(os.fsencode(path)).digest()

    splits: dict[str, list[Picture]] = {'train': [], 'validation': [], 'test': []}
    for split, group in grouped.items():
        for name, paths in group.items():
            label = None if name is None else classes.index(name)
            made = [Picture(path, label) for path in sorted(paths, key=hashed)]
            if split in ('test', 'validation') or (split and 'validation' in grouped):
                splits[split] += made
                continue
            train, validation, test = _SHARES
            shares = (train + test, validation) if split else _SHARES
            ends = np.round(np.cumsum(shares) * len(made)).astype(int)
            for part, chosen in zip(
                splits, np.split(np.arange(len(made)), ends[:-1]), strict=False
            ):
                splits[part] += [made[i] for i in chosen]
    return {
        split: sorted(made, key=lambda picture: hashed(picture.path))
        for split, made in splits.items()
    }


def fitted(file: Path | str, shape: tuple[int, ...]) -> Image.Image:
    """Returns a picture upright, scaled and centre-cropped to [height, width, channels].

    Transparent parts become white, an animation its first frame. Raises whatever Pillow does, also
    where a file claims more pixels than Pillow's limit, 89 million.
    """
    height, width, channels = shape
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        warnings.simplefilter('error', Image.DecompressionBombWarning)
        with Image.open(file) as opened:
            opened.draft('RGB', (2 * max(height, width),) * 2)  # JPEG: decodes at a part of it
            picture = ImageOps.exif_transpose(opened)
        if picture.mode.startswith('I'):  # 16 bits
            values = np.clip(np.asarray(picture, np.float64) / 257, 0, 255)
            picture = Image.fromarray(values.round().astype(np.uint8))
        elif picture.has_transparency_data:
            picture = picture.convert('RGBA')
            white = Image.new('RGBA', picture.size, 'white')
            picture = Image.alpha_composite(white, picture)
        picture = picture.convert('L' if channels == 1 else 'RGB')
        return ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)


def encoded(file: Path | str, settings: Settings) -> bytes:
    """Returns a picture as it is recorded."""
    picture = fitted(file, settings.shape)
    if not settings.quality:
        return picture.tobytes()
    written = io.BytesIO()
    picture.save(written, 'JPEG', quality=settings.quality)
    return written.getvalue()


def _convert(folder: str, paths: list[str], settings: Settings) -> list[bytes | str]:
    """Returns each picture as it is recorded, or the reason why it cannot be read."""
    made: list[bytes | str] = []
    for path in paths:
        try:
            made.append(encoded(f'{folder}/{path}', settings))
        except Exception as error:  # a damaged file can raise anything, in any of Pillow's readers
            made.append(reason(error))
    return made


def reason(error: Exception) -> str:
    """Says in a few words why a picture cannot be read."""
    if isinstance(error, UnidentifiedImageError):
        return 'not a picture, or damaged'
    return str(error).splitlines()[0][:100] if str(error) else type(error).__name__


def _begin() -> None:
    """Leaves signals to the parent process, and ends when that ends, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    assert parent is not None, 'this is no worker'

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


Stream = Iterator[tuple[Picture, bytes | str]]


@contextmanager
def converted(
    found: Folder, jobs: list[list[Picture]], settings: Settings, check: Callable[[], None]
) -> Iterator[Iterator[Stream]]:
    """Yields a stream for each job, to be used up in order: its pictures, recorded or the reason.

    `check` is called after every few pictures and may raise.
    """
    chunks = [
        [picture.path for picture in job[start : start + _CHUNK]]
        for job in jobs
        for start in range(0, len(job), _CHUNK)
    ]
    workers = min(_processors(), len(chunks))
    with tqdm(
        total=sum(map(len, jobs)), unit='picture', desc='recording', disable=None, leave=False
    ) as bar:

        def results(made: Iterable[list[bytes | str]]) -> Iterator[bytes | str]:
            for chunk in made:
                check()
                bar.update(len(chunk))
                yield from chunk

        def streams(flat: Iterator[bytes | str]) -> Iterator[Stream]:
            for job in jobs:
                yield ((picture, next(flat)) for picture in job)

        if workers < 2:
            yield streams(results(_convert(found.folder, paths, settings) for paths in chunks))
            return
        context = multiprocessing.get_context('spawn')
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)
        try:
            tasks = ((found.folder, paths, settings) for paths in chunks)
            yield streams(results(_in_order(pool, tasks, 2 * workers + 2)))
        except BrokenProcessPool:
            raise DataError(
                f'--images={found.folder}: a process that read pictures was killed (memory?); the '
                'same command goes on from the last whole shard'
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, tasks: Iterable[tuple[Any, ...]], ahead: int
) -> Iterator[list[bytes | str]]:
    """Yields the tasks' results in order, with at most `ahead` of them under way."""
    waiting: deque[Future[list[bytes | str]]] = deque()
    for task in tasks:
        waiting.append(pool.submit(_convert, *task))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _processors() -> int:
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def readable(stream: Stream, unreadable: dict[str, str]) -> Iterator[tuple[bytes, int | None]]:
    """Yields what is recorded, with its label, and puts the others, with the reason, aside."""
    for picture, made in stream:
        if isinstance(made, str):
            unreadable[picture.path] = made
        else:
            yield made, picture.label


def say_what_is_left_out(
    found: Folder, unreadable: Mapping[str, str], splits: Mapping[str, Any]
) -> None:
    """Prints what could not be read or used; raises DataError where that is too much."""
    for path, why in [*found.ignored.items(), *unreadable.items()][:_SHOWN]:
        print(f'warning: {shown(path)} is left out: {shown(why)}')
    more = len(found.ignored) + len(unreadable) - _SHOWN
    if more > 0:
        print(f'warning: {more} more are left out')
    total = sum(map(len, found.splits.values()))
    if len(unreadable) > UNREADABLE * total:
        path, why = next(iter(unreadable.items()))
        raise DataError(
            f'--images={found.folder}: {len(unreadable)} of {total} pictures cannot be read, over '
            f'{UNREADABLE:.0%}, so nothing is recorded; the first is {path} ({why})'
        )
    empty = [split for split in ('train', 'test') if not splits[split]['examples']]
    if empty:
        raise DataError(f'--images={found.folder}: no picture of the {empty[0]} split can be read')
    for split in ('train', 'test'):
        there = {picture.label for picture in found.splits[split] if picture.path not in unreadable}
        for label, name in enumerate(found.classes):
            if label not in there:
                count = sum(p.label == label for part in found.splits.values() for p in part)
                word = 'learned' if split == 'train' else 'tested'
                print(f'warning: class {shown(name)!r} ({count} pictures) has none to be {word} on')
