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
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from inputs.folders import Found, check_open, digest_of, found_in, of_unread, stamps_of
from inputs.splits import alone, sizes
from system import cores, disk
from system.errors import DataError
from system.lines import say
from system.progress import Bar

ENDINGS = ('.png', '.jpg', '.jpeg', '.jpe', '.jfif', '.bmp', '.gif', '.webp', '.tif', '.tiff')
SHARD = 2000  # pictures in a shard, all of which an interruption may cost
UNREADABLE = 0.05  # share of unreadable pictures above which nothing is recorded
_CHUNK = 64  # pictures a process is handed at a time
_SHOWN = 10  # unreadable files, or classes, that are printed; the manifest has all
SPLITS = {  # folders at the top, in any case
    **dict.fromkeys(('train', 'training'), 'train'),
    **dict.fromkeys(('validation', 'val', 'valid', 'dev'), 'validation'),
    **dict.fromkeys(('test', 'testing'), 'test'),
}
_BEFORE = ('train', 'validation', 'val', 'test')  # those that always were, beside train and test
_SHARE = 0.1  # of a split that the folder has no folder for
_ORIENTATION = 0x0112  # of EXIF's tags, and how a picture is put upright by its value
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Span(NamedTuple):
    """Where a picture lies in an archive, in bytes."""

    start: int
    size: int


Stamp = tuple[int, int]  # of a file: bytes, and time of change in ns


class Picture(NamedTuple):
    """A file of the folder, and the number of its class if there are classes."""

    path: str  # below the folder
    label: int | None


class Folder(NamedTuple):
    """What a folder of pictures holds. `listed` orders each split by a hash of the paths.

    Of an archive `folder` is its file, and `spans` has the place of each path in it; of others
    `stamps` has what each file was when it was listed.
    """

    folder: str
    splits: dict[str, list[Picture]]  # none of them empty
    classes: tuple[str, ...]
    digest: str  # of paths, sizes and times of change, and how they are split
    ignored: dict[str, str]  # links that lead nowhere, or round in a loop
    told: tuple[str, ...] = ()  # what a user must know of it, a line each
    spans: Mapping[str, Span] = {}
    stamps: Mapping[str, Stamp] = {}
    denied: Mapping[str, str] = {}  # pictures that may not be looked at, and why
    flag: str = '--images='  # that names it; none of a data set of the project

    @property
    def named(self) -> str:
        """What an error calls it."""
        return f'{self.flag}{self.folder}'


File = Path | str | IO[bytes]


class Settings(NamedTuple):
    """How pictures are recorded."""

    shape: tuple[int, int, int]  # height, width, channels
    quality: int  # of JPEG; 0: raw bytes


@functools.lru_cache(maxsize=4)
def listed(path: str) -> Folder:
    """Lists a folder: pictures of a class in a folder each (or below it), or all of them flat.

    Folders at the top that are all named like splits (train, val, testing, ...) are the splits;
    without one for validation or test, a tenth of train takes its place. Otherwise the set is
    split 80/10/10, each class by a hash of the paths, small classes together. Raises UsageError
    where there is no folder, DataError where it holds no pictures, or some beside the classes.
    """
    found = found_in(path, ENDINGS)
    check_open(found, f'--images={path}')
    tops = _splits_at_the_top(found)
    missing = [split for split in ('validation', 'test') if split not in tops.values()]
    if tops and 'train' not in tops.values():
        raise DataError(
            f'--images={path}: has {_named(tops)}, but no train/ to be trained on; to have the '
            f'pictures of {min(tops)}/ split, name that folder'
        )
    grouped: dict[str, dict[str | None, list[str]]] = {}
    for parts, _, _ in found.pictures:
        split = tops.get(parts[0], '') if len(parts) > 1 else ''
        inner = parts[1:] if split else parts
        name = inner[0] if len(inner) > 1 else None
        grouped.setdefault(split, {}).setdefault(name, []).append('/'.join(parts))
    names = {name for group in grouped.values() for name in group}
    if None in names and (len(names) > 1 or len(grouped) > 1 and '' in grouped):
        of, stray = next((s, p) for s, group in grouped.items() for p in group.get(None, []))
        others = next((s for s, group in grouped.items() if None not in group), '')
        if of and others and len(grouped[of]) == 1:
            top, other = (next(t for t, s in tops.items() if s == split) for split in (of, others))
            raise DataError(
                f'--images={path}: {stray} is of no class, and {other}/ has folders of classes; '
                f'name that folder, {path.rstrip("/")}/{other}, to be split, and give {top}/ to '
                '--mode=predict'
            )
        raise DataError(
            f'--images={path}: {stray} lies beside folders of pictures; put every picture into the '
            'folder of its class, or all of them into one folder'
        )
    classes = tuple(sorted(name for name in names if name is not None))
    splits, as_before = divided(grouped, missing, classes)
    as_before &= not tops or {'train', 'test'} <= tops.keys() <= {*_BEFORE}
    digest = digest_of(found, '' if as_before else f'{sorted(tops)}')
    told = [*_of_splits(path, tops, missing, splits, classes)]
    if len(classes) == 1 and all(len(parts) > 2 for parts, _, _ in found.pictures) and not tops:
        below = sorted({parts[1] for parts, _, _ in found.pictures})
        told.append(
            f'warning: {path}: all lies in the one folder {classes[0]}/, which is taken for a '
            f'class; to have {_named(below[:_SHOWN])} taken for what they are, name '
            f'{path.rstrip("/")}/{classes[0]}'
        )
    told += [of_classes(path, splits, classes), *of_unread(found, bool(tops))]
    made = Folder(path, splits, classes, digest, found.ignored, tuple(told))
    return made._replace(stamps=stamps_of(found), denied=found.denied)


@functools.lru_cache(maxsize=4)
def announced(path: str) -> Folder:
    """Lists a folder and prints, the first time in a process, what a user must know of it."""
    found = listed(path)
    say(*found.told)
    return found


@functools.lru_cache(maxsize=4)
def everything(path: str) -> Folder:
    """Lists all pictures below a folder, to be read by a finished run: one split, named 'all'.

    They are in the order of their paths. They have labels where every one of them lies in the
    folder of its class, in a folder for its split or not; otherwise there are no classes. Raises
    UsageError where there is no folder, DataError where it holds no pictures.
    """
    found = found_in(path, ENDINGS)
    tops = _splits_at_the_top(found)
    inner = [parts[1:] if parts[0] in tops else parts for parts, _, _ in found.pictures]
    labelled = all(len(parts) > 1 for parts in inner)
    classes = tuple(sorted({parts[0] for parts in inner})) if labelled else ()
    made = [
        Picture('/'.join(parts), classes.index(rest[0]) if labelled else None)
        for (parts, _, _), rest in zip(found.pictures, inner, strict=True)
    ]
    told = tuple(of_unread(found, bool(tops)))
    splits = {'all': sorted(made, key=lambda picture: picture.path)}
    ignored = found.ignored | found.closed
    listing = Folder(path, splits, classes, digest_of(found, 'all'), ignored, told)
    return listing._replace(stamps=stamps_of(found), denied=found.denied)


def _splits_at_the_top(found: Found) -> dict[str, str]:
    """Returns the split that each folder at the top is; none where any of them is no split."""
    tops = sorted({parts[0] for parts, _, _ in found.pictures if len(parts) > 1})
    if not all(top.lower() in SPLITS for top in tops):
        return {}
    return {top: SPLITS[top.lower()] for top in tops}


def divided(
    grouped: Mapping[str, Mapping[str | None, list[str]]],
    missing: list[str],
    classes: tuple[str, ...],
) -> tuple[dict[str, list[Picture]], bool]:
    """Returns the splits, and whether each class was divided by itself, as it once always was.

    `grouped` has the paths of each class (None: of no class) by the split that they are told to be
    of ('': of none); those `missing` are taken of train, each class by a hash of the paths.
    """
    splits: dict[str, list[Picture]] = {'train': [], 'validation': [], 'test': []}
    as_before = True
    for split, group in grouped.items():
        parts = ['train', *missing] if split in ('', 'train') else [split]
        shares = [round(1 - _SHARE * (len(parts) - 1), 1), *[_SHARE] * (len(parts) - 1)]
        lengths = [*map(len, group.values())]
        counts = sizes(lengths, shares)
        as_before &= np.array_equal(counts, alone(lengths, shares))
        for (name, paths), ends in zip(group.items(), np.cumsum(counts, axis=1), strict=True):
            label = None if name is None else classes.index(name)
            made = [Picture(path, label) for path in sorted(paths, key=hashed)]
            for part, start, end in zip(parts, (0, *ends), ends, strict=False):
                splits[part] += made[start:end]
    ordered = {
        split: sorted(made, key=lambda picture: hashed(picture.path))
        for split, made in splits.items()
        if made
    }
    return ordered, as_before


def hashed(path: str) -> bytes:
    """Returns what pictures are put in order by: a hash of the path."""
    return hashlib.sha256(os.fsencode(path)).digest()


def _named(tops: Iterable[str]) -> str:
    return ' and '.join(f'{top}/' for top in sorted(tops))


def _of_splits(
    path: str,
    tops: Mapping[str, str],
    missing: list[str],
    splits: Mapping[str, list[Picture]],
    classes: tuple[str, ...],
) -> Iterator[str]:
    """Yields what is made of folders named like splits, where that is not plain."""
    beside = sorted({name for name in classes if name.lower() in SPLITS})
    if len(beside) > 1 and len(beside) < len(classes):
        other = next(name for name in classes if name not in beside)
        yield f'warning: {_named(beside)} are taken for classes, as {other}/ lies beside them'
    for split in dict.fromkeys(tops.values()):
        same = [top for top in tops if tops[top] == split]
        if len(same) > 1:
            yield f'{path}: {_named(same)} are both the {split} split, and are taken together'
    taken = [split for split in missing if split in splits]
    if tops and taken:
        train = _named(top for top in tops if tops[top] == 'train')
        each = ' each' if len(taken) > 1 else ''
        yield f'{path}: no folder for {" and ".join(taken)}: a tenth of {train}{each} is taken'


def of_classes(path: str, splits: Mapping[str, list[Picture]], classes: tuple[str, ...]) -> str:
    """Says how many pictures there are, by class and split."""
    total = sum(map(len, splits.values()))
    pictures = '1 picture' if total == 1 else f'{total:,} pictures'
    names = '/'.join(splits)
    sums = '/'.join(f'{len(made):,}' for made in splits.values())
    if not classes:
        return f'{path}: {pictures} without classes, {names} {sums}'
    counts = Counter((split, p.label) for split, made in splits.items() for p in made)
    shown = [
        f'{name} {"/".join(f"{counts[split, label]:,}" for split in splits)}'
        for label, name in enumerate(classes[:_SHOWN])
    ]
    more = f', and {len(classes) - _SHOWN} more' if len(classes) > _SHOWN else ''
    kinds = 'class' if len(classes) == 1 else 'classes'
    what = f'{pictures} in {len(classes)} {kinds}, {names} {sums}'
    return f'{path}: {what}: {", ".join(shown)}{more}'


def fitted(file: File, shape: tuple[int, ...]) -> Image.Image:
    """Returns a picture upright, scaled and centre-cropped to [height, width, channels].

    Transparent parts become white, an animation its first frame. Raises whatever Pillow does, also
    where a file claims more pixels than Pillow's limit, 89 million.
    """
    height, width, channels = shape
    with opened_picture(file) as opened:
        opened.draft('RGB', (2 * max(height, width),) * 2)  # JPEG: decodes at a part of it
        picture = _upright(opened)
        if picture.mode == 'F':
            raise ValueError('its values are floating-point numbers of no known range')
        if picture.mode.startswith('I'):  # 16 bits
            values = np.asarray(picture, np.float64) / 257
            if values.min() < 0 or values.max() > 255:
                raise ValueError('its values are not of 16 bits')
            picture = Image.fromarray(values.round().astype(np.uint8))
        elif picture.has_transparency_data:
            picture = picture.convert('RGBA')
            white = Image.new('RGBA', picture.size, 'white')
            picture = Image.alpha_composite(white, picture)
        picture = picture.convert('L' if channels == 1 else 'RGB')
        return ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)


@contextmanager
def opened_picture(file: File) -> Iterator[Image.Image]:
    """Opens a picture; raises whatever Pillow does, also where too many pixels are claimed."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        warnings.simplefilter('error', Image.DecompressionBombWarning)
        with Image.open(file) as opened:
            yield opened


def _upright(opened: Image.Image) -> Image.Image:
    """Returns a picture turned as its EXIF says; as it lies where that cannot be read."""
    opened.load()
    try:
        turn = opened.getexif().get(_ORIENTATION)
    except Exception:  # of a damaged block anything, with its pixels whole
        turn = None
    return opened.transpose(_TURNS[turn]) if turn in _TURNS else opened.copy()


def encoded(file: File, settings: Settings, stamp: Stamp | None = None) -> bytes:
    """Returns a picture as it is recorded.

    Raises whatever Pillow does, and OSError where it is no file any more, or has another stamp.
    """
    if isinstance(file, Path | str):
        with disk.opened_regular(file, follows=True) as opened:
            picture = fitted(opened, settings.shape)
            status = os.fstat(opened.fileno())
        if stamp and stamp != (status.st_size, status.st_mtime_ns):
            raise OSError('it has changed since the folder was listed')
    else:
        picture = fitted(file, settings.shape)
    if not settings.quality:
        return picture.tobytes()
    written = io.BytesIO()
    picture.save(written, 'JPEG', quality=settings.quality)
    return written.getvalue()


def _convert(
    folder: str, chunk: list[tuple[str, Span | None, Stamp | None]], settings: Settings
) -> list[bytes | str]:
    """Returns each picture as it is recorded, or the reason why it cannot be read."""
    made: list[bytes | str] = []
    for path, span, stamp in chunk:
        try:
            file = f'{folder}/{path}' if span is None else taken(folder, span)
            made.append(encoded(file, settings, stamp))
        except Exception as error:  # a damaged file can raise anything, in any of Pillow's readers
            made.append(reason(error))
    return made


def taken(archive: str, span: Span) -> io.BytesIO:
    """Returns what lies there in an archive."""
    with open(archive, 'rb') as opened:
        opened.seek(span.start)
        return io.BytesIO(opened.read(span.size))


def reason(error: Exception) -> str:
    """Says in a few words why a picture cannot be read."""
    if isinstance(error, UnidentifiedImageError):
        return 'not a picture, or damaged'
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
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
        [
            (p.path, found.spans.get(p.path), found.stamps.get(p.path))
            for p in job[start : start + _CHUNK]
        ]
        for job in jobs
        for start in range(0, len(job), _CHUNK)
    ]
    workers = min(cores.number(), len(chunks))
    with Bar('recording', sum(map(len, jobs)), 'picture') as bar:

        def results(made: Iterable[list[bytes | str]]) -> Iterator[bytes | str]:
            for chunk in made:
                check()
                bar.advance(len(chunk))
                yield from chunk

        def streams(flat: Iterator[bytes | str]) -> Iterator[Stream]:
            for job in jobs:
                yield ((picture, next(flat)) for picture in job)

        if workers < 2:
            yield streams(results(_convert(found.folder, chunk, settings) for chunk in chunks))
            return
        context = multiprocessing.get_context('spawn')
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)
        try:
            tasks = ((found.folder, chunk, settings) for chunk in chunks)
            yield streams(results(_in_order(pool, tasks, 2 * workers + 2)))
        except (BrokenProcessPool, BrokenPipeError):
            raise DataError(
                f'{found.named}: a process that read pictures was killed (memory?); the '
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


def readable(stream: Stream, unreadable: dict[str, str]) -> Iterator[tuple[Picture, bytes]]:
    """Yields each picture with what is recorded of it; puts the others aside, with the reason."""
    for picture, made in stream:
        if isinstance(made, str):
            unreadable[picture.path] = made
        else:
            yield picture, made


def places(found: Folder) -> dict[str, int]:
    """Returns the number of each picture in the order of all paths, whatever its split."""
    paths = sorted(picture.path for split in found.splits.values() for picture in split)
    return {path: place for place, path in enumerate(paths)}


def say_left_out(files: Mapping[str, str]) -> None:
    """Prints files that could not be read or used, with the reasons."""
    for path, why in [*files.items()][:_SHOWN]:
        say(f'warning: {path} is left out: {why}')
    if len(files) > _SHOWN:
        say(f'warning: {len(files) - _SHOWN} more are left out')


def say_what_is_left_out(
    found: Folder, unreadable: Mapping[str, str], splits: Mapping[str, Any]
) -> None:
    """Prints what could not be read or used; raises DataError where that is too much."""
    say_left_out(found.ignored | dict(unreadable))
    total = sum(map(len, found.splits.values())) + len(found.denied)
    applied = 'all' in splits  # a finished run is, to as many as there are
    if len(unreadable) > (1 - 1e-9 if applied else UNREADABLE) * total:
        path, why = next(iter(unreadable.items()))
        over = '' if applied else f'over {UNREADABLE:.0%}, '
        raise DataError(
            f'{found.named}: {len(unreadable)} of {total} pictures cannot be read, {over}so '
            f'nothing is recorded; the first is {path} ({why})'
        )
    for split in (split for split in found.splits if split != 'validation'):
        if not splits[split]['examples']:
            raise DataError(f'{found.named}: no picture of the {split} split can be read')
