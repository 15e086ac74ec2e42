"""Files that somebody else may have written: regular ones alone, of a size and depth that is borne.

What is wrong with one is a Damage, in words that follow its name.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from system import disk

DEEPEST = 32  # objects and lists within one another
LONGEST = 10_000  # characters of a text
_CELL = 1000  # characters of a table's
_CELLS = 10_000_000  # of a table


class Damage(ValueError):
    """What is wrong with a file, in words."""


def content(file: Path, most: int) -> bytes:
    """Returns what a file holds; raises Damage where that is more than `most` bytes.

    Raises OSError where it cannot be read, is a link, or is no file itself.
    """
    made = disk.read_regular(file, most + 1)
    if len(made) > most:
        raise Damage(f'longer than {most:,} bytes')
    return made


def parsed(text: bytes) -> Any:
    """Returns a value of JSON; raises Damage for what is none, or is nested too deep."""
    try:
        value = json.loads(text.decode())
    except (ValueError, RecursionError):
        raise Damage('not JSON') from None
    inner, depth = [value] if isinstance(value, dict | list) else [], 0
    while inner:  # a depth after the other
        depth += 1
        if depth > DEEPEST:
            raise Damage(f'not JSON of at most {DEEPEST} levels')
        held = (one.values() if isinstance(one, dict) else one for one in inner)
        inner = [one for values in held for one in values if isinstance(one, dict | list)]
    return value


def read_object(file: Path, most: int) -> dict[str, Any]:
    """Returns a file's object of JSON; raises as `content` and `parsed`."""
    found = parsed(content(file, most))
    if not isinstance(found, dict):
        raise Damage('not an object of JSON')
    return found


def is_text(value: Any) -> bool:
    """Whether it is a text, and none without an end."""
    return isinstance(value, str) and len(value) <= LONGEST


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a number that a float can hold: neither NaN nor infinite."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def is_score(value: Any) -> bool:
    """Whether it is a number, be it NaN or infinite, as a float can be."""
    return is_number(value) or (type(value) is float and not math.isfinite(value))


def is_count(value: Any) -> bool:
    """Whether it is a whole number from 0 on, of those that a file can count to."""
    return type(value) is int and 0 <= value < 1 << 63


def rows(file: Path, most: int) -> Iterator[tuple[int, list[str]]]:
    """Yields a CSV's lines with their numbers, from 1, but for a last one that is not ended.

    Raises Damage, which names the line, for what is no table, and as `content`.
    """
    try:
        text = content(file, most).decode('utf-8-sig')
    except UnicodeDecodeError:
        raise Damage('bytes that are no UTF-8') from None
    text = text[: max(text.rfind('\n'), text.rfind('\r')) + 1]
    reader, cells = csv.reader(io.StringIO(text, newline='')), 0
    try:
        for number, line in enumerate(reader, 1):
            cells += len(line)
            if cells > _CELLS:
                raise Damage(f'more than {_CELLS:,} cells')
            if '\0' in ''.join(line) or max(map(len, line), default=0) > _CELL:
                raise Damage(f'line {number} is none of a table')
            if line:
                yield number, line
    except csv.Error:
        raise Damage(f'line {reader.line_num} is none of a table') from None
