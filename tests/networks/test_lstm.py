"""LSTM autoencoders: arithmetic against NumPy, unrolled and looped, lengths, order, transfer."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import call, results_of, weights_of

import dataset
import inst
from inputs import foreign, sources
from inputs.rows import Dataset, Rows, steps
from inputs.spec import Spec
from model import built
from networks import lstm, weights
from networks.endpoints import Batch
from networks.layers import Mode
from phases import schedule_of
from system.errors import DataError, UsageError
from train.updates import build as build_updates

COMPOSITE = (
    '--experiment=lstm_composite', '--set=hidden=5', '--set=epochs=1', '--set=parts=1',
)  # fmt: skip
TINY = inst.lstm_reconstruct.vary(hidden=(5,), batch_size=8, epochs=1, parts=1)  # built faster
SPEC = Spec((6, 3))
X = np.random.default_rng(0).random((7, 6, 3), np.float32)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def lstm_by_hand(x, state, values, prefix):
    """Steps through x, [N, T, D], or that many steps of nothing; returns all h and the state."""
    h, c = state
    shown = []
    for t in range(x.shape[1]):
        gates = h @ values[f'{prefix}recurrent_kernel'] + values[f'{prefix}bias']
        if f'{prefix}kernel' in values:
            gates = gates + x[:, t] @ values[f'{prefix}kernel']
        i, f, o, g = np.split(gates, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        shown.append(h)
    return np.stack(shown, axis=1), (h, c)


def rest(count, units):
    return np.zeros((count, units)), np.zeros((count, units))


def project(states, values, prefix):
    return states @ values[f'{prefix}output_kernel'] + values[f'{prefix}output_bias']


def values_of(network):
    """Returns the first layer's values, drawn anew so that no bias is zero."""
    generator = np.random.default_rng(1)
    drawn = {n: generator.normal(0, 0.4, v.shape) for n, v in network.values().items()}
    weights.load(network.session, {n: v.astype(np.float32) for n, v in drawn.items()})
    return {
        k: {n.removeprefix(f'layer{k}/'): v for n, v in drawn.items() if n.startswith(f'layer{k}/')}
        for k in (1, 2)
    }


def run(network, names, feeds):
    tensors = network.endpoints.tensors
    return network.session.run(
        [tensors[name] for name in names], {tensors[n]: v for n, v in feeds.items()}
    )


@pytest.mark.parametrize('repeat', [False, True])
def test_encoder_and_decoder_agree_with_numpy(repeat):
    with built(TINY.vary(repeat_code=repeat), SPEC, None) as network:
        values = values_of(network)[1]
        hidden, codings, outputs = run(network, ['hidden1', 'codings', 'outputs'], {'X': X})
    states, code = lstm_by_hand(X, rest(7, 5), values, '')
    np.testing.assert_allclose(hidden, states, atol=1e-5)
    np.testing.assert_allclose(codings, np.concatenate(code, axis=1), atol=1e-5)
    fed = np.repeat(codings[:, None], 6, axis=1)
    decoded = project(lstm_by_hand(fed, code, values, 'decoder_')[0], values, 'decoder_')
    np.testing.assert_allclose(outputs, sigmoid(decoded)[:, ::-1], atol=1e-5)


def test_two_layers_agree_with_numpy():
    with built(TINY.vary(hidden=(4, 5)), SPEC, None) as network:
        values = values_of(network)
        codings, outputs = run(network, ['codings', 'outputs'], {'X': X})
    lower, _ = lstm_by_hand(X, rest(7, 4), values[1], '')
    _, code = lstm_by_hand(lower, rest(7, 5), values[2], '')
    np.testing.assert_allclose(codings, np.concatenate(code, axis=1), atol=1e-5)
    upper = project(lstm_by_hand(X, code, values[2], 'decoder_')[0], values[2], 'decoder_')
    states, _ = lstm_by_hand(upper, rest(7, 4), values[1], 'decoder_')
    decoded = sigmoid(project(states, values[1], 'decoder_'))
    np.testing.assert_allclose(outputs, decoded[:, ::-1], atol=1e-5)


@pytest.mark.parametrize('training', [False, True])
def test_a_conditional_decoder_is_fed_its_own_frames_and_in_training_the_true_ones(training):
    experiment = TINY.vary(task='composite', future=4, conditional=True)
    future = np.random.default_rng(2).random((7, 4, 3), np.float32)
    with built(experiment, SPEC._replace(future=4), None) as network:
        values = values_of(network)[1]
        batch = Batch(tf.constant(X), tf.constant(future))
        tensors = network.tower()(batch, Mode(training)).tensors
        made = network.session.run([tensors['outputs'], tensors['predictions']])
    _, code = lstm_by_hand(X, rest(7, 5), values, '')
    truths = {'decoder_': X[:, ::-1], 'predictor_': future}
    firsts = {'decoder_': np.zeros((7, 3)), 'predictor_': X[:, -1]}
    for found, (prefix, truth) in zip(made, truths.items(), strict=True):
        state, frame, frames = code, firsts[prefix], []
        for t in range(truth.shape[1]):
            states, state = lstm_by_hand(frame[:, None], state, values, prefix)
            frames.append(sigmoid(project(states[:, 0], values, prefix)))
            frame = truth[:, t] if training else frames[-1]
        wanted = np.stack(frames, axis=1)
        wanted = wanted[:, ::-1] if prefix == 'decoder_' else wanted
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize('length', [None, [1, 4, 6, 2, 5, 6, 3]])
def test_unrolled_and_looped_agree_with_their_gradients(length):
    with tf.Graph().as_default(), tf.Session() as session:
        cell = lstm._cell('', 3, 5, forget_bias=1.0, initializer='glorot', seed=0)
        found = []
        for unrolled in (True, False):
            products = cell.product(tf.constant(X.swapaxes(0, 1)))
            states, carry = lstm.scan(
                cell.stepper(), cell.rest(7), products, 6,
                None if length is None else tf.constant(length), unrolled=unrolled,
            )  # fmt: skip
            loss = tf.reduce_sum(states**2) + tf.reduce_sum(carry[1] ** 3)
            made = [states, *carry, *tf.gradients(loss, [*cell])]
            found.append([tf.convert_to_tensor(t) for t in made])
        session.run(tf.global_variables_initializer())
        for one, other in zip(*session.run(found), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)


def test_gradients_are_those_of_finite_differences():
    experiment = TINY.vary(task='composite', future=2)
    future = np.random.default_rng(2).random((7, 2, 3), np.float32)
    with built(experiment, SPEC._replace(future=2), None) as network:
        made = network.tower()(Batch(tf.constant(X), tf.constant(future)), Mode(True))
        loss = sum(tf.reduce_sum(made.losses[name]()) for name in ('mse', 'future_mse'))
        variables = network.variables
        gradients = network.session.run(tf.gradients(loss, variables))
        values = network.values()
        generator, step = np.random.default_rng(3), 1e-2
        for variable, gradient in zip(variables, gradients, strict=True):
            name = variable.op.name
            direction = generator.normal(size=gradient.shape)
            direction /= np.linalg.norm(direction)
            ends = []
            for sign in (1, -1):
                weights.load(network.session, {name: values[name] + sign * step * direction})
                ends.append(float(network.session.run(loss)))
            weights.load(network.session, {name: values[name]})
            slope = (ends[0] - ends[1]) / (2 * step)
            assert slope == pytest.approx(float((gradient * direction).sum()), rel=0.01, abs=2e-4)


@pytest.mark.parametrize('order', ['reverse', 'forward'])
@pytest.mark.parametrize('hidden', [(5,), (4, 5)])
def test_padded_sequences_are_as_if_unpadded(order, hidden):
    length = np.array([1, 4, 6, 3])
    x, experiment = X[:4], TINY.vary(order=order, hidden=hidden)
    with built(experiment, SPEC, None) as network:
        padded = run(network, ['codings', 'outputs'], {'X': x, 'length': length})
        batch = Batch(tf.constant(x), tf.constant(x), None, tf.constant(length, tf.int32))
        losses = network.tower()(batch, Mode(True)).losses
        loss = network.session.run(losses['mse']())
        values = network.values()
    for row, count in enumerate(length):
        with built(experiment, SPEC._replace(shape=(int(count), 3)), None) as network:
            weights.load(network.session, values)
            codings, outputs = run(network, ['codings', 'outputs'], {'X': x[row : row + 1, :count]})
        np.testing.assert_allclose(padded[0][row], codings[0], atol=1e-5)
        np.testing.assert_allclose(padded[1][row, :count], outputs[0], atol=1e-5)
        assert not padded[1][row, count:].any()
        assert loss[row] == pytest.approx(np.mean((outputs[0] - x[row, :count]) ** 2), abs=1e-5)


def test_outputs_are_in_the_order_of_the_inputs():
    found = []
    for order in ('reverse', 'forward'):
        with built(TINY.vary(order=order), SPEC, None) as network:
            found += run(network, ['outputs'], {'X': X})
    np.testing.assert_allclose(found[0], found[1][:, ::-1], atol=1e-6)


@pytest.mark.parametrize('conditional', [False, True])
def test_codes_decode_by_themselves(conditional):
    with built(TINY.vary(conditional=conditional), SPEC, None) as network:
        codings, outputs = run(network, ['codings', 'outputs'], {'X': X})
        np.testing.assert_allclose(network.decode(codings), outputs, atol=1e-6)


def test_one_step_and_constant_sequences():
    for x in (X[:, :1], np.full_like(X, 0.5)):
        with built(TINY, SPEC._replace(shape=x.shape[1:]), None) as network:
            (outputs,) = run(network, ['outputs'], {'X': x})
            assert outputs.shape == x.shape and np.isfinite(outputs).all()


def test_the_forget_gates_begin_open():
    with built(TINY.vary(forget_bias=2.5), SPEC, None) as network:
        bias = network.values()['layer1/bias']
    np.testing.assert_array_equal(bias, [0] * 5 + [2.5] * 5 + [0] * 10)


def test_clipped_gradients_have_that_norm(main, strips, tmp_path):
    flags = ['--experiment=lstm_reconstruct', f'--array={strips}', '--set=hidden=5',
             '--set=optimizer=sgd', '--set=schedule=constant', '--set=learning_rate=1',
             '--set=epochs=1', '--set=steps_per_epoch=1', '--set=clip_norm=0.01']  # fmt: skip
    assert main(*flags)[0] == 0
    (folder,) = (tmp_path / 'runs/lstm_reconstruct').iterdir()
    experiment = inst.lstm_reconstruct.vary(hidden=(5,))
    with built(experiment, Spec((7, 28)), None) as network:
        before = network.values()
    after = weights_of(folder)
    moved = np.sqrt(sum(np.sum((after[name] - before[name]) ** 2) for name in before))
    assert moved == pytest.approx(0.01, rel=1e-3)


def test_greedy_phases_train_one_layer_and_its_inverse_each():
    experiment = TINY.vary(hidden=(4, 5), training='greedy')
    data = Rows(X, None)
    with built(experiment, SPEC, None) as network:
        for index, phase in enumerate(schedule_of(experiment)):
            before = network.values()
            read = data if not index else Rows(network.compute('hidden1', data), None)
            updates = build_updates(experiment, phase, read, (), network.tower(phase.reads))
            updates.initialize(network.session)
            updates.begin(network.session, 0, 0)
            feeds = {updates.first: 0, updates.last: 1, updates.sums_before: [0.0]}
            network.session.run(updates.sums, feeds)
            after = network.values()
            changed = {name for name in after if not np.array_equal(after[name], before[name])}
            assert changed == {name for name in after if name.startswith(f'layer{index + 1}/')}


@pytest.mark.slow
def test_the_last_phase_reconstructs_the_states_below(main, strips, tmp_path):
    flags = (
        '--experiment=lstm_greedy',
        f'--array={strips}',
        '--set=hidden=6,5',
        '--set=epochs=1',
        '--set=parts=1',
    )
    assert main(*flags)[0] == 0
    (folder,) = (tmp_path / 'runs/lstm_greedy').iterdir()
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(str(folder / 'model.meta'))
        saver.restore(session, str(folder / 'model'))
        x = np.random.default_rng(0).random((3, 7, 28))
        names = ('hidden1', 'phase1_outputs', 'outputs', 'codings')
        made = session.run([f'{name}:0' for name in names], {'X:0': x})
    shapes = [(3, 7, 6), (3, 7, 28), (3, 7, 28), (3, 10)]
    assert [values.shape for values in made] == shapes


@pytest.mark.slow
def test_the_random_control_of_a_classifier_begins_as_its_parent_did(main, strips, tmp_path):
    flags = ('--experiment=lstm_classifier', f'--array={strips}', '--set=initial=random',
             '--set=epochs=1', '--set=parent.epochs=1', '--set=parent.parts=1',
             '--set=steps_per_epoch=1', '--set=parent.steps_per_epoch=1')  # fmt: skip
    assert main(*flags)[0] == 0
    (folder,) = (tmp_path / 'runs/lstm_classifier').iterdir()
    values = weights_of(folder)
    np.testing.assert_array_equal(values['layer1/bias'], [0] * 128 + [1] * 128 + [0] * 256)
    deviation = np.std(values['layer1/recurrent_kernel'])
    assert deviation == pytest.approx((2 / (128 + 512)) ** 0.5, rel=0.02)  # Glorot's


@pytest.fixture(scope='module')
def long(tmp_path_factory):
    """A file of sequences that are too long to be unrolled, with labels."""
    generator = np.random.default_rng(0)
    y = generator.integers(0, 2, 60)
    x = generator.random((60, lstm.UNROLLED + 6, 2)) * 0.3 + 0.5 * y[:, None, None]
    file = tmp_path_factory.mktemp('long') / 'long.npz'
    np.savez(file, x=x.astype(np.float32), y=y)
    return file


@pytest.mark.slow
def test_a_classifier_is_fine_tuned_through_an_imported_loop_again_and_again(main, long, tmp_path):
    flags = ('--experiment=lstm_finetune', f'--array={long}', '--set=epochs=0',
             '--set=finetune_epochs=1', '--set=head=4', '--set=parent.epochs=1',
             '--set=parent.hidden=8', '--set=parent.parts=1')  # fmt: skip
    for seed in (0, 1):  # in one process, as a study does
        code, out, err = main(*flags, f'--seed={seed}')
        assert code == 0, err
        assert 'trained   layer1/bias, layer1/kernel, layer1/recurrent_kernel of these' in out
    assert len(list((tmp_path / 'runs/lstm_finetune').iterdir())) == 2


def test_lengths_are_recorded_and_masked(main, tmp_path):
    generator = np.random.default_rng(0)
    x = generator.random((40, 6, 3)).astype(np.float32)
    length = generator.integers(1, 7, 40)
    padded = x.copy()
    padded[np.arange(6) >= length[:, None]] = 9.0  # whatever is there must not matter
    flags = (
        '--experiment=lstm_reconstruct',
        '--set=hidden=5',
        '--set=epochs=2',
        '--set=batch_size=8',
        '--set=parts=1',
    )
    found = []
    for name, values in (
        ('zeros', x * (np.arange(6) < length[:, None])[..., None]),
        ('nines', padded),
    ):
        np.savez(tmp_path / f'{name}.npz', x=values.astype(np.float32), length=length)
        code, _, err = main(*flags, f'--array={tmp_path}/{name}.npz')
        assert code == 0, err
        (folder,) = (tmp_path / 'runs/lstm_reconstruct').glob(f'array-{name}*')
        found.append((weights_of(folder), results_of(folder)['metrics']))
    for name, value in found[0][0].items():
        np.testing.assert_allclose(value, found[1][0][name], atol=1e-6)
    for name in ('test/mse', 'test/mean_mse', 'test/copy_mse', 'validation/mse'):
        assert found[0][1][name] == pytest.approx(found[1][1][name], rel=1e-4)


@pytest.mark.slow
def test_a_classifier_counts_the_steps_of_what_it_labels(main, tmp_path):
    """On a saved graph, in training and afterwards."""
    generator = np.random.default_rng(0)
    x = generator.random((60, 6, 3)).astype(np.float32)
    length, y, run = generator.integers(1, 7, 60), np.arange(60) % 3, f'--run_dir={tmp_path}/run'
    for name, beyond in (('zeros', 0.0), ('nines', 9.0)):  # which must not matter
        padded = np.where((np.arange(6) < length[:, None])[..., None], x, np.float32(beyond))
        np.savez(tmp_path / f'{name}.npz', x=padded, y=y, length=length)
    flags = ('--set=head=4', '--set=epochs=0', '--set=finetune_epochs=1', '--set=parent.hidden=4')
    flags += ('--set=parent.epochs=1', '--set=parent.parts=1', f'--array={tmp_path}/zeros.npz')
    code, _, err = main('--experiment=lstm_finetune', *flags, run)
    assert code == 0, err
    labels = []
    for name, modes in (('zeros', ['predict']), ('nines', ['evaluate', 'encode', 'predict'])):
        for mode in modes:
            code, _, err = main(f'--mode={mode}', run, f'--array={tmp_path}/{name}.npz')
            assert code == 0, err
        (file,) = (tmp_path / 'run').glob(f'predictions-*{name}*.csv')
        labels.append(file.read_text())
    assert labels[0] == labels[1]


def test_what_cannot_count_steps_refuses_lengths(main, tmp_path):
    x, y = np.random.default_rng(0).random((60, 6, 3), np.float32), np.arange(60) % 3
    np.savez(tmp_path / 'plain.npz', x=x, y=y)
    np.savez(tmp_path / 'uneven.npz', x=x, y=y, length=np.full(60, 2))
    plain, uneven = f'--array={tmp_path}/plain.npz', f'--array={tmp_path}/uneven.npz'
    parent, head = f'{tmp_path}/parent', f'{tmp_path}/head'
    flags = ('--set=epochs=1', '--nofigures')
    classifier = ('--experiment=phasewise_classifier', f'--parent={parent}', '--set=head=3', *flags)
    dense = ('--experiment=tied', '--set=hidden=4', *flags)
    for trained in ((*dense, f'--run_dir={parent}'), (*classifier, f'--run_dir={head}')):
        code, _, err = main(*trained, plain)
        assert code == 0, err
    for refused in (
        dense,
        ('--experiment=conv_transpose',),
        ('--experiment=memory_onehot',),
        classifier,
        *((f'--mode={mode}', f'--run_dir={head}') for mode in ('evaluate', 'encode', 'predict')),
    ):
        code, _, err = main(*refused, uneven)
        assert (code, len(err.splitlines())) == (2, 1) and 'has lengths' in err, (refused, err)


@pytest.mark.parametrize(
    ('flags', 'said'),
    [
        (['--set=future=28'], 'future=28: mnist5k has sequences of 28 steps'),
        (['--dataset=iris'], 'iris: holds 4 features an example; network=lstm reads sequences'),
        (['--set=task=predict'], 'task=predict: needs future='),
        (['--set=conditional=true', '--set=hidden=5,4'], 'conditional=true: needs one layer'),
        (['--set=activation=relu'], 'activation=relu has no effect on lstm_reconstruct'),
        (['--set=order=backward'], 'order=backward: allowed are reverse, forward'),
    ],
)
def test_what_cannot_be_is_one_line(main, flags, said):
    data = [] if '--dataset=iris' in flags else ['--dataset=mnist5k']
    code, _, err = main('--experiment=lstm_reconstruct', *data, *flags)
    assert code == 2 and said in err and err.count('\n') == 1


@pytest.mark.parametrize(
    ('length', 'shape'), [([0] * 10, (10, 4, 2)), ([5] * 10, (10, 4, 2)), ([1] * 9, (10, 4, 2)), ([1.5] * 10, (10, 4))]
)  # fmt: skip
def test_impossible_lengths_are_refused(tmp_path, length, shape):
    np.savez(tmp_path / 'a.npz', x=np.zeros(shape), length=length)
    with pytest.raises(DataError, match='length must be'):
        foreign.read_npz(str(tmp_path / 'a.npz'))


def test_what_follows_a_sequence_may_be_anything_and_what_counts_may_not(tmp_path):
    x, length = np.ones((4, 3, 2), np.float32), np.array([1.0, 2, 3, 2])
    x[0, 1:], x[1, 2] = np.nan, 7
    np.savez(tmp_path / 'a.npz', x=x, length=length)
    found = foreign.read_npz(str(tmp_path / 'a.npz'))
    np.testing.assert_array_equal(found.x[..., 0], [[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 0]])
    x[3, 1, 1] = np.nan
    np.savez(tmp_path / 'a.npz', x=x, length=length)
    with pytest.raises(DataError, match='NaN or infinity in 1 rows, first in row 3'):
        foreign.read_npz(str(tmp_path / 'a.npz'))


def test_lengths_need_a_network_that_knows_of_them(main, tmp_path):
    np.savez(tmp_path / 'a.npz', x=np.zeros((20, 4, 2)), length=[2] * 20)
    code, _, err = main('--experiment=tied', f'--array={tmp_path}/a.npz', '--set=hidden=2')
    assert code == 2 and 'which only network=lstm reads' in err
    with pytest.raises(UsageError, match='needs sequences of one length'):
        data = Dataset('a', SPEC, {'train': Rows(X, None, length=np.ones(7))}, '', (6, 3))
        steps(data, inst.lstm_half.vary(future=2))


def test_sequences_of_another_shape_are_one_line(main, strips, tmp_path):
    flags = (
        '--experiment=lstm_reconstruct',
        f'--array={strips}',
        '--set=hidden=5',
        '--set=epochs=1',
        '--set=parts=1',
    )
    assert main(*flags)[0] == 0
    (folder,) = (tmp_path / 'runs/lstm_reconstruct').iterdir()
    for shape in ((20, 10, 28), (20, 7, 5), (20, 14, 14)):
        np.savez(tmp_path / 'other.npz', x=np.zeros(shape, np.float32))
        code, _, err = main('--mode=encode', f'--run_dir={folder}', f'--array={tmp_path}/other.npz')
        assert code == 3 and 'the run reads 7x28' in err
    code, out, _ = main('--mode=encode', f'--run_dir={folder}', f'--array={strips}')
    assert code == 0
    with np.load(next(folder.glob('codes-*.npz'))) as codes:
        assert codes['codings'].shape == (800, 10)


@pytest.fixture(scope='module')
def composite(strips, data_dir, tmp_path_factory):
    """The folder of a finished run of the composite, and its flags: 3 steps ahead of 4 fed."""
    folder = tmp_path_factory.mktemp('composite') / 'run'
    flags = (f'--array={strips}', *COMPOSITE, '--set=future=3')  # not as many as are fed
    places = (f'--run_dir={folder}', f'--data_dir={data_dir}')
    assert call(*flags, *places) == 0
    return folder, flags


def test_predictions_from_records_have_the_bits_of_those_from_memory(
    main, composite, streams, tmp_path
):
    folder, flags = composite
    assert main(*flags, '--set=cache_bytes=0', f'--run_dir={tmp_path}/run')[0] == 0
    assert streams
    one, other = weights_of(folder), weights_of(tmp_path / 'run')
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])


def test_baselines_by_hand(composite, data_dir, strips):
    metrics = results_of(composite[0])['metrics']
    experiment = inst.lstm_composite.vary(
        dataset='array', data_path=str(strips), hidden=(5,), future=3
    )
    splits = dataset.load(experiment, data_dir).splits
    fed, future = ({s: getattr(r, p) / 255.0 for s, r in splits.items()} for p in ('x', 'target'))
    for prefix, wanted in (('', fed), ('future_', future)):
        mean = np.mean((wanted['test'] - wanted['train'].mean(axis=0)) ** 2)
        copy = np.mean((wanted['test'] - fed['test'][:, -1:]) ** 2)
        assert metrics[f'test/{prefix}mean_mse'] == pytest.approx(mean, rel=1e-4)
        assert metrics[f'test/{prefix}copy_mse'] == pytest.approx(copy, rel=1e-4)
        assert 0 < metrics[f'test/{prefix}pca_mse'] < mean


def test_moving_digits_keep_their_pixels_and_move_by_their_speed():
    digit = np.zeros((1, 28, 28), np.uint8)
    digit[0, 10:18, 10:18] = 255
    frames = sources.moving(digit, 5, np.random.default_rng(0))
    assert frames.shape == (5, 20, 64, 64) and frames.dtype == np.uint8
    lit = (frames > 0).sum(axis=(2, 3))
    assert lit.max() == 128 and lit.min() >= 64  # two squares, which may overlap
    assert (np.abs(np.diff(frames.astype(int), axis=1)).sum(axis=(2, 3)) > 0).all()
    apart = lit == 128  # where each is seen whole
    middle = np.array([[np.argwhere(f).mean(axis=0) for f in each] for each in frames])
    moved = np.linalg.norm(np.diff(middle, axis=1), axis=-1)[apart[:, 1:] & apart[:, :-1]]
    assert len(moved) > 50 and moved.max() < 5 + 1.5  # at most 5 a step, and rounded to pixels
