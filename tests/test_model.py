"""The graphs: names, variables, gradients and losses against NumPy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import inst
import model
from inputs.spec import Spec
from networks import layers, losses
from networks.layers import Mode
from phases import Noise

SPEC = Spec(shape=(6,), classes=('a', 'b', 'c'))
SMALL = inst.phasewise.vary(hidden=(5, 3))


def build(experiment=SMALL):
    """Builds the inference graph and returns (endpoints, initialised session)."""
    graph = tf.Graph()
    with graph.as_default():
        endpoints = model.build(experiment, SPEC)
        session = tf.Session()
        session.run(tf.global_variables_initializer())
    return endpoints, session


@pytest.fixture
def x():
    return np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6) ** 3


def test_promised_names_have_promised_shapes():
    endpoints, session = build()
    shapes = {
        n: session.graph.get_tensor_by_name(f'{n}:0').shape.as_list() for n in endpoints.tensors
    }
    assert shapes == {
        'X': [None, 6], 'hidden1': [None, 5], 'hidden2': [None, 3], 'codings': [None, 3],
        'outputs': [None, 6], 'phase1_outputs': [None, 6],
    }  # fmt: skip


def test_a_tied_model_has_no_decoder_kernel_and_an_untied_one_has():
    names = {}
    for tied in (True, False):
        _, session = build(SMALL.vary(tied=tied, training='joint'))
        names[tied] = {v.op.name for v in model.variables(session.graph)}
    assert not any('decoder_kernel' in name for name in names[True])
    assert names[False] - names[True] == {'layer1/decoder_kernel', 'layer2/decoder_kernel'}


def test_tied_network_has_fewer_than_51_percent_of_the_untied_parameters():
    spec, counts = Spec(shape=(784,)), []
    for experiment in (inst.tied, inst.untied):
        with tf.Graph().as_default() as graph:
            model.build(experiment, spec)
            counts.append(sum(v.shape.num_elements() for v in model.variables(graph)))
    assert counts[0] / counts[1] < 0.51


def test_a_tied_kernels_gradient_is_the_sum_of_both_uses(x):
    linear = SMALL.vary(hidden=(3,), activation='linear', l2=0.0, training='joint')
    endpoints, session = build(linear)
    with session.graph.as_default():
        (kernel,) = model.variables(session.graph, 'layer1/kernel')
        (gradient,) = tf.gradients(tf.reduce_mean(endpoints.losses['mse']()), kernel)
        found, w = session.run([gradient, kernel], {endpoints.tensors['X']: x})
    error = 2 * (x @ w @ w.T - x) / x.size  # d mse / d outputs
    as_encoder, as_decoder = x.T @ (error @ w), error.T @ (x @ w)
    np.testing.assert_allclose(found, as_encoder + as_decoder, atol=1e-6)
    assert not np.allclose(as_encoder, 0, atol=1e-3) and not np.allclose(as_decoder, 0, atol=1e-3)


def test_the_forward_pass_and_phase_losses_agree_with_numpy(x):
    endpoints, session = build()

    def elu(values):
        return np.where(values > 0, values, np.expm1(values))

    with session.graph.as_default():
        generator = np.random.default_rng(3)
        for variable in model.variables(session.graph):
            value = generator.normal(0, 0.5, variable.shape.as_list())
            variable.load(value.astype(np.float32), session)
        v = {v.op.name: session.run(v) for v in model.variables(session.graph)}
        names = ('phase1/mse', 'phase2/mse', 'phase1/l2', 'mse', 'l2')
        found = session.run(
            [endpoints.tensors['outputs'], *(endpoints.losses[n]() for n in names)],
            {endpoints.tensors['X']: x},
        )
    hidden1 = elu(x @ v['layer1/kernel'] + v['layer1/bias'])
    hidden2 = elu(hidden1 @ v['layer2/kernel'] + v['layer2/bias'])
    back1 = elu(hidden2 @ v['layer2/kernel'].T + v['layer2/decoder_bias'])
    outputs = back1 @ v['layer1/kernel'].T + v['layer1/decoder_bias']
    phase1 = hidden1 @ v['layer1/kernel'].T + v['layer1/decoder_bias']
    penalty = {k: 1e-4 * (v[f'layer{k}/kernel'] ** 2).sum() / 2 for k in (1, 2)}
    wanted = (
        outputs,
        ((phase1 - x) ** 2).mean(axis=1),
        ((back1 - hidden1) ** 2).mean(axis=1),
        penalty[1],
        ((outputs - x) ** 2).mean(axis=1),
        penalty[1] + penalty[2],
    )
    for mine, numpys in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, numpys, atol=1e-5)


def test_distances_and_cross_entropy_agree_with_numpy(x):
    target, labels = (
        np.sin(np.arange(24, dtype=np.float32)).reshape(4, 6),
        np.array([0, 2, 5, 1], np.int32),
    )
    with tf.Graph().as_default(), tf.Session() as session:
        found = session.run(
            [losses.mse(x, target), losses.squared_error(x, target), losses.mae(x, target),
             losses.cross_entropy(tf.constant(x), labels), losses.correct(tf.constant(x), labels)]
        )  # fmt: skip
    difference = x - target
    logsumexp = np.log(np.exp(x).sum(axis=1))
    wanted = (
        (difference**2).mean(axis=1),
        (difference**2).sum(axis=1),
        np.abs(difference).mean(axis=1),
        logsumexp - x[np.arange(4), labels],
        (x.argmax(axis=1) == labels).astype(np.float32),
    )
    for mine, numpys in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, numpys, atol=1e-5)


def test_likelihoods_and_divergences_agree_with_numpy(x):
    """In nats an example, summed over features; the sparsity over units, of the batch's means."""
    unit = (x + 1) / 2
    log_var = np.cos(np.arange(24, dtype=np.float32)).reshape(4, 6)
    with tf.Graph().as_default(), tf.Session() as session:
        found = session.run(
            [losses.bernoulli_nll(tf.constant(5 * x), unit), losses.gaussian_nll(x, unit, log_var),
             losses.gaussian_kl(x, log_var), losses.sparsity_kl(unit, 0.2), losses.cosine(x, unit)]
        )  # fmt: skip
    p = 1 / (1 + np.exp(-5.0 * x))
    variance, mean = np.exp(log_var), unit.mean(axis=0)
    norms = np.sqrt((x**2).sum(axis=1) * (unit**2).sum(axis=1))
    wanted = (
        -(unit * np.log(p) + (1 - unit) * np.log(1 - p)).sum(axis=1),
        (((unit - x) ** 2 / variance + log_var + np.log(2 * np.pi)) / 2).sum(axis=1),
        ((variance + x**2 - 1 - log_var) / 2).sum(axis=1),
        (0.2 * np.log(0.2 / mean) + 0.8 * np.log(0.8 / (1 - mean))).sum(),
        1 - (x * unit).sum(axis=1) / norms,
    )
    for mine, numpys in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, numpys, atol=1e-5)


def test_a_gaussian_kl_is_zero_at_the_unit_gaussian_and_that_of_scipy_elsewhere():
    """KL(N(1, 4) || N(0, 1)) by quadrature."""
    grid = np.linspace(-30, 30, 200_001)
    density, unit = (
        np.exp(-((grid - m) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v) for m, v in ((1, 4), (0, 1))
    )
    keep = (density > 0) & (unit > 0)
    wanted = np.sum(density[keep] * np.log(density[keep] / unit[keep])) * (grid[1] - grid[0])
    with tf.Graph().as_default(), tf.Session() as session:
        mean, log_var = tf.constant([[0.0], [1.0]]), tf.constant([[0.0], [np.log(4.0)]], tf.float32)
        found = session.run(losses.gaussian_kl(mean, log_var))
    np.testing.assert_allclose(found, [0.0, wanted], atol=1e-5)


VAE = inst.vae.vary(hidden=(5, 3))


def test_a_vae_promises_its_mean_and_log_variance_and_codes_that_feed(x):
    endpoints, session = build(VAE)
    tensors = endpoints.tensors
    assert session.graph.get_tensor_by_name('codings_log_var:0').shape.as_list() == [None, 3]
    codes, mean, outputs = session.run(
        [tensors['codings'], tensors['codings_mean'], tensors['outputs']], {tensors['X']: x}
    )
    np.testing.assert_array_equal(codes, mean)  # at inference
    fed = session.run('outputs:0', {'codings:0': codes})
    np.testing.assert_allclose(fed, outputs, atol=1e-6)
    drawn = session.run('codings:0', {tensors['X']: x, 'training:0': True})
    assert not np.allclose(drawn, mean)


def test_a_vaes_terms_agree_with_numpy_and_share_their_unit(x):
    endpoints, session = build(VAE)
    unit = (x + 1) / 2
    with session.graph.as_default():
        batch = model.Batch(endpoints.tensors['X'], endpoints.tensors['X'])
        with tf.variable_scope(tf.get_variable_scope(), reuse=True):
            made = model.tower(VAE, SPEC, batch, Mode(False, tf.constant([7, 0], tf.int64)))
        names = ('nll', 'kl', 'nelbo')
        fetched = [
            made.tensors[n] for n in ('codings_mean', 'codings_log_var', 'codings', 'outputs')
        ]
        fetched += [made.metrics[name]() for name in names]
        mean, log_var, code, outputs, *found = session.run(fetched, {batch.inputs: unit})
    assert not np.allclose(code, mean)
    kl = ((np.exp(log_var) + mean**2 - 1 - log_var) / 2).sum(axis=1)
    nll = -(unit * np.log(outputs) + (1 - unit) * np.log(1 - outputs)).sum(axis=1)
    for mine, numpys in zip(found, (nll, kl, nll + kl), strict=True):
        assert mine.shape == (4,)
        np.testing.assert_allclose(mine, numpys, atol=1e-5)


def test_a_log_variance_stays_in_range_whatever_comes():
    with tf.Graph().as_default(), tf.Session() as session:
        raw = tf.constant([-1e30, -1.0, 0.0, 1.0, 1e30])
        bounded = layers.log_variance(raw)
        values, gradient = session.run([bounded, tf.gradients(bounded, raw)[0]])
    assert np.abs(values).max() <= 10 and np.isfinite(gradient).all()
    np.testing.assert_allclose(values[1:4], [-1, 0, 1], atol=5e-3)


@pytest.mark.parametrize('kind', ['mask', 'gaussian'])
def test_corruption_has_the_amount_asked_for_and_its_seeds_key(kind):
    ones = tf.ones
    with tf.Graph().as_default(), tf.Session() as session:
        seeds = [tf.constant(seed, tf.int64) for seed in ([1, 2], [1, 2], [1, 3])]
        one, same, other = session.run(
            [layers.corrupt(ones([200, 300]), Noise(kind, 0.3), seed) for seed in seeds]
        )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    if kind == 'mask':
        assert set(np.unique(one)) == {0.0, 1.0} and (one == 0).mean() == pytest.approx(
            0.3, abs=0.01
        )
    else:
        assert one.mean() == pytest.approx(1, abs=0.01) and one.std() == pytest.approx(
            0.3, abs=0.01
        )


def test_dropout_drops_in_training_alone_and_keeps_the_mean():
    experiment = SMALL.vary(training='joint', dropout=0.5, hidden=(400,), activation='sigmoid')
    endpoints, session = build(experiment)
    x = np.zeros((50, 6), np.float32)
    hidden = {
        training: session.run('hidden1:0', {'X:0': x, 'training:0': training})
        for training in (False, True)
    }
    np.testing.assert_array_equal(hidden[False], 0.5)
    assert set(np.unique(hidden[True])) == {0.0, 1.0}
    assert hidden[True].mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize('picture', [(28, 28), (9, 14, 3)])
@pytest.mark.parametrize('code', [0, 2])
def test_a_memory_decodes_to_the_pictures_shape(picture, code):
    spec = Spec(shape=(4,), picture=picture)
    with tf.Graph().as_default(), tf.Session() as session:
        model.build(inst.memory_onehot.vary(memory_code=code), spec)
        session.run(tf.global_variables_initializer())
        x = np.eye(4, dtype=np.float32)
        codes, outputs = session.run(['codings:0', 'outputs:0'], {'X:0': x})
        fed = session.run('outputs:0', {'codings:0': codes})
    assert outputs.shape == (4, np.prod(picture)) and codes.shape == (4, code or 4)
    np.testing.assert_allclose(fed, outputs, atol=1e-6)


@pytest.mark.parametrize('fixed', [False, True])
def test_a_memory_learns_its_vectors_unless_they_are_fixed(fixed):
    spec = Spec(shape=(4,), picture=(8, 8))
    with tf.Graph().as_default() as graph:
        model.build(inst.memory_latent.vary(memory_fixed=fixed), spec)
        names = {variable.op.name for variable in model.variables(graph)}
        learned = {variable.op.name for variable in model.variables(graph, trainable=True)}
    assert names - learned == ({'codes'} if fixed else set())


def test_initial_weights_depend_on_the_seed_and_the_name_alone():
    def kernels(experiment):
        _, session = build(experiment)
        return {v.op.name: session.run(v) for v in model.variables(session.graph, '.*kernel')}

    first, again, deeper = kernels(SMALL), kernels(SMALL), kernels(SMALL.vary(hidden=(5, 3, 2)))
    other = kernels(SMALL.vary(seed=1))
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
        np.testing.assert_array_equal(value, deeper[name])
        assert not np.allclose(value, other[name])


def test_he_initialisation_has_the_variance_of_the_paper():
    wide = Spec(shape=(784,))
    with tf.Graph().as_default() as graph, tf.Session() as session:
        model.build(inst.untied, wide)
        session.run(tf.global_variables_initializer())
        for variable in model.variables(graph, '.*kernel'):
            value = session.run(variable)
            assert value.var() == pytest.approx(2 / value.shape[0], rel=0.03)
