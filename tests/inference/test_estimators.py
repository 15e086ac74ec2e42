"""The estimators, as scikit-learn uses them."""

import functools
import os

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

import inst
from inference import Autoencoder, CodeClassifier, estimators

STACK = inst.basic.vary(hidden=(4,), epochs=30, batch_size=16, parts=1)  # built faster
HEAD = inst.phasewise_classifier.vary(
    parent=STACK.vary(hidden=(8,)), epochs=60, batch_size=16, parts=1, head=(20,)
)


@pytest.fixture(scope='module')
def runs():
    """What was trained, by what and on which rows."""
    return {}


@pytest.fixture
def trains_once(runs, monkeypatch):
    """Trains the same on the same rows once, whichever check asks for it."""
    fit = estimators.fit

    def shared(experiment, x, y=None, **options):
        rows = (
            None if part is None else (part.tobytes(), part.dtype, part.shape) for part in (x, y)
        )
        key = (experiment, *rows, *options.items())
        if key not in runs:
            runs[key] = fit(experiment, x, y, **options)
        return runs[key]

    monkeypatch.setattr(estimators, 'fit', shared)


def _close(assert_close, *values, rtol=1e-7, atol=0.0, **words):
    assert_close(*values, rtol=max(rtol, 1e-6), atol=max(atol, 1e-6), **words)


@parametrize_with_checks([Autoencoder(STACK), CodeClassifier(HEAD)])
def test_they_are_estimators(estimator, check, request, monkeypatch):
    """All checks of the one; some of the other, whose fits train two runs, or all: ESTIMATORS=all.

    That the same rows make the same run is what one of them looks at; the others share runs. What
    an example's place among others changes is the last bit of float32, on some CPUs.
    """
    for name in ('assert_allclose', 'assert_allclose_dense_sparse'):
        close = functools.partial(_close, getattr(estimator_checks, name))
        monkeypatch.setattr(estimator_checks, name, close)
    words = ('classifiers_train', 'pickle')
    wanted = any(word in check.func.__name__ for word in words)
    wanted = wanted and 'readonly_memmap' not in getattr(check, 'keywords', ())  # rows of a file
    wanted = wanted or isinstance(estimator, Autoencoder) or os.environ.get('ESTIMATORS') == 'all'
    if not wanted:
        pytest.skip('checked of the other estimator')
    if 'idempotent' not in check.func.__name__:
        request.getfixturevalue('trains_once')
    check(estimator)


def test_codes_are_the_input_of_another_step_and_are_cross_validated():
    x, y = load_iris(return_X_y=True)
    codes = Autoencoder(STACK, settings={'epochs': 60, 'hidden': (3,)}, random_state=1)
    steps = make_pipeline(StandardScaler(), codes, SVC())
    assert cross_val_score(steps, x, y, cv=2).mean() > 0.85


@pytest.mark.slow
def test_a_classifier_is_cross_validated():
    x, y = load_iris(return_X_y=True)
    names = np.array(['a', 'b', 'c'])[y]
    assert cross_val_score(CodeClassifier(HEAD), x, names, cv=2).mean() > 0.85


def test_settings_and_seed_are_those_of_the_run():
    x, _ = load_iris(return_X_y=True)
    fitted = Autoencoder('basic', settings={'hidden': (2,), 'epochs': 1}, random_state=7).fit(x)
    found = fitted.run_.experiment
    assert (found.hidden, found.epochs, found.seed, found.standardize) == ((2,), 1, 7, 'mean_std')
    assert fitted.get_feature_names_out().tolist() == ['autoencoder0', 'autoencoder1']
    with pytest.raises(ValueError, match='no such|not a field'):
        Autoencoder('basic', settings={'hiden': (2,)}).fit(x)


def test_standardising_is_the_experiments_own_where_it_says_any(tmp_path):
    x = load_iris().data
    few = STACK.vary(epochs=1)
    own = Autoencoder(few.vary(standardize='min_max'))
    for made, wanted in (
        (own, 'min_max'),
        (Autoencoder(few), 'mean_std'),
        (Autoencoder(few, standardize='none'), 'none'),
    ):
        assert made.fit(x).run_.experiment.standardize == wanted
    with estimators.fit(few, x, run_dir=tmp_path / 'stack'):
        head = HEAD.vary(parent=str(tmp_path / 'stack'), epochs=1)
        judge = CodeClassifier(head).fit(x, load_iris().target)
    assert judge.run_.experiment.parent == str(tmp_path / 'stack')


@pytest.mark.parametrize(
    ('made', 'found'),
    [
        (Autoencoder('vae_burda'), 'none'),  # whose greys are drawn
        (Autoencoder(STACK.vary(output_activation='sigmoid')), 'min_max'),
        (CodeClassifier(settings={'parent': STACK.vary(standardize='min_max')}), 'min_max'),
        (CodeClassifier(settings={'parent': STACK}), 'mean_std'),
        (CodeClassifier(settings={'parent': STACK, 'parent.standardize': 'none'}), 'none'),
        (CodeClassifier(settings={'parent': '/some/graph'}), None),
    ],
)
def test_how_it_standardises_is_that_of_what_it_is_with_its_settings(made, found):
    wanted = made._wanted()
    assert getattr(wanted.root, 'standardize' if found else 'parent') == (found or '/some/graph')
