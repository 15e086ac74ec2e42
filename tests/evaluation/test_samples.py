"""Drawn pictures beside real ones: what cheats by blurring or averaging is found out."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import dataset
import inst
from evaluation import samples
from inference import load
from inputs.rows import Dataset, Rows
from inputs.spec import Spec
from train.folder import Place
from train.run import run as train


@pytest.fixture(scope='module')
def seen(some_digits):
    """Features of real digits held out, and what makes features."""
    x, y = some_digits
    eyes = samples.opened(Rows(x[:400].reshape(-1, 784), y[:400].astype(np.int32)), (28, 28))
    return eyes, x[400:600] / np.float32(255), eyes.features(x[600:] / np.float32(255))


def test_blur_averages_and_one_picture_are_farther_than_real_pictures(seen):
    eyes, real, others = seen
    draw = np.random.default_rng(0).integers(0, 200, (200, 8))
    made = {
        'blurred': gaussian_filter(real, (0, 2, 2)),
        'averages': real[draw].mean(axis=1),
        'one': np.repeat(real.mean(axis=0)[None], 200, axis=0),
    }
    found = {name: samples.likeness(eyes.features(images), others) for name, images in made.items()}
    honest = samples.likeness(eyes.features(real), others)
    for cheat in found.values():
        assert cheat['frechet'] > 2 * honest['frechet']
        assert cheat['coverage'] < honest['coverage']


def test_the_distance_is_that_of_two_gaussians():
    draw = np.random.default_rng(0)
    near, far = draw.normal(0, 1, (4000, 2)), draw.normal(3, 2, (4000, 2))
    assert samples.likeness(near, near)['frechet'] == pytest.approx(0, abs=1e-6)
    # in each of two dimensions (3 - 0)^2 of the means, and (2 - 1)^2 of the deviations
    assert samples.likeness(far, near)['frechet'] == pytest.approx(20, rel=0.05)
    assert samples.likeness(near, near)['coverage'] == 1.0
    assert samples.likeness(near + 99, near) == pytest.approx(
        {'frechet': 2 * 99**2, 'density': 0.0, 'coverage': 0.0}
    )


def test_large_pictures_are_seen_small(some_digits):
    x, y = some_digits
    large = x[:100].repeat(3, axis=1).repeat(3, axis=2)
    eyes = samples.opened(Rows(large.reshape(100, -1), y[:100].astype(np.int32)), (84, 84))
    assert eyes.kernels[0].shape == (42 * 42, 128)
    assert eyes.features(large[:5] / np.float32(255)).shape == (5, 64)


def test_real_and_blurred_pictures_stand_beside(some_digits):
    x, y = some_digits[0].reshape(-1, 784), some_digits[1].astype(np.int32)
    splits = {'train': Rows(x[:600], y[:600]), 'test': Rows(x[600:], y[600:])}
    data = Dataset('d', Spec((784,), tuple('0123456789'), (28, 28)), splits, '', (28, 28))
    empty = np.zeros((200, 784), np.float32)
    halves = (x[600:] + x[600:][::-1]) / np.float32(2 * 255)
    found = samples.scores(data, 200, {'': empty, '_between': halves})
    for name in ('sample_frechet', 'sample_coverage'):
        assert {name, f'{name}_between', f'{name}_real', f'{name}_blurred'} <= found.keys()
    assert found['sample_frechet_real'] < found['sample_frechet_blurred'] < found['sample_frechet']
    assert found['sample_frechet_real'] < found['sample_frechet_between'] < found['sample_frechet']


def test_between_two_codes_is_what_the_decoder_makes_of_their_mean(digits, data_dir, tmp_path):
    varied = {'hidden': (8,), 'epochs': 1, 'dataset': 'array', 'data_path': str(digits)}
    place = Place(data_dir=data_dir, runs=tmp_path)
    found = train(inst.vae_plain.vary(**varied), inst.vae_plain, place)['metrics']
    data = dataset.load(inst.vae_plain.vary(**varied), data_dir)
    test = data.splits['test'].floats(0, len(data.splits['test']))
    (folder,) = (tmp_path / 'vae_plain').iterdir()
    with load(folder) as run:
        codes = run.encode(test * 255)
        between = run.decode((codes + np.roll(codes, 1, axis=0)) / 2)
    eyes = samples.opened(data.splits['train'], (28, 28))
    likeness = samples.likeness(eyes.features(between), eyes.features(test))
    for name, value in likeness.items():
        assert found[f'test/sample_{name}_between'] == pytest.approx(value, rel=1e-3)
