"""Runs on the workers of a Dask scheduler: a real one, with two workers on loopback."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from conftest import results_of, weights_of
from forked import program

from train import executors, several

TINY = ('--experiment=tied', '--seeds=2', '--set=hidden=6,5', '--set=steps_per_epoch=2')
TINY += ('--nofigures', '--checkpoint_seconds=0.1')


def until(holds, seconds=60):
    """Returns what holds, as soon as it does."""
    limit = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < limit
        time.sleep(0.05)
    return found


def processes_of(runs, flags='') -> list[int]:
    """Returns the processes on workers that have a folder of runs among their flags."""
    words = ['pgrep', '-f', f'main.py{flags} .*{runs} ']
    found = subprocess.run(words, capture_output=True, text=True)
    return [*map(int, found.stdout.split())]


@pytest.fixture(scope='module')
def scheduler(tmp_path_factory):
    """The file of a scheduler with two workers, which start elsewhere than in this program."""
    pytest.importorskip('distributed', reason='of requirements-cluster.txt')
    folder = tmp_path_factory.mktemp('dask')
    file, alone = folder / 'scheduler.json', ('--host=127.0.0.1', '--no-dashboard')
    first = ('scheduler', '--port=0', '--dashboard-address=127.0.0.1:0', *alone)
    commands = [(*first, f'--scheduler-file={file}')]
    commands += [('worker', f'--scheduler-file={file}', '--nthreads=1', *alone)] * 2
    begun = []
    for kind, *flags in commands:
        words = [sys.executable, '-m', f'distributed.cli.dask_{kind}', *flags]
        quiet = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}
        begun.append(subprocess.Popen(words, cwd=folder, start_new_session=True, **quiet))
    until(file.exists)
    yield file
    for process in begun:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing(main, scheduler, digits, data_dir, tmp_path):
    """Its run goes on elsewhere, and all figures have the bits of a study on this machine alone."""
    flags = (*TINY, f'--array={digits}', '--set=epochs=300')
    places = f'--runs={tmp_path}/far', f'--data_dir={data_dir}'
    process = program(*flags, *places, f'--scheduler={scheduler}')
    newest = 'tied/*/checkpoints/newest.json'
    until(lambda: len([*(tmp_path / 'far').glob(newest)]) == 2)  # so that either can be resumed
    run = processes_of(f'{tmp_path}/far')[0]
    worker = subprocess.run(['ps', '-o', 'ppid=', '-p', str(run)], capture_output=True, text=True)
    os.kill(int(worker.stdout), signal.SIGKILL)
    until(lambda: run not in processes_of(f'{tmp_path}/far'), seconds=2)
    assert main(*flags, f'--runs={tmp_path}/near')[0] == 0
    out, err = process.communicate()
    assert (process.returncode, err) == (0, '') and out.startswith('the runs go to the workers of')
    (log,) = (tmp_path / 'far').glob('tied/*seeds*/log.txt')
    assert log.read_text().count('-> ') == 3 and 'resumes' in log.read_text()
    for near in (tmp_path / 'near').glob('tied/*'):
        far = tmp_path / 'far' / 'tied' / near.name
        key = 'points' if 'seeds' in near.name else 'metrics'
        assert results_of(far)[key] == results_of(near)[key]
        if key == 'metrics':
            ours, theirs = weights_of(near), weights_of(far)
            assert all((ours[name] == theirs[name]).all() for name in ours)


@pytest.mark.slow
def test_an_interrupt_leaves_nothing_on_the_workers_and_all_saved(
    scheduler, digits, data_dir, tmp_path
):
    flags = (*TINY, f'--array={digits}', '--set=epochs=9000', f'--data_dir={data_dir}')
    process = program(*flags, f'--runs={tmp_path}', f'--scheduler={scheduler}')
    until(lambda: any(tmp_path.glob('tied/*/checkpoints/newest.json')))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err == 'error: SIGINT: saved; the same command goes on from here\n'
    assert not processes_of(tmp_path)


def test_a_worker_without_this_program_is_named(main, scheduler, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(several, '_MAIN', tmp_path / 'main.py')
    code, _, err = main(*TINY, f'--array={digits}', f'--scheduler={scheduler}')
    assert code == 2 and f'has no {tmp_path}/main.py; it needs' in err
    assert re.match('error: --experiment=tied .*: the worker tcp://127.0.0.1:', err), err
    assert err.count('\n') == 1


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ('tcp://127.0.0.1:{free}', 'no scheduler answers at tcp://127.0.0.1:{free} (Connection'),
        ('tcp://127.0.0.1:{mute}', 'no scheduler answers at tcp://127.0.0.1:{mute} ('),
        ('http://127.0.0.1:8786', 'must be tcp://host:8786 or the file that'),
        ('tcp://127.0.0.1:87860', 'must be tcp://host:8786 or the file that'),
        ('{folder}/none.json', 'No such file or directory; it must be tcp://host:8786'),
        ('{folder}/empty.json', 'no JSON with an address; it must be tcp://host:8786'),
    ],
)
def test_a_scheduler_that_is_not_there_is_said_in_a_line(main, digits, tmp_path, given, words):
    pytest.importorskip('distributed', reason='of requirements-cluster.txt')
    (tmp_path / 'empty.json').write_text(json.dumps([]))
    with socket.create_server(('127.0.0.1', 0)) as mute, socket.create_server(('', 0)) as free:
        ports = {'mute': mute.getsockname()[1], 'free': free.getsockname()[1]}
        free.close()
        given, words = (text.format(folder=tmp_path, **ports) for text in (given, words))
        began = time.monotonic()
        code, _, err = main(*TINY, f'--array={digits}', f'--scheduler={given}')
    assert (code, err.count('\n')) == (2, 1) and words in err and time.monotonic() - began < 10
    assert not (tmp_path / 'runs').exists()


def test_without_dask_what_installs_it_is_named(main, monkeypatch):
    monkeypatch.setattr(executors, 'find_spec', lambda _: None)
    code, _, err = main(*TINY, '--scheduler=tcp://127.0.0.1:8786')
    assert code == 2 and err.count('\n') == 1 and '-r requirements-cluster.txt' in err


def test_jobs_beside_a_scheduler_are_refused(main):
    code, _, err = main(*TINY, '--scheduler=tcp://127.0.0.1:8786', '--jobs=2')
    assert code == 2 and '--jobs has no effect with --scheduler' in err
