"""Pictures made the size that is recorded.

Reading and encoding go on in processes of their own, which import this module without TensorFlow.
"""

from __future__ import annotations

import errno
import io
import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from inputs.pictures import Folder, Picture, Span, Stamp
from system import cores, disk
from system.errors import DataError
from system.progress import Bar

_CHUNK = 64  # pictures a process is handed at a time
_ORIENTATION = 0x0112  # of EXIF's tags, and how a picture is put upright by its value
_WHITE = 262  # of TIFF's tags: 0 where white is
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

OF_THE_PROCESS = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)  # and not of a picture
OF_THE_NETWORK = (errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENOTCONN,
                  errno.ECONNRESET, errno.ENETUNREACH, errno.EHOSTUNREACH)  # fmt: skip

File = Path | str | IO[bytes]


class Settings(NamedTuple):
    """How pictures are recorded."""

    shape: tuple[int, int, int]  # height, width, channels
    quality: int  # of JPEG; 0: raw bytes


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
            if getattr(opened, 'tag_v2', {}).get(_WHITE) == 0:  # of 8 bits Pillow does it
                values = 255 - values
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
            passing = (*OF_THE_PROCESS, *OF_THE_NETWORK)
            if isinstance(error, OSError) and error.errno in passing:  # it may be read another time
                raise OSError(error.errno, error.strerror, f'{folder}/{path}') from None
            if isinstance(error, MemoryError):
                raise
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
