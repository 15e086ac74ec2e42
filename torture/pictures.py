"""Folders of pictures, with pipes, knots of links, bombs, and what changes, made by code."""

from __future__ import annotations

import ctypes
import io
import os
import shutil
import struct
import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from torture.cases import EITHER, LINE, RIGHT, Case, Made

_FLAGS = (
    '--experiment=conv_ae', '--set=image_size=16', '--set=filters=2', '--set=code_size=2',
    '--set=epochs=1', '--set=steps_per_epoch=2', '--set=parts=1', '--nofigures',
)  # fmt: skip
_RIGHTS = (1, 2)  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of linux/capability.h
_VERSION = 0x20080522  # of what capget takes
_DROP = 24  # PR_CAPBSET_DROP of linux/prctl.h
_MEANWHILE_SECONDS = 30.0


def holding(add: Callable[[Path], object], count: int = 60, side: int = 20) -> Made:
    """Returns what draws so many pictures in two classes, and then adds what is odd."""

    def made(folder: Path) -> Sequence[str]:
        for number in range(count):
            drawn(folder / f'mine/{"ab"[number % 2]}/{number}.png', side)
        (folder / 'mine').mkdir(exist_ok=True)
        add(folder / 'mine')
        return (*_FLAGS, f'--images={folder}/mine')

    return made


def drawn(file: Path, side: int = 20) -> None:
    """Saves a picture of noise."""
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(file.name)).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(noise).save(file)


def png_of(
    width: int, height: int, colours: int, *chunks: tuple[bytes, bytes], bits: int = 8
) -> bytes:
    """Returns a PNG that claims this size, with chunks of (kind, content) after its header."""
    header = struct.pack('>IIBBBBB', width, height, bits, colours, 0, 0, 0)
    made = b'\x89PNG\r\n\x1a\n'
    for kind, content in ((b'IHDR', header), *chunks):
        crc = struct.pack('>I', zlib.crc32(kind + content))
        made += struct.pack('>I', len(content)) + kind + content + crc
    return made


def _files(contents: Sequence[bytes], ending: str = 'png') -> Callable[[Path], None]:
    """Returns what writes these as pictures of the first class."""

    def add(mine: Path) -> None:
        (mine / 'a').mkdir(exist_ok=True)
        for number, content in enumerate(contents):
            (mine / f'a/odd{number}.{ending}').write_bytes(content)

    return add


def _encoded(form: str, side: int = 60, **options: Any) -> bytearray:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(noise).save(file, form, **options)
    return bytearray(file.getvalue())


def _claims(form: str, mark: bytes, offset: int, size: bytes) -> bytes:
    """Returns a picture that claims another size than it has."""
    content = _encoded(form)
    begin = content.index(mark) + offset
    content[begin : begin + len(size)] = size
    return bytes(content)


_TRUE = zlib.compress(bytes(3 * 20 + 1) * 20)
_BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {  # what claims, or unpacks to, too much
    'PNG': (lambda: png_of(60_000, 60_000, 2, (b'IDAT', _TRUE)), 'png'),
    'JPEG': (lambda: _claims('JPEG', b'\xff\xc0', 5, b'\xff\xdc\xff\xdc'), 'jpg'),
    'GIF': (lambda: _claims('GIF', b'GIF8', 6, b'\xe8\xfd\xe8\xfd'), 'gif'),
    'BMP': (lambda: _claims('BMP', b'BM', 18, struct.pack('<ii', 2**31 - 1, -(2**31))), 'bmp'),
    'words': (lambda: png_of(20, 20, 2, (b'zTXt', b'a\0\0' + _zeros()), (b'IDAT', _TRUE)), 'png'),
    'pixels': (lambda: png_of(20, 20, 2, (b'IDAT', _zeros())), 'png'),
}
_FORMS = ('PNG', 'JPEG', 'GIF', 'WEBP', 'BMP', 'TIFF')


def _zeros() -> bytes:
    return zlib.compress(bytes(200 << 20), 1)


def _animated() -> bytes:
    more = [Image.new('RGB', (4, 4), (k % 256, k // 256, 0)) for k in range(3000)]
    return bytes(_encoded('GIF', 4, save_all=True, append_images=more))


def _odd(made: Callable[[], bytes], ending: str, count: int = 1) -> Callable[[Path], None]:
    """Returns what writes so many pictures that are alike, of bytes that are made then."""
    return lambda mine: _files([made()] * count, ending)(mine)


def _times(count: int, add: Callable[[Path, int], object]) -> Callable[[Path], None]:
    def added(mine: Path) -> None:
        for number in range(count):
            add(mine, number)

    return added


def _pipes(mine: Path, count: int) -> None:
    for number in range(count):
        os.mkfifo(mine / f'pipe{number}.png')


def _links(mine: Path, **named: str) -> None:
    for name, target in named.items():
        (mine / 'a').mkdir(exist_ok=True)
        os.symlink(target, mine / 'a' / name.replace('_', '.'))


def _knot(mine: Path) -> None:
    for here in range(8):
        (mine / f'c{here}').mkdir()
        for there in range(8):
            os.symlink(f'../c{there}', mine / f'c{here}' / f'to{there}')


def _nested(mine: Path, depth: int, name: str = 'd') -> None:
    """Puts a picture into a folder in a folder and so on; its path may be longer than can be."""
    drawn(mine / 'deep.png')
    here = os.open(mine / 'a', os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.rename(mine / 'deep.png', 'deep.png', dst_dir_fd=here)
    os.close(here)


def _closed(mine: Path, *patterns: str) -> None:
    """Takes away the right to read what the patterns find."""
    for pattern in patterns:
        for path in [mine.parent / pattern] if pattern == mine.name else sorted(mine.glob(pattern)):
            path.chmod(0)


def as_anybody(_: Path) -> None:
    """Has no right to read what was closed, nor to write there, which Linux has given to root."""
    libc = ctypes.CDLL(None)
    header, rights = (ctypes.c_uint32 * 2)(_VERSION, 0), (ctypes.c_uint32 * 6)()
    libc.capget(header, rights)
    for number in _RIGHTS:
        libc.prctl(_DROP, number, 0, 0, 0)  # of what is started from here too
    for kind in range(3):  # effective, permitted, inherited
        rights[kind] &= ~sum(1 << number for number in _RIGHTS)
    libc.capset(header, rights)


def _meanwhile(change: Callable[[Path], object]) -> Callable[[Path], None]:
    """Returns what starts a process that changes the pictures again and again, once it is begun."""

    def around(folder: Path) -> None:
        if os.fork():
            return
        try:
            until = time.monotonic() + _MEANWHILE_SECONDS
            while not list(folder.glob('data/records/*')) and time.monotonic() < until:
                time.sleep(0.01)
            while time.monotonic() < until:
                change(folder / 'mine')
                time.sleep(0.01)
        finally:
            os._exit(0)

    return around


def _each(mine: Path, change: Callable[[Path], object]) -> None:
    for file in sorted(mine.glob('*/*.png')):
        change(file)


def _to_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


_many = partial(holding, count=400, side=300)
_CASES: dict[str, Case] = {
    'as they should be': Case(holding(lambda mine: None)),
    'none': Case(holding(lambda mine: None, 0), LINE),
    'fifty pipes': Case(holding(lambda mine: _pipes(mine / 'a', 50))),
    'nothing but pipes': Case(holding(lambda mine: _pipes(mine, 50), 0), LINE),
    'a device': Case(holding(lambda mine: _links(mine, zero_png='/dev/zero'))),
    'a loop of links': Case(holding(lambda mine: _links(mine, again='..', self='self'))),
    'a knot of links': Case(holding(_knot), LINE),
    'links to nothing': Case(holding(lambda mine: _links(mine, x_png='nothing', y='/nothing'))),
    'a link to all processes': Case(holding(lambda mine: _links(mine, c='/proc')), EITHER),
    'a thousand folders deep': Case(holding(lambda mine: _nested(mine, 1000))),
    'deeper than a path may be': Case(holding(lambda mine: _nested(mine, 40, 'd' * 250)), LINE),
    'names of 255 bytes': Case(holding(lambda mine: drawn(mine / f'a/{"x" * 251}.png'))),
    'names that are no text': Case(
        holding(lambda mine: drawn(mine / os.fsdecode(b'\xff') / os.fsdecode(b'\n\xfe.png')))),
    '20,000 other files': Case(holding(_files([b''] * 20_000, 'txt'))),
    '5,000 empty folders': Case(
        holding(_times(5000, lambda mine, k: (mine / f'c{k}').mkdir()))),
    '3,000 classes of one picture': Case(
        holding(_times(3000, lambda mine, k: drawn(mine / f'c{k}/0.png', 2)))),
    'a picture beside classes': Case(holding(lambda mine: drawn(mine / 'odd.png')), LINE),
    'two of 62 are none': Case(holding(_files([b'words', b'']))),
    'five of 65 are none': Case(holding(_files([b'words', b''] * 3)), LINE),
    'all are none': Case(holding(_files([b'words'] * 20), 0), LINE),
    **{f'a cut {form}': Case(holding(_files([bytes(_encoded(form)[:900])], form.lower())))
       for form in _FORMS},
    **{f'a bomb: {name}': Case(holding(_odd(*bomb))) for name, bomb in _BOMBS.items()},
    'nothing but bombs': Case(holding(_odd(*_BOMBS['PNG'], 50), 0), LINE),
    'an animation of 3,000': Case(holding(_odd(_animated, 'gif'))),
    'as large as may be': Case(holding(lambda mine: Image.new('L', (9400, 9400)).save(
        mine / 'a/large.png', compress_level=1))),
    'one that may not be read': Case(holding(lambda mine: _closed(mine, 'a/0.png')), RIGHT,
        as_anybody),
    'half that may not be read': Case(holding(lambda mine: _closed(mine, 'b/*.png')), LINE,
        as_anybody),
    'a class that may not be listed': Case(holding(lambda mine: _closed(mine, 'b')), LINE,
        as_anybody),
    'none that may be listed': Case(holding(lambda mine: _closed(mine, 'mine')), LINE, as_anybody),
    'replaced meanwhile': Case(_many(lambda mine: None), EITHER,
        _meanwhile(lambda mine: _each(mine, lambda file: drawn(file, 30)))),
    'cut meanwhile': Case(_many(lambda mine: None), EITHER,
        _meanwhile(lambda mine: _each(mine, lambda file: os.truncate(file, 500)))),
    'pipes meanwhile': Case(_many(lambda mine: None), EITHER,
        _meanwhile(lambda mine: _each(mine, _to_a_pipe))),
    'gone meanwhile': Case(_many(lambda mine: None), EITHER,
        _meanwhile(lambda mine: shutil.rmtree(mine, ignore_errors=True))),
}  # fmt: skip
# What is refused while other processes read pictures leaves these to the end of its own process.
CASES = {name: case._replace(is_started=case.end != RIGHT) for name, case in _CASES.items()}
