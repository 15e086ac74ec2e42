"""Files of arrays that are damaged, claim too much, or hold what is no example, made by code."""

from __future__ import annotations

import io
import os
import pickle
import socket
import struct
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from torture.cases import EITHER, LINE, RIGHT, TOUCHED, Case, Made

_FLAGS = (
    '--experiment=basic', '--set=hidden=3', '--set=epochs=1', '--set=steps_per_epoch=2',
    '--set=parts=1', '--nofigures',
)  # fmt: skip
_X = np.random.default_rng(0).random((40, 6), np.float32)
_Y = np.arange(40) % 3


class _Touches:
    """What makes a file when it is unpickled."""

    def __init__(self, file: Path):
        self._file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._file),)


def saved(**arrays: np.ndarray) -> Made:
    """Returns what saves arrays as NumPy does."""
    return written(lambda folder: _saved(np.savez, **arrays))


def _saved(save: Callable[..., None], **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def written(content: bytes | Callable[[Path], bytes]) -> Made:
    """Returns what writes these bytes as a file of arrays."""

    def made(folder: Path) -> Sequence[str]:
        (folder / 'x.npz').write_bytes(content(folder) if callable(content) else content)
        return flags_of(folder)

    return made


def flags_of(folder: Path) -> Sequence[str]:
    """Returns the flags of a run on the file of arrays in a folder."""
    return (*_FLAGS, f'--array={folder}/x.npz')


def plain(folder: Path) -> Sequence[str]:
    """Saves arrays that are as they should be."""
    return saved(x=_X, y=_Y)(folder)


def npy(array: np.ndarray) -> bytes:
    """Returns an array as NumPy writes one alone."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def headed(header: str | bytes, body: bytes = b'', version: int = 1) -> bytes:
    """Returns a file of one array with this header."""
    text = header.encode() if isinstance(header, str) else header
    length = struct.pack('<H' if version == 1 else '<I', len(text))
    return b'\x93NUMPY' + bytes((version, 0)) + length + text + body


def shaped(shape: object, descr: object = '<f4', body: bytes = bytes(1000)) -> Made:
    """Returns what writes x with a header of this shape and type, as Python writes them."""
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}"
    return members(('x.npy', headed(header, body)))


def members(*named: tuple[str, bytes], how: int = zipfile.ZIP_STORED) -> Made:
    """Returns what writes an archive with these members."""
    return written(lambda folder: zipped(*named, how=how))


def zipped(*named: tuple[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    """Returns an archive with these members."""
    file = io.BytesIO()
    with warnings.catch_warnings(action='ignore'), zipfile.ZipFile(file, 'w', how) as packed:
        for name, content in named:
            packed.writestr(name, content)
    return file.getvalue()


def edited(at: bytes, offset: int, new: bytes, last: bool = True) -> Made:
    """Returns what changes bytes of an honest archive, counted from the mark of a part of it."""
    content = bytearray(zipped(('x.npy', npy(_X)), how=zipfile.ZIP_DEFLATED))
    begin = (content.rindex(at) if last else content.index(at)) + offset
    content[begin : begin + len(new)] = new
    return written(bytes(content))


def _cut(part: float) -> Made:
    content = _saved(np.savez_compressed, x=_X, y=_Y)
    return written(content[: int(part * len(content))])


def _packed(size: int) -> Made:
    """Returns what writes zeros, so many bytes, packed, of which the directory tells a thousand."""

    def made(folder: Path) -> Sequence[str]:
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({size // 16}, 4), }}"
        file = zipfile.ZipFile(folder / 'x.npz', 'w', zipfile.ZIP_DEFLATED, compresslevel=1)
        with file, file.open('x.npy', 'w') as member:
            member.write(headed(header))
            for _ in range(size >> 20):
                member.write(bytes(1 << 20))
        content = bytearray((folder / 'x.npz').read_bytes())
        begin = content.rindex(b'PK\x01\x02') + 24
        content[begin : begin + 4] = struct.pack('<I', 1000)
        (folder / 'x.npz').write_bytes(content)
        return flags_of(folder)

    return made


def _unpickled(name: str) -> Made:
    header = "{'descr': '|O', 'fortran_order': False, 'shape': (40,), }"

    def content(folder: Path) -> bytes:
        evil = pickle.dumps(_Touches(folder / TOUCHED))
        arrays = {'x.npy': npy(_X), name: headed(header, evil)}
        return zipped(*arrays.items())

    return written(content)


def _in_place(make: Callable[[Path], Any]) -> Made:
    """Returns what puts something that is no file in its place."""

    def made(folder: Path) -> Sequence[str]:
        make(folder / 'x.npz')
        return flags_of(folder)

    return made


def _socket(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        here = os.open(file.parent, os.O_RDONLY)
        opened.bind(f'/proc/self/fd/{here}/{file.name}')  # whose own path may be too long
        os.close(here)


def _sparse(file: Path) -> None:
    file.touch()
    os.truncate(file, 4 << 30)


def _nested(depth: int) -> object:
    made: object = '<f4'
    for _ in range(depth):
        made = [('a', made)]
    return made


_DIRECTORY, _LOCAL, _END = b'PK\x01\x02', b'PK\x03\x04', b'PK\x05\x06'
_LZMA = zipped(('x.npy', npy(_X)), how=zipfile.ZIP_LZMA)[100:109]  # bytes in its midst
_NO_WORDS = np.full(40, 0x7FFFFFFF, '<u4').view('<U1')
_ONES = ('x.npy', npy(_X)), ('x.npy', npy(_X * 0))
CASES: dict[str, Case] = {
    'as they should be': Case(plain),
    'x twice': Case(members(*_ONES), LINE),
    'x, and x.npy': Case(members(('x', npy(_X)), _ONES[1]), LINE),
    'y twice': Case(members(_ONES[0], ('y.npy', npy(_Y)), ('y.npy', npy(_Y))), LINE),
    'what is not read, twice': Case(members(_ONES[0], ('z', b''), ('z.npy', npy(_Y))), LINE),
    'no member': Case(members(), LINE),
    'a member of no name': Case(members((' ', npy(_X))), LINE),
    'x that is words': Case(members(('x.npy', b'words')), LINE),
    'x that is empty': Case(members(('x.npy', b'')), LINE),
    '50,000 members': Case(written(
        lambda folder: zipped(_ONES[0], *((f'{k}.npy', npy(_Y[:1])) for k in range(50_000))))),
    'members that lead out': Case(written(lambda folder: zipped(
        _ONES[0], ('../' * 20 + str(folder.resolve() / TOUCHED)[1:], npy(_Y))))),
    'packed by bzip2': Case(members(_ONES[0], how=zipfile.ZIP_BZIP2)),
    'packed by LZMA': Case(members(_ONES[0], how=zipfile.ZIP_LZMA)),
    'packed in a way that nobody knows': Case(edited(_DIRECTORY, 10, b'\x63'), LINE),
    'encrypted': Case(edited(_DIRECTORY, 8, b'\1'), LINE),
    'damaged, packed by LZMA': Case(
        written(zipped(_ONES[0], how=zipfile.ZIP_LZMA).replace(_LZMA, bytes(9))), LINE),
    'another checksum': Case(edited(_DIRECTORY, 16, b'none'), LINE),
    'a directory that lies elsewhere': Case(edited(_END, 16, b'\xff\xff\xff\x7f'), LINE),
    'a member that lies elsewhere': Case(edited(_DIRECTORY, 42, b'\xff\xff\xff\x7f'), LINE),
    'a member of no mark': Case(edited(_LOCAL, 0, b'none', last=False), LINE),
    'a member of another name': Case(edited(_LOCAL, 30, b'y', last=False), LINE),
    'a directory of 65,535 entries': Case(edited(_END, 10, b'\xff\xff'), EITHER),
    'a claim of 4 GB': Case(edited(_DIRECTORY, 24, b'\xfe\xff\xff\xff'), EITHER),
    'words before it': Case(written(b'words' + zipped(_ONES[0])), LINE),
    'words after it': Case(written(zipped(_ONES[0]) + b'words'), EITHER),
    **{f'cut at {part:.0%}': Case(_cut(part), LINE) for part in (0.001, 0.1, 0.5, 0.9, 0.999)},
    'a gigabyte, told as a kilobyte': Case(_packed(1 << 30), LINE),
    'a header that is no Python': Case(members(('x.npy', headed("{'descr': "))), LINE),
    'a header that is called': Case(written(lambda folder: zipped(
        ('x.npy', headed(f"__import__('os').mkdir({str(folder / TOUCHED)!r})")))), LINE),
    'a header nested deep': Case(members(('x.npy', headed('(' * 9000))), LINE),
    'a header nested deep, of minus': Case(members(('x.npy', headed('-' * 9000 + '1'))), LINE),
    'a header that is a list': Case(members(('x.npy', headed('[1, 2]'))), LINE),
    'a header of zeros': Case(members(('x.npy', headed(bytes(100)))), LINE),
    'a header of megabytes': Case(members(('x.npy', headed('1' * 9_000_000, version=2))), LINE),
    'a header of 4 GB, that is not there': Case(
        members(('x.npy', b'\x93NUMPY\x02\x00\xff\xff\xff\xff')), LINE),
    'a version of none': Case(members(('x.npy', headed('{}', version=9))), LINE),
    'a shape of a petabyte': Case(shaped((1 << 40, 256)), LINE),
    'a shape of 10^30': Case(shaped((10**30, 6)), LINE),
    'a shape below 0': Case(shaped((-40, 6)), LINE),
    'a shape that is true': Case(shaped((True, 6)), LINE),
    'a shape with a point': Case(shaped((40.0, 6.0)), LINE),
    'a shape that is a number': Case(shaped(240), LINE),
    'no rows of 10^12': Case(shaped((0, 10**12)), LINE),
    '10^12 rows of nothing': Case(shaped((10**12, 0)), LINE),
    '10^12 rows of a type without bytes': Case(shaped((10**12, 2), '|V0'), LINE),
    'a hundred axes': Case(shaped((1,) * 100), LINE),
    'a type of none': Case(shaped((40, 6), 'nothing'), LINE),
    'a type of a gigabyte': Case(shaped((1, 1), '|V1000000000'), LINE),
    'a type nested deep': Case(shaped((1, 1), _nested(200)), LINE),
    'words of a gigabyte': Case(shaped((1, 1), '<U250000000'), LINE),
    'less than it says': Case(shaped((40, 6), body=bytes(100)), LINE),
    'more than it says': Case(shaped((40, 6)), RIGHT),
    'pickled x': Case(_unpickled('x.npy'), LINE),
    'pickled y': Case(_unpickled('y.npy'), LINE),
    'pickled, and not read': Case(_unpickled('z.npy')),
    'objects': Case(saved(x=_X.astype(object)), LINE),
    'words': Case(saved(x=_X.astype(str)), LINE),
    'rank 0': Case(saved(x=np.array(1.0)), LINE),
    'rank 1': Case(saved(x=_X[:, 0]), LINE),
    'rank 6': Case(saved(x=_X.reshape(40, 1, 2, 1, 3, 1))),
    'rank 30': Case(saved(x=_X.reshape(40, 6, *[1] * 28))),
    'rank 64': Case(saved(x=_X.reshape(40, 6, *[1] * 62))),
    'half a million columns': Case(saved(x=np.ones((4, 500_000), np.uint8)), EITHER),
    'long doubles': Case(saved(x=_X.astype(np.longdouble))),
    'the greatest whole numbers': Case(saved(x=np.full((40, 6), 2**64 - 1, np.uint64)), EITHER),
    'the least numbers': Case(saved(x=np.full((40, 6), 1e-45, np.float32)), EITHER),
    'the greatest numbers': Case(saved(x=np.full((40, 6), 3e38, np.float32) * (1 - _X)), EITHER),
    'no number': Case(saved(x=_X * np.nan), LINE),
    'labels of megabytes': Case(
        lambda folder: saved(x=_X, y=np.array(['a' * 1_000_000, 'b'] * 20))(folder), EITHER),
    'labels for half': Case(saved(x=_X, y=_Y[:20]), EITHER),
    'lengths of no number': Case(saved(x=_X, length=np.full(40, np.nan)), LINE),
    'splits in bytes that are no text': Case(saved(x=_X, split=np.array([b'\xff'] * 40)), LINE),
    'splits of no characters': Case(saved(x=_X, split=_NO_WORDS), LINE),
    'labels of no characters': Case(saved(x=_X, y=_NO_WORDS), LINE),
    'nothing': Case(lambda folder: flags_of(folder), LINE),
    'no bytes': Case(written(b''), LINE),
    'one array': Case(written(npy(_X)), LINE),
    'a pickle': Case(written(pickle.dumps(_X)), LINE),
    'a pipe': Case(_in_place(os.mkfifo), LINE),
    'a socket': Case(_in_place(_socket), LINE),
    'a folder': Case(_in_place(os.mkdir), LINE),
    'a link to itself': Case(_in_place(lambda file: file.symlink_to(file.name)), LINE),
    'a link to what never ends': Case(_in_place(lambda file: file.symlink_to('/dev/zero')), LINE),
    'zeros of 4 GB': Case(_in_place(_sparse), LINE),
}  # fmt: skip
