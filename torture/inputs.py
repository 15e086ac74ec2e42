"""Runs on each file of arrays, folder of pictures and in each surroundings of the corpus."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torture import arrays, pictures, surroundings
from torture.cases import TOUCHED, Case
from torture.corpus import SECONDS, call_main, outcome, ran, table

_ROOT = Path(__file__).resolve().parent.parent
_BUSY = 10  # times as many seconds as a case may compute are waited for it, on a busy machine
_LINES = (1, 2, 3, 4)  # exit codes: a full disk and the like too, and a loss without an end
CASES: dict[str, Case] = {
    f'{kind}: {name}': case
    for kind, cases in (
        ('array', arrays.CASES), ('pictures', pictures.CASES), ('in', surroundings.CASES)
    )
    for name, case in cases.items()
}  # fmt: skip


def campaign(output: Path, at_once: int, pattern: str = '') -> None:
    """Runs on what a pattern finds in the names of the cases, and writes how many ended how."""
    names = [name for name in CASES if re.search(pattern, name)]
    outcomes = []
    with tempfile.TemporaryDirectory(prefix='torture-') as name:
        os.chmod(name, 0o755)  # so that those can be in it who have few rights
        os.environ['XDG_STATE_HOME'] = f'{name}/state'
        for one in tried(Path(name), names, at_once):
            outcomes.append(one)
            output.write_text(table(outcomes))
            words = one['words'].replace(name, '')
            taken = f'{one["seconds"]:.0f} s, {one["memory"] >> 20} MB'
            print(f'{len(outcomes)}/{len(names)} {one["name"]}: {one["end"]} ({taken}): {words}',
                  flush=True)  # fmt: skip
    print(table(outcomes))


def tried(folder: Path, names: Sequence[str], at_once: int) -> Iterator[dict[str, Any]]:
    """Runs on these cases, in folders of their own, so many at once; yields how each run ended."""
    import main  # noqa: F401  which most of the processes are copies of
    import train.run  # noqa: F401

    places = {name: folder / f'case{number}' for number, name in enumerate(names)}
    calls = [
        (name, folder / f'{place.name}.txt', partial(_run, CASES[name], place))
        for name, place in places.items()
    ]
    for name, code, said, used in ran(calls, at_once):
        case, place = CASES[name], places[name]
        one = outcome(name, case.end, code, said, used, _LINES)
        is_finished = (place / 'run' / 'results.json').is_file()
        if (code == 0 and case.trains and not is_finished) or (place / TOUCHED).exists():
            one |= {'end': 'not as it should', 'words': f'exit code {code}, {one["words"]}'}
        _remove(place)
        yield one


def _run(case: Case, place: Path) -> int:
    """Makes what a case has, and runs on it in what surrounds it."""
    place.mkdir()
    flags = [*case.made(place)]
    for asked, flag in (
        ('--run', f'--run_dir={place}/run'),
        ('--data_dir', f'--data_dir={place}/data'),
    ):
        if case.trains and not any(mine.startswith(asked) for mine in flags):
            flags.append(flag)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    spent = resource.getrusage(resource.RUSAGE_SELF)
    most = int(spent.ru_utime + spent.ru_stime) + SECONDS + 5
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))
    signal.alarm(_BUSY * SECONDS)
    if not case.is_started:
        os.chdir(_ROOT)
        case.around(place)
        return call_main(flags)
    os.environ.pop('TF_CPP_MIN_LOG_LEVEL', None)
    os.chdir(place)
    case.around(place)
    os.execv(sys.executable, [sys.executable, f'{_ROOT}/main.py', *flags])


def _remove(place: Path) -> None:
    """Removes a case's folder, which may be deeper than Python goes, or closed."""
    for line in (['chmod', '-R', 'u+rwX'], ['rm', '-rf']):
        subprocess.run([*line, str(place)], stderr=subprocess.DEVNULL)


if __name__ == '__main__':
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
    campaign(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
