"""The workers that compute one run in step: this process alone, or the machines of a cluster.

All build the same graphs in the same order, and meet in the same collective operations. Worker 0,
the chief, has the run's folder; what the others need of it is sent to them.
"""

from __future__ import annotations

import glob
import io
import itertools
import math
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from networks import session as sessions
from system import disk

_GROUP = 1  # of all workers
_instances = itertools.count(1)  # the same on all of them, for they build the same graphs
_ENDS = ('.meta', '.index', '.data-*')  # of the files of a saved graph
# What a worker that goes on from the chief's folder reads there.
_SENT = ('config.json', 'results.json', 'metrics.csv', 'model.*', 'checkpoints/**/*')


@dataclass(frozen=True)
class Team:
    """Which of how many workers this process is."""

    index: int = 0
    addresses: tuple[str, ...] = ('',)
    _made: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def size(self) -> int:
        """The number of workers."""
        return len(self.addresses)

    @property
    def is_chief(self) -> bool:
        """Whether this is the worker that writes and prints."""
        return not self.index

    def named(self, index: int) -> str:
        """Returns what a worker is called."""
        return f'worker {index} ({self.addresses[index]})'

    def mine(self, parts: int) -> slice:
        """Returns which of the parts of a batch this worker has."""
        return slice(self.index * parts // self.size, (self.index + 1) * parts // self.size)

    def sum(self, of_parts: Sequence[Sequence[tf.Tensor]]) -> list[tf.Tensor]:
        """Adds up what each part has, float32 tensors of as many shapes: those of all workers.

        The workers' sums go over the network in one flat tensor.
        """
        mine = _tree(of_parts)
        if self.size == 1 or not mine:
            return [*map(_apart, mine)]
        shapes = [tuple(map(int, tensor.shape)) for tensor in mine]
        flat = tf.concat([tf.reshape(tensor, [-1]) for tensor in mine], axis=0)
        parts = tf.split(self._reduced(flat, 'Add'), [math.prod(shape) for shape in shapes])
        return [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]

    def agree(self, *numbers: int) -> tuple[int, ...]:
        """Returns the greatest of all workers' numbers, each by itself."""
        if self.size == 1:
            return numbers
        return tuple(int(number) for number in self._greatest(np.array(numbers, np.int64)))

    def _greatest(self, numbers: np.ndarray) -> np.ndarray:
        with self.together():
            return self._made['greatest'](numbers, True)

    def open(self) -> None:
        """Makes what the workers agree by; the chief must have, when others first reach it.

        It is called there, without effect: see `chief_first`.
        """
        with tf.Graph().as_default():
            fed, is_together = tf.placeholder(tf.int64, [None]), tf.placeholder(tf.bool, [])
            found = tf.cond(is_together, lambda: self._reduced(fed, 'Max'), lambda: fed)
            session = sessions.opened(sessions.config('float32', ()))
            self._made['greatest'] = session.make_callable(found, [fed, is_together])
            self._made['session'] = session
        if self.is_chief:
            self._made['greatest'](np.zeros(1, np.int64), False)

    def chief_first(self, call: Callable[[], object]) -> None:
        """Makes a call of a new graph, which waits for nobody: at the chief, then at the others.

        TensorFlow counts the calls of each graph that has collective operations from a number that
        the chief draws in its first one, or when another worker asks for it. If one asks while the
        chief begins its first call, that draws another, and the two wait for each other for ever.
        After the others the chief makes the call once more, and all have counted as many since.
        """
        if self.size == 1:
            return
        if self.is_chief:
            call()
        self.agree(0)
        if not self.is_chief:
            call()
        self.agree(0)
        if self.is_chief:
            call()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Marks what no worker can end without all others."""
        self._made['turns'] = self.turns + 1
        try:
            yield
        finally:
            self._made['turns'] = self.turns + 1

    @property
    def turns(self) -> int:
        """How often this worker has begun, or ended, what is done together: odd within that."""
        return self._made.get('turns', 0)

    def of_chief(self, holds: bool) -> bool:
        """Returns what holds for the chief, whose floats may differ in the last bit."""
        (found,) = self.agree(int(holds and self.is_chief))
        return bool(found)

    def table(self, *numbers: int) -> list[tuple[int, ...]]:
        """Returns the numbers, from 0 on, of each worker."""
        rows = np.zeros((self.size, len(numbers)), np.int64)
        rows[self.index] = numbers
        found = self.agree(*rows.ravel().tolist())
        return [found[start : start + len(numbers)] for start in range(0, len(found), len(numbers))]

    def sent(self, content: bytes) -> bytes:
        """Returns the chief's bytes on every worker."""
        if self.size == 1:
            return content
        (count,) = self.agree(len(content) if self.is_chief else 0)
        if not count:
            return b''
        words = np.full(-(-count // 8), np.iinfo(np.int64).min)  # which no word is less than
        if self.is_chief:
            words.view(np.uint8)[:count] = np.frombuffer(content, np.uint8)
        return bytes(self._greatest(words).view(np.uint8)[:count])

    def mirror(self, folder: Path, *, empty: bool = False) -> None:
        """Gives the other workers' folder what the chief's has, of what a run goes on from."""
        if self.size == 1:
            return
        if not self.is_chief:
            disk.remove(folder / 'checkpoints')
        self._send({} if empty or not self.is_chief else _files(folder), folder)

    def graph(self, prefix: str, copy: Path) -> str:
        """Returns the prefix of a saved graph that the chief has; of the others, a copy's."""
        if self.size == 1:
            return prefix
        place = Path(prefix)
        patterns = [f'{glob.escape(place.name)}{end}' for end in _ENDS if self.is_chief]
        found = [file for pattern in patterns for file in place.parent.glob(pattern)]
        self._send({f'model{file.name.removeprefix(place.name)}': file for file in found}, copy)
        return prefix if self.is_chief else str(copy / 'model')

    def _send(self, files: Mapping[str, Path], folder: Path) -> None:
        """Writes the chief's files, by the names that they are given, into the others' folder."""
        archive = self.sent(_packed(files))
        if not self.is_chief:
            folder.mkdir(parents=True, exist_ok=True)
            with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
                opened.extractall(folder, filter='data')

    def _reduced(self, values: tf.Tensor, by: str) -> tf.Tensor:
        return tf.raw_ops.CollectiveReduce(
            input=values,
            group_size=self.size,
            group_key=_GROUP,
            instance_key=next(_instances),
            merge_op=by,
            final_op='Id',
            subdiv_offsets=[0],
        )


ALONE = Team()


def _tree(lists: Sequence[Sequence[tf.Tensor]]) -> list[tf.Tensor]:
    if len(lists) == 1:
        return [*lists[0]]
    half = len(lists) // 2
    halves = zip(_tree(lists[:half]), _tree(lists[half:]), strict=True)
    return [_apart(one) + _apart(other) for one, other in halves]


def _apart(values: tf.Tensor) -> tf.Tensor:
    """Returns the same values, at no cost, as a sum that TensorFlow does not merge with others.

    It would make one AddN of all, in an order of its own.
    """
    return tf.raw_ops.Snapshot(input=values)


def _files(folder: Path) -> dict[str, Path]:
    found = [file for pattern in _SENT for file in sorted(folder.glob(pattern))]
    return {str(f.relative_to(folder)): f for f in found if f.is_file() and not f.is_symlink()}


def _packed(files: Mapping[str, Path]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode='w') as archive:
        for name, file in files.items():
            archive.add(file, name)
    return made.getvalue()
