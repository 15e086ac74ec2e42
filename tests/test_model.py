"""The graphs: names, variables, gradients and losses against NumPy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import inst
import losses
import model
from parameters import Spec

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
