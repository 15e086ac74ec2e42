"""What is said of a user's own data is true: which rows are new, in what units, what is missing."""

import numpy as np
import pytest
from conftest import results_of, weights_of
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

import inst
from inference import fit
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
    made = [np.load(file) for file in (tmp_path / 'run').glob('codes-*.npz')]
    assert [set(codes['split']) for codes in made] == [{'all'}] and len(made[0]['index']) == 120


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
