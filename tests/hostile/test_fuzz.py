"""Bytes from outside, changed at random: an answer or one line of error, and never a crash.

`FUZZ_EXAMPLES=100000 python -m pytest -n 0 tests/test_fuzz.py` goes on for longer.
"""

import json
import os
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

import dataset
import inst
from inputs import foreign, recording, sources
from networks import saved_graph
from reports import run_files
from system.errors import UserError
from train.folder import configuration

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
        some.binary(min_size=1, max_size=8),
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


@LONG
@given(CHANGES)
def test_an_npz_file(folder, changes):
    file = folder / 'changed.npz'
    file.write_bytes(changed((folder / 'x.npz').read_bytes(), changes))
    answered(foreign.read_npz, str(file))


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


PATH = some.lists(some.integers(0, 99), min_size=1, max_size=6)


def altered(file, path, value, changes, as_bytes) -> None:
    """Changes a JSON file's bytes, or puts another value in the place that `path` leads to."""
    if as_bytes:
        file.write_bytes(changed(file.read_bytes(), changes))
        return
    at = whole = json.loads(file.read_text())
    for step, index in enumerate(path):
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = keys[index % len(keys)]
        if step + 1 == len(path) or not isinstance(at[key], dict | list) or not at[key]:
            at[key] = value
            break
        at = at[key]
    file.write_text(json.dumps(whole))


@LONG
@given(PATH, PARTS, CHANGES, some.booleans())
def test_a_manifest(folder, path, value, changes, as_bytes):
    copy = folder / 'copy'
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder / 'made', copy)
    altered(copy / 'manifest.json', path, value, changes, as_bytes)
    answered(dataset.read, copy)


@LONG
@given(PATH, PARTS, CHANGES, some.booleans(), some.sampled_from(['phasewise', 'conv_finetune']))
def test_the_configuration_of_a_run(folder, path, value, changes, as_bytes, name):
    run = folder / 'run'
    run.mkdir(exist_ok=True)
    (run / 'results.json').write_text('{}')
    data = {'shape': [784], 'classes': ['a', 'b'], 'picture': [28, 28], 'frame': []}
    config = {'experiment': inst.EXPERIMENTS[name].resolved(), 'data': data}
    (run / 'config.json').write_text(json.dumps(config))
    altered(run / 'config.json', path, value, changes, as_bytes)
    answered(configuration, run)


READ = {  # a file of a run's folder -> what reads it, and what it may hold
    'results.json': (run_files.results, '{"metrics": {"test/mse": 0.5}, "phases": {}, "seed": 0}'),
    'environment.json': (run_files.environment, '{"python": "3.11", "cpus": 2}'),
    'metrics.csv': (
        run_files.metrics,
        'phase,epoch,step,seconds,examples_per_second,train/mse\r\njoint,1,2,0.5,9,1e-05\r\n',
    ),
}


@LONG
@given(CHANGES, some.sampled_from(list(READ)))
def test_another_file_of_a_run(folder, changes, name):
    read, content = READ[name]
    (folder / name).write_bytes(changed(content.encode(), changes))

    def read_and_say():
        with run_files.said(folder / name, 'remove it'):
            read(folder)

    answered(read_and_say)


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
