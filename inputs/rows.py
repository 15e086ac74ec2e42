"""Examples in rows: a split, a data set, and the layouts that an example can take."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from inputs.shards import UNLABELLED, Records
from inputs.spec import Spec
from inputs.splits import evenly
from parameters import Experiment
from system.errors import DataError, UsageError

_LABELLED = 20061201  # keys the choice of labelled examples apart from other draws of a seed
_TOGETHER = 10_000_000  # numbers looked at together
COMPARED = 10_000  # training examples that the test examples are compared with


@dataclass(frozen=True, eq=False)
class Rows:
    """A split or its activations: x [N, ...] in memory or on disk, y [N] int32 or None.

    Of an example without a label y is UNLABELLED; it is None where no example has any. `target` is
    what is to be made of x, where that is not x itself. `length` [N] int32 says how many steps of
    each sequence count, where that is not all. `place` [N] int64 is the row of the source that each
    is, `files` [N] the path of each picture, where those are known. `most` is what bytes are
    divided by when they are read.
    """

    x: np.ndarray | Records
    y: np.ndarray | None
    target: np.ndarray | Records | None = None
    length: np.ndarray | None = None
    place: np.ndarray | None = None
    files: np.ndarray | None = None
    most: float = 255.0
    in_order: bool = False  # as in the source, and not shuffled

    def __len__(self) -> int:
        return len(self.x)

    @property
    def places(self) -> np.ndarray:
        """The row of the source that each is, [N]; where that is not known, its own number."""
        return np.arange(len(self)) if self.place is None else self.place

    @property
    def labels(self) -> np.ndarray:
        """Its y, of rows that have one."""
        assert self.y is not None, 'rows without labels'
        return self.y

    @property
    def known(self) -> np.ndarray:
        """Which examples have a label, [N] bool."""
        return np.zeros(len(self), bool) if self.y is None else self.y != UNLABELLED

    def named(self, classes: Sequence[str]) -> np.ndarray:
        """Returns the name of each example's class, [N], of those without a label ''."""
        y = np.full(len(self), UNLABELLED) if self.y is None else self.y
        return np.array([*classes, ''])[y]  # UNLABELLED is the last

    def of_known(self) -> Rows:
        """Returns the examples that have a label: itself, where all have."""
        return self if self.known.all() else self.take(np.flatnonzero(self.known))

    @property
    def failure(self) -> DataError | None:
        """Why a part could not be read from disk, where one could not."""
        parts = (self.x, self.target)
        failures = (part.failure for part in parts if isinstance(part, Records))
        return next(filter(None, failures), None)

    def floats(self, start: int, stop: int) -> np.ndarray:
        """Returns rows start..stop as the network reads them: float32, bytes scaled to [0, 1]."""
        return scaled(self.x[start:stop], self.most)

    def targets(self, start: int, stop: int) -> np.ndarray:
        """Returns what is to be made of the rows start..stop, as `floats` does."""
        return scaled((self.x if self.target is None else self.target)[start:stop], self.most)

    def take(self, chosen: np.ndarray | slice) -> Rows:
        """Returns the chosen rows; what is on disk stays there."""

        def taken(part: np.ndarray | Records) -> np.ndarray | Records:
            return part.take(chosen) if isinstance(part, Records) else part[chosen]

        y, length, place, files = (
            None if part is None else part[chosen]
            for part in (self.y, self.length, self.place, self.files)
        )
        target = None if self.target is None else taken(self.target)
        return replace(
            self, x=taken(self.x), y=y, target=target, length=length, place=place, files=files
        )

    def labelled(self, y: np.ndarray) -> Rows:
        """Returns the same examples with other labels, [N]."""
        return replace(self, y=y)

    def shaped(self, shape: tuple[int, ...]) -> Rows:
        """Returns the same examples, each of another shape."""
        if isinstance(self.x, Records):
            return replace(self, x=self.x.reshape(shape))
        return replace(self, x=self.x.reshape(len(self), *shape))

    def steps(self, start: int, stop: int) -> np.ndarray | Records:
        """Returns the steps start..stop of every sequence, [N, stop - start, ...]."""
        if isinstance(self.x, Records):
            return self.x.steps(start, stop)
        return self.x[:, start:stop]


def scaled(values: np.ndarray, most: float = 255.0) -> np.ndarray:
    """Returns values as the network reads them: bytes become floats, divided by `most`."""
    is_bytes = values.dtype == np.uint8
    return values.astype(np.float32) / np.float32(most) if is_bytes else values


class Dataset(NamedTuple):
    """A verified data set. `splits` has train and test, and validation where there is one."""

    key: str
    spec: Spec
    splits: dict[str, Rows]
    digest: str  # of the records' hashes: the same digest is the same data
    recorded: tuple[int, ...] = ()  # the shape of an example in the records
    tested: str = 'test'  # what the examples in `test` are, and scores of them are called
    folder: Path | None = None  # of the records, where there are any
    repeated: int = 0  # test examples that are in train too, byte for byte

    @property
    def sides(self) -> tuple[int, ...]:
        """Height, width and channels of an example, of pictures or maps; () where it has none."""
        sides = self.spec.picture or (self.recorded if len(self.recorded) == 3 else ())
        return (*sides[:2], *(sides[2:] or (1,))) if sides else ()

    @property
    def shown(self) -> dict[str, Rows]:
        """Its splits by what they are called, each once."""
        splits = dict(self.splits)
        test = splits.pop('test')
        is_own = all(rows is not test for rows in splits.values())
        return splits | ({self.tested: test} if is_own else {})

    def mapped(self, made: Callable[[str, Rows], Rows]) -> dict[str, Rows]:
        """Returns what is made of each split's name and rows; two that are the same stay the same.

        As a test split that is the train split.
        """
        splits: dict[str, Rows] = {}
        for name, rows in self.splits.items():
            same = next((n for n in splits if self.splits[n] is rows), None)
            splits[name] = splits[same] if same else made(name, rows)
        return splits

    def without_test(self) -> Dataset:
        """Returns it with the validation examples in the place of the test's.

        Raises UsageError where there are none.
        """
        if 'validation' not in self.splits:
            raise UsageError(f'--tune: {self.key} has no validation examples to score on')
        splits = self.splits | {'test': self.splits['validation']}
        return self._replace(splits=splits, tested='validation')


def shaped(data: Dataset, shape: tuple[int, ...]) -> Dataset:
    """Returns the data with each example of that shape, where that differs by how it is written.

    A vector takes any shape of as many features; another shape at most loses or gains ones.
    """
    if data.spec.shape == shape or math.prod(data.spec.shape) != math.prod(shape):
        return data
    sides = ([size for size in form if size > 1] for form in (data.spec.shape, shape))
    if min(len(data.spec.shape), len(shape)) > 1 and next(sides) != next(sides):
        return data
    splits = data.mapped(lambda _, rows: rows.shaped(shape))
    return data._replace(spec=data.spec._replace(shape=shape), splits=splits)


def refuse_lengths(data: Dataset) -> None:
    """Raises UsageError where examples have lengths, for a network that cannot count steps."""
    if any(rows.length is not None for rows in data.splits.values()):
        raise UsageError(
            f'{data.key}: has lengths, which only network=lstm reads, and what reads length:0'
        )


def ending_in_zeros(rows: Rows) -> int:
    """Counts the sequences, [N, T, ...], whose last step is all zeros, as padding is."""
    step = max(1, _TOGETHER // math.prod(rows.x.shape[1:]))
    ends = (rows.x[start : start + step][:, -1] for start in range(0, len(rows), step))
    return sum(int((~part.reshape(len(part), -1).any(axis=1)).sum()) for part in ends)


def flat(data: Dataset, experiment: Experiment) -> Dataset:
    """Returns the data as vectors, [N, features], which they are as they are read.

    Raises UsageError where examples have lengths.
    """
    refuse_lengths(data)
    return data


def maps(data: Dataset, experiment: Experiment) -> Dataset:
    """Returns the data as pictures or maps, [N, H, W, C].

    Raises UsageError where it holds none, or examples have lengths.
    """
    refuse_lengths(data)
    if not data.sides:
        what = 'pool' if experiment.has('pool') else 'network=conv'
        raise UsageError(f'{data.key}: holds no pictures, which {what} reads')
    return shaped(data, data.sides)


def steps(data: Dataset, experiment: Experiment, *, follow: bool = True) -> Dataset:
    """Returns the data as sequences, [N, T, features]: the first axis of an example is time.

    The last `future` steps are cut off, to be the target where they are predicted; where none
    `follow` what is read, there is no target. Raises UsageError where the data holds no sequences,
    or too short ones.
    """
    reads = experiment.root
    future = reads.future if follow else 0
    if len(data.recorded) < 2:
        raise UsageError(
            f'{data.key}: holds {data.spec.shape[0]} features an example; network=lstm reads '
            'sequences, x of [N, steps, features] (x[..., None] of one number a step)'
        )
    total, features = data.recorded[0], math.prod(data.recorded[1:])
    past = total - future
    if past < 1:
        raise UsageError(f'future={future}: {data.key} has sequences of {total} steps')

    def cut(_: str, rows: Rows) -> Rows:
        if future and rows.length is not None:
            raise UsageError(f'future={future}: needs sequences of one length; {data.key} has more')
        rows = rows.shaped((total, features))
        target = rows.steps(past, total) if experiment.predicts and follow else None
        return replace(rows, x=rows.steps(0, past), target=target)

    splits = data.mapped(cut)
    rows_are_steps = bool(data.spec.picture)
    frame = data.recorded[1:] if not rows_are_steps and len(data.recorded) > 2 else ()
    spec = data.spec._replace(
        shape=(past, features), picture=() if frame else (past, features), frame=frame,
        future=reads.future,
    )  # fmt: skip
    return data._replace(spec=spec, splits=splits)


def one_hot(data: Dataset, experiment: Experiment) -> Dataset:
    """Returns the first training pictures, each to be decoded from its one-hot vector.

    Raises UsageError where the data holds no pictures, or not as many as are to be stored, or
    lengths.
    """
    refuse_lengths(data)
    train, count = next(iter(data.splits.values())), experiment.pictures
    if not data.spec.picture:
        raise UsageError(f'{data.key}: holds no pictures, which network=memory stores')
    if count > len(train):
        raise UsageError(f'pictures={count}: {data.key} has {len(train)} to train on')
    labels = None if train.y is None else train.y[:count]
    rows = Rows(np.eye(count, dtype=np.float32), labels, train.x[:count].reshape(count, -1))
    rows = replace(rows, place=train.places[:count])
    spec = data.spec._replace(shape=(count,), one_hot=True)
    return data._replace(spec=spec, splits={'train': rows, 'test': rows})


def as_read(data: Dataset, experiment: Experiment) -> Dataset:
    """Returns the data as they are: the saved graph of a stranger says later what it reads."""
    return data


ARRANGED: dict[str, Callable[[Dataset, Experiment], Dataset]] = {  # a row a layout
    'flat': flat,
    'maps': maps,
    'steps': steps,
    'one-hot': one_hot,
    '': as_read,
}


def arranged(data: Dataset, experiment: Experiment, read: Spec | None = None) -> Dataset:
    """Returns data as the experiment's network reads them; of a finished run, which `read` such.

    Sequences no longer than what that has read are not cut: what follows them is not there yet.
    """
    if read and read.future and data.recorded[:1] == read.shape[:1]:
        return steps(data, experiment, follow=False)
    return ARRANGED[experiment.layout](data, experiment)


def stratified(y: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Returns the rows of a share of each class, at least one of each, chosen by `seed`.

    Those without a label are of no class.

    A smaller share of the same seed is a part of a larger one.
    """
    generator = np.random.default_rng((_LABELLED, seed))
    chosen = []
    for label in np.unique(y[y != UNLABELLED]):
        mine = generator.permutation(np.flatnonzero(y == label))
        chosen.append(mine[: max(1, round(share * len(mine)))])
    return np.sort(np.concatenate(chosen))


def unlabelled(rows: Rows, share: float, seed: int) -> Rows:
    """Returns the rows with the labels of all but a share of each class hidden."""
    if share == 1.0 or rows.y is None:
        return rows
    known = stratified(rows.y, share, seed)
    y = np.full_like(rows.y, UNLABELLED)
    y[known] = rows.y[known]
    return rows.labelled(y)


def compared(rows: Rows, count: int = COMPARED) -> Rows:
    """Returns `count` rows, or all where there are fewer: the first of those that are shuffled.

    Of rows in order they are spread evenly, for these may begin with one class.
    """
    return rows.take(places_compared(rows, count))


def places_compared(rows: Rows, count: int = COMPARED) -> slice | np.ndarray:
    """Returns which of the rows are those that `compared` takes."""
    if rows.in_order and len(rows) > count:
        return evenly(len(rows), count)
    return slice(0, count)
