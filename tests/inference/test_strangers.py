"""What people do with a run who have read little: each ends right, or in one line that says why."""

import csv
import importlib
import sys
import threading
import warnings

import numpy as np
import pytest

import inst
from inference import CodeClassifier, fit
from system.errors import DataError, UsageError
from system.interrupts import Interrupts

fitting = importlib.import_module('inference.fit')  # the name is the function's
DENSE = inst.basic.vary(hidden=(4,), epochs=2, parts=1)
DRAW = np.random.default_rng(0)


@pytest.fixture(scope='module')
def table():
    """Rows of 6 features, that follow from their classes."""
    y = np.arange(60) % 12
    return (np.eye(12)[y] @ DRAW.normal(size=(12, 6)) + 0.05 * DRAW.normal(size=(60, 6))), y


@pytest.fixture(scope='module')
def predictor(tmp_path_factory):
    """A predictor of the last 3 of 8 steps, and the sequences; its folder too."""
    x = DRAW.uniform(0, 1, (20, 8, 4)).astype(np.float32)
    folder = tmp_path_factory.mktemp('predictor') / 'run'
    small = inst.lstm_predict.vary(hidden=(3,), epochs=1, future=3, parts=1)
    with fit(small, x, run_dir=folder) as run:
        yield run, x, folder


@pytest.fixture(scope='module')
def classifier(table, tmp_path_factory):
    """A classifier of labels that are objects; its folder too."""
    x, y = table
    head = inst.phasewise_classifier.vary(parent=DENSE.vary(epochs=20), epochs=60)
    folder = tmp_path_factory.mktemp('classifier') / 'run'
    with fit(head, x, y.astype(object), run_dir=folder) as run:
        yield run, folder


def test_numbers_as_objects_are_the_labels_that_come_back(table, classifier):
    (x, y), (run, _) = table, classifier
    shown = [int(name) for name in run.classes]
    assert run.labels.tolist() == shown == list(range(12))
    assert np.mean(run.predict(x) == y) == pytest.approx(run.score(x, y)['accuracy'].mean())


def test_threads_that_train_leave_the_screen_as_it_was(table, capsys, monkeypatch):
    """The second begins in the first, and ends after it."""
    x, _ = table
    real, before, errors = fitting.run, sys.stdout, []
    begun, first_ended = [threading.Event(), threading.Event()], threading.Event()

    def run(wanted, *others):
        begun[wanted.seed].set()
        (first_ended if wanted.seed else begun[1]).wait(60)
        return real(wanted, *others)

    def train(seed):
        try:
            fit(DENSE.vary(seed=seed), x).close()
        except Exception as error:
            errors.append(error)
        if not seed:
            first_ended.set()

    monkeypatch.setattr(fitting, 'run', run)
    threads = [threading.Thread(target=train, args=(seed,)) for seed in (0, 1)]
    for seed, thread in enumerate(threads):
        thread.start()
        assert begun[seed].wait(60)
    print('heard')
    for thread in threads:
        thread.join()
    assert sys.stdout is before and not errors
    assert capsys.readouterr().out == 'heard\n'


def test_a_predictor_gives_the_steps_that_follow(predictor, main):
    run, x, folder = predictor
    made = run.reconstruct(x)
    assert made.shape == (20, 3, 4)
    errors = np.mean((made - x[:, 5:]) ** 2, axis=(1, 2))
    np.testing.assert_allclose(errors, run.score(x)['future_mse'], rtol=1e-4)
    assert run.reconstruct(x[:5]).shape == (5, 3, 4)  # 60 numbers, as 3 sequences that are fed have
    np.savez(folder.parent / 'x.npz', x=x)
    flags = f'--run_dir={folder}', f'--array={folder.parent}/x.npz'
    code, _, err = main('--mode=reconstruct', *flags)
    assert code == 0, err
    (file,) = folder.glob('reconstructions-*.npz')
    with np.load(file) as written:
        np.testing.assert_allclose(written['outputs'], made, rtol=1e-5)


def test_a_memory_does_not_pass_over_pictures(table):
    pictures = DRAW.uniform(0, 1, (9, 4, 4)).astype(np.float32)
    small = inst.memory_onehot.vary(pictures=5, filters=(2,), epochs=1, steps_per_epoch=2)
    with fit(small, pictures) as run:
        assert run.encode(pictures[:5]).shape == (5, 5)
        with pytest.raises(DataError, match='9 examples; memory_onehot reads no others than the 5'):
            run.encode(pictures)


def test_pictures_on_another_range_are_not_taken_in_silence():
    x = DRAW.uniform(0, 1, (20, 5, 5)).astype(np.float32)
    with fit(DENSE, x) as run:
        with pytest.raises(DataError, match='values from -'):
            run.encode(2 * x - 1)
        with pytest.warns(UserWarning, match='row 0'):
            run.encode(2 * x[:1] - 1)
    with fit(DENSE.vary(output_activation='linear'), 2 * x - 1) as run:
        with pytest.warns(UserWarning, match='the same scale'):
            run.encode(x)
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            run.encode(2 * x - 1)


def test_a_row_far_outside_of_its_columns_is_named():
    x = DRAW.uniform(0, 1, (30, 3)) * [1000, 1, 10] + [0, 5, 0]
    with fit(DENSE.vary(standardize='mean_std'), x) as run:
        odd = x.copy()
        odd[17, 1] = 900  # which the first column may well be
        with pytest.warns(
            UserWarning, match=r'row 17\) lies far outside .* feature 1, there from 5'
        ):
            run.score(odd)


def test_what_was_always_one_number_is_not_another_in_silence():
    x = DRAW.uniform(0, 1, (30, 3)) * [1e6, 1, 0] + [0, 5, 7]
    with fit(DENSE.vary(standardize='mean_std'), x) as run:
        odd = x.copy()
        odd[4, 2] = 9
        with pytest.warns(
            UserWarning, match=r'row 4\) lies far .* feature 2, always 7 there'
        ) as told:
            run.encode(odd)
        assert told[0].filename == __file__
        with pytest.raises(DataError, match='of 2 of 3 features .* of feature 0, .* same order'):
            run.encode(x[:, ::-1])
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            run.encode(x)


def test_features_of_steps_in_another_order_are_refused():
    x = DRAW.uniform(0, 1, (20, 6, 2)) + [0, 7]
    small = inst.lstm_reconstruct.vary(hidden=(3,), epochs=1, parts=1, standardize='mean_std')
    length = np.full(20, 4)
    with fit(small.vary(output_activation='linear'), x, length=length) as run:
        with pytest.raises(DataError, match='same order, and scale them'):
            run.encode(x[..., ::-1], length)
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            run.encode(x, length)  # the zeros after the fourth step are no values


@pytest.fixture(scope='module')
def kept(table, data_dir, tmp_path_factory):
    """The folder of a run on a file, and the file."""
    from train.folder import Place
    from train.run import run

    folder = tmp_path_factory.mktemp('kept')
    np.savez(folder / 'table.npz', x=table[0])
    wanted = DENSE.vary(dataset='array', data_path=str(folder / 'table.npz'), epochs=1)
    run(wanted, wanted, Place(folder / 'runs', data_dir, folder / 'run', figures=False))
    return folder / 'run', folder / 'table.npz'


def test_the_data_trained_on_are_known_again(kept, main, tmp_path):
    folder, file = kept
    (tmp_path / 'other.npz').write_bytes(file.read_bytes())
    for name in (file, tmp_path / 'other.npz'):
        code, out, err = main('--mode=score', f'--run_dir={folder}', f'--array={name}')
        assert code == 0, err
        (scores,) = folder.glob(f'scores-*{name.stem}*.csv')
        with open(scores, newline='') as opened:
            rows = list(csv.DictReader(opened))
        assert [int(row['index']) for row in rows] == list(range(len(rows)))
        assert {row['split'] for row in rows} == {'train', 'validation', 'test'}


def test_data_that_are_gone_are_said_to_be_the_runs_own(kept, main):
    folder, file = kept
    aside = file.rename(file.with_suffix('.aside'))
    try:
        code, _, err = main('--mode=encode', f'--run_dir={folder}')
    finally:
        aside.rename(file)
    assert (code, len(err.splitlines())) == (2, 1) and 'The run was trained on it' in err


def test_what_is_interrupted_in_use_does_not_claim_to_go_on(kept, main, monkeypatch):
    monkeypatch.setattr(Interrupts, '__enter__', lambda self: setattr(self, '_received', 2) or self)
    code, _, err = main('--mode=encode', f'--run_dir={kept[0]}')
    assert code == 130 and 'nothing was written' in err and 'goes on' not in err


@pytest.mark.parametrize(
    ('experiment', 'options', 'words'),
    [
        (DENSE, {'validation': None}, 'validation=None'),
        (DENSE, {'validation': 0.999}, 'leaves none of 60 rows'),
        (3, {}, '3: must be an experiment'),
    ],
)
def test_what_fit_cannot_take_is_one_line(table, experiment, options, words):
    with pytest.raises(UsageError, match=words):
        fit(experiment, table[0], **options)


def test_an_estimator_of_classes_needs_a_classifier(table):
    with pytest.raises(ValueError, match='basic: is no classifier'):
        CodeClassifier('basic').fit(*table)


def test_accuracy_is_summed_up_as_a_share(table, classifier, main, tmp_path):
    (x, y), (run, folder) = table, classifier
    np.savez(tmp_path / 'some.npz', x=x, y=y)
    code, out, err = main('--mode=score', f'--run_dir={folder}', f'--array={tmp_path}/some.npz')
    assert code == 0, err
    right = run.score(x, y)['accuracy']
    (line,) = (line for line in out.splitlines() if line.startswith('accuracy'))
    assert f'wrong in {int(np.sum(right < 1))} of 60' in line
