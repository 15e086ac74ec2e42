"""What can go wrong for a user: one line of text, and the program's exit code."""

import errno
import traceback

from system.lines import field_named, shown

# Of the system, which are no fault of the program: a disk, what may be written, or what is left.
FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO,
          errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)  # fmt: skip


class UserError(Exception):
    """A fault the user can mend; main prints the message alone and exits with `exit_code`."""

    exit_code = 1

    def __init__(self, message: object):
        super().__init__(shown(message))


class Exhausted(UserError):
    """A disk or a memory that is full, or a file that may not be written."""


class UsageError(UserError):
    """A flag, a value or a folder that cannot be used as asked."""

    exit_code = 2

    def __init__(self, message: object):
        super().__init__(field_named(str(message)))


class DataError(UserError):
    """Data, a saved graph or a checkpoint that is absent, damaged or of the wrong kind."""

    exit_code = 3


class Diverged(UserError):
    """A loss that is no longer a finite number."""

    exit_code = 4


class RunInUse(UserError):
    """A run folder that another process is writing."""

    exit_code = 5


class Lost(UserError):
    """A worker of a cluster that does not answer."""

    exit_code = 6


class Elsewhere(UserError):
    """What another worker of this run has ended by, with the exit code that it has there."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


class Interrupted(UserError):
    """SIGINT (exit code 130) or SIGTERM (143), after the run was saved."""

    def __init__(self, message: str, signal_number: int):
        super().__init__(message)
        self.exit_code = 128 + signal_number


def line_of(error: BaseException, file: str = '', hint: str = '') -> str:
    """Says in a line where in a Python file an error arose, and which, as `file:line: what`.

    Without `file` it is the file that was being executed.
    """
    if not file:
        frames = traceback.extract_tb(error.__traceback__)
        file = [frame.filename for frame in frames if frame.name == '<module>'][-1]
    if isinstance(error, SyntaxError):
        line = f':{error.lineno}' if error.lineno else ''
        return f'{error.filename or file}{line}: {error.msg}'
    where = place_in(file, error)
    if isinstance(error, UserError):
        return f'{where}: {error}' if where != file else str(error)
    # Of a KeyError str() gives the repr.
    own = isinstance(error, KeyError) and error.args
    said = str(error.args[0]) if own else f'{type(error).__name__}: {error}'
    return f'{where}: {" ".join(f"{said}{hint}".split())}'


def place_in(file: str, error: BaseException) -> str:
    """Returns `file:line` of the last line of that file on the way to an error."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    return f'{file}:{lines[-1]}' if lines else file
