"""What a saved graph is served as: signatures, what their values mean, from every kind of loader."""

import json

import forked
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import results_of

import inst
from inputs.spec import Spec, Values
from networks import serving

RUNS = {  # a run of each kind -> its signatures besides serving_default and all
    'dense': 'encode reconstruct decode',
    'head': 'encode reconstruct decode classify',
    'vae': 'encode reconstruct decode sample',
    'conv': 'encode reconstruct decode sample classify',
    'memory': 'encode reconstruct decode',
    'lstm': 'encode reconstruct decode predict',
    'loop': 'encode reconstruct decode',
}


def signatures_of(folder):
    """Returns what the saved model in a folder offers, by name."""
    with tf.Graph().as_default(), tf.Session() as session:
        return dict(tf.saved_model.load(session, ['serve'], str(folder)).signature_def)


def example(folder, seed=0):
    """Returns three examples as the run reads them: all that may be fed, by name."""
    described = json.loads((folder / 'saved_model/assets/signatures.json').read_text())
    generator = np.random.default_rng(seed)
    inputs = described['encode']['inputs']['X']
    assert inputs['shape'][0] is None and inputs['dtype'] == 'float32'
    fed = {'X': generator.random((3, *inputs['shape'][1:]), np.float32)}
    if 'encode_with_length' in described:
        fed['length'] = np.array([1, 4, inputs['shape'][1]], np.int32)
    return fed


@pytest.mark.parametrize('kind', RUNS)
def test_its_signatures_say_what_they_do(kinds, kind):
    folder = kinds / kind / 'saved_model'
    found = signatures_of(folder)
    plain = {name for name in found if not name.endswith('_with_length')}
    assert plain == {*RUNS[kind].split(), 'serving_default', 'all'}
    assert set(found['encode'].inputs) == {'X'} and set(found['encode'].outputs) == {'codings'}
    assert found['serving_default'] == found['encode']
    with_length = set(found) - plain
    assert bool(with_length) == (kind in ('lstm', 'loop'))
    for name in with_length:
        without = found[name.removesuffix('_with_length')]
        assert set(found[name].inputs) == {*without.inputs, 'length'}
        assert found[name].outputs == without.outputs
    if 'classify' in found:
        assert set(found['classify'].outputs) == {'labels', 'probabilities', 'logits'}
    for signature in found.values():
        for tensor in (*signature.inputs.values(), *signature.outputs.values()):
            sizes = [dim.size for dim in tensor.tensor_shape.dim]
            assert all(size > 0 for size in sizes[1:])
            assert sizes[:1] in ([-1], [])  # of any number of examples, or a number itself


@pytest.mark.parametrize('kind', RUNS)
def test_what_goes_along_says_what_the_values_mean(kinds, kind):
    assets = kinds / kind / 'saved_model' / 'assets'
    held = {file.name: json.loads(file.read_text()) for file in assets.iterdir()}
    found = signatures_of(assets.parent)
    assert set(held['signatures.json']) == set(found)
    for name, signature in held['signatures.json'].items():
        assert set(signature['inputs']) == set(found[name].inputs)
        for tensor in (*signature['inputs'].values(), *signature['outputs'].values()):
            assert tensor['meaning'] and tensor['dtype'] and 'shape' in tensor
    assert ('classes.json' in held) == ('classify' in found)
    assert held['trained_on.json']['values']['most'] <= 1 or kind == 'lstm'
    assert held['config.json']['name'] == results_of(kinds / kind)['experiment']
    above = str(kinds.parent.parent)  # where the processes of the tests have their folders
    assert above not in json.dumps(held)  # nothing of this machine's folders
    graph = (assets.parent / 'saved_model.pb').read_bytes()
    assert above.encode() not in graph


IN_TF2 = """
import sys
from pathlib import Path
import numpy as np
import tensorflow as tf
import keras

runs, out, kinds = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
for kind in kinds:
    fed, made = dict(np.load(out / f'{kind}.npz')), {}
    model = tf.saved_model.load(str(runs / kind / 'saved_model' / '1'))
    assert len(model.asset_paths) >= 3
    for name, signature in model.signatures.items():
        inputs = signature.structured_input_signature[1]
        if set(inputs) <= set(fed):
            given = {key: tf.constant(fed[key]) for key in inputs}
            made |= {f'{name}/{key}': value.numpy() for key, value in signature(**given).items()}
        if name == 'sample':
            draw = lambda seed: signature(count=tf.constant(5), seed=tf.constant(seed))
            one, again, other = draw(1), draw(1), draw(2)
            assert one['outputs'].shape[0] == 5
            assert np.array_equal(one['codings'], again['codings'])
            assert not np.array_equal(one['codings'], other['codings'])
            decode = model.signatures['decode']
            np.testing.assert_allclose(
                one['outputs'], decode(codings=one['codings'])['outputs'], rtol=1e-6, atol=1e-6
            )
    layer = keras.layers.TFSMLayer(str(runs / kind / 'saved_model'), call_endpoint='encode')
    made['keras'] = layer(fed['X'])['codings'].numpy()
    made = {name: value.astype('U') if value.dtype == object else value for name, value in made.items()}
    np.savez(out / f'{kind}-made.npz', **{name.replace('/', '|'): value for name, value in made.items()})
"""


@pytest.fixture(scope='module')
def served(kinds, tmp_path_factory):
    """Returns what TensorFlow 2 and Keras find, a process for all: by kind, signature and tensor."""
    out = tmp_path_factory.mktemp('out')
    for kind in RUNS:
        fed = example(kinds / kind)
        with tf.Graph().as_default(), tf.Session() as session:
            restore(session, kinds / kind)
            fed['codings'] = session.run('codings:0', {'X:0': fed['X']})
        np.savez(out / f'{kind}.npz', **fed)
    code, said = forked.alone(IN_TF2, out, 'script', str(kinds), str(out), *RUNS)
    assert code == 0, said[-2000:]
    return out


def restore(session, folder):
    tf.train.import_meta_graph(f'{folder}/model.meta').restore(session, f'{folder}/model')


@pytest.mark.parametrize('kind', RUNS)
def test_each_signature_equals_the_graph_from_every_loader(kinds, served, kind):
    fed = dict(np.load(served / f'{kind}.npz'))
    found = {name.replace('|', '/'): v for name, v in np.load(served / f'{kind}-made.npz').items()}
    offered = signatures_of(kinds / kind / 'saved_model')
    with tf.Graph().as_default(), tf.Session() as session:
        restore(session, kinds / kind)
        wanted = {}
        for name, signature in offered.items():
            promised = [key for key in signature.outputs if key not in ('labels', 'probabilities')]
            if name != 'sample':
                feeds = {f'{key}:0': fed[key] for key in signature.inputs}
                values = session.run({key: f'{key}:0' for key in promised}, feeds)
                wanted |= {f'{name}/{key}': value for key, value in values.items()}
    with tf.Graph().as_default(), tf.Session() as session:
        meta = tf.saved_model.load(session, ['serve'], str(kinds / kind / 'saved_model'))
        for name, signature in meta.signature_def.items():
            if name != 'sample':
                feeds = {tensor.name: fed[key] for key, tensor in signature.inputs.items()}
                for key, tensor in signature.outputs.items():
                    by_v1 = session.run(tensor.name, feeds)
                    by_v2 = found[f'{name}/{key}']
                    if key == 'labels':
                        assert by_v2.tolist() == [label.decode() for label in by_v1]
                    else:
                        np.testing.assert_allclose(by_v2, by_v1, rtol=1e-6, atol=1e-6)
                    if f'{name}/{key}' in wanted:
                        np.testing.assert_allclose(
                            by_v1, wanted[f'{name}/{key}'], rtol=1e-6, atol=1e-6
                        )
    np.testing.assert_allclose(found['keras'], wanted['encode/codings'], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('kind', ['head', 'conv'])
def test_labels_are_names_and_probabilities_those_of_the_logits(served, kind):
    made = np.load(served / f'{kind}-made.npz')
    logits, labels = made['classify|logits'], made['classify|labels']
    assert labels.tolist() == [str(row.argmax()) for row in logits]
    exponentials = np.exp(logits.astype(np.float64))
    share = exponentials / exponentials.sum(axis=1, keepdims=True)
    wanted = exponentials / (1 + exponentials) if kind == 'conv' else share
    np.testing.assert_allclose(made['classify|probabilities'], wanted, rtol=1e-5)


def test_a_served_graph_is_at_inference_for_good(kinds):
    """So that converters, which take no switch between the moments of batch norm, take it."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.saved_model.load(session, ['serve'], str(kinds / 'conv' / 'saved_model'))
        kinds = {op.type for op in graph.get_operations()}
        assert 'training' not in {op.name for op in graph.get_operations()}
        assert not kinds & {'If', 'StatelessIf', 'Switch', 'Merge'}


def test_the_folder_for_tensorflow_serving_takes_no_second_place(kinds):
    folder = kinds / 'dense' / 'saved_model'
    files = [path for path in (folder / '1').rglob('*') if path.is_file()]
    assert {path.name for path in files} >= {'saved_model.pb', 'variables.index', 'signatures.json'}
    for file in files:
        assert file.samefile(folder / file.relative_to(folder / '1'))


def test_a_client_is_told_what_is_made_of_a_picture():
    def said(experiment):
        served = serving.Served(experiment, Spec((224, 224, 3), values=Values(0, 1, True)), {})
        return serving._values(served)

    of_files = said(inst.conv_ae.vary(dataset='images'))
    assert 'of a picture of 224x224: upright by its EXIF' in of_files
    assert said(inst.conv_ae_cifar) == 'numbers in [0, 1], bytes divided by 255'
