"""What may be done to the files of a folder: other values, other bytes, pipes and links."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Damage = Callable[[Path], Any]
GONE = object()  # in the place of a value: its key is removed
LONG = 10_000_000  # characters, bytes or numbers
DEEP = '[' * 100_000


def at(name: str, *changes: tuple[str, Any]) -> Damage:
    """Returns what puts values into a JSON file, each at a path of keys with dots."""

    def damage(run: Path) -> None:
        whole = json.loads((run / name).read_text())
        for path, value in changes:
            *parts, last = path.split('.')
            inner = whole
            for part in parts:
                inner = inner[part]
            if value is GONE:
                del inner[last]
            else:
                inner[last] = value() if callable(value) else value
        (run / name).write_text(json.dumps(whole))

    return damage


def holds(name: str, content: str | bytes | Callable[[], str]) -> Damage:
    """Returns what gives a file another content."""

    def damage(run: Path) -> None:
        made = content() if callable(content) else content
        put(run / name, made.encode() if isinstance(made, str) else made)

    return damage


def put(file: Path, content: bytes) -> None:
    """Writes a file."""
    file.write_bytes(content)


def swapped(name: str, old: bytes, new: bytes, times: int = 1) -> Damage:
    """Returns what replaces what a pattern finds first in a file by other bytes, so many times."""

    def damage(run: Path) -> None:
        made, found = re.subn(old, lambda _: new * times, (run / name).read_bytes(), count=1)
        assert found, (name, old)
        (run / name).write_bytes(made)

    return damage


def cut(name: str, off: int) -> Damage:
    """Returns what takes so many bytes off the end of a file."""
    return lambda run: os.truncate(run / name, (run / name).stat().st_size - off)


def gone(*names: str) -> Damage:
    """Returns what removes files."""

    def damage(run: Path) -> None:
        for name in names:
            (run / name).unlink()

    return damage


def pipe(name: str) -> Damage:
    """Returns what puts a pipe in a file's place."""

    def damage(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)

    return damage


def link(name: str, to: str) -> Damage:
    """Returns what puts a link in a file's place."""

    def damage(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(to)

    return damage


def inside(name: str) -> Damage:
    """Returns what puts a folder in a file's place."""

    def damage(run: Path) -> None:
        (run / name).unlink()
        (run / name).mkdir()

    return damage


def both(*damages: Damage) -> Damage:
    """Returns what does one damage after the other."""

    def damage(run: Path) -> None:
        for each in damages:
            each(run)

    return damage


def large(name: str, size: int) -> Damage:
    """Returns what makes a file long, of zeros that take no room on a disk."""
    return lambda run: os.truncate(run / name, size)


def state(**changes: Any) -> Damage:
    """Returns what changes the position in every checkpoint, and the hashes that vouch for it."""

    def damage(run: Path) -> None:
        for folder in (run / 'checkpoints').glob('[0-9]*'):
            file, manifest = folder / 'state.json', folder / 'manifest.json'
            file.write_text(json.dumps(json.loads(file.read_text()) | changes))
            said = json.loads(manifest.read_text())
            said['state.json'] = {
                'bytes': file.stat().st_size,
                'sha256': hashlib.sha256(file.read_bytes()).hexdigest(),
            }
            manifest.write_text(json.dumps(said))

    return damage


def kept(edit: Callable[[dict[str, Any]], Any], name: str = 'runs.jsonl') -> Damage:
    """Returns what edits the first line of a ledger's file; bytes and text are put in its place."""

    def damage(run: Path) -> None:
        file = run / 'mine-results' / name
        first, *rest = file.read_bytes().splitlines()
        made = edit(json.loads(first))
        if not isinstance(made, bytes):
            made = made.encode() if isinstance(made, str) else json.dumps(made).encode()
        file.write_bytes(b'\n'.join([made, *rest]) + b'\n')

    return damage


def config(*changes: tuple[str, Any]) -> Damage:
    """Returns what puts values into a run's configuration."""
    return at('config.json', *changes)


def nested(depth: int) -> Damage:
    """Returns what gives a run a parent, and that one another, so many of them."""

    def damage(run: Path) -> None:
        whole = json.loads((run / 'config.json').read_text())
        head = json.dumps(whole['experiment'] | {'parent': 0})
        before, after = head.split('"parent": 0')
        made = f'{before}"parent": ' * depth + 'null' + after * depth
        data = json.dumps(whole['data'])
        (run / 'config.json').write_text(f'{{"experiment": {made}, "data": {data}}}')

    return damage
