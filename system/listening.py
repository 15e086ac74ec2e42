"""The sockets that this process listens on, and from where they can be reached."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

_DESCRIPTORS = Path('/proc/self/fd')  # of Linux
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_LOOPBACK = b'lo'  # what Linux calls the interface


def listeners(port: int) -> Iterator[socket.socket]:
    """Yields the TCP sockets that this process listens on at a port; none where it cannot know."""
    for name in os.listdir(_DESCRIPTORS) if _DESCRIPTORS.is_dir() else ():
        try:
            copy = os.dup(int(name))
        except OSError:  # closed meanwhile, as the one that the folder was read by
            continue
        try:
            found = socket.socket(fileno=copy)
        except OSError:  # a file, no socket
            os.close(copy)
            continue
        with found:
            is_tcp = found.type == socket.SOCK_STREAM and found.family in _FAMILIES
            if is_tcp and found.getsockname()[1] == port and _listens(found):
                yield found


def _listens(found: socket.socket) -> bool:
    return bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def keep_to_this_machine(port: int) -> bool:
    """Has what this process listens on at a port refuse other machines; returns whether it does.

    So a library that listens on all interfaces is narrowed on Linux, best before it answers: a
    socket that belongs to a device takes nothing from another, also where it listens already.
    """
    found = 0
    for listener in listeners(port):
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, _LOOPBACK)
        except OSError:
            return False
        found += 1
    return found > 0
