"""Inputs as strangers bring them: each ends right, or in one line that names the file or value."""

import csv
import json
import os
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from conftest import most
from PIL import Image

from inference.outputs import unlike
from inputs import conversion, sources
from inputs.labels import AS_NAMES
from system.errors import DataError

QUICK = ('--set=epochs=1', '--nofigures')
BASIC = ('--experiment=basic', '--set=hidden=3', '--set=parts=1', *QUICK)
CONV = ('--experiment=conv_ae', '--set=image_size=16', '--set=filters=2', '--set=code_size=2',
        *QUICK)  # fmt: skip
LSTM = ('--experiment=lstm_reconstruct', '--set=hidden=3', '--set=parts=1', *QUICK)
HEAD = ('--experiment=phasewise_classifier', '--set=parent.hidden=4,2', '--set=parent.epochs=1',
        '--set=head=3', *QUICK)  # fmt: skip
ENCODE = ('--mode=encode', '--format=csv')
R = np.random.default_rng(0)
X = R.random((20, 4)).round(3)
S = R.random((20, 5, 2))  # series
LENGTH = np.arange(20) % 5 + 1
Y = np.arange(20) % 2
NAMES = np.array(
    ['a,b', 'c\nd', '$e', '漢字', '"q"', '.', '\udcff', 'index', 'class index', '\ud800']
)


class Case(NamedTuple):
    """What is made in a folder, for which flags, and what must come of it."""

    make: Callable[[Path], Sequence[str]]  # `@name` among the flags is a finished run of RUNS
    code: int = 0
    says: tuple[str, ...] = ()  # in the line of error, or on the screen
    sizes: tuple[int, ...] = ()  # of train, validation and test
    classes: tuple[str, ...] | None = None  # of what was trained
    rows: Sequence[object] | None = None  # the index, or the files, of the table that was written
    holds: Callable[[Path, str], bool] = lambda folder, out: True


def array(*flags: str, **arrays) -> Callable[[Path], Sequence[str]]:
    """Returns what saves the arrays as mine.npz, for these flags."""

    def make(folder: Path) -> Sequence[str]:
        np.savez(folder / 'mine.npz', **arrays)
        return (*flags, f'--array={folder}/mine.npz')

    return make


def content(written: bytes, name: str = 'mine.npz') -> Callable[[Path], Sequence[str]]:
    """Returns what writes such a file, to be trained on."""

    def make(folder: Path) -> Sequence[str]:
        (folder / name).write_bytes(written)
        return (*BASIC, f'--array={folder}/{name}')

    return make


def saved(*flags: str, name: str = 'mine.npz', inside: str = '') -> Callable[[Path], Sequence[str]]:
    """Returns what saves X in another way: under a name, or in a folder of a name."""

    def make(folder: Path) -> Sequence[str]:
        file = folder / 'mine' / inside / name
        file.parent.mkdir(parents=True)
        np.savez_compressed(file, x=X)
        return (*flags, f'--array={file}')

    return make


def npy(folder: Path) -> Sequence[str]:
    np.save(folder / 'mine.npy', X)
    return (*BASIC, f'--array={folder}/mine.npy')


def of_zip(folder: Path) -> Sequence[str]:
    with zipfile.ZipFile(folder / 'mine.npz', 'w') as packed:
        packed.writestr('x', 'words')
    return (*BASIC, f'--array={folder}/mine.npz')


def a_folder(folder: Path) -> Sequence[str]:
    (folder / 'mine.npz').mkdir()
    return (*BASIC, f'--array={folder}/mine.npz')


def drawn(file: Path, size: tuple[int, int] = (9, 8), mode: str = 'RGB', **options) -> None:
    """Saves a picture of noise."""
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(file.name)).integers(0, 256, (*size[::-1], 3), np.uint8)
    Image.fromarray(noise).convert(mode).save(file, **options)


def folder_of(
    *flags: str, add: Callable[[Path], None] = lambda mine: None, name: str = 'mine', **places: int
) -> Callable[[Path], Sequence[str]]:
    """Returns what makes a folder with so many pictures in each folder, `_` for itself."""

    def make(folder: Path) -> Sequence[str]:
        mine = folder / name
        mine.mkdir()
        for place, count in places.items():
            for i in range(count):
                drawn(mine / ('' if place == '_' else place.replace('__', '/')) / f'{i}.png')
        add(mine)
        return (*flags, f'--images={mine}')

    return make


def kinds(mine: Path) -> None:
    for name in ('a.webp', 'b.tiff', 'c.jfif'):
        drawn(mine / name, format='JPEG' if name == 'c.jfif' else None)


def modes(mine: Path) -> None:
    drawn(mine / 'cmyk.jpg', mode='CMYK')
    Image.fromarray(R.integers(0, 65536, (8, 9)).astype(np.uint16)).save(mine / 'deep.png')
    drawn(mine / 'palette.png', mode='P', transparency=0)


def sides(mine: Path) -> None:
    drawn(mine / 'long.png', (1, 5000))
    drawn(mine / 'small.png', (1, 1))
    drawn(mine / 'wide.png', (5000, 1))


def beside(mine: Path) -> None:
    for name in ('._0.png', '.DS_Store', 'Thumbs.db', 'notes.txt', 'b.heic'):
        (mine / name).write_bytes(b'words')


def damaged(mine: Path) -> None:
    drawn(mine / 'cut.jpg', (90, 80))
    (mine / 'cut.jpg').write_bytes((mine / 'cut.jpg').read_bytes()[:900])
    (mine / 'none.png').write_bytes(b'')


def looped(mine: Path) -> None:
    os.symlink('..', mine / 'a' / 'again')
    os.symlink('gone.png', mine / 'a' / 'link.png')


def turned(mine: Path) -> None:
    """Two pictures, left half black, the second lying on its side with EXIF that says so."""
    upright = np.zeros((16, 16, 3), np.uint8)
    upright[:, 8:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(upright).save(mine / '0.png')
    Image.fromarray(np.rot90(upright)).save(mine / '1.png', exif=exif)
    Image.fromarray(upright).save(mine / '2.jpg', exif=b'Exif\0\0rubbish and no end', quality=100)


def alike(folder: Path, out: str) -> bool:
    """Whether all rows of the table have nearly the same codes."""
    codes = np.array([row[-2:] for row in table(out)[1:]], float)
    return bool(np.ptp(codes, axis=0).max() < 0.05)


def named_oddly(mine: Path) -> None:
    for name in (b'a,b\n.png', b'\xff.png', b'"q"$*[.png'):
        drawn(mine / os.fsdecode(name), format='PNG')


def padded() -> np.ndarray:
    made = S.copy()
    made[np.arange(5) >= LENGTH[:, None]] = np.nan
    return made


def labels_kept(folder: Path, out: str) -> bool:
    """Whether the labels came into the table as they were, but for what UTF-8 has no bytes for."""
    labels = [row[2] for row in table(out)[1:]]
    return labels == [name.replace('\ud800', '\\ud800') for name in NAMES[np.arange(40) % 10]]


def columns_apart(folder: Path, out: str) -> bool:
    """Whether each class has a column of its own."""
    header = table(out)[0]
    return len(set(header)) == len(header) == 3 + 1 + len(NAMES) - 1


def table(out: str) -> list[list[str]]:
    file = re.split(r' (?:are )?in ', out.rstrip('\n'))[-1]
    with open(file, newline='', encoding='utf-8', errors='surrogateescape') as opened:
        return list(csv.reader(opened))


def odd_labels(rows: int = 40) -> dict[str, np.ndarray]:
    x = np.random.default_rng(1).random((rows, 4))
    return {'x': x, 'y': NAMES[np.arange(rows) % len(NAMES)]}


RUNS = {  # that several cases are applied to
    'table': array(*BASIC, x=X),
    'pictures': folder_of(*CONV, _=12),
    'labels': array(*HEAD, **odd_labels()),
}

ARRAYS = {
    'float16, in its order': Case(array(*ENCODE, '@table', x=X.astype(np.float16)), rows=range(20)),
    'too great for float32': Case(array(*BASIC, x=X * 1e300), 3, ('e+299 in row 0', 'float32')),
    'times, alike as float32': Case(
        array(*BASIC, x=np.c_[X, 1.7e9 + np.arange(20)]), 3, ('column 4', 'float32 keeps only')
    ),
    'negative int8': Case(array(*BASIC, x=(X * 255 - 128).astype(np.int8)), sizes=(16, 2, 2)),
    'uint16': Case(array(*BASIC, x=(X * 65535).astype(np.uint16)), sizes=(16, 2, 2)),
    'bool, complex numbers apart': Case(array(*BASIC, x=X + 1j), 3, ('complex128', 'x.imag')),
    'objects': Case(array(*BASIC, x=X.astype(object)), 3, ('pickled objects', 'float64')),
    'dates': Case(array(*BASIC, x=X.astype('M8[s]')), 3, ('datetime64[s]', "x.astype('int64')")),
    'columns of several types': Case(
        array(*BASIC, x=np.zeros(20, [('a', 'f4'), ('b', 'i4')])), 3, ('structured_to_unstr',)
    ),
    'words': Case(array(*BASIC, x=X.astype(str)), 3, ('<U', "x.astype('float64')")),
    'Fortran, big-endian': Case(
        array(*ENCODE, '@table', x=np.asfortranarray(X.astype('>f8'))), rows=range(20)
    ),
    'no row': Case(array(*BASIC, x=X[:0]), 3, ('[0, 4]',)),
    'one row': Case(array(*BASIC, x=X[:1]), says=('no examples are held out',), sizes=(1, 1)),
    'one feature, four axes': Case(array(*BASIC, x=X[:, :1, None, None]), sizes=(16, 2, 2)),
    'six axes': Case(array(*BASIC, x=np.zeros((20, 1, 2, 1, 2, 1, 2))), sizes=(16, 2, 2)),
    'NaN and infinity': Case(
        array(*BASIC, x=np.where(X > 0.9, np.nan, np.where(X < 0.1, np.inf, X))),
        3,
        ('NaN or infinity in', 'first in row', 'fill them'),
    ),
    'constant': Case(
        array(*BASIC, '--set=standardize=mean_std', x=np.full((20, 4), 7.0)), sizes=(16, 2, 2)
    ),
    'one constant column': Case(
        array(*BASIC, '--set=standardize=min_max', x=np.c_[X, np.ones(20)]), sizes=(16, 2, 2)
    ),
    'unscaled': Case(array(*BASIC, x=(X * 255).round()), says=('look unscaled',)),
    'unscaled, and standardised': Case(
        array(*HEAD, '--set=parent.standardize=min_max', x=(X * 255).round(), y=Y),
        holds=lambda _, out: 'unscaled' not in out,
    ),
    'huge': Case(array(*BASIC, x=X * 1e8), says=('standardize=mean_std brings them near 0',)),
    'bytes of 0 and 1': Case(array(*BASIC, x=(X > 0.5).astype(np.uint8)), says=('read as 1/255',)),
    'bytes, to a run on numbers': Case(
        array(*ENCODE, '@table', x=(X > 0.5).astype(np.uint8)),
        3,
        ('of 4 features lie outside of what the run was trained on',),  # as these floats do
    ),
    'beyond a sigmoid': Case(
        array(*BASIC, '--set=output_activation=sigmoid', x=2 * X - 1), 3, ('linear', 'min_max')
    ),
    'another name': Case(array(*BASIC, X_train=X), 3, ('x=X_train', 'has X_train')),
    'compressed': Case(saved(*BASIC), sizes=(16, 2, 2)),
    'an .npy': Case(npy, 3, ('a .npy', 'np.savez(file, x=')),
    'a CSV by another name': Case(content(b'a,b\n1,2\n'), 3, ("begins with b'a,b",)),
    'a folder': Case(a_folder, 2, ('is a folder', '--images')),
    'an empty file': Case(content(b''), 3, ('it is empty',)),
    'a zip with words': Case(of_zip, 3, ('x is no array',)),
    'doubled rows': Case(
        array(*ENCODE, '@table', x=X[np.arange(60) % 3]), rows=range(60)
    ),
    'splits in other words': Case(
        array(*BASIC, x=X, split=np.array(['Training', 'TRAIN', 'dev', 'testing'] * 5)),
        sizes=(10, 5, 5),
    ),
    'splits in strange words': Case(
        array(*BASIC, x=X, split=np.array(['train', 'eval'] * 10)), 3, ("'eval'", 'allowed are')
    ),
}  # fmt: skip

LABELS = {
    'one-hot': Case(array(*HEAD, x=X, y=np.eye(3)[Y * 2]), classes=('0', '2')),
    'fractions': Case(array(*HEAD, x=X, y=Y + 0.5), 3, ('row 0 has 0.5', 'np.digitize')),
    'a NaN': Case(array(*HEAD, x=X, y=np.r_[Y[:19], np.nan]), says=('examples with a label',)),
    'a label and NaN': Case(
        array(*HEAD, x=X, y=np.where(X[:, 0] > 0.5, np.nan, 1)), 3, ("class '1'", 'needs two')
    ),
    'objects': Case(array(*HEAD, x=X, y=Y.astype(object)), 3, (f'y={AS_NAMES}',)),
    'too many': Case(
        array(*HEAD, x=np.zeros((10_001, 1)), y=np.arange(10_001)), 3, ('10001 different',)
    ),
    'one class': Case(array(*HEAD, x=X, y=Y * 0), 3, ("class '0'", 'needs two')),
    'a class of one, negative': Case(
        array(*HEAD, x=X, y=np.r_[Y[:19] * -3, 10]),
        says=('no example to be tested on of 1 of 3 classes: 10',),
        classes=('-3', '0', '10'),
    ),
    'a class an example': Case(
        array(*HEAD, x=R.random((60, 4)), y=np.arange(60)), says=('of 60 classes',)
    ),
    'longer than x': Case(array(*HEAD, x=X, y=np.arange(25) % 2), 3, ('[20] like x, it is [25]',)),
    'odd names, in a table': Case(
        array(*ENCODE, '@labels', **odd_labels()), rows=range(40), holds=labels_kept
    ),
    'odd names, predicted': Case(
        array('--mode=predict', '@labels', x=odd_labels()['x']), rows=range(40), holds=columns_apart
    ),
    'some of the classes, evaluated': Case(
        array('--mode=evaluate', '--nofigures', '@labels', x=X, y=NAMES[3 - Y]), says=('accuracy',)
    ),
    'a class that is not known': Case(
        array('--mode=evaluate', '@labels', x=X, y=np.array(['$e', 'new'])[Y]), 3, ('know: new',)
    ),
}

PICTURES = {
    'flat, other kinds': Case(
        folder_of(*ENCODE, '@pictures', _=1, add=kinds),
        rows=('0.png', 'a.webp', 'b.tiff', 'c.jfif'),
    ),
    'of 16 bits, CMYK, transparent': Case(
        folder_of(*ENCODE, '@pictures', add=modes), rows=('cmyk.jpg', 'deep.png', 'palette.png')
    ),
    'of one pixel, of one line': Case(
        folder_of(*ENCODE, '@pictures', add=sides), rows=('long.png', 'small.png', 'wide.png')
    ),
    'with other files': Case(
        folder_of(*ENCODE, '@pictures', _=2, add=beside),
        says=('2 files of the folder itself are not read (.heic, .txt)',),
        rows=('0.png', '1.png'),
    ),
    'damaged, to a run': Case(
        folder_of(*ENCODE, '@pictures', _=2, add=damaged),
        says=('cut.jpg is left out', 'none.png is left out'),
        rows=('0.png', '1.png'),
    ),
    'damaged, to be trained on': Case(
        folder_of(*CONV, _=9, add=damaged), 3, ('2 of 11 pictures cannot be read',)
    ),
    'turned, and with broken EXIF': Case(
        folder_of(*ENCODE, '@pictures', add=turned), rows=('0.png', '1.png', '2.jpg'), holds=alike
    ),
    'links in a loop': Case(
        folder_of(*ENCODE, '@pictures', a=2, add=looped),
        says=('a/again is left out', 'a/link.png is left out'),
        rows=('a/0.png', 'a/1.png'),
    ),
    'splits by other names': Case(
        folder_of(*CONV, Training=10, val=3, dev=2),
        says=('dev/ and val/ are both', 'no folder for test'),
        sizes=(9, 5, 1),
    ),
    'an empty class': Case(
        folder_of(*CONV, a=6, b=6, add=lambda mine: (mine / 'c').mkdir()),
        says=('c is left out: an empty folder',),
        sizes=(10, 1, 1),
        classes=('a', 'b'),
    ),
    'folders in classes': Case(folder_of(*CONV, a__x=6, b=6), classes=('a', 'b')),
    'beside classes': Case(folder_of(*CONV, a=6, _=2), 3, ('0.png lies beside folders',)),
    'none': Case(folder_of(*CONV), 3, ('no pictures there', '.png')),
    'a file': Case(content(b'words', 'mine.zip'), 3, ('begins with',)),
}

SERIES = {
    'padded with NaN': Case(array(*LSTM, x=padded(), length=LENGTH), sizes=(16, 2, 2)),
    'padded, without length': Case(array(*LSTM, x=padded()), 3, ('as length', 'NaN')),
    'of length 0': Case(array(*LSTM, x=S, length=LENGTH - 1), 3, ('row 0 has 0',)),
    'longer than they are': Case(array(*LSTM, x=S, length=LENGTH + 1), 3, ('row 4 has 6',)),
    '[N, T], lengths as floats': Case(
        array(*LSTM, x=S[..., 0], length=LENGTH * 1.0), sizes=(16, 2, 2)
    ),
    '[N, T] without length': Case(array(*LSTM, x=S[..., 0]), 2, ('x[..., None]',)),
    'of one step': Case(array(*LSTM, x=S[:, :1]), sizes=(16, 2, 2)),
    'with length, to a dense network': Case(array(*BASIC, x=S, length=LENGTH), 2, ('lengths',)),
    'int8': Case(array(*LSTM, x=(S * 255 - 128).astype(np.int8)), 3, ('sigmoid', 'min_max')),
    'of unequal lengths, as objects': Case(
        array(*LSTM, x=np.array([np.zeros((n, 2)) for n in LENGTH], object)), 3, ('padded, with',)
    ),
}  # fmt: skip

NAMED = {
    'brackets, *': Case(saved(*BASIC, name='[a]*?.npz'), sizes=(16, 2, 2)),
    'line, $, quotes': Case(saved(*BASIC, name='a \n$HOME"\'.npz'), sizes=(16, 2, 2)),
    'a byte that is no UTF-8': Case(
        saved(*ENCODE, '@table', name=os.fsdecode(b'\xff.npz'), inside='[x'), rows=range(20)
    ),
    'very long': Case(saved(*BASIC, name='x' * 250 + '.npz'), sizes=(16, 2, 2)),
    'longer than can be': Case(lambda _: (*BASIC, f'--array={"mine" * 90}'), 2, ('too long',)),
    'of a folder, longer': Case(lambda _: (*CONV, f'--images={"mine" * 90}'), 2, ('no such',)),
    'a dash, a ~': Case(saved(*BASIC, name='-rf ~.npz', inside='~'), sizes=(16, 2, 2)),
    'of pictures': Case(
        folder_of(*ENCODE, '@pictures', name='mine [*]\n', add=named_oddly),
        rows=('"q"$*[.png', 'a,b\n.png', os.fsdecode(b'\xff.png')),
    ),
}

CASES = {
    f'{kind}: {name}': case
    for kind, cases in (
        ('x', ARRAYS), ('y', LABELS), ('pictures', PICTURES), ('series', SERIES), ('names', NAMED)
    )
    for name, case in cases.items()
}  # fmt: skip

LONG = {  # whose runs take the longest: of a slow test
    'y: odd names, in a table', 'y: a class of one, negative', 'y: a class an example',
    'pictures: folders in classes', 'pictures: an empty class', 'x: unscaled, and standardised',
    'series: padded with NaN', 'series: of one step',
}  # fmt: skip


@pytest.fixture(scope='module')
def finished(tmp_path_factory) -> Path:
    """A folder for the runs that cases are applied to, each trained when it is first asked for."""
    return tmp_path_factory.mktemp('finished')


@pytest.mark.filterwarnings('error::RuntimeWarning', 'error::UserWarning')
@pytest.mark.parametrize('name', most(CASES, lambda name: name not in LONG))
def test_an_awkward_input_ends_right_or_in_one_line(name, main, finished, tmp_path, monkeypatch):
    case = CASES[name]
    monkeypatch.setattr(conversion.cores, 'number', lambda: 1)  # more would take longer to begin
    flags = case.make(tmp_path)
    asked = next((flag[1:] for flag in flags if flag.startswith('@')), '')
    folder = finished / asked if asked else tmp_path / 'run'
    if asked and not folder.exists():
        (finished / f'{asked} data').mkdir()
        trained = RUNS[asked](finished / f'{asked} data')
        code, _, err = main(*trained, f'--run_dir={folder}', runs=finished / f'{asked} runs')
        assert code == 0, err
    code, out, err = main(*(f for f in flags if f != f'@{asked}'), f'--run_dir={folder}')
    assert code == case.code, out + err
    assert 'Traceback' not in out + err
    if code:
        assert len(err.splitlines()) == 1 and 'mine' in err, err
        assert not (tmp_path / 'run' / 'results.json').exists()
    else:
        assert not err, err  # where libraries' warnings are
    said = err if code else out
    assert all(words in said for words in case.says), said
    if case.sizes:
        *_, sizes = re.finditer(r'([\d,]+) train, (?:([\d,]+) validation, )?([\d,]+) test', out)
        assert tuple(int(size) for size in sizes.groups() if size) == case.sizes
    if case.classes is not None:
        config = json.loads((folder / 'config.json').read_text())
        assert tuple(config['data']['classes']) == case.classes
    if case.rows is not None:
        header, *rows = table(out)
        column = header.index('file' if 'file' in header else 'index')
        assert [row[column] for row in rows] == [str(row) for row in case.rows]
    assert case.holds(folder, out)


@pytest.mark.parametrize('name', ['x', 'length'])
def test_what_a_mask_hides_is_not_read(name):
    from inference import fit

    arrays = {'x': S, 'y': Y, 'length': LENGTH}
    arrays[name] = np.ma.masked_equal(arrays[name], arrays[name].flat[3])
    with pytest.raises(DataError, match=f'{name} is masked'):
        fit('lstm_reconstruct', **arrays)


def test_values_that_are_alike_as_float32_are_refused_from_python_too():
    from inference import fit

    with pytest.raises(DataError, match='column 4, of which float32 keeps only'):
        fit('basic', np.c_[X, 1.7e9 + np.arange(20)])
    with pytest.raises(DataError, match='column 0, of which float32 keeps only'):
        fit('basic', np.uint64(2**63) + np.arange(20, dtype=np.uint64)[:, None])


def test_columns_constant_but_for_rounding_or_wide_enough_are_trained_on(tmp_path):
    x = np.c_[X, 0.1 + 0.2 * (1 + 1e-15 * Y), 1.7e9 + 86_400.0 * np.arange(20), 5 + 1e-5 * Y]
    np.savez(tmp_path / 'mine.npz', x=x)
    assert sources.read('array', f'{tmp_path}/mine.npz', tmp_path).splits['train'].x.shape[1] == 7


def test_classes_called_like_columns_get_columns_of_their_own():
    found = unlike(['index', 'class index', 'a'], ['index', 'label'], 'class')
    assert found == ['class class index', 'class index', 'a']
