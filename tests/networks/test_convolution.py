"""Convolutional networks: shapes, arithmetic against SciPy, batch norm, phases, and streaming."""

from functools import partial

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import call, most, trained_phase, weights_of
from scipy.signal import correlate2d

import inst
from evaluation import probes
from evaluation.scores import Evaluation, View
from inputs.rows import Rows, unlabelled
from inputs.spec import Spec
from model import built, exported
from networks import gradients, layers, losses, pairs, saved_graph, weights
from networks import session as sessions
from networks.endpoints import Batch
from networks.layers import Mode
from parameters import ACTIVATIONS
from phases import schedule_of
from system.errors import UsageError
from train.updates import follow as follow_statistics

TINY = inst.conv_transpose.vary(filters=(4, 6), code_size=3, batch_size=8, epochs=1)


def spec_of(*shape):
    return Spec(shape, ('a', 'b', 'c'), shape)


@pytest.mark.parametrize('decoder', ['transpose', 'upsample'])
@pytest.mark.parametrize('shape', [(28, 28, 1), (32, 32, 3), (50, 70, 3), (7, 5, 3)])
def test_outputs_have_exactly_the_shape_of_the_inputs(shape, decoder):
    x = np.random.default_rng(0).random((2, *shape), np.float32)
    experiment = TINY.vary(decoder=decoder, filters=(4, 4, 4, 4))
    with built(experiment, spec_of(*shape), None) as network:
        tensors = network.endpoints.tensors
        found = network.session.run(tensors, {tensors['X']: x})
    height, width = shape[:2]
    for k in range(1, 5):
        height, width = -(-height // 2), -(-width // 2)
        assert found[f'hidden{k}'].shape == (2, height, width, 4)
    assert found['outputs'].shape == x.shape and found['codings'].shape == (2, 3)


@pytest.mark.parametrize('decoder', ['transpose', 'upsample'])
@pytest.mark.parametrize('activation', most(ACTIVATIONS, {'relu', 'tanh'}.__contains__))
def test_a_batch_norm_is_followed_by_any_activation(activation, decoder, tmp_path):
    """Whatever TensorFlow makes of the two where the graph does not train; also of a saved one."""
    experiment, spec = TINY.vary(decoder=decoder, activation=activation), spec_of(8, 8, 1)
    x = np.random.default_rng(0).random((2, 8, 8, 1), np.float32)
    with built(experiment, spec, None) as network:
        outputs, values = network.compute('outputs', Rows(x, None)), network.values()
        scored = Evaluation(network, View({'mse': 'mse'})).mean(Rows(x, None))
    assert scored['mse'] == pytest.approx(np.mean((outputs - x) ** 2), rel=1e-4)
    saved_graph.write(tmp_path, partial(exported, experiment, spec, None), values)
    restored = saved_graph.read(str(tmp_path))
    with tf.Graph().as_default(), tf.Session() as session:
        made = restored.tower(tf.placeholder_with_default(x, [None, 8, 8, 1]))['outputs']
        weights.load(session, restored.variables)
        np.testing.assert_allclose(session.run(made), outputs, atol=1e-6)


def test_a_restored_graph_can_go_by_the_moments_of_a_batch(tmp_path):
    """As the network does in training; what drops a layer's activations comes before the next."""
    experiment, spec = TINY.vary(filters=(4, 6, 5)), spec_of(8, 8, 1)
    x = np.random.default_rng(0).normal(2, 3, (6, 8, 8, 1)).astype(np.float32)
    halved = 0.5
    with built(experiment, spec, None) as network:
        values, left = network.values(), {}
        mode = Mode(True, tf.constant([1, 2], tf.int64), left)
        found = network.tower()(Batch(tf.constant(x), tf.constant(x)), mode).tensors
        wanted = network.session.run(
            [found['codings'], {n: left[n] for n in left if 'decoder' not in n}]
        )
    saved_graph.write(tmp_path, partial(exported, experiment, spec, None), values)
    restored = saved_graph.read(str(tmp_path))
    assert restored.fixed == {n for n in restored.variables if 'moving' in n}
    with tf.Graph().as_default(), tf.Session() as session:
        towers = []
        for change in (None, lambda name, values: values, lambda name, values: halved * values):
            seen = {}
            made = restored.tower(tf.constant(x), change=change, statistics=seen)['codings']
            towers.append((made, {name: seen[name] for name in wanted[1]}))
        weights.load(session, restored.variables)
        *same, dropped = session.run(towers)
    for codings, moments in same:
        np.testing.assert_allclose(codings, wanted[0], rtol=1e-3, atol=1e-4)
        for name, value in wanted[1].items():
            np.testing.assert_allclose(moments[name], value, rtol=1e-3, atol=1e-4)
    means = [wanted[1]['layer2/moving_mean'], dropped[1]['layer2/moving_mean']]
    np.testing.assert_allclose(means[1], halved * means[0], rtol=1e-3, atol=1e-4)


def convolved(x, kernel):
    """Convolves [N, H, W, C] at stride 2 with padding SAME, one channel after another."""
    side = kernel.shape[0]
    pads = [max((-(-n // 2) - 1) * 2 + side - n, 0) for n in x.shape[1:3]]
    padded = np.pad(x, [(0, 0), *((p // 2, p - p // 2) for p in pads), (0, 0)])
    return np.stack(
        [
            np.stack(
                [
                    sum(
                        correlate2d(image[..., c], kernel[..., c, k], 'valid')
                        for c in range(x.shape[3])
                    )[::2, ::2]
                    for k in range(kernel.shape[3])
                ],
                axis=-1,
            )
            for image in padded
        ]
    )


@pytest.mark.parametrize(('size', 'side'), [((6, 6), 3), ((7, 5), 5)])
def test_a_convolution_and_its_inverse_agree_with_scipy(size, side):
    generator = np.random.default_rng(1)
    x = generator.normal(size=(2, *size, 3)).astype(np.float32)
    settings = {'initializer': 'he', 'seed': 0, 'normalized': (False, False), 'side': side}
    with tf.Graph().as_default(), tf.Session() as session:
        pair = pairs.conv_pair('layer1', (*size, 3), 4, upsample=False, **settings)
        session.run(tf.global_variables_initializer())
        made = session.run(pair.encode(tf.constant(x), Mode()))
        kernel, inverse = session.run([pair.kernel, pair.decoder_kernel])
        codes = generator.normal(size=made.shape).astype(np.float32)
        back = session.run(pair.decode(tf.constant(codes), Mode()))
    np.testing.assert_allclose(made, convolved(x, kernel), atol=1e-5)
    # The inverse is the adjoint of the convolution by its own kernel: <Cx, y> = <x, C'y>.
    np.testing.assert_allclose((convolved(x, inverse) * codes).sum(), (x * back).sum(), rtol=1e-4)


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('side', [1, 2, 3, 5])
@pytest.mark.parametrize('size', [(8, 8), (7, 5), (1, 3), (16, 15), (40, 30)])
def test_the_fastest_gradients_are_those_of_tensorflow(size, side, stride):
    """Computed in float32: of a convolution and of its inverse, small maps and large ones."""
    draw = np.random.default_rng(0).normal
    values = draw(size=(3, *size, 2)), draw(size=(side, side, 2, 4))
    found = {}
    for precision in ('float32', 'bfloat16'):
        with tf.Graph().as_default(), tf.Session() as session:
            inputs, kernel = (tf.constant(v, tf.float32) for v in values)
            with gradients.fastest(precision, 1):
                made = tf.nn.conv2d(inputs, kernel, stride, 'SAME')
                back = tf.nn.conv2d_transpose(made, kernel, inputs.shape, stride, 'SAME')
            loss = tf.reduce_sum(made**3) + tf.reduce_sum(back**3)
            found[precision] = session.run(tf.gradients(loss, [inputs, kernel]))
            kinds = [op.type for op in tf.get_default_graph().get_operations()]
            found[f'{precision} products'] = kinds.count('Conv2DBackpropFilter')
    for ours, theirs in zip(found['bfloat16'], found['float32'], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())
    large = np.prod([-(-n // stride) for n in size]) > 64
    assert (found['float32 products'], found['bfloat16 products']) == (2, 2 * large)


@pytest.mark.parametrize(
    'made',
    [
        {'padding': 'VALID'},
        {'padding': [[0, 0], [2, 1], [0, 1], [0, 0]]},
        {'dilations': 2},
        {'strides': [1, 2]},
        {'strides': [2, 1], 'side': [2, 3]},
        {'rank': None},
    ],
    ids=str,
)
def test_the_gradients_of_convolutions_of_somebody_else_are_those_of_tensorflow(made):
    """Whose graph is restored, and fine-tuned in parts."""
    if 'dilations' in made and not sessions.has_onednn():
        pytest.skip('TensorFlow itself has no such gradient on this CPU')
    draw, found = np.random.default_rng(0).normal, []
    sides = made.get('side', [3, 3])
    values = draw(size=(4, 7, 6, 2)), draw(size=(*sides, 2, 3))
    options = {'strides': 1, 'padding': 'SAME'} | {
        k: v for k, v in made.items() if k not in ('side', 'rank')
    }
    shape = [None, 7, 6, 2] if 'rank' not in made else [None, None, None, 2]
    with tf.Graph().as_default() as saved:
        x, kernel = (
            tf.placeholder(tf.float32, s, n) for s, n in ((shape, 'x'), ((*sides, 2, 3), 'k'))
        )
        tf.nn.conv2d(x, kernel, name='made', **options)
    for parts in (1, 2):
        with tf.Graph().as_default(), tf.Session() as session, gradients.fastest('float32', parts):
            fed = [tf.constant(v, tf.float32) for v in values]
            if 'rank' in made:
                fed[0] = tf.placeholder_with_default(fed[0], shape)
            (out,) = tf.import_graph_def(
                saved.as_graph_def(), dict(zip('xk', fed, strict=True)), ['made:0']
            )
            found.append(session.run(tf.gradients(tf.reduce_sum(out**3), fed)))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@pytest.fixture(scope='module')
def transposed(digits, data_dir, tmp_path_factory):
    """A run in bfloat16: its folder, and the shapes of the kernels whose gradients were ours."""
    shapes, to_kernel = [], gradients._to_kernel
    folder = tmp_path_factory.mktemp('transposed') / 'run'
    flags = (
        '--experiment=conv_transpose', f'--array={digits}', '--precision=bfloat16',
        '--set=epochs=1', '--set=filters=4,6', '--set=code_size=3',
        f'--run_dir={folder}', f'--data_dir={data_dir}',
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            gradients, '_to_kernel', lambda *a: shapes.append(a[2].shape.as_list()) or to_kernel(*a)
        )
        assert call(*flags) == 0
    return folder, shapes


@pytest.mark.slow
def test_what_trains_in_bfloat16_can_be_trained_on_elsewhere(transposed):
    """The saved graph keeps TensorFlow's own gradients: any script may ask for them."""
    folder, shapes = transposed
    assert sorted(shapes) == 2 * [[3, 3, 1, 4]] + 2 * [[3, 3, 4, 6]]
    with tf.Graph().as_default() as opened:
        tf.train.import_meta_graph(f'{folder}/model.meta')
        assert not any('_gradient_op_type' in op.node_def.attr for op in opened.get_operations())


def test_batch_norm_uses_the_batch_in_training_and_what_it_learned_otherwise():
    x = np.random.default_rng(2).normal(3, 2, (5, 4, 4, 2)).astype(np.float32)
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    with tf.Graph().as_default(), tf.Session() as session:
        norm = pairs.batch_norm('', 2)
        is_training = tf.placeholder_with_default(False, [])
        mode = Mode(True, statistics={})
        trained, plain = norm(tf.constant(x), mode), norm(tf.constant(x), Mode())
        fed = norm(tf.constant(x), Mode(is_training))
        session.run(tf.global_variables_initializer())
        norm.moving_mean.load([1.0, 2.0], session)
        norm.moving_variance.load([4.0, 9.0], session)
        made, as_learned, statistics = session.run([trained, plain, mode.statistics])
        off, on = session.run(fed), session.run(fed, {is_training: True})
    by_batch = (x - mean) / np.sqrt(variance + 1e-3)
    by_moving = (x - [1, 2]) / np.sqrt(np.array([4, 9]) + 1e-3)
    for found, wanted in (
        (made, by_batch),
        (on, by_batch),
        (as_learned, by_moving),
        (off, by_moving),
    ):
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    np.testing.assert_allclose(statistics['moving_mean'], mean, rtol=1e-5)
    count = x[..., 0].size
    np.testing.assert_allclose(
        statistics['moving_variance'], variance * count / (count - 1), rtol=1e-4
    )


PHASEWISE = TINY.vary(code_size=0, training='greedy', activation='relu', epochs=2)
PICTURES = Rows(np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8), None)


@pytest.mark.parametrize('index', [0, 1])
def test_a_greedy_phase_moves_its_layer_alone_with_its_moving_averages(index):
    phase = schedule_of(PHASEWISE)[index]
    with built(PHASEWISE, spec_of(8, 8, 3), None) as network:
        rows = PICTURES if not index else Rows(network.compute('hidden1', PICTURES), None)
    before, after, _ = trained_phase(PHASEWISE, phase, rows, spec_of(8, 8, 3))
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved == {name for name in before if name.startswith(f'layer{index + 1}/')}


def test_what_is_streamed_from_disk_gives_the_same_bits(main, digits, streams, tmp_path):
    flags = (
        '--experiment=conv_vae_cifar_classify', f'--array={digits}', '--set=filters=4,6',
        '--set=code_size=5', '--set=epochs=2', '--set=flip=false', '--set=label_fraction=0.5',
    )  # fmt: skip
    for name, budget in (('held', 1 << 30), ('streamed', 0)):
        code, _, err = main(*flags, f'--set=cache_bytes={budget}', f'--run_dir={tmp_path}/{name}')
        assert code == 0, err
        assert bool(streams) == (name == 'streamed')
    held, streamed = (weights_of(tmp_path / name) for name in ('held', 'streamed'))
    for name, value in held.items():
        np.testing.assert_array_equal(value, streamed[name])


def test_augmented_pictures_are_flipped_and_shifted_copies():
    x = np.random.default_rng(0).random((64, 6, 5, 2), np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        seed = tf.constant([1, 2], tf.int64)
        flipped = session.run(layers.augment(tf.constant(x), (6, 5, 2), True, 0, seed))
        shifted = session.run(layers.augment(tf.constant(x), (6, 5, 2), False, 1, seed))
    mirrored = [
        np.array_equal(made, image[:, ::-1]) for made, image in zip(flipped, x, strict=True)
    ]
    same = [np.array_equal(made, image) for made, image in zip(flipped, x, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True)) and 16 < sum(mirrored) < 48
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], 'edge')
    places = set()
    for made, image in zip(shifted, padded, strict=True):
        found = [
            (i, j)
            for i in range(3)
            for j in range(3)
            if np.array_equal(made, image[i : i + 6, j : j + 5])
        ]
        assert len(found) == 1
        places.add(found[0])
    assert len(places) == 9


def similarity(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns the SSIM of pictures on [0, 1], by equation 13 of Wang et al. 2004, [N]."""
    bell = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(bell, bell) / bell.sum() ** 2

    def mean(values):
        around = np.lib.stride_tricks.sliding_window_view(values.astype(float), (11, 11), (1, 2))
        return (around * window).sum(axis=(-2, -1))

    means = mean(x) * mean(y)
    squares = mean(x) ** 2 + mean(y) ** 2
    of_means = (2 * means + 0.01**2) / (squares + 0.01**2)
    of_contrasts = (2 * (mean(x * y) - means) + 0.03**2) / (
        mean(x**2) + mean(y**2) - squares + 0.03**2
    )
    return (of_means * of_contrasts).mean(axis=(1, 2, 3))


def test_new_losses_agree_with_numpy():
    generator = np.random.default_rng(4)
    x, target = generator.random((2, 4, 16, 16, 3), np.float32)
    logits, labels = generator.normal(size=(4, 3)).astype(np.float32), np.array([2, -1, 0, 1])
    with tf.Graph().as_default(), tf.Session() as session:
        laplace, psnr, ssim, entropy = session.run(
            [
                losses.laplace_nll(x, target, 0.3),
                losses.psnr(tf.constant(x), target),
                losses.ssim(tf.constant(x), target),
                losses.sigmoid_cross_entropy(tf.constant(logits), tf.constant(labels)),
            ]
        )
    distance = np.abs(x - target).reshape(4, -1)
    wanted = (distance / np.exp(0.3) + 0.3 + np.log(2)).sum(axis=1)
    np.testing.assert_allclose(laplace, wanted, rtol=1e-5)
    np.testing.assert_allclose(psnr, -10 * np.log10((distance**2).mean(axis=1)), rtol=1e-5)
    np.testing.assert_allclose(ssim, similarity(x, target), rtol=1e-4)
    np.testing.assert_allclose(similarity(x, x), 1, atol=1e-6)
    p, is_class = 1 / (1 + np.exp(-logits)), np.eye(3)[labels]
    nats = -(is_class * np.log(p) + (1 - is_class) * np.log(1 - p)).sum(axis=1)
    np.testing.assert_allclose(entropy, np.where(labels >= 0, nats, 0), rtol=1e-5)


def test_the_checkerboard_number_finds_a_checkerboard():
    smooth = np.add.outer(np.linspace(0, 1, 28), np.linspace(0, 1, 28))[None, :, :, None] / 2
    board = np.indices((28, 28)).sum(axis=0)[None, :, :, None] % 2
    stripes = np.indices((28, 28))[0][None, :, :, None] % 2
    assert probes.checkerboard(smooth) < 0.02
    assert probes.checkerboard(board.astype(float)) > 0.99
    assert probes.checkerboard(0.9 * smooth + 0.1 * stripes) > 5 * probes.checkerboard(smooth)


def test_labels_that_are_not_to_be_known_are_hidden_by_class():
    y = np.repeat(np.arange(3, dtype=np.int32), 20)
    rows = Rows(np.zeros((60, 2), np.uint8), y)
    known = unlabelled(rows, 0.25, seed=1).y
    assert np.bincount(known[known >= 0]).tolist() == [5, 5, 5] and (known == -1).sum() == 45
    assert np.array_equal(known[known >= 0], y[known >= 0])


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'decoder': 'upsampling'}, "did you mean 'upsample'"),
        ({'hidden': (3,)}, 'network=dense'),
        ({'label_fraction': 0.5}, 'it needs classify'),
        ({'classify': 1.0, 'training': 'greedy'}, 'needs training=joint'),
        ({'image_size': (32,)}, '--dataset=images'),
    ],
)
def test_impossible_convolutional_values_are_refused(changes, words):
    with pytest.raises(UsageError, match=words):
        TINY.vary(**changes)


def test_the_exported_graph_normalises_by_what_was_learned(transposed):
    """A picture's codes do not depend on the pictures beside it, unless training is fed."""
    x = np.random.default_rng(0).random((8, 28, 28, 1), np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(f'{transposed[0]}/model.meta')
        saver.restore(session, f'{transposed[0]}/model')
        alone = session.run('codings:0', {'X:0': x[:1]})
        beside = session.run('codings:0', {'X:0': x})[:1]
        training = session.run('codings:0', {'X:0': x, 'training:0': True})[:1]
    np.testing.assert_allclose(alone, beside, atol=1e-5)
    assert np.abs(alone - training).max() > 1e-2


def test_a_random_convolutional_parent_is_alive():
    restored = layers.initial_value('layer1/decoder_gamma', (4,), 'he', 0)
    np.testing.assert_array_equal(restored, np.ones(4))
    np.testing.assert_array_equal(layers.initial_value('layer1/moving_variance', (4,), 'he', 0), 1)
    np.testing.assert_array_equal(layers.initial_value('layer1/bias', (4,), 'he', 0), 0)


def test_moving_averages_begin_fast_and_follow_the_trained_layers_alone():
    with tf.Graph().as_default(), tf.Session() as session:
        with tf.variable_scope('layer1'):
            norm = pairs.batch_norm('', 1)
        with tf.variable_scope('layer2'):
            pairs.batch_norm('', 1)
        found = {f'layer{k}/moving_mean': tf.constant([10.0]) for k in (1, 2)}
        step = tf.placeholder(tf.int64, [])
        follow = follow_statistics(found, 'layer1/.*', step)
        assert len(follow) == 1
        session.run(tf.global_variables_initializer())
        means = [0.0]
        for at in (0, 1, 1000):
            session.run(follow, {step: at})
            means.append(float(session.run(norm.moving_mean)[0]))
    kept = (0.1, 2 / 11, pairs.MOMENTUM)
    for before, after, share in zip(means, means[1:], kept, strict=False):
        assert after == pytest.approx(share * before + (1 - share) * 10, rel=1e-5)


def test_a_gaussian_code_of_feature_maps_is_made_by_convolutions_alone():
    experiment = TINY.vary(code_size=0, code_activation=None, variational=True)
    rows = Rows(np.random.default_rng(0).random((4, 8, 6, 3), np.float32), None)
    with built(experiment, spec_of(8, 6, 3), None) as network:
        values = network.values()
        names = ('codings', 'codings_mean', 'codings_log_var', 'outputs', 'hidden1')
        found = {name: network.compute(name, rows) for name in names}
        again = network.decode(found['codings'])
    assert found['codings'].shape == found['codings_log_var'].shape == (4, 2 * 2 * 6)
    np.testing.assert_array_equal(found['codings'], found['codings_mean'])
    np.testing.assert_allclose(again, found['outputs'], atol=1e-6)
    assert all(value.ndim in (1, 4) for value in values.values())
    bias = values['layer2/log_var/bias']
    with tf.Graph().as_default(), tf.Session() as session:
        kernel = values['layer2/log_var/kernel']
        made = tf.nn.conv2d(found['hidden1'], kernel, strides=2, padding='SAME') + bias
        raw = session.run(layers.flattened(layers.log_variance(made)))
    np.testing.assert_allclose(found['codings_log_var'], raw, atol=1e-5)
