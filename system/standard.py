"""The standard streams: a program that works for hours goes on when nobody reads what it prints."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import stat
import sys
from typing import Any, TextIO

_UNREAD = (errno.EPIPE, errno.EIO, errno.EBADF)  # a reader that left, a terminal that was closed
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_faults: set[str] = set()  # why words are not in the file that they were printed to


class _Lasting(io.FileIO):
    """A standard stream that takes words whether or not they arrive."""

    def write(self, content: Any) -> int:
        """Writes bytes, and says that they are written."""
        try:
            while (count := super().write(content)) is None:  # a terminal that is not to be waited
                select.select([], [self.fileno()], [])  # for, as another program left it
            return count
        except OSError as error:
            if error.errno not in (*_UNREAD, *_FULL):
                raise
            if error.errno in _FULL or stat.S_ISREG(os.fstat(self.fileno()).st_mode):
                _faults.add(str(error.strerror))
            else:
                _to_nowhere(self.fileno())
        return len(content)


def fill() -> None:
    """Lets numbers of standard streams that are closed lead nowhere, before a file takes them."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:  # which is the least that is free
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def keep() -> None:
    """Makes the process's standard streams last, and take every character in any locale."""
    _faults.clear()
    fill()
    sys.stdin = sys.stdin or io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    for name, descriptor in (('stdout', 1), ('stderr', 2)):
        stream = getattr(sys, name)
        if stream is None or _is_plain(stream, descriptor):
            setattr(sys, name, _lasting(stream, descriptor))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')


def fault() -> str:
    """Says why words that were printed to a file are not in it; '' where they are."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return ', '.join(sorted(_faults))


def _is_plain(stream: Any, descriptor: int) -> bool:
    """Whether it is the stream that Python has made of this descriptor."""
    buffer = getattr(stream, 'buffer', None)
    raw = getattr(buffer, 'raw', buffer)
    return (
        type(stream) is io.TextIOWrapper and type(raw) is io.FileIO and raw.fileno() == descriptor
    )


def _lasting(stream: io.TextIOWrapper | None, descriptor: int) -> TextIO:
    if stream is None:  # as it is closed, or nothing is to be printed
        return open(os.devnull, 'w', encoding='utf-8', errors='backslashreplace')
    raw = _Lasting(descriptor, 'wb', closefd=False)
    with contextlib.suppress(OSError):
        stream.flush()
    buffer = raw if stream.write_through else io.BufferedWriter(raw)  # as `python -u` has it
    return io.TextIOWrapper(
        buffer,
        stream.encoding,
        'backslashreplace',
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _to_nowhere(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(null, descriptor)
    os.close(null)
