"""What is kept of runs: lines that are found again, damage that is named, writers that wait."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT

import inst
from ledger import claims, store
from ledger.claim import Claim
from system import disk
from system.errors import DataError

KEEPING = """
import sys
from pathlib import Path
import inst
from ledger import store
for seed in range(int(sys.argv[1]), int(sys.argv[2])):
    store.keep(inst.tied.vary(seed=seed), Path(f'run{seed}'))
"""


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    """An empty folder of its own for each test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def finished(folder, seed=0, **metrics):
    """Writes what the ledger reads of a finished run's folder; returns the folder."""
    numbers = {'parameters': 9, 'updates': 8, 'seconds': 7.5, 'examples_per_second': 6.0}
    results = {'dataset': 'mnist', 'seed': seed, **numbers, 'metrics': {'test/mse': 0.1} | metrics}
    folder.mkdir(exist_ok=True)
    (folder / 'results.json').write_text(json.dumps(results))
    (folder / 'environment.json').write_text('{"python": "3.11"}')
    config = {'experiment': inst.tied.vary(seed=seed).resolved(), 'data': {'digest': 'd1'}}
    (folder / 'config.json').write_text(json.dumps(config))
    (folder / 'metrics.csv').write_text(
        'phase,epoch,step,seconds,examples_per_second,train/mse,validation/mse\n'
        'one,1,3,2.50,9,8,0.125\n'
    )
    return folder


def keep_two(folder):
    """Keeps two runs, of seed 0 and 1."""
    for seed in (1, 0):
        store.keep(inst.tied.vary(seed=seed), finished(folder / f'run{seed}', seed))


def lines_of(name):
    """Returns the lines of one of the ledger's files."""
    return [json.loads(line) for line in (store.FOLDER / name).read_text().splitlines()]


def changed(line, **values):
    """Returns a line of JSON with other values in it."""
    return json.dumps(json.loads(line) | values)


def test_what_is_kept_is_found_with_its_history_but_not_that_of_the_training_losses(empty):
    keep_two(empty)
    found = store.find(inst.tied.vary(seed=1))
    assert found['metrics'] == {'test/mse': 0.1} and found['seconds'] == 7.5
    assert found['history'] == {
        'phase': ['one'], 'epoch': ['1'], 'step': ['3'], 'seconds': ['2.50'], 'validation/mse': ['0.125']
    }  # fmt: skip
    assert store.find(inst.tied.vary(seed=2)) is None


def test_both_files_are_in_the_order_of_experiment_seed_and_key(empty):
    keep_two(empty)
    for experiment in (inst.basic, inst.tied.vary(epochs=2), inst.tied.vary(epochs=3)):
        store.keep(experiment, finished(empty / 'run'))
    names = [(run['experiment'], run['seed'], run['key']) for run in lines_of(store.RUNS)]
    assert names == sorted(names) and len(names) == 5
    assert names == [(h['experiment'], h['seed'], h['key']) for h in lines_of(store.HISTORIES)]


def test_a_run_kept_again_takes_the_place_of_its_line_whatever_it_was_called(empty):
    keep_two(empty)
    store.keep(inst.tied.vary('other'), finished(empty / 'run', better=0.5))
    assert len(lines_of(store.RUNS)) == len(lines_of(store.HISTORIES)) == 2
    assert store.find(inst.tied)['metrics']['better'] == 0.5
    assert store.find(inst.tied)['experiment'] == 'other'


def test_each_file_is_read_once_until_it_changes(empty, monkeypatch):
    keep_two(empty)
    read, lines = [], store._lines
    monkeypatch.setattr(store, '_lines', lambda file, *a: read.append(file.name) or lines(file, *a))
    for _ in range(3):
        store.find(inst.tied)
    assert read == [store.RUNS, store.HISTORIES]
    for name in (store.RUNS, store.HISTORIES):
        (store.FOLDER / name).write_text('')
    assert store.find(inst.tied) is None


def test_pandas_reads_the_runs(empty):
    import pandas

    keep_two(empty)
    table = pandas.read_json('results/runs.jsonl', lines=True)
    assert list(table['seed']) == [0, 1] and list(table['seconds']) == [7.5, 7.5]
    assert table['metrics'][0] == {'test/mse': 0.1}


@pytest.mark.parametrize(
    ('name', 'number', 'damage', 'words'),
    [
        (store.RUNS, 2, lambda _, second: [second[:-9]], 'not JSON'),
        (store.RUNS, 2, lambda _, second: ['[' * 100_000], 'not JSON'),
        (store.RUNS, 2, lambda _, second: ['\udcff' + second], 'not JSON'),
        (store.RUNS, 2, lambda _, second: ['', second], 'not JSON'),
        (store.RUNS, 2, lambda _, second: ['[1]'], 'not a JSON object'),
        (store.RUNS, 2, lambda _, second: [changed(second, key='12AB')], 'its key is not 12 hex'),
        (store.RUNS, 2, lambda _, second: [changed(second, key=7)], 'its key is not 12 hex'),
        (store.RUNS, 2, lambda _, second: [changed(second, experiment=None)], 'experiment is miss'),
        (store.RUNS, 2, lambda _, second: [changed(second, seed='1')], 'seed is missing'),
        (store.RUNS, 2, lambda _, second: [changed(second, metrics=[1])], 'metrics is missing'),
        (store.RUNS, 2, lambda _, second: [changed(second, metrics={'a': '1'})], 'a is not a fin'),
        (store.RUNS, 2, lambda _, second: [changed(second, metrics={'a': 1e999})], 'a is not a fi'),
        (store.RUNS, 2, lambda _, second: [changed(second, metrics={'a': 10**400})], 'a is not a'),
        (store.RUNS, 2, lambda _, second: [changed(second, seconds=None)], 'seconds is not a fin'),
        (store.RUNS, 2, lambda _, second: [changed(second, dataset=[])], 'dataset is missing, or'),
        (store.RUNS, 2, lambda _, second: [changed(second, data=1)], 'data is missing, or of'),
        (store.RUNS, 2, lambda _, second: [changed(second, environment='3')], 'environment is miss'),
        (store.RUNS, 2, lambda _, second: [changed(second, decisive=None)], 'decisive is missing'),
        (store.RUNS, 2, lambda _, second: [changed(second, updates=1e300)], 'updates is not a fin'),
        (store.RUNS, 2, lambda _, second: [second.replace('updates', 'u')], 'updates is missing'),
        (store.RUNS, 2, lambda _, second: [second.replace('7.5', '9' * 5000)], 'not JSON'),
        (store.RUNS, 2, lambda _, second: ['\ufeff' + second], 'not JSON'),
        (store.RUNS, 2, lambda _, second: ['', '', second], 'not JSON'),
        (store.RUNS, 2, lambda _, second: [second + ' ' * 2_000], 'longer than 2,000 bytes'),
        (store.RUNS, 2, lambda _, second: [changed(second, metrics={'\x1b[2J': 'x'})], '\\x1b[2J is not'),
        (store.RUNS, 3, lambda _, second: [second, second], 'is that of line 2 too'),
        (store.RUNS, 3, lambda _, second: [second, changed(second, key='0' * 12)], 'a run without'),
        (store.HISTORIES, 3, lambda first, second: [second, first], 'is that of line 1 too'),
        (store.HISTORIES, 2, lambda _, second: ['{"key":'], 'not JSON'),
        (store.HISTORIES, 2, lambda _, second: [changed(second, history=[])], 'history is missing'),
        (
            store.HISTORIES, 2, lambda _, second: [changed(second, history={'a': ['1'], 'b': []})],
            'not of one length',
        ),
        (
            store.HISTORIES, 2, lambda _, second: [changed(second, history={'a': [1.5]})],
            'a in history is not all strings',
        ),
        (
            store.HISTORIES, 2, lambda _, second: [changed(second, history={'a': ['o.5']})],
            'a in history is not all numbers',
        ),
        (
            store.HISTORIES, 2, lambda _, second: [changed(second, history={'a': ['1_0']})],
            'a in history is not all numbers',
        ),
        (
            store.HISTORIES, 2, lambda _, second: [changed(second, history={'a': [' 1']})],
            'a in history is not all numbers',
        ),
        (
            store.HISTORIES, 2, lambda _, second: [changed(second, history={'a': ['\u0661']})],
            'a in history is not all numbers',
        ),
        (
            store.HISTORIES, 2, lambda _, second: [changed(second, history={'epoch': ['1.5']})],
            'epoch in history is not all whole numbers',
        ),
        (
            store.HISTORIES, 3,
            lambda _, second: [second, *(changed(second, key=digit * 12) for digit in '01')],
            'a history without its run',
        ),
    ],
)  # fmt: skip
def test_a_damaged_line_is_named(main, empty, monkeypatch, name, number, damage, words):
    monkeypatch.setattr(store, '_LONGEST', 2_000 if 'longer' in words else 1_000_000)
    monkeypatch.setattr(claims, 'CLAIMS', (Claim('w', 's', inst.tied, 'test/mse', '<', 1.0),))
    keep_two(empty)
    file = store.FOLDER / name
    first, second = file.read_text().splitlines()
    text = '\n'.join([first, *damage(first, second)]) + '\n'
    file.write_bytes(text.encode(errors='surrogateescape'))
    code, _, err = main('--mode=report')
    assert code == 3 and err.startswith(f'error: results/{name}:{number}: ') and words in err
    assert err.endswith('; remove the line, or restore the file\n') and len(err.splitlines()) == 1


def test_what_is_damaged_is_not_written_over(empty):
    keep_two(empty)
    file = store.FOLDER / store.RUNS
    file.write_text(file.read_text() + 'words\n')
    with pytest.raises(DataError, match='results/runs.jsonl:3: not JSON'):
        store.keep(inst.tied.vary(seed=2), finished(empty / 'run', 2))
    assert file.read_text().endswith('words\n')


def test_a_file_that_cannot_be_read_is_one_line(main, empty):
    (store.FOLDER / store.RUNS).mkdir(parents=True)
    code, _, err = main('--mode=report')
    assert code == 3 and 'results/runs.jsonl: cannot be read (Is a directory)' in err


def test_an_empty_line_at_the_end_is_no_damage(empty):
    keep_two(empty)
    with open(store.FOLDER / store.RUNS, 'a') as opened:
        opened.write('\n')
    assert store.find(inst.tied)


def test_a_number_that_a_claim_needs_and_a_line_lacks_is_named(main, empty, monkeypatch):
    monkeypatch.setattr(claims, 'CLAIMS', (Claim('w', 's', inst.tied, 'test/mae', '<', 1.0),))
    store.keep(inst.tied, finished(empty / 'run'))
    code, _, err = main('--mode=report')
    run = f'tied {store.key(inst.tied)}'
    assert code == 3 and f'results/runs.jsonl:1: test/mae: not among the results of {run}; ' in err


def test_a_result_that_is_no_number_is_not_kept(empty):
    with pytest.raises(DataError, match='run: its results cannot be kept: b is not a finite'):
        store.keep(inst.tied, finished(empty / 'run', b=float('nan')))
    assert not store.FOLDER.exists()


def test_a_writer_killed_between_the_two_files_costs_its_own_run_alone(empty, monkeypatch):
    keep_two(empty)
    whole, other = disk.whole, finished(empty / 'run', 2)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(disk, 'whole', lambda f: whole(f) if f.name == store.HISTORIES else killed())
        store.keep(inst.tied.vary(seed=2), other)
    assert len(lines_of(store.HISTORIES)) == 3
    assert store.find(inst.tied) and store.find(inst.tied.vary(seed=2)) is None
    store.keep(inst.tied.vary(seed=3), finished(empty / 'run', 3))
    assert [h['seed'] for h in lines_of(store.HISTORIES)] == [0, 1, 3]


def test_a_process_killed_while_it_forgets_runs_leaves_what_can_be_read(empty, monkeypatch):
    keep_two(empty)
    store.keep(inst.tied.vary(seed=2), finished(empty / 'run', 2))
    keys, whole = [run['key'] for run in lines_of(store.RUNS)], disk.whole
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(disk, 'whole', lambda f: whole(f) if f.name == store.RUNS else killed())
        store.drop(keys)
    assert len(store.all_kept()) == 2
    store.drop(keys)
    assert not store.all_kept() and not lines_of(store.HISTORIES)


def killed():
    raise KeyboardInterrupt


def test_two_processes_that_keep_at_once_lose_nothing(empty):
    for seed in range(16):
        finished(empty / f'run{seed}', seed)
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', KEEPING, *ends], cwd=empty, env={'PYTHONPATH': str(ROOT)}
        )
        for ends in (('0', '8'), ('8', '16'))
    ]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert [run['seed'] for run in lines_of(store.RUNS)] == [*range(16)]
    assert all(store.find(inst.tied.vary(seed=seed)) for seed in range(16))
