"""Names that users gave: as a part of a file's name, and as TensorFlow opens them.

A name is whatever a file system allows. Python holds bytes that are no UTF-8 as lone surrogates,
which no file and no screen takes.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from system.errors import UsageError

_PATTERNS = frozenset('*?[]{}\\')  # TensorFlow matches these instead of reading them
_UNPORTABLE = frozenset('<>:"/\\|?*')  # in the name of a file, on one system or another
_LONGEST = 95  # bytes of a name in the name of a file, where more words stand beside it


def filed(name: str) -> str:
    """Returns a name as a part of a file's name that every system and every tool takes.

    One that had to be changed ends with a hash, so that no other becomes the same.
    """
    kept = ''.join('_' if c in _UNPORTABLE or not c.isprintable() else c for c in name)
    kept = kept.encode()[:_LONGEST].decode(errors='ignore')
    return kept if kept == name else f'{kept}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:4]}'


def plain(path: Path | str) -> str:
    """Returns a path to the same file that TensorFlow opens as it is written.

    Its functions take `[`, `*` and others for patterns, and take no bytes but UTF-8. Such a folder
    gets a link of a plain name, for as long as this process runs. `path` may also be the prefix of
    files that are there.
    """
    if _is_plain(str(path)):
        return str(path)
    parts = Path(path).absolute().parts
    last = max(index for index, part in enumerate(parts) if not _is_plain(part))
    odd = Path(*parts[: last + 1])
    if last + 1 < len(parts) or odd.is_dir():
        return str(_linked(odd).joinpath(*parts[last + 1 :]))
    link = _links() / f'{_short(odd)}-files'
    link.mkdir(parents=True, exist_ok=True)
    for file in odd.parent.iterdir():
        if file.name.startswith(f'{odd.name}.'):
            _link(link / f'prefix{file.name.removeprefix(odd.name)}', file)
    return str(link / 'prefix')


def unlinked(words: str) -> str:
    """Returns what TensorFlow says with the folders' own names in the place of `plain` ones."""
    for link in _links().glob('*') if _links.cache_info().currsize else ():
        if link.is_symlink():
            words = words.replace(str(link), os.readlink(link))
    return words


def _is_plain(name: str) -> bool:
    """Whether TensorFlow reads it as it is, whatever the encoding of file names is here."""
    return name.isascii() and name.isprintable() and _PATTERNS.isdisjoint(name)


def _short(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def _linked(folder: Path) -> Path:
    link = _links() / _short(folder)
    link.parent.mkdir(parents=True, exist_ok=True)  # again, where a long run's was tidied away
    _link(link, folder)
    return link


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink():
        link.symlink_to(target)


@functools.cache
def _links() -> Path:
    """Makes the folder of this process's links, which goes when the process ends by itself."""
    places = [os.environ.get('TMPDIR', ''), '/tmp', '/var/tmp', '/dev/shm']
    usable = [place for place in places if _is_plain(place) and os.access(place, os.W_OK)]
    if not usable:
        raise UsageError(
            'no temporary folder can be written, which folders with [, * and such in their names '
            'need; name one in the environment variable TMPDIR'
        )
    made = Path(tempfile.mkdtemp(prefix='names-', dir=usable[0]))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
