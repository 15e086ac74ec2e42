"""Caltech-101 by its archive or folder: which photographs are in which split, and what is refused."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from conftest import results_of
from PIL import Image

import dataset
import inst
from evaluation import compressed
from inputs.caltech import LARGEST
from system.errors import DataError

TINY = inst.conv_vae_caltech_classify.vary(image_size=(8,))
KINDS = ('Faces_easy', 'BACKGROUND_Google', 'anchor')  # beside the ten largest


def photograph(shade: int) -> bytes:
    """Returns a JPEG, 20 x 14, of a slope of that shade."""
    slope = np.linspace(0, shade, 20)[None, :, None] + np.zeros((14, 1, 3))
    written = io.BytesIO()
    Image.fromarray(slope.astype(np.uint8)).save(written, 'JPEG')
    return written.getvalue()


@pytest.fixture(scope='module')
def files() -> dict[str, bytes]:
    """Ten pictures of each kind, of cut faces the last eight, and what else lies about."""
    made = {
        f'caltech101/{kind}/image_{i:04d}.jpg': photograph(20 * i + label)
        for label, kind in enumerate((*LARGEST, *KINDS))
        for i in range(2 * (kind == 'Faces_easy'), 10)
    }
    return made | {'caltech101/Faces/._image_0001.jpg': b'', 'caltech101/README': b'words'}


def written(folder: Path, files: dict[str, bytes], *others: tarfile.TarInfo) -> Path:
    """Writes an archive of the files and of other members, and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / 'caltech101.tar', 'w') as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in others:  # the headers alone
            archive.addfile(member)
    return folder


@pytest.fixture
def place(tmp_path, files, monkeypatch):
    """A data folder with the archive."""
    monkeypatch.delenv('DATASETS_DIR', raising=False)
    return written(tmp_path / 'data', files)


def splits_of(data: dataset.Dataset) -> dict[str, set[str]]:
    return {split: set(rows.files.tolist()) for split, rows in data.splits.items()}


def test_the_archive_and_its_folder_are_the_same_data(place, files, tmp_path):
    data = dataset.load(TINY, place)
    assert data.spec.classes == tuple(sorted(LARGEST)) and data.spec.shape == (8, 8, 3)
    counts = {name: np.bincount(rows.y).tolist() for name, rows in data.splits.items()}
    assert counts == {'train': [8] * 10, 'validation': [1] * 10, 'test': [1] * 10}
    assert [*place.iterdir()] == [place / 'caltech101.tar', place / 'records']  # not unpacked
    for name, content in files.items():
        (tmp_path / 'other' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'other' / name).write_bytes(content)
    other = dataset.load(TINY, tmp_path / 'other')
    assert other.digest == data.digest and splits_of(other) == splits_of(data)


def test_each_size_has_records_of_its_own(place):
    keys = {dataset.load(TINY.vary(image_size=(side,)), place).key for side in (8, 12)}
    assert len(keys) == 2 == len([*place.glob('records/*/manifest.json')])


def test_all_kinds_hold_out_the_photographs_of_the_ten_and_faces_once(place):
    ten = splits_of(dataset.load(TINY, place))
    every = dataset.load(TINY.vary(dataset='caltech101'), place)
    assert set(every.spec.classes) == {*LARGEST, 'Faces_easy', 'anchor'}
    assert sum(map(len, every.splits.values())) == 118
    for split, paths in splits_of(every).items():
        assert ten[split] <= paths
        for path in (path for path in paths if path.startswith('Faces_easy')):
            assert path.replace('_easy', '') in paths


@pytest.mark.parametrize(
    ('name', 'size', 'words'),
    [
        ('/etc/image.jpg', 0, 'leads out'),
        ('caltech101/watch/../../image.jpg', 0, 'leads out'),
        ('caltech101/watch/cut.jpg', 1 << 33, 'ends within'),
    ],
)
def test_a_member_that_is_no_picture_of_the_set_is_named(place, files, name, size, words):
    member = tarfile.TarInfo(name)
    member.size = size
    written(place, files, member)
    with pytest.raises(DataError, match=words) as raised:
        dataset.load(TINY, place)
    assert name in str(raised.value) and '\n' not in str(raised.value)


def test_links_are_left_out_and_told_of(place, files, capsys):
    link = tarfile.TarInfo('caltech101/watch/link.jpg')
    link.type, link.linkname = tarfile.SYMTYPE, '/etc/passwd'
    data = dataset.load(TINY, written(place, files, link))
    assert sum(map(len, data.splits.values())) == 100
    assert 'watch/link.jpg is left out: no plain file' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('cut', 'words'),
    [(slice(30_000), 'damaged'), (slice(0), 'damaged'), (None, 'needs the folder')],
)
def test_a_set_that_is_not_whole_is_one_line_of_error(place, files, cut, words):
    archive = place / 'caltech101.tar'
    if cut:
        archive.write_bytes(archive.read_bytes()[cut])
    else:
        written(place, {name: found for name, found in files.items() if 'watch' not in name})
    with pytest.raises(DataError, match=words) as raised:
        dataset.load(TINY, place)
    assert 'caltech101.tar' in str(raised.value) and '\n' not in str(raised.value)


def test_it_says_where_an_absent_set_was_looked_for(place, main):
    (place / 'caltech101.tar').unlink()
    code, _, err = main('--experiment=conv_ae_caltech', f'--data_dir={place}')
    assert code == 3 and f'{place}/caltech101.tar' in err and '--images' in err
    assert len(err.splitlines()) == 1


def test_a_run_is_scored_beside_jpeg_and_principal_components(place, main):
    code, _, err = main(
        '--experiment=conv_vae_caltech_classify', f'--data_dir={place}', '--set=image_size=64',
        '--set=filters=3,2', '--set=epochs=1', '--set=parts=1', f'--run_dir={place}/run',
    )  # fmt: skip
    assert code == 0, err
    found = results_of(place / 'run')['metrics']
    for quality in compressed.QUALITIES:
        assert found[f'test/jpeg{quality}_psnr'] > found['test/psnr']
    assert found['test/jpeg10_bytes'] < found['test/jpeg50_bytes']
    assert 40 < found['test/pca_components'] <= 79 and found['test/pca_mse'] < found['test/mse']
