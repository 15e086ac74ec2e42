"""Labels in the forms that people have them: read where there is one way, else one line."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from inputs import sources
from inputs.labels import AS_NAMES, as_given, numbered, plain
from inputs.shards import UNLABELLED
from system.errors import DataError

NUMBERS = np.arange(20) % 3
NAMES = np.array(['b', 'a', 'ä'])[NUMBERS]
READ = {  # y as it is saved, and what the first examples are then called
    'whole numbers': (NUMBERS + 5, ('5', '6', '7')),
    'negative': (NUMBERS - 1, ('-1', '0', '1')),
    'names': (NAMES, ('b', 'a', 'ä')),
    'a column': (NUMBERS[:, None], ('0', '1', '2')),
    'a column of names': (NAMES[:, None], ('b', 'a', 'ä')),
    'one-hot': (np.eye(3)[NUMBERS], ('0', '1', '2')),
    'one-hot bytes': (np.eye(4, dtype=np.uint8)[NUMBERS + 1], ('1', '2', '3')),
    'one-hot truths': (np.eye(2, dtype=bool)[NUMBERS // 2], ('0', '0', '1')),
    'truths': (NUMBERS > 0, ('False', 'True', 'True')),
    'bytes': (np.char.encode(NAMES, 'utf-8'), ('b', 'a', 'ä')),
    'whole floats': (NUMBERS.astype(np.float32) + 1, ('1', '2', '3')),
    'minus zero': (np.array([-0.0, 0.0])[NUMBERS // 2], ('0', '0', '0')),
    'objects, names': (NAMES.astype(object), ('b', 'a', 'ä')),
    'objects, numbers': (NUMBERS.astype(object), ('0', '1', '2')),
    'objects, truths': ((NUMBERS > 0).astype(object), ('False', 'True', 'True')),
    'objects, bytes': (np.char.encode(NAMES, 'utf-8').astype(object), ('b', 'a', 'ä')),
    'variable names': (NAMES.astype(np.dtypes.StringDType()), ('b', 'a', 'ä')),
}


@pytest.mark.parametrize('form', READ)
def test_labels_are_read_where_there_is_one_way(form):
    raw, called = READ[form]
    y, classes = numbered(raw, 20)
    assert y.dtype == np.int64 and y.shape == (20,)
    assert tuple(classes[k] for k in y[:3]) == called
    assert set(y.tolist()) == set(range(len(classes)))


def holed(values: np.ndarray, hole: object) -> np.ndarray:
    made = values.copy()
    made[7] = hole
    return made


REFUSED = {
    'infinity': (holed(NUMBERS.astype(float), np.inf), 'first in row 7; write NaN where'),
    'fractions': (holed(NUMBERS.astype(float), 0.5), 'row 7 has 0.5; save classes'),
    'more than a float can tell': (holed(NUMBERS.astype(float), 1e30), 'row 7 has 1e+30'),
    'soft': (holed(np.eye(2)[NUMBERS // 2], (0.3, 0.7)), 'row 7 is [0.3 0.7]'),
    'several ones': (holed(np.eye(3)[NUMBERS], (1, 1, 0)), 'y.argmax(axis=1)'),
    'no one': (holed(np.eye(3, dtype=int)[NUMBERS], 0), 'row 7 is [0 0 0], not one 1 and else 0; '
               'save one label an example, NaN where there is none'),
    'two names': (np.stack([NAMES, NAMES], 1), 'save one label an example'),
    'a row': (NUMBERS[None], 'y must be [20] like x, it is [1, 20]; save y.reshape(20)'),
    'masks': (np.zeros((20, 4, 4), int), 'y must be [20] like x, it is [20, 4, 4]'),
    'one': (np.array(3), 'y must be [20] like x, it is []'),
    'too few': (NUMBERS[:9], 'it is [9]'),
    'one-hot, too few': (np.eye(3)[NUMBERS[:9]], 'it is [9, 3]'),
    'not UTF-8': (holed(np.full(20, b'a'), b'\xe4'), "'latin-1'"),
    'complex': (NUMBERS.astype(complex), 'whole numbers or names, it holds complex128'),
    'dates': (NUMBERS.astype('M8[D]'), f'save y={AS_NAMES}'),
    'fractions after a NaN': (holed(np.where(np.arange(20) < 3, np.nan, 1), 0.5), 'row 7 has 0.5'),
    'a mixture': (holed(NAMES.astype(object), 3), f'as 3 in row 7; save y={AS_NAMES}'),
    'lists': (holed(NAMES.astype(object), [1]), 'as [1] in row 7'),
    'huge numbers': (holed(NUMBERS.astype(object), 2**70), f'save y={AS_NAMES}'),
}  # fmt: skip


@pytest.mark.parametrize('form', REFUSED)
def test_all_else_is_one_line_with_the_remedy(form):
    raw, words = REFUSED[form]
    with pytest.raises(DataError) as error:
        numbered(raw, 20)
    assert words in str(error.value) and str(error.value).startswith('y ')
    assert len(str(error.value).splitlines()) == 1


def source_of(tmp_path, **arrays) -> sources.Source:
    """Returns what is read of a file of these arrays."""
    np.savez(tmp_path / 'mine.npz', **arrays)
    return sources.read('array', str(tmp_path / 'mine.npz'), tmp_path)


X = np.random.default_rng(0).normal(size=(20, 3))


def test_a_table_with_words_and_a_sparse_matrix_are_named():
    frame = pd.DataFrame({'a': [1.5, 2.5], 'kind': ['old', 'new']})
    with pytest.raises(DataError, match="as 'old' in row 0, column 1; leave out what"):
        sources.of_arrays(frame)
    with pytest.raises(DataError, match='row 1, column 0; leave out what'):
        sources.of_arrays(pd.DataFrame({'a': [1, pd.NA]}))
    with pytest.raises(DataError, match=r'give x\.toarray\(\)'):
        sources.of_arrays(scipy.sparse.eye_array(3))


@pytest.mark.parametrize('form', ['one-hot', 'bytes', 'whole floats'])
def test_a_file_has_them_in_these_forms_too(tmp_path, form):
    raw, called = READ[form]
    found = source_of(tmp_path, x=X, y=raw)
    assert set(found.classes) == set(called)
    whole = {
        tuple(x): found.classes[k]
        for p in found.splits.values()
        for x, k in zip(p.x, p.y, strict=True)
    }
    assert [whole[tuple(x)] for x in X[:3].astype(np.float32)] == list(called)


FILES = {
    'objects as labels': ({'x': X, 'y': NAMES.astype(object)}, f'y={AS_NAMES}'),
    'objects as examples': ({'x': X.astype(object)}, 'x=np.array(np.asarray(x).tolist()'),
    'other labels': ({'x': X, 'Labels': NUMBERS}, 'has x, Labels, of which Labels is not read'),
    'other examples': ({'X': X, 'y': NUMBERS}, 'x=X)), has X, y'),
    'other lengths': ({'x': X, 'lengths': NUMBERS}, 'length=lengths'),
    'one number an example': ({'x': X[:, 0]}, 'x[None] one example'),
    'a word': ({'x': np.where(X > 1, 'a lot', X.astype(str))}, "as 'a lot' in row"),
    'complex': ({'x': X.astype(complex)}, 'x must hold real numbers'),
}


@pytest.mark.parametrize('name', FILES)
def test_a_file_that_holds_something_else_says_what_and_the_remedy(tmp_path, name):
    arrays, words = FILES[name]
    with pytest.raises(DataError) as error:
        source_of(tmp_path, **arrays)
    assert words in str(error.value) and 'mine.npz' in str(error.value)
    assert len(str(error.value).splitlines()) == 1


PARTLY = {  # y of which row 7 has no label, and what its classes are called
    'NaN': (holed(NUMBERS.astype(float), np.nan), ('0', '1', '2')),
    'a column': (holed(NUMBERS.astype(float), np.nan)[:, None], ('0', '1', '2')),
    'an empty name': (holed(NAMES, ''), ('a', 'b', 'ä')),
    'empty bytes': (holed(np.full(20, b'a'), b''), ('a',)),
    'an empty name of any length': (holed(NAMES.astype(np.dtypes.StringDType()), ''),
                                    ('a', 'b', 'ä')),
    'None among names': (holed(NAMES.astype(object), None), ('a', 'b', 'ä')),
    'None among truths': (holed((NUMBERS > 0).astype(object), None), ('False', 'True')),
    'NaN among names': (holed(NAMES.astype(object), np.nan), ('a', 'b', 'ä')),
    'NaN among numbers': (holed(NUMBERS.astype(object), np.nan), ('0', '1', '2')),
    'NaN of NumPy among numbers': (holed(NUMBERS.astype(object), np.float32('nan')),
                                   ('0', '1', '2')),
    'a list': (as_given([None if k == 7 else 'ab'[k % 2] for k in range(20)]), ('a', 'b')),
    'NaN in a list of names': (as_given([np.nan if k == 7 else 'ab'[k % 2] for k in range(20)]),
                               ('a', 'b')),
    'a mask': (as_given(np.ma.array(NUMBERS, mask=np.arange(20) == 7)), ('0', '1', '2')),
    'numbers of pandas': (as_given(pd.array(holed(NUMBERS.astype(object), pd.NA), 'Int64')),
                          ('0', '1', '2')),
    'NA': (holed(NUMBERS.astype(object), pd.NA), ('0', '1', '2')),
}  # fmt: skip


@pytest.mark.parametrize('form', PARTLY)
def test_an_example_may_have_no_label(form):
    raw, classes = PARTLY[form]
    for given in (raw, plain(raw)):
        found = numbered(given, 20)
        assert found.classes == classes
        assert np.flatnonzero(found.y == UNLABELLED).tolist() == [7]


def test_where_none_has_a_label_there_are_no_classes():
    for nothing in (np.full(20, np.nan), np.full(20, ' '), np.full(20, None)):
        assert numbered(nothing, 20).classes == ()


def test_a_list_stays_what_it_is():
    assert as_given([[0, 1], [1, 0]]).dtype.kind == 'i'
    assert numbered(as_given([True, None, False]), 3).classes == ('False', 'True')
    with pytest.raises(DataError, match='neither all names nor all numbers'):
        numbered(as_given(['a', 1]), 2)


def test_minus_one_beside_other_numbers_is_told(tmp_path, capsys):
    for y, is_doubtful in ((NUMBERS - 1, True), (np.where(NUMBERS, 1, -1), False)):
        assert '-1' in source_of(tmp_path, x=X, y=y).classes
        told = (
            "y: '-1' is taken for a class, of 7 rows; if that is no label, write NaN in its place"
        )
        assert (told in capsys.readouterr().out) == is_doubtful


@pytest.mark.parametrize('empty', ['None', 'nan', ' NA ', '<NA>'])
def test_a_name_that_may_be_no_label_is_told(tmp_path, capsys, empty):
    names = np.where(np.arange(20) < 4, empty, NAMES)
    found = source_of(tmp_path, x=X, y=names)
    assert empty in found.classes
    (told,) = capsys.readouterr().out.splitlines()
    assert f'{empty!r} is taken for a class, of 4 rows' in told


def test_truths_are_zeros_and_ones(tmp_path):
    found = source_of(tmp_path, x=X > 0).splits['train'].x
    assert found.dtype == np.float32 and set(np.unique(found)) == {0.0, 1.0}


def test_a_classifier_learns_one_hot_labels_and_predicts_without_any(main, tmp_path):
    x = np.eye(4)[np.arange(40) % 4]
    np.savez(tmp_path / 'mine.npz', x=x, y=x)
    np.savez(tmp_path / 'new.npz', x=x, y=np.array([None] * 40), target=x)
    flags = ('--set=parent.hidden=8', '--set=parent.epochs=1', '--set=epochs=1', '--nofigures')
    named = ('--experiment=phasewise_classifier', f'--array={tmp_path}/mine.npz')
    code, _, err = main(*named, *flags, f'--run_dir={tmp_path}/run')
    assert code == 0, err
    code, _, err = main(
        '--mode=predict', f'--run_dir={tmp_path}/run', f'--array={tmp_path}/new.npz'
    )
    (file,) = (tmp_path / 'run').glob('predictions-*new*.csv')
    rows = file.read_text().splitlines()
    assert code == 0 and len(rows) == 41 and rows[1].split(',')[1] in '0123', err
