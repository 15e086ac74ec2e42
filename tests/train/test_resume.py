"""Runs that are killed, interrupted, locked out or diverge, as real processes."""

import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import weights_of
from forked import Forked, program

from system.errors import Interrupted
from system.interrupts import Interrupts
from train.checkpoints import Checkpoints

FLAGS = (
    '--experiment=phasewise', '--dataset=mnist5k', '--set=hidden=100,50', '--set=epochs=30',
)  # fmt: skip
UPDATES = 27 * 30  # a phase
OFTEN = '--checkpoint_seconds=0.1'  # of runs that are killed, so that there are some to go on from


RANDOM = (
    '--experiment=vae', '--dataset=mnist5k', '--set', 'hidden=60,10', '--set', 'dropout=0.1',
    '--set', 'corruption=0.3', '--set', 'epochs=10',
)  # fmt: skip


PATIENT = (
    '--experiment=phasewise', '--dataset=mnist5k', '--set=hidden=50,25', '--set=epochs=15',
    '--set=patience=2', '--set=learning_rate=0.02', '--set=schedule=constant',
)  # fmt: skip


def start(data_dir: Path, folder: Path, flags: tuple[str, ...] = FLAGS) -> Forked:
    return program(*flags, '--nofigures', f'--data_dir={data_dir}', f'--run_dir={folder}')


def wait_for_checkpoint(process: Forked, folder: Path, after: int) -> int:
    """Waits until a checkpoint of more than `after` updates is there; returns its updates."""
    for _ in range(60_000):
        found = [int(p.name) for p in folder.glob('checkpoints/[0-9]*')]
        if found and max(found) > after:
            return max(found)
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError('no checkpoint')


@pytest.fixture(scope='module')
def undisturbed(data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp('runs') / 'whole'
    process = start(data_dir, folder)
    _, err = process.communicate()
    assert process.returncode == 0 and not err, err  # no progress bar, where no terminal is
    return folder


def assert_same(folder: Path, undisturbed: Path) -> None:
    wanted = weights_of(undisturbed)
    for name, value in weights_of(folder).items():
        np.testing.assert_array_equal(value, wanted[name])
    rows, wanted_rows = (
        [
            [c for i, c in enumerate(line.split(',')) if i not in (3, 4)]  # not the seconds
            for line in (f / 'metrics.csv').read_text().splitlines()
        ]
        for f in (folder, undisturbed)
    )
    assert rows == wanted_rows


def test_killed_mid_phase_and_damaged_it_resumes_and_ends_equal_bit_for_bit(
    data_dir, tmp_path, undisturbed
):
    folder = tmp_path / 'run'
    for after in (0, UPDATES):  # in the first phase, then in the second
        process = start(data_dir, folder, (*FLAGS, OFTEN))
        first = wait_for_checkpoint(process, folder, after)
        wait_for_checkpoint(process, folder, first)
        time.sleep(0.05)  # past the checkpoint, so that updates are lost and done again
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert not (folder / 'results.json').exists()
    newest = max(folder.glob('checkpoints/[0-9]*'))
    (data,) = newest.glob('state.data-*')
    os.truncate(data, 100)  # and the disk was bad, too
    process = start(data_dir, folder)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert f'warning: {newest}: damaged checkpoint' in out and 'resumes after update' in out
    assert_same(folder, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize('flags', [RANDOM, PATIENT])
def test_whatever_is_killed_goes_on_with_the_same_bits(data_dir, tmp_path, flags):
    """So it is with more kinds of run, many times over, in the campaign of `make torture`."""
    folders = [tmp_path / name for name in ('whole', 'killed')]
    for folder in folders:
        process = start(data_dir, folder, (*flags, OFTEN) if folder.name == 'killed' else flags)
        if folder.name == 'killed':
            wait_for_checkpoint(process, folder, 0)
            time.sleep(0.05)
            process.kill()
            assert process.wait() == -signal.SIGKILL and not (folder / 'results.json').exists()
            process = start(data_dir, folder, flags)
        out, err = process.communicate()
        assert process.returncode == 0, err
    assert 'resumes after update' in out
    assert_same(folders[1], folders[0])


@pytest.mark.parametrize(
    ('number', 'code'),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_a_signal_saves_and_the_same_command_goes_on(data_dir, tmp_path, undisturbed, number, code):
    folder = tmp_path / 'run'
    process = start(data_dir, folder)
    while (
        not (folder / 'metrics.csv').exists()
        or (folder / 'metrics.csv').read_text().count('\n') < 5
    ):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode == code
    assert err.strip().splitlines()[-1].startswith(f'error: {signal.Signals(number).name}: saved')
    process = start(data_dir, folder)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert 'resumes after update' in out
    assert_same(folder, undisturbed)


def test_a_signal_that_comes_late_still_stops_what_comes_next():
    with pytest.raises(Interrupted) as raised, Interrupts():
        os.kill(os.getpid(), signal.SIGTERM)
    assert raised.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_the_first_checkpoint_of_a_large_network_waits_longer(tmp_path, monkeypatch):
    checkpoints, began = Checkpoints(tmp_path), time.monotonic()
    monkeypatch.setattr(time, 'monotonic', lambda: began + 100)
    assert checkpoints.due()
    with tf.Graph().as_default():
        large = tf.get_variable('large', [10**8], use_resource=True)  # 400 MB
    checkpoints.expect([large])
    assert not checkpoints.due()


def test_a_second_process_in_the_same_folder_is_refused(data_dir, tmp_path):
    folder = tmp_path / 'run'
    first = start(data_dir, folder)
    while not (folder / 'config.json').exists():
        assert first.poll() is None, first.communicate()
        time.sleep(0.01)
    second = start(data_dir, folder)
    _, err = second.communicate()
    first.kill()
    first.communicate()
    assert second.returncode == 5 and 'another process' in err
    assert len(err.splitlines()) == 1


def test_a_diverging_run_exits_4_and_names_the_step_where_its_second_phase_went_wrong(main):
    code, out, err = main(
        '--experiment=phasewise_finetune',
        '--dataset=mnist5k',
        *('--set', 'epochs=1', '--set', 'finetune_epochs=2', '--set', 'parent.epochs=1'),
        *('--set', 'optimizer=sgd', '--set', 'finetune_learning_rate=1000'),
        '--checkpoint_seconds=1000',  # or a slow machine saves between, too
    )
    assert code == 4 and len(err.splitlines()) == 1
    words = r'finetune: the (loss|gradient of \S+) is not a finite number at step (\d+)'
    found = re.search(words, err)
    assert err.endswith('Try a smaller --set finetune_learning_rate=...\n')  # the phase's own
    first, last = re.search(r'at a step from (\d+) to (\d+)', out).groups()
    assert int(first) <= int(found[2]) <= int(last)
    assert 'looks for that step' in out and 'resumes after update 27' in out
    (folder,) = map(Path, re.findall(r'^phasewise_finetune on .* -> (.*)$', out, re.M))
    assert (folder / 'checkpoints' / '000000027').is_dir()
    assert not (folder / 'results.json').exists()


def test_a_finished_run_is_shown_again_and_says_nothing_on_stderr(undisturbed, data_dir):
    process = start(data_dir, undisturbed)
    _, err = process.communicate()
    assert err == '' and process.returncode == 0
    assert os.listdir(undisturbed / 'checkpoints')
