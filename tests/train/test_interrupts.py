"""A signal in any part of a run: it is saved, and the same command ends with the same bits."""

import os
import select
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, most, results_of, weights_of

from evaluation import scores
from inputs import recording, sources
from networks import saved_graph
from reports import drawing
from system.errors import Interrupted
from system.interrupts import Interrupts
from train import feeding, loop, several, updates
from train.checkpoints import Checkpoints

SMALL = ('--set=hidden=12,6', '--set=epochs=2', '--set=batch_size=40', '--set=parts=1')
PHASES = ('--experiment=phasewise', *SMALL)
MAPPED = (*PHASES, '--set=cache_bytes=0')  # activations are cached on disk
CHILD = (
    '--experiment=phasewise_classifier', '--set=epochs=2', '--set=parent.epochs=2',
    '--set=parent.hidden=12,6', '--set=parts=1', '--set=parent.parts=1',
)  # fmt: skip
# Where the signal comes: what is called then, and how often it has been called before.
PLACES = {
    'reading a source': (sources, 'read_npz', 0, PHASES),
    'writing records': (recording, 'write_shard', 1, PHASES),
    'before the first step': (updates, 'build', 0, PHASES),
    'in an epoch': (loop, 'run', 3, PHASES),
    'saving': (Checkpoints, 'save', 0, PHASES),
    'caching activations': (feeding, 'cached', 0, MAPPED),
    'between phases': (updates, 'build', 1, PHASES),
    'evaluating': (scores, 'score', 0, PHASES),
    'exporting': (saved_graph, 'write', 0, PHASES),
    'drawing': (drawing, 'draw', 0, PHASES),
    "in the parent's evaluation": (scores, 'score', 0, CHILD),
    "after the parent's": (saved_graph, 'read', 0, CHILD),
    'in a study': (several, 'run', 1, ('--experiment=phasewise', '--seeds=2', *SMALL)),
}
OFTEN = ('writing records', 'in an epoch', 'between phases')


@pytest.fixture(scope='module')
def undisturbed():
    """What runs ended with that no signal reached, by their flags."""
    return {}


@pytest.fixture(scope='module')
def few(some_digits, tmp_path_factory):
    """A file of 200 small pictures, with labels."""
    file = tmp_path_factory.mktemp('few') / 'few.npz'
    np.savez(file, x=some_digits[0][:200, ::4, ::4], y=some_digits[1][:200])
    return file


@pytest.fixture(autouse=True)
def interruptible():
    """Has SIGINT interrupt, which a process in the background inherits as ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def ends(folder) -> dict[str, tuple]:
    """Returns the metrics and weights of every run below the folder."""
    found = {}
    for file in sorted(folder.rglob('results.json')):
        weights = weights_of(file.parent) if (file.parent / 'model.index').exists() else {}
        name = str(file.parent.relative_to(folder))
        found[name] = results_of(file.parent).get('metrics'), weights
    return found


@pytest.mark.parametrize('place', most(PLACES, OFTEN.__contains__))
def test_a_signal_anywhere_saves_and_the_same_command_ends_the_same(
    main, few, tmp_path, monkeypatch, undisturbed, place
):
    owner, name, before, flags = PLACES[place]
    number = (signal.SIGINT, signal.SIGTERM)[list(PLACES).index(place) % 2]
    flags = (*flags, f'--array={few}')
    if flags not in undisturbed:
        code, _, err = main(*flags, runs=tmp_path / 'whole')
        assert code == 0, err
        undisturbed[flags] = ends(tmp_path / 'whole')

    original, calls = getattr(owner, name), []

    def signalled(*arguments, **options):
        calls.append(name)
        if len(calls) == before + 1:
            os.kill(os.getpid(), number)
        return original(*arguments, **options)

    flags += (f'--data_dir={tmp_path}/data',)
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, signalled)
        code, _, err = main(*flags, runs=tmp_path / 'disturbed')
    assert code == 128 + number, err
    assert len(calls) > before and len(err.splitlines()) == 1 and 'goes on from here' in err
    assert not list(tmp_path.rglob('.*.writing'))
    code, _, err = main(*flags, runs=tmp_path / 'disturbed')
    assert code == 0, err
    assert_same(ends(tmp_path / 'disturbed'), undisturbed[flags[:-1]])


def assert_same(found: dict[str, tuple], wanted: dict[str, tuple]) -> None:
    assert found.keys() == wanted.keys() and found
    for name, (metrics, weights) in found.items():
        assert metrics == wanted[name][0] and weights.keys() == wanted[name][1].keys()
        for variable, value in weights.items():
            np.testing.assert_array_equal(value, wanted[name][1][variable])


@pytest.mark.parametrize('second', [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_the_process_at_once(second):
    code = (
        'import os, signal, time; from system.interrupts import Interrupts\n'
        'with Interrupts():\n'
        '    os.kill(os.getpid(), signal.SIGINT); print("noted", flush=True)\n'
        f'    os.kill(os.getpid(), {int(second)}); time.sleep(9); print("goes on")'
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -second and done.stdout == 'noted\n'


@pytest.mark.parametrize('signals', [[signal.SIGINT], [signal.SIGTERM, signal.SIGINT]])
def test_a_signal_ends_what_is_computed_without_an_end(signals):
    """Where Python gets to nothing, as in an operation of a graph, a thread ends the process."""
    patience = 0.1 if len(signals) == 1 else None
    code = (
        'import ctypes, signal; from system.interrupts import Interrupts\n'
        'with Interrupts() as interrupts:\n'
        f'    interrupts.patience = {patience}\n'
        '    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])\n'
        '    print("on", flush=True); ctypes.CDLL(None).sleep(60)\n'
    )
    pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
    process = subprocess.Popen([sys.executable, '-c', code], cwd=ROOT, **pipes)
    assert process.stdout.readline() == 'on\n'
    time.sleep(0.3)  # until it is where Python does not get to a signal
    for number in signals:
        process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode - 128 in signals and len(err.splitlines()) == 1
    assert 'does not end' in err


def test_who_looked_on_before_still_hears_of_signals():
    """As the watch over the other workers of a run does."""
    hears, told = os.pipe()
    os.set_blocking(told, False)
    before = signal.set_wakeup_fd(told)
    try:
        with pytest.raises(Interrupted), Interrupts(), Interrupts():
            os.kill(os.getpid(), signal.SIGTERM)
            assert select.select([hears], [], [], 5)[0]
            assert os.read(hears, 1) == bytes([signal.SIGTERM])
    finally:
        signal.set_wakeup_fd(before)
        os.close(hears)
        os.close(told)


@pytest.mark.parametrize('is_terminal', [True, False])
def test_on_a_terminal_a_signal_is_answered_at_once(monkeypatch, capfd, is_terminal):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: is_terminal)
    with pytest.raises(Interrupted), Interrupts():
        os.kill(os.getpid(), signal.SIGTERM)
        told = capfd.readouterr().err
    assert ('SIGTERM: ends as soon as' in told) == is_terminal


@pytest.mark.parametrize('alone', [False, True])
def test_a_signal_that_comes_when_all_is_done_ends_what_follows_if_anything(alone):
    def work():
        with Interrupts('stopped', alone=alone):
            os.kill(os.getpid(), signal.SIGINT)

    if alone:
        work()
        return
    with pytest.raises(Interrupted, match='SIGINT: stopped'):
        work()


def test_of_a_finished_run_it_is_not_said_that_it_goes_on():
    words = 'the run is finished; the same command without --restart goes on'
    with pytest.raises(Interrupted, match=words), Interrupts(restarts=True) as interrupts:
        interrupts.finished()
        os.kill(os.getpid(), signal.SIGTERM)


def test_what_begins_again_by_the_same_command_is_said_to_go_on_without_restart():
    words = 'the same command without --restart goes on from here'
    with pytest.raises(Interrupted, match=words), Interrupts(restarts=True):
        os.kill(os.getpid(), signal.SIGINT)
