"""Graphs that this program wrote here: they are known again, and are not tried as a stranger's are.

What a folder says of itself proves nothing, since it may have been sent by somebody. So the sha256
of each graph is kept apart from all runs, in `layerwise-autoencoders/graphs/` of the user's folder
of states (XDG_STATE_HOME, else ~/.local/state): an empty file a graph, which may be removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

_FOLDER = ('layerwise-autoencoders', 'graphs')


def note(meta: bytes) -> None:
    """Notes a graph that is written; where that cannot be, it is as a stranger's later."""
    with contextlib.suppress(OSError, RuntimeError):
        file = _place(meta)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def holds(meta: bytes) -> bool:
    """Whether a graph, the content of its `.meta` file, was written here."""
    try:
        return _place(meta).is_file()
    except (OSError, RuntimeError):  # RuntimeError: a user without a home
        return False


def _place(meta: bytes) -> Path:
    states = os.environ.get('XDG_STATE_HOME') or Path.home() / '.local' / 'state'
    return Path(states, *_FOLDER, hashlib.sha256(meta).hexdigest())
