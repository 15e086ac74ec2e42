"""What lies below a folder of pictures: the pictures, links that lead nowhere, and other files."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from system.errors import DataError, UsageError

_SHOWN = 10  # folders, or endings, that are told of by name
_SYSTEM = ('thumbs.db', 'desktop.ini')  # files beside pictures that need no word


class Found(NamedTuple):
    """What lies below a folder: parts of the path, size and time of change of each picture."""

    pictures: list[tuple[tuple[str, ...], int, int]]
    ignored: dict[str, str]
    unread: Counter[tuple[tuple[str, ...], str]]  # files that are no pictures, by folder and ending


def found_in(path: str, endings: tuple[str, ...], what: str = '') -> Found:
    """Finds all pictures below a folder, files of these endings; an error calls it `what`.

    Raises UsageError where there is no folder, DataError where it holds none.
    """
    what = what or f'--images={path}'
    if not os.path.isdir(path):
        is_file = '; it is a file' if os.path.isfile(path) else ''
        raise UsageError(f'{what}: no such folder{is_file}')
    found = Found([], {}, Counter())
    try:
        found.pictures.extend(sorted(_walk(Path(path), endings, (), (), found)))
    except OSError as error:
        raise UsageError(f'{what}: cannot be read ({error.strerror})') from None
    if not found.pictures:
        read = f'read are {", ".join(endings)}'
        if found.unread:
            read = f'its {found.unread.total()} files are {_endings(found.unread)}; {read}'
        raise DataError(f'{what}: no pictures there ({read})')
    return found


def _walk(
    folder: Path,
    endings: tuple[str, ...],
    parts: tuple[str, ...],
    above: tuple[tuple[int, int], ...],
    found: Found,
) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Yields all pictures: path, size and time of change; follows links, but not in a loop."""
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        found.ignored['/'.join(parts)] = 'a link to a folder that it lies in'
        return
    seen = [entry for entry in os.scandir(folder) if not entry.name.startswith('.')]
    if parts and not seen:
        found.ignored['/'.join(parts)] = 'an empty folder'
    for entry in seen:
        inner = (*parts, entry.name)
        try:
            if entry.is_dir():
                yield from _walk(Path(entry.path), endings, inner, (*above, here), found)
            elif entry.name.lower().endswith(endings):
                status = entry.stat()
                yield inner, status.st_size, status.st_mtime_ns
            elif entry.name.lower() not in _SYSTEM:
                found.unread[parts, Path(entry.name).suffix.lower()] += 1
        except OSError as error:
            found.ignored['/'.join(inner)] = str(error.strerror)


def digest_of(found: Found, how: str) -> str:
    """Returns a hash of what was found, and of how it is split."""
    digest = hashlib.sha256()
    for parts, size, changed in found.pictures:
        digest.update(os.fsencode('/'.join(parts)) + f' {size} {changed}\n'.encode())
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
    rest = [*folders][_SHOWN:]
    if rest:
        count = sum(n for (parts, _), n in found.unread.items() if parts in rest)
        yield f'warning: {_files(count)} of {len(rest)} more folders are not read'


def _files(count: int) -> str:
    return '1 file' if count == 1 else f'{count:,} files'


def _endings(unread: Counter[tuple[tuple[str, ...], str]]) -> str:
    """Says how files that are not read end, the first of them by name."""
    found = sorted({ending or 'no ending' for _, ending in unread})
    return ', '.join(found[:_SHOWN]) + (', ...' if len(found) > _SHOWN else '')
