"""A finished run in other formats: what they compute is what the graph does."""

import json

import numpy as np
import onnxruntime
import pytest
import tensorflow.compat.v1 as tf
from conftest import KINDS, most, weights_of
from forked import program, script
from tensorflow import lite

from inference import export

FORMS = {'tflite', 'onnx', 'frozen'}
LACKING = {('loop', 'encode'): {'tflite'}, ('loop', 'reconstruct'): {'tflite', 'onnx'}}


def graph_of(folder, fed):
    """Returns what the promised tensors of a run's graph are for what is fed, by name."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.train.import_meta_graph(f'{folder}/model.meta').restore(session, f'{folder}/model')
        promised = ('codings', 'outputs', 'logits', 'predictions')
        there = {op.name for op in graph.get_operations()}
        tensors = {name: f'{name}:0' for name in promised if name in there}
        return session.run(tensors, {f'{name}:0': value for name, value in fed.items()})


@pytest.fixture(scope='module', params=most(KINDS, {'dense', 'head', 'lstm'}.__contains__))
def exported(request, kinds, data_dir):
    """Returns a run's folder that is exported in all formats, and what was said."""
    folder = kinds / request.param
    done = program('--mode=export', f'--run_dir={folder}', f'--data_dir={data_dir}')
    said, err = done.communicate()
    assert done.returncode == 0, err
    return folder, said


def place(kinds):
    from train.folder import Place

    return Place(data_dir=kinds.parent)


def examples(folder):
    """Returns more examples than a few, which are none of the run's, by the name of an input."""
    about = json.loads((folder / 'export/frozen/signatures.json').read_text())
    shape = about['encode']['inputs']['X']['shape'][1:]
    return {'X': np.random.default_rng(3).random((7, *shape), np.float32)}


def test_every_format_gives_what_the_graph_does(exported):
    folder, said = exported
    fed = examples(folder)
    wanted, fed_at = graph_of(folder, fed), {'X:0': fed['X']}
    signatures = {'encode': 'codings', 'reconstruct': 'outputs', 'classify': 'logits',
                  'predict': 'predictions'}  # fmt: skip
    lite_file = folder / 'export/tflite/model.tflite'
    frozen = tf.GraphDef.FromString((folder / 'export/frozen/frozen.pb').read_bytes())
    assert not any(node.op.startswith('_') or 'Handle' in node.op for node in frozen.node)
    meta = tf.MetaGraphDef.FromString((folder / 'model.meta').read_bytes())
    for graph in (frozen, meta.graph_def):
        assert not any('transpose_a' in node.attr for node in graph.node)  # at its default
    for signature, name in signatures.items():
        if name not in wanted:
            continue
        made = {}
        if lite_file.exists():
            runner = lite.Interpreter(str(lite_file)).get_signature_runner(signature)
            made['tflite'] = runner(**fed)[name]
        onnx_file = folder / f'export/onnx/{signature}.onnx'
        if onnx_file.exists():
            (made['onnx'],) = onnxruntime.InferenceSession(onnx_file).run([f'{name}:0'], fed_at)
        with tf.Graph().as_default(), tf.Session() as session:
            tf.import_graph_def(frozen, name='')
            made['frozen'] = session.run(f'{name}:0', fed_at)
        for form, values in made.items():
            np.testing.assert_allclose(values, wanted[name], atol=1e-5, err_msg=form)
            assert f'export/{form}/' in said
        assert set(made) == FORMS - LACKING.get((folder.name, signature), set())
    assert 'compared with the graph on' in said
    assert ('no operations for' in said) == (folder.name == 'loop')


def test_sizes_are_in_the_order_that_the_table_in_the_docs_has(exported):
    folder, _ = exported
    if folder.name != 'dense':
        pytest.skip('one row of it')
    sizes = {file.name: file.stat().st_size for file in folder.glob('export/*/*')}
    weights = sum(4 * value.size for value in weights_of(folder).values())
    assert weights < sizes['weights.npz'] < sizes['frozen.pb']
    assert sizes['encode.onnx'] < sizes['weights.npz']
    assert 1.5 * sizes['weights.npz'] < sizes['model.tflite']  # a tied kernel twice
    assert sizes['model-dynamic-range.tflite'] < sizes['model.tflite']


def test_labels_are_names_there_too(exported):
    folder, *_ = exported
    file = folder / 'export/onnx/classify.onnx'
    if not file.exists():
        pytest.skip('no classifier')
    fed = examples(folder)
    session = onnxruntime.InferenceSession(file)
    labels, logits = session.run(['classify/labels:0', 'logits:0'], {'X:0': fed['X']})
    classes = json.loads((folder / 'export/onnx/classes.json').read_text())
    assert labels.tolist() == [classes[row.argmax()] for row in logits]


def test_the_weights_are_there_by_name(exported):
    folder, *_ = exported
    with np.load(folder / 'export/numpy/weights.npz', allow_pickle=False) as held:
        found = dict(held)
    wanted = weights_of(folder)
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_steps_that_count_are_told_to_every_format(kinds):
    folder = kinds / 'lstm'
    fed = examples(folder) if (folder / 'export').exists() else None
    if fed is None:
        export.export(folder, {}, place(kinds), ('tflite', 'onnx', 'frozen'))
        fed = examples(folder)
    length = 1 + np.arange(7, dtype=np.int32) % fed['X'].shape[1]
    wanted = graph_of(folder, fed | {'length': length})['codings']
    assert not np.allclose(wanted, graph_of(folder, fed)['codings'], atol=1e-4)
    file = folder / 'export/tflite/model.tflite'
    runner = lite.Interpreter(str(file)).get_signature_runner('encode_with_length')
    np.testing.assert_allclose(runner(**fed, length=length)['codings'], wanted, atol=1e-5)
    session = onnxruntime.InferenceSession(folder / 'export/onnx/encode.onnx')
    (found,) = session.run(None, {'X:0': fed['X'], 'length:0': length})
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize('other', [lambda v: v + 1, lambda v: v * np.nan], ids=['more', 'nan'])
def test_what_computes_something_else_is_not_written(kinds, main, monkeypatch, other):
    monkeypatch.setattr(export, '_run_frozen', lambda graph, file, name, fed: {
        key: other(value) for key, value in graph.wanted[name].items()})  # fmt: skip
    code, _, err = main('--mode=export', f'--run_dir={kinds}/vae', '--format=frozen')
    assert code == 3 and 'differs from the graph' in err and len(err.splitlines()) == 1
    assert not list((kinds / 'vae').glob('export/.*'))  # nor is anything left of it


def test_another_label_counts_as_what_the_logits_must_differ_by():
    logits = np.array([[4.0, 1.0], [1.0, 1.1]])
    wanted = {'logits': logits, 'labels': np.array([b'a', b'b'], object)}
    near = wanted | {'labels': np.array(['a', 'a'], object)}
    far = wanted | {'labels': np.array([b'b', b'b'], object)}
    found = [export._difference('classify', wanted, each, {}) for each in (wanted, near, far)]
    assert found == pytest.approx([0, 0.05 / 4, 1.5 / 4])


def test_a_column_of_small_numbers_is_compared_in_its_own_units():
    values = {
        'standardize/shift': np.array([0.0, 4000.0]),
        'standardize/scale': np.array([0.1, 500]),
    }
    wanted = {'outputs': np.array([[0.1, 4000.0], [-0.1, 4500.0]])}
    lost = {'outputs': wanted['outputs'] * [0, 1]}
    assert export._difference('reconstruct', wanted, lost, {}) < 1e-4
    assert export._difference('reconstruct', wanted, lost, values) == pytest.approx(1)


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        (('--format=tflit',), "did you mean 'tflite'"),
        (('--format=csv',), 'allowed with --mode=export are tflite, onnx, frozen, numpy'),
    ],
)
def test_a_format_that_there_is_not_is_one_line(kinds, main, flags, words):
    code, _, err = main('--mode=export', f'--run_dir={kinds}/dense', *flags)
    assert code == 2 and words in err and len(err.splitlines()) == 1


_ABORTS = """
import os, sys
import main
from tensorflow import lite

lite.TFLiteConverter.from_saved_model = lambda *_, **__: os.abort()
raise SystemExit(main.main(sys.argv))
"""


def test_a_converter_that_aborts_ends_a_copy_of_the_process(kinds, data_dir):
    flags = ['--mode=export', f'--run_dir={kinds}/dense', '--format=tflite']
    done = script(_ABORTS, ['main.py', *flags, f'--data_dir={data_dir}'], kinds)
    _, err = done.communicate()
    assert done.returncode == 2 and 'TensorFlow Lite refuses the graph: it ended' in err
    assert len(err.splitlines()) == 1  # a process that imports anew would convert without a fault


@pytest.mark.slow
def test_where_there_was_a_session_the_converter_is_a_new_process(kinds, main):
    file = kinds / 'memory/export/tflite/model.tflite'
    before = file.stat().st_mtime_ns if file.exists() else 0
    code, out, err = main('--mode=export', f'--run_dir={kinds}/memory', '--format=tflite')
    assert code == 0, err
    assert file.stat().st_mtime_ns > before and 'model-dynamic-range.tflite' in out


def test_what_was_written_is_told_in_lines(kinds, main):
    code, out, err = main('--mode=export', f'--run_dir={kinds}/dense', '--format=numpy')
    assert code == 0, err
    head, line, last = out.splitlines()
    assert 'kB' in head and 'export/numpy/weights.npz' in line and ' examples' in last


def test_without_its_library_onnx_is_left_out_or_said(kinds, main, monkeypatch):
    monkeypatch.setattr(export.importlib.util, 'find_spec', lambda name: None)
    run = f'--run_dir={kinds}/dense'
    code, _, err = main('--mode=export', run, '--format=onnx')
    assert code == 2 and 'requirements-export.txt' in err and len(err.splitlines()) == 1
