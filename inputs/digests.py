"""What names the examples of a data set: a digest that is the same wherever they are recorded.

It is a hash of the shards' hashes. Earlier versions recorded the parts of an example (`x`, `y`,
`length`) in an order that differed from one process to another, and so did their digests.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from inputs.shards import Form, Records, check_shard, hashes, is_in_order, parts_of
from system import disk
from system.lines import say
from system.progress import Bar

_PATIENCE = 10  # seconds with another process, before what was computed goes unkept
_CONTENT = 'content_sha256'  # of a shard in the manifest: what its sha256 would be if written now


def digest_of(sha256s: Iterable[str]) -> str:
    """Returns the digest of shards that have these hashes, in their order."""
    return hashlib.sha256(''.join(sha256s).encode()).hexdigest()[:16]


def content_of(shard: Mapping[str, Any], records: Records) -> str:
    """Returns the hash that a shard has, or would have if its records were written now."""
    if _CONTENT in shard:
        return str(shard[_CONTENT])
    with closing(records):
        return shard['sha256'] if is_in_order(records) else hashes(records)[0]


def keep(folder: Path, manifest: dict[str, Any], contents: Iterable[str]) -> None:
    """Keeps such hashes, of all shards in their order, in the manifest where it needs them.

    Where it cannot be written they are computed the next time again.
    """
    changed = False
    for shard, content in zip(shards_of(manifest), contents, strict=True):
        if content not in (shard['sha256'], shard.get(_CONTENT)):
            shard[_CONTENT], changed = content, True
    if changed:
        say(f'the records of {folder.name} are of an earlier version: hashed their examples, once')
        with suppress(OSError), FileLock(f'{folder}.lock', timeout=_PATIENCE):
            disk.write_json(folder / 'manifest.json', manifest)


def shards_of(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the manifest's entry of each shard, a split after the other."""
    for entry in manifest['splits'].values():
        yield from entry['shards']


def earlier(
    folder: Path, manifest: Mapping[str, Any], remedy: str, check: Callable[[], None]
) -> Iterator[str]:
    """Yields each digest that earlier versions can have given the examples of a folder of records.

    First the one that these very records had, then of every order of an example's parts, for which
    all of them are read. `check` is called now and then, and may raise to stop.
    """
    shards = list(shards_of(manifest))
    yield digest_of(shard['sha256'] for shard in shards)
    form = Form(tuple(manifest['shape']), manifest['dtype'], manifest['encoding'])
    orders: list[tuple[str, ...]] = []
    found: list[list[str]] = []
    total = sum(shard['examples'] for shard in shards)
    with Bar('comparing', total, 'example') as bar:
        for shard in shards:
            index = check_shard(folder, shard, remedy, verify=False)
            with closing(Records([folder / shard['file']], [index], form, remedy)) as records:
                orders = orders or [*itertools.permutations(parts_of(records))]
                found.append(hashes(records, orders, check))
            bar.advance(len(index))
    yield from map(digest_of, zip(*found, strict=True))
