"""What is scored of greys that are drawn, of sequences, and of pictures that are not in [0, 1]."""

from functools import partial

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import inst
import model
from evaluation import compressed, scores
from inputs.rows import Dataset, Rows
from inputs.spec import Spec, Values
from networks import layers, saved_graph, weights
from networks.endpoints import Batch
from phases import schedule_of
from train import updates

DRAW = np.random.default_rng(0)


def test_errors_of_corrupted_inputs_are_against_the_greys():
    greys = inst.basic.vary(
        loss='bernoulli', output_activation='sigmoid', binarize=True, corruption=1e-6
    )
    x = DRAW.random((50, 784)).astype(np.float32)
    with model.built(greys, Spec((784,), picture=(28, 28)), None) as network:
        found = scores.whole(network).mean(Rows(x, None))
    assert found['mse_corrupted'] == pytest.approx(found['mse'], rel=0.05)


def test_a_head_measures_sequences_as_the_network_below_it_did():
    experiment = inst.lstm_reconstruct.vary(
        loss='cosine', hidden=(6,), output_activation='linear', dataset='mnist5k'
    )
    spec = Spec((5, 3), ('a', 'b'), (5, 3))
    x, y = DRAW.normal(size=(8, 5, 3)).astype(np.float32), np.zeros(8, np.int32)
    with model.built(experiment, spec, None) as network:
        values = network.values()
        mine = scores.whole(network).mean(Rows(x, None))
    graph = saved_graph.unsaved('x', partial(model.exported, experiment, spec, None), values, 0)
    head = inst.lstm_classifier.vary(parent=experiment)
    with model.built(head, spec, graph) as network:
        heads = scores.whole(network).mean(Rows(x, y))
    for name in ('mse', 'mae', 'squared_error', 'cosine'):
        assert heads[name] == pytest.approx(mine[name], rel=1e-5)


@pytest.mark.parametrize('least', [0.0, -1.0])
def test_ratios_to_the_peak_of_a_picture_are_of_greys_alone(least):
    experiment = inst.conv_transpose.vary(filters=(4,), code_size=4, output_activation='tanh')
    spec = Spec((28, 28, 1), picture=(28, 28), values=Values(least, 1.0, False))
    with model.built(experiment, spec, None) as network:
        assert ('psnr' in network.endpoints.metrics) == (least == 0)


def test_of_very_many_pictures_the_components_are_of_some(monkeypatch):
    monkeypatch.setattr(compressed, 'MOST', 6)
    x = DRAW.random((20, 64, 64, 1)).astype(np.float32)
    data = Dataset('x', Spec((64, 64, 1)), {'train': Rows(x, None), 'test': Rows(x[:3], None)}, '')
    assert compressed.errors(data, 30, 3, lambda: None)['pca_components'] == 5


@pytest.mark.parametrize('standardize', ['mean_std', 'min_max'])
def test_pictures_are_shifted_before_each_pixel_has_a_scale(standardize):
    experiment = inst.basic.vary(standardize=standardize, crop=2, hidden=(4,))
    spec = Spec((36,), picture=(6, 6))
    x = DRAW.random((20, 36)).astype(np.float32)
    with model.built(experiment, spec, None) as network:
        units = {'standardize/shift': x.mean(0), 'standardize/scale': DRAW.random(36) + 0.1}
        weights.load(network.session, {n: v.astype(np.float32) for n, v in units.items()})
        body = object.__new__(updates._Body)
        body.experiment, body.phase = experiment, schedule_of(experiment)[0]
        body.units, body.sides, body.known = network.units, spec.sides, 1.0
        given = tf.constant(x)
        seed = tf.constant([123, 0], tf.int64)
        made = body._disturbed(Batch(given, given), seed)
        shifted = layers.augment(given, spec.sides, False, 2, seed)
        back, wanted = network.session.run([network.units.back(made.target), shifted])
    np.testing.assert_allclose(back, wanted, atol=1e-5)
    assert np.abs(wanted - x).max() > 0.1
