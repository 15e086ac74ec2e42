"""Batch norm in training: the gradient through a batch's moments, and which moments are followed."""

import csv
from functools import partial

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import inst
import model
from inputs.spec import Spec
from model import exported
from networks import layers, norms, saved_graph, weights
from networks.endpoints import Batch
from networks.layers import Mode
from system.errors import DataError
from train import transfer

TINY = inst.conv_joint.vary('tiny', filters=(8, 8, 8), kernel_size=3, dataset='mnist5k', epochs=1)
SPEC = Spec((16, 16, 1), picture=(16, 16, 1))
X = np.random.default_rng(0).random((16, 16, 16, 1)).astype(np.float32)
SEED = (1, 2)


def values_of(experiment):
    with model.built(experiment, SPEC, None) as network:
        return network.values()


def in_training(experiment, values, of):
    """Returns what `of(endpoints, statistics, variables)` is where the network is trained."""
    with tf.Graph().as_default(), tf.Session() as session:
        model.build(experiment, SPEC)
        left, batch = {}, Batch(tf.constant(X), tf.constant(X))
        with tf.variable_scope(tf.get_variable_scope(), reuse=True):
            mode = Mode(True, tf.constant(SEED, tf.int64), left)
            made = model.tower(experiment, SPEC, batch, mode)
        variables = {v.op.name: v for v in tf.global_variables()}
        fetched = of(made, left, variables)
        weights.load(session, values)
        return session.run(fetched)


NAMES = ('layer1/kernel', 'layer2/kernel', 'layer1/gamma', 'layer3/beta')


def slopes(codings, variables):
    weight = tf.range(int(codings.shape[1]), dtype=tf.float32)
    return tf.gradients(tf.reduce_mean(tf.square(codings * weight)), [variables[n] for n in NAMES])


def test_a_restored_batch_norm_has_the_gradient_of_one_that_is_built_here():
    """It goes through the mean and the variance of the batch (Ioffe and Szegedy 2015)."""
    values = values_of(TINY)
    wanted = in_training(TINY, values, lambda made, _, v: slopes(made.tensors['codings'], v))
    restored = saved_graph.unsaved('x', partial(exported, TINY, SPEC, None), values, 0)
    with tf.Graph().as_default(), tf.Session() as session:
        made = restored.tower(tf.constant(X), statistics={})
        made_slopes = slopes(made['codings'], {v.op.name: v for v in tf.global_variables()})
        weights.load(session, values)
        found = session.run(made_slopes)
    for one, other in zip(wanted, found, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3 * np.abs(one).max())


def test_a_restored_batch_norm_is_one_operation_where_it_can_be(monkeypatch):
    """With the moments that are followed of one that is built here; of other parts it is as slow."""
    values = values_of(TINY)
    wanted = in_training(TINY, values, lambda _, left, __: left)
    restored = saved_graph.unsaved('x', partial(exported, TINY, SPEC, None), values, 0)
    taken = norms.in_training(restored.graph_def, restored.moments)
    assert len(taken) == 3 and all(isinstance(norm, norms.Norm) for norm in taken.values())
    codings = []
    for is_whole in (True, False):
        monkeypatch.setattr(norms, '_norm', norms._norm if is_whole else lambda *_: None)
        left = {}
        with tf.Graph().as_default(), tf.Session() as session:
            made = restored.tower(tf.constant(X), statistics=left)
            weights.load(session, values)
            found, coded = session.run([left, made['codings']])
        assert found.keys() <= wanted.keys() and len(found) == 6
        codings.append(coded)
        for name, moments in found.items() if is_whole else ():
            np.testing.assert_allclose(moments, wanted[name], rtol=1e-4, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(*codings, rtol=1e-3, atol=1e-4)


def test_a_graph_whose_batch_norm_has_no_such_gradient_is_refused(monkeypatch):
    """As this program wrote until it was found out."""

    def fused(norm, inputs, mode):
        means = [tf.nn.moments(inputs, [0, 1, 2]), [v.read_value() for v in norm.moving]]
        mean, variance = (tf.where_v2(mode.training, *pair) for pair in zip(*means, strict=True))
        return tf.nn.fused_batch_norm(
            inputs, norm.gamma, norm.beta, mean, variance, is_training=False
        )[0]

    build, values = partial(exported, TINY, SPEC, None), values_of(TINY)
    whole = saved_graph.unsaved('x', build, values, 0)
    assert whole.moments and not norms.fused(whole.graph_def, whole.moments)
    monkeypatch.setattr('networks.pairs.BatchNorm.__call__', fused)
    before = saved_graph.unsaved('x', build, values, 0)
    assert len(before.moments) == len(whole.moments)
    head = inst.conv_finetune.vary(finetune_batch_norm=True)
    with pytest.raises(DataError, match='has no gradient by the moments of a batch'):
        transfer.check(before, head, SPEC)
    transfer.check(before, head.vary(finetune_batch_norm=False), SPEC)
    transfer.check(whole, head, SPEC)


def test_the_moments_that_are_followed_are_those_of_all_layers_together():
    """Not those of a lower layer that is decoded by itself, for what a phase has learned."""
    greedy = TINY.vary('greedy', training='greedy', joint_epochs=1)
    values = values_of(TINY)
    wanted, found = (in_training(e, values, lambda _, left, __: left) for e in (TINY, greedy))
    assert wanted.keys() == found.keys() and any('decoder' in name for name in found)
    for name, moments in wanted.items():
        np.testing.assert_allclose(moments, found[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_the_penalty_is_of_the_classifiers_kernel_too():
    experiment = TINY.vary(classify=1.0, l2=1.0)
    spec = SPEC._replace(classes=('a', 'b'))
    with model.built(experiment, spec, None) as network:
        y = tf.zeros([len(X)], tf.int32)
        made = network.tower()(Batch(tf.constant(X), tf.constant(X), y), layers.Mode())
        penalty = network.session.run(made.losses['l2']())
        kernels = [v for n, v in network.values().items() if n.endswith('kernel')]
    assert penalty == pytest.approx(sum(float((k**2).sum()) / 2 for k in kernels), rel=1e-5)


def test_hidden_labels_do_not_dilute_the_loss_of_those_that_are_known():
    spec = SPEC._replace(classes=('a', 'b'))
    y = np.arange(len(X)) % 2
    few = np.where(np.arange(len(X)) < 4, y, -1)

    def cross_entropy(share, labels, rows):
        with model.built(TINY.vary(classify=1.0), spec, None) as network:
            x, given = tf.constant(X[:rows]), tf.constant(labels[:rows], tf.int32)
            made = network.tower()(Batch(x, x, given, known=share), layers.Mode())
            return network.session.run(tf.reduce_mean(made.losses['cross_entropy']()))

    diluted, whole = cross_entropy(0.25, few, len(X)), cross_entropy(1.0, y, 4)
    assert diluted == pytest.approx(whole, rel=1e-4)


def test_the_share_of_labels_is_that_which_is_there(main, digits, tmp_path):
    """One at least of each class, however small a share is asked for."""
    code, _, err = main(
        '--experiment=basic', f'--array={digits}', '--set=classify=1', '--set=hidden=9',
        '--set=label_fraction=0.0001', '--set=learning_rate=1e-12', '--set=epochs=1',
        f'--run_dir={tmp_path}/run', '--nofigures',
    )  # fmt: skip
    assert code == 0, err
    with open(tmp_path / 'run/metrics.csv', newline='') as opened:
        (row,) = csv.DictReader(opened)
    train, validation = (float(row[f'{n}/cross_entropy']) for n in ('train', 'validation'))
    assert train == pytest.approx(validation, rel=0.1)
