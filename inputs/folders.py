"""What lies below a folder of pictures: the pictures, links that lead nowhere, and other files."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from system.errors import DataError, UsageError

_SHOWN = 10  # folders, or endings, that are told of by name
_SYSTEM = ('thumbs.db', 'desktop.ini', 'lost+found')  # beside pictures, and need no word
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # of links that lead nowhere
_VISITS = 20  # of a folder at most, by the links that lead to it


class Seen(NamedTuple):
    """A picture: the parts of its path, bytes, and time of change in ns."""

    parts: tuple[str, ...]
    size: int
    changed: int

    @property
    def path(self) -> str:
        """Its path below the folder."""
        return '/'.join(self.parts)


class Found(NamedTuple):
    """What lies below a folder, by path where it is not read: the reason."""

    pictures: list[Seen]
    ignored: dict[str, str]  # links that lead nowhere, or in a loop, and what is no file
    unread: Counter[tuple[tuple[str, ...], str]]  # files that are no pictures, by folder and ending
    denied: dict[str, str]  # pictures that may not be looked at
    closed: dict[str, str]  # folders that may not


def found_in(path: str, endings: tuple[str, ...], what: str = '') -> Found:
    """Finds all pictures below a folder, files of these endings; an error calls it `what`.

    Raises UsageError where there is no folder, DataError where it holds none that can be read.
    """
    what = what or f'--images={path}'
    if not os.path.isdir(path):
        remedy = ''
        if os.path.isfile(path):
            is_picture = path.lower().endswith(endings)
            remedy = '; it is a file: ' + ('name its folder' if is_picture else 'unpack it first')
        raise UsageError(f'{what}: no such folder{remedy}')
    found = Found([], {}, Counter(), {}, {})
    try:
        found.pictures.extend(sorted(_walk(path, endings, found, what)))
    except OSError as error:
        raise UsageError(f'{what}: cannot be read ({error.strerror})') from None
    for name, why in found.denied.items() if not found.pictures else ():
        raise DataError(f'{what}: no picture there can be read; the first is {name} ({why})')
    if not found.pictures:
        read = f'read are {", ".join(endings)}'
        if found.unread:
            read = f'its {found.unread.total()} files are {_endings(found.unread)}; {read}'
        raise DataError(f'{what}: no pictures there ({read})')
    return found


def check_open(found: Found, what: str) -> None:
    """Raises DataError, which begins with `what`, where folders could not be listed."""
    for folder, why in found.closed.items():
        raise DataError(
            f'{what}: the folder {folder} cannot be read ({why}), and what is in it is not known'
        )


def stamps_of(found: Found) -> dict[str, tuple[int, int]]:
    """Returns the bytes and the time of change of each picture, by path."""
    return {seen.path: (seen.size, seen.changed) for seen in found.pictures}


def _walk(path: str, endings: tuple[str, ...], found: Found, what: str) -> Iterator[Seen]:
    """Yields all pictures; follows links, but not in a loop, and to one folder not for ever."""
    waiting: list[tuple[str, tuple[str, ...], tuple[tuple[int, int], ...]]] = [(path, (), ())]
    visits: Counter[tuple[int, int]] = Counter()
    while waiting:
        folder, parts, above = waiting.pop()
        try:
            status = os.stat(folder)
            with os.scandir(folder) as entries:
                seen = [entry for entry in entries if not entry.name.startswith('.')]
        except OSError as error:
            if not parts:
                raise
            if parts[-1] not in _SYSTEM:
                found.closed['/'.join(parts)] = str(error.strerror)
            continue
        here = (status.st_dev, status.st_ino)
        if here in above:
            found.ignored['/'.join(parts)] = 'a link to a folder that it lies in'
            continue
        visits[here] += 1
        if visits[here] > _VISITS:
            raise DataError(f'{what}: links lead to {folder} over {_VISITS} times')
        if parts and not seen:
            found.ignored['/'.join(parts)] = 'an empty folder'
        for entry in seen:
            inner = (*parts, entry.name)
            is_picture = entry.name.lower().endswith(endings)
            try:
                if entry.is_dir():
                    waiting.append((entry.path, inner, (*above, here)))
                elif is_picture:
                    yield from _picture(entry, inner, found)
                elif entry.name.lower() not in _SYSTEM:
                    found.unread[parts, Path(entry.name).suffix.lower()] += 1
            except OSError as error:
                counts = is_picture and error.errno not in _GONE
                (found.denied if counts else found.ignored)['/'.join(inner)] = str(error.strerror)


def _picture(entry: os.DirEntry[str], parts: tuple[str, ...], found: Found) -> Iterator[Seen]:
    status = entry.stat()
    if stat.S_ISREG(status.st_mode):
        yield Seen(parts, status.st_size, status.st_mtime_ns)
    else:
        found.ignored['/'.join(parts)] = 'no file, but a pipe or a device'


def digest_of(found: Found, how: str) -> str:
    """Returns a hash of what was found, and of how it is split."""
    digest = hashlib.sha256()
    for seen in found.pictures:
        digest.update(os.fsencode(seen.path) + f' {seen.size} {seen.changed}\n'.encode())
    digest.update(os.fsencode(how))
    return digest.hexdigest()[:16]


def of_unread(found: Found, has_splits: bool) -> Iterator[str]:
    """Yields a warning for each folder with files that are not read, the first of them."""
    depth = 2 if has_splits else 1
    known = {parts[:depth] for parts, _, _ in found.pictures if len(parts) > depth}
    folders = dict.fromkeys(sorted(parts for parts, _ in found.unread))
    for parts in [*folders][:_SHOWN]:
        mine = Counter({key: n for key, n in found.unread.items() if key[0] == parts})
        files, where = _files(mine.total()), f'{"/".join(parts)}/' if parts else 'the folder itself'
        if len(parts) >= depth and parts[:depth] not in known:
            yield f'warning: nothing of {where} is read, {files} ({_endings(mine)})'
        else:
            are = 'is' if mine.total() == 1 else 'are'
            yield f'warning: {files} of {where} {are} not read ({_endings(mine)})'
    rest = {*[*folders][_SHOWN:]}
    if rest:
        count = sum(n for (parts, _), n in found.unread.items() if parts in rest)
        yield f'warning: {_files(count)} of {len(rest)} more folders are not read'


def _files(count: int) -> str:
    return '1 file' if count == 1 else f'{count:,} files'


def _endings(unread: Counter[tuple[tuple[str, ...], str]]) -> str:
    """Says how files that are not read end, the first of them by name."""
    found = sorted({ending or 'no ending' for _, ending in unread})
    return ', '.join(found[:_SHOWN]) + (', ...' if len(found) > _SHOWN else '')
