"""Saved graphs of somebody else, and names: what is refused, what is cut away, what passes."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from google.protobuf import text_format

import inst
from networks import saved_graph, weights
from system.errors import DataError
from train.folder import Place


@pytest.fixture
def theirs(tmp_path):
    """Returns a function that saves a graph with hostile(codings, path) in it, as a prefix."""

    def save(hostile, meta=lambda meta: None, use_resource=True) -> str:
        with tf.Graph().as_default(), tf.Session() as session:
            X = tf.placeholder(tf.float32, [None, 4], name='X')
            kernel = tf.get_variable('kernel', [4, 2], use_resource=use_resource)
            made = hostile(tf.matmul(X, kernel), tmp_path / 'written')
            tf.identity(made, name='codings')
            session.run(tf.global_variables_initializer())
            saver = tf.train.Saver()
            saver.save(session, str(tmp_path / 'model'), write_meta_graph=False)
            graph = tf.train.export_meta_graph(saver_def=saver.as_saver_def())
        meta(graph)
        (tmp_path / 'model.meta').write_bytes(graph.SerializeToString())
        return str(tmp_path / 'model')

    return save


def writes_before(codes, path):
    with tf.control_dependencies([tf.io.write_file(str(path), 'x')]):
        return tf.identity(codes)


def reads(codes, path):
    return codes + tf.cast(tf.strings.length(tf.io.read_file('/etc/passwd')), tf.float32)


def prints(codes, path):
    with tf.control_dependencies([tf.print('x', output_stream=f'file://{path}')]):
        return tf.identity(codes)


def runs_python(codes, path):
    return tf.reshape(tf.py_func(lambda x: x, [codes], tf.float32), [-1, 2])


def in_a_branch(codes, path):
    def write():
        return writes_before(codes, path)

    tf.enable_control_flow_v2()
    try:
        return tf.cond(tf.reduce_sum(codes) > -1e9, write, lambda: codes)
    finally:
        tf.disable_control_flow_v2()


def in_a_function_of_a_loop(codes, path):
    tf.enable_control_flow_v2()
    try:
        return tf.while_loop(lambda x: x[0, 0] < 0, lambda x: in_a_branch(x, path), [codes])
    finally:
        tf.disable_control_flow_v2()


def a_graph_in_bytes(codes, path):
    variant = tf.raw_ops.DatasetFromGraph(graph_def=b'bytes')
    iterator = tf.raw_ops.AnonymousIteratorV2(output_types=[tf.float32], output_shapes=[[]])
    made = tf.raw_ops.MakeIterator(dataset=variant, iterator=iterator[0])
    with tf.control_dependencies([made]):
        return tf.identity(codes)


@pytest.mark.parametrize(
    ('hostile', 'op'),
    [
        (writes_before, 'WriteFile'),
        (reads, 'ReadFile'),
        (prints, 'PrintV2'),
        (runs_python, 'PyFunc'),
        (in_a_branch, 'WriteFile'),
        (in_a_function_of_a_loop, 'WriteFile'),
        (a_graph_in_bytes, 'DatasetFromGraph'),
    ],
)
def test_what_is_no_arithmetic_is_refused_by_name_before_it_runs(theirs, hostile, op, tmp_path):
    prefix = theirs(hostile)
    with pytest.raises(DataError, match=rf'refused.* {op} \(') as raised:
        saved_graph.read(prefix)
    assert raised.value.exit_code == 3 and '\n' not in str(raised.value)
    assert not (tmp_path / 'written').exists()


def test_a_graph_of_it_as_a_parent_is_one_line_and_exit_3(theirs, main):
    code, _, err = main(
        '--experiment=phasewise_classifier', '--dataset=iris', f'--parent={theirs(writes_before)}'
    )
    assert code == 3 and 'WriteFile' in err and len(err.splitlines()) == 1


def test_what_hangs_on_the_files_own_restore_or_beside_the_codes_is_cut_away(theirs, tmp_path):
    def hang(meta):
        write = meta.graph_def.node.add(name='evil', op='WriteFile')
        write.input.extend(['name', 'name'])
        name = meta.graph_def.node.add(name='name', op='Const')
        name.attr['dtype'].type = tf.string.as_datatype_enum
        name.attr['value'].tensor.CopyFrom(tf.make_tensor_proto(str(tmp_path / 'written')))
        for node in meta.graph_def.node:
            if node.name.startswith(('save/', 'kernel/')):
                node.input.append('^evil')

    graph = saved_graph.read(theirs(lambda codes, path: codes, hang))
    assert not any(node.op == 'WriteFile' for node in graph.graph_def.node)
    x = np.ones([3, 4], np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        codes = graph.tower(tf.constant(x))['codings']
        session.run(tf.global_variables_initializer())
        weights.load(session, graph.variables)
        np.testing.assert_allclose(session.run(codes), x @ graph.variables['kernel'], rtol=1e-6)
    assert not (tmp_path / 'written').exists()


@pytest.mark.parametrize('use_resource', [False, True])
def test_an_honest_old_graph_passes(theirs, use_resource):
    def honest(codes, path):
        rate = tf.where_v2(tf.placeholder_with_default(False, [], name='training'), 0.5, 0.0)
        made = tf.nn.dropout(tf.nn.elu(codes), rate=rate)
        loss = tf.reduce_mean(tf.square(made))
        tf.train.AdamOptimizer(0.1).minimize(loss, tf.train.get_or_create_global_step())
        return made

    graph = saved_graph.read(theirs(honest, use_resource=use_resource))
    assert graph.variables.keys() == {'kernel'} and graph.trains


@pytest.mark.parametrize(
    ('damage', 'words'),
    [
        (lambda file: file.write_text(text_format.MessageToString(tf.MetaGraphDef())), 'holds no'),
        (lambda file: file.write_text('graph_def { node { name: "X" } }'), 'not a binary'),
        (lambda file: file.write_bytes(file.read_bytes()[:200]), 'not a binary|holds no|damaged'),
        (lambda file: file.open('ab').truncate(1 << 30), 'MiB'),
    ],
)
def test_a_meta_file_that_is_none_is_one_line(theirs, damage, words):
    prefix = theirs(lambda codes, path: codes)
    damage(Path(f'{prefix}.meta'))
    with pytest.raises(DataError, match=words):
        saved_graph.read(prefix)


def test_all_weights_that_do_not_fit_are_listed_at_once_and_none_is_assigned(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        X = tf.placeholder(tf.float32, [None, 4], name='X')
        codes = X
        for name in ('shape', 'type', 'absent', 'nan'):
            codes = codes @ tf.get_variable(name, [4, 4], use_resource=True)
        tf.identity(codes, name='codings')
        tf.train.export_meta_graph(str(tmp_path / 'model.meta'))
    with tf.Graph().as_default(), tf.Session() as session:
        for name, value in {
            'shape': np.zeros([4, 5], np.float32),
            'type': np.zeros([4, 4], np.float64),
            'nan': np.full([4, 4], np.nan, np.float32),
            'slots_that_nobody_needs': np.zeros([], np.int64),
        }.items():
            tf.get_variable(name, initializer=value, use_resource=True)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / 'model'), write_meta_graph=False)
    with pytest.raises(DataError) as raised:
        saved_graph.read(str(tmp_path))
    said = str(raised.value)
    assert all(word in said for word in ('shape is', 'type is', 'absent is missing', 'nan has NaN'))
    assert 'nobody' not in said


def test_weights_longer_than_their_file_are_not_made(tmp_path):
    """A header that claims a petabyte costs no memory."""
    with tf.Graph().as_default(), tf.Session() as session:
        X = tf.placeholder(tf.float32, [None, 4], name='X')
        tf.identity(X @ tf.get_variable('kernel', [4, 200], use_resource=True), name='codings')
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / 'model'))
    (data,) = tmp_path.glob('model.data-*')
    data.write_bytes(b'short')
    with pytest.raises(DataError, match='kernel is longer than the file'):
        saved_graph.read(str(tmp_path))


OUTSIDE = [
    '--experiment=../../outside', '--experiment=/tmp/outside', '--set=name=../../outside',
    '--set=data_path=../../outside', '--set=activation=../../outside', '--dataset=../../outside',
    '--set=dataset=../../outside', '--set=parent=../../outside', '--set=description=../../outside',
    '--set=hidden=../../outside', '--precision=../../outside', '--mode=../../outside',
]  # fmt: skip


@pytest.mark.parametrize('flag', OUTSIDE)
def test_no_name_or_value_leaves_the_runs_folder(main, tmp_path, flag):
    inner = tmp_path / 'a' / 'b'
    inner.mkdir(parents=True)
    named = [] if flag.startswith('--experiment') else ['--experiment=tied']
    code, _, err = main(*named, f'--data_dir={inner}/data', flag, runs=inner / 'runs')
    assert code == 2 and len(err.splitlines()) == 1 and 'outside' in err
    assert list(tmp_path.iterdir()) == [tmp_path / 'a'] and not list(inner.iterdir())


@pytest.mark.parametrize('name', ['..', '.', '-rf', ' ', 'a:b*?', 'ü' * 80])
def test_data_of_any_name_is_trained_on_inside_the_runs_folder(main, tmp_path, name):
    inner = tmp_path / 'a' / 'b'
    inner.mkdir(parents=True)
    file = tmp_path / f'{name}.npz'
    generator = np.random.default_rng(0)
    np.savez(file, x=generator.random((30, 4), np.float32))
    flags = (f'--array={file}', '--set=hidden=2', '--set=epochs=1', f'--data_dir={inner}/data')
    code, _, err = main('--experiment=tied', *flags, runs=inner / 'runs')
    assert code == 0, err
    (run,) = inner.glob('runs/tied/*/results.json')
    assert set(tmp_path.iterdir()) == {tmp_path / 'a', file}
    assert list((tmp_path / 'a').iterdir()) == [inner]
    code, out, err = main('--mode=encode', f'--run_dir={run.parent}', f'--data_dir={inner}/data')
    assert code == 0, err
    assert Path(out.strip().removeprefix('codes are in ')).parent == run.parent


def test_a_name_too_long_for_the_disk_is_cut_and_stays_the_runs_own():
    place, deep = Place(), inst.tied.vary(hidden=(100,) * 90)
    names = [place.folder(e, inst.tied).name for e in (deep, deep.vary(l2=0.5), deep.vary(seed=1))]
    assert len(set(names)) == 3 and all(len(name.encode()) <= 200 for name in names)


@pytest.mark.parametrize(
    'content',
    ['{', '[]', '{"experiment": {}}', '{"experiment": {"hidden": "x"}, "data": {}}',
     '{"experiment": 3, "data": 4}'],
)  # fmt: skip
def test_a_run_folder_of_garbage_is_one_line_and_exit_3(main, tmp_path, content):
    (tmp_path / 'config.json').write_text(content)
    (tmp_path / 'results.json').write_text('{}')
    code, _, err = main('--mode=encode', f'--run_dir={tmp_path}')
    assert code == 3 and len(err.splitlines()) == 1 and 'error' in err


def test_a_configuration_that_asks_for_more_than_there_is_takes_no_memory(main, tmp_path, digits):
    flags = (f'--array={digits}', '--set=hidden=4', '--set=epochs=1')
    main('--experiment=tied', *flags)
    (config,) = tmp_path.glob('runs/tied/*/config.json')
    held = json.loads(config.read_text())
    held['experiment']['hidden'] = [100_000, 100_000]  # 80 GB of weights
    config.write_text(json.dumps(held))
    code, _, err = main('--mode=encode', f'--run_dir={config.parent}')
    assert code == 3 and 'the weights ' in err and len(err.splitlines()) == 1
