"""Standardised inputs: fitted on the training split, inside the saved graph, in the user's units."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import results_of, weights_of
from sklearn.datasets import load_breast_cancer


def graph_of(folder, fed, *names):
    """Returns tensors of a run's saved graph, imported as any TF1 script would."""
    with tf.Graph().as_default(), tf.Session() as session:
        saver = tf.train.import_meta_graph(f'{folder}/model.meta')
        saver.restore(session, f'{folder}/model')
        return session.run([f'{name}:0' for name in names], {'X:0': fed})


@pytest.mark.parametrize('kind', ['mean_std', 'min_max'])
def test_x_and_outputs_keep_the_users_units(kind, main, tmp_path):
    """What the graph computes in between, computed again by NumPy."""
    x = load_breast_cancer().data.astype(np.float32)
    x[:, 4] = 7.0  # a constant column is no division by zero
    np.savez(tmp_path / 'x.npz', x=x)
    flags = (f'--array={tmp_path}/x.npz', f'--run_dir={tmp_path}/run', f'--set=standardize={kind}')
    code, _, err = main(
        '--experiment=basic', *flags, '--set=hidden=12', '--set=epochs=150', '--nofigures'
    )
    assert code == 0, err
    code, _, err = main('--mode=encode', f'--run_dir={tmp_path}/run')
    assert code == 0, err
    (file,) = (tmp_path / 'run').glob('codes-*.npz')
    with np.load(file) as made:
        train = x[made['index'][made['split'] == 'train']].astype(np.float64)
    shift, scale = {
        'mean_std': (train.mean(axis=0), train.std(axis=0)),
        'min_max': (train.min(axis=0), np.ptp(train, axis=0)),
    }[kind]
    scale[4] = 1.0
    w = weights_of(tmp_path / 'run')
    np.testing.assert_allclose(w['standardize/shift'], shift, rtol=1e-5)
    np.testing.assert_allclose(w['standardize/scale'], scale, rtol=1e-5)
    read = (x - shift) / scale
    kernel = w['layer1/kernel']
    codes = np.maximum(read @ kernel + w['layer1/bias'], 0)
    decoder = w.get('layer1/decoder_kernel', kernel.T)
    made = codes @ decoder + w['layer1/decoder_bias']
    codings, outputs = graph_of(tmp_path / 'run', x, 'codings', 'outputs')
    np.testing.assert_allclose(codings, codes, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(
        outputs, made * scale + shift, rtol=1e-3, atol=np.abs(scale).max() * 1e-4
    )
    metrics = results_of(tmp_path / 'run')['metrics']
    errors = np.mean((made - read) ** 2, axis=1)
    whole = sum(
        metrics[f'{s}/mse_standardized'] * n
        for s, n in (('train', 455), ('validation', 57), ('test', 57))
    )
    assert whole / 569 == pytest.approx(errors.mean(), rel=0.02)
    assert errors.mean() < 0.5 * np.mean((read - read.mean(axis=0)) ** 2)


@pytest.mark.slow
def test_it_is_the_same_by_channel_by_step_and_greedily(main, tmp_path):
    """A parent's standardiser is in the graph that a head reads."""
    draw = np.random.default_rng(0)
    pictures = (draw.random((60, 8, 8, 3)) * [1, 10, 100] + [0, -5, 300]).astype(np.float32)
    series = (draw.random((60, 4, 2)) * [1000, 0.01]).astype(np.float32)
    y = np.arange(60) % 2
    np.savez(tmp_path / 'pictures.npz', x=pictures, y=y)
    np.savez(tmp_path / 'series.npz', x=series, y=y, length=draw.integers(2, 5, 60))
    small = ('--set=epochs=2', '--set=standardize=mean_std', '--nofigures')
    for name, experiment, flags, columns in (
        (
            'pictures',
            'conv_ae',
            ('--set=filters=4', '--set=code_size=3', '--set=output_activation=linear'),
            3,
        ),
        ('series', 'lstm_reconstruct', ('--set=hidden=5', '--set=output_activation=linear'), 2),
        ('pictures', 'phasewise', ('--set=hidden=9,3',), 192),
    ):
        run = f'--run_dir={tmp_path}/{experiment}'
        code, _, err = main(
            f'--experiment={experiment}', f'--array={tmp_path}/{name}.npz', *small, *flags, run
        )
        assert code == 0, err
        w = weights_of(tmp_path / experiment)
        assert w['standardize/shift'].shape == (columns,) and (w['standardize/scale'] > 0).all()
    head = ('--experiment=phasewise_classifier', f'--parent={tmp_path}/phasewise', '--set=epochs=2')
    code, out, err = main(*head, f'--array={tmp_path}/pictures.npz', '--nofigures')
    assert code == 0 and 'standardize/scale' in out, err


def test_without_it_a_graph_has_nothing_of_it(main, tmp_path):
    np.savez(tmp_path / 'x.npz', x=np.random.default_rng(0).random((30, 4), np.float32))
    code, _, err = main(
        '--experiment=basic',
        f'--array={tmp_path}/x.npz',
        '--set=epochs=1',
        '--set=hidden=2',
        f'--run_dir={tmp_path}/run',
        '--nofigures',
    )
    assert code == 0, err
    assert not [name for name in weights_of(tmp_path / 'run') if 'standardize' in name]
    assert 'test/mse_standardized' not in results_of(tmp_path / 'run')['metrics']
