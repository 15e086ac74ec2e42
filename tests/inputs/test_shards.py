"""Records on disk: read in pieces of any size, with few files open, and where nobody may write."""

import os

import numpy as np
import pytest

import dataset
import inst
from inputs import shards, sources
from system.errors import UsageError

TABLE = np.random.default_rng(0).random((40, 3)).astype(np.float32)


@pytest.fixture
def records(tmp_path):
    """Forty rows in four shards."""
    files, indices = [], []
    for number in range(4):
        file = tmp_path / f'{number}.tfrecord'
        rows = TABLE[10 * number : 10 * number + 10]
        shards.write_shard(
            file, (shards.Entry(row.tobytes(), None, i) for i, row in enumerate(rows))
        )
        files.append(file)
        indices.append(np.load(file.with_suffix('.npy')))
    return shards.Records(files, indices, shards.Form((3,), 'float32'), 'remove them')


def test_a_read_that_returns_less_than_was_asked_goes_on(records, monkeypatch):
    monkeypatch.setattr(shards, '_AT_ONCE', 7)
    np.testing.assert_array_equal(records[:], TABLE)
    (records._files[2]).write_bytes(records._files[2].read_bytes()[:-5])
    records.close()
    with pytest.raises(shards.DataError, match='2.tfrecord: damaged record at offset'):
        records[:]


def test_few_files_stay_open_and_none_when_nobody_reads(records, monkeypatch):
    monkeypatch.setattr(shards, '_HELD', 2)
    before = len(os.listdir('/proc/self/fd'))
    for _ in range(2):
        np.testing.assert_array_equal(records.take(np.arange(40)[::-1])[:], TABLE[::-1])
        assert len(os.listdir('/proc/self/fd')) == before + 2
    held = records._opened._held
    del records._opened
    assert not held and len(os.listdir('/proc/self/fd')) == before


@pytest.fixture
def asked(tmp_path):
    np.savez(tmp_path / 't.npz', x=TABLE)
    experiment = inst.basic.vary(dataset='array', data_path=str(tmp_path / 't.npz'))
    return experiment, tmp_path / 'data'


def test_records_that_are_there_are_read_where_nobody_may_write(asked, monkeypatch):
    experiment, data_dir = asked
    wanted = dataset.load(experiment, data_dir)

    def refused(*_):
        raise PermissionError(13, 'Permission denied', str(data_dir))

    monkeypatch.setattr(dataset, '_locked', refused)
    dataset._kept.cache_clear()
    found = dataset.load(experiment, data_dir)
    assert found.digest == wanted.digest


@pytest.mark.parametrize('whose', ['data', 'home'])
def test_what_cannot_be_read_is_not_called_unwritten(asked, monkeypatch, tmp_path, whose):
    experiment, data_dir = asked

    def refused(*_, **__):
        raise PermissionError(13, 'Permission denied', str(tmp_path / whose / 'x'))

    monkeypatch.setattr(dataset.recording, 'write', refused)
    words = '--data_dir=.*: cannot be written' if whose == 'data' else '/home/x: cannot be read'
    with pytest.raises(UsageError, match=words):
        dataset.load(experiment, data_dir)


def test_who_has_no_home_has_data_elsewhere(monkeypatch, tmp_path):
    monkeypatch.delenv('HOME')
    monkeypatch.setattr('pwd.getpwuid', lambda uid: {}[uid])
    assert sources.places_of(tmp_path, 'mnist.npz')[0] == tmp_path / 'mnist.npz'
