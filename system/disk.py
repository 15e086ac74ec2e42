"""Files and folders that are on disk whole under their names, or not at all."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from system.errors import UsageError

_LEFT_SECONDS = 86_400.0  # after which nobody goes on with what was begun
_LONGEST = 220  # bytes of a name, to which more is added


def beside(target: Path) -> Path:
    """Returns the name under which a folder is written that one process at a time goes on with."""
    return target.with_name(f'.{target.name}.writing')


def tidy(folder: Path, others: tuple[str, ...] = ()) -> None:
    """Removes what interrupted writes left in a folder.

    What begins as one of `others` another process may be writing, and it goes a day after.
    """
    if folder.is_symlink():
        return
    for left in folder.glob('.*.writing'):
        if not left.name.startswith(tuple(f'.{begin}' for begin in others)):
            remove(left)
    for begin in others:
        _forget(folder, f'.{begin}')


def _forget(folder: Path, begin: str) -> None:
    """Removes what writes that were interrupted long ago left, of names that begin so."""
    for left in folder.glob(f'{glob.escape(begin)}*.writing'):
        with contextlib.suppress(OSError):
            if time.time() - left.lstat().st_mtime > _LEFT_SECONDS:
                remove(left)


@contextlib.contextmanager
def whole(file: Path, mode: str = 'w', **options: Any) -> Iterator[IO[Any]]:
    """Opens a file beside `file` for writing, which takes its place when the block has ended well.

    Raises OSError where it cannot be written; what was begun is removed then, and an older `file`
    stays.
    """
    if 'b' not in mode:  # names are written with the bytes that they have
        options = {'encoding': 'utf-8', 'errors': 'surrogateescape', **options}
    with replaced(file) as aside, open(aside, mode, **options) as opened:
        yield opened


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Makes an empty folder that takes the place of `folder` when the block has ended well."""
    with replaced(folder) as aside:
        remove(aside)
        aside.mkdir(parents=True)
        yield aside


@contextlib.contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """Yields the name that `target` is written under until the block has ended well.

    It is nobody else's: of two processes that write one target, the one that ends last has it. What
    a killed one left is removed by a later one, a day after.
    """
    begin = os.fsdecode(os.fsencode(f'.{target.name}')[:_LONGEST])
    _forget(target.parent, f'{begin}.')
    aside = target.with_name(f'{begin}.{secrets.token_hex(4)}.writing')
    try:
        yield aside
        move(aside, target)
    except BaseException as error:
        with contextlib.suppress(OSError):  # of a disk that cannot be written the first is told
            remove(aside)
        if isinstance(error, OSError) and error.filename in (None, str(aside)):
            error.filename = str(target)  # which is what a full disk leaves unsaid
        raise


def made_inside(folder: Path) -> Path:
    """Makes a folder where there is none, and returns it.

    Raises UsageError where something else is in its place, as a link that leads elsewhere.
    """
    if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
        raise UsageError(f'{folder}: is a file or a link, and no folder to write into; remove it')
    folder.mkdir(exist_ok=True)
    return folder


def appended(file: Path) -> IO[str]:
    """Opens a text to be added to, a line at a time, which takes whatever is printed.

    Raises UsageError where something else is in its place, as a link that leads elsewhere.
    """
    if os.path.lexists(file) and (file.is_symlink() or not file.is_file()):
        raise UsageError(f'{file}: is a link or a folder, and no file to write to; remove it')
    return open(file, 'a', buffering=1, encoding='utf-8', errors='backslashreplace')


def write_json(file: Path, content: Any) -> None:
    """Writes JSON, indented, to the file."""
    with whole(file) as opened:
        json.dump(content, opened, indent=1)
        opened.write('\n')


def move(aside: Path, target: Path) -> None:
    """Gives a written file or folder its name, once all of it is on the disk itself.

    A file of that name is replaced; a folder of that name is removed.
    """
    for path in (*aside.rglob('*'), aside):  # of a file: the file alone
        flush(path)
    if target.is_dir():
        remove(target)
    os.replace(aside, target)
    flush(target.parent)


def remove(path: Path) -> None:
    """Removes a file, or a folder with all that is in it, if it is there; of a link, the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def opened_regular(file: Path | str, *, follows: bool = False, at: int | None = None) -> IO[bytes]:
    """Opens a file for reading, which may be behind a link only where it `follows` links.

    `at` is the descriptor of the folder that its path begins in, where that is not the usual one.

    Raises OSError where it is a pipe or anything else that is no file itself, and does not wait.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follows else os.O_NOFOLLOW)
    descriptor = os.open(file, flags, dir_fd=at)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
        raise OSError(errno.EINVAL, 'no regular file', str(file))
    return open(descriptor, 'rb')


def read_regular(file: Path, most: int) -> bytes:
    """Returns the first bytes of a file, `most` of them at most.

    Raises OSError where it is a link, a pipe or anything else that is no file itself.
    """
    with opened_regular(file) as opened:
        return opened.read(most)


def content(file: Path | str) -> bytes:
    """Returns what a file holds, be it behind links; raises OSError where it is none itself."""
    with opened_regular(file, follows=True) as opened:
        return opened.read()


def read_below(folder: Path, path: Path, most: int) -> bytes:
    """Returns the first bytes of a file at a path below a folder, `most` of them at most.

    Raises OSError where it, or what leads to it there, is a link, or it is no file itself.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    at = os.open(folder, flags)
    try:
        for part in path.parts[:-1]:
            inner = os.open(part, flags | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = inner
        with opened_regular(path.name, at=at) as opened:
            return opened.read(most)
    finally:
        os.close(at)


def flush(path: Path) -> None:
    """Returns when the file, or the folder's list of names, is on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(file: Path) -> str:
    """Returns a file's sha256 in hexadecimal."""
    with open(file, 'rb') as opened:
        return hashlib.file_digest(opened, 'sha256').hexdigest()
