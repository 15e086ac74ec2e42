"""Tries run folders that were damaged, each in a process of its own, and says how these ended."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from torture.corpus import BYTES, ENDS, SECONDS, _forked, table
from torture.folders import CASES, Case

_BUSY = 5  # times as many seconds as a case may compute are waited for it, on a busy machine
_LINE = ('--set=epochs=1', '--set=steps_per_epoch=2', '--nofigures')
_TINY = ('--set=hidden=6,4', '--set=activation=relu')
TRAINED = {  # a run -> flags that train it, and those that then go on with it
    'done': (('--experiment=vae', '--set=classify=1', *_TINY, *_LINE), ()),
    'begun': (
        ('--experiment=trivial', '--set=hidden=3', '--nofigures'), ('--set=epochs=3',),
    ),
    'steps': (('--experiment=lstm_reconstruct', '--set=hidden=3', '--set=parts=1', *_LINE), ()),
    'maps': (
        ('--experiment=conv_vae_classify', '--set=filters=3,4', '--set=code_size=4', *_LINE), (),
    ),
}  # fmt: skip
OWN = """
from inst import iris_linear
from ledger.claim import Claim
small = iris_linear.vary('small', description='a small run', epochs=1)
learns = Claim('it learns', 'nobody', small, 'test/mse', '<', 100.0)
"""


def campaign(output: Path, at_once: int, cases: Sequence[str] = ()) -> None:
    """Tries all that the corpus of folders has, and writes how many tries ended how."""
    with tempfile.TemporaryDirectory(prefix='torture-') as name:
        os.environ['XDG_STATE_HOME'] = str(Path(name, 'state'))
        outcomes = []
        for one in tried(Path(name), at_once, cases):
            outcomes.append(one)
            output.write_text(table(outcomes))
            if one['end'] not in ENDS[:2] or cases:
                said = one['words'].replace(name, '')
                print(f'{len(outcomes)} {one["name"]}: {one["end"]}: {said}', flush=True)
    print(table(outcomes))


def tried(folder: Path, at_once: int, cases: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Makes the runs, and yields how each try ended, in processes that are copies of this one."""
    import inference  # noqa: F401  which the processes are copies of
    import ledger.fill  # noqa: F401
    import main  # noqa: F401
    import train.run  # noqa: F401

    child = _forked(partial(write, folder, call), folder / 'written.txt')
    if os.waitpid(child, 0)[1]:
        raise RuntimeError((folder / 'written.txt').read_text()[-2000:])
    waiting = [name for name in CASES if not cases or name in cases]
    running: dict[int, tuple[str, Path, float]] = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            name = waiting.pop(0)
            place = folder / f'case{len(waiting)}'
            running[_forked(partial(_try, folder, name, place), folder / f'{place.name}.txt')] = (
                name, place, time.monotonic(),
            )  # fmt: skip
        child, status, used = os.wait4(-1, os.WNOHANG)
        if child in running:
            name, place, _ = running.pop(child)
            yield from _outcomes(name, place, os.waitstatus_to_exitcode(status), used)
            shutil.rmtree(place, ignore_errors=True)
            continue
        time.sleep(0.02)


def call(*flags: str) -> int:
    """Calls main with flags, in this process; returns the exit code."""
    import main

    for name in main.FLAGS:
        main.FLAGS[name].unparse()
    return main.main(['main.py', *flags])


def _try(shared: Path, name: str, place: Path) -> int:
    """Does all that a case asks for, one after the other, and notes how each ended."""
    import traceback

    run = copied(shared, name, place)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for what in CASES[name].tries:
        said = place / f'{what}.txt'
        for number in (1, 2):
            os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        began = resource.getrusage(resource.RUSAGE_SELF)
        spent = began.ru_utime + began.ru_stime
        resource.setrlimit(resource.RLIMIT_CPU, (int(spent) + SECONDS + 5, resource.RLIM_INFINITY))
        signal.alarm(_BUSY * SECONDS // 2)
        (place / 'now').write_text(what)
        try:
            code = attempt(shared, run, CASES[name], what, call)
        except BaseException:
            traceback.print_exc()
            code = 70
        sys.stdout.flush()
        sys.stderr.flush()
        used = resource.getrusage(resource.RUSAGE_SELF)
        told = {'code': code, 'seconds': used.ru_utime + used.ru_stime - spent,
                'memory': used.ru_maxrss << 10}  # fmt: skip
        (place / f'{what}.json').write_text(json.dumps(told))
    return 0


def _outcomes(name: str, place: Path, code: int, used: Any) -> Iterator[dict[str, Any]]:
    now = (place / 'now').read_text() if (place / 'now').is_file() else ''
    for what in CASES[name].tries:
        said = place / f'{what}.txt'
        words = said.read_text(errors='replace') if said.is_file() else ''
        told = place / f'{what}.json'
        if told.is_file():
            found = json.loads(told.read_text())
            yield outcome(f'{name}: {what}', what in CASES[name].refused, found, words)
        elif what == (now or CASES[name].tries[0]):  # what followed was not tried
            end = 'crash' if code not in (-signal.SIGALRM, -signal.SIGXCPU, -signal.SIGKILL) else ''
            yield {
                'name': f'{name}: {what}',
                'end': end or 'over the limit',
                'words': f'ended by {code}; {_last(words)}',
            }


def outcome(name: str, refused: bool, found: dict[str, Any], said: str) -> dict[str, Any]:
    """Returns how a try ended, one of ENDS; one that must be `refused` may not end well."""
    lines = [line for line in said.splitlines() if line.strip()]
    is_line = found['code'] in (2, 3) and bool(lines) and lines[-1].startswith('error: ')
    if 'Traceback' in said:
        end = 'traceback'
    elif found['seconds'] > SECONDS or found['memory'] > BYTES:
        end = 'over the limit'
    elif max(map(len, lines), default=0) > 20_000:
        end = 'not as it should'
    elif found['code'] and not is_line:
        end = 'crash'
    else:
        end = 'in one line' if found['code'] else 'not as it should' if refused else 'right'
    return {'name': name, 'end': end, 'words': _last(said)}


def _last(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()] or ['']
    return lines[-1][:300]


def write(folder: Path, call: Callable[..., int]) -> int:
    """Trains the runs that the cases are copies of, with `call`, which runs main with flags."""
    draw = np.random.default_rng(0)
    x = draw.integers(0, 256, (60, 6, 6)).astype(np.uint8)
    np.savez(folder / 'data.npz', x=x, y=np.arange(60) % 3)
    np.savez(folder / 'other.npz', x=x[:20], y=np.arange(20) % 3)
    (folder / 'mine.py').write_text(OWN)
    data = (f'--array={folder}/data.npz', f'--data_dir={folder}/data')
    for name, (flags, more) in TRAINED.items():
        begun = ('--set=epochs=2',) if more else ()
        assert call(*flags, *begun, *data, f'--run_dir={folder}/{name}') == 0, name
    (folder / 'kept').mkdir()
    shutil.copy(folder / 'mine.py', folder / 'kept')
    assert call('--mode=results', f'--inst={folder}/kept/mine.py', *_places(folder / 'kept')) == 0
    family = _child(folder, folder / 'family')
    assert call(*family, '--set=epochs=1') == 0
    return 0


def _places(folder: Path) -> tuple[str, str]:
    return f'--runs={folder}/runs', f'--data_dir={folder}/records'


def _child(shared: Path, runs: Path) -> list[str]:
    """Returns flags of a run that restores another below the same folder."""
    flags = ['--experiment=phasewise_classifier', '--set=head=3', '--set=parent.hidden=4,3']
    flags += ['--set=parent.epochs=1', '--set=steps_per_epoch=2', '--nofigures']
    return [*flags, f'--array={shared}/data.npz', f'--data_dir={shared}/data', f'--runs={runs}']


def copied(shared: Path, name: str, into: Path) -> Path:
    """Copies the run of a case to a folder, with its damage; returns the run's own folder there."""
    case = CASES[name]
    into.mkdir()
    run = into / 'run'
    shutil.copytree(shared / case.run, run, symlinks=True)
    if case.run == 'done' and name.startswith('weights: of'):
        shutil.copytree(shared / 'maps', into / 'maps')
    inner = next(run.glob('phasewise/*')) if case.run == 'family' else run
    case.damage(inner)
    return run


def _flags(shared: Path, run: Path, case: Case) -> dict[str, list[str]]:
    """Returns what main is asked for, by what is tried."""
    own = [f'--run_dir={run}', f'--data_dir={shared}/data']
    other = [f'--array={shared}/other.npz']
    trained, more = TRAINED.get(case.run, ((), ()))
    again = [*trained, f'--array={shared}/data.npz', f'--data_dir={shared}/data']
    return {
        'evaluate': ['--mode=evaluate', '--nofigures', *own],
        'encode': ['--mode=encode', *own],
        'reconstruct': ['--mode=reconstruct', *own, *other],
        'score': ['--mode=score', '--nofigures', *own, *other],
        'predict': ['--mode=predict', *own, *other],
        'generate': ['--mode=generate', '--count=3', *own[:1]],
        'export': ['--mode=export', '--format=numpy', *own],
        'compare': ['--mode=compare', f'{run}', f'{shared}/steps', f'{shared}/maps',
                    f'--runs={run.parent}/compared', '--nofigures'],
        'again': [*again, f'--run_dir={run}'],
        'resume': [*again, *more, f'--run_dir={run}'],
        'parent': ['--experiment=phasewise_classifier', '--set=head=3', '--set=epochs=1',
                   '--set=steps_per_epoch=2', '--nofigures', f'--parent={run}', *again[-2:],
                   f'--run_dir={run.parent}/head'],
        'report': ['--mode=report', f'--inst={run}/mine.py', *_places(run.parent)],
        'child': [*_child(shared, run), '--set=epochs=2'],
    }  # fmt: skip


def attempt(shared: Path, run: Path, case: Case, what: str, call: Callable[..., int]) -> int:
    """Tries one thing with a copy; returns the exit code, with the line of an error on stderr."""
    asked = _flags(shared, run, case)
    if what in asked:
        return call(*asked[what])
    return _in_python(shared, run, case, what, call)


def _in_python(shared: Path, run: Path, case: Case, what: str, call: Callable[..., int]) -> int:
    from system.errors import UserError
    from system.lines import say

    try:
        if what == 'load':
            from inference import load

            x = np.load(shared / 'other.npz')['x']
            with load(run) as opened:
                opened.encode(x)
        elif what == 'frames':
            from inference import curves, runs

            runs(run, shared / 'steps')
            curves(run, shared / 'steps')
        elif what == 'page':
            from reports import runs_page

            place = run.parent / 'listed' / 'vae'
            place.mkdir(parents=True)
            shutil.copytree(run, place / 'run', symlinks=True, copy_function=_linked)
            runs_page.write(run.parent / 'listed')
        elif what == 'ledger':
            from ledger import store
            from train.folder import configuration

            found, _ = configuration(run)
            store.keep(found, run, run.parent / 'ledger')
        elif what == 'sibling':
            return _beside(shared, run, case, call)
    except UserError as error:
        say(f'error: {error}', to=sys.stderr)
        return error.exit_code
    return 0


def _linked(source: str, target: str) -> None:
    """Gives a file a second name, also where it is none that could be read."""
    os.link(source, target, follow_symlinks=False)


def _beside(shared: Path, run: Path, case: Case, call: Callable[..., int]) -> int:
    """Trains a run whose neighbour is the damaged one, which it could go on from."""
    runs = run.parent / 'beside' / 'trivial'
    runs.mkdir(parents=True)
    shutil.copytree(run, runs / 'neighbour', symlinks=True, copy_function=_linked)
    (runs / 'neighbour' / '.lock').unlink(missing_ok=True)
    flags = [*TRAINED[case.run][0], *TRAINED[case.run][1]]
    data = [f'--array={shared}/data.npz', f'--data_dir={shared}/data']
    return call(*flags, *data, f'--runs={runs.parent}')


if __name__ == '__main__':
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
    campaign(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
