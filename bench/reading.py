"""Contenders that read or record pictures, beside the shortest program that does the same."""

from __future__ import annotations

import os
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import inst
from parameters import Experiment

if TYPE_CHECKING:
    import numpy as np

    from inputs.shards import Records


class Round(Protocol):
    """A contender at work."""

    def __call__(self, seed: int, epochs: int) -> float:
        """Trains so many epochs, or makes so many passes; returns the seconds of one."""


PHOTOS = inst.conv_ae.vary(
    dataset='images', data_path='photos', code_size=64, cache_bytes=0, schedule='constant'
)
OBJECTS = inst.conv_ae.vary(  # records alone: nothing is read back into memory
    dataset='images', data_path='cifar10-images', image_size=(32,), cache_bytes=0
)
_COPIES = 10  # links to each photograph
_BATCH = 32


def prepare(folder: Path) -> list[str]:
    """Puts photographs and small pictures into folders below `folder`; returns what there is.

    They are `photos/` and `cifar10-images.tar.gz` below the environment variable DATASETS_DIR.
    """
    source = Path(os.environ.get('DATASETS_DIR', '/nowhere'))
    photos = sorted(source.glob('photos/*.jpg'))
    (folder / 'photos').mkdir()
    for file in photos:
        for copy in range(_COPIES):
            (folder / 'photos' / f'{copy}-{file.name}').symlink_to(file.resolve())
    made = ['photos'] if photos else []
    if (source / 'cifar10-images.tar.gz').is_file():
        with tarfile.open(source / 'cifar10-images.tar.gz') as archive:
            archive.extractall(folder, filter='data')
        made.append('cifar10-images')
    return made


def _photos(experiment: Experiment, folder: Path) -> np.ndarray | Records:
    import dataset

    experiment = experiment.vary(data_path=str(folder / 'photos'))
    return dataset.load(experiment, folder / 'data').splits['train'].x


def product(experiment: Experiment, folder: Path) -> Round:
    """Reads shuffled batches through the pipeline that a phase is fed by."""
    import numpy as np
    import tensorflow.compat.v1 as tf

    from train import feeding

    stored = _photos(experiment, folder)
    with tf.Graph().as_default():
        stream = feeding.streamed(stored)
        batch = stream.iterator.get_next()
        session = tf.Session()

    def begin(seed: int) -> None:
        order = np.random.default_rng(seed).permutation(len(stored))
        feeds = {stream.order: order, stream.batch_size: _BATCH}
        session.run(stream.iterator.initializer, feeds)

    return _timed(begin, session.make_callable(batch.op))


def bare(experiment: Experiment, folder: Path) -> Round:
    """Decodes the same records in file order by a plain tf.data pipeline."""
    import tensorflow.compat.v1 as tf

    _photos(experiment, folder)
    files = sorted(str(f) for f in folder.glob('data/records/images?photos*/train*.tfrecord'))

    def decode(record: tf.Tensor) -> tf.Tensor:
        x = tf.io.parse_single_example(record, {'x': tf.io.FixedLenFeature([], tf.string)})['x']
        return tf.io.decode_jpeg(x, 3, dct_method='INTEGER_ACCURATE')

    with tf.Graph().as_default():
        options = tf.data.Options()
        options.autotune.enabled = False  # else every pass would wait for its thread
        records = tf.data.TFRecordDataset(files).map(decode, os.cpu_count())
        batches = records.batch(_BATCH).prefetch(2).with_options(options)
        iterator = tf.data.make_initializable_iterator(batches)
        batch = iterator.get_next()
        session = tf.Session()
    return _timed(lambda seed: session.run(iterator.initializer), session.make_callable(batch.op))


def _timed(begin: Callable[[int], object], step: Callable[[], object]) -> Round:
    import tensorflow.compat.v1 as tf

    def passes(seed: int, epochs: int) -> float:
        began = time.perf_counter()
        for index in range(epochs):
            begin(1000 * seed + index)
            try:
                while True:
                    step()
            except tf.errors.OutOfRangeError:
                pass
        return (time.perf_counter() - began) / epochs

    return passes


def pillow(experiment: Experiment, folder: Path) -> Round:
    """Opens the original files of the training split one by one."""
    import numpy as np
    from PIL import Image, ImageOps

    from inputs import pictures

    found = pictures.listed(str(folder / 'photos'))
    height, width, _ = experiment.picture_size

    def one_pass(seed: int, epochs: int) -> float:
        began = time.perf_counter()
        for file in found.splits['train']:
            with Image.open(folder / 'photos' / file.path) as opened:
                picture = ImageOps.fit(
                    opened.convert('RGB'), (width, height), Image.Resampling.LANCZOS
                )
            np.asarray(picture)
        return time.perf_counter() - began

    return one_pass


def record(experiment: Experiment, folder: Path) -> Round:
    """Records a folder of small pictures as `--images` does, with all that belongs to it."""
    import dataset
    from inputs import pictures

    experiment = experiment.vary(data_path=str(folder / experiment.data_path))

    def one_pass(seed: int, epochs: int) -> float:
        for listing in (pictures.listed, pictures.announced):  # which is a part of it
            listing.cache_clear()
        with tempfile.TemporaryDirectory(dir=folder) as data_dir:
            began = time.perf_counter()
            dataset.load(experiment, Path(data_dir))
            return time.perf_counter() - began

    return one_pass


def record_in_one_process(experiment: Experiment, folder: Path) -> Round:
    """Opens, fits and encodes the same pictures in a loop, and writes them to one TFRecord file."""
    import tensorflow.compat.v1 as tf

    from inputs import conversion

    settings = conversion.Settings(experiment.picture_size, experiment.jpeg_quality)
    place = folder / experiment.data_path

    def one_pass(seed: int, epochs: int) -> float:
        with tempfile.TemporaryDirectory(dir=folder) as made:
            began = time.perf_counter()
            with tf.io.TFRecordWriter(f'{made}/all.tfrecord') as writer:
                for file in sorted(place.rglob('*.jpg')):
                    x = tf.train.BytesList(value=[conversion.encoded(file, settings)])
                    y = tf.train.Int64List(value=[len(file.parent.name)])
                    features = {
                        'x': tf.train.Feature(bytes_list=x),
                        'y': tf.train.Feature(int64_list=y),
                    }
                    features = tf.train.Features(feature=features)
                    writer.write(tf.train.Example(features=features).SerializeToString())
            return time.perf_counter() - began

    return one_pass


TRAINERS = {
    'read': product,
    'read_bare': bare,
    'read_files': pillow,
    'record': record,
    'record_one': record_in_one_process,
}
