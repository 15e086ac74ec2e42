"""A network's scores: its losses and metrics on every split, and what its codes are worth."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from evaluation import baselines, compressed, likelihood, probes, remembered, samples
from inputs.rows import Dataset, Rows, compared, places_compared
from inputs.spec import Spec
from model import Network, batch_size
from networks import layers, standardize
from networks.endpoints import Batch, Endpoints, OfBatch
from networks.layers import Mode
from parameters import Experiment
from phases import Noise
from system.errors import DataError
from system.interrupts import Interrupts

_OF_LABELS = ('cross_entropy', 'accuracy')
_CLEAN = Noise()
_GAUSSIAN = ('codings_mean', 'codings_log_var')
_KEY = 19  # of the random numbers of evaluation, which are the same in every run
_SIMILAR = 1 << 23  # numbers, at most, in pictures that are compared with pictures
_COMPARED = 1 << 27  # numbers, at most, in examples whose neighbours are sought
_WINDOW = 11  # side of the windows of structural similarity


class View(NamedTuple):
    """Losses and metrics of examples, and what is random in them; nothing is dropped.

    `names` maps what a value is called to what it is; None is all metrics. A variational code is
    its mean, or sampled where `samples`; the target of an experiment that binarizes is the grey
    itself, or drawn where `draws`.
    """

    names: Mapping[str, str] | None = None
    samples: bool = False
    draws: bool = False
    noise: Noise = _CLEAN


class Evaluation:
    """Views of the same examples on placeholders: what their towers share is computed once."""

    def __init__(self, network: Network, *views: View, reads: str = 'X', keeps: Sequence[str] = ()):
        """Builds the towers, from the tensor `reads` on; a later view's value replaces another's.

        `keeps` names tensors that `measure` returns whole, with nothing drawn.
        """
        self._network = network
        tensors, labelled = network.endpoints.tensors, network.experiment.classifies
        shape = tensors[reads].shape
        is_fed = reads == 'X'
        self._batch = network.at_once() if is_fed else batch_size(tuple(map(int, shape[1:])))
        experiment, wanted = network.experiment, shape
        if experiment.bounds:  # by so many codes of each, every one of which is decoded
            numbers = experiment.bound_samples * math.prod(network.spec.shape)
            self._batch = min(self._batch, batch_size(network.spec.shape, numbers))
        if network.spec.one_hot:
            wanted = [None, math.prod(network.spec.picture)]
        elif experiment.predicts:
            wanted = [None, network.spec.future, shape[2]]
        with tf.name_scope('evaluation'):
            self._inputs = tf.placeholder(tf.float32, shape, 'inputs')
            self._target = tf.placeholder(tf.float32, wanted, 'target')
            self._y = tf.placeholder(tf.int32, [None], 'y') if labelled else None
            self._length = tf.placeholder_with_default([int(shape[1])], [None], 'length')
            self._seed = tf.placeholder(tf.int64, [2], 'seed')
            self._towers: dict[tuple[bool, bool, Noise], Endpoints] = {}
            self._fetches: dict[str, tf.Tensor] = {}
            for view in views:
                samples = view.samples and bool(experiment.has('variational'))
                draws = view.draws and experiment.binarize
                made = self._tower(reads, samples, draws, view.noise)
                known = {**made.losses, **made.metrics}
                names = {name: name for name in made.metrics} if view.names is None else view.names
                values = {shown: known[name]() for shown, name in names.items()}
                self._fetches |= {
                    shown: value.score(value.values) if isinstance(value, OfBatch) else value
                    for shown, value in values.items()
                }
            self._kept = {
                name: self._tower(reads, False, False, _CLEAN).tensors[name] for name in keeps
            }

    def _tower(self, reads: str, samples: bool, draws: bool, noise: Noise) -> Endpoints:
        """Builds a tower once; one that samples has the encoder of one that does not, if there is.

        TensorFlow would compute it twice: it merges no operations that read variables.
        """
        key = (samples, draws, noise)
        if key in self._towers:
            return self._towers[key]
        same = self._towers.get((False, draws, noise))
        encoded = {name: same.tensors[name] for name in _GAUSSIAN} if same and samples else {}
        inputs, target, units = self._inputs, self._target, self._network.units
        fed = target if reads == 'X' else None
        if reads == 'X':
            inputs, target = units.into(inputs), units.into(target)
        if self._network.experiment.binarize and draws:
            inputs = target = layers.binarize(inputs, self._seed)
        inputs = layers.corrupt(inputs, noise, self._seed)
        mode = Mode(False, self._seed if samples else None)
        batch = Batch(inputs, target, self._y, self._length, fed)
        tower = self._network.tower(reads, lambda name, made: encoded.get(name, made))
        self._towers[key] = tower(batch, mode)
        return self._towers[key]

    def mean(self, rows: Rows, check: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Returns each value's mean over the rows; a scalar counts once for each example.

        `check` is called after each batch.
        """
        return self.measure(rows, slice(0), check)[0]

    def measure(
        self, rows: Rows, places: slice | np.ndarray, check: Callable[[], None] = lambda: None
    ) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Returns the means, and what is kept of the rows at `places`, which are in order.

        What needs a label is a mean over the rows that have one, and left out where none has.
        `check` is called after each batch.
        """
        sums = dict.fromkeys(self._fetches, 0.0)
        kept: dict[str, list[np.ndarray]] = {name: [] for name in self._kept}
        known = np.ones(len(rows), bool) if rows.y is None else rows.known
        wanted, start = np.arange(len(rows))[places], 0
        for count, (values, made) in self._batches(rows, (self._fetches, self._kept)):
            check()
            for name, value in values.items():
                if name in _OF_LABELS:
                    value = value[known[start : start + count]]
                counted = len(value) if np.ndim(value) else count
                sums[name] += float(np.mean(value, dtype=np.float64)) * counted if counted else 0.0
            mine = wanted[(start <= wanted) & (wanted < start + count)] - start
            for name, value in made.items():
                kept[name].append(value[mine])
            start += count
        counts = {name: known.sum() if name in _OF_LABELS else len(rows) for name in sums}
        means = {name: float(total / counts[name]) for name, total in sums.items() if counts[name]}
        return means, {name: np.concatenate(parts) for name, parts in kept.items()}

    def each(self, rows: Rows) -> Iterator[dict[str, np.ndarray]]:
        """Yields each value of every row, [n], a batch at a time.

        What needs labels is left out where there are none, and NaN of a row that has none.
        """
        fetches = {n: t for n, t in self._fetches.items() if t.shape.rank == 1}
        if rows.y is None:
            fetches = {n: t for n, t in fetches.items() if n not in _OF_LABELS}
        known, start = rows.known, 0
        for count, values in self._batches(rows, fetches):
            for name in values.keys() & {*_OF_LABELS}:
                values[name] = np.where(known[start : start + count], values[name], np.nan)
            yield values
            start += count

    def _batches(self, rows: Rows, fetches: Any) -> Iterator[tuple[int, Any]]:
        """Yields how many rows a batch has, and what is fetched of them."""
        starts = range(0, len(rows), self._batch)
        if self._network.experiment.predicts and rows.target is None:
            spec = self._network.spec
            raise DataError(
                f'sequences of {spec.shape[0]} steps: the {spec.future} that follow, which errors '
                'are of, are missing'
            )

        def feeds(start: int) -> dict[tf.Tensor, Any]:
            stop = min(start + self._batch, len(rows))
            inputs = rows.floats(start, stop)
            fed = {
                self._inputs: inputs,
                self._target: inputs if rows.target is None else rows.targets(start, stop),
                self._seed: (_KEY, start),
            }
            if self._y is not None and rows.y is not None:
                fed[self._y] = np.maximum(rows.y[start:stop], 0)  # any, where there is none
            if rows.length is not None:
                fed[self._length] = rows.length[start:stop]
            return fed

        for start, values in zip(
            starts, self._network.run_each(fetches, map(feeds, starts)), strict=True
        ):
            yield min(self._batch, len(rows) - start), values


def of_each(network: Network) -> Evaluation:
    """Returns what evaluates all metrics of an example by itself, wherever it stands.

    Nothing is drawn: a Gaussian code is its mean, the target of binary pixels their greys.
    """
    return Evaluation(network, View())


def whole(network: Network, keeps: Sequence[str] = ()) -> Evaluation:
    """Returns what evaluates all metrics of results.json that are means over examples.

    The likelihood of a variational network is that of a drawn code, and of drawn pixels where an
    experiment binarizes; all else is that of the code's mean, and of the greys.
    """
    views, noise = [View()], network.experiment.test_noise
    if network.experiment.has('variational') and 'nelbo' in network.endpoints.metrics:
        views.append(View({n: n for n in ('nll', 'kl', 'nelbo')}, samples=True, draws=True))
    elif network.experiment.binarize:
        views.append(View({'nll': 'nll'}, draws=True))
    if noise.amount:
        views.append(View({'mse_corrupted': 'mse'}, noise=noise))
    return Evaluation(network, *views, keeps=keeps)


class Scored(NamedTuple):
    """What results.json says of a network, and its codes of the test examples, [N, units]."""

    metrics: dict[str, float]
    codings: np.ndarray  # of at most 10,000 examples


def score(
    network: Network, data: Dataset, splits: Mapping[str, Rows], interrupts: Interrupts
) -> Scored:
    """Returns all metrics of results.json: of each of `splits`, and of the codes of the test set.

    `data` has the whole splits, which codes are compared among. Of training pictures that a
    convolutional network is fed only the first 10,000 are scored.
    """
    experiment, evaluation = network.experiment, whole(network, keeps=['codings'])
    metrics: dict[str, float] = {}
    codings: dict[str, np.ndarray] = {}
    for split, rows in splits.items():
        has_all = rows.x is data.splits[split].x  # and not a share of them, whose codes are others
        if data.spec.layout == 'maps' and split == 'train':
            rows = compared(rows)
        places = places_compared(rows) if has_all else slice(0)
        scored, kept = evaluation.measure(rows, places, interrupts.check)
        metrics |= {f'{split}/{name}': value for name, value in scored.items()}
        codings |= {split: kept['codings']} if has_all else {}
    if experiment.has('variational') and experiment.importance_samples:
        metrics['test/importance_nll'] = likelihood.importance_nll(
            network, data.splits['test'], experiment.importance_samples, _KEY, interrupts
        )
    if 'test' not in codings:
        codings['test'] = network.compute('codings', compared(data.splits['test']))
    metrics |= {f'test/{name}': value for name, value in _codes(network, data, codings).items()}
    interrupts.check()
    shows = data.spec.picture and network.spec.in_unit
    if data.spec.layout == 'maps' and shows and network.restored is None:
        metrics |= _of_pictures(network, data) | _compressed(network, data, interrupts)
    if data.spec.layout == 'flat' and data.spec.picture and network.restored is None:
        kernel = network.values().get('layer1/kernel')
        if kernel is not None and kernel.ndim == 2:
            peaked = probes.filter_kurtosis(kernel)
            metrics |= {} if peaked is None else {'filter_kurtosis': peaked}
    if data.spec.layout == 'steps' and network.restored is None and 'train' in data.splits:
        made = tuple(sorted(network.endpoints.tensors.keys() & set(baselines.MADE.values())))
        units = int(network.endpoints.tensors['codings'].shape[1])
        beside = remembered.figures(
            data, ('errors', made, units), lambda: baselines.errors(network, data)
        )
        metrics |= {f'test/{name}': value for name, value in beside.items()}
    metrics |= _principal_components(network, data)
    named = {re.sub('^test/', f'{data.tested}/', name): value for name, value in metrics.items()}
    return Scored(named, codings['test'])


def _of_pictures(network: Network, data: Dataset) -> dict[str, float]:
    """Returns structural similarity and checkerboard of reconstructed test pictures."""
    test = compared(data.splits['test'], _limit(data.spec, _SIMILAR))
    names = {'test/ssim': 'ssim'} if min(data.spec.picture[:2]) >= _WINDOW else {}
    evaluation = Evaluation(network, View(names), keeps=['outputs'])
    found, made = evaluation.measure(test, slice(None))
    outputs, images = np.clip(made['outputs'], 0, 1), test.floats(0, len(test))
    found['checkerboard_data'] = probes.checkerboard(images)
    found['test/checkerboard'] = probes.checkerboard(outputs)
    ours, theirs = (probes.ridge(x, len(network.experiment.filters)) for x in (outputs, images))
    if ours is not None and theirs is not None:
        found['test/checkerboard_excess'] = ours - theirs
    return found


def _compressed(network: Network, data: Dataset, interrupts: Interrupts) -> dict[str, float]:
    """Returns what JPEG and principal components make of test pictures, where these are large."""
    train, test = data.splits.get('train'), data.splits['test']
    is_large = min(data.spec.shape[:2]) >= compressed.LEAST and data.spec.shape[2] in (1, 3)
    if train is None or train is test or not is_large:
        return {}
    units = int(network.endpoints.tensors['codings'].shape[1])
    similar = _limit(data.spec, _SIMILAR)
    found = remembered.figures(
        data,
        ('compressed', units, similar, compressed.QUALITIES, compressed.MOST),
        lambda: compressed.errors(data, units, similar, interrupts.check),
    )
    return {f'test/{name}': value for name, value in found.items()}


def _limit(spec: Spec, numbers: int) -> int:
    """Returns how many examples have about so many numbers."""
    return max(1, numbers // math.prod(spec.shape))


def _codes(network: Network, data: Dataset, known: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Returns what test codes are worth; `known` has them, and the training codes if it can."""
    among_all, test = data.splits.get('train'), compared(data.splits['test'])
    codings = known['test']
    found = probes.usage(codings)
    if among_all and among_all is not data.splits['test']:
        found |= _of_classes(network, data, known)
    draws = network.decodes() and data.spec.picture and data.spec.layout in ('flat', 'maps')
    labels = among_all.labels[among_all.known] if among_all and among_all.known.any() else []
    is_known = len(np.unique(labels)) > 1
    count = min(len(test), samples.COUNT, _limit(data.spec, _SIMILAR))
    if draws and is_known and count > samples.NEAREST:
        ends = codings[:count]
        codes = {'': gaussian_codes(*ends.shape), '_between': (ends + np.roll(ends, 1, axis=0)) / 2}
        decoded = {kind: network.decode(some) for kind, some in codes.items()}
        found |= samples.scores(data, count, decoded)
    return found


def _of_classes(
    network: Network, data: Dataset, known: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Returns how well codes and inputs tell classes apart, of examples whose labels are known."""
    splits = {name: data.splits[name].of_known() for name in ('train', 'test')}
    if not all(map(len, splits.values())):
        return {}
    rows = {name: compared(those) for name, those in splits.items()}
    codes = {
        name: known[name]
        if name in known and those is data.splits[name]
        else network.compute('codings', rows[name])
        for name, those in splits.items()
    }
    train, test = rows['train'], rows['test']
    found = {
        'separation': probes.separation(codes['train'], train.labels, codes['test'], test.labels)
    }
    if len(train) <= _limit(data.spec, _COMPARED):
        found |= _separated(network, data, train, test, codes['test'].shape[1])
    return found


def _separated(
    network: Network, data: Dataset, train: Rows, test: Rows, units: int
) -> dict[str, float]:
    """Returns how well inputs tell classes apart, as the network has them, and their components."""
    values = network.values()
    if standardize.has_units(values, data.spec.shape[-1]):
        train, test = (_standardized(values, rows) for rows in (train, test))
        return probes.baselines(train, test, units)
    return remembered.figures(
        data, ('separation', units), lambda: probes.baselines(train, test, units)
    )


def corrupted(network: Network, rows: Rows, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows as they are corrupted, and what the network makes of them, [N, features]."""
    tensors = network.endpoints.tensors
    with tf.name_scope('corrupted'):
        inputs, seed = network.units.into(tensors['X']), tf.constant((_KEY, 0), tf.int64)
        units = network.units.of(tensors['X'])
        inputs = units.back(layers.corrupt(inputs, noise, seed))
    made = network.session.run(inputs, {tensors['X']: rows.floats(0, len(rows))})
    return made, network.compute('outputs', Rows(made, None))


def gaussian_codes(count: int, units: int, seed: int = 0) -> np.ndarray:
    """Samples codes from the unit Gaussian, [count, units]."""
    return np.random.default_rng((_KEY, seed)).standard_normal((count, units), np.float32)


def _principal_components(network: Network, data: Dataset) -> dict[str, float]:
    """Returns what PCA of the code's width reaches, where the network could be compared with it."""
    experiment, test = network.experiment, data.splits['test']
    train = data.splits.get('train', test)
    units = int(network.endpoints.tensors['codings'].shape[-1])
    fits = data.spec.layout == 'flat' and units <= min(data.spec.shape[0], len(train))
    fits = fits and len(train) <= _limit(data.spec, probes.FITTED)
    if network.restored is not None or 'train' not in data.splits or not fits:
        return {}
    if experiment.errs_standardized:  # in whose units PCA is another
        train, test = (in_units_of(network, rows) for rows in (train, test))
        found = {'test/pca_mse_standardized': probes.pca(train, test, units)[0]}
    else:
        found = remembered.figures(
            data, ('pca', units), lambda: {'test/pca_mse': probes.pca(train, test, units)[0]}
        )
    # The kernels of a likelihood may be in other units than its errors; few examples span no plane.
    is_alike = experiment.errs_standardized == experiment.standardizes
    if is_alike and _is_linear(experiment) and units < len(train):
        components = probes.components(train, units)
        values = network.values()
        kernel = values['layer1/kernel'].T if experiment.tied else values['layer1/decoder_kernel']
        found['pca_angle_degrees'] = probes.plane_angle(kernel, components)
    return found


def in_units_of(network: Network, rows: Rows) -> Rows:
    """Returns rows in the units that a network's distance is measured in."""
    is_apart = network.experiment.errs_standardized
    return _standardized(network.values(), rows) if is_apart else rows


def _standardized(values: Mapping[str, np.ndarray], rows: Rows) -> Rows:
    """Returns rows in the units of a network's variables, in memory; 0 where no step counts."""
    made = standardize.standardized(rows.floats(0, len(rows)), values)
    if rows.length is not None:
        made[np.arange(made.shape[1]) >= rows.length[:, None]] = 0
    return Rows(made, rows.y)


def _is_linear(experiment: Experiment) -> bool:
    """Whether it is one linear layer and its inverse, which PCA solves exactly."""
    if experiment.has('tied') is None or len(experiment.hidden) > 1:
        return False
    plain = not (experiment.variational or experiment.classify)
    return plain and experiment.code_layer == experiment.output_activation == 'linear'
