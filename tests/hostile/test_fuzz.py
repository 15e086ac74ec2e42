"""Bytes from outside, changed at random: an answer or one line of error, and never a crash.

`FUZZ_EXAMPLES=100000 python -m pytest -n 0 tests/hostile/test_fuzz.py` goes on for longer.
"""

import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

import dataset
import inst
from inputs import foreign, recording, sources
from ledger import book, fill, store
from ledger.claim import Claim
from networks import saved_graph
from reports import comparison, recorded, run_files, run_page, runs_page
from system import disk
from system.errors import UserError
from train import logs
from train.folder import configuration
from train.identity import settle

LONG = settings(
    max_examples=int(os.environ.get('FUZZ_EXAMPLES', '60')),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize='FUZZ_EXAMPLES' not in os.environ,
)
CHANGES = some.lists(
    some.tuples(
        some.floats(0, 1, exclude_max=True),  # where, of the whole
        some.sampled_from(['flip', 'set', 'insert', 'remove', 'cut']),
        some.binary(min_size=1, max_size=8)
        | some.text('0189.-+eE,:"[]{} \n', min_size=1, max_size=8).map(str.encode),
    ),
    min_size=1,
    max_size=6,
)


def changed(content: bytes, changes) -> bytes:
    """Returns the content with the changes made, one after the other."""
    made = bytearray(content)
    for where, how, value in changes:
        at = int(where * len(made))
        if how == 'flip' and made:
            made[at] ^= 1 << value[0] % 8
        elif how == 'set':
            made[at : at + len(value)] = value
        elif how == 'insert':
            made[at:at] = value
        elif how == 'remove':
            del made[at : at + len(value)]
        elif how == 'cut':
            del made[at:]
    return bytes(made)


def answered(function, *arguments) -> None:
    """Calls it; what it raises must be one line for the user."""
    try:
        function(*arguments)
    except UserError as error:
        assert str(error) and '\n' not in str(error)


@pytest.fixture(scope='module', autouse=True)
def unhurried():
    """Nothing waits for the disk, which would take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, 'flush', lambda path: None)
        yield


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with one of each: `images`, `x.npz`, records `made`, a saved graph `model`."""
    folder = tmp_path_factory.mktemp('fuzz')
    x = np.arange(12 * 12, dtype=np.uint8).reshape(12, 3, 4)
    header = bytes((0, 0, 8, 3)) + np.array(x.shape, '>u4').tobytes()
    (folder / 'images').write_bytes(header + x.tobytes())
    np.savez_compressed(folder / 'x.npz', x=x, y=np.arange(12))
    made = sources.Source(
        'made', {'train': foreign.Examples(x, np.arange(12) % 3)}, ('a', 'b', 'c')
    )
    recording.write_arrays(made, folder / 'made')
    with tf.Graph().as_default(), tf.Session() as session:
        X = tf.placeholder(tf.float32, [None, 4], name='X')
        tf.nn.elu(X @ tf.get_variable('kernel', [4, 2], use_resource=True), name='codings')
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(folder / 'model'))
    return folder


@LONG
@given(CHANGES)
def test_an_idx_file(folder, changes):
    file = folder / 'changed'
    file.write_bytes(changed((folder / 'images').read_bytes(), changes))
    answered(lambda: foreign.read_idx(file, dimensions=3))


def test_all_of_the_folder_is_good_before_it_is_changed(folder):
    assert len(foreign.read_idx(folder / 'images', dimensions=3)) == 12
    assert sources.whole_array(str(folder / 'x.npz'))
    assert dataset.read(folder / 'made')
    with tf.Graph().as_default():
        saved_graph.read(str(folder / 'model')).tower(tf.zeros([3, 4]))


@LONG
@given(CHANGES, some.sampled_from(['', 'x.npy', 'y.npy']))
def test_an_npz_file(folder, changes, name):
    """Of a member too, whose checksum is then right."""
    file = folder / 'changed.npz'
    shutil.copy(folder / 'x.npz', file)
    if name:
        with zipfile.ZipFile(file) as packed:
            members = {each: packed.read(each) for each in packed.namelist()}
        with zipfile.ZipFile(file, 'w') as packed:
            for each, content in members.items():
                packed.writestr(each, changed(content, changes) if each == name else content)
    else:
        file.write_bytes(changed(file.read_bytes(), changes))
    answered(sources.whole_array, str(file))


@LONG
@given(CHANGES, some.sampled_from(['tfrecord', 'npy']))
def test_a_shard_and_its_index(folder, changes, kind):
    copy = folder / 'copy'
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder / 'made', copy)
    (file,) = copy.glob(f'*.{kind}')
    file.write_bytes(changed(file.read_bytes(), changes))
    answered(dataset.read, copy)


PARTS = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=5),
    lambda part: some.lists(part, max_size=3) | some.dictionaries(some.text(max_size=5), part),
    max_leaves=4,
)

VALUES = (  # what may stand in a file of JSON or a cell of a table
    PARTS
    | some.integers(-2, 9)
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.sampled_from(['', '0', '2', '0.5', '-1', 'nan', '-inf', '1e999', '1e5', '9' * 18])
)
PATH = some.lists(some.integers(0, 99), min_size=1, max_size=6)


def altered(content: bytes, path, value, changes, as_bytes) -> bytes:
    """Returns JSON with its bytes changed, or another value in the place that `path` leads to."""
    if as_bytes:
        return changed(content, changes)
    at = whole = json.loads(content)
    for step, index in enumerate(path):
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = keys[index % len(keys)]
        if step + 1 == len(path) or not isinstance(at[key], dict | list) or not at[key]:
            at[key] = value
            break
        at = at[key]
    return json.dumps(whole).encode()


@LONG
@given(PATH, PARTS, CHANGES, some.booleans())
def test_a_manifest(folder, path, value, changes, as_bytes):
    copy = folder / 'copy'
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder / 'made', copy)
    file = copy / 'manifest.json'
    file.write_bytes(altered(file.read_bytes(), path, value, changes, as_bytes))
    answered(dataset.read, copy)


DATA = {'classes': ['a', 'b'], 'picture': [28, 28], 'frame': [], 'digest': '0' * 16}
FOUND = {
    'experiment': 'phasewise',
    'dataset': 'mnist',
    'seed': 0,
    'metrics': {'test/mse': 0.5, 'test/accuracy': 0.9},
    'parameters': 9,
    'updates': 2,
    'seconds': 0.5,
    'examples_per_second': 9.5,
    'phases': {'joint': dict(epochs=9, best_epoch=2, best=0.1, last=0.2, overfits=True, advised=3)},
}
TABLE = (
    'phase,epoch,step,seconds,examples_per_second,train/mse,validation/mse\r\n'
    'joint,1,2,0.5,9,1e-05,\r\njoint,2,4,0.5,9,nan,0.25\r\n'
)


USED = (inst.phasewise, inst.conv_finetune, inst.vae.vary(schedule='constant'))


def run_of(experiment) -> dict[str, bytes]:
    """Returns the files that a finished run of an experiment has."""
    shape = [28, 28, 1] if experiment.layout == 'maps' else [784]
    config = {'experiment': experiment.resolved(), 'data': DATA | {'shape': shape}}
    made = {
        'config.json': config,
        'results.json': FOUND | {'experiment': experiment.name},
        'environment.json': {'python': '3.11', 'cpus': 2},
    }
    files = {name: json.dumps(content).encode() for name, content in made.items()}
    return files | {'metrics.csv': TABLE.encode()}


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """A folder of runs: of `whole` nothing is changed, and `changed` is written anew each time."""
    runs = tmp_path_factory.mktemp('runs') / 'vae'
    for name in ('whole', 'changed'):
        (runs / name).mkdir(parents=True)
    for name, content in run_of(inst.EXPERIMENTS['vae']).items():
        (runs / 'whole' / name).write_bytes(content)
    return runs


@LONG
@given(
    PATH,
    VALUES,
    CHANGES,
    some.booleans(),
    some.sampled_from([*run_of(inst.basic)]),
    some.sampled_from(USED),
)
def test_the_files_of_a_run(runs, path, value, changes, as_bytes, name, experiment):
    parts = run_of(experiment)
    parts[name] = altered(parts[name], path, value, changes, as_bytes or name == 'metrics.csv')
    for use in uses(runs, experiment, parts):
        answered(*use)


@pytest.mark.parametrize('experiment', USED, ids=lambda experiment: experiment.name)
def test_the_files_of_a_run_are_good_before_they_are_changed(runs, experiment):
    for function, *arguments in uses(runs, experiment, run_of(experiment)):
        function(*arguments)


def uses(runs, experiment, parts: dict[str, bytes]) -> Iterator[tuple[Any, ...]]:
    """Writes a run's files; yields what is done with them: functions and their arguments."""
    run = runs / 'changed'
    for each, content in parts.items():
        (run / each).write_bytes(content)
    shutil.rmtree(runs / 'kept', ignore_errors=True)
    yield configuration, run
    for read, of in READ.items():
        yield read_and_said, read, run, run / of
    yield shown_with_another, run
    yield runs_page.write, runs.parent
    yield (lambda: store.keep(*configuration(run)[:1], run, runs / 'kept'),)
    asked = experiment.vary(epochs=10_000) if experiment.name == 'vae' else experiment
    yield settle, run, {'experiment': asked.resolved()}, 'mnist'
    yield logs.Metrics, run, 2


READ = {
    run_files.results: 'results.json',
    run_files.environment: 'environment.json',
    run_files.metrics: 'metrics.csv',
}


def read_and_said(read, run, file) -> None:
    """Reads a file of a run as a resumed run does, and shows it as one that has finished does."""
    with run_files.said(file, 'remove it'):
        read(run)
        experiment = run_files.experiment_in(run_files.config(run))
        run_page.write(run, experiment, inst.basic, run_files.results(run))


def shown_with_another(run) -> None:
    """Compares a run with one that nobody has changed, curves too."""
    found = comparison.of([run, run.with_name('whole')])
    json.dumps(comparison.plain(found))
    recorded.points(run, {})


LINEAR = inst.iris_linear
CLAIMED = (
    Claim('one', 'nobody', LINEAR, 'test/mse', '<', 1.0, seeds=3),
    Claim('two', 'nobody', LINEAR, 'test/mse', '<', LINEAR.vary(hidden=(3,)), seeds=3),
    Claim('three', 'nobody', LINEAR, 'test/mse / test/pca_mse', '<', 2.0, seeds=3),
    Claim('four', 'nobody', LINEAR, 'validation/mse at epoch 2', '<', 2.0),
    Claim('five', 'nobody', LINEAR, 'seconds until validation/mse <= 0.3', '<', 9.0),
)


def kept_of(experiment) -> tuple[bytes, bytes]:
    """Returns the lines that a ledger has of a run."""
    own = {'key': store.key(experiment), 'experiment': experiment.name, 'seed': experiment.seed}
    found = {name: FOUND[name] for name in run_files.NUMBERS}
    scores = {'test/mse': 0.2 + 0.01 * experiment.seed, 'test/pca_mse': 0.1}
    more = {'dataset': 'iris', 'data': '0' * 16, 'environment': {'cpus': 2}, 'metrics': scores}
    cells = {'phase': ['joint'] * 2, 'epoch': ['1', '2'], 'step': ['2', '4']}
    cells |= {'seconds': ['0.5', '0.25'], 'validation/mse': ['0.5', '0.25']}
    run = own | found | more | {'decisive': store.decisive(experiment)}
    return json.dumps(run).encode(), json.dumps(own | {'history': cells}).encode()


@LONG
@given(
    PATH,
    VALUES,
    CHANGES,
    some.booleans(),
    some.sampled_from([store.RUNS, store.HISTORIES]),
    some.integers(0, 99),
)
def test_the_lines_of_a_ledger(runs, monkeypatch, path, value, changes, as_bytes, name, index):
    monkeypatch.chdir(runs.parent)
    kept = kept_lines()
    at = index % len(kept[name])
    kept[name][at] = altered(kept[name][at], path, value, changes, as_bytes)
    for use in judged(kept):
        answered(*use)


def test_the_lines_of_a_ledger_are_good_before_they_are_changed(runs, monkeypatch):
    monkeypatch.chdir(runs.parent)
    for function, *arguments in judged(kept_lines()):
        function(*arguments)
    assert all(judged.seeds for judged in fill.judgements(CLAIMED).values())


def kept_lines() -> dict[str, list[bytes]]:
    """Returns the lines of a ledger's files, in which all runs are that are claimed."""
    experiments = {run for claim in CLAIMED for run in claim.runs()}
    lines = zip(*map(kept_of, sorted(experiments, key=store.key)), strict=True)
    return dict(zip((store.RUNS, store.HISTORIES), map(list, lines), strict=True))


def judged(kept: dict[str, list[bytes]]) -> Iterator[tuple[Any, ...]]:
    """Writes a ledger's files; yields what is done with them: functions and their arguments."""
    store.FOLDER.mkdir(exist_ok=True)
    for each, content in kept.items():
        (store.FOLDER / each).write_bytes(b''.join(line + b'\n' for line in content))
    store._read_once.cache_clear()  # files of one size, written in no time at all

    def page(claimed, make):
        make(claimed, fill.judgements(claimed), book.PROJECT)

    yield page, CLAIMED, fill.write
    yield page, CLAIMED[:1], fill.draw


@LONG
@given(CHANGES)
def test_a_saved_graph(folder, changes):
    for end in ('index', 'data-00000-of-00001'):
        shutil.copy(folder / f'model.{end}', folder / f'changed.{end}')
    file = folder / 'changed.meta'
    file.write_bytes(changed((folder / 'model.meta').read_bytes(), changes))

    def read_and_import():
        graph = saved_graph.read(str(folder / 'changed'))
        with tf.Graph().as_default():
            graph.tower(tf.zeros([3, 4]))

    answered(read_and_import)


@LONG
@given(CHANGES, some.sampled_from(['index', 'data-00000-of-00001']))
def test_the_weights_of_a_saved_graph(folder, changes, kind):
    for end in ('meta', 'index', 'data-00000-of-00001'):
        shutil.copy(folder / f'model.{end}', folder / f'changed.{end}')
    file = folder / f'changed.{kind}'
    file.write_bytes(changed(file.read_bytes(), changes))
    answered(saved_graph.read, str(folder / 'changed'))
