"""A finished run that is asked for more epochs: gone on with when all else is there."""

import shutil

import numpy as np
import pytest
from conftest import results_of, weights_of

import inst
from train.folder import Place, configured
from train.run import run
from train.several import Job

BASIC = ('--experiment=basic', '--set=hidden=3', '--set=schedule=constant')


@pytest.fixture
def array(tmp_path):
    """A file of 60 rows, in two classes."""
    draw = np.random.default_rng(0)
    np.savez(tmp_path / 'a.npz', x=draw.random((60, 5)).astype('float32'), y=np.arange(60) % 2)
    return tmp_path / 'a.npz'


def test_what_cannot_begin_leaves_the_run_finished(main, array, tmp_path):
    flags = (*BASIC, '--nofigures', f'--run_dir={tmp_path}/run')
    assert main(*flags, f'--array={array}', '--set=epochs=2')[0] == 0
    before, saved = results_of(tmp_path / 'run'), configured(tmp_path / 'run')
    array.rename(tmp_path / 'away')
    code, _, err = main(*flags, f'--array={array}', '--set=epochs=4')
    assert code == 2 and 'no such file' in err
    assert results_of(tmp_path / 'run') == before and configured(tmp_path / 'run') == saved
    (tmp_path / 'away').rename(array)
    code, out, err = main(*flags, f'--array={array}', '--set=epochs=4')
    assert code == 0 and 'resumes after' in out, err
    assert results_of(tmp_path / 'run')['updates'] == 2 * before['updates']


def test_what_begins_again_goes_on_from_no_neighbour(main, array, tmp_path):
    flags = (*BASIC, '--nofigures', f'--runs={tmp_path}/runs', f'--array={array}')
    assert main(*flags, '--set=epochs=2')[0] == 0
    assert 'goes on from' in main(*flags, '--set=epochs=4')[1]
    code, out, err = main(*flags, '--set=epochs=4', '--restart')
    assert code == 0 and 'goes on from' not in out and 'resumes' not in out, err


def test_scores_of_validation_examples_stay_of_them(main, array, tmp_path):
    flags = (*BASIC, '--nofigures', f'--array={array}', f'--run_dir={tmp_path}/run')
    assert main(*flags, '--tune')[0] == 0
    code, _, err = main(*flags)
    assert code == 2 and 'tune was true, now false' in err, err
    assert main(*flags, '--tune')[0] == 0


def test_a_loss_that_is_infinite_is_read_again(main, array, tmp_path):
    """As of a single fill value among the validation examples."""
    with np.load(array) as arrays:
        x = arrays['x']
    split = np.array(['train'] * 40 + ['validation'] * 10 + ['test'] * 10)
    x[45] = 1e30
    np.savez(array, x=x, split=split)
    flags = (*BASIC, '--set=standardize=none', '--set=output_activation=linear', '--nofigures')
    flags = (*flags, f'--array={array}', f'--run_dir={tmp_path}/run', '--set=epochs=2')
    first = main(*flags)
    assert first[0] == 0, first
    assert results_of(tmp_path / 'run')['phases']['joint']['best'] == np.inf
    assert main(*flags)[0] == 0


def test_without_a_checkpoint_a_run_stays_as_it_is(main, array, tmp_path):
    flags = (*BASIC, '--nofigures', f'--run_dir={tmp_path}/run', f'--array={array}')
    assert main(*flags, '--set=epochs=2')[0] == 0
    before = results_of(tmp_path / 'run')
    shutil.rmtree(tmp_path / 'run/checkpoints')
    code, _, err = main(*flags, '--set=epochs=4')
    assert code == 3 and 'its checkpoints are gone, or damaged' in err, err
    assert results_of(tmp_path / 'run') == before


def test_what_is_of_fewer_epochs_is_said_or_gone(main, array, dotted, tmp_path):
    flags = (*BASIC, f'--run_dir={tmp_path}/run', f'--array={array}')
    assert main(*flags, '--set=epochs=2')[0] == 0
    assert main('--mode=encode', f'--run_dir={tmp_path}/run')[0] == 0
    assert main('--mode=export', '--format=numpy', f'--run_dir={tmp_path}/run')[0] == 0
    assert list((tmp_path / 'run/figures').iterdir())
    code, out, err = main(*flags, '--set=epochs=4', '--nofigures')
    assert code == 0, err
    assert 'codes-array-a-' in out and 'export stay, and are of the 2 epochs before' in out
    assert not (tmp_path / 'run/figures').exists()  # which its page would show
    assert 'stay' not in main(*flags, '--set=epochs=4')[1]


def test_a_parent_goes_on_before_its_child_is_trained(array, data_dir, tmp_path):
    data = {'dataset': 'array', 'data_path': str(array)}
    stack = inst.basic.vary('mine', hidden=(3,), schedule='constant', epochs=2, **data)
    place = Place(tmp_path / 'runs', data_dir, figures=False)
    run(stack, stack, place)
    folder = place.folder(stack, stack)
    longer = stack.vary(epochs=4)
    head = inst.phasewise_classifier.vary('head', parent=longer, epochs=1, **data)
    assert Job(longer, longer, place).is_missing and not Job(stack, stack, place).is_missing
    run(head, head, place)
    assert not Job(longer, longer, place).is_missing
    assert results_of(folder) and configured(folder)['experiment']['epochs'] == 4
    restored, learned = weights_of(place.folder(head, head)), weights_of(folder)
    name = 'layer1/kernel'
    np.testing.assert_array_equal(restored[name], learned[name])
    shutil.rmtree(folder)
    run(longer, longer, place)
    np.testing.assert_array_equal(weights_of(folder)[name], learned[name])


def test_where_a_run_goes_on_from_its_neighbour_another_machine_is_said(main, array, tmp_path):
    import json

    flags = (*BASIC, '--nofigures', f'--array={array}')
    assert main(*flags, '--set=epochs=2')[0] == 0
    (file,) = (tmp_path / 'runs').glob('basic/*/environment.json')
    file.write_text(json.dumps(json.loads(file.read_text()) | {'cpu': 'another'}))
    out = main(*flags, '--set=epochs=4')[1]
    assert 'goes on from' in out and 'warning: resumed elsewhere' in out
