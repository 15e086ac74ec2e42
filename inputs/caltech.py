"""Caltech-101 (Fei-Fei, Fergus and Perona 2004): photographs of kinds of object, a folder each.

Its archive, which is read and never unpacked, or its folder is listed as a folder of pictures is.
"""

from __future__ import annotations

import tarfile
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from inputs.folders import Found, Seen, check_open, digest_of, found_in, of_unread, stamps_of
from inputs.pictures import ENDINGS, Folder, Picture, Span, divided, hashed, of_classes
from inputs.sources import places_of
from system.errors import DataError

LARGEST = ('airplanes', 'Motorbikes', 'Faces', 'watch', 'Leopards', 'bonsai', 'car_side',
           'ketch', 'chandelier', 'hawksbill')  # fmt: skip
_CLUTTER = 'BACKGROUND_Google'  # pictures of anything: no kind of object
_CROPPED = ('Faces_easy', 'Faces')  # the first is the second's photographs, cut to the faces
_TOP = 'caltech101'
_MEMBER = 1 << 26  # bytes, at most, of a picture in the archive


class Listing(NamedTuple):
    """The pictures of a place, and where each lies if that is an archive."""

    found: Found
    spans: dict[str, Span]


def listed(name: str, data_dir: Path) -> Folder:
    """Lists `caltech101`, or `caltech10`: the ten largest kinds of object, faces once.

    Each kind is split 80/10/10 by a hash of the paths, so that both sets and both forms, archive
    and folder, hold out the same photographs. `Faces_easy` are the photographs of `Faces` cut to
    the faces: they are in the splits of these, and not in `caltech10`, whose other kinds are whole
    photographs too. Raises DataError where the set is absent or its archive is damaged.
    """
    places = places_of(data_dir, _TOP, f'{_TOP}.tar')
    place = next((place for place in places if place.exists()), None)
    if place is None:
        tried = ', '.join(map(str, places))
        raise DataError(
            f'{name}: not found in {tried}; put {_TOP}.tar there, or its folder, with '
            'CLASS/*.jpg; a folder of yours goes by --images=DIR'
        )
    if place.is_dir():
        listing = Listing(found_in(str(place), ENDINGS, str(place)), {})
        check_open(listing.found, str(place))
    else:
        listing = _members(place)
    grouped: dict[str | None, list[str]] = {}
    for parts, _, _ in listing.found.pictures:
        if len(parts) != 2:
            listing.found.ignored['/'.join(parts)] = 'not in the folder of its kind'
        elif parts[0] != _CLUTTER:
            grouped.setdefault(parts[0], []).append('/'.join(parts))
    if name == 'caltech10':
        if missing := [kind for kind in LARGEST if kind not in grouped]:
            raise DataError(f'{place}: {name} needs the folder {missing[0]}, which is not there')
        grouped = {kind: grouped[kind] for kind in LARGEST}
    classes = tuple(sorted(kind for kind in grouped if kind is not None))
    if not classes:
        raise DataError(f'{place}: no pictures in folders of their kinds, CLASS/*.jpg')
    splits, _ = divided({'': grouped}, ['validation', 'test'], classes)
    splits = _together(splits)
    told = (of_classes(str(place), splits, classes), *of_unread(listing.found, False))
    digest = digest_of(listing.found, name)
    return Folder(str(place), splits, classes, digest, listing.found.ignored, told, listing.spans,
                  stamps_of(listing.found), listing.found.denied, flag='')  # fmt: skip


def _together(splits: dict[str, list[Picture]]) -> dict[str, list[Picture]]:
    """Returns the splits with each cut photograph in that of the whole one."""
    cropped, whole = _CROPPED
    split_of = {picture.path: split for split, pictures in splits.items() for picture in pictures}
    made: dict[str, list[Picture]] = {split: [] for split in splits}
    for split, pictures in splits.items():
        for picture in pictures:
            kind, file = picture.path.split('/')
            twin = f'{whole}/{file}' if kind == cropped else ''
            made[split_of.get(twin, split)].append(picture)
    return {
        split: sorted(pictures, key=lambda picture: hashed(picture.path))
        for split, pictures in made.items()
    }


def _members(archive: Path) -> Listing:
    """Lists the pictures of an archive by the numbers in its headers, none of which is trusted.

    What is no plain file is left out and told of. Raises DataError for a damaged archive, for a
    name that leads out of it and for a file of a size that no picture has.
    """
    spans: dict[str, Span] = {}
    pictures: dict[tuple[str, ...], tuple[int, int]] = {}
    found = Found([], {}, Counter(), {}, {})
    try:
        size = archive.stat().st_size
        with tarfile.open(archive, 'r:') as opened:
            for member in opened:
                parts = _parts(archive, member)
                if member.isdir() or not parts or any(part.startswith('.') for part in parts):
                    continue
                if not member.isreg() or member.issparse():
                    found.ignored['/'.join(parts)] = 'no plain file'
                elif not parts[-1].lower().endswith(ENDINGS):
                    found.unread[parts[:-1], PurePosixPath(parts[-1]).suffix.lower()] += 1
                elif member.offset_data + member.size > size:
                    raise DataError(f'{archive}: damaged archive (it ends within {member.name})')
                elif not 0 <= member.size <= _MEMBER:
                    raise DataError(
                        f'{archive}: {member.name} has {member.size:,} bytes, too many for a '
                        'photograph'
                    )
                else:
                    pictures[parts] = member.size, int(member.mtime)
                    spans['/'.join(parts)] = Span(member.offset_data, member.size)
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        raise DataError(f'{archive}: damaged archive ({error})') from None
    found.pictures.extend(sorted(Seen(parts, *sizes) for parts, sizes in pictures.items()))
    return Listing(found, spans)


def _parts(archive: Path, member: tarfile.TarInfo) -> tuple[str, ...]:
    """Returns a member's path below the set's folder."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or '..' in path.parts:
        raise DataError(f'{archive}: {member.name} leads out of the archive; it is not read')
    return path.parts[1:] if path.parts[:1] == (_TOP,) else path.parts
