"""Saved graphs in one session with others, and the lengths of sequences that they are fed."""

import csv

import forked
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import call, most, results_of

from networks import saved_graph, weights
from system.errors import DataError

STEPS, FEATURES = 6, 3
X = np.random.default_rng(1).random((5, STEPS, FEATURES), np.float32)
LENGTH = np.array([1, 2, 6, 4, 3], np.int32)


@pytest.fixture(scope='module')
def uneven(tmp_path_factory):
    """A file of labelled sequences of unequal lengths, with NaN where they have ended."""
    generator = np.random.default_rng(0)
    x, length = generator.random((60, STEPS, FEATURES)), generator.integers(1, STEPS + 1, 60)
    x[np.arange(STEPS) >= length[:, None]] = np.nan
    file = tmp_path_factory.mktemp('uneven') / 'uneven.npz'
    np.savez(file, x=x.astype(np.float32), y=np.arange(60) % 3, length=length)
    return file


@pytest.fixture(scope='module')
def two(uneven, data_dir, tmp_path_factory):
    """The folders of two runs on it that differ by their seeds."""
    folders = [tmp_path_factory.mktemp('two') / f'seed{seed}' for seed in (0, 1)]
    for seed, folder in enumerate(folders):
        flags = ['--experiment=lstm_reconstruct', f'--array={uneven}', '--set=hidden=4',
                 '--set=epochs=1', '--set=parts=1', '--nofigures']  # fmt: skip
        places = [f'--run_dir={folder}', f'--data_dir={data_dir}', f'--seed={seed}']
        assert call(*flags, *places) == 0
    return folders


def by_graph(session, folder, scope):
    tf.train.import_meta_graph(f'{folder}/model.meta', import_scope=scope).restore(
        session, f'{folder}/model'
    )


def by_saved_model(session, folder, scope):
    tf.saved_model.load(session, ['serve'], f'{folder}/saved_model', import_scope=scope)


def codings(session, scope=''):
    at = f'{scope}/' if scope else ''
    return session.run(f'{at}codings:0', {f'{at}X:0': X})


def codings_alone(folder):
    with tf.Graph().as_default(), tf.Session() as session:
        by_graph(session, folder, None)
        return codings(session)


@pytest.mark.parametrize('restore', [by_graph, by_saved_model])
def test_graphs_of_two_runs_in_one_session_keep_their_own_weights(two, restore):
    with tf.Graph().as_default(), tf.Session() as session:
        for number, folder in enumerate(two):
            restore(session, folder, f'graph{number}')
        for number, folder in enumerate(two):
            np.testing.assert_array_equal(codings(session, f'graph{number}'), codings_alone(folder))


def test_one_graph_twice_has_weights_of_its_own_in_a_container(two):
    with tf.Graph().as_default() as graph, tf.Session() as session:
        for scope in ('one', 'two'):
            with graph.container(scope):
                by_graph(session, two[0], scope)
        first, second = (
            next(v for v in tf.global_variables() if v.op.name == f'{scope}/layer1/kernel')
            for scope in ('one', 'two')
        )
        session.run(first.assign(tf.zeros_like(first)))
        assert session.run(tf.reduce_sum(tf.abs(second))) > 0
        np.testing.assert_array_equal(codings(session, 'two'), codings_alone(two[0]))


def test_a_file_that_names_its_variables_as_others_do_is_still_read(two, tmp_path):
    """As files were written before: each variable's resource bore the variable's name."""
    for file in two[0].glob('model.*'):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    meta = tf.MetaGraphDef.FromString((tmp_path / 'model.meta').read_bytes())
    for node in meta.graph_def.node:
        if node.op == 'VarHandleOp':
            assert node.attr['shared_name'].s != node.name.encode()
            node.attr['shared_name'].s = node.name.encode()
    (tmp_path / 'model.meta').write_bytes(meta.SerializeToString())
    old, new = (saved_graph.read(str(folder)) for folder in (tmp_path, two[0]))
    assert weights.checksum(old.variables) == weights.checksum(new.variables)
    with tf.Graph().as_default(), tf.Session() as session:
        made = old.tower(tf.constant(X))['codings']
        weights.load(session, old.variables)
        np.testing.assert_array_equal(session.run(made), codings_alone(two[0]))


def test_a_written_graph_shares_nothing_but_its_variables(two):
    meta = tf.MetaGraphDef.FromString((two[0] / 'model.meta').read_bytes())
    named = {n.attr['shared_name'].s: n for n in meta.graph_def.node if 'shared_name' in n.attr}
    assert {node.op for node in named.values()} == {'VarHandleOp'}
    assert len(named) == sum(node.op == 'VarHandleOp' for node in meta.graph_def.node)


def cut_to_length(folder):
    """Returns the code of each sequence of X alone, without what follows its steps, [N, units].

    The graph is unrolled over six steps, so that the cell is stepped through here.
    """
    values = saved_graph.read(str(folder)).variables
    kernels = [values[f'layer1/{name}'] for name in ('kernel', 'recurrent_kernel', 'bias')]
    kernel, recurrent_kernel, bias = (value.astype(np.float64) for value in kernels)
    codes = []
    for x, steps in zip(X, LENGTH, strict=True):
        h = c = np.zeros(len(recurrent_kernel))
        for frame in x[:steps]:
            gates = np.split(frame @ kernel + h @ recurrent_kernel + bias, 4)
            entered, kept, shown = (1 / (1 + np.exp(-gate)) for gate in gates[:3])
            c = kept * c + entered * np.tanh(gates[3])
            h = shown * np.tanh(c)
        codes.append(np.concatenate([h, c]))
    return np.array(codes)


SERVED_IN_TF2 = """
import sys
import numpy as np
import tensorflow as tf

file, *folders = sys.argv[1:]
fed = dict(np.load(file))
served = [tf.saved_model.load(f'{folder}/saved_model').signatures for folder in folders]
made = {}
for number, signatures in enumerate(served):
    made[f'whole{number}'] = signatures['serving_default'](X=tf.constant(fed['X']))['codings']
    counted = signatures['encode_with_length'](X=tf.constant(fed['X']), length=tf.constant(fed['length']))
    made[f'counted{number}'] = counted['codings']
np.savez(file, **{name: value.numpy() for name, value in made.items()})
"""


@pytest.mark.slow
def test_two_saved_models_serve_in_tf2_side_by_side_and_count_steps(two, tmp_path):
    np.savez(tmp_path / 'fed.npz', X=X, length=LENGTH)
    paths = map(str, (tmp_path / 'fed.npz', *two))
    code, said = forked.alone(SERVED_IN_TF2, tmp_path, 'script.py', *paths)
    assert code == 0, said
    made = np.load(tmp_path / 'fed.npz')
    for number, folder in enumerate(two):
        np.testing.assert_allclose(made[f'whole{number}'], codings_alone(folder), atol=1e-6)
        np.testing.assert_allclose(made[f'counted{number}'], cut_to_length(folder), atol=1e-5)


def test_the_saved_model_names_the_steps_that_count_and_leaves_them_optional(two):
    with tf.Graph().as_default(), tf.Session() as session:
        meta = tf.saved_model.load(session, ['serve'], f'{two[0]}/saved_model')
        signature = meta.signature_def['encode_with_length']
        fed = {signature.inputs['X'].name: X}
        code = signature.outputs['codings'].name
        np.testing.assert_array_equal(session.run(code, fed), codings_alone(two[0]))
        fed[signature.inputs['length'].name] = LENGTH
        np.testing.assert_allclose(session.run(code, fed), cut_to_length(two[0]), atol=1e-5)
        assert set(meta.signature_def['serving_default'].inputs) == {'X'}


def test_encoded_sequences_have_the_codes_of_their_steps_alone(two, main, tmp_path):
    x = np.where((np.arange(STEPS) < LENGTH[:, None])[..., None], X, np.float32(np.nan))
    np.savez(tmp_path / 'few.npz', x=np.tile(x, (4, 1, 1)), length=np.tile(LENGTH, 4))
    run = f'--run_dir={two[0]}'
    code, _, err = main('--mode=encode', run, f'--array={tmp_path}/few.npz')
    assert code == 0, err
    (file,) = two[0].glob('codes-array-few*')
    wanted = np.tile(cut_to_length(two[0]), (4, 1))
    np.testing.assert_allclose(np.load(file)['codings'], wanted, atol=1e-5)


def save(folder, shape=(None, None, FEATURES), dtype=tf.int64, outputs=0):
    """Writes a stranger's graph, which must be told how many steps count; returns its prefix."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, shape, name='X')
        length = tf.placeholder(dtype, [None], name='length')
        frames = tf.reshape(x, [-1, STEPS, FEATURES])
        counted = frames * tf.sequence_mask(length, STEPS, tf.float32)[:, :, None]
        kernel = tf.get_variable('kernel', [FEATURES, 4], use_resource=False)
        codes = tf.identity(tf.matmul(tf.reduce_sum(counted, axis=1), kernel), name='codings')
        if outputs:
            tf.identity(codes[:, :outputs], name='outputs')
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(folder / 'theirs'))
    return str(folder / 'theirs')


@pytest.mark.parametrize('outputs', most([0, 3], bool))  # 3 that are no X: not scored
def test_a_strangers_graph_is_told_the_steps_that_count(main, uneven, tmp_path, outputs):
    parent, run = save(tmp_path, outputs=outputs), f'--run_dir={tmp_path}/run'
    flags = ('--set=epochs=1', '--set=head=3', '--nofigures', f'--array={uneven}')
    code, _, err = main('--experiment=phasewise_classifier', f'--parent={parent}', *flags, run)
    assert code == 0, err
    assert 'test/mse' not in results_of(tmp_path / 'run')['metrics']
    for mode in ('encode', 'evaluate', 'predict'):
        code, _, err = main(f'--mode={mode}', run, f'--array={uneven}')
        assert code == 0, err
    (file,) = (tmp_path / 'run').glob('codes-*')
    kernel = saved_graph.read(parent).variables['kernel']
    examples = np.load(uneven)
    wanted = np.nan_to_num(examples['x']).sum(axis=1) @ kernel
    found = np.load(file)['codings']
    np.testing.assert_allclose(np.sort(found, axis=0), np.sort(wanted, axis=0), atol=1e-5)


def test_where_the_data_has_no_lengths_a_stranger_is_told_that_all_steps_count(tmp_path):
    restored = saved_graph.read(save(tmp_path))
    with tf.Graph().as_default(), tf.Session() as session:
        made = restored.tower(tf.constant(X))['codings']
        weights.load(session, restored.variables)
        found = session.run(made)
    np.testing.assert_allclose(found, X.sum(axis=1) @ restored.variables['kernel'], rtol=1e-5)


def test_steps_cannot_be_counted_of_an_input_that_has_none(tmp_path):
    with pytest.raises(DataError, match=r'needs placeholder length:0 besides X:0, which is fed'):
        saved_graph.read(save(tmp_path, shape=(None, STEPS * FEATURES)))


def test_a_classifier_that_learns_from_a_classifiers_labels_counts_steps(
    main, two, uneven, tmp_path
):
    """Two levels of parents, and codes on disk."""
    flags = ('--set=epochs=1', '--set=head=3', '--set=cache_bytes=100', '--nofigures')
    flags += ('--experiment=lstm_classifier', f'--array={uneven}')
    first, second = f'{tmp_path}/first', f'{tmp_path}/second'
    taught = ('--set=labels=parent', '--set=label_fraction=0.5', f'--parent={first}')
    for arguments in (
        (*flags, f'--parent={two[0]}', f'--run_dir={first}'),
        (*flags, *taught, f'--run_dir={second}'),
        ('--mode=predict', f'--run_dir={second}', f'--array={uneven}'),
    ):
        code, _, err = main(*arguments)
        assert code == 0, err
    (file,) = (tmp_path / 'second').glob('predictions-*uneven*.csv')
    with open(file) as opened:
        assert len(list(csv.DictReader(opened))) == 60


def test_a_classifier_scores_the_steps_that_count(main, two, uneven, tmp_path):
    """What its restored part makes of a sequence is as good as it was in the run it came from."""
    flags = ('--set=epochs=1', '--set=head=3', '--nofigures', f'--array={uneven}')
    run = f'--run_dir={tmp_path}/head'
    code, _, err = main('--experiment=lstm_classifier', f'--parent={two[0]}', run, *flags)
    assert code == 0, err
    before, after = (results_of(folder)['metrics'] for folder in (two[0], tmp_path / 'head'))
    for name in ('train/mse', 'test/mse', 'test/squared_error', 'test/mae'):
        assert after[name] == pytest.approx(before[name], rel=1e-5)


def test_a_number_a_step_is_a_sequence_where_there_are_lengths(main, uneven, tmp_path):
    examples = dict(np.load(uneven))
    np.savez(tmp_path / 'narrow.npz', **examples | {'x': examples['x'][:, :, 0]})
    flags = ('--set=hidden=3', '--set=epochs=1', '--set=parts=1', f'--array={tmp_path}/narrow.npz')
    code, out, err = main('--experiment=lstm_reconstruct', *flags)
    assert code == 0, err
    assert 'examples of 6x1' in out
