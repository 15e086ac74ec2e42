"""Folders of pictures: what is recorded, that nothing is done twice, and what is wrong with them."""

import io
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import most, png_of, results_of
from PIL import Image

import dataset
import inst
from inputs import conversion, pictures, sources
from inputs.spec import Spec
from system.errors import DataError, Interrupted

SMALL = inst.conv_vae.vary(image_size=(12, 16), jpeg_quality=0)


def picture(width=20, height=15, colour=(200, 30, 90)):
    return Image.new('RGB', (width, height), colour)


@pytest.fixture
def folder(tmp_path):
    """A folder of two classes of pictures, 20 and 10, each of its own grey."""
    for name, count in (('a cat', 20), ('été', 10)):
        (tmp_path / 'mine' / name).mkdir(parents=True)
        for i in range(count):
            value = 5 * i + (100 if name == 'a cat' else 0)
            picture(colour=(value,) * 3).save(tmp_path / 'mine' / name / f'n° {i}.png')
    return tmp_path / 'mine'


def load(folder, data_dir, experiment=SMALL, **settings):
    pictures.listed.cache_clear()
    return dataset.load(experiment.vary(data_path=str(folder)), data_dir, **settings)


def test_classes_are_split_80_10_10_and_nothing_is_lost(folder, tmp_path):
    data = load(folder, tmp_path)
    assert data.spec == Spec((12, 16, 3), ('a cat', 'été'), (12, 16, 3))
    counts = {name: np.bincount(rows.y).tolist() for name, rows in data.splits.items()}
    assert counts == {'train': [16, 8], 'validation': [2, 1], 'test': [2, 1]}
    greys = sorted(int(v) for rows in data.splits.values() for v in rows.x[:, 0, 0, 0])
    assert greys == sorted([5 * i + 100 for i in range(20)] + [5 * i for i in range(10)])
    for rows in data.splits.values():
        assert all(
            (x[0, 0, 0] >= 100) == (y == 0) or y for x, y in zip(rows.x, rows.y, strict=True)
        )


def test_the_same_folder_is_recorded_once_and_a_changed_one_is_noticed(folder, tmp_path, capsys):
    load(folder, tmp_path)
    first = capsys.readouterr().out
    load(folder, tmp_path)
    assert 'writing the records' in first and 'writing' not in capsys.readouterr().out
    os.utime(folder / 'a cat' / 'n° 0.png', (1, 1))
    load(folder, tmp_path)
    assert 'before its files changed' in capsys.readouterr().out
    load(folder, tmp_path, SMALL.vary(image_size=(8,)))
    assert 'in another form' in capsys.readouterr().out


def test_folders_train_and_test_are_kept_as_the_splits(folder, tmp_path):
    for split in ('train', 'test'):
        (tmp_path / 'both' / split).mkdir(parents=True)
        for name in ('a cat', 'été'):
            os.symlink(folder / name, tmp_path / 'both' / split / name)
    found = pictures.listed(str(tmp_path / 'both'))
    sizes = {split: len(files) for split, files in found.splits.items()}
    assert sizes == {'train': 27, 'validation': 3, 'test': 30}


def test_a_flat_folder_has_no_labels(folder, tmp_path):
    found = pictures.listed(str(folder / 'a cat'))
    assert found.classes == () and found.splits['train'][0].label is None
    assert load(folder / 'a cat', tmp_path).splits['test'].y is None


def test_an_interrupted_write_goes_on_after_its_last_whole_shard(
    folder, tmp_path, monkeypatch, capsys
):
    whole = load(folder, tmp_path / 'whole')
    monkeypatch.setattr(pictures, 'SHARD', 6)
    monkeypatch.setattr(conversion, '_CHUNK', 2)
    monkeypatch.setattr(conversion.cores, 'number', lambda: 1)
    calls = []

    def check():
        calls.append(1)
        if len(calls) == 8:  # in the third shard
            raise Interrupted('stop', 2)

    with pytest.raises(Interrupted):
        load(folder, tmp_path, check=check)
    assert not list(tmp_path.glob('records/images*/manifest.json'))
    (aside,) = tmp_path.glob('records/.images*.writing')
    before = {file.name: file.stat().st_mtime_ns for file in aside.glob('[!.]*.tfrecord')}
    assert len(before) == 2
    other = aside.with_name('.images-mine-00000000.writing')  # as of other files in it
    other.mkdir()
    data = load(folder, tmp_path)
    out = capsys.readouterr().out
    assert 'goes on: 2 of 6 shards are there' in out
    assert f'{other} is of an interrupted recording, of other files or in another form' in out
    assert f'{aside} is of' not in out
    (made,) = tmp_path.glob('records/images*/manifest.json')
    for name, time in before.items():
        assert (made.parent / name).stat().st_mtime_ns == time
    shards = {file.stem for file in made.parent.glob('*.tfrecord')}
    left = {f.name for f in made.parent.iterdir() if f.suffix not in ('.npy', '.tfrecord')}
    assert left == {'manifest.json', *(f'{shard}.files.json' for shard in shards)}
    for split, rows in data.splits.items():
        np.testing.assert_array_equal(rows.x, whole.splits[split].x)


def test_several_processes_record_what_one_does(folder, tmp_path, monkeypatch):
    one = load(folder, tmp_path / 'one')
    monkeypatch.setattr(conversion, '_CHUNK', 3)
    monkeypatch.setattr(conversion.cores, 'number', lambda: 2)
    two = load(folder, tmp_path / 'two')
    assert one.digest == two.digest


def test_pictures_of_every_mode_become_colour_or_grey(tmp_path):
    ramp = Image.fromarray(np.arange(240, dtype=np.uint8).reshape(12, 20))
    clear = Image.new('RGBA', (20, 12), (0, 0, 0, 0))
    deep = Image.fromarray((np.arange(240).reshape(12, 20) * 257).astype(np.uint16))
    turned = Image.Exif()
    turned[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    wide = Image.fromarray(np.repeat([[0], [255]], 6, axis=0).repeat(20, axis=1).astype(np.uint8))
    saved = {
        'grey.png': (ramp, {}), 'palette.gif': (picture(20, 12).quantize(4), {}),
        'cmyk.jpg': (picture(20, 12).convert('CMYK'), {'quality': 95}), 'clear.png': (clear, {}),
        'deep.png': (deep, {}), 'turned.jpg': (wide, {'exif': turned, 'quality': 95}),
        'flat.bmp': (picture(20, 12), {}),
    }  # fmt: skip
    made = {}
    for name, (image, settings) in saved.items():
        image.save(tmp_path / name, **settings)
        made[name] = np.asarray(conversion.fitted(tmp_path / name, (12, 20, 3)), int)
    np.testing.assert_array_equal(made['grey.png'], np.asarray(ramp)[..., None].repeat(3, axis=2))
    np.testing.assert_array_equal(made['deep.png'], made['grey.png'])
    assert (made['clear.png'] == 255).all()
    for name in ('palette.gif', 'cmyk.jpg', 'flat.bmp'):
        assert np.abs(made[name] - (200, 30, 90)).max() <= 6
    left, right = made['turned.jpg'][:, :8].mean(), made['turned.jpg'][:, -8:].mean()
    assert left > 200 and right < 55  # black above white, turned clockwise: white is left
    assert np.asarray(conversion.fitted(tmp_path / 'flat.bmp', (5, 4, 1))).shape == (5, 4)


def test_the_aspect_is_kept_and_the_middle_cut_out(tmp_path):
    image = np.zeros((10, 40, 3), np.uint8)
    image[:, 15:25] = 255
    Image.fromarray(image).save(tmp_path / 'wide.png')
    assert (np.asarray(conversion.fitted(tmp_path / 'wide.png', (10, 10, 3))) == 255).all()


def test_jpeg_records_are_what_pillow_encoded_and_stay_on_disk_above_the_budget(folder, tmp_path):
    rough = SMALL.vary(jpeg_quality=90, cache_bytes=0)
    for i, file in enumerate(sorted((folder / 'été').iterdir())):
        noise = np.random.default_rng(i).integers(0, 256, (4, 5, 3), np.uint8)
        Image.fromarray(noise).resize((20, 15)).save(file)
    data = load(folder, tmp_path, rough)
    rows = data.splits['train']
    assert not isinstance(rows.x, np.ndarray) and rows.x.shape == (24, 12, 16, 3)
    settings = conversion.Settings((12, 16, 3), 90)
    files = pictures.listed(str(folder)).splits['train']
    decoded = [
        np.asarray(Image.open(io.BytesIO(conversion.encoded(folder / file.path, settings))))
        for file in files
    ]
    np.testing.assert_array_equal(rows.x[:], np.stack(decoded))
    chosen = np.array([7, 3, 4, 5, 23, 0])
    np.testing.assert_array_equal(rows.take(chosen).x[1:4], np.stack(decoded)[chosen[1:4]])
    np.testing.assert_array_equal(rows.take(chosen).y, rows.y[chosen])


def test_damage_found_while_streaming_names_file_and_offset(folder, tmp_path, main):
    flags = ('--experiment=conv_ae', f'--images={folder}', '--set=image_size=12,16')
    flags += ('--set=filters=2,2', '--set=code_size=2', '--set=epochs=1', '--set=cache_bytes=0')
    load(folder, tmp_path / 'd', SMALL.vary(jpeg_quality=90))
    (shard,) = (tmp_path / 'd').glob('records/images*/train*.tfrecord')
    content = bytearray(shard.read_bytes())
    content[-40] ^= 1
    shard.write_bytes(content)
    code, _, err = main(*flags, f'--data_dir={tmp_path}/d', f'--run_dir={tmp_path}/run')
    assert code == 3 and 'damaged record at offset' in err and shard.name in err
    assert len(err.splitlines()) == 1


def bomb() -> bytes:
    """Returns a PNG of a few hundred bytes that claims 30,000 x 30,000 pixels."""
    return png_of(30_000, 30_000, 2, (b'IDAT', zlib.compress(b'0' * 900)))


def truncated() -> bytes:
    written = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(written, 'JPEG')
    return written.getvalue()[:700]


UNREADABLE = {
    'text.png': (b'just words', 'not a picture'),
    'short.jpg': (truncated(), 'truncated'),
    'huge.png': (bomb(), '900000000 pixels'),
    'empty.gif': (b'', 'not a picture'),
}


@pytest.mark.parametrize('name', UNREADABLE)
def test_an_unreadable_picture_is_listed_and_counted(folder, tmp_path, name, capsys):
    content, words = UNREADABLE[name]
    (folder / 'a cat' / name).write_bytes(content)
    data = load(folder, tmp_path)
    assert sum(map(len, data.splits.values())) == 30
    assert f'a cat/{name} is left out' in capsys.readouterr().out
    (manifest,) = tmp_path.glob('records/images*/manifest.json')
    assert words in dataset.read_manifest(manifest.parent)['unreadable'][f'a cat/{name}']


def broken(folder: Path, count: int) -> None:
    for i in range(count):
        (folder / 'a cat' / f'bad{i}.png').write_bytes(b'words')


BAD_FOLDERS = {
    'empty': (lambda f: [p.unlink() for p in f.rglob('*.png')], 'no pictures there'),
    'nothing readable': (
        lambda f: [p.write_bytes(b'no') for p in f.rglob('*.png')], '30 of 30 pictures cannot be read'
    ),
    'too many unreadable': (lambda f: broken(f, 2), '2 of 32 pictures cannot be read, over 5%'),
    'beside': (lambda f: picture().save(f / 'stray.png'), 'stray.png lies beside'),
}  # fmt: skip


@pytest.mark.parametrize('name', BAD_FOLDERS)
def test_a_bad_folder_is_one_line_and_leaves_no_data_set(folder, main, tmp_path, name):
    spoil, words = BAD_FOLDERS[name]
    spoil(folder)
    pictures.listed.cache_clear()
    flags = ('--experiment=conv_ae', '--set=image_size=8', f'--images={folder}')
    code, _, err = main(*flags, f'--data_dir={tmp_path}/d')
    assert code == 3 and words in err and len(err.splitlines()) == 1
    assert not list((tmp_path / 'd').glob('records/*/manifest.json'))


def test_links_in_a_loop_are_told_and_a_class_of_one_picture_is_learned(folder, tmp_path, capsys):
    os.symlink('..', folder / 'a cat' / 'again')
    os.symlink('nowhere.png', folder / 'a cat' / 'gone.png')
    os.symlink('self.png', folder / 'a cat' / 'self.png')
    (folder / 'one').mkdir()
    picture().save(folder / 'one' / 'only.png')
    data = load(folder, tmp_path)
    out = capsys.readouterr().out
    assert 'a cat/again is left out: a link to a folder that it lies in' in out
    assert 'a cat/gone.png is left out: No such file' in out and 'a cat/self.png' in out
    assert np.bincount(data.splits['train'].y).tolist() == [16, 1, 8]


def test_no_folder_is_a_usage_error(main, tmp_path):
    code, _, err = main('--experiment=conv_vae', f'--images={tmp_path}/none')
    assert code == 2 and 'no such folder' in err
    code, _, err = main('--experiment=conv_vae')
    assert code == 2 and '--images=DIR' in err
    code, _, err = main('--experiment=conv_vae', '--images=a', '--array=b')
    assert code == 2 and 'one source of data' in err


def test_labels_without_classes_are_refused(folder, main, tmp_path):
    code, _, err = main(
        '--experiment=conv_vae_classify', f'--images={folder}/a cat', f'--data_dir={tmp_path}/d',
        '--set=image_size=8',
    )  # fmt: skip
    assert code == 3 and 'needs labels' in err and 'folders by class' in err


def test_a_jointly_trained_classifier_labels_new_pictures(folder, main, tmp_path):
    flags = ('--set=image_size=12', '--set=filters=4,4', '--set=code_size=4', '--set=epochs=2')
    run = f'--run_dir={tmp_path}/run'
    code, out, err = main('--experiment=conv_vae_classify', f'--images={folder}', *flags, run)
    assert code == 0, err
    assert 'accuracy' in out and not err
    code, out, err = main('--mode=predict', run, f'--images={folder}/a cat')
    assert code == 0, err
    (file,) = (tmp_path / 'run').glob('predictions-*a cat*.csv')
    lines = file.read_text().splitlines()
    assert len(lines) == 21 and lines[0].startswith('index,file,label,probability,')
    code, out, err = main('--mode=evaluate', run, f'--images={folder}')
    assert code == 0, err
    code, out, err = main('--mode=encode', run, f'--images={folder}')
    assert code == 0, err


@pytest.mark.parametrize('name', most(['lstm_reconstruct', 'conv_ae'], 'conv_ae'.__eq__))
def test_a_finished_run_reads_its_pictures_as_it_did(folder, main, tmp_path, name):
    """Also one that takes their rows as steps, and knows them by another shape."""
    flags = ('--set=image_size=6,8', '--set=epochs=1', '--nofigures', f'--images={folder}')
    small = '--set=hidden=3' if name == 'lstm_reconstruct' else '--set=filters=2'
    code, _, err = main(f'--experiment={name}', small, *flags, f'--run_dir={tmp_path}/run')
    assert code == 0, err
    code, _, err = main('--mode=encode', f'--run_dir={tmp_path}/run')
    assert code == 0, err
    assert (tmp_path / f'run/codes-{results_of(tmp_path / "run")["dataset"]}.npz').exists()


def test_cifar10_is_read_from_its_archive(tmp_path, monkeypatch):
    import tarfile

    monkeypatch.delenv('DATASETS_DIR', raising=False)
    (tmp_path / 'data').mkdir()
    with tarfile.open(tmp_path / 'data' / 'cifar10-images.tar.gz', 'w:gz') as archive:
        for split, count in (('train', 20), ('test', 10)):
            for label, name in enumerate(('cat', 'ship')):
                for i in range(count):
                    written = io.BytesIO()
                    picture(32, 32, (100 * label, 0, 0)).save(written, 'JPEG')
                    member = tarfile.TarInfo(f'cifar10-images/{split}/{name}/{i:04d}.jpg')
                    member.size = len(written.getvalue())
                    archive.addfile(member, io.BytesIO(written.getvalue()))
    data = dataset.load(inst.conv_vae_cifar, tmp_path / 'data')
    sizes = {name: len(rows) for name, rows in data.splits.items()}
    assert sizes == {'train': 36, 'validation': 4, 'test': 20}
    assert data.spec.classes == ('cat', 'ship') and data.spec.shape == (32, 32, 3)
    assert (data.splits['test'].x[..., 0].mean(axis=(1, 2)) > 50).astype(int).tolist() == (
        data.splits['test'].y.tolist()
    )
    for rows in data.splits.values():  # the first of them are taken for all
        assert len({*rows.y[: len(rows) // 2].tolist()}) == 2


def test_the_original_cifar10_has_a_name_of_its_own(tmp_path, monkeypatch, capsys):
    """`cifar10` is that where there are no files, which is said."""
    x = np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3)).astype(np.uint8)
    rows, tested = (sources.Examples(x[k : k + 40], np.arange(40) % 2) for k in (0, 20))
    asked = []

    def downloaded(name, *_):
        asked.append(name)
        return {'train': rows, 'test': tested.take(slice(20, 40))}

    monkeypatch.setattr(sources, '_keras', downloaded)
    monkeypatch.setattr(sources, 'places_of', lambda data_dir, *names: [tmp_path / 'none'])
    original = inst.conv_vae_cifar.vary(dataset='cifar10_original')
    dataset.load(original, tmp_path)
    assert asked == ['cifar10_original'] and 'warning' not in capsys.readouterr().out
    dataset.load(inst.conv_vae_cifar, tmp_path)
    assert 'warning: cifar10: the original pictures' in capsys.readouterr().out
    assert dataset.key_of(original) != dataset.key_of(inst.conv_vae_cifar)


def test_a_data_error_is_raised_for_an_archive_that_is_none(tmp_path, monkeypatch):
    monkeypatch.delenv('DATASETS_DIR', raising=False)
    (tmp_path / 'cifar10-images.tar.gz').write_bytes(b'not an archive')
    with pytest.raises(DataError, match='damaged archive'):
        dataset.load(inst.conv_vae_cifar, tmp_path)


def test_one_folder_around_all_is_warned_of(folder, tmp_path, capsys):
    (tmp_path / 'all').mkdir()
    folder.rename(tmp_path / 'all' / 'mine')
    load(tmp_path / 'all', tmp_path, inst.conv_ae.vary(image_size=(12, 16), jpeg_quality=0))
    (told,) = [line for line in capsys.readouterr().out.splitlines() if 'one folder' in line]
    assert told.startswith('warning: ') and f'name {tmp_path}/all/mine' in told


def test_test_pictures_without_classes_are_for_predict(folder, tmp_path):
    (tmp_path / 'all' / 'test').mkdir(parents=True)
    folder.rename(tmp_path / 'all' / 'train')
    picture().save(tmp_path / 'all' / 'test' / '1.png')
    with pytest.raises(
        DataError, match=r'test/1.png is of no class.*all/train, to be split.*predict'
    ):
        load(tmp_path / 'all', tmp_path)


def test_pictures_that_are_left_out_are_told_of_again(folder, tmp_path, capsys):
    (folder / 'a cat' / 'broken.png').write_bytes(b'no picture')
    for times in (1, 0, 0):
        load(folder, tmp_path)
        assert capsys.readouterr().out.count('a cat/broken.png is left out') == times
    dataset._TOLD.clear()  # as in another process
    for times in (1, 0):
        load(folder, tmp_path)
        assert capsys.readouterr().out.count('a cat/broken.png is left out') == times
