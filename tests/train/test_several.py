"""Several runs at once: each on its share of the cores, with scores as one after the other."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from conftest import most, results_of
from forked import program

import inst
from command_line import is_said
from system.errors import UsageError
from train.executors import _shares
from train.folder import Place
from train.naming import name_of
from train.several import Job, _stages, train_each

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


@pytest.mark.parametrize('jobs', most((1, 2), (1).__eq__))
def test_what_a_run_fails_of_is_said_and_is_the_exit_code(main, digits, tmp_path, jobs):
    code, _, err = main(
        '--experiment=tied', f'--array={digits}', '--seeds=2', f'--jobs={jobs}', *TINY,
        '--set=learning_rate=1000', '--set=optimizer=sgd', f'--runs={tmp_path}',
    )  # fmt: skip
    which = r'--experiment=tied --array=\S+ .*--set learning_rate=1000\S* .*: joint: the '
    assert code == 4 and re.match(f'error: {which}', err), err
    assert len(err.splitlines()) == 1


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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='what ends with its parent: Linux alone')
def test_a_kill_ends_all_of_them(digits, data_dir, tmp_path):
    process = program(
        '--experiment=tied', f'--array={digits}', '--seeds=2', '--jobs=2', TINY[0],
        '--set=epochs=40000', f'--runs={tmp_path}', f'--data_dir={data_dir}',
    )  # fmt: skip
    limit = time.monotonic() + 120
    while len(list(tmp_path.glob('tied/*/metrics.csv'))) < 2:
        assert time.monotonic() < limit and process.poll() is None
        time.sleep(0.1)
    process.kill()
    process.communicate()
    while time.monotonic() < limit:
        left = subprocess.run(['pgrep', '-f', str(tmp_path)], capture_output=True, text=True).stdout
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(left)


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


def test_a_parent_that_is_asked_for_too_is_trained_once(tmp_path):
    """Also where both begin again, and before what restores it."""
    place = Place(runs=tmp_path, restart=True)
    stack, head = (Job(e, e, place) for e in (inst.phasewise, inst.phasewise_classifier))
    assert _stages([head, stack]) == [[stack], [head]]
    base, middle = inst.semi600_self, inst.semi600
    top, first = (Job(e, e, place) for e in (base, inst.sdae2010_stack))
    stages = _stages([first, top])  # what is between them was not asked for
    assert [[job.experiment.name for job in stage] for stage in stages] == [
        ['sdae2010_stack'], [middle.name], [base.name],
    ]  # fmt: skip
    assert stages[0] == [first] and stages[2] == [top] and _stages([]) == [[]]


def test_a_run_at_once_is_asked_for_with_all_that_was_given(tmp_path):
    place = Place(runs=tmp_path, tune=True, trusted=True, restart=True, verify=True, figures=False)
    flags = Job(inst.tied, inst.tied, place).flags()
    for switch in ('--tune', '--trust_graph', '--restart', '--verify', '--nofigures'):
        assert flags.count(switch) == 1
    assert not {'--tune', '--trust_graph'} & {*Job(inst.tied, inst.tied, Place()).flags()}


def test_what_no_command_can_say_is_refused_before_anything_is_trained(tmp_path):
    other = inst.phasewise_classifier.vary(parent=inst.phasewise_fullbatch)
    jobs = [Job(other, inst.phasewise_classifier, Place(runs=tmp_path))]
    with pytest.raises(UsageError, match='with the parent phasewise_fullbatch: write a variation'):
        next(train_each(jobs, tmp_path / 'log.txt'))
    varied = inst.phasewise_classifier.vary(**{'parent.hidden': (20, 10)})
    assert is_said(varied, inst.phasewise_classifier)
    assert not is_said(other, inst.phasewise_classifier)
    base = inst.semi600_self
    for above in (inst.sdae2010_stack_clean, '/some/graph'):
        deeper = base.vary(parent=inst.semi600.vary(parent=above))
        assert not is_said(deeper, base) and is_said(base.vary(parent='/some/graph'), base)
        assert len({name_of(e, 'mnist', base, tmp_path) for e in (base, deeper)}) == 2


def test_a_folder_that_cannot_be_made_is_a_line(tmp_path):
    (tmp_path / 'file').touch()
    jobs = [Job(inst.tied, inst.tied, Place(runs=tmp_path / 'file'))]
    with pytest.raises(UsageError, match='cannot be written .*name another with --runs'):
        next(train_each(jobs, tmp_path / 'file' / 'x' / 'log.txt'))


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
