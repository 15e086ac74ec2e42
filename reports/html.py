"""Pages of HTML, made from the templates in `templates/`; each page has its style inside.

A template takes plain data: words, numbers, and pictures as addresses. Whatever is put into it is
text there, with its control characters shown, so that no name can bring tags, scripts or escapes.
"""

from __future__ import annotations

import base64
import functools
import io
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from system import disk
from system.lines import shown

_TEMPLATES = Path(__file__).parent / 'templates'
_PNG = b'\x89PNG\r\n\x1a\n'
_LARGEST = 1 << 26  # bytes of a picture
_LONG = 30  # characters, from which on a column has words that may be broken into lines


def render(template: str, **data: Any) -> str:
    """Returns a page: a template of `templates/`, filled; raises UndefinedError where data lack."""
    return _environment().get_template(template).render(data)


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {'link': link, 'kinds': kinds}
    return made


def _text(value: Any) -> Any:
    """Returns a value as words without control characters; HTML that a template made as it is."""
    return value if hasattr(value, '__html__') else shown(value)


def embedded(folder: Path, path: Path) -> str:
    """Returns a PNG at a path below a folder as an address that holds all of it.

    Returns '' where there is none: no picture, behind a link, or no file itself.
    """
    try:
        content = disk.read_below(folder, path, _LARGEST)
        with warnings.catch_warnings():
            warnings.simplefilter('error', Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=['PNG']) as opened:
                opened.load()  # of a picture alone, whatever its first bytes are
    except Exception:  # a damaged file can raise anything in a reader of it
        return ''
    return f'data:image/png;base64,{base64.b64encode(content).decode()}'


def link(path: Path) -> str:
    """Returns a relative path as an address, whatever characters are in it."""
    return quote(os.fsencode(path))


def kinds(rows: Sequence[Sequence[str]], head: Sequence[str]) -> list[str]:
    """Returns what each column of a table holds: `number`, `words` of some length, or ''.

    The first one names its row, and is no number.
    """
    columns = zip(head, *rows, strict=True)
    return [_kind(texts, place == 0) for place, (_, *texts) in enumerate(columns)]


def _kind(column: Sequence[str], names: bool) -> str:
    if not names and all(map(_is_number, column)):
        return 'number'
    return 'words' if any(len(text) > _LONG for text in column) else ''


def _is_number(text: str) -> bool:
    return not text or text.replace(',', '').lstrip('-').replace('.', '', 1)[:1].isdigit()


def has_picture(folder: Path, path: Path) -> bool:
    """Whether there is what begins as a PNG at a path below a folder, behind no link."""
    try:
        return disk.read_below(folder, path, len(_PNG)) == _PNG
    except OSError:
        return False
