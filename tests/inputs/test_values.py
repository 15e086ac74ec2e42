"""The values that a run is trained on: what else is fed is brought to them, or refused."""

import csv
import re

import numpy as np
import pytest
from conftest import most
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits

from inputs.rows import Rows
from inputs.spec import Spec
from inputs.values import described, doubts, measured

FORMS = {  # the same digits, as people have them
    'bytes': lambda greys: greys,
    'numbers to 255': lambda greys: greys.astype(np.int64),
    'floats to 1': lambda greys: (greys / 255).astype(np.float32),
}


@pytest.fixture(scope='module')
def greys():
    """Sklearn's digits, 8x8, as bytes, and their labels."""
    found = load_digits()
    return np.round(found.images * 255 / 16).astype(np.uint8), found.target


def classifier(form, greys, data_dir, folder):
    """Trains a classifier on digits of a form; returns its folder."""
    import inst
    from train.folder import Place
    from train.run import run

    x, y = greys
    np.savez(folder / 'digits.npz', x=FORMS[form](x[:1000]), y=y[:1000])
    data = {'dataset': 'array', 'data_path': str(folder / 'digits.npz')}
    stack = inst.basic.vary(**data, hidden=(30,), epochs=30, standardize='min_max')
    head = inst.phasewise_classifier.vary(**data, parent=stack, epochs=60)
    run(head, head, Place(folder / 'runs', data_dir, folder / 'run', figures=False))
    return folder / 'run'


@pytest.mark.parametrize('trained', most(FORMS, 'bytes'.__eq__))
def test_whatever_form_digits_have_they_are_told_apart(trained, greys, data_dir, main, tmp_path):
    x, y = greys
    folder = classifier(trained, greys, data_dir, tmp_path)
    for number, picture in enumerate(x[1000:1100]):
        (tmp_path / 'pngs').mkdir(exist_ok=True)
        Image.fromarray(picture).save(tmp_path / 'pngs' / f'{number:03d}.png')
    given = [f'--images={tmp_path}/pngs']
    for name, form in FORMS.items():
        np.savez(tmp_path / f'new {name}.npz', x=form(x[1000:1100]))
        given.append(f'--array={tmp_path}/new {name}.npz')
    for flag in given:
        code, out, err = main('--mode=predict', f'--run_dir={folder}', flag)
        assert code == 0, (flag, err)
        file = out.rstrip().rsplit('labels are in ', 1)[1]
        with open(file, newline='') as opened:
            labels = [int(row['label']) for row in csv.DictReader(opened)]
        assert np.mean(np.array(labels) == y[1000:1100]) > 0.8, (flag, out)


def test_unscaled_values_are_said_before_training(greys, main, tmp_path):
    x, _ = greys
    small = ('--experiment=basic', '--set=epochs=1', '--set=hidden=3', '--nofigures')
    for values, words in ((x.astype(float), 'look unscaled'), (x // 128, 'greatest value of 1')):
        np.savez(tmp_path / 'x.npz', x=values)
        code, out, err = main(*small, f'--array={tmp_path}/x.npz', f'--run_dir={tmp_path}/{words}')
        assert code == 0, err
        assert out.index(words) < out.index('joint '), out


@pytest.mark.parametrize(
    ('scale', 'loss', 'is_said'),
    [(1, 'gaussian', False), (4000, 'gaussian', True), (1e-3, 'gaussian', True), (4000, 'mse', False)],
)  # fmt: skip
def test_what_a_learned_deviation_cannot_be_is_said(scale, loss, is_said):
    rows = Rows(np.linspace(0, scale, 20)[:, None], None)
    known = described(rows, Spec((1,)), measured(rows, Spec((1,))))
    assert ('deviation of errors' in doubts(rows, known, loss=loss)) == is_said
    assert not doubts(rows, known, standardized=True, loss=loss)


@pytest.mark.parametrize(
    ('trained', 'fed'),
    [('raw', 'standardised'), ('standardised', 'raw'), ('standardised', 'bytes')],
)
def test_values_of_another_scale_are_refused(trained, fed, main, tmp_path):
    x = load_breast_cancer().data
    forms = {
        'raw': x,
        'standardised': (x - x.mean(axis=0)) / x.std(axis=0),
        'bytes': np.clip(x, 0, 255).astype(np.uint8),
    }
    for name, values in forms.items():
        np.savez(tmp_path / f'{name}.npz', x=values)
    run = f'--run_dir={tmp_path}/run'
    small = ('--experiment=basic', '--set=epochs=1', '--set=hidden=3', '--nofigures')
    code, _, err = main(*small, f'--array={tmp_path}/{trained}.npz', run)
    assert code == 0, err
    code, _, err = main('--mode=score', run, f'--array={tmp_path}/{fed}.npz')
    assert (code, len(err.splitlines())) == (3, 1) and 'the run was trained on' in err, err
    np.savez(tmp_path / 'same.npz', x=forms[trained][:30])
    code, _, err = main('--mode=score', run, f'--array={tmp_path}/same.npz', '--nofigures')
    assert code == 0, err


def test_rows_that_are_a_small_part_of_the_range_are_refused(greys, main, tmp_path):
    """Flat digits up to 255, of whose columns the most are zero in any scale."""
    x = greys[0].reshape(-1, 64).astype(np.float32)
    np.savez(tmp_path / 'x.npz', x=x[:500])
    np.savez(tmp_path / 'scaled.npz', x=x[500:600] / 255)
    run = f'--run_dir={tmp_path}/run'
    small = ('--experiment=basic', '--set=epochs=1', '--set=hidden=3', '--nofigures')
    code, _, err = main(*small, f'--array={tmp_path}/x.npz', run)
    assert code == 0, err
    code, _, err = main('--mode=encode', run, f'--array={tmp_path}/scaled.npz')
    assert code == 3 and 'values from 0 to 1; the run was trained on values from 0 to 255' in err


def test_few_rows_of_another_scale_are_warned_of(main, tmp_path):
    """As one that is new may be: of ten and more it is an error."""
    x = np.random.default_rng(0).normal(50, [5, 9, 2], (60, 3)).astype(np.float32)
    np.savez(tmp_path / 'x.npz', x=x)
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    run = f'--run_dir={tmp_path}/run'
    small = ('--experiment=basic', '--set=epochs=1', '--set=hidden=2', '--nofigures')
    code, _, err = main(*small, f'--array={tmp_path}/x.npz', run)
    assert code == 0, err
    for rows, wanted in ((x[:1], 0), (x[:9], 0), (scaled[:1], 1), (scaled[:9], 1)):
        np.savez(tmp_path / 'few.npz', x=rows)
        code, out, err = main('--mode=encode', run, f'--array={tmp_path}/few.npz')
        assert code == 0, err
        assert out.count('warning: ') == out.count('medians of') == wanted, out
    np.savez(tmp_path / 'few.npz', x=scaled[:10])
    code, _, err = main('--mode=encode', run, f'--array={tmp_path}/few.npz')
    assert code == 3 and 'medians of' in err


@pytest.mark.parametrize('loss', ['mse', 'mae', 'cosine', 'gaussian', 'laplace', 'bernoulli'])
@pytest.mark.parametrize(('activation', 'least'), [('sigmoid', -1), ('elu', -4), ('relu', -1)])
def test_outputs_that_cannot_reach_the_data_are_refused(loss, activation, least, main, tmp_path):
    if loss == 'bernoulli' and activation != 'sigmoid':
        pytest.skip('which is refused by itself')
    x = np.random.default_rng(0).uniform(least, 1, (40, 6)).astype(np.float32)
    np.savez(tmp_path / 'x.npz', x=x)
    flags = (f'--set=loss={loss}', f'--set=output_activation={activation}', '--set=epochs=1')
    code, _, err = main('--experiment=basic', f'--array={tmp_path}/x.npz', *flags, '--set=hidden=3')
    if loss == 'cosine' and activation == 'elu':  # to whose signs its length is nothing
        assert code == 0, err
        return
    assert (code, len(err.splitlines())) == (3, 1) and 'output_activation=linear' in err, err
    least, most = map(float, re.search(r'has values from (\S+) to (\S+), ', err).groups())
    assert least == pytest.approx(x.min(), abs=0.3) and most == pytest.approx(1, abs=0.3)


def test_outputs_that_reach_the_data_once_scaled_are_trained(main, tmp_path):
    x = np.random.default_rng(0).uniform(-5, 90, (40, 6)).astype(np.float32)
    np.savez(tmp_path / 'x.npz', x=x)
    flags = ('--experiment=basic', f'--array={tmp_path}/x.npz', '--set=output_activation=sigmoid')
    small = ('--set=epochs=1', '--set=hidden=3', '--nofigures')
    code, _, err = main(*flags, *small, '--set=standardize=mean_std')
    assert code == 3 and 'standardize=mean_std' in err
    code, _, err = main(*flags, *small, '--set=standardize=min_max')
    assert code == 0, err
