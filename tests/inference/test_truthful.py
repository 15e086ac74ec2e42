"""What is said of a user's own data is true: which rows are new, in what units, what is missing."""

import gc
import os
import warnings

import numpy as np
import pytest
from conftest import results_of, weights_of
from PIL import Image
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

import inst
from inference import fit
from inputs import pictures
from system.errors import DataError, UsageError

BASIC = ('--experiment=basic', '--set=hidden=3', '--set=epochs=2', '--set=standardize=mean_std')
HEAD = ('--experiment=phasewise_classifier', '--set=epochs=2', '--set=head=')


@pytest.fixture
def table(tmp_path):
    """A file of 120 rows of six features of very unlike scales, in three classes."""
    draw = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = (draw.normal(0, 0.3, (120, 6)) + np.eye(3)[y][:, [0, 1, 2, 0, 1, 2]]) * [1000, *[1] * 5]
    np.savez(tmp_path / 't.npz', x=x, y=y)
    return tmp_path / 't.npz'


def test_data_that_changed_have_no_split_any_more(main, table, tmp_path):
    run = f'--run_dir={tmp_path}/run'
    code, _, err = main(*BASIC, f'--array={table}', run)
    assert code == 0, err
    assert 'has changed' not in main('--mode=evaluate', run)[1]
    before = {*(tmp_path / 'run').glob('evaluation-*')}
    with np.load(table) as kept:
        np.savez(table, x=kept['x'][::-1], y=kept['y'][::-1])
    code, out, err = main('--mode=evaluate', run)
    assert code == 0, err
    assert 'has changed since the run was trained on it: it is read whole' in out
    (folder,) = {*(tmp_path / 'run').glob('evaluation-*')} - before
    names = results_of(folder)['metrics']
    assert 'all/mse' in names and not any(name.startswith(('test/', 'train/')) for name in names)
    code, out, err = main('--mode=encode', run)
    assert code == 0 and 'read whole' in out, err
    code, out, err = main('--mode=score', run)
    assert code == 0 and 'are not there to be compared with' in out, err
    made = [np.load(file) for file in (tmp_path / 'run').glob('codes-*.npz')]
    assert [set(codes['split']) for codes in made] == [{'all'}] and len(made[0]['index']) == 120


def test_training_examples_of_other_data_are_not_the_runs(main, digits, tmp_path):
    run = f'--run_dir={tmp_path}/run'
    code, _, err = main(*BASIC[:3], f'--array={digits}', run)
    assert code == 0, err
    assert 'worse than all of training' not in main('--mode=score', run)[1]
    code, out, err = main('--mode=score', '--dataset=mnist5k', run)
    assert code == 0 and 'of 5000 worse than all of training' in out, err


def test_scores_of_validation_examples_stand_beside_those_of_test(main, table, tmp_path):
    run = f'--run_dir={tmp_path}/run'
    assert main(*BASIC, f'--array={table}', run)[0] == 0
    for more in ((), ('--tune',)):
        assert main('--mode=evaluate', run, '--nofigures', *more)[0] == 0
    both = sorted((tmp_path / 'run').glob('evaluation-*'))
    found = [results_of(folder)['metrics'] for folder in both]
    assert ['test/mse' in names for names in found] == [True, False]


def test_a_parent_of_other_rows_is_told_of(main, table, tmp_path):
    code, _, err = main(*BASIC, f'--array={table}', f'--run_dir={tmp_path}/parent')
    assert code == 0, err
    parent = f'--parent={tmp_path}/parent'
    code, out, err = main(*HEAD, parent, f'--array={table}', f'--run_dir={tmp_path}/same')
    assert code == 0 and 'is not known' not in out, err
    with np.load(table) as kept:
        np.savez(tmp_path / 'other.npz', x=kept['x'][::-1], y=kept['y'][::-1])
    other = f'--array={tmp_path}/other.npz'
    code, out, err = main(*HEAD, parent, other, f'--run_dir={tmp_path}/other')
    assert code == 0, err
    assert 'was trained on array-t-' in out and 'are among those is not known' in out


def test_inputs_are_compared_as_the_network_has_them(main, table, tmp_path):
    code, out, err = main(*BASIC, f'--array={table}', f'--run_dir={tmp_path}/run')
    assert code == 0, err
    found = results_of(tmp_path / 'run')['metrics']
    kept = weights_of(tmp_path / 'run')
    code, _, err = main('--mode=encode', f'--run_dir={tmp_path}/run')
    (codes,) = map(np.load, (tmp_path / 'run').glob('codes-*.npz'))
    with np.load(table) as whole:
        x = ((whole['x'] - kept['standardize/shift']) / kept['standardize/scale'])[codes['index']]
        y = whole['y'][codes['index']]
    train, test = (codes['split'] == name for name in ('train', 'test'))
    plane = PCA(3).fit(x[train])
    for name, rows in (('pixels', x), ('pca', plane.transform(x))):
        nearest = KNeighborsClassifier(5).fit(rows[train], y[train])
        wanted = np.mean(nearest.predict(rows[test]) == y[test])
        assert found[f'test/separation_{name}'] == pytest.approx(wanted), name
    raw = KNeighborsClassifier(5).fit(whole_of(table, codes)[train], y[train])
    assert np.mean(raw.predict(whole_of(table, codes)[test]) == y[test]) < 0.8
    assert found['test/separation_pixels'] > 0.9


def whole_of(table, codes):
    """Returns the file's rows as they are, in the order of the codes."""
    with np.load(table) as whole:
        return whole['x'][codes['index']]


@pytest.fixture(scope='module')
def predictor():
    x = np.random.default_rng(0).normal(0, 1, (60, 12, 2))
    experiment = inst.lstm_predict.vary(
        future=4, hidden=(5,), epochs=1, output_activation='linear', batch_size=20
    )
    with fit(experiment, x) as run:
        yield run, x


def test_what_follows_need_not_be_there_to_be_predicted(predictor):
    run, x = predictor
    for do in (run.encode, run.reconstruct):
        np.testing.assert_allclose(do(x[:, :8]), do(x), rtol=1e-5, atol=1e-6)
    assert run.reconstruct(x[:, :8]).shape == (60, 4, 2)
    with pytest.raises(DataError, match='the 4 that follow, which errors are of, are missing'):
        run.score(x[:, :8])
    with pytest.raises(DataError, match='of 10x2, the run reads 8x2, and 4 steps that follow'):
        run.encode(x[:, :10])


def test_a_row_of_bytes_alone_is_not_taken_for_other_numbers_in_silence():
    draw = np.random.default_rng(0)
    x = draw.integers(0, 256, (100, 6)).astype(np.uint8)
    x[0] = [0, 0, 1, 0, 1, 0]
    with fit(inst.basic.vary(hidden=(3,), epochs=1), x) as run:
        with pytest.warns(UserWarning, match='of 0 and 1 alone are taken as they are'):
            run.encode(x[:1].astype(np.int64))
        dark = np.array([[0, 20, 100, 3, 0, 1]])
        with pytest.warns(UserWarning, match='from 0 to 100 are divided by 255'):
            codes = run.encode(dark)
        np.testing.assert_allclose(codes, run.encode(dark.astype(np.uint8)), rtol=1e-5)


@pytest.mark.parametrize('kind', [np.uint8, np.float64])
def test_rows_of_a_table_are_not_taken_for_greys(kind):
    draw = np.random.default_rng(0)
    with fit(inst.basic.vary(hidden=(3,), epochs=1), draw.random((100, 6))) as run:
        ages = draw.integers(0, 200, (20, 6)).astype(kind)
        with pytest.raises(DataError, match='from [01] to 19'):
            run.encode(ages)


def test_rows_of_a_wide_table_are_not_either():
    draw = np.random.default_rng(0)
    with fit(inst.basic.vary(hidden=(3,), epochs=1), draw.random((60, 1200))) as run:
        for kind in (np.uint8, np.float64):
            with pytest.raises(DataError, match='cale'):
                run.encode(draw.integers(0, 200, (20, 1200)).astype(kind))


def test_dark_pictures_are_pictures():
    draw = np.random.default_rng(0)
    greys = draw.integers(0, 255, (60, 8, 8)) + 0.5
    with fit(inst.basic.vary(hidden=(3,), epochs=1), greys) as run:
        dark = draw.integers(0, 5, (20, 8, 8)).astype(np.uint8)
        with pytest.warns(UserWarning, match='bytes are taken as numbers from 0 to 4'):
            run.encode(dark)


def test_one_value_between_tells_that_numbers_are_no_bytes():
    draw = np.random.default_rng(0)
    greys = draw.random((40, 6, 6))
    with fit(inst.basic.vary(hidden=(3,), epochs=1), (255 * greys).astype(np.uint8)) as run:
        dark = np.zeros((40, 6, 6))
        dark[20, 3, 3] = 1.2  # as of a sharpened picture
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter('always')
            run.encode(dark)
        assert not any('divided' in str(each.message) for each in told)


def test_rows_that_are_not_alike_are_a_line():
    x = np.random.default_rng(0).random((60, 4))
    with fit(inst.basic.vary(hidden=(2,), epochs=1), x) as run:
        for do in (run.encode, run.decode, lambda x: fit('basic', x)):
            with pytest.raises(DataError, match='rows'):
                do([[1.0, 2.0], [3.0]])
        with pytest.raises(DataError, match=r'\[1, 1\] of <U1, and no numbers'):
            run.decode([['a']])


def test_a_share_that_is_held_out_is_one_row_at_least():
    x = np.random.default_rng(0).random((60, 4))
    with fit(inst.basic.vary(hidden=(2,), epochs=2, patience=1), x, validation=0.001) as run:
        assert len(run.encode(x)) == 60


def test_a_run_folder_that_is_a_file_is_a_line(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(UsageError, match='is no folder'):
        fit('basic', np.zeros((20, 3)), run_dir=tmp_path / 'file')


def test_nothing_of_a_fit_stays_open():
    x = np.random.default_rng(0).random((60, 4))
    few = {'epochs': 1, 'parent.epochs': 1, 'parent.hidden': (2,), 'parent.cache_bytes': 0}
    fit(inst.basic.vary(hidden=(2,), epochs=1), x, validation=0.2).close()
    fit(inst.phasewise_classifier.vary(**few), x, np.arange(60) % 2).close()
    gc.collect()
    held = [os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if
            os.path.lexists(f'/proc/self/fd/{n}')]  # fmt: skip
    assert not [name for name in held if '/fit-' in name]


def test_pictures_of_another_size_are_refused_before_they_are_recorded(main, table, tmp_path):
    run = f'--run_dir={tmp_path}/run'
    assert main(*BASIC, f'--array={table}', run)[0] == 0
    (tmp_path / 'pictures').mkdir()
    Image.new('L', (9, 9)).save(tmp_path / 'pictures/a.png')
    code, out, err = main('--mode=encode', f'--images={tmp_path}/pictures', run)
    assert code == 3 and 'pictures are read as 224x224x3, and the run reads 6 features' in err
    assert 'writing the records' not in out


def test_pictures_are_read_by_a_predictor_as_arrays_are(main, tmp_path):
    """Whole: the rows that are predicted are not squashed into those that are fed."""
    greys = np.random.default_rng(0).integers(0, 255, (60, 8, 8)).astype(np.uint8)
    np.savez(tmp_path / 'd.npz', x=greys, y=np.arange(60) % 2)
    np.savez(tmp_path / 'few.npz', x=greys[:5])
    np.savez(tmp_path / 'half.npz', x=greys[:5, :4])
    (tmp_path / 'p').mkdir()
    for number in range(5):
        Image.fromarray(greys[number]).save(tmp_path / f'p/{number}.png')
    run, flags = tmp_path / 'run', ('--set=epochs=1', '--nofigures')
    code, _, err = main(
        '--experiment=lstm_classifier', '--set=parent.hidden=4', '--set=parent.task=predict',
        '--set=parent.future=4', '--set=parent.epochs=1', f'--array={tmp_path}/d.npz',
        f'--run_dir={run}', *flags,
    )  # fmt: skip
    assert code == 0, err
    codes = []
    for data in ('--array=few.npz', '--array=half.npz', '--images=p'):
        name, path = data.split('=')
        known = {*run.glob('codes-*.npz')}
        code, out, err = main('--mode=encode', f'--run_dir={run}', f'{name}={tmp_path}/{path}')
        assert code == 0, err
        (file,) = {*run.glob('codes-*.npz')} - known
        codes.append(np.load(file)['codings'])
    for other in codes[1:]:
        np.testing.assert_allclose(other, codes[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('scale', [1e20, 1e-20])
def test_values_whose_squares_are_lost_are_warned_of(scale):
    x = np.random.default_rng(0).normal(50, 20, (40, 4)) * scale
    with (
        pytest.warns(UserWarning, match='whose squares float32 does not hold'),
        fit(inst.basic.vary(hidden=(2,), epochs=1, standardize='mean_std'), x),
    ):
        pass


def test_what_is_drawn_and_what_is_kept_are_told_apart(main, table, tmp_path):
    code, _, err = main(*BASIC, f'--array={table}', f'--run_dir={tmp_path}/parent')
    assert code == 0, err
    code, out, err = main(
        *HEAD, f'--parent={tmp_path}/parent', f'--array={table}', '--set=initial=random',
        f'--run_dir={tmp_path}/run',
    )  # fmt: skip
    assert code == 0, err
    before, after = weights_of(tmp_path / 'parent'), weights_of(tmp_path / 'run')
    drawn, kept = (line for line in out.splitlines() if line.startswith(('random ', 'restored ')))
    assert 'layer1/kernel' in drawn and 'standardize' not in drawn
    assert kept.endswith('2 variables standardize/scale, standardize/shift')
    assert (before['standardize/scale'] == after['standardize/scale']).all()
    assert (before['layer1/kernel'] != after['layer1/kernel']).all()


def test_a_run_whose_weights_are_gone_says_so(main, table, tmp_path):
    run = f'--run_dir={tmp_path}/run'
    flags = (*BASIC, f'--array={table}', run)
    assert main(*flags)[0] == 0
    assert 'gone' not in main(*flags)[1]
    (tmp_path / 'run/model.data-00000-of-00001').unlink()
    code, out, err = main(*flags)
    assert code == 0 and 'its saved graph is gone, or a part of it' in out, err
    code, _, err = main('--mode=encode', run)
    assert code == 3 and 'model.data-00000-of-00001: is missing, and holds the weights' in err
    assert len(err.splitlines()) == 1


def test_why_a_code_of_whitened_inputs_is_not_decoded():
    x, _ = load_iris(return_X_y=True)
    experiment = inst.basic.vary(hidden=(2,), epochs=1, standardize='zca')
    with fit(experiment, x) as run, pytest.raises(UsageError, match='standardize=zca'):
        run.decode(run.encode(x))


def test_fields_may_be_numbers_of_numpy_and_lists():
    made = inst.phasewise.vary(hidden=[np.int64(20), 5], epochs=np.int64(3), l2=np.float32(0.5))
    assert made == inst.phasewise.vary(hidden=(20, 5), epochs=3, l2=0.5)
    assert inst.basic.vary(hidden=3) == inst.basic.vary(hidden=np.array([3]))
    for wrong in ('3', [True], [2.5], None):
        with pytest.raises(UsageError, match='hidden'):
            inst.basic.vary(hidden=wrong)


def test_a_finished_run_is_not_shown_as_that_of_other_data(main, table, tmp_path):
    flags = (*BASIC, f'--array={table}', f'--run_dir={tmp_path}/run')
    assert main(*flags)[0] == 0
    kept = table.read_bytes()
    with np.load(table) as read:
        np.savez(table, x=read['x'] * 2, y=read['y'])
    code, out, err = main(*flags)
    assert code == 2 and 't.npz has changed since; --restart trains it again' in err, out
    assert len(err.splitlines()) == 1
    table.write_bytes(kept)
    assert 'finished before' in main(*flags)[1]


def test_of_pictures_that_were_copied_the_run_is_shown(main, tmp_path):
    for number in range(12):
        (tmp_path / 'all').mkdir(exist_ok=True)
        Image.new('L', (2, 3), 20 * number).save(tmp_path / f'all/{number}.png')
    flags = ('--experiment=basic', '--set=hidden=3', '--set=epochs=1', '--set=image_size=4',
             '--set=image_channels=1', f'--images={tmp_path}/all', f'--run_dir={tmp_path}/run')  # fmt: skip
    assert main(*flags)[0] == 0
    assert 'their times' not in main(*flags)[1]
    for file in (tmp_path / 'all').iterdir():
        os.utime(file, (1, 1))
    pictures.listed.cache_clear()
    code, out, err = main(*flags)
    assert code == 0 and 'warning: ' in out and 'or their times, are others' in out, err


def test_a_parent_that_is_trained_here_is_no_path_that_moved(main, table, tmp_path):
    head = (*HEAD, f'--array={table}', f'--runs={tmp_path}/runs', f'--run_dir={tmp_path}/run')
    few = ('--set=parent.epochs=1', '--set=parent.hidden=3')
    assert main(*head, *few)[0] == 0
    (parent,) = (tmp_path / 'runs/phasewise').iterdir()
    code, _, err = main(*head, f'--parent={parent}')
    assert code == 2 and 'another configuration' in err
    assert 'finished before' in main(*head, *few)[1]


def test_a_parent_may_move_but_not_be_another_under_its_name(main, table, tmp_path):
    parent = (*BASIC, f'--array={table}', f'--run_dir={tmp_path}/parent')
    assert main(*parent)[0] == 0
    head = (*HEAD, f'--array={table}', f'--run_dir={tmp_path}/run')
    assert main(*head, f'--parent={tmp_path}/parent')[0] == 0
    (tmp_path / 'parent').rename(tmp_path / 'moved é')
    code, out, err = main(*head, f'--parent={tmp_path}/moved é')
    assert code == 0 and 'finished before' in out, err
    assert main(*parent, '--seed=3')[0] == 0
    code, _, err = main(*head, f'--parent={tmp_path}/parent')
    assert code == 2 and 'moved é' in err and 'another configuration' in err, err
    (tmp_path / 'moved é').rename(tmp_path / 'aside')
    (tmp_path / 'parent').rename(tmp_path / 'moved é')
    code, _, err = main(*head, f'--parent={tmp_path}/moved é')
    assert code == 2 and 'moved é has changed since' in err


def test_what_a_run_cannot_do_is_said_before_pictures_are_recorded(main, table, tmp_path):
    run = f'--run_dir={tmp_path}/run'
    assert main(*BASIC, f'--array={table}', run)[0] == 0
    for number in range(12):
        (tmp_path / 'all/of one').mkdir(parents=True, exist_ok=True)
        Image.new('L', (2, 3), 20 * number).save(tmp_path / f'all/of one/{number}.png')
    images, records = f'--images={tmp_path}/all', f'--data_dir={tmp_path}/data'
    code, out, err = main('--mode=predict', run, images, records)
    assert code == 2 and 'is no classifier' in err, out
    code, out, err = main('--experiment=conv_vae_classify', images, records, '--set=image_size=4')
    assert code == 3 and "all is of class 'of one'; a classifier needs two" in err, out
    code, out, err = main(*HEAD, f'--parent={tmp_path}', images, records)
    assert code == 3 and 'no saved graph there' in err, out
    code, out, err = main(*HEAD, '--parent=phasewise', images, records)
    assert code == 3 and 'write a variation with parent=phasewise, without quotes' in err, out
    assert not (tmp_path / 'data').exists()


def test_a_batch_of_more_than_there_is_says_so(main, table, tmp_path):
    flags = (*BASIC, f'--array={table}', f'--run_dir={tmp_path}/run', '--set=batch_size=1000')
    assert 'batch_size=1000: all 96 examples are in each update' in main(*flags)[1]


def test_principal_components_are_in_the_units_of_what_they_stand_beside(main, table, tmp_path):
    for loss, names in (('mse', ['pca_mse_standardized']), ('gaussian', ['pca_mse'])):
        flags = (*BASIC, f'--array={table}', f'--set=loss={loss}', f'--run_dir={tmp_path}/{loss}')
        code, _, err = main(*flags, '--set=output_activation=linear')
        assert code == 0, err
        found = results_of(tmp_path / loss)['metrics']
        assert [n.removeprefix('test/') for n in found if '/pca_' in n] == names
        assert f'test/{names[0].removeprefix("pca_")}' in found
