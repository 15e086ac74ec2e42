"""Lines that people read: whatever is in them, a screen shows it, and obeys none of it.

All that the program prints goes through `say`, and all that it raises for a user through `shown`:
names of files, labels, the text of files and what libraries quote of these come from outside.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO

_WHOSE = ContextVar('whose fields `setting` names', default='')


def shown(words: object) -> str:
    """Returns words in one line: control characters and stray bytes as escapes.

    So are those that a terminal does not print as they stand, as what turns the order of writing.
    """
    text = str(words)
    if text.isprintable():  # as a picture in a page is, of a million characters
        return text
    return ''.join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # which is how Python holds a byte that is no UTF-8
        return f'\\x{code - 0xDC00:02x}'
    return character.encode('unicode_escape').decode()


@contextmanager
def settings_of(whose: str) -> Iterator[None]:
    """Has `setting` name fields of another experiment than that which was asked for: its parent's.

    `whose` is what stands before their names, as 'parent.'; within one another they add up.
    """
    token = _WHOSE.set(_WHOSE.get() + whose)
    try:
        yield
    finally:
        _WHOSE.reset(token)


def field_named(words: str) -> str:
    """Returns words about a field's value, as `patience=5: ...`, by the name that a user sets."""
    return re.sub(r'^(?=[a-z][\w.]*=)', _WHOSE.get(), words)


def setting(text: str) -> str:
    """Returns the flag that a user sets a field of what is trained by, as `--set patience=5`."""
    return f'--set {_WHOSE.get()}{text}'


def warned(message: object, *_: object, **__: object) -> None:
    """Prints what a library warns of in a line, in the place of `warnings.showwarning`."""
    say(f'warning: {" ".join(str(message).split())}', to=sys.stderr)


def say(*lines: object, to: IO[str] | None = None) -> None:
    """Prints each argument as a line of its own, and as no more than one; to stdout, or `to`."""
    for line in lines:
        print(shown(line), file=to or sys.stdout)
