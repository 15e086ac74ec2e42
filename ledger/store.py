"""What is kept of finished runs: two files, a JSON line a run, named by all that decides the run.

`runs.jsonl` has a run's scores; `histories.jsonl` the columns of its metrics.csv, without those of
the training losses.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from ledger.book import PROJECT
from parameters import FIELDS, Experiment
from reports import run_files
from system import disk, received
from system.errors import DataError
from system.received import Damage

FOLDER = PROJECT.results
RUNS, HISTORIES = 'runs.jsonl', 'histories.jsonl'
_WORDS = ('name', 'description', 'source')
_KEY = re.compile('[0-9a-f]{12}')
_KINDS: dict[str, type] = {  # of what a line has beside its numbers
    'experiment': str,
    'seed': int,
    'dataset': str,
    'data': str,
    'metrics': dict,
    'environment': dict,
    'decisive': dict,
}
_NEEDED = ('seconds', 'updates')  # of its numbers, by every verdict
_WRITTEN = re.compile(r'-?\d+(\.\d+)?(e[+-]?\d+)?|-?inf|nan|', re.ASCII)  # a cell of metrics.csv
_MOST = 1e100  # of a number: the squares of such can be added
_LONGEST = 1 << 26  # bytes of a line


def decisive(experiment: Experiment) -> dict[str, Any]:
    """Returns what decides a run, in the order of the fields, those at their default left out.

    So a field that is added later, and changes nothing by default, changes no key.
    """
    values = {
        name: value
        for name, value in experiment.fields().items()
        if name not in _WORDS and value != FIELDS[name].default
    }
    if isinstance(experiment.parent, Experiment):
        values['parent'] = decisive(experiment.lineage())
    return json.loads(json.dumps(values))


def key(experiment: Experiment) -> str:
    """Returns 12 hexadecimal digits that name what decides the run."""
    return hashlib.sha256(json.dumps(decisive(experiment)).encode()).hexdigest()[:12]


def find(experiment: Experiment, folder: Path = FOLDER) -> dict[str, Any] | None:
    """Returns what is kept of a run, whatever it was called then; None if there is nothing.

    Raises DataError, which names the file and the line, where something there is damaged.
    """
    return all_kept(folder).get(key(experiment))


def all_kept(folder: Path = FOLDER) -> Mapping[str, dict[str, Any]]:
    """Returns what is kept of every run, by key; raises as `find` does."""
    while True:
        stamps = _stamp(folder / RUNS), _stamp(folder / HISTORIES)
        try:
            return _read_once(folder, *stamps)
        except DataError:
            if stamps == (_stamp(folder / RUNS), _stamp(folder / HISTORIES)):
                raise  # or else another process wrote one of them between the two reads


def keep(experiment: Experiment, run_folder: Path, folder: Path = FOLDER) -> None:
    """Keeps the results of a finished run, in place of what was kept of it before.

    Raises DataError where it found what is no number, or where what is kept already is damaged.
    """
    found = _found(experiment, run_folder)
    if fault := _run_fault(found) or _history_fault(found):
        raise DataError(f'{run_folder}: its results cannot be kept: {fault}')
    folder.mkdir(exist_ok=True)
    with FileLock(folder / '.lock'):  # so that nobody adds a line between this reading and writing
        _rewrite(folder, _read(folder) | {found['key']: found}, (HISTORIES, RUNS))


def drop(keys: Collection[str], folder: Path = FOLDER) -> None:
    """Forgets the runs of these keys; raises as `find` does."""
    if not (folder / RUNS).exists():
        return
    with FileLock(folder / '.lock'):
        kept = dict(_read(folder))
        for key in [key for key in keys if key in kept]:  # one by one: see _rewrite
            del kept[key]
            _rewrite(folder, kept, (RUNS, HISTORIES))


def _rewrite(folder: Path, kept: Mapping[str, Mapping[str, Any]], files: tuple[str, str]) -> None:
    """Writes the files, in that order, of which a run needs its history, and not the reverse.

    So the histories come first where a run is added, and last where one goes: when this process is
    killed between the two, a history has no run, which _read lets pass of one alone, and the next
    write leaves it out.
    """
    order = sorted(kept.values(), key=lambda run: (run['experiment'], run['seed'], run['key']))
    columns = ('key', 'experiment', 'seed', 'history')
    lines = {
        HISTORIES: [{name: run[name] for name in columns} for run in order],
        RUNS: [{n: v for n, v in run.items() if n not in ('history', 'place')} for run in order],
    }
    for name in files:
        _write(folder / name, lines[name])


def _found(experiment: Experiment, run_folder: Path) -> dict[str, Any]:
    """Returns what is kept of a finished run, in the order in which it is written."""
    try:
        return _put_together(experiment, run_folder)
    except OSError as error:
        why = f'{error.filename}: {error.strerror}'
    except KeyError as error:
        why = f'one of its files lacks {error}'
    except Damage as error:
        why = f'one of its files is damaged ({error})'
    raise DataError(
        f'{run_folder}: its results cannot be kept: {why}; train it again with --restart'
    )


def _put_together(experiment: Experiment, run_folder: Path) -> dict[str, Any]:
    results = run_files.results(run_folder)
    return {
        'key': key(experiment),
        'experiment': experiment.name,
        'seed': results['seed'],
        'dataset': results['dataset'],
        'data': run_files.config(run_folder)['data']['digest'],
        **{name: results[name] for name in (*run_files.NUMBERS, 'metrics') if name in results},
        'environment': run_files.environment(run_folder),
        'decisive': decisive(experiment),
        'history': _history(run_folder),
    }


def _history(run_folder: Path) -> dict[str, list[str]]:
    rows = run_files.metrics(run_folder)
    if not rows:
        raise Damage(f'{run_files.METRICS} has no lines')
    columns = [n for n in rows[0] if not n.startswith('train/') and n != 'examples_per_second']
    return {name: [row[name] for row in rows] for name in columns}


def _write(file: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    with disk.whole(file) as opened:
        opened.writelines(f'{json.dumps(line)}\n' for line in lines)


def _stamp(file: Path) -> tuple[str, int, int] | None:
    """Returns what changes when the file does; None where there is none."""
    try:
        stat = file.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(file, error) from None
    return str(file.absolute()), stat.st_mtime_ns, stat.st_size


@functools.lru_cache(maxsize=2)  # a user's own, and the project's
def _read_once(folder: Path, *stamps: tuple[str, int, int] | None) -> dict[str, dict[str, Any]]:
    """Returns what _read does, again without reading for as long as the files' stamps are these."""
    return _read(folder)


def _read(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns what is kept of every run, by key: the line of its scores, its history, its place.

    The scores are read first, and written last: of every run there, the history is there too.
    """
    runs = _lines(folder / RUNS, _run_fault)
    histories = _lines(folder / HISTORIES, _history_fault)
    for name, (number, _) in runs.items():
        if name not in histories:
            raise _damage(folder / RUNS, number, f'a run without its history in {HISTORIES}')
    alone = [number for name, (number, _) in histories.items() if name not in runs]
    if len(alone) > 1:  # one is what a killed process leaves: see keep
        raise _damage(folder / HISTORIES, alone[0], f'a history without its run in {RUNS}')
    return {
        name: {
            **run,
            'history': histories[name][1]['history'],
            'place': f'{folder / RUNS}:{number}',
        }
        for name, (number, run) in runs.items()
    }


def _lines(
    file: Path, fault_of: Callable[[dict[str, Any]], str | None]
) -> dict[str, tuple[int, dict[str, Any]]]:
    """Returns the file's lines with their numbers, by key; raises DataError for the first bad one.

    `fault_of` says what is wrong with a line that has a key.
    """
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    for number, text in _texts(file):
        try:
            line = received.parsed(text)
        except Damage as error:
            raise _damage(file, number, str(error)) from None
        if not isinstance(line, dict):
            raise _damage(file, number, 'not a JSON object')
        name = line.get('key')
        if not isinstance(name, str) or not _KEY.fullmatch(name):
            raise _damage(file, number, 'its key is not 12 hexadecimal digits')
        if name in found:
            raise _damage(file, number, f'its key {name} is that of line {found[name][0]} too')
        if fault := fault_of(line):
            raise _damage(file, number, fault)
        found[name] = number, line
    return found


def _texts(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yields the file's lines with their numbers, but for empty ones at the end."""
    blank = 0
    try:
        with disk.opened_regular(file, follows=True) as opened:
            for number in itertools.count(1):
                text = opened.readline(_LONGEST + 1)
                if len(text) > _LONGEST:
                    raise _damage(file, number, f'longer than {_LONGEST:,} bytes')
                if text.strip():
                    yield blank or number, b'' if blank else text
                elif not text:
                    return
                else:
                    blank = blank or number
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: OSError) -> DataError:
    return DataError(f'{file}: cannot be read ({error.strerror}); restore the file')


def _damage(file: Path, number: int, fault: str) -> DataError:
    return DataError(f'{file}:{number}: {fault}; remove the line, or restore the file')


def _run_fault(line: Mapping[str, Any]) -> str | None:
    """Says what is wrong with a line of scores; None for nothing that the ledger reads."""
    for name, kind in _KINDS.items():
        if type(line.get(name)) is not kind:
            return f'{name} is missing, or of the wrong kind'
    metrics = line['metrics']
    if lacks := next((name for name in _NEEDED if name not in line), None):
        return f'{lacks} is missing'
    numbers = {**{name: line[name] for name in run_files.NUMBERS if name in line}, **metrics}
    wrong = next((name for name, value in numbers.items() if not _is_number(value)), None)
    return None if wrong is None else f'{wrong} is not a finite number'


def _history_fault(line: Mapping[str, Any]) -> str | None:
    """Says what is wrong with a line of a history: equally many numbers a column, as strings."""
    history = line.get('history')
    if not isinstance(history, dict) or not all(isinstance(c, list) for c in history.values()):
        return 'history is missing, or not an object of lists'
    if len({len(column) for column in history.values()}) > 1:
        return "history's columns are not of one length"
    for name, column in history.items():
        if not all(isinstance(value, str) for value in column):
            return f'{name} in history is not all strings'
        if name != 'phase' and not all(map(_WRITTEN.fullmatch, column)):
            return f'{name} in history is not all numbers'
        if name == 'epoch' and not all(value.isdecimal() and len(value) < 19 for value in column):
            return 'epoch in history is not all whole numbers'
    return None


def _is_number(value: Any) -> bool:
    """Whether a value of JSON is a number that can be reckoned with: neither NaN nor infinite."""
    return type(value) in (int, float) and abs(value) <= _MOST
