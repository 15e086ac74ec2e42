"""A finished run as an object: arrays in, arrays out, without files, from any thread."""

from __future__ import annotations

import functools
import inspect
import math
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit, softmax

import dataset
from evaluation import scores
from inference.open import classified, fitting, network_of_run
from inputs import sources
from inputs.columns import check_columns, columns_of
from inputs.rows import Rows, arranged
from inputs.spec import Spec
from model import Network, network_of
from networks import weights
from networks.saved_graph import SavedGraph
from parameters import Experiment
from system.errors import DataError, UsageError
from system.lines import shown

_PROJECT = Path(__file__).parent.parent


class Run:
    """A finished run's network with its weights. `load` opens one, `close` frees its memory.

    Every method takes x as arrays that look like the training data: [N, ...], in the same order,
    units and range; of sequences `length` [N] may say how many steps count. What comes out is in
    the order of x. Raises DataError for examples that the network cannot read.
    """

    def __init__(
        self,
        network: Network,
        name: str,
        labels: np.ndarray | None = None,
        columns: list[Any] | None = None,
    ):
        """Takes a network; `labels` [classes] are what its classes are called, if not by name.

        `columns` are the names of those of the table that it was trained on, if they are known.
        """
        self.network = network
        self.name = name
        self.labels = np.array(network.spec.classes) if labels is None else labels
        self.columns = columns or [*network.spec.feature_names] or None
        self._is_closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Is pickled as what it is built from: its configuration, graph and weights."""
        network = self.network
        built_from = network.experiment, network.spec, network.restored, network.values()
        return _rebuilt, (*built_from, self.name, self.labels, self.columns)

    def close(self) -> None:
        """Closes the session; the run cannot be used after that."""
        self._is_closed = True
        self.network.session.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise UsageError(f'{self.name}: the run is closed; load it again')

    @property
    def experiment(self) -> Experiment:
        """What was trained."""
        return self.network.experiment

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of its classes, in the order of `predict_proba`."""
        return self.network.spec.classes

    def encode(self, x: Any, length: Any = None) -> np.ndarray:
        """Returns the codes of x, [N, units] float32."""
        return self._together(encoded(self.network, self._rows(x, length)))['codings']

    def decode(self, codings: Any, length: Any = None) -> np.ndarray:
        """Returns what codes, [N, units], are decoded to, as `reconstruct` has it.

        Of codes of sequences `length` [N] says how many steps these had, where not all counted.
        [N, ...] as pictures, sequences and rows were trained on; of arrays with other axes
        [N, features]. Raises UsageError where the run does not decode.
        """
        self._check_open()
        network = self.network
        check_decodes(network, self.name)
        units = int(network.endpoints.tensors['codings'].shape[-1])
        codes = as_codings(codings, units, 'codings')
        steps = None if length is None else as_lengths(length, len(codes), network, 'length')
        return self._as_fed(network.decode(codes, steps))

    def reconstruct(self, x: Any, length: Any = None) -> np.ndarray:
        """Returns what the network makes of x, in its shape; a predictor what follows.

        In the units of the training data; of bytes these are numbers from 0 to 1, as they are read.
        Series with more padding than those trained on come back with as many steps as those had.
        """
        rows = self._rows(x, length)
        made = self._together(reconstructed(self.network, rows))['outputs']
        fed = np.shape(x)[1:]
        if len(fed) > 1 or rows.length is None:
            return as_fed(made, self.network, rows, fed)
        return as_fed(made, self.network, rows, (*fed, 1))[..., 0]  # a number a step

    def score(
        self, x: Any, y: Any = None, length: Any = None, *, detail: bool = False
    ) -> dict[str, np.ndarray]:
        """Returns each metric of the run for each example, [N] each, by name.

        Labels `y` [N] give a classifier's accuracy and cross-entropy too. With `detail`, the
        squared errors of each feature, step or pixel are there as well, [N, ...]. They are in the
        units of the training data, squared, in float32: values beyond 1e18 make them infinite.
        """
        if y is not None and not self.experiment.classifies:
            raise UsageError(
                f'y: {self.experiment.name} is no classifier, and needs no labels to be scored; '
                'how many steps of sequences count is length=...'
            )
        rows = self._rows(x, length, y)
        return self._together(scored(self.network, self._evaluation, rows, detail=detail))

    def predict_proba(self, x: Any, length: Any = None) -> np.ndarray:
        """Returns the probability of each class, [N, classes], in the order of `classes`.

        Those of a head add up to 1. A classifier that was trained together with its network
        (`classify`) says of each class by itself how probable it is: they need not. Raises
        UsageError where the run is no classifier.
        """
        rows = self._rows(x, length)
        return self._together(labelled(self.network, rows))['probabilities']

    def predict(self, x: Any, length: Any = None) -> np.ndarray:
        """Returns the label of each example, [N], as `predict_proba` finds it the most probable."""
        rows = self._rows(x, length)
        return self.labels[self._together(labelled(self.network, rows))['numbers']]

    @functools.cached_property
    def _evaluation(self) -> scores.Evaluation:
        with self._lock, self.network.session.graph.as_default():
            return scores.of_each(self.network)

    def _rows(self, x: Any, length: Any = None, y: Any = None) -> Rows:
        """Returns arrays as the network reads them; raises DataError where it cannot."""
        self._check_open()
        check_columns('x', columns_of(x), self.columns, 'give x[run.columns]')
        source = sources.of_arrays(x, y, length)
        data = dataset.held('x', source)
        count = len(data.splits['test'])
        data = arranged(data, self.experiment, self.network.spec)
        if len(data.splits['test']) != count:
            raise DataError(
                f'x has {count} examples; {self.experiment.name} reads no others than the '
                f'{len(data.splits["test"])} that it stores, in their order'
            )
        data = fitting(self.network, data, _warn)
        if y is not None and self.experiment.classifies:
            data = classified(self.network, data)
        return data.splits['test']

    def _as_fed(self, values: np.ndarray) -> np.ndarray:
        """Returns outputs, [N, ...], in the shape of a picture where they are some."""
        picture = self.network.spec.picture
        return values.reshape(-1, *picture) if picture else values

    @staticmethod
    def _together(batches: Iterator[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        parts = list(batches)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _rebuilt(
    experiment: Experiment,
    spec: Spec,
    restored: SavedGraph | None,
    values: dict[str, np.ndarray],
    name: str,
    labels: np.ndarray,
    columns: list[Any] | None = None,  # which those pickled before do not have
) -> Run:
    network = network_of(experiment, spec, restored)
    weights.load(network.session, values)
    return Run(network, name, labels, columns)


def _warn(text: str) -> None:
    """Warns in the line of the caller's that had these examples read."""
    ours = (f'{_PROJECT}/inference/', f'{_PROJECT}/inputs/')
    frames = enumerate(frame.filename for frame in inspect.stack(context=0))
    level = next((n for n, file in frames if not file.startswith(ours)), 1)
    warnings.warn(shown(text.removeprefix('warning: ')), stacklevel=level + 1)


def load(run_dir: str | Path, *, trusted: bool = False) -> Run:
    """Opens the finished run in a folder.

    A restored graph in it that was not written here is tried first, in a process of its own; one
    that is `trusted` may be large, loop and be random. Raises UsageError where there is none,
    DataError where its files are damaged.
    """
    folder = Path(run_dir).expanduser()
    return Run(network_of_run(folder, trusted), str(folder))


def encoded(network: Network, rows: Rows) -> Iterator[dict[str, np.ndarray]]:
    """Yields the codes, [n, units], a batch at a time; how many steps counted, where not all."""
    stop = 0
    for codings in network.batches('codings', rows):
        start, stop = stop, stop + len(codings)
        counts = {} if rows.length is None else {'length': rows.length[start:stop]}
        yield {'codings': codings, **counts}


def reconstructed(network: Network, rows: Rows) -> Iterator[dict[str, np.ndarray]]:
    """Yields what is made of the rows, [n, ...]: `outputs`, with `predictions` beside them if both.

    Raises UsageError where nothing is made.
    """
    names = {'outputs': compared_with_data(network)}
    if 'predictions' in network.endpoints.tensors and names['outputs'] != 'predictions':
        names['predictions'] = 'predictions'
    for parts in zip(*(network.batches(name, rows) for name in names.values()), strict=True):
        yield dict(zip(names, parts, strict=True))


def output_shape(made: tuple[int, ...], network: Network, fed: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape that an output, `made`, is shown in: as the example was `fed`, if it fits.

    Of sequences it may have fewer steps: those that are predicted, or that these follow.
    """
    if math.prod(made) == math.prod(fed):
        return fed
    if len(made) == 2 and made[1] == math.prod(fed[1:]):
        return made[0], *fed[1:]
    picture = network.spec.picture
    return picture if math.prod(picture) == math.prod(made) else made


def as_fed(made: np.ndarray, network: Network, rows: Rows, fed: tuple[int, ...]) -> np.ndarray:
    """Returns outputs, [n, ...], in the shape of the examples that were `fed`, as `output_shape`.

    Series that were padded to the steps that the network reads have as many as they came with;
    those that came with more padding have as many as it reads.
    """
    is_series = rows.length is not None and made.ndim == len(fed) + 1
    if is_series and fed[0] < made.shape[1] == network.spec.shape[0]:
        made = made[:, : fed[0]]
    return made.reshape(-1, *output_shape(made.shape[1:], network, fed))


def check_decodes(network: Network, name: str) -> None:
    """Raises UsageError, which names the run, where codes alone are not decoded."""
    if network.decodes():
        return
    why = f'{network.experiment.name} has no decoder of its own'
    if network.experiment.has('standardize') == 'zca':
        why = 'with standardize=zca a code does not tell the brightness and contrast of its example'
    raise UsageError(f'{name}: {why}')


def compared_with_data(network: Network) -> str:
    """Returns the name of the tensor that is; raises UsageError where there is none."""
    for name in ('outputs', 'predictions'):
        if name in network.endpoints.tensors:
            return name
    raise UsageError(f'{network.experiment.name}: reconstructs nothing')


def check_labels(network: Network) -> None:
    """Raises UsageError where a run is no classifier."""
    if 'logits' not in network.endpoints.tensors:
        raise UsageError(f'{network.experiment.name}: is no classifier, and has no labels to give')


def labelled(network: Network, rows: Rows) -> Iterator[dict[str, np.ndarray]]:
    """Yields the probabilities of the classes, [n, classes], and the likeliest one's number, [n].

    Raises UsageError as `check_labels` does.
    A classifier that was trained together with its network gives each class its own sigmoid.
    """
    check_labels(network)
    joint = network.restored is None
    for logits in network.batches('logits', rows):
        shares = expit(logits) if joint else softmax(logits, axis=1)  # which may be 1 of several
        yield {'probabilities': shares, 'numbers': logits.argmax(axis=1)}


def scored(
    network: Network, evaluation: scores.Evaluation, rows: Rows, *, detail: bool
) -> Iterator[dict[str, np.ndarray]]:
    """Yields each metric of each row, [n], by name; with `detail` the squared errors too."""
    start = 0
    compared = _detailed(network, rows) if detail else None
    for found in evaluation.each(rows):
        if not found:
            raise UsageError(
                f'{network.experiment.name}: makes no outputs, so that without labels there is '
                'nothing to score'
            )
        stop = start + len(next(iter(found.values())))
        if compared:
            outputs = network.compute(compared, rows.take(slice(start, stop)))
            found |= _errors(network, rows, start, stop, outputs)
        yield found
        start = stop


def _detailed(network: Network, rows: Rows) -> str:
    """Returns what is compared in detail; raises UsageError where with what is not known."""
    name = compared_with_data(network)
    if name == 'predictions' and rows.target is None:
        raise UsageError(
            f'detail: what should follow is not known; {network.experiment.name} does not predict '
            'itself, or these sequences end with what is fed'
        )
    return name


def _errors(
    network: Network, rows: Rows, start: int, stop: int, made: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns squared errors: of features, [n, F]; of pixels; of steps, [n, T], and features."""
    future = compared_with_data(network) == 'predictions'
    wanted = (rows.targets if future or network.spec.one_hot else rows.floats)(start, stop)
    squares = (made - wanted.reshape(made.shape)) ** 2
    if network.spec.layout == 'steps':
        if rows.length is not None and not future:
            counts = np.arange(squares.shape[1]) < rows.length[start:stop, None]
            squares = np.where(counts[:, :, None], squares, np.nan)
        return {
            'squared_error_of_step': np.mean(squares, axis=2),
            'squared_error_of_feature': np.nanmean(squares, axis=1),
        }
    if network.spec.picture:
        return {'squared_error_of_pixel': squares.reshape(-1, *network.spec.picture)}
    return {'squared_error_of_feature': squares}


def as_lengths(values: Any, count: int, network: Network, what: str) -> np.ndarray:
    """Returns how many steps count of as many sequences, [count] int32; raises DataError."""
    if not network.counts_steps:
        raise UsageError(f'{what}: has no effect; {network.experiment.name} reads no lengths')
    steps, lengths = network.spec.shape[0], np.asarray(values)
    fits = lengths.shape == (count,) and lengths.dtype.kind in 'iu'
    if not fits or not ((lengths >= 1) & (lengths <= steps)).all():
        raise DataError(f'{what}: must be [{count}] whole numbers from 1 to {steps}')
    return lengths.astype(np.int32)


def as_codings(values: Any, units: int, what: str) -> np.ndarray:
    """Returns codes as float32, [N, units]; raises DataError, which names `what`, for others."""
    try:
        codings = np.asarray(values)
    except ValueError:
        raise DataError(f'{what}: codings must be [N, {units}], its rows are not alike') from None
    numeric = np.issubdtype(codings.dtype, np.number) and np.isrealobj(codings)
    if codings.ndim != 2 or codings.shape[1] != units or not numeric or not len(codings):
        of = '' if numeric else f' of {codings.dtype}, and no numbers'
        are = f'they are {list(codings.shape)}{of}'
        raise DataError(f'{what}: codings must be [N, {units}], {are}')
    if not np.isfinite(codings).all():
        raise DataError(f'{what}: codings has NaN or infinity')
    return codings.astype(np.float32)
