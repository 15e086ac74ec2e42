"""What codes are worth, on arrays whose answer is known."""

import numpy as np
import pytest
from scipy import ndimage

from dataset import Rows
from evaluation import probes


def test_separation_is_the_accuracy_of_five_neighbours():
    train = np.concatenate([np.arange(6.0), 100 + np.arange(6.0)])[:, None]
    labels = np.repeat([0, 1], 6)
    test = np.array([[2.0], [103.0], [101.0], [3.0]])
    assert probes.separation(train, labels, test, np.array([0, 1, 1, 0])) == 1.0
    assert probes.separation(train, labels, test, np.array([0, 1, 0, 0])) == 0.75


def test_all_components_are_as_good_as_pixels_and_lost_ones_cost():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 400).astype(np.int32)
    x = generator.normal(0, 0.3, (400, 5)).astype(np.float32)
    x[:, 2] += np.where(labels % 2, 3, -3)  # the first component tells two pairs of classes apart,
    x[:, 4] += np.where(labels < 2, 2, -2)  # the second what is in them
    train, test = (Rows(x[part], labels[part]) for part in (slice(0, 200), slice(200, 400)))
    whole, one = probes.baselines(train, test, 50), probes.baselines(train, test, 1)
    assert whole['separation_pixels'] == whole['separation_pca'] > 0.95  # at most five components
    assert one['separation_pixels'] == whole['separation_pixels'] > one['separation_pca'] + 0.3


def test_codes_in_use_are_those_that_vary():
    codings = np.zeros((100, 4), np.float32)
    codings[:, 1] = np.linspace(-1, 1, 100)
    codings[:, 2] = 7.0
    codings[:, 3] = np.linspace(0, 1e-3, 100)
    found = probes.usage(codings)
    assert (found['active_codes'], found['dead_codes']) == (1, 2)
    assert found['mean_activation'] == pytest.approx(codings.mean())


def test_a_single_example_has_components_and_no_codes_that_vary():
    for features in (1, 5, probes.COVARIANCE + 1):
        one = Rows(np.ones((1, features), np.float32), np.zeros(1, np.int32))
        error, components = probes.pca(one, one, 1)
        assert error == 0 and np.isfinite(components).all()
    assert probes.usage(np.ones((1, 3))) == {'mean_activation': 1.0}


def test_filters_that_look_at_few_inputs_have_a_high_kurtosis():
    noise = np.random.default_rng(0).normal(0, 1, (784, 50))
    assert probes.filter_kurtosis(noise) == pytest.approx(0, abs=0.2)
    window = np.where(np.arange(784)[:, None] < 30, noise, 0)
    assert probes.filter_kurtosis(window) > 20
    some_dead = np.where(np.arange(50) < 20, 0.5, window)
    assert probes.filter_kurtosis(some_dead) == probes.filter_kurtosis(window[:, 20:])
    assert probes.filter_kurtosis(np.zeros((784, 2))) is None


def test_a_ridge_is_what_a_stride_leaves_however_blurred_the_pictures_are():
    generator = np.random.default_rng(0)
    pictures = ndimage.gaussian_filter(generator.random((50, 32, 32, 1)), (0, 1, 1, 0))
    blurred = ndimage.gaussian_filter(pictures, (0, 1, 1, 0))
    assert abs(probes.ridge(pictures, 2)) < 0.15 and abs(probes.ridge(blurred, 2)) < 0.15
    board = np.indices((32, 32)).sum(axis=0)[:, :, None] % 2
    assert probes.ridge(blurred + 0.05 * board, 2) > 1
    assert probes.ridge(np.ones((2, 7, 7, 1)), 3) is None  # of no period of a stride


def test_pca_leaves_the_variance_of_the_components_it_drops():
    x = np.random.default_rng(0).normal(0, [4, 2, 1], (500, 3)).astype(np.float32)
    error, components = probes.pca(Rows(x, None), Rows(x, None), 2)
    values = np.linalg.eigvalsh(np.cov(x.T, bias=True))
    assert error == pytest.approx(values[0] / 3, rel=1e-4)
    assert probes.plane_angle(np.eye(3)[:2], components) < 5


@pytest.mark.parametrize(('mean', 'deviation'), [(2000, 5), (1e6, 10)])
def test_pca_of_columns_far_from_0_is_as_exact(mean, deviation):
    x = np.random.default_rng(0).normal(mean, deviation, (2000, 6)).astype(np.float32)
    values = np.linalg.eigvalsh(np.cov(x.T.astype(np.float64), bias=True))
    rows = Rows(x, np.zeros(len(x), np.int64))
    assert probes.pca(rows, rows, 2)[0] == pytest.approx(values[:4].sum() / 6, rel=1e-3)
    assert np.var(probes.projection(rows, 2), axis=0) == pytest.approx(values[:-3:-1], rel=1e-3)


def test_principal_components_of_many_features_are_nearly_the_same(monkeypatch):
    generator = np.random.default_rng(0)
    x = (generator.normal(size=(300, 8)) @ generator.normal(size=(8, 60))).astype(np.float32)
    x += generator.normal(0, 0.1, x.shape).astype(np.float32)
    train, test = (Rows(part, None) for part in (x[:200], x[200:]))
    exact, _ = probes.pca(train, test, 6)
    monkeypatch.setattr(probes, 'COVARIANCE', 10)
    found, components = probes.pca(train, test, 6)
    assert found == pytest.approx(exact, rel=0.02) and components.shape == (6, 60)
    probes._KNOWN.clear()
    assert found == probes.pca(train, test, 6)[0]


def test_the_same_principal_components_are_computed_once(monkeypatch):
    x, y = np.random.default_rng(5).normal(size=(2, 40, 6)).astype(np.float32)
    rows, other = Rows(x, None), Rows(y, None)
    first = probes.pca(rows, rows, 2)
    monkeypatch.setattr(probes, 'PCA', None)  # which cannot be called
    again = probes.pca(rows, other, 2)
    assert again[0] != first[0] and np.array_equal(again[1], first[1])
    for different in (lambda: probes.pca(rows, rows, 3), lambda: probes.pca(other, rows, 2)):
        with pytest.raises(TypeError, match='not callable'):
            different()
