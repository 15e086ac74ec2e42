"""Run folders of somebody else, edited or cut: one line where they are used, and nothing is lost."""

import os
import shutil

import pytest

import inst
from inference import load
from ledger import store
from reports import recorded, run_files, run_page, runs_page
from system.errors import DataError
from system.received import Damage
from torture import corpus, folders, tries
from train.checkpoints import Checkpoints
from train.folder import configuration

USED = {  # a case of the corpus -> a word of what is said where the run is used
    'config: booleans for widths': 'hidden=',
    'config: a million layers': 'at most 100',
    'config: a seed of 400 digits': 'seed=1000',
    'config: a layer less': 'layers',
    'config: not variational': 'of no use',
    'config: a name of ten million letters': 'characters',
    'config: a parent that is a list': 'parent=',
    'config: 40 parents': 'levels',
    'config: a shape of 10^18': 'no whole number from 1 to',
    'config: a picture of two channels': '1 or 3 channels',
    'config: a picture that is too large': 'does not fit',
    'config: a pipe': 'no regular file',
    'config: of four gigabytes': 'longer than',
    'weights: a pipe for the index': 'is no file',
}
TABLES = {  # a case of metrics.csv -> what is said
    'metrics: a step that is NaN': 'line 2: step',
    'metrics: no UTF-8': 'UTF-8',
    'metrics: zeros': 'line 2',
    'metrics: a cell of many letters': 'line 2',
    'metrics: a column that leads out': "column '../",
    'metrics: a row too short': 'cells',
}


@pytest.fixture
def copy(kinds, tmp_path):
    """Returns a function that copies a run of a kind, with the damage of a case of the corpus."""

    def copied(kind: str, name: str):
        run = shutil.copytree(kinds / kind, tmp_path / 'run')
        folders.CASES[name].damage(run)
        return run

    return copied


@pytest.mark.parametrize('name', USED)
def test_what_a_run_cannot_be_is_one_line_before_it_is_built(copy, name):
    with pytest.raises(DataError, match=USED[name]) as raised:
        load(copy('vae', name))
    assert '\n' not in str(raised.value) and len(str(raised.value)) < 2000


def test_a_class_less_and_another_shape_are_one_line_in_a_mode(copy, main):
    run = copy('conv', 'config: no classes')
    code, _, err = main('--mode=export', '--format=numpy', f'--run_dir={run}')
    assert code == 3 and 'data.classes' in err and len(err.splitlines()) == 1


@pytest.mark.parametrize('name', TABLES)
def test_a_damaged_table_is_named_with_its_line(copy, name):
    run = copy('vae', name)
    with pytest.raises(Damage, match=TABLES[name]):
        run_files.metrics(run)
    notes: recorded.Notes = {}
    assert recorded.points(run, notes) == [] and len(notes) == 1


def test_a_half_written_last_row_is_left_out_and_nothing_else(copy):
    run = copy('vae', 'metrics: a half written last row of few cells')
    assert [row['step'] for row in run_files.metrics(run)] == ['2']


@pytest.mark.parametrize('name', ['phases of nothing', 'metrics as text', 'seconds as text'])
def test_damaged_results_are_named_wherever_they_are_read(copy, name, tmp_path):
    run = copy('vae', f'results: {name}')
    with pytest.raises(Damage):
        run_files.results(run)
    experiment, _ = configuration(run)
    with pytest.raises(DataError, match='cannot be kept'):
        store.keep(experiment, run, tmp_path / 'ledger')
    shutil.copytree(run, tmp_path / 'runs' / 'vae' / 'seed0')
    runs_page.write(tmp_path / 'runs')
    assert '<code>vae/seed0</code>' in (tmp_path / 'runs/index.html').read_text()


def test_a_damaged_environment_is_no_reason_to_lose_the_page(copy):
    run = copy('vae', 'environment: a list')
    with pytest.raises(Damage):
        run_files.environment(run)
    experiment, _ = configuration(run)
    run_page.write(run, experiment, inst.vae, run_files.results(run))
    assert 'cannot be read' in (run / 'report.html').read_text()


@pytest.mark.parametrize('name', ['sums as text', 'a phase that is true', 'an unknown key'])
def test_a_position_of_other_kinds_is_no_checkpoint(copy, name):
    with pytest.raises(DataError, match='damaged checkpoint'):
        Checkpoints(copy('vae', f'position: {name}')).latest()


def test_a_pipe_in_the_ledgers_place_does_not_wait(tmp_path):
    os.mkfifo(tmp_path / store.RUNS)
    with pytest.raises(DataError, match='no regular file'):
        store.all_kept(tmp_path)


def test_what_is_made_of_a_run_is_not_written_through_a_link(copy, main, tmp_path):
    run = copy('vae', 'writes: a link for the exports')
    before = sorted(tmp_path.iterdir())
    code, _, err = main('--mode=export', '--format=numpy', f'--run_dir={run}')
    assert code == 2 and 'remove it' in err and sorted(tmp_path.iterdir()) == before


def test_the_table_of_tries_counts_each_end():
    good = {'code': 0, 'seconds': 1.0, 'memory': 1}
    ends = [
        tries.outcome('a', False, good, 'done'),
        tries.outcome('a', False, good | {'code': 3}, 'error: it'),
        tries.outcome('a', True, good, 'done'),
        tries.outcome('a', False, good | {'seconds': 99.0}, 'error: it'),
        tries.outcome('a', False, good | {'code': 70}, 'Traceback (most'),
        tries.outcome('a', False, good | {'code': 70}, 'words'),
    ]
    assert [one['end'] for one in ends] == list(corpus.ENDS)
