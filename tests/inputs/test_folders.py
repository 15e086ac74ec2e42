"""Folders of pictures: which of them are splits, what is not read, and what is said of it."""

import contextlib
import errno
import itertools
import os

import pytest
from PIL import Image

import dataset
import inst
from inputs import conversion, folders, pictures
from system.errors import DataError, UsageError

SMALL = inst.conv_vae.vary(image_size=(8,), jpeg_quality=0)
SMALL_SETTINGS = conversion.Settings((8, 8, 3), 0)


@pytest.fixture
def make(tmp_path):
    """Returns a function that makes a folder: {place in it: how many pictures}; all are alike."""

    def made(places: dict[str, int], ending: str = 'png'):
        pictures.listed.cache_clear()
        pictures.announced.cache_clear()
        pictures.everything.cache_clear()
        for place, count in places.items():
            (tmp_path / 'mine' / place).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                Image.new('RGB', (9, 8), (i, 0, 0)).save(
                    tmp_path / 'mine' / place / f'{i}.{ending}'
                )
        return str(tmp_path / 'mine')

    return made


def by_split(found) -> dict[str, int]:
    return {split: len(made) for split, made in found.splits.items()}


ARRANGED = {  # folders at the top, and the splits that come of them
    'train valid test': {'train': 20, 'validation': 5, 'test': 5},
    'Training VAL Testing': {'train': 20, 'validation': 5, 'test': 5},
    'train dev test': {'train': 20, 'validation': 5, 'test': 5},
    'TRAIN validation': {'train': 18, 'validation': 5, 'test': 2},
    'training testing': {'train': 18, 'validation': 2, 'test': 5},
    'train': {'train': 16, 'validation': 2, 'test': 2},
    'train val valid test': {'train': 20, 'validation': 10, 'test': 5},
}


@pytest.mark.parametrize('tops', ARRANGED)
@pytest.mark.parametrize('inner', [('',), ('/a', '/b')])
def test_folders_named_like_splits_are_the_splits(make, tops, inner):
    places = {
        f'{top}{name}': (20 if top.lower().startswith('train') else 5) // len(inner) + i
        for top in tops.split()
        for i, name in enumerate(inner)
    }
    found = pictures.listed(make(places))
    assert found.classes == (() if inner == ('',) else ('a', 'b'))
    if inner == ('',):
        assert by_split(found) == ARRANGED[tops]
    tops_of = {path.split('/')[0] for path, *_ in found.splits['train']}
    assert all(top.lower().startswith('train') for top in tops_of)


def test_two_folders_for_one_split_and_a_split_without_one_are_told(make):
    path = make({'train': 20, 'val': 5, 'valid': 5})
    told = pictures.listed(path).told
    assert (
        told[0] == f'{path}: val/ and valid/ are both the validation split, and are taken together'
    )
    assert told[1] == f'{path}: no folder for test: a tenth of train/ is taken'


def test_splits_without_one_to_be_trained_on_are_an_error(make):
    with pytest.raises(DataError, match=r'has test/ and val/, but no train/ to be trained on'):
        pictures.listed(make({'test/a': 6, 'val/a': 6}))


def test_splits_beside_other_folders_are_classes_and_this_is_said(make):
    found = pictures.listed(make({'train': 6, 'test': 6, 'more': 6}))
    assert found.classes == ('more', 'test', 'train')
    assert 'test/ and train/ are taken for classes, as more/ lies beside them' in found.told[0]


def fixed(path: str) -> None:
    """Gives every picture the same size and time of change."""
    for folder, _, files in os.walk(path):
        for file in files:
            with open(f'{folder}/{file}', 'wb') as opened:
                opened.write(b'x' * 100)
            os.utime(f'{folder}/{file}', (1, 1))


KNOWN = {  # folders that were listed so from the first, and the digest that they had
    'flat': ({'': 30}, '2f7ee24085d7a2bd 6.png|28.png|23.png'),
    'classes': ({'a': 20, 'b': 10}, '77b2c7c2a3911f6e a/19.png|a/6.png|a/16.png'),
    'both splits': (
        {'train/a': 20, 'train/b': 8, 'test/a': 3, 'test/b': 3},
        'f789a0549b768849 train/a/2.png|train/a/16.png|test/a/0.png',
    ),
    'all splits': (
        {'train': 20, 'val': 8, 'test': 3},
        'beeb91da7a5205d3 train/8.png|val/3.png|test/1.png',
    ),
}


@pytest.mark.parametrize('name', KNOWN)
def test_a_folder_that_was_recorded_before_has_the_digest_and_order_that_it_had(make, name):
    places, digest = KNOWN[name]
    path = make(places)
    fixed(path)
    found = pictures.listed(path)
    first = '|'.join(made[0].path for made in found.splits.values())
    assert f'{found.digest} {first}' == digest


@pytest.mark.parametrize('places', [{'train/a': 9, 'val/a': 9}, {str(i): 4 for i in range(10)}])
def test_a_folder_that_is_listed_otherwise_than_before_has_another_digest(make, places):
    """So that records of the earlier listing are not taken for it."""
    path = make(places)
    fixed(path)
    from inputs.folders import digest_of, found_in

    assert pictures.listed(path).digest != digest_of(found_in(path, pictures.ENDINGS), '')


def test_ten_classes_of_four_are_split_over_the_whole_set(make):
    found = pictures.listed(make({str(i): 4 for i in range(10)}))
    assert by_split(found) == {'train': 32, 'validation': 4, 'test': 4}
    assert {p.label for p in found.splits['train']} == set(range(10))


@pytest.mark.parametrize('ending', ['webp', 'tif', 'TIFF', 'jfif', 'jpe'])
def test_other_kinds_of_files_are_read(make, tmp_path, ending):
    path = make({'a': 6, 'b': 6}, ending)
    data = dataset.load(SMALL.vary(data_path=path), tmp_path)
    assert sum(map(len, data.splits.values())) == 12


def touched(folder, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b'some')


def test_files_that_are_not_read_are_counted_by_folder(make, tmp_path, capsys):
    path = make({'cats': 6, 'dogs': 6})
    touched(tmp_path / 'mine/cats', *(f'{i}.heic' for i in range(20)), 'Thumbs.db', '.DS_Store')
    touched(tmp_path / 'mine', 'labels.txt', 'README', 'desktop.ini')
    touched(tmp_path / 'mine/birds', '1.avif', '2.AVIF')
    for _ in range(2):
        dataset.load(SMALL.vary(data_path=path), tmp_path)
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith('warning')] == [
        'warning: 2 files of the folder itself are not read (.txt, no ending)',
        'warning: nothing of birds/ is read, 2 files (.avif)',
        'warning: 20 files of cats/ are not read (.heic)',
    ]


def test_a_folder_of_unread_files_alone_says_what_they_are(make, tmp_path):
    touched(tmp_path / 'mine', '1.heic', '2.heic')
    with pytest.raises(DataError, match=r'no pictures there \(its 2 files are \.heic; read are'):
        pictures.listed(make({}))


def test_classes_are_told_once_with_their_counts(make, tmp_path, capsys):
    path = make({'a': 20, 'b': 10})
    for _ in range(2):
        dataset.load(SMALL.vary(data_path=path), tmp_path)
    line = f'{path}: 30 pictures in 2 classes, train/validation/test 24/3/3: a 16/2/2, b 8/1/1'
    assert capsys.readouterr().out.count(line) == 1


@pytest.mark.parametrize('load', [dataset.load, dataset.whole])
def test_each_line_of_a_folder_of_any_name_is_one_line(make, tmp_path, capsys, load):
    path = make({'a\nb': 5, os.fsdecode(b'\xff'): 5})
    touched(tmp_path / 'mine' / 'a\nb', 'read\nme.txt')
    load(SMALL.vary(data_path=path), tmp_path / os.fsdecode(b'data\n\xff'))
    said = capsys.readouterr().out.splitlines()
    assert all(line.startswith((path, 'warning: ', 'writing ')) for line in said)
    assert all(map(str.isprintable, said)) and said[-1].startswith('writing ')


def test_of_many_classes_the_first_are_told(make):
    told = pictures.listed(make({f'{i:02}': 1 for i in range(50)})).told
    assert len(told) == 1 and told[0].endswith(', and 40 more') and '09 0/0/1' in told[0]


def test_float_pictures_are_left_out_with_the_reason(tmp_path):
    Image.new('F', (8, 8), 0.5).save(tmp_path / 'a.tif')
    with pytest.raises(ValueError, match='floating-point'):
        conversion.fitted(tmp_path / 'a.tif', (8, 8, 3))


BROKEN = {  # blocks of EXIF whose reading raises one thing or another
    'no TIFF': b'Exif\0\0rubbish and no end',
    'cut': b'Exif\0\0II*\0\x08\0\0\0\x05\0',
    'empty': b'Exif\0\0',
    'far': b'Exif\0\0MM\0*\xff\xff\xff\xf0',
    'odd type': b'Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x63\0\xff\xff\xff\x7f\xff\xff\xff\x7f\0\0\0\0',
    'text': b'Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x03\0\0\0ab\0\0\0\0\0\0',
}


@pytest.mark.parametrize('name', BROKEN)
def test_a_picture_whose_exif_is_damaged_is_read_without_it(tmp_path, name):
    plain = Image.linear_gradient('L')
    plain.save(tmp_path / 'whole.jpg')
    plain.save(tmp_path / 'broken.jpg', exif=BROKEN[name])
    made = [conversion.fitted(tmp_path / f'{file}.jpg', (9, 9, 1)) for file in ('whole', 'broken')]
    assert made[0].tobytes() == made[1].tobytes()


@pytest.mark.parametrize('turn', range(1, 9))
def test_a_picture_is_put_upright_as_pillow_does_it(tmp_path, turn):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = turn
    Image.linear_gradient('L').resize((20, 12)).rotate(30).save(tmp_path / 'a.png', exif=exif)
    with Image.open(tmp_path / 'a.png') as opened:
        upright = ImageOps.exif_transpose(opened)
    made = conversion.fitted(tmp_path / 'a.png', (upright.height, upright.width, 1))
    assert made.tobytes() == upright.tobytes()


WHOLE = {  # what lies below a folder -> (path, class) of its pictures, in order
    'one': ({'': 1}, ['0.png'], None),
    'nested': ({'': 1, 'b/c': 1, 'a': 1}, ['0.png', 'a/0.png', 'b/c/0.png'], None),
    'classes': ({'b/deep': 1, 'a': 2}, ['a/0.png', 'a/1.png', 'b/deep/0.png'], ['a', 'a', 'b']),
    'order': ({'a b': 1, 'a': 1}, ['a b/0.png', 'a/0.png'], ['a b', 'a']),
    'splits': ({'train/a': 1, 'test/b': 1}, ['test/b/0.png', 'train/a/0.png'], ['b', 'a']),
    'one split': ({'Testing/b': 1}, ['Testing/b/0.png'], ['b']),
    'flat splits': ({'train': 1, 'test': 1}, ['test/0.png', 'train/0.png'], None),
    'some beside': ({'train/a': 1, 'test': 1}, ['test/0.png', 'train/a/0.png'], None),
}


@pytest.mark.parametrize('name', WHOLE)
def test_everything_below_a_folder_is_one_split_in_the_order_of_the_paths(make, name):
    places, paths, labels = WHOLE[name]
    found = pictures.everything(make(places))
    assert list(found.splits) == ['all']
    assert [picture.path for picture in found.splits['all']] == paths
    if labels is None:
        assert found.classes == () and {p.label for p in found.splits['all']} == {None}
    else:
        assert found.classes == tuple(sorted(set(labels)))
        assert [found.classes[p.label] for p in found.splits['all']] == labels


def test_everything_has_a_digest_of_its_own_that_changes_with_the_files(make):
    path = make({'a': 12})
    before = pictures.everything(path).digest
    assert before != pictures.listed(path).digest
    assert pictures.everything(make({'a': 12})).digest != before


def test_hidden_files_and_folders_are_no_part_of_everything(make, tmp_path):
    path = make({'a': 1, '.hidden': 1})
    (tmp_path / 'mine/a/._0.png').write_bytes(b'some')
    assert [picture.path for picture in pictures.everything(path).splits['all']] == ['a/0.png']


def test_everything_of_nothing_is_an_error(make, tmp_path):
    with pytest.raises(UsageError, match='no such folder'):
        pictures.everything(f'{tmp_path}/none')
    with pytest.raises(DataError, match='no pictures there'):
        pictures.everything(make({'a': 0}))


def test_pipes_are_no_pictures_and_folders_may_nest_deep(make, tmp_path):
    path = make({'a': 3, 'b': 3})
    deep = [f'{path}/b' + '/d' * depth for depth in range(1, 1000)]
    for i in range(3):
        os.mkfifo(tmp_path / f'mine/a/{i}.jpg')
    for folder in deep:
        os.mkdir(folder)
    os.rename(f'{path}/b/0.png', f'{deep[-1]}/0.png')
    try:
        found = pictures.listed(path)
        assert sum(by_split(found).values()) == 6
        assert list(found.ignored.values()) == ['no file, but a pipe or a device'] * 3
    finally:  # which what removes the test's folder cannot
        os.unlink(f'{deep[-1]}/0.png')
        for folder in reversed(deep):
            os.rmdir(folder)


def test_a_picture_that_becomes_a_pipe_is_not_waited_for(make, tmp_path):
    path = make({'': 3})
    os.unlink(f'{path}/0.png')
    os.mkfifo(f'{path}/0.png')
    made = conversion._convert(path, [('0.png', None, None)], SMALL_SETTINGS)
    assert made == ['no regular file']


def test_a_knot_of_links_is_not_followed_for_ever(make, tmp_path):
    path = make({str(i): 1 for i in range(7)})
    for here, there in itertools.permutations(range(7), 2):
        os.symlink(f'../{there}', f'{path}/{here}/to{there}')
    with pytest.raises(DataError, match='links lead to .* over 20 times'):
        pictures.listed(path)


class _Denied:
    """An entry of a folder that says what it is called, and may not be looked at."""

    def __init__(self, entry):
        self.name, self.path, self.is_dir = entry.name, entry.path, entry.is_dir

    def stat(self):
        """Raises what the system says."""
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), self.path)


def denying(monkeypatch, name):
    """Lets nobody look at files in the folder of this name, nor list one that is called closed."""
    scandir = os.scandir

    @contextlib.contextmanager
    def listed(folder):
        name_here = os.path.basename(folder) if isinstance(folder, str) else ''
        if name_here == 'closed':
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
        with scandir(folder) as entries:
            yield [_Denied(e) if name_here == name else e for e in entries]

    monkeypatch.setattr(folders.os, 'scandir', listed)


def test_pictures_that_may_not_be_looked_at_count_as_unreadable(make, tmp_path, monkeypatch):
    path = make({'a': 20, 'b': 20})
    denying(monkeypatch, 'b')
    with pytest.raises(DataError, match='20 of 40 pictures cannot be read, over 5%'):
        dataset.load(SMALL.vary(data_path=path), tmp_path)


def test_a_folder_that_may_not_be_listed_is_an_error_where_pictures_are_counted(
    make, monkeypatch, capsys
):
    path = make({'a': 20, 'closed': 20})
    denying(monkeypatch, 'none')
    with pytest.raises(DataError, match=r'the folder closed cannot be read \(Permission denied\)'):
        pictures.listed(path)
    assert pictures.everything(path).ignored == {'closed': 'Permission denied'}


def test_pictures_that_change_while_they_are_recorded_are_not_mixed_in(
    make, tmp_path, monkeypatch, capsys
):
    path = make({'a': 30, 'b': 10})
    assert pictures.listed(path)
    Image.new('RGB', (50, 50)).save(f'{path}/a/7.png')
    dataset.load(SMALL.vary(data_path=path), tmp_path)
    said = capsys.readouterr().out
    assert 'a/7.png is left out: it has changed since the folder was listed' in said
