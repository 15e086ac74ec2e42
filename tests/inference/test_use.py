"""What a finished run does from its folder alone: encode, evaluate, generate."""

import json

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import results_of, weights_of
from PIL import Image

from networks import saved_graph, weights

DIGITS = '--dataset=mnist5k'


@pytest.fixture(scope='module')
def finished(data_dir, tmp_path_factory):
    """Finished runs of a VAE, a sparse denoiser and a classifier on it; returns their folder."""
    import inst
    from train.folder import Place
    from train.run import run

    runs = tmp_path_factory.mktemp('runs')
    small = {'dataset': 'mnist5k', 'epochs': 2}
    vae = inst.vae.vary(**small, hidden=(50, 4), kl_warmup=1)
    denoiser = inst.sparse_denoise.vary(**small, hidden=(60,), seed=3)
    classifier = inst.stacked_sparse_finetune.vary(
        **small, parent=denoiser, finetune_epochs=1, seed=3
    )
    for name, experiment in (('vae', vae), ('denoiser', denoiser), ('classifier', classifier)):
        place = Place(runs=runs / 'others', data_dir=data_dir, run_dir=runs / name)
        run(experiment, experiment, place)
    return runs


def test_encode_writes_codes_labels_and_the_runs_identity(finished, main):
    folder = finished / 'vae'
    code, out, err = main('--mode=encode', f'--run_dir={folder}')
    assert code == 0, err
    with np.load(folder / 'codes-mnist5k.npz', allow_pickle=False) as file:
        made = dict(file)
    assert made['codings'].shape == (5000, 4) and made['labels'].shape == (5000,)
    assert np.unique(made['split'], return_counts=True)[1].tolist() == [500, 4000, 500]
    assert made['index'].tolist() == list(range(5000))
    run = json.loads(str(made['run']))
    assert run['experiment']['hidden'] == [50, 4] and run['experiment']['variational'] is True
    assert run['variables_sha256'] == weights.checksum(weights_of(folder))
    assert str(made['data']).startswith('mnist5k ')


def test_codes_are_those_of_the_saved_graph(finished, main, tmp_path):
    x = np.random.default_rng(0).random((10, 784), np.float32)
    np.savez(tmp_path / 'mine.npz', x=x)
    folder = finished / 'denoiser'
    code, _, err = main('--mode=encode', f'--run_dir={folder}', f'--array={tmp_path}/mine.npz')
    assert code == 0, err
    (file,) = folder.glob('codes-array*.npz')
    restored = saved_graph.read(str(folder))
    with tf.Graph().as_default(), tf.Session() as session:
        codings = restored.tower(tf.constant(x))['codings']
        weights.load(session, restored.variables)
        wanted = session.run(codings)
    with np.load(file) as made:
        assert 'labels' not in made
        assert sorted(map(tuple, made['codings'].round(4))) == sorted(map(tuple, wanted.round(4)))


@pytest.mark.parametrize('name', ['vae', 'denoiser', 'classifier'])
def test_evaluating_the_runs_own_data_gives_its_results_again(finished, main, name, dotted):
    """The configuration is the saved one: the flags name other data alone."""
    folder = finished / name
    code, out, err = main('--mode=evaluate', f'--run_dir={folder}', DIGITS)
    assert code == 0, err
    metrics = results_of(folder)['metrics']
    again = results_of(folder / 'evaluation-mnist5k')['metrics']
    assert again == pytest.approx(metrics, rel=1e-5)
    assert (folder / 'evaluation-mnist5k/figures/latent.png').stat().st_size > 0
    assert 'test/nelbo' in metrics if name == 'vae' else 'test/nelbo' not in metrics
    assert ('test/mse_corrupted' in metrics) == (name == 'denoiser')


def test_another_data_set_is_scored(finished, main, tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (50, 28, 28), np.uint8)
    np.savez(tmp_path / 'noise.npz', x=x)
    folder = finished / 'vae'
    code, _, err = main('--mode=evaluate', f'--run_dir={folder}', f'--array={tmp_path}/noise.npz')
    assert code == 0, err
    (file,) = folder.glob('evaluation-array*/results.json')
    other = json.loads(file.read_text())['metrics']['all/mse']
    assert other != pytest.approx(results_of(folder)['metrics']['test/mse'], rel=0.01)


def test_generate_draws_codes_and_decodes_given_ones(finished, main, draws, tmp_path):
    folder = finished / 'vae'
    code, _, err = main('--mode=generate', f'--run_dir={folder}', '--count=25', '--seed=4')
    assert code == 0, err
    with np.load(folder / 'generated-seed4-25.npz', allow_pickle=False) as file:
        codings, x = file['codings'], file['x']
    assert codings.shape == (25, 4) and x.shape == (25, 28, 28) and 0 <= x.min() < x.max() <= 1
    with Image.open(folder / 'generated-seed4-25.png') as image:
        assert min(image.size) > 100
    np.savez(tmp_path / 'again.npz', codings=codings)
    code, _, err = main('--mode=generate', f'--run_dir={folder}', f'--codes={tmp_path}/again.npz')
    assert code == 0, err
    (again,) = folder.glob('generated-again-*.npz')  # with a part of the file's hash
    with np.load(again) as file:
        np.testing.assert_array_equal(file['x'], x)


def test_a_memory_is_scored_on_pictures_of_its_size_alone(main, tmp_path):
    draw = np.random.default_rng(0)
    for side in (8, 9):
        np.savez(tmp_path / f'{side}.npz', x=draw.integers(0, 256, (20, side, side), np.uint8))
    run, small = f'--run_dir={tmp_path}/run', ('--set=pictures=4', '--set=filters=2', '--nofigures')
    flags = ('--set=epochs=1', '--set=steps_per_epoch=2', f'--array={tmp_path}/8.npz')
    code, _, err = main('--experiment=memory_onehot', *small, *flags, run)
    assert code == 0, err
    code, _, err = main('--mode=evaluate', run, f'--array={tmp_path}/9.npz')
    assert (code, len(err.splitlines())) == (3, 1) and 'pictures of 9x9' in err


@pytest.mark.parametrize(
    ('run', 'flags', 'code', 'words'),
    [
        ('nowhere', ('--mode=encode',), 2, 'no finished run'),
        ('nowhere', ('--mode=generate',), 2, 'no finished run'),
        ('classifier', ('--mode=generate',), 2, 'no decoder of its own'),
        ('vae', ('--mode=generate', '--codes=/nowhere.npz'), 2, 'no such file'),
        ('vae', ('--mode=generate', '--codes={wrong}'), 3, 'must be [N, 4]'),
        ('vae', ('--mode=generate', '--codes=README.md'), 3, 'not an .npz'),
        ('vae', ('--mode=generate', '--codes={damaged}'), 3, 'not an .npz'),
        ('vae', ('--mode=encode', '--array={wrong}'), 3, 'features, the run reads'),
        ('classifier', ('--mode=evaluate', '--array={unlabelled}'), 3, 'has no labels'),
        ('vae', ('--mode=evaluate', '--images=x'), 2, '--images'),
        ('vae', ('--mode=evaluat',), 2, "'evaluate'"),
        ('vae', ('--mode=encode', '--set', 'hidden=3'), 2, 'saved in --run_dir is used'),
    ],
)
def test_what_cannot_be_done_is_one_line(finished, main, tmp_path, run, flags, code, words):
    np.savez(tmp_path / 'wrong.npz', x=np.zeros((20, 7), np.float32), codings=np.zeros((2, 3)))
    np.savez(tmp_path / 'unlabelled.npz', x=np.zeros((20, 784), np.float32))
    (tmp_path / 'damaged.npz').write_bytes((tmp_path / 'wrong.npz').read_bytes()[:-40])
    places = {name: tmp_path / f'{name}.npz' for name in ('wrong', 'unlabelled', 'damaged')}
    flags = [flag.format(**places) for flag in flags]
    found, _, err = main(*flags, f'--run_dir={finished / run}')
    assert (found, len(err.splitlines())) == (code, 1), err
    assert words in err
