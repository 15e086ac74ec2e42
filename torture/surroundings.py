"""Surroundings that a run may find itself in: limits, variables, streams, places, signals."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from torture import arrays, pictures
from torture.cases import EITHER, LINE, RIGHT, Case, Made

Around = Callable[[Path], object]


def _limit(name: str, most: int) -> Around:
    """Returns what bounds the process, as `ulimit` does."""
    number = getattr(resource, f'RLIMIT_{name}')
    return lambda folder: resource.setrlimit(number, (most, resource.getrlimit(number)[1]))


def _variables(**values: str | None) -> Around:
    """Returns what sets variables of the environment, `{}` the case's folder; None: has it not."""

    def around(folder: Path) -> None:
        for name, value in values.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value.replace('{}', str(folder))

    return around


def _file_for(name: str) -> Around:
    """Returns what has a variable that should name a folder name a file."""

    def around(folder: Path) -> None:
        (folder / 'file').touch()
        os.environ[name] = f'{folder}/file'

    return around


def _folder_for(name: str, called: str, mode: int = 0o700) -> Around:
    """Returns what has a variable name a folder that is called so, of these rights."""

    def around(folder: Path) -> None:
        (folder / called).mkdir(mode=mode)
        os.environ[name] = f'{folder}/{called}'

    return around


def _closed(*numbers: int) -> Around:
    def around(folder: Path) -> None:
        for number in numbers:
            os.close(number)

    return around


def _onto(path: str, *numbers: int, flags: int = os.O_WRONLY) -> Around:
    """Returns what has streams lead to what is at a path."""

    def around(folder: Path) -> None:
        opened = os.open(path.replace('{}', str(folder)), flags)
        for number in numbers:
            os.dup2(opened, number)

    return around


def _unread(folder: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    os.dup2(write, 1)


def _ignored(name: str) -> Around:
    return lambda folder: signal.signal(getattr(signal, name), signal.SIG_IGN)


def _bare(folder: Path) -> None:
    os.environ.clear()


def _gone(folder: Path) -> None:
    """Has a folder that is no more be the one that it is in, and finds the program from there."""
    (folder / 'here').mkdir()
    os.chdir(folder / 'here')
    (folder / 'here').rmdir()


def _also(made: Made, *flags: str) -> Made:
    """Returns what adds flags, `{}` for the folder, to those of a case."""
    return lambda folder: (*made(folder), *(flag.replace('{}', str(folder)) for flag in flags))


def _with(change: Callable[[Path], object], *flags: str) -> Made:
    """Returns what changes something in the folder, and adds flags to a run on arrays."""

    def made(folder: Path) -> Sequence[str]:
        change(folder)
        return _also(arrays.plain, *flags)(folder)

    return made


def _both(*arounds: Around) -> Around:
    return lambda folder: [around(folder) for around in arounds]


def _drawn(folder: Path) -> Sequence[str]:
    """Returns the flags of a run on arrays that is drawn."""
    return [flag for flag in arrays.plain(folder) if flag != '--nofigures']


def _restoring(folder: Path) -> Sequence[str]:
    """Returns the flags of a run that restores what is a pipe."""
    os.mkfifo(folder / 'pipe')
    mine = [flag for flag in arrays.plain(folder) if flag.startswith('--array')]
    return ['--experiment=phasewise_classifier', '--set=head=3', f'--parent={folder}/pipe', *mine]


_PICTURES = pictures.CASES['as they should be'].made
_SIGNALS = ('SIGCHLD', 'SIGPIPE', 'SIGHUP', 'SIGINT', 'SIGUSR1')
_VARIABLES: dict[str, dict[str, str | None]] = {  # that none of these may stop a run
    # In /proc nobody can make a folder.
    'a backend that nobody has': {'MPLBACKEND': 'nothing'},
    "a notebook's backend": {'MPLBACKEND': 'module://matplotlib_inline.backend_inline'},
    'the locale C': {'LC_ALL': 'C', 'LANG': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'},
    'a locale of another i': {'LC_ALL': 'tr_TR.UTF-8'},
    'a locale that nobody has': {'LC_ALL': 'xx_XX.none', 'LANG': 'yy'},
    'streams of ASCII': {'PYTHONIOENCODING': 'ascii'},
    'a time zone of none': {'TZ': 'Nowhere/None'},
    'a terminal of none': {'TERM': None, 'COLUMNS': 'many', 'LINES': '-1'},
    'no HOME': {'HOME': None, 'XDG_STATE_HOME': None, 'XDG_CACHE_HOME': None},
    'a HOME that is not there': {'HOME': '/proc/nowhere', 'XDG_STATE_HOME': None},
    'a HOME of no name': {'HOME': '', 'XDG_STATE_HOME': None},
    'a TMPDIR that is not there': {'TMPDIR': '/proc/nowhere'},
    'no PATH': {'PATH': None},
    'threads that are no number': {'OMP_NUM_THREADS': 'many'},
    'no threads': {'OMP_NUM_THREADS': '0', 'TF_NUM_INTRAOP_THREADS': '0'},
    'messages of no level': {'TF_CPP_MIN_LOG_LEVEL': 'loud'},
    'a GPU that is not there': {'CUDA_VISIBLE_DEVICES': 'nothing'},
    'other kernels': {'TF_ENABLE_ONEDNN_OPTS': '0'},
    'all warnings': {'PYTHONWARNINGS': 'always', 'PYTHONDEVMODE': '1'},
    'no assertions': {'PYTHONOPTIMIZE': '2'},
}
_CASES: dict[str, Case] = {
    'files of a kilobyte': Case(arrays.plain, LINE, _limit('FSIZE', 1 << 10)),
    'files of 10 kilobytes': Case(arrays.plain, LINE, _limit('FSIZE', 10 << 10)),
    'files of 30 kilobytes': Case(_drawn, LINE, _limit('FSIZE', 30 << 10)),
    'files of a kilobyte, pictures': Case(_PICTURES, LINE, _limit('FSIZE', 1 << 10)),
    'addresses of 300 MB': Case(arrays.plain, LINE, _limit('AS', 300 << 20)),
    'addresses of 1.5 GB': Case(arrays.plain, LINE, _limit('AS', 1_500_000 << 10)),
    'addresses of 2.5 GB': Case(_drawn, LINE, _limit('AS', 2_500_000 << 10)),
    'addresses of 3 GB': Case(_drawn, EITHER, _limit('AS', 3 << 30)),
    'addresses of 6 GB': Case(_drawn, RIGHT, _limit('AS', 6 << 30)),
    'data of 1 GB': Case(_drawn, EITHER, _limit('DATA', 1 << 30)),
    **{f'{most} files': Case(_drawn, EITHER, _limit('NOFILE', most)) for most in (16, 24, 32, 64)},
    '24 files, pictures': Case(_PICTURES, EITHER, _limit('NOFILE', 24)),
    'a stack of 256 KB': Case(arrays.plain, EITHER, _limit('STACK', 256 << 10)),
    'no locked memory, no core': Case(
        arrays.plain, RIGHT, _both(_limit('MEMLOCK', 0), _limit('CORE', 0))),
    **{name: Case(_drawn, RIGHT, _variables(**values)) for name, values in _VARIABLES.items()},
    'no variables': Case(_drawn, RIGHT, _bare),
    'warnings that are errors': Case(arrays.plain, EITHER, _variables(PYTHONWARNINGS='error')),
    'a cluster that is none': Case(arrays.plain, LINE, _variables(TF_CONFIG='{"cluster": 1')),
    'a HOME that is a file': Case(_drawn, RIGHT, _file_for('HOME')),
    'settings of Matplotlib in a file': Case(_drawn, RIGHT, _file_for('MPLCONFIGDIR')),
    'a TMPDIR that is a file': Case(_drawn, RIGHT, _file_for('TMPDIR')),
    'a TMPDIR of patterns': Case(_drawn, RIGHT, _folder_for('TMPDIR', '[a]*')),
    'a TMPDIR that may only be read': Case(
        _drawn, RIGHT, _both(_folder_for('TMPDIR', 'read', 0o500), pictures.as_anybody)),
    'no help without its words': Case(
        lambda folder: ['--help'], RIGHT, _variables(PYTHONOPTIMIZE='2'), trains=False),
    'no standard output': Case(_drawn, RIGHT, _closed(1)),
    'no standard error': Case(_drawn, RIGHT, _closed(2)),
    'no standard input': Case(_drawn, RIGHT, _closed(0)),
    'no streams': Case(_drawn, RIGHT, _closed(0, 1, 2)),
    'no streams, pictures': Case(_PICTURES, RIGHT, _closed(0, 1, 2)),
    'nobody who reads': Case(_drawn, RIGHT, _unread),
    'output to a full disk': Case(arrays.plain, LINE, _onto('/dev/full', 1)),
    'output to what is only read': Case(arrays.plain, EITHER, _onto('/dev/null', 1,
                                                                    flags=os.O_RDONLY)),
    'input that never ends': Case(_drawn, RIGHT, _onto('/dev/zero', 0, flags=os.O_RDONLY)),
    'a folder that is no more': Case(arrays.plain, RIGHT, _gone),
    'a folder of no rights for others': Case(arrays.plain, RIGHT, lambda folder: os.umask(0o777)),
    'one processor': Case(
        _PICTURES, RIGHT, lambda folder: os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])),
    **{f'{name} ignored': Case(_PICTURES, RIGHT, _ignored(name)) for name in _SIGNALS},
    'all signals blocked': Case(_PICTURES, RIGHT, lambda folder: signal.pthread_sigmask(
        signal.SIG_BLOCK, signal.valid_signals())),
    'runs in a file': Case(_with(lambda folder: (folder / 'file').touch(), '--runs={}/file'), LINE),
    'runs in a device': Case(_also(arrays.plain, '--runs=/dev/null/x'), LINE),
    'runs in what is no disk': Case(_also(arrays.plain, '--runs=/proc/x'), LINE),
    'records in a file': Case(
        _with(lambda folder: (folder / 'file').touch(), '--data_dir={}/file'), LINE),
    'records in what is no disk': Case(_also(arrays.plain, '--data_dir=/sys/x'), LINE),
    'a pipe for flags': Case(
        _with(lambda folder: os.mkfifo(folder / 'pipe'), '--flagfile={}/pipe'), LINE),
    'a pipe for experiments': Case(
        _with(lambda folder: os.mkfifo(folder / 'pipe'), '--inst={}/pipe'), LINE),
    'experiments that never end': Case(_also(arrays.plain, '--inst=/dev/zero'), LINE),
    'a pipe for a graph': Case(_restoring, LINE),
}  # fmt: skip
CASES = {name: case._replace(is_started=True) for name, case in _CASES.items()}
