"""Examples without a label: their network learns from all, a classifier from those that have one."""

import csv
import json
import warnings

import numpy as np
import pytest
from conftest import call, most, results_of, weights_of
from PIL import Image

import inst
from inference import fit, load
from inputs import pictures, sources
from inputs.rows import stratified
from reports import figures

SHARE = 0.2
HEAD = ('--experiment=phasewise_classifier', '--set=head=4', '--set=epochs=2', '--nofigures')
JOINT = ('--experiment=conv_vae_classify', '--set=filters=3,4', '--set=code_size=4',
         '--set=epochs=1', '--nofigures')  # fmt: skip


@pytest.fixture(scope='module')
def files(some_digits, tmp_path_factory):
    """Digits with all labels and with some, of which training has the same share of each class.

    Rows from 500 on are validated and tested on; every third of these has a label.
    """
    folder = tmp_path_factory.mktemp('partly')
    x, y = some_digits
    x, split = x[:700], np.repeat(['train', 'validation', 'test'], (500, 100, 100))
    some = np.full(700, np.nan)
    place = np.random.default_rng(20170313).permutation(500)  # how a split of one's own is shuffled
    kept = place[stratified(y[:500][place], SHARE, 0)]
    some[kept], some[500::3] = y[kept], y[500:700:3]
    np.savez(folder / 'all.npz', x=x, y=y[:700], split=split)
    np.savez(folder / 'some.npz', x=x, y=some, split=split)
    return folder


@pytest.fixture(scope='module')
def runs(files, kinds, data_dir, tmp_path_factory):
    """Runs on all labels of which a share is read, and on that share alone, by kind and file."""
    folder = tmp_path_factory.mktemp('runs')
    for kind, flags in (('head', (*HEAD, f'--parent={kinds}/dense')), ('joint', JOINT)):
        for name, share in (('all', SHARE), ('some', 1.0)):
            places = f'--array={files}/{name}.npz', f'--run_dir={folder}/{kind}-{name}'
            given = f'--set=label_fraction={share}', f'--data_dir={data_dir}'
            assert call(*flags, *given, *places) == 0
    return folder


@pytest.mark.parametrize('kind', ['head', 'joint'])
def test_rows_without_a_label_are_as_labels_that_are_hidden(runs, kind):
    of_all, of_some = (weights_of(runs / f'{kind}-{name}') for name in ('all', 'some'))
    assert of_all.keys() == of_some.keys()
    for name, values in of_all.items():
        np.testing.assert_array_equal(values, of_some[name], err_msg=name)


@pytest.mark.parametrize('kind', ['head', 'joint'])
def test_scores_are_of_the_rows_that_have_one(runs, files, kind):
    found = results_of(runs / f'{kind}-some')['metrics']
    with np.load(files / 'some.npz') as arrays:
        x, y = arrays['x'], arrays['y']
    with load(runs / f'{kind}-some') as run:
        for split, rows in (('validation', slice(500, 600)), ('test', slice(600, 700))):
            mine, labels = x[rows], y[rows]
            is_known = ~np.isnan(labels)
            right = run.predict(mine[is_known]).astype(float) == labels[is_known]
            assert found[f'{split}/accuracy'] == pytest.approx(right.mean())
            each = run.score(mine, labels)
            np.testing.assert_array_equal(np.isnan(each['accuracy']), ~is_known)
            np.testing.assert_array_equal(each['accuracy'][is_known], right)
            mean = np.nanmean(each['cross_entropy'])
            assert found[f'{split}/cross_entropy'] == pytest.approx(mean, rel=1e-5)
            with pytest.raises(AssertionError):  # that of all is another
                of_all = results_of(runs / f'{kind}-all')['metrics'][f'{split}/cross_entropy']
                assert mean == pytest.approx(of_all, rel=1e-5)
    assert found['test/separation'] <= 1


def test_it_is_said_how_many_have_one_and_files_leave_the_others_empty(main, files, kinds, runs):
    code, out, _ = main(*HEAD, f'--parent={kinds}/dense', f'--array={files}/some.npz')
    with np.load(files / 'some.npz') as arrays:
        known = (~np.isnan(arrays['y'][:500])).sum()
    told = f'examples with a label: {known} of 500 train, 34 of 100 validation, 33 of 100 test'
    assert code == 0 and told in out
    code, _, err = main('--mode=encode', f'--run_dir={runs}/head-some', '--format=csv')
    assert code == 0, err
    (file,) = (runs / 'head-some').glob('codes-*.csv')
    with file.open() as opened, np.load(files / 'some.npz') as arrays:
        written = [row['label'] for row in csv.DictReader(opened)]
        assert written == ['' if np.isnan(label) else f'{label:.0f}' for label in arrays['y']]
    code, _, err = main('--mode=encode', f'--run_dir={runs}/head-some')
    (file,) = (runs / 'head-some').glob('codes-*.npz')
    with np.load(file) as codes, np.load(files / 'some.npz') as arrays:
        np.testing.assert_array_equal(codes['labels'], np.nan_to_num(arrays['y'], nan=-1))
    assert code == 0, err


def test_a_parent_labels_those_that_have_none(main, files, runs, tmp_path):
    taught = (*HEAD, '--set=labels=parent', f'--parent={runs}/head-some')
    code, out, err = main(*taught, f'--array={files}/some.npz', f'--run_dir={tmp_path}/taught')
    assert code == 0 and '\n500 train, 100 validation' in out, err
    code, _, err = main(*taught, f'--array={files}/all.npz')
    assert code == 2 and 'labels=parent: needs label_fraction below 1' in err


def test_another_classifier_under_the_path_of_the_one_that_labels_is_refused(
    main, files, kinds, tmp_path
):
    """Its encoder, which it left as it was, is the same."""
    judge = (*HEAD, f'--parent={kinds}/dense', f'--array={files}/some.npz')
    assert main(*judge, f'--run_dir={tmp_path}/judge')[0] == 0
    pupil = (*HEAD, '--set=labels=parent', f'--parent={tmp_path}/judge',
             f'--array={files}/some.npz', f'--run_dir={tmp_path}/pupil')  # fmt: skip
    for _ in range(2):
        code, _, err = main(*pupil)
        assert code == 0, err
    again = main(*judge, f'--run_dir={tmp_path}/judge', '--seed=1', '--restart')
    assert again[0] == 0, again
    code, _, err = main(*pupil)
    assert code == 2 and f'{tmp_path}/judge has changed since' in err, err
    (tmp_path / 'pupil/results.json').unlink()
    code, _, err = main(*pupil)
    assert code == 2 and 'teacher was ' in err, err


@pytest.mark.parametrize('split', ['train', 'validation', 'test'])
def test_a_split_without_any_is_refused_before_anything_is_trained(main, files, tmp_path, split):
    with np.load(files / 'some.npz') as arrays:
        arrays = dict(arrays)
    arrays['y'] = np.where(arrays['split'] == split, np.nan, arrays['y'])
    np.savez(tmp_path / 'none.npz', **arrays)
    code, out, err = main(*HEAD, f'--array={tmp_path}/none.npz')
    assert code == 3 and 'training it first' not in out
    assert f'{split} examples has a label' in err
    code, _, err = main('--experiment=basic', '--set=epochs=1', '--nofigures',
                        f'--array={tmp_path}/none.npz')  # fmt: skip
    assert code == 0, err


def test_a_folder_may_hold_pictures_without_one(main, tmp_path, capsys):
    for name, count in {'a': 20, 'b': 20, 'Unlabelled/x': 40, 'train': 0}.items():
        folder = tmp_path / 'photos' / name
        folder.mkdir(parents=True)
        for number in range(count):
            values = np.random.default_rng(number).integers(0, 255, (8, 8, 3), np.uint8)
            Image.fromarray(values).save(folder / f'{number}.png')
    flags = (*JOINT, '--set=image_size=8', f'--images={tmp_path}/photos')
    code, out, err = main(*flags, f'--run_dir={tmp_path}/run')
    assert code == 0, err
    assert 'a 16/2/2, b 16/2/2; without a label 32/4/4' in out
    assert 'examples with a label: 32 of 64 train, 4 of 8 validation, 4 of 8 test' in out
    code, _, err = main(
        '--mode=predict', f'--run_dir={tmp_path}/run', f'--images={tmp_path}/photos'
    )
    assert code == 0, err
    found = pictures.everything(f'{tmp_path}/photos')
    assert found.classes == ('a', 'b')
    assert {p.label for p in found.splits['all'] if 'Unlabelled' in p.path} == {None}


@pytest.mark.parametrize('each', [1, 3, 5, 7])
def test_few_labels_among_many_rows_are_in_every_split(each):
    y = np.r_[np.repeat(np.arange(10), each), np.full(500, -1)]
    made = sources._split(sources.Examples(np.zeros((len(y), 1)), y), (0.8, 0.1, 0.1))
    counts = {name: int((rows.y >= 0).sum()) for name, rows in made.items()}
    assert counts == {'train': 8 * each, 'validation': each, 'test': each}
    assert {name: len(rows.x) - counts[name] for name, rows in made.items()} == {
        'train': 400, 'validation': 50, 'test': 50,
    }  # fmt: skip


def test_what_is_held_out_from_python_has_labels_too():
    x = np.random.default_rng(0).normal(size=(80, 3))
    y = [k % 2 if k < 10 else None for k in range(80)]
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for seed in range(2):
            few = {'parent.epochs': 1, 'parent.hidden': (2,)}
            head = inst.phasewise_classifier.vary(seed=seed, epochs=1, head=(2,), **few)
            fit(head, x, y, validation=0.1).close()


def test_scores_in_files_are_said_of_the_rows_that_have_one(main, files, runs, drawn):
    code, out, err = main('--mode=score', f'--run_dir={runs}/head-some')
    with np.load(files / 'some.npz') as arrays:
        known = np.flatnonzero(~np.isnan(arrays['y']))
    assert code == 0 and 'nan' not in out, err
    with np.load(next((runs / 'head-some').glob('scores-*.npz'))) as scores:
        entropy, right = scores['cross_entropy'], scores['accuracy']
        assert np.flatnonzero(~np.isnan(entropy)).tolist() == known.tolist()
    worst = known[np.argmax(entropy[known])]
    assert f'most {entropy[worst]:.4g} (row {worst})' in out
    assert f'wrong in {(right[known] < 1).sum()} of {len(known)} ' in out
    (figure,) = drawn.values()
    (panel,) = (panel for panel in figure.axes if panel.get_title() == 'cross_entropy')
    labels = [text.get_text() for text in panel.get_legend().get_texts()]
    assert 'validation (34)' in labels and 'test (33)' in labels


def test_other_data_may_have_none_at_all(main, files, runs, tmp_path):
    with np.load(files / 'some.npz') as arrays:
        np.savez(tmp_path / 'none.npz', x=arrays['x'], y=np.full(700, np.nan))
    code, out, err = main(
        '--mode=evaluate', f'--run_dir={runs}/joint-some', f'--array={tmp_path}/none.npz'
    )
    assert code == 3 and 'has no labels, and the run is a classifier' in err
    code, _, err = main('--experiment=basic', '--set=epochs=1', f'--array={tmp_path}/none.npz')
    assert code == 0, err


def test_empty_names_that_were_recorded_as_a_class_are_recorded_anew(main, tmp_path):
    y = np.array(['', 'a', 'b'])[np.arange(60) % 3]
    np.savez(tmp_path / 'old.npz', x=np.random.default_rng(0).random((60, 4)), y=y)
    few = ('--experiment=basic', '--set=epochs=1', '--nofigures', f'--data_dir={tmp_path}/data',
           f'--array={tmp_path}/old.npz')  # fmt: skip
    assert main(*few, f'--run_dir={tmp_path}/one')[0] == 0
    (manifest,) = tmp_path.glob('data/records/*/manifest.json')
    known = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(known | {'classes': ['', *known['classes']]}))
    code, out, _ = main(*few, f'--run_dir={tmp_path}/two')
    assert code == 0 and 'are of another version and are written again' in out
    assert json.loads(manifest.read_text())['classes'] == ['a', 'b']


def test_pictures_without_one_beside_splits_are_trained_on(tmp_path):
    for name in ('train/a', 'train/b', 'test/a', 'test/b', 'unlabeled'):
        (tmp_path / name).mkdir(parents=True)
        for number in range(10):
            (tmp_path / name / f'{number}.png').touch()
    found = pictures.listed(str(tmp_path))
    assert found.classes == ('a', 'b')
    assert {split: sum(p.label is None for p in made) for split, made in found.splits.items()} == {
        'train': 9, 'validation': 1, 'test': 0,
    }  # fmt: skip


@pytest.mark.parametrize('folders', [('train', 'test', 'unlabelled'), ('', 'unlabelled')])
def test_where_there_are_no_classes_no_picture_has_any(tmp_path, folders):
    for name in folders:
        (tmp_path / name).mkdir(exist_ok=True)
        for number in range(10):
            (tmp_path / name / f'{number}.png').touch()
    found = pictures.listed(str(tmp_path))
    assert not found.classes and sum(map(len, found.splits.values())) == 10 * len(folders)


def test_a_class_beside_pictures_without_one_is_no_folder_around_all(tmp_path):
    for name in ('one/sub', 'unlabelled/sub'):
        (tmp_path / name).mkdir(parents=True)
        for number in range(10):
            (tmp_path / name / f'{number}.png').touch()
    assert not any('all lies in' in line for line in pictures.listed(str(tmp_path)).told)


LABELS = {
    'names': lambda number: np.where(number, 'yes', 'no').astype(object),
    'objects': lambda number: (number > 0).astype(object),
    'numbers': lambda number: (number + 5).astype(float),
}


@pytest.mark.parametrize('kind', most(LABELS, ('names', 'numbers').__contains__))
def test_labels_from_python_may_be_missing_and_answers_are_of_their_type(kind):
    generator = np.random.default_rng(0)
    number = np.arange(200) % 2
    x = generator.normal(size=(200, 3)) + 3 * number[:, None]
    few = {'parent.hidden': (20, 10), 'parent.epochs': 5, 'parent.batch_size': 20}
    head = inst.phasewise_classifier.vary(epochs=30, head=(10,), batch_size=20, **few)
    y = LABELS[kind](number)
    some = y.copy()
    some[generator.permutation(200)[:150]] = np.nan if y.dtype == float else None
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        run = fit(head, x, some)
    assert np.mean(run.predict(x) == y) > 0.9
    run.close()


def test_points_without_one_are_grey_below_the_others():
    codings = np.random.default_rng(0).normal(size=(30, 2))
    labels = np.where(np.arange(30) % 3, -1, np.arange(30) % 2)
    for classes in (('a', 'b'), tuple(map(str, range(30)))):
        figure = figures.latent(codings, labels, classes, 'codes')
        (points,) = figure.axes[0].collections[:1]
        colours = points.get_facecolors()[:, :3]
        assert len({*map(tuple, colours[:20])}) == 1 and np.ptp(colours[0]) == 0
        assert all(np.ptp(colour) > 0 for colour in colours[20:])
        (legend,) = figure.legends
        assert legend.get_texts()[-1].get_text() == 'no label'
