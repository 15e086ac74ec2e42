"""Maps of any number of channels, [N, H, W, C]: convolved, mirrored, cut, shown by channel."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import results_of

from inference import load
from system.errors import DataError

CHANNELS = 5
CONV = (
    '--experiment=conv_ae_cifar', '--set=filters=4', '--set=code_size=3', '--set=epochs=2',
    '--set=standardize=mean_std', '--set=output_activation=linear', '--set=crop=1',
)  # fmt: skip


@pytest.fixture(scope='module')
def bands(tmp_path_factory):
    """A file of 60 maps, 8x8 in five channels, of two classes, far from [0, 1]."""
    draw = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = draw.normal(size=(60, 8, 8, CHANNELS)) + 3 * y[:, None, None, None] * np.arange(CHANNELS)
    file = tmp_path_factory.mktemp('bands') / 'bands.npz'
    np.savez(file, x=x.astype(np.float32), y=y)
    return file


def test_they_are_convolved_and_given_back_in_their_own_shape(main, bands, drawn, tmp_path):
    code, out, err = main(*CONV, f'--array={bands}', f'--run_dir={tmp_path}/run')
    assert code == 0, err
    assert f'channels, {CHANNELS} of them' in out and '8x8x5' in out
    assert 'features' in drawn and 'channel 4: error' in drawn['features'].axes[4].get_title()
    metrics = results_of(tmp_path / 'run')['metrics']
    assert not {'test/psnr', 'test/ssim'} & metrics.keys()  # which are of values in [0, 1]
    assert metrics['test/separation'] == 1
    with np.load(bands) as given, load(tmp_path / 'run') as run:
        codes = run.encode(given['x'][:4])
        made = run.reconstruct(given['x'][:4])
        assert made.shape == run.decode(codes).shape == (4, 8, 8, CHANNELS)
        wanted = np.mean((made - given['x'][:4]) ** 2, axis=(1, 2, 3))
        np.testing.assert_allclose(run.score(given['x'][:4])['mse'], wanted, rtol=1e-5)
        detail = run.score(given['x'][:4], detail=True)
        assert detail['squared_error_of_feature'].shape == (4, 8, 8, CHANNELS)


def test_patches_of_them_have_all_channels(main, bands, tmp_path):
    flags = ('--set=patch_size=3', '--set=patches=50', '--set=hidden=4', '--set=epochs=1')
    flags += (
        '--set=standardize=mean_std',
        '--set=output_activation=linear',
        '--nofigures',
        f'--array={bands}',
    )
    code, out, err = main('--experiment=tied', *flags, f'--run_dir={tmp_path}/run')
    assert code == 0, err
    assert f'50 train, 5 validation, 5 test examples of {9 * CHANNELS} features' in out
    with load(tmp_path / 'run') as run, np.load(bands) as given:
        assert run.encode(given['x'][:2, :3, 2:5]).shape == (2, 4)
        with pytest.raises(DataError, match='the run reads 45 features'):
            run.encode(given['x'][:2])


def test_a_graph_that_reads_vectors_as_maps_is_told_of_no_channels(main, tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        X = tf.placeholder(tf.float32, [None, 2, 2, 5], 'X')
        tf.identity(tf.reshape(X, [-1, 20]) * tf.get_variable('scale', 20), 'codings')
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / 'theirs'), write_state=False)
    x, y = np.random.default_rng(0).random((60, 20), np.float32), np.arange(60) % 2
    np.savez(tmp_path / 'flat.npz', x=x, y=y)
    flags = ('--experiment=phasewise_classifier', '--set=epochs=1', '--nofigures')
    parent = f'--parent={tmp_path}/theirs'
    code, out, err = main(*flags, parent, f'--array={tmp_path}/flat.npz')
    assert code == 0 and 'channels' not in out, err
