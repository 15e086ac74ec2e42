"""What a finished run makes of somebody's data is in their order, and of all of them."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from networks import weights

SMALL = ('--set=hidden=20,5', '--set=epochs=3', '--nofigures')


def columns_of(file):
    """Returns the columns of a CSV, as texts."""
    with open(file, newline='', encoding='utf-8', errors='surrogateescape') as opened:
        rows = list(csv.DictReader(opened))
    return {name: [row[name] for row in rows] for name in rows[0]}


def digits(folder, name, count=None, **others):
    """Writes sklearn's digits, 8x8, as bytes, with labels by name; returns x, y and the file."""
    found = load_digits()
    x = np.round(found.images * 255 / 16).astype(np.uint8)[:count]
    y = np.array([f'd{label}' for label in found.target])[:count]
    np.savez(folder / f'{name}.npz', **({'x': x, 'y': y} | others))
    return x, y, folder / f'{name}.npz'


@pytest.fixture(scope='module')
def trained(tmp_path_factory, data_dir):
    """A stack and a classifier on its codes, trained on 8x8 digits; returns folder, x and y."""
    import inst
    from train.folder import Place
    from train.run import run

    folder = tmp_path_factory.mktemp('order')
    x, y, file = digits(folder, 'digits')
    data = {'dataset': 'array', 'data_path': str(file)}
    stack = inst.phasewise.vary(**data, hidden=(60, 30), epochs=15)
    head = inst.phasewise_classifier.vary(**data, parent=stack, epochs=40)
    for name, experiment in (('stack', stack), ('head', head)):
        place = Place(folder / 'runs', data_dir, folder / name, figures=False)
        run(experiment, experiment, place)
    return folder, x, y


def codes_of(folder, x):
    """Returns the codes that the saved graph gives x."""
    import tensorflow.compat.v1 as tf

    from networks import saved_graph

    restored = saved_graph.read(str(folder))
    with tf.Graph().as_default(), tf.Session() as session:
        codings = restored.tower(tf.constant(x.reshape(len(x), -1) / np.float32(255)))['codings']
        weights.load(session, restored.variables)
        return session.run(codings)


def test_codes_of_an_array_are_all_of_them_in_its_order(trained, main, tmp_path):
    folder, x, _ = trained
    np.savez(tmp_path / 'new.npz', x=x[200:220])
    code, _, err = main('--mode=encode', f'--run_dir={folder}/stack', f'--array={tmp_path}/new.npz')
    assert code == 0, err
    (file,) = (folder / 'stack').glob('codes-*new*.npz')
    with np.load(file) as made:
        assert made['index'].tolist() == list(range(20)) and set(made['split']) == {'all'}
        np.testing.assert_allclose(
            made['codings'], codes_of(folder / 'stack', x[200:220]), rtol=1e-4, atol=1e-5
        )


def test_codes_of_a_runs_own_array_are_in_its_order_with_the_split_of_each(trained, main):
    folder, x, y = trained
    code, _, err = main('--mode=encode', f'--run_dir={folder}/stack')
    assert code == 0, err
    (file,) = (folder / 'stack').glob('codes-*digits*.npz')
    with np.load(file) as made:
        assert made['index'].tolist() == list(range(len(x)))
        assert dict(zip(*np.unique(made['split'], return_counts=True), strict=True))['train'] > 1400
        assert (made['classes'][made['labels']] == y).all()
        np.testing.assert_allclose(
            made['codings'], codes_of(folder / 'stack', x), rtol=1e-4, atol=1e-5
        )


def test_a_csv_of_codes_has_a_row_an_example(trained, main, tmp_path):
    folder, x, _ = trained
    np.savez(tmp_path / 'some.npz', x=x[:7], y=np.array(list('aabbccd')))
    flags = f'--run_dir={folder}/stack', f'--array={tmp_path}/some.npz', '--format=csv'
    code, _, err = main('--mode=encode', *flags)
    assert code == 0, err
    (file,) = (folder / 'stack').glob('codes-*some*.csv')
    made = columns_of(file)
    assert list(made) == ['index', 'split', 'label', *(f'code{k}' for k in range(30))]
    assert made['label'] == list('aabbccd') and made['index'] == list('0123456')


def test_all_rows_of_an_array_are_scored_and_by_the_names_of_their_labels(trained, main, tmp_path):
    """Five classes of the ten, in another order: names decide, not the places."""
    folder, x, y = trained
    some = np.flatnonzero(np.isin(y, ['d3', 'd8', 'd9']))[:40]
    np.savez(tmp_path / 'held_out.npz', x=x[some], y=y[some])
    run, array = f'--run_dir={folder}/head', f'--array={tmp_path}/held_out.npz'
    code, _, err = main('--mode=evaluate', run, array, '--nofigures')
    assert code == 0, err
    (file,) = (folder / 'head').glob('evaluation-*held_out*/results.json')
    accuracy = json.loads(file.read_text())['metrics']['all/accuracy']
    code, _, err = main('--mode=predict', run, array)
    assert code == 0, err
    (file,) = (folder / 'head').glob('predictions-*held_out*.csv')
    made = columns_of(file)
    assert len(made['label']) == 40 and accuracy > 0.9
    assert accuracy == pytest.approx(np.mean(np.array(made['label']) == y[some]))
    shares = np.array([made[name] for name in sorted(set(y))], float)
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-4)


def test_labels_that_the_run_does_not_know_are_refused_by_name(trained, main, tmp_path):
    folder, x, _ = trained
    np.savez(tmp_path / 'odd.npz', x=x[:3], y=np.array(['d1', 'dog', 'd2']))
    for mode in ('evaluate', 'score'):
        code, _, err = main(
            f'--mode={mode}', f'--run_dir={folder}/head', f'--array={tmp_path}/odd.npz'
        )
        assert (code, len(err.splitlines())) == (3, 1) and 'dog' in err and 'd9' in err, err


def test_each_example_is_scored_in_order(trained, main, draws, tmp_path):
    """A blank picture and one of noise stand out, at the places where they are."""
    folder, x, _ = trained
    mine = x[:30].copy()
    mine[11] = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    np.savez(tmp_path / 'odd_one.npz', x=mine)
    flags = f'--run_dir={folder}/stack', f'--array={tmp_path}/odd_one.npz'
    code, out, err = main('--mode=score', *flags, '--detail')
    assert code == 0, err
    (file,) = (folder / 'stack').glob('scores-*odd_one*.csv')
    made = columns_of(file)
    assert np.argmax(np.array(made['mse'], float)) == 11 and '(row 11)' in out
    assert file.with_suffix('.png').stat().st_size > 10_000
    with np.load(file.with_suffix('.npz')) as arrays:
        assert arrays['squared_error_of_pixel'].shape == (30, 8, 8)
        np.testing.assert_allclose(
            arrays['squared_error_of_pixel'].mean(axis=(1, 2)), arrays['mse'], rtol=1e-4
        )
    code, _, err = main('--mode=reconstruct', *flags)
    assert code == 0, err
    (file,) = (folder / 'stack').glob('reconstructions-*odd_one*.npz')
    with np.load(file) as arrays:
        assert arrays['outputs'].shape == mine.shape
        errors = np.mean((arrays['outputs'] - mine / 255) ** 2, axis=(1, 2))
    np.testing.assert_allclose(errors, np.array(made['mse'], float), rtol=1e-3)


def test_pictures_are_labelled_with_their_paths_in_order(trained, main, tmp_path):
    """From folders in folders, but not what the system leaves there; no answer is overwritten."""
    folder, x, y = trained
    for place, chosen in (('one/set', range(6)), ('two/set', range(6, 10))):
        (tmp_path / place / 'inner').mkdir(parents=True)
        for number in chosen:
            picture = Image.fromarray(x[number])
            picture.save(tmp_path / place / ('inner' if number % 2 else '.') / f'{number:02d}.png')
        (tmp_path / place / '._00.png').write_bytes(b'left by a Mac')
        code, _, err = main(
            '--mode=predict', f'--run_dir={folder}/head', f'--images={tmp_path}/{place}'
        )
        assert code == 0, err
    one, two = sorted(
        (folder / 'head').glob('predictions-*set*.csv'), key=lambda f: f.stat().st_size
    )[::-1]
    made = columns_of(one)
    assert made['file'] == [
        '00.png',
        '02.png',
        '04.png',
        'inner/01.png',
        'inner/03.png',
        'inner/05.png',
    ]
    assert made['index'] == list('012345')
    right = [label == y[k] for label, k in zip(made['label'], (0, 2, 4, 1, 3, 5), strict=True)]
    assert sum(right) >= 5
    assert columns_of(two)['file'] == ['06.png', '08.png', 'inner/07.png', 'inner/09.png']


def test_recorded_pictures_keep_their_paths(main, tmp_path):
    draw = np.random.default_rng(0)
    paths = [f'{name}/{k}.png' for name in ('cat', 'dog') for k in range(10)]
    for number, path in enumerate(paths):
        (tmp_path / 'photos' / path).parent.mkdir(parents=True, exist_ok=True)
        shade = np.full((16, 16), 12 * number, np.uint8) + draw.integers(0, 3, (16, 16), np.uint8)
        Image.fromarray(shade).save(tmp_path / 'photos' / path)
    flags = f'--images={tmp_path}/photos', '--set=image_size=16', '--set=image_channels=1'
    run = f'--run_dir={tmp_path}/run'
    code, _, err = main('--experiment=basic', *flags, *SMALL[1:], '--set=hidden=4', run)
    assert code == 0, err
    code, _, err = main('--mode=reconstruct', run)
    assert code == 0, err
    (file,) = (tmp_path / 'run').glob('reconstructions-*.npz')
    with np.load(file) as made:
        assert made['file'].tolist() == paths and made['index'].tolist() == list(range(20))
        assert made['classes'][made['labels']].tolist() == ['cat'] * 10 + ['dog'] * 10
        brightness = made['outputs'].reshape(20, -1).mean(axis=1)
    assert abs(np.corrcoef(brightness, np.arange(20))[0, 1]) > 0.9  # whatever little was learned
