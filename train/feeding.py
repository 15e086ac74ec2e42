"""How long a phase is, and where its batches come from: rows in memory or on disk, in order."""

from __future__ import annotations

import itertools
import math
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import tensorflow.compat.v1 as tf

from inputs.rows import Rows
from inputs.shards import Records
from model import Network
from networks import session as sessions
from networks.endpoints import Batch
from parameters import Experiment
from phases import Phase
from system import disk, maps
from system.interrupts import Interrupts
from train.team import ALONE, Team

_READ = 64  # records read in one piece of Python
Values = TypeVar('Values', np.ndarray, tf.Tensor)
_AHEAD = 2  # batches that are ready before they are needed


class Length(NamedTuple):
    """How long a phase is."""

    batch_size: int
    steps_per_epoch: int
    steps: int  # in the whole phase
    examples: int  # an epoch; the last batch of a pass may be short


def length_of(experiment: Experiment, phase: Phase, examples: int) -> Length:
    """Returns a phase's length over that many examples."""
    batch_size = min(experiment.batch_size or examples, examples)
    asked = experiment.steps_per_epoch
    steps_per_epoch = asked or math.ceil(examples / batch_size)
    read = asked * batch_size if asked else examples
    epochs = phase.epochs or experiment.epochs
    return Length(batch_size, steps_per_epoch, steps_per_epoch * epochs, read)


class Part(NamedTuple):
    """A part of a batch, of at least one example, and how many of its first ones count.

    That is none where the last batch of an epoch has fewer examples than parts: not every operation
    of TensorFlow can do without one.
    """

    batch: Batch
    count: tf.Tensor


class Parts(NamedTuple):
    """The parts of a batch that a worker has, and how many examples the whole batch has."""

    mine: list[Part]
    size: tf.Tensor


class Feed(NamedTuple):
    """Where a phase's batches come from."""

    fetch: Callable[[tf.Tensor], Parts]  # of the step
    begin: Callable[[tf.Session, int, int], None]  # (session, epoch, step within it)


def feed_of(
    rows: Rows,
    length: Length,
    key: int,
    name: str,
    parts: int,
    data: dict[tf.Variable, np.ndarray],
    team: Team = ALONE,
) -> Feed:
    """Feeds the rows in an order that depends on (key, epoch) alone, a batch in so many parts.

    Of these a worker of a team has its own, and reads no others.
    What is in memory is held by the graph and gathered; what is on disk is read and decoded ahead,
    while the updates run. Inputs and target are floats, bytes scaled to [0, 1].
    """
    order = held(f'{name}/order', np.zeros(length.examples, np.int32), data)
    streams: list[Stream] = []
    mine = team.mine(parts)

    def reader(column: str) -> Callable[[list[tf.Tensor]], Sequence[Any]]:
        """Returns what makes the parts of a batch of a column from the numbers of their rows."""
        values = getattr(rows, column)
        if values is None:
            return lambda indices: [None] * len(indices)
        if _is_on_disk(values):
            stream = streamed(values)
            streams.append(stream)
            return lambda indices: [
                _scaled(part, values.shape)
                for part in _cut(stream.iterator.get_next(), list(map(tf.size, indices)))
            ]
        variable = held(f'{name}/rows/{column}', values, data)
        if values.ndim == 1:
            return lambda indices: [tf.gather(variable, index) for index in indices]
        return lambda indices: [
            _scaled(tf.gather(variable, index), values.shape) for index in indices
        ]

    readers = [reader(column) for column in ('x', 'y', 'target', 'length')]

    def fetch(step: tf.Tensor) -> Parts:
        start = tf.cast(step % length.steps_per_epoch, tf.int32) * length.batch_size
        index = order.read_value()[start : start + length.batch_size]
        indices, size = divided(index, parts)[mine], tf.shape(index)[0]
        columns = zip(*(read(indices) for read in readers), strict=True)
        counts = [end - start for start, end in bounds(size, parts)[mine]]
        found = [
            Part(Batch(x, x if target is None else target, y, steps), count)
            for (x, y, target, steps), count in zip(columns, counts, strict=True)
        ]
        return Parts(found, size)

    def begin(session: tf.Session, epoch: int, step: int) -> None:
        rows_in_order = shuffled(len(rows), length.examples, (key, epoch))
        sessions.assign(session, {order: rows_in_order})
        if not streams:
            return
        starts = range(step * length.batch_size, length.examples, length.batch_size)
        batches = [rows_in_order[start : start + length.batch_size] for start in starts]
        own = [np.concatenate(divided(batch, parts)[mine]) for batch in batches]
        size = max(map(len, own))  # the last one's, of fewer examples, may be the greater
        order_of_mine = np.concatenate([np.pad(o, (0, size - len(o)), 'edge') for o in own])
        for stream in streams:
            feeds = {stream.order: order_of_mine, stream.batch_size: size}
            session.run(stream.iterator.initializer, feeds)

    return Feed(fetch, begin)


def divided(values: Values, parts: int) -> list[Values]:
    """Returns [N, ...] in so many parts, in order, whose sizes differ by one at most.

    A part that would be empty has the example after it.
    """
    if parts == 1:
        return [values]
    is_array = isinstance(values, np.ndarray)
    size, most = (len(values), max) if is_array else (tf.shape(values)[0], tf.maximum)
    return [values[start : most(end, start + 1)] for start, end in bounds(size, parts)]


def bounds(count: Any, parts: int) -> list[tuple[Any, Any]]:
    """Returns where each part of so many examples, a number or a tensor, begins and ends."""
    return [*itertools.pairwise(count * number // parts for number in range(parts + 1))]


def _cut(values: tf.Tensor, sizes: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Returns parts of such sizes, the first ones of [N, ...], in order."""
    if len(sizes) == 1:
        return [values[: sizes[0]]]
    return tf.split(values[: tf.add_n(sizes)], sizes, num=len(sizes))


def shuffled(count: int, examples: int, key: tuple[int, int]) -> np.ndarray:
    """Returns `examples` of `count` rows: all of them, in an order anew as often as needed."""
    generator = np.random.default_rng(key)
    orders = [generator.permutation(count) for _ in range(math.ceil(examples / count))]
    return np.concatenate(orders)[:examples].astype(np.int32)


def _scaled(values: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """Returns values of [N, ...] like `shape` as floats, bytes scaled to [0, 1]."""
    values.set_shape([None, *shape[1:]])
    return tf.cast(values, tf.float32) / 255.0 if values.dtype == tf.uint8 else values


def _is_on_disk(values: np.ndarray | Records) -> bool:
    return isinstance(values, np.memmap | Records)


class Stream(NamedTuple):
    """Batches of rows that are read from disk."""

    iterator: Any  # of batches, [n, ...]
    order: tf.Tensor  # feeds of its initializer: the rows, in order,
    batch_size: tf.Tensor  # and how many of them are a batch


def streamed(values: np.ndarray | Records) -> Stream:
    """Reads rows from disk ahead of their use, in order, on as many threads as there are cores."""
    batch_size = tf.placeholder(tf.int64, [], 'batch_size')
    order = tf.placeholder(tf.int32, [None], 'order')
    rows = tf.data.Dataset.from_tensor_slices(order)
    cores = os.cpu_count() or 1
    if isinstance(values, Records):
        read = rows.batch(_READ).map(
            lambda index: tf.numpy_function(values.serialized, [index], tf.string)
        )
        single = read.prefetch(1).unbatch()  # the next piece is read while this one is decoded
        batches = single.map(values.decode, 2 * cores).batch(batch_size)
    else:
        batches = rows.batch(batch_size).map(
            lambda index: tf.numpy_function(values.__getitem__, [index], values.dtype)
        )
    options = tf.data.Options()
    options.threading.private_threadpool_size = cores  # the session's may be but one
    options.autotune.enabled = False  # ending an epoch waits for its thread, for seconds
    batches = batches.prefetch(_AHEAD).with_options(options)
    return Stream(tf.data.make_initializable_iterator(batches), order, batch_size)


def held(name: str, value: np.ndarray, data: dict[tf.Variable, np.ndarray]) -> tf.Variable:
    """Makes a variable for data: set by a feed, so that the graph itself stays small."""
    variable = tf.get_variable(
        name,
        initializer=tf.placeholder(value.dtype, np.shape(value)),
        trainable=False,
        use_resource=True,
        collections=[tf.GraphKeys.LOCAL_VARIABLES],
    )
    data[variable] = value
    return variable


def cached(
    network: Network,
    name: str,
    rows: Rows,
    *,
    file: Path,
    budget: int,
    interrupts: Interrupts,
) -> Rows:
    """Computes activations once: in memory, or mapped from `file` where they exceed `budget` bytes.

    `name` is a promised tensor. `file` must be named by what it depends on: one of that shape that
    is there is used as it is.
    """
    tensors = network.endpoints.tensors
    shape = (len(rows), *map(int, tensors[name].shape[1:]))
    if 4 * math.prod(shape) <= budget:
        held, done = np.empty(shape, np.float32), 0
        for batch in network.batches(name, rows):
            interrupts.check()
            held[done : done + len(batch)] = batch
            done += len(batch)
        return Rows(held, rows.y, length=rows.length)
    if _mapped(file, shape) is None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with disk.replaced(file) as aside:
            what = f'{name} of {len(rows):,} examples'
            remedy = 'name another with --runs, or fewer or smaller pictures'
            written = maps.made(aside, shape, np.float32, what, remedy)
            size = network.at_once()
            for start in range(0, len(rows), size):
                interrupts.check()
                part = rows.take(slice(start, start + size))
                written[start : start + size] = network.compute(name, part)
            written.flush()
    found = _mapped(file, shape)
    assert found is not None, file
    return Rows(found, rows.y, length=rows.length)


def _mapped(file: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """Returns float32 of that shape in a file, mapped; None where they are not there."""
    try:
        with disk.opened_regular(file):
            found = np.load(file, mmap_mode='r')
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape and found.dtype == np.float32 else None


def clear(folder: Path) -> None:
    """Removes cached activations that a finished run no longer needs."""
    shutil.rmtree(folder, ignore_errors=True)
