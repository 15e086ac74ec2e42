"""From Python: arrays in, arrays out, with no file of one's own."""

import concurrent.futures
import os
import pickle
import signal

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, load_iris

import inst
from inference import fit, load
from system.errors import DataError, Interrupted, UsageError, UserError


@pytest.fixture(scope='module')
def irises():
    found = load_iris()
    return found.data, found.target_names[found.target]


@pytest.fixture(scope='module')
def run(irises):
    """A classifier on a standardised stack of irises."""
    stack = inst.phasewise.vary(hidden=(8, 3), epochs=60, standardize='mean_std', batch_size=20)
    head = inst.phasewise_classifier.vary(parent=stack, epochs=60, batch_size=20)
    with fit(head, *irises, validation=0.2) as made:
        yield made


@pytest.fixture(scope='module')
def stack(irises):
    experiment = inst.basic.vary(hidden=(3,), epochs=150, standardize='mean_std', batch_size=20)
    with fit(experiment, irises[0]) as made:
        yield made


def test_a_classifier_is_fitted_and_gives_labels_as_they_were(run, irises):
    x, y = irises
    labels, shares = run.predict(x), run.predict_proba(x)
    assert np.mean(labels == y) > 0.9 and shares.shape == (150, 3)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert run.classes == ('setosa', 'versicolor', 'virginica')
    assert (labels == np.array(run.classes)[shares.argmax(axis=1)]).all()
    assert run.score(x, y)['accuracy'].mean() == pytest.approx(np.mean(labels == y))
    assert 'accuracy' not in run.score(x)


def test_whole_numbers_come_back_as_such():
    x, y = load_digits(return_X_y=True)
    head = inst.phasewise_classifier.vary(parent=inst.basic.vary(hidden=(20,), epochs=3), epochs=3)
    with fit(head, x[:300] / 16, y[:300] + 10) as run:
        assert run.predict(x[:50] / 16).dtype == y.dtype
        assert set(run.predict(x[:50] / 16)) <= set(range(10, 20))


def test_codes_are_decoded_and_errors_are_those_of_what_is_made(stack, irises):
    x, _ = irises
    codes, made = stack.encode(x), stack.reconstruct(x)
    assert codes.shape == (150, 3) and made.shape == x.shape
    np.testing.assert_allclose(stack.decode(codes), made, rtol=1e-4, atol=1e-4)
    errors = stack.score(x, detail=True)
    np.testing.assert_allclose(
        errors['mse'], np.mean((made - x) ** 2, axis=1), rtol=1e-3, atol=1e-6
    )
    np.testing.assert_allclose(
        errors['squared_error_of_feature'], (made - x) ** 2, rtol=1e-2, atol=1e-4
    )
    assert np.mean(errors['mse']) < 0.5 * np.mean((x - x.mean(axis=0)) ** 2)
    odd = np.vstack([x[:20], [[4, 9, 9, 0]]])
    assert np.argmax(stack.score(odd)['mse_standardized']) == 20


def test_any_thread_may_use_a_run(stack, irises):
    x = np.tile(irises[0], (20, 1))
    wanted = stack.encode(x)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(stack.encode, np.array_split(x, 30)))
        scored = list(pool.map(lambda part: stack.score(part)['mse'], np.array_split(x, 30)))
    np.testing.assert_allclose(np.concatenate(codes), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.concatenate(scored), stack.score(x)['mse'], rtol=1e-4, atol=1e-6)


def test_two_runs_are_used_beside_each_other(stack, run, irises):
    x, y = irises
    before = stack.encode(x)
    assert np.mean(run.predict(x) == y) > 0.9
    np.testing.assert_array_equal(stack.encode(x), before)


def test_a_run_is_kept_in_a_folder_and_loaded_again(irises, tmp_path):
    x, _ = irises
    experiment = inst.basic.vary(hidden=(2,), epochs=2)
    with fit(experiment, x, run_dir=tmp_path / 'kept') as run:
        codes = run.encode(x)
    with load(tmp_path / 'kept') as again:
        np.testing.assert_array_equal(again.encode(x), codes)
    with pytest.raises(UsageError, match='holds files'):
        fit(experiment, x, run_dir=tmp_path / 'kept')


def test_a_run_that_is_kept_is_used_from_the_shell(irises, main, tmp_path):
    x, y = irises
    fit(inst.basic.vary(hidden=(2,), epochs=1), x, y, run_dir=tmp_path / 'kept').close()
    for mode in ('encode', 'score', 'evaluate'):
        code, _, err = main(f'--mode={mode}', f'--run_dir={tmp_path}/kept')
        assert code == 0, err


def interrupted(monkeypatch, call):
    """Calls what trains, which is interrupted in its first updates; returns the error's line."""
    from train import loop

    train = loop.train

    def signalled(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        train(*arguments)

    with monkeypatch.context() as patch, pytest.raises(Interrupted) as raised:
        patch.setattr(loop, 'train', signalled)
        call()
    return str(raised.value)


def test_a_fit_that_is_interrupted_goes_on_where_it_is_kept(irises, tmp_path, monkeypatch):
    x, _ = irises
    experiment = inst.basic.vary(hidden=(2,), epochs=40)
    kept = {'run_dir': tmp_path / 'kept', 'verbose': True}
    said = interrupted(monkeypatch, lambda: fit(experiment, x, **kept))
    assert said == 'SIGINT: saved; the same call goes on from here'
    with pytest.raises(UsageError, match='was begun with other arrays'):
        fit(experiment, x + 1, **kept)
    with fit(experiment, x, **kept) as run, fit(experiment, x) as whole:
        np.testing.assert_array_equal(run.encode(x), whole.encode(x))
    said = interrupted(monkeypatch, lambda: fit(experiment, x))
    assert said == 'SIGINT: stopped; nothing is kept without run_dir'


def test_a_fit_that_cannot_begin_leaves_no_folder(irises, tmp_path):
    with pytest.raises(UserError):
        fit(inst.lstm_reconstruct, irises[0], run_dir=tmp_path / 'kept')
    assert not list(tmp_path.iterdir())


def test_a_run_is_pickled_with_its_weights(run, irises):
    x, _ = irises
    again = pickle.loads(pickle.dumps(run))
    np.testing.assert_array_equal(again.predict_proba(x), run.predict_proba(x))
    again.close()


def test_training_says_nothing_and_leaves_nothing(irises, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit(inst.basic.vary(hidden=(2,), epochs=1), irises[0]).close()
    assert capsys.readouterr().out == '' and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('x', 'words'),
    [
        (np.zeros((3, 5)), 'the run reads 4 features'),
        (np.zeros(4), 'x must be'),
        (np.zeros((0, 4)), 'it has no examples'),
        ([[1, 2, 3, np.nan]], 'NaN'),
        ([['a', 'b', 'c', 'd']], 'real numbers'),
    ],
)
def test_what_cannot_be_read_is_an_error_of_one_line(stack, x, words):
    for use in (stack.encode, stack.reconstruct, stack.score):
        with pytest.raises(DataError, match=words) as caught:
            use(x)
        assert '\n' not in str(caught.value)


def test_what_a_run_cannot_do_is_said(stack, run, irises):
    with pytest.raises(UsageError, match='is no classifier'):
        stack.predict(irises[0])
    with pytest.raises(UsageError, match='no decoder'):
        run.decode(np.zeros((1, 3)))
    with pytest.raises(DataError, match='must be'):
        stack.decode(np.zeros((1, 7)))
    with pytest.raises(UsageError, match='reads no lengths'):
        stack.decode(np.zeros((1, 3)), [1])
    with pytest.raises(UsageError, match='needs no labels to be scored.* length='):
        stack.score(irises[0], np.ones(150, int))
    with pytest.raises(UsageError, match='phasewise'):
        fit('phasewize', irises[0])


def test_a_table_with_names_is_read_by_them(irises):
    table = pd.DataFrame(irises[0], columns=['a', 'b', 'c', 'd'])
    with fit(inst.basic.vary(hidden=(3,), epochs=1, standardize='mean_std'), table) as run:
        codes = run.encode(table)
        again = pickle.loads(pickle.dumps(run))
        np.testing.assert_array_equal(run.encode(table.to_numpy()), codes)
        exchanged = table[['b', 'a', 'c', 'd']]
        for opened in (run, again):
            with pytest.raises(DataError, match='another order .* give x\\[run.columns\\]'):
                opened.encode(exchanged)
            np.testing.assert_array_equal(opened.encode(exchanged[opened.columns]), codes)
        with pytest.raises(DataError, match="lacks column 'd'"):
            run.score(table[['a', 'b', 'c']])
        with pytest.raises(DataError, match="has, .*, column 'e'"):
            run.reconstruct(table.assign(e=1))
        twice = table.set_axis(['a', 'a', 'c', 'd'], axis=1)
        with pytest.raises(DataError, match="column 'a' is there 2 times"):
            run.encode(twice)
        again.columns = list(twice.columns)
        np.testing.assert_array_equal(again.encode(twice), codes)
    for use in (run.encode, run.decode, run.score):
        with pytest.raises(UsageError, match='is closed; load it again'):
            use(table)


def test_series_of_a_number_a_step_come_back_as_they_went_in():
    x, length = np.random.default_rng(0).random((40, 9)).astype('float32'), np.full(40, 5)
    experiment = inst.lstm_reconstruct.vary(hidden=(3,), epochs=1, parts=1)
    with fit(experiment, x, length=length) as run:
        assert run.reconstruct(x, length).shape == x.shape
        assert run.reconstruct(x[:, :7], length).shape == (40, 7)
        padded = x.copy()
        padded[:, 5:] = 0
        with pytest.warns(UserWarning, match='40 of 40 series end in zeros'):
            run.encode(padded[..., None])


def test_series_may_have_other_steps_than_were_trained_on_where_lengths_say_what_counts():
    draw = np.random.default_rng(0)
    x, length = draw.normal(size=(40, 9, 2)).astype('float32'), draw.integers(2, 10, 40)
    experiment = inst.lstm_reconstruct.vary(
        hidden=(3,), epochs=1, parts=1, output_activation='linear', standardize='mean_std'
    )
    with fit(experiment, x, length=length) as run:
        few = np.minimum(length, 6)
        whole = x.copy()
        whole[np.arange(9) >= few[:, None]] = 0
        made = run.reconstruct(x[:, :6], few)
        assert made.shape == (40, 6, 2)
        np.testing.assert_array_equal(made, run.reconstruct(whole, few)[:, :6])
        longer = np.concatenate([x, np.full((40, 3, 2), np.nan, 'float32')], axis=1)
        codes = run.encode(x, length)
        np.testing.assert_array_equal(run.encode(longer, length), codes)
        counts = np.arange(9) < length[:, None]
        decoded, wanted = run.decode(codes, length), run.reconstruct(x, length)
        np.testing.assert_allclose(decoded[counts], wanted[counts], atol=1e-6)
        assert run.reconstruct(longer, length).shape == (40, 9, 2)
        assert np.abs(run.decode(codes)[counts] - wanted[counts]).max() > 1e-3  # of other steps
        with pytest.raises(DataError, match='pad them, and say by length'):
            run.encode(x[:, :6])
        with pytest.raises(DataError, match='examples of 12x2, the run reads 9x2$'):
            run.encode(np.nan_to_num(longer), length + 3)
        with pytest.raises(DataError, match='whole numbers from 1 to 9'):
            run.decode(codes, length + 3)
