"""A folder of pictures: what is in it, its splits and its classes."""

from __future__ import annotations

import functools
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from inputs.folders import Found, check_open, digest_of, found_in, of_unread, stamps_of
from inputs.splits import alone, sizes
from system.errors import DataError
from system.lines import say

ENDINGS = ('.png', '.jpg', '.jpeg', '.jpe', '.jfif', '.bmp', '.gif', '.webp', '.tif', '.tiff')
SHARD = 2000  # pictures in a shard, all of which an interruption may cost
UNREADABLE = 0.05  # share of unreadable pictures above which nothing is recorded
_SHOWN = 10  # unreadable files, or classes, that are printed; the manifest has all
SPLITS = {  # folders at the top, in any case
    **dict.fromkeys(('train', 'training'), 'train'),
    **dict.fromkeys(('validation', 'val', 'valid', 'dev'), 'validation'),
    **dict.fromkeys(('test', 'testing'), 'test'),
}
_NO_CLASS = ('unlabelled', 'unlabeled')  # a folder of pictures without a label, in any case
_BEFORE = ('train', 'validation', 'val', 'test')  # those that always were, beside train and test
_SHARE = 0.1  # of a split that the folder has no folder for


class Span(NamedTuple):
    """Where a picture lies in an archive, in bytes."""

    start: int
    size: int


Stamp = tuple[int, int]  # of a file: bytes, and time of change in ns


class Picture(NamedTuple):
    """A file of the folder, and the number of its class if that is known."""

    path: str  # below the folder
    label: int | None


class Folder(NamedTuple):
    """What a folder of pictures holds. `listed` orders each split by a hash of the paths.

    Of an archive `folder` is its file, and `spans` has the place of each path in it; of others
    `stamps` has what each file was when it was listed.
    """

    folder: str
    splits: dict[str, list[Picture]]  # none of them empty
    classes: tuple[str, ...]
    digest: str  # of paths, sizes and times of change, and how they are split
    ignored: dict[str, str]  # links that lead nowhere, or round in a loop
    told: tuple[str, ...] = ()  # what a user must know of it, a line each
    spans: Mapping[str, Span] = {}
    stamps: Mapping[str, Stamp] = {}
    denied: Mapping[str, str] = {}  # pictures that may not be looked at, and why
    flag: str = '--images='  # that names it; none of a data set of the project

    @property
    def named(self) -> str:
        """What an error calls it."""
        return f'{self.flag}{self.folder}'


@functools.lru_cache(maxsize=4)
def listed(path: str) -> Folder:
    """Lists a folder: pictures of a class in a folder each (or below it), or all of them flat.

    Those in a folder `unlabelled` have no label; beside splits they are of train.
    Folders at the top that are all named like splits (train, val, testing, ...) are the splits;
    without one for validation or test, a tenth of train takes its place. Otherwise the set is
    split 80/10/10, each class by a hash of the paths, small classes together. Raises UsageError
    where there is no folder, DataError where it holds no pictures, or some beside the classes.
    """
    found = found_in(path, ENDINGS)
    check_open(found, f'--images={path}')
    tops = _splits_at_the_top(found)
    missing = [split for split in ('validation', 'test') if split not in tops.values()]
    if tops and 'train' not in tops.values():
        raise DataError(
            f'--images={path}: has {_named(tops)}, but no train/ to be trained on; to have the '
            f'pictures of {min(tops)}/ split, name that folder'
        )
    grouped: dict[str, dict[str | None, list[str]]] = {}
    for parts, _, _ in found.pictures:
        split, name = _told(parts, tops)
        grouped.setdefault(split, {}).setdefault(name, []).append('/'.join(parts))
    names = {name for group in grouped.values() for name in group}
    classes = tuple(sorted(name for name in names if name))
    if None in names and (classes or len(grouped) > 1 and '' in grouped):
        of, stray = next((s, p) for s, group in grouped.items() for p in group.get(None, []))
        others = next((s for s, group in grouped.items() if None not in group), '')
        if of and others and len(grouped[of]) == 1:
            top, other = (next(t for t, s in tops.items() if s == split) for split in (of, others))
            raise DataError(
                f'--images={path}: {stray} is of no class, and {other}/ has folders of classes; '
                f'name that folder, {path.rstrip("/")}/{other}, to be split, and give {top}/ to '
                '--mode=predict'
            )
        raise DataError(
            f'--images={path}: {stray} lies beside folders of pictures; put every picture into the '
            f'folder of its class, or into {_NO_CLASS[0]}/, or all of them into one folder'
        )
    splits, as_before = divided(grouped, missing, classes)
    as_before &= not tops or {'train', 'test'} <= tops.keys() <= {*_BEFORE}
    how = '' if as_before else f'{sorted(tops)}'
    digest = digest_of(found, f'{how} unlabelled' if '' in names else how)
    told = [*_of_splits(path, tops, missing, splits, classes)]
    is_wrapped = all(len(parts) > 2 for parts, _, _ in found.pictures)
    if len(names) == len(classes) == 1 and is_wrapped and not tops:
        below = sorted({parts[1] for parts, _, _ in found.pictures})
        told.append(
            f'warning: {path}: all lies in the one folder {classes[0]}/, which is taken for a '
            f'class; to have {_named(below[:_SHOWN])} taken for what they are, name '
            f'{path.rstrip("/")}/{classes[0]}'
        )
    told += _within_classes(path, found) if not tops else ()
    told += [of_classes(path, splits, classes), *of_unread(found, bool(tops))]
    made = Folder(path, splits, classes, digest, found.ignored, tuple(told))
    return made._replace(stamps=stamps_of(found), denied=found.denied)


@functools.lru_cache(maxsize=4)
def announced(path: str) -> Folder:
    """Lists a folder and prints, the first time in a process, what a user must know of it."""
    found = listed(path)
    say(*found.told)
    return found


@functools.lru_cache(maxsize=4)
def everything(path: str) -> Folder:
    """Lists all pictures below a folder, to be read by a finished run: one split, named 'all'.

    They are in the order of their paths. They have labels where every one of them lies in the
    folder of its class or in one for those without, in a folder for its split or not; otherwise
    there are no classes. Raises UsageError where there is no folder, DataError where it holds no
    pictures.
    """
    found = found_in(path, ENDINGS)
    tops = _splits_at_the_top(found)
    names = [_told(parts, tops)[1] for parts, _, _ in found.pictures]
    classes = () if None in names else tuple(sorted({name for name in names if name}))
    made = [
        Picture('/'.join(parts), classes.index(name) if classes and name else None)
        for (parts, _, _), name in zip(found.pictures, names, strict=True)
    ]
    told = tuple(of_unread(found, bool(tops)))
    splits = {'all': sorted(made, key=lambda picture: picture.path)}
    ignored = found.ignored | found.closed
    digest = digest_of(found, 'all unlabelled' if '' in names else 'all')
    listing = Folder(path, splits, classes, digest, ignored, told)
    return listing._replace(stamps=stamps_of(found), denied=found.denied)


def _splits_at_the_top(found: Found) -> dict[str, str]:
    """Returns the split that each folder at the top is; none where any of them is no split.

    A folder of pictures without a label is one beside others.
    """
    tops = sorted({parts[0] for parts, _, _ in found.pictures if len(parts) > 1})
    known = {top: SPLITS[top.lower()] for top in tops if top.lower() in SPLITS}
    others = [top for top in tops if top not in known]
    if not known or any(top.lower() not in _NO_CLASS for top in others):
        return {}
    return known | dict.fromkeys(others, 'train')


def _told(parts: tuple[str, ...], tops: Mapping[str, str]) -> tuple[str, str | None]:
    """Returns the split ('': none) and the class that the folders of a picture say.

    The class is '' of one in a folder for those without, None of one in no folder of a class.
    """
    split = tops.get(parts[0], '') if len(parts) > 1 else ''
    inner = parts[1:] if split else parts
    if any(folder.lower() in _NO_CLASS for folder in (*parts[:1], *inner[:1])):
        return split, ''
    return split, inner[0] if len(inner) > 1 else None


def _within_classes(path: str, found: Found) -> Iterator[str]:
    """Yields a warning where folders named like splits lie in those of classes."""
    deep = {parts[:2] for parts, _, _ in found.pictures if len(parts) > 2}
    within = sorted(f'{top}/{name}' for top, name in deep if name.lower() in SPLITS)
    if len({top for top, _ in deep}) > 1 and within:
        yield (
            f'warning: {path}: {_named(within[:_SHOWN])} are taken together, as of their class, '
            'and split anew; splits are folders at the top, each with the classes in it'
        )


def divided(
    grouped: Mapping[str, Mapping[str | None, list[str]]],
    missing: list[str],
    classes: tuple[str, ...],
) -> tuple[dict[str, list[Picture]], bool]:
    """Returns the splits, and whether each class was divided by itself, as it once always was.

    `grouped` has the paths of each class (None or '': of no class) by the split that they are told
    to be of ('': of none); those `missing` are taken of train, each class by a hash of the paths.
    """
    splits: dict[str, list[Picture]] = {'train': [], 'validation': [], 'test': []}
    as_before = True
    for split, group in grouped.items():
        parts = ['train', *missing] if split in ('', 'train') else [split]
        shares = [round(1 - _SHARE * (len(parts) - 1), 1), *[_SHARE] * (len(parts) - 1)]
        lengths = [*map(len, group.values())]
        counts = sizes(lengths, shares, [name == '' for name in group])
        as_before &= np.array_equal(counts, alone(lengths, shares))
        for (name, paths), ends in zip(group.items(), np.cumsum(counts, axis=1), strict=True):
            label = classes.index(name) if name else None
            made = [Picture(path, label) for path in sorted(paths, key=hashed)]
            for part, start, end in zip(parts, (0, *ends), ends, strict=False):
                splits[part] += made[start:end]
    ordered = {
        split: sorted(made, key=lambda picture: hashed(picture.path))
        for split, made in splits.items()
        if made
    }
    return ordered, as_before


def hashed(path: str) -> bytes:
    """Returns what pictures are put in order by: a hash of the path."""
    return hashlib.sha256(os.fsencode(path)).digest()


def _named(tops: Iterable[str]) -> str:
    return ' and '.join(f'{top}/' for top in sorted(tops))


def _of_splits(
    path: str,
    tops: Mapping[str, str],
    missing: list[str],
    splits: Mapping[str, list[Picture]],
    classes: tuple[str, ...],
) -> Iterator[str]:
    """Yields what is made of folders named like splits, where that is not plain."""
    beside = sorted({name for name in classes if name.lower() in SPLITS})
    trains = any(SPLITS[name.lower()] == 'train' for name in beside)
    if (trains or len(beside) > 1) and len(beside) < len(classes):
        other = next(name for name in classes if name not in beside)
        are = 'are taken for classes' if len(beside) > 1 else 'is taken for a class'
        beneath = 'them' if len(beside) > 1 else 'it'
        yield f'warning: {_named(beside)} {are}, as {other}/ lies beside {beneath}'
    for split in dict.fromkeys(tops.values()):
        same = [top for top in tops if tops[top] == split]
        if len(same) > 1:
            yield f'{path}: {_named(same)} are both the {split} split, and are taken together'
    taken = [split for split in missing if split in splits]
    if tops and taken:
        train = _named(top for top in tops if tops[top] == 'train')
        each = ' each' if len(taken) > 1 else ''
        yield f'{path}: no folder for {" and ".join(taken)}: a tenth of {train}{each} is taken'


def of_classes(path: str, splits: Mapping[str, list[Picture]], classes: tuple[str, ...]) -> str:
    """Says how many pictures there are, by class and split."""
    total = sum(map(len, splits.values()))
    pictures = '1 picture' if total == 1 else f'{total:,} pictures'
    names = '/'.join(splits)
    sums = '/'.join(f'{len(made):,}' for made in splits.values())
    if not classes:
        return f'{path}: {pictures} without classes, {names} {sums}'
    counts = Counter((split, p.label) for split, made in splits.items() for p in made)
    shown = [
        f'{name} {"/".join(f"{counts[split, label]:,}" for split in splits)}'
        for label, name in enumerate(classes[:_SHOWN])
    ]
    more = f', and {len(classes) - _SHOWN} more' if len(classes) > _SHOWN else ''
    if any(counts[split, None] for split in splits):
        more += f'; without a label {"/".join(f"{counts[split, None]:,}" for split in splits)}'
    kinds = 'class' if len(classes) == 1 else 'classes'
    what = f'{pictures} in {len(classes)} {kinds}, {names} {sums}'
    return f'{path}: {what}: {", ".join(shown)}{more}'


def places(found: Folder) -> dict[str, int]:
    """Returns the number of each picture in the order of all paths, whatever its split."""
    paths = sorted(picture.path for split in found.splits.values() for picture in split)
    return {path: place for place, path in enumerate(paths)}


def say_left_out(files: Mapping[str, str]) -> None:
    """Prints files that could not be read or used, with the reasons."""
    for path, why in [*files.items()][:_SHOWN]:
        say(f'warning: {path} is left out: {why}')
    if len(files) > _SHOWN:
        say(f'warning: {len(files) - _SHOWN} more are left out')


def say_what_is_left_out(
    found: Folder, unreadable: Mapping[str, str], splits: Mapping[str, Any]
) -> None:
    """Prints what could not be read or used; raises DataError where that is too much."""
    say_left_out(found.ignored | dict(unreadable))
    total = sum(map(len, found.splits.values())) + len(found.denied)
    applied = 'all' in splits  # a finished run is, to as many as there are
    if len(unreadable) > (1 - 1e-9 if applied else UNREADABLE) * total:
        path, why = next(iter(unreadable.items()))
        over = '' if applied else f'over {UNREADABLE:.0%}, '
        raise DataError(
            f'{found.named}: {len(unreadable)} of {total} pictures cannot be read, {over}so '
            f'nothing is recorded; the first is {path} ({why})'
        )
    for split in (split for split in found.splits if split != 'validation'):
        if not splits[split]['examples']:
            raise DataError(f'{found.named}: no picture of the {split} split can be read')
