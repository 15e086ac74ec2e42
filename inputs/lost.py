"""What of a folder's pictures is not recorded: of 16 bits the lower 8, and all pages but one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np
from PIL import Image

from inputs import conversion, pictures
from system import disk

_LOOKED_AT = 20  # pictures
_MOST = 65535  # is recorded as 255
_DARK = _MOST / 8  # leaves fewer than 32 levels
_PAGED = ('TIFF', 'GIF', 'WEBP', 'PNG')  # other formats' further pages are previews


class _Looked(NamedTuple):
    """What a picture has that is not recorded."""

    brightest: int  # of 16 bits; of others 0
    pages: int  # of a stack, or frames of an animation


def told(found: pictures.Folder) -> Iterator[str]:
    """Says what becomes of pictures of 16 bits and of several pages, a line each, by some of them.

    Cameras of 12 bits write values up to 4,095, of which 16 levels are left.
    """
    some = [picture for split in found.splits.values() for picture in split]
    looked: dict[str, _Looked] = {}
    for picture in some[:: max(1, len(some) // _LOOKED_AT)][:_LOOKED_AT]:
        with contextlib.suppress(Exception):  # that one cannot be read is said when it is recorded
            looked[picture.path] = _look(found, picture)
    if not looked:
        return
    if deep := [look.brightest for look in looked.values() if look.brightest]:
        brightest = int(np.median(deep))  # one that is overexposed says nothing of the others
        words = f'{found.named}: pictures of 16 bits are recorded in 8, {_MOST:,} as white'
        if brightest > _DARK:
            yield words
        else:
            yield (
                f'warning: {words}; in the median those looked at reach {brightest:,}, which '
                f'leaves about {round(brightest / 257) + 1} levels. Spread them over the range '
                'first, or give them as numbers (--array, x of float32)'
            )
    path = max(looked, key=lambda path: looked[path].pages)
    if (pages := looked[path].pages) > 1:
        yield (
            f'warning: {found.named}: only the first page or frame of each picture is recorded, '
            f'and {path} has {pages:,}; to have all, write each to a file of its own'
        )


def _look(found: pictures.Folder, picture: pictures.Picture) -> _Looked:
    span = found.spans.get(picture.path)
    file: IO[bytes]
    if span:
        file = conversion.taken(found.folder, span)
    else:
        file = disk.opened_regular(f'{found.folder}/{picture.path}', follows=True)
    with file, conversion.opened_picture(file) as opened:
        pages = getattr(opened, 'n_frames', 1) if opened.format in _PAGED else 1
        return _Looked(_brightest(opened), pages)


def _brightest(opened: Image.Image) -> int:
    """Returns the greatest value of a picture of 16 bits, of others 0."""
    if opened.mode.startswith('I'):
        return int(np.asarray(opened).max())
    stored = str(getattr(opened, 'tile', ''))  # colours of 16 bits are opened as bytes
    return 256 * int(np.asarray(opened).max()) + 255 if ';16' in stored else 0
