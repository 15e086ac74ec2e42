"""A table's columns keep their names, and are not taken for one another."""

import numpy as np
import pandas as pd
import pytest

import inst
from inference import fit, load
from inputs import foreign, readers, values
from inputs.columns import check_columns, checked_names
from inputs.labels import AS_NAMES, numbered
from inputs.rows import Rows
from inputs.spec import Spec, Values
from system.errors import DataError

DRAW = np.random.default_rng(0)
NAMES = ['age', 'weight', 'height']
QUICK = ('--set=epochs=1', '--set=hidden=2', '--set=standardize=mean_std', '--nofigures')


@pytest.fixture
def table(tmp_path):
    """Three columns of one range, with their names; returns what writes them in another order."""
    x, y = DRAW.random((40, 3)), np.arange(40) % 2

    def write(file, order):
        named = [NAMES[column] for column in order]
        np.savez(tmp_path / file, x=x[:, order], y=y, feature_names=named)
        return f'--array={tmp_path}/{file}'

    return write


def test_a_run_refuses_its_columns_in_another_order(table, main, tmp_path):
    run = f'--run_dir={tmp_path}/run'
    code, _, err = main('--experiment=basic', table('own.npz', [0, 1, 2]), run, *QUICK)
    assert code == 0, err
    for order, words in (
        ([0, 2, 1], 'in another order'),
        ([0, 1, 1], "'weight' is there 2 times"),
        ([0, 1], "lacks column 'height'"),
    ):
        code, _, err = main('--mode=score', run, table('other.npz', order), '--nofigures')
        assert code == 3 and words in err, err
    code, _, err = main('--mode=score', run, table('more.npz', [0, 1, 2]), '--nofigures')
    assert code == 0, err
    with load(tmp_path / 'run') as opened:
        assert opened.columns == NAMES
        frame = pd.DataFrame(DRAW.random((4, 3)), columns=NAMES)
        assert opened.encode(frame).shape == (4, 2)
        with pytest.raises(DataError, match=r'another order .* give x\[run.columns\]'):
            opened.encode(frame[NAMES[::-1]])
    code, _, err = main(
        '--experiment=phasewise_classifier', f'--parent={tmp_path}/run', '--set=epochs=1',
        table('head.npz', [2, 1, 0]), f'--run_dir={tmp_path}/head', '--nofigures',
    )  # fmt: skip
    assert code == 3 and 'in another order' in err, err


@pytest.mark.filterwarnings('ignore:a train/mse of')  # of one epoch
@pytest.mark.parametrize(('names', 'kept'), [(NAMES, NAMES), ([3, 1, 2], None)])
def test_a_run_that_is_kept_knows_the_columns_of_its_table(tmp_path, names, kept):
    frame = pd.DataFrame(DRAW.random((40, 3)), columns=names)
    with fit(inst.basic.vary(epochs=1, hidden=(2,)), frame, run_dir=tmp_path / 'run') as run:
        assert run.columns == names
        with pytest.raises(DataError, match='another order'):
            run.encode(frame[names[::-1]])
    with load(tmp_path / 'run') as run:
        assert run.columns == kept and run.encode(frame).shape == (40, 2)
        assert run.encode(pd.DataFrame(frame.to_numpy())).shape == (40, 2)  # which nobody named
        if kept:
            assert run.encode(frame[run.columns]).shape == (40, 2)
            with pytest.raises(DataError, match='another order'):
                run.encode(frame[names[::-1]])


def test_a_table_of_series_of_unequal_lengths_keeps_its_names_too(tmp_path):
    frame = pd.DataFrame(DRAW.random((40, 4)), columns=list('abcd'))
    network = inst.lstm_reconstruct.vary(epochs=1, hidden=(2,), parts=1)
    with fit(network, frame, length=np.full(40, 3), run_dir=tmp_path / 'run'):
        pass
    with load(tmp_path / 'run') as run:
        assert run.columns == list('abcd')
        assert run.encode(frame, length=np.full(40, 3)).shape == (40, 4)


def test_names_are_one_for_each_column(capsys):
    assert checked_names(np.array(NAMES), (3,)) == tuple(NAMES)
    assert checked_names(np.array([b'a', b'b']), (5, 2)) == ('a', 'b')
    assert len(checked_names(np.arange(64), (8, 8))) == 64
    assert checked_names(None, (3,)) == checked_names(np.array([]), (3,)) == ()
    for names in (np.array(NAMES), np.array([[0.5, 1.0]])):
        with pytest.raises(DataError, match=r'feature_names must be \[2\], a name for each'):
            checked_names(names, (2,))
    assert checked_names(np.arange(70_000), (70_000,)) == ()
    assert 'are not kept' in capsys.readouterr().out


def test_columns_that_differ_are_named():
    for found, known, words in (
        (['a', 'b'], ['a', 'a', 'b'], "lacks column 'a'; do"),
        (['a', 'b', 'c'], ['a', 'b'], "was not trained on, column 'c'; do"),
        (['c', 'd'], ['a', 'b'], "lacks column 'a' and 3 more differ; do"),
        (['a'], ['', 'a'], "lacks column ''; do"),
        (['b', 'a'], ['a', 'b'], 'in another order'),
    ):
        with pytest.raises(DataError, match=words):
            check_columns('x', found, known, 'do')
    check_columns('x', [0, 1], ['a', 'b'], 'do')
    check_columns('x', None, ['a', 'b'], 'do')


@pytest.mark.parametrize('hole', [None, np.nan, pd.NA, pd.NaT])
def test_the_remedy_for_labels_of_objects_keeps_the_holes(hole):
    y = np.array(['b', hole, 'a', 'b'], object)
    made = eval(AS_NAMES, {'pandas': pd, 'y': y})
    assert numbered(made, 4).y.tolist() == [1, -1, 0, 1] and made.dtype.kind == 'U'


def test_arrays_by_names_that_mean_nothing_are_listed_once(tmp_path, capsys):
    np.savez(tmp_path / 'x.npz', x=np.zeros((4, 2)), mask=np.ones(4), x_test=np.zeros((2, 2)))
    for _ in range(2):
        foreign.read_npz(str(tmp_path / 'x.npz'))
    (line,) = capsys.readouterr().out.splitlines()
    assert 'not read: mask, x_test; what is read is called x, y, length, split' in line


def test_a_column_without_any_number_is_named():
    x = DRAW.random((5, 3))
    x[:, 1] = np.nan
    with pytest.raises(DataError, match='no number in any row of column 1; leave it out'):
        foreign.checked(x, None, None)


def test_each_of_thousands_of_columns_has_a_range_of_its_own(capsys):
    x = DRAW.random((20, 3000)).astype(np.float32) + np.arange(3000, dtype=np.float32)
    rows, spec = Rows(x, None), Spec((3000,))
    trained = values.described(rows, spec, values.measured(rows, spec))
    assert isinstance(trained, Values) and len(trained.columns) == 3000
    assert 'medians of 3000 of 3000' in values._elsewhere(Rows(x[:, ::-1], None), spec, trained)
    away, column = values._beyond(
        Rows(x + 2 * (np.arange(3000) == 7), None), np.array(trained.columns)
    )
    assert (away > 0.5).all() and set(column) == {7}


READER = """
import random

if random:
    LIMIT = {limit}
other = {other}


def helper(asked):
    return f'{{LIMIT["a"]}}'


def mine(asked):
    return helper(asked)
"""


def test_a_readers_name_is_of_all_that_it_goes_by(tmp_path):
    def text(**parts):
        (tmp_path / 'mine.py').write_text(READER.format(**parts))
        made = {}
        exec(compile(READER.format(**parts), tmp_path / 'mine.py', 'exec'), made)
        readers.linecache.checkcache()
        return readers._text(made['mine'])

    assert text(limit=1, other=1) == text(limit=1, other=2) != text(limit=2, other=1)
    assert 'LIMIT = 1' in text(limit=1, other=1) and "f'{LIMIT[" in text(limit=1, other=1)


def test_a_reader_may_name_its_columns():
    def checked(names, *others):
        rows = [foreign.Examples(DRAW.random((4, 2)), None, names=n) for n in (names, *others)]
        splits = dict(zip(('test', 'train'), rows, strict=False)) if others else {'train': rows[0]}
        return readers._checked(readers.Source('mine', splits, ()))

    assert checked(['a', 'b'], ('a', 'b')).feature_names == ('a', 'b')
    assert checked(None).feature_names == checked(()).feature_names == ()
    with pytest.raises(DataError, match='names, or in another order'):
        checked(('a', 'b'), ('b', 'a'))
    with pytest.raises(DataError, match='feature_names must be'):
        checked(('a', 'b', 'c'))
