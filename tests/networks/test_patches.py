"""Codes of patches over whole pictures: whitened, coded, summed over regions, as NumPy has them."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import call, results_of, weights_of
from sklearn.cluster import KMeans
from sklearn.feature_extraction.image import PatchExtractor

import dataset
import inst

SIDE, UNITS = 6, 20
FLAGS = (
    f'--set=parent.hidden={UNITS}', '--set=parent.patches=4000', '--set=parent.batch_size=100',
    '--set=batch_size=50', '--set=learning_rate=0.01', '--nofigures',
)  # fmt: skip


@pytest.fixture(scope='module')
def parent(digits):
    """K-means of patches of digits, as it is trained below."""
    return inst.coates2011_centroids.vary(
        dataset='array', data_path=str(digits), patches=4000, hidden=(UNITS,)
    )


@pytest.fixture(scope='module')
def trained(digits, data_dir, tmp_path_factory):
    """K-means of patches of digits, a head on its codes, and the control; the runs folder."""
    runs = tmp_path_factory.mktemp('runs')
    places = (f'--array={digits}', f'--runs={runs}', f'--data_dir={data_dir}')
    for name, more in (
        ('coates2011_kmeans', ()),
        ('coates2011_random', ('--set=epochs=1', '--set=parent.epochs=1')),
    ):
        assert call(f'--experiment={name}', *FLAGS, *more, *places) == 0
    return runs


def folder_of(runs, name):
    (folder,) = (runs / name).iterdir()
    return folder


def evenly(patches):
    """Returns patches, [N, features], as the source normalises them for contrast."""
    centred = patches - patches.mean(axis=1, keepdims=True)
    return centred / np.sqrt(patches.var(axis=1, keepdims=True) + 10 / 255**2)


def whitening_of(patches):
    """Returns what whitens patches of even contrast: their mean, and the ZCA of the source."""
    values, vectors = np.linalg.eigh(np.cov(patches.T, bias=True))
    return patches.mean(axis=0), vectors @ np.diag(1 / np.sqrt(values + 0.1)) @ vectors.T


def triangle(points, centroids):
    """Returns max(0, mean(z) - z) of the distances z, [N, centroids]."""
    z = np.linalg.norm(points[:, None] - centroids[None], axis=2)
    return np.maximum(z.mean(axis=1, keepdims=True) - z, 0)


@pytest.fixture(scope='module')
def cut(parent, data_dir):
    """The training patches, [N, features] in [0, 1], as rows, and the pictures they are of."""
    patches = dataset.load(parent, data_dir).splits['train']
    pictures = dataset.load(parent.vary(patch_size=0), data_dir).splits['train']
    return patches.floats(0, len(patches)).astype(float), patches, pictures


def computed(folder, name, fed):
    """Returns a tensor of a run's saved graph, imported as any TF1 script would."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.train.import_meta_graph(f'{folder}/model.meta').restore(session, f'{folder}/model')
        return session.run(f'{name}:0', {'X:0': fed})


def test_patches_are_cut_from_the_pictures_by_the_seed(cut, parent, data_dir):
    values, patches, pictures = cut
    assert values.shape == (4000, SIDE**2)
    assert len(dataset.load(parent, data_dir).splits['test']) == 400
    again, other = (
        dataset.load(parent.vary(seed=seed), data_dir).splits['train'].x for seed in (0, 1)
    )
    np.testing.assert_array_equal(patches.x, again)
    assert not np.array_equal(patches.x, other)
    row_of = {place: row for row, place in enumerate(pictures.places)}
    for patch, place in zip(patches.x[:50], patches.places[:50], strict=True):
        picture = np.asarray(pictures.x[row_of[place]]).reshape(1, 28, 28)
        every = PatchExtractor(patch_size=(SIDE, SIDE)).transform(picture)
        assert (every.reshape(-1, SIDE**2) == patch).all(axis=1).any()


def test_whitening_codes_and_sums_are_those_of_numpy(trained, cut):
    """The saved graph is fed raw pictures; all that is in it is computed again."""
    mean, matrix = whitening_of(evenly(cut[0]))
    weights = weights_of(folder_of(trained, 'coates2011_centroids'))
    np.testing.assert_allclose(weights['standardize/mean'], mean, atol=1e-5)
    np.testing.assert_allclose(weights['standardize/whitening'], matrix, atol=1e-5)
    pictures = cut[2].floats(0, 5).reshape(5, 28, 28)
    every = PatchExtractor(patch_size=(SIDE, SIDE)).transform(pictures.astype(float))
    white = (evenly(every.reshape(-1, SIDE**2)) - mean) @ matrix
    codes = triangle(white, weights['layer1/kernel'].T).reshape(5, 23, 23, UNITS)
    halves = (slice(0, 11), slice(11, 23))
    sums = [codes[:, i, j].sum(axis=(1, 2)) for i in halves for j in halves]
    found = computed(folder_of(trained, 'coates2011_kmeans'), 'codings', pictures[..., None])
    np.testing.assert_allclose(found, np.concatenate(sums, axis=1), rtol=1e-5, atol=1e-3)


def test_a_patch_is_reconstructed_at_its_own_brightness_and_contrast(trained, cut):
    """The nearest centroid, in the units of the patch."""
    mean, matrix = whitening_of(evenly(cut[0]))
    folder, patches = folder_of(trained, 'coates2011_centroids'), cut[0][:100]
    white = (evenly(patches) - mean) @ matrix
    centroids = weights_of(folder)['layer1/kernel'].T
    nearest = centroids[np.linalg.norm(white[:, None] - centroids, axis=2).argmin(axis=1)]
    contrast = np.sqrt(patches.var(axis=1, keepdims=True) + 10 / 255**2)
    wanted = (nearest @ np.linalg.inv(matrix) + mean) * contrast
    wanted += patches.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(computed(folder, 'outputs', patches), wanted, atol=1e-4)


def test_centroids_are_as_near_as_those_of_lloyds_algorithm(trained, cut):
    mean, matrix = whitening_of(evenly(cut[0]))
    white = (evenly(cut[0]) - mean) @ matrix
    lloyd = KMeans(UNITS, n_init=1, random_state=0).fit(white)
    run = results_of(folder_of(trained, 'coates2011_centroids'))
    assert run['metrics']['train/mse_standardized'] < 1.03 * lloyd.inertia_ / white.size


def test_centroids_that_begin_at_examples_and_hardly_move_are_examples(main, tmp_path):
    x = np.random.default_rng(0).standard_normal((100, 3)).astype(np.float32)
    np.savez(tmp_path / 'points.npz', x=x)
    code, _, err = main(
        '--experiment=coates2011_centroids', f'--array={tmp_path}/points.npz', '--nofigures',
        '--set=patch_size=0', '--set=standardize=none', '--set=hidden=9', '--set=batch_size=10',
        '--set=start=1', '--set=epochs=1', '--set=learning_rate=1e-9',
        f'--run_dir={tmp_path}/run',
    )  # fmt: skip
    assert code == 0, err
    centroids = weights_of(tmp_path / 'run')['layer1/kernel'].T
    nearest = np.linalg.norm(x[:, None] - centroids, axis=2).min(axis=0)
    assert nearest.max() < 1e-6 and len(np.unique(centroids, axis=0)) == 9


def test_half_of_the_centroids_are_nearer_than_on_average_for_none_stays_far_off(main, tmp_path):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(3000, 30)) * draw.lognormal(sigma=0.5, size=(3000, 1))
    np.savez(tmp_path / 'spread.npz', x=x.astype(np.float32))
    flags = ('patch_size=0', 'standardize=none', 'hidden=100', 'batch_size=100', 'epochs=5')
    code, _, err = main(
        '--experiment=coates2011_centroids', f'--array={tmp_path}/spread.npz', '--nofigures',
        *(f'--set={flag}' for flag in flags), f'--run_dir={tmp_path}/run',
    )  # fmt: skip
    assert code == 0, err
    centroids = weights_of(tmp_path / 'run')['layer1/kernel'].T
    distances = np.linalg.norm(x[:, None] - centroids, axis=2)
    active = np.mean(distances < distances.mean(axis=1, keepdims=True))
    assert active < 0.56


def test_the_codes_are_worth_something_and_random_filters_keep_the_whitening(trained):
    assert results_of(folder_of(trained, 'coates2011_kmeans'))['metrics']['test/accuracy'] > 0.8
    control, learned = (
        weights_of(folder_of(trained, name))
        for name in ('coates2011_random', 'coates2011_centroids')  # of the same patches
    )
    for name in ('standardize/mean', 'standardize/whitening'):
        np.testing.assert_array_equal(control[name], learned[name])
    assert control['layer1/kernel'].shape == learned['layer1/kernel'].shape
    assert not (trained / 'coates2011_denoiser').exists()  # which the control does without


def test_a_finished_run_reads_whole_pictures_and_gives_their_codes(trained, main, digits, cut):
    folder = folder_of(trained, 'coates2011_kmeans')
    code, _, err = main('--mode=encode', f'--run_dir={folder}', f'--array={digits}')
    assert code == 0, err
    (file,) = folder.glob('codes-*.npz')
    with np.load(file) as found, np.load(digits) as given:
        pictures = given['x'][:9, ..., None] / np.float32(255)
        wanted = computed(folder, 'codings', pictures)
        np.testing.assert_allclose(found['codings'][:9], wanted, rtol=1e-4)


@pytest.fixture(scope='module')
def second(trained, digits, data_dir):
    """The folder of a head on k-means of the 4x4 sums of a first layer; and these, [N, 4, 4, 20]."""
    runs, places = trained / 'second', (f'--array={digits}', f'--data_dir={data_dir}')
    sums, head = f'--run_dir={runs}/sums', f'--run_dir={runs}/head'
    wide = ('--experiment=coates2011_kmeans', *FLAGS, '--set=pool=4', '--set=epochs=1', *places)
    assert call(*wide, f'--runs={trained}', sums) == 0  # on the parent that is there
    assert call('--mode=encode', sums, f'--data_dir={data_dir}') == 0
    (file,) = (runs / 'sums').glob('codes-*.npz')
    with np.load(file) as found:
        maps = found['codings'].reshape(-1, 4, 4, UNITS)
        labels = found['classes'][found['labels']]
        np.savez(runs / 'maps.npz', x=maps, y=labels, split=found['split'])
    places = (f'--array={runs}/maps.npz', f'--data_dir={data_dir}', f'--runs={runs}')
    sizes = ('--set=parent.patch_size=2', '--set=epochs=20', '--set=parent.epochs=10')
    assert call('--experiment=coates2011_kmeans', *FLAGS, *sizes, *places, head) == 0
    return runs / 'head', maps


def test_a_second_layer_of_patches_of_maps_is_that_of_numpy(second, trained):
    folder, maps = second
    assert results_of(folder)['metrics']['test/accuracy'] > 0.7
    weights = weights_of(folder)
    every = PatchExtractor(patch_size=(2, 2)).transform(maps[:5].astype(float))
    assert weights['layer1/kernel'].shape == (every[0].size, UNITS)
    white = evenly(every.reshape(len(every), -1)) - weights['standardize/mean']
    codes = triangle(white @ weights['standardize/whitening'], weights['layer1/kernel'].T)
    codes = codes.reshape(5, 3, 3, UNITS)
    halves = (slice(0, 1), slice(1, 3))
    sums = [codes[:, i, j].sum(axis=(1, 2)) for i in halves for j in halves]
    found = computed(folder, 'codings', maps[:5])
    np.testing.assert_allclose(found, np.concatenate(sums, axis=1), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        (('--experiment=tied', '--set=patch_size=40'), 'pictures of 28x28 only'),
        (('--experiment=tied', '--dataset=iris', '--set=patch_size=4'), 'needs pictures'),
        (('--experiment=tied', '--set=patches=9'), 'needs patch_size'),
        (('--experiment=conv_ae', '--set=standardize=zca'), 'needs network=dense or kmeans'),
        (
            ('--experiment=phasewise_classifier', '--set=pool=2'),
            'needs a parent that reads patches',
        ),
        (('--experiment=coates2011_sparse', '--set=pool=0'), 'needs pool'),
        (('--experiment=coates2011_kmeans', '--set=parent.hidden=9,9'), 'must be one number'),
        (('--experiment=coates2011_centroids', '--set=patches=9'), 'as many training examples'),
        (
            ('--experiment=coates2011_kmeans', '--set=parent.patches=9'),
            'error: parent.hidden=1600: k-',
        ),
        (('--experiment=phasewise_classifier', '--set=stride=2'), 'needs pool'),
        (('--experiment=coates2011_kmeans', '--set=pool=40'), '23x23 patches of 6x6 are fewer'),
        (('--experiment=coates2011_kmeans', '--set=parent.patch_size=40'), 'at most the pictures'),
    ],
)
def test_what_makes_no_sense_is_one_line_before_anything_is_trained(main, tmp_path, flags, words):
    data = () if any('--dataset' in flag for flag in flags) else ('--dataset=mnist5k',)
    data = () if 'conv_ae' in flags[0] else data
    code, _, err = main(*flags, *data)
    assert code == 2 and words in err and len(err.splitlines()) == 1
    assert not list(tmp_path.glob('runs/*/*/config.json'))
