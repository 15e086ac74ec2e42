"""What is lost of pictures of 16 bits, which are recorded in 8."""

from __future__ import annotations

import contextlib
from typing import IO

import numpy as np

from inputs import conversion, pictures
from system import disk

_LOOKED_AT = 20  # pictures
_MOST = 65535  # is recorded as 255
_DARK = _MOST / 8  # leaves fewer than 32 levels


def told(found: pictures.Folder) -> str:
    """Says what becomes of pictures of 16 bits, by some of them; '' where these have fewer.

    Cameras of 12 bits write values up to 4,095, of which 16 levels are left.
    """
    some = [picture for split in found.splits.values() for picture in split]
    brightest = 0
    for picture in some[:: max(1, len(some) // _LOOKED_AT)][:_LOOKED_AT]:
        with contextlib.suppress(Exception):  # that one cannot be read is said when it is recorded
            brightest = max(brightest, _brightest(found, picture))
    if not brightest:
        return ''
    words = f'{found.named}: pictures of 16 bits are recorded in 8, {_MOST:,} as white'
    if brightest > _DARK:
        return words
    return (
        f'warning: {words}; those looked at reach {brightest:,}, which leaves '
        f'about {round(brightest / 257) + 1} levels. Spread them over the range first, or give '
        'them as numbers (--array, x of float32)'
    )


def _brightest(found: pictures.Folder, picture: pictures.Picture) -> int:
    """Returns the greatest value of a picture of 16 bits, of others 0."""
    span = found.spans.get(picture.path)
    file: IO[bytes]
    if span:
        file = conversion.taken(found.folder, span)
    else:
        file = disk.opened_regular(f'{found.folder}/{picture.path}', follows=True)
    with file, conversion.opened_picture(file) as opened:
        if opened.mode.startswith('I'):
            return int(np.asarray(opened).max())
        stored = str(getattr(opened, 'tile', ''))  # colours of 16 bits are opened as bytes
        return 256 * int(np.asarray(opened).max()) + 255 if ';16' in stored else 0
