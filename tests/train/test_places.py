"""Run folders: of any name, one for a run however it is spelt, and none of a failed start."""

import csv
import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import results_of

import dataset
import inst
from system.errors import DataError
from train import naming
from train.checkpoints import Checkpoints, State
from train.folder import Place

ODD = os.fsdecode(b'k[2]*?\\ $x$ \'"\n\xff\xe7\x8c\xab{a,b}')
CLASSES = ('$a$b', os.fsdecode(b'caf\xff'), '猫')
QUICK = ('--set=epochs=1', '--nofigures')


@pytest.fixture
def array(tmp_path):
    """Fifty examples of eight features, with names for labels, in a file of an odd name."""
    x = np.random.default_rng(0).random((50, 8)).astype(np.float32)
    file = tmp_path / f'{ODD}.npz'
    np.savez(file, x=x, y=np.array(CLASSES[::2])[np.arange(50) % 2])
    return file


def test_a_run_is_trained_used_and_transferred_from_below_a_folder_of_any_name(
    main, array, tmp_path
):
    run, child = tmp_path / ODD / 'run', tmp_path / ODD / 'child'
    data = f'--data_dir={tmp_path / ODD / "data"}'
    flags = ('--experiment=basic', f'--array={array}', f'--run_dir={run}', data, '--set=epochs=1')
    assert main(*flags)[0] == 0
    (run / 'results.json').unlink()
    code, out, _ = main(*flags)  # from its checkpoint, as after a kill
    assert code == 0 and 'resumes after update' in out
    for mode in ('encode', 'evaluate'):
        assert main(f'--mode={mode}', f'--run_dir={run}', data)[0] == 0
    (codes,) = run.glob('codes-*.npz')
    codes = codes.rename(run / f'{ODD}.npz')
    code, _, err = main('--mode=generate', f'--run_dir={run}', f'--codes={codes}')
    assert code == 0, err
    flags = ('--experiment=phasewise_classifier', f'--array={array}', f'--run_dir={child}', data)
    code, _, err = main(*flags, f'--parent={run}/model.meta', '--set=epochs=1')
    assert code == 0, err
    code, _, err = main('--mode=predict', f'--run_dir={child}', f'--array={array}')
    assert code == 0, err
    (file,) = child.glob('predictions-*.csv')
    with open(file, newline='', encoding='utf-8') as opened:
        labels = [row['label'] for row in csv.DictReader(opened)]
    assert labels and {*labels} <= {*CLASSES[::2]}


@pytest.mark.parametrize('relative', [False, True])
def test_a_parent_is_one_however_it_is_spelt(relative, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / 'runs/a/b'
    run.mkdir(parents=True)
    named = 'runs/a/b' if relative else str(run)
    base, place = inst.phasewise_classifier, Place(tmp_path / 'runs')
    spelt = ('', '/', '/model', '/model/', '/model.meta', '/model.index', '/../b')
    folders = {place.folder(base.vary(parent=named + end), base) for end in spelt}
    assert folders == {place.folder(base.vary(parent=str(run)), base)}
    assert folders != {place.folder(base.vary(parent=f'{run}2'), base)}


@pytest.mark.parametrize(
    'flags, code',
    [
        (('--experiment=basic', '--array=missing.npz'), 2),
        (('--experiment=phasewise_classifier', '--array={array}', '--parent=missing'), 3),
        (('--experiment=conv_ae', '--array={array}'), 2),
        (('--experiment=basic', '--array={array}', '--set=loss=bernoulli',
          '--set=output_activation=sigmoid'), 3),
        (('--experiment=conv_ae', '--array={array}', '--seeds=2'), 2),
    ],
)  # fmt: skip
def test_a_failed_start_leaves_no_run_folder(flags, code, main, array, tmp_path):
    few = np.random.default_rng(0).normal(size=(10, 8)).astype(np.float32)
    np.savez(array, x=few, y=np.arange(10))
    flags = [flag.format(array=array) for flag in flags]
    found, _, err = main(*flags, f'--data_dir={tmp_path}/data', runs=tmp_path / 'new' / 'runs')
    assert (found, err.count('\n')) == (code, 1), err
    assert not (tmp_path / 'new').exists()
    if '--seeds=2' in flags:
        return
    (tmp_path / 'mine').mkdir()
    assert main(*flags, f'--run_dir={tmp_path}/mine', f'--data_dir={tmp_path}/data')[0] == code
    assert not any((tmp_path / 'mine').iterdir())
    (tmp_path / 'mine/config.json').write_text('{}')
    assert main(*flags, f'--run_dir={tmp_path}/mine', f'--data_dir={tmp_path}/data')[0] == code
    assert (tmp_path / 'mine/config.json').is_file()


def test_runs_and_records_of_the_earlier_names_are_found_and_go_on(main, array, tmp_path):
    flags = ('--experiment=basic', f'--array={array}', *QUICK, f'--data_dir={tmp_path}/data')
    assert main(*flags)[0] == 0
    (new,) = (tmp_path / 'runs/basic').iterdir()
    (records,) = (tmp_path / 'data/records').glob('array-*[0-9a-f]')
    assert ':' not in new.name and ':' not in records.name
    experiment = inst.basic.vary(dataset='array', data_path=str(array), epochs=1)
    key = dataset.former_key_of(experiment)
    assert key.startswith('array:k[2]')
    (name, *_) = naming.former_names(experiment, key, inst.basic)
    former = new.rename(new.with_name(name))
    shutil.move(records, records.with_name(key))
    config = json.loads((former / 'config.json').read_text())
    config['data']['key'] = key
    (former / 'config.json').write_text(json.dumps(config))
    dataset._kept.cache_clear()
    code, out, _ = main(*flags)
    assert code == 0 and 'finished before' in out
    (former / 'results.json').unlink()
    code, out, err = main(*flags)
    assert code == 0 and 'resumes after update' in out and 'writing the records' not in out, err
    assert results_of(former)['dataset'] == dataset.key_of(experiment)
    assert [p.name for p in (tmp_path / 'runs/basic').iterdir()] == [name]


def test_data_that_were_moved_are_the_same_data(main, array, tmp_path):
    flags = ('--experiment=basic', *QUICK)
    assert main(*flags, f'--array={array}')[0] == 0
    (tmp_path / 'elsewhere').mkdir()
    moved = shutil.move(array, tmp_path / 'elsewhere')
    code, out, err = main(*flags, f'--array={moved}')
    assert code == 0 and 'finished before' in out, err
    (folder,) = (tmp_path / 'runs/basic').iterdir()
    assert json.loads((folder / 'config.json').read_text())['experiment']['data_path'] == str(moved)


def test_more_epochs_on_other_data_go_on_from_no_run_on_the_data_before(main, array, tmp_path):
    flags = ('--experiment=basic', f'--array={array}', '--nofigures')
    assert main(*flags, '--set=epochs=1')[0] == 0
    np.savez(array, x=np.random.default_rng(1).random((50, 8)).astype(np.float32))
    code, out, _ = main(*flags, '--set=epochs=2')
    assert code == 0 and 'goes on from' not in out


def test_a_restart_that_cannot_begin_costs_nothing(main, array, tmp_path):
    flags = ('--experiment=basic', *QUICK, f'--run_dir={tmp_path}/run', '--restart')
    assert main(*flags, f'--array={array}')[0] == 0
    before = results_of(tmp_path / 'run')
    assert main(*flags, '--array=missing.npz')[0] == 2
    assert results_of(tmp_path / 'run') == before and (tmp_path / 'run/model.meta').is_file()
    assert main(*flags, f'--array={array}')[0] == 0
    assert results_of(tmp_path / 'run')['seconds'] != before['seconds']  # trained again


def test_how_pictures_are_recorded_is_in_words_in_the_folders_name(tmp_path):
    for index in range(10):
        (tmp_path / f'{index}.png').touch()
    place, base = Place(tmp_path / 'runs'), inst.conv_vae
    experiment = base.vary(dataset='images', data_path=str(tmp_path), image_size=(64,))
    words = place.folder(experiment, base).name
    assert words.endswith('-seed0-image_size=64') and ':' not in words
    quality = dataclasses.replace(experiment, jpeg_quality=0, image_channels=1)
    assert 'image_channels=1-jpeg_quality=0' in place.folder(quality, base).name


def test_the_home_folder_is_meant_by_a_tilde_in_every_path(main, array, tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    array.rename(tmp_path / 'a.npz')
    for flags in (('--array=~/a.npz',), ('--set=data_path=~/a.npz', '--dataset=array')):
        code, out, err = main('--experiment=basic', *flags, '--describe')
        assert code == 0 and json.loads(out)['data_path'] == str(tmp_path / 'a.npz'), err
    code, _, err = main('--experiment=basic', '--array=~/a.npz', '--run_dir=~/run', *QUICK)
    assert code == 0, err
    assert (tmp_path / 'run/results.json').is_file()
    (tmp_path / 'flags').write_text('--run_dir=~/run\n')
    assert main('--mode=encode', f'--flagfile={tmp_path}/flags')[0] == 0


def test_a_damaged_file_of_a_run_costs_nothing_of_what_was_trained(main, array, tmp_path):
    flags = ('--experiment=basic', f'--array={array}', *QUICK, f'--run_dir={tmp_path}/run')
    assert main(*flags)[0] == 0
    (tmp_path / 'run/config.json').write_text('{')
    code, _, err = main(*flags)
    assert code == 3 and 'config.json: damaged' in err and '--restart' not in err
    for name in ('config.json', 'results.json'):
        (tmp_path / 'run' / name).unlink()
    code, out, err = main(*flags)
    assert code == 0 and 'resumes after update' in out, err


def test_weights_of_a_network_built_otherwise_are_not_advised_away(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        kernel = tf.get_variable('kernel', [2])
        session.run(kernel.initializer)
        Checkpoints(tmp_path).save(session, tf.train.Saver([kernel]), State(step=1))
    with tf.Graph().as_default(), tf.Session() as session:
        checkpoints, saver = Checkpoints(tmp_path), tf.train.Saver([tf.get_variable('other', [3])])
        assert checkpoints.latest() == State(step=1)
        with pytest.raises(DataError, match='not of this network') as error:
            checkpoints.restore(session, saver)
    assert '--restart' not in str(error.value)
