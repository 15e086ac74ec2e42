"""What is held out stays so: splits that are told, rows that are in two, arrays that are not read."""

import types

import numpy as np
import pytest

import dataset
import inst
from inputs import conversion, foreign, pictures, readers, sources
from inputs.labels import as_given
from inputs.sources import Examples, Source
from inputs.splits import repeats
from system.errors import DataError, UsageError


@pytest.fixture
def make(tmp_path):
    """Returns a function that makes a folder of empty files, so many in each of these folders."""

    def made(**counts):
        for place, count in counts.items():
            folder = tmp_path / 'p' / place.replace('__', '/')
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f'{number}.png').touch()
        return str(tmp_path / 'p')

    return made


def test_splits_within_classes_are_said_to_be_none(make):
    told = pictures.listed(make(cat__train=9, cat__test=3, dog__train=9, dog__test=3)).told
    (line,) = (line for line in told if line.startswith('warning'))
    assert 'cat/test/ and cat/train/ and dog/test/ and dog/train/ are taken together' in line


def test_a_train_that_is_taken_for_a_class_is_said(make):
    told = pictures.listed(make(train__a=9, eval__a=3)).told
    assert told[0] == 'warning: train/ is taken for a class, as eval/ lies beside it'


def test_a_test_beside_other_classes_may_be_one(make):
    assert not any('warning' in line for line in pictures.listed(make(test=9, exam=9)).told)


@pytest.mark.parametrize('name', ['splits', 'Fold', 'partition'])
def test_a_split_by_another_name_is_an_error(name, tmp_path):
    np.savez(tmp_path / 'a.npz', x=np.ones((4, 2)), **{name: np.array(['train'] * 4)})
    with pytest.raises(DataError, match=f'{name} is not read; save it as split'):
        sources.whole_array(str(tmp_path / 'a.npz'))


def test_examples_that_are_tested_and_trained_on_are_counted(tmp_path, capsys):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(60, 3))
    split = np.array(['train'] * 40 + ['test'] * 20)
    x[40:47] = x[:7]
    for name, rows in (('seven', x), ('none', draw.normal(size=(60, 3)))):
        np.savez(tmp_path / f'{name}.npz', x=rows, split=split)
        asked = inst.basic.vary(dataset='array', data_path=str(tmp_path / f'{name}.npz'))
        dataset.load(asked, tmp_path / 'data')
        said = (
            '7 of 20 test examples are in train too, byte for byte: scores'
            in capsys.readouterr().out
        )
        assert said == (name == 'seven')
        dataset.load(asked, tmp_path / 'data')
        assert 'in train too' not in capsys.readouterr().out  # once in a process


def test_records_are_the_same_by_bytes_and_sum():
    trained = np.array([[8, 1], [8, 2], [9, 3]])
    assert repeats(trained, np.array([[8, 2], [9, 2], [9, 3], [8, 1 << 31]])) == 2


def test_a_readers_rows_by_class_are_mixed(tmp_path, monkeypatch):
    """The first of a split stand for all of it, where classes are told apart among others."""
    y = np.repeat(np.arange(4), 50)
    rows = Examples(y[:, None] * 1.0, y)
    found = readers._checked(Source('mine', {'train': rows, 'test': rows}, tuple('abcd')))
    monkeypatch.setitem(sources.SOURCES, 'iris', lambda _: found)
    for rows in dataset.load(inst.basic.vary(dataset='iris'), tmp_path).splits.values():
        assert len({*rows.y[:40].tolist()}) == 4 and (rows.x[:, 0] == rows.y).all()
        assert (y[rows.places] == rows.y).all()


@pytest.mark.parametrize('shares', [(0.5, 0.1, 0.1), (1.2, -0.1, -0.1)])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(UsageError, match='add up to 1'):
        readers.split(Examples(np.ones((9, 1)), np.arange(9) % 2), shares)


def test_times_in_series_are_looked_at_as_those_in_tables_are():
    x, length = np.zeros((6, 5, 2)), np.array([5, 4, 3, 5, 5, 5])
    x[..., 1] = 1.7e9 + np.arange(30).reshape(6, 5)
    x[np.arange(5) >= length[:, None]] = 0  # padding, whose values count for nothing
    with pytest.raises(DataError, match=r'x\[\.\.\., 1\] -= 1700000000 mends it'):
        sources.of_arrays(x, length=length, trains=True)
    x[..., 1] -= 1700000000
    sources.of_arrays(x, length=length, trains=True)


@pytest.mark.parametrize(
    ('x', 'words'),
    [
        ('mine.npz', 'of a file, give what is in it'),
        (None, 'it holds object'),
        ([[10**400, 1]], "as '1000.*' in row 0, column 0"),
    ],
    ids=['a path', 'nothing', 'huge'],
)
def test_what_is_no_array_is_one_line(x, words):
    with pytest.raises(DataError, match=words):
        sources.of_arrays(np.asarray(x, object) if isinstance(x, list) else x)


def test_labels_of_unequal_lengths_are_one_line():
    with pytest.raises(DataError, match=r'neither all names nor all numbers, as \[1\] in row 0'):
        sources.of_arrays(np.ones((2, 3)), [[1], [2, 3]])
    assert as_given([1, 2]).tolist() == [1, 2]


def test_no_memory_is_no_damage(tmp_path, monkeypatch):
    np.savez(tmp_path / 'a.npz', x=np.ones((4, 2)))

    def fails(*_):
        raise MemoryError

    monkeypatch.setattr(foreign, '_plain', fails)
    with pytest.raises(MemoryError):
        foreign.read_npz(str(tmp_path / 'a.npz'))


def test_a_picture_that_could_not_be_opened_this_time_is_not_left_out(monkeypatch):
    """As without a file left to open; while one that may not be read is."""
    import errno

    def fails(number):
        def raises(*_):
            raise OSError(number, 'words')

        return raises

    settings = types.SimpleNamespace()
    monkeypatch.setattr(conversion, 'encoded', fails(errno.EACCES))
    assert conversion._convert('f', [('a.png', None, None)], settings) == ['words']
    monkeypatch.setattr(conversion, 'encoded', fails(errno.EMFILE))
    with pytest.raises(OSError, match='words') as raised:
        conversion._convert('f', [('a.png', None, None)], settings)
    assert raised.value.filename == 'f/a.png'
