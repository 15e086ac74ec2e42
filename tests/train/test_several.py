"""Several runs at once: each on its share of the cores, with scores as one after the other."""

import os
import signal
import subprocess
import time

import pytest
from conftest import results_of
from forked import program

import inst
from train.executors import _shares
from train.folder import Place
from train.several import Job, _stages

TINY = ('--set=hidden=8,6', '--set=epochs=1')


@pytest.mark.slow
def test_a_study_at_once_finds_what_it_finds_one_by_one(main, digits, tmp_path):
    """The last bits may differ: each run has fewer cores."""
    flags = ('--experiment=phasewise_classifier', f'--array={digits}', '--seeds=2', '--set=epochs=1',
             '--set=parent.epochs=1', '--set=parent.hidden=8,6', '--nofigures')  # fmt: skip
    found = []
    for name in ('single', 'double'):
        jobs = 1 + (name == 'double')
        code, out, err = main(*flags, f'--runs={tmp_path}/{name}', f'--jobs={jobs}')
        assert code == 0, err
        assert out.count('phasewise_classifier seed') == 2 and '2/2 ' in out
        (study,) = (tmp_path / name / 'phasewise_classifier').glob('*seeds0..1*')
        log = (study / 'log.txt').read_text()
        assert log.count('trains head/') == 2 and log.count('trains layer1/') == 2
        (point,) = results_of(study)['points']
        found.append(point['metrics']['test/cross_entropy']['values'])
        assert not list((tmp_path / name).glob('*/*/figures/loss*'))
    assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_what_a_run_fails_of_is_said_and_is_the_exit_code(main, digits, tmp_path):
    code, _, err = main(
        '--experiment=tied', f'--array={digits}', '--seeds=2', '--jobs=2', *TINY,
        '--set=learning_rate=1000', '--set=optimizer=sgd', f'--runs={tmp_path}',
    )  # fmt: skip
    assert code == 4 and err.startswith('error: tied: joint: the ') and len(err.splitlines()) == 1


@pytest.mark.slow
def test_a_signal_stops_all_of_them_saved(digits, data_dir, tmp_path):
    process = program(
        '--experiment=tied', f'--array={digits}', '--seeds=2', '--jobs=2', TINY[0],
        '--set=epochs=4000', f'--runs={tmp_path}', f'--data_dir={data_dir}',
        '--checkpoint_seconds=0.1',
    )  # fmt: skip
    limit = time.monotonic() + 120
    while len(list(tmp_path.glob('tied/*/checkpoints/newest.json'))) < 2:
        assert time.monotonic() < limit and process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 143 and 'goes on from here' in err
    done = subprocess.run(['pgrep', '-f', str(tmp_path)], capture_output=True, text=True)
    assert not done.stdout


def test_a_parent_is_trained_once_and_before_what_restores_it(tmp_path):
    place = Place(runs=tmp_path)
    made = [
        Job(arm.vary(seed=seed), arm, place)
        for seed in (0, 1)
        for arm in (inst.semi_finetuned, inst.semi_frozen)
    ]
    parents, children = _stages(made)
    assert [(job.experiment.name, job.experiment.seed) for job in parents] == [
        ('compress_denoise', 0),
        ('compress_denoise', 1),
    ]
    assert children == made
    drawn = [Job(inst.semi_scratch, inst.semi_scratch, place)]
    assert _stages(drawn) == [drawn]  # of whose parent the graph alone is needed


def test_the_cores_are_shared_out():
    if not hasattr(os, 'sched_getaffinity'):
        pytest.skip('no affinity on this system')
    mine = os.sched_getaffinity(0)
    shares = _shares(2)
    assert set().union(*shares) == mine and (len(mine) < 2 or not shares[0] & shares[1])
    assert all(_shares(len(mine) + 3))


def test_one_run_is_no_several(main, tmp_path):
    code, _, err = main('--experiment=tied', '--jobs=2', f'--runs={tmp_path}')
    assert code == 2 and 'tied is one run' in err
