"""A network's scores: its losses and metrics on every split, and what its codes are worth."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from evaluation import baselines, likelihood, probes
from inputs.rows import Dataset, Rows, compared
from inputs.spec import Spec
from model import Network, batch_size
from networks import layers, standardize
from networks.endpoints import Batch, OfBatch
from networks.layers import Mode
from parameters import Experiment
from phases import Noise
from system.interrupts import Interrupts

_OF_LABELS = ('cross_entropy', 'accuracy')
_CLEAN = Noise()
_KEY = 19  # of the random numbers of evaluation, which are the same in every run
_BASELINES: dict[tuple[Any, ...], dict[str, float]] = {}  # a study's runs share them
_SAMPLES = 2000  # to be compared with as many test pictures
_SIMILAR = 1 << 23  # numbers, at most, in pictures that are compared with pictures
_COMPARED = 1 << 27  # numbers, at most, in examples whose neighbours are sought
_WINDOW = 11  # side of the windows of structural similarity


class Evaluation:
    """A tower on placeholders, and the losses and metrics it is asked for.

    It drops nothing; a variational code is sampled where `samples`, its mean otherwise.
    """

    def __init__(
        self,
        network: Network,
        names: Mapping[str, str] | None = None,
        *,
        reads: str = 'X',
        samples: bool = True,
        draws: bool = True,
        noise: Noise = _CLEAN,
    ):
        """Builds it; `names` maps what a value is called to what it is, None is all metrics.

        Without `draws` the target of an experiment that binarizes is the grey itself.
        """
        self._network = network
        tensors, labelled = network.endpoints.tensors, network.experiment.classifies
        shape = tensors[reads].shape
        self._batch = batch_size(tuple(map(int, shape[1:])))
        experiment, wanted = network.experiment, shape
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
            inputs, target = self._inputs, self._target
            if reads == 'X':
                inputs, target = network.units.into(inputs), network.units.into(target)
            if experiment.binarize and draws:
                inputs = target = layers.binarize(inputs, self._seed)
            inputs = layers.corrupt(inputs, noise, self._seed)
            mode = Mode(False, self._seed if samples else None)
            batch = Batch(inputs, target, self._y, self._length)
            made = network.tower(reads)(batch, mode)
            known = {**made.losses, **made.metrics}
            names = {name: name for name in made.metrics} if names is None else names
            values = {shown: known[name]() for shown, name in names.items()}
            self._fetches = {
                shown: value.score(value.values) if isinstance(value, OfBatch) else value
                for shown, value in values.items()
            }

    def mean(self, rows: Rows) -> dict[str, float]:
        """Returns each value's mean over the rows; a scalar counts once for each example."""
        sums = dict.fromkeys(self._fetches, 0.0)
        for count, values in self._batches(rows, self._fetches):
            for name, value in values.items():
                sums[name] += float(np.mean(value, dtype=np.float64)) * count
        return {name: total / len(rows) for name, total in sums.items()}

    def each(self, rows: Rows) -> Iterator[dict[str, np.ndarray]]:
        """Yields each value of every row, [n], a batch at a time.

        What needs labels is left out where there are none.
        """
        fetches = {n: t for n, t in self._fetches.items() if t.shape.rank == 1}
        if rows.y is None:
            fetches = {n: t for n, t in fetches.items() if n not in _OF_LABELS}
        for _, values in self._batches(rows, fetches):
            yield values

    def _batches(
        self, rows: Rows, fetches: Mapping[str, tf.Tensor]
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Yields how many rows a batch has, and what is fetched of them."""
        starts = range(0, len(rows), self._batch)

        def feeds(start: int) -> dict[tf.Tensor, Any]:
            stop = min(start + self._batch, len(rows))
            inputs = rows.floats(start, stop)
            fed = {
                self._inputs: inputs,
                self._target: inputs if rows.target is None else rows.targets(start, stop),
                self._seed: (_KEY, start),
            }
            if self._y is not None and rows.y is not None:
                fed[self._y] = rows.y[start:stop]
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
    return Evaluation(network, samples=False, draws=False)


def plain(network: Network) -> list[Evaluation]:
    """Returns what evaluates the metrics of clean examples; later ones in place of earlier."""
    evaluations = [Evaluation(network, samples=False)]
    if network.experiment.has('variational'):
        terms = ('nll', 'kl', 'nelbo') if 'nelbo' in network.endpoints.metrics else ('kl',)
        evaluations.append(Evaluation(network, {name: name for name in terms}))
    return evaluations


def score(
    network: Network,
    data: Dataset,
    splits: Mapping[str, Rows],
    codings: np.ndarray,
    interrupts: Interrupts,
) -> dict[str, float]:
    """Returns all metrics of results.json: of each of `splits`, and of the codes of the test set.

    `data` has the whole splits, which codes are compared among, `codings` are what `test_codes`
    returns. Of training pictures that a convolutional network is fed only the first 10,000 are
    scored.
    """
    experiment = network.experiment
    evaluations = plain(network)
    if experiment.test_noise.amount:
        evaluations.append(
            Evaluation(
                network, {'mse_corrupted': 'mse'}, samples=False, noise=experiment.test_noise
            )
        )
    metrics: dict[str, float] = {}
    for split, rows in splits.items():
        if data.spec.layout == 'maps' and split == 'train':
            rows = compared(rows)
        scored: dict[str, float] = {}
        for evaluation in evaluations:
            interrupts.check()
            scored |= evaluation.mean(rows)
        metrics |= {f'{split}/{name}': value for name, value in scored.items()}
    if experiment.has('variational') and experiment.importance_samples:
        metrics['test/importance_nll'] = likelihood.importance_nll(
            network, data.splits['test'], experiment.importance_samples, _KEY, interrupts
        )
    metrics |= {f'test/{name}': value for name, value in _codes(network, data, codings).items()}
    interrupts.check()
    if data.spec.layout == 'maps' and network.restored is None:
        metrics |= _of_pictures(network, data)
    if data.spec.layout == 'flat' and data.spec.picture and network.restored is None:
        kernel = network.values().get('layer1/kernel')
        if kernel is not None and kernel.ndim == 2:
            metrics['filter_kurtosis'] = probes.filter_kurtosis(kernel)
    if data.spec.layout == 'steps' and network.restored is None and 'train' in data.splits:
        beside = baselines.errors(network, data)
        metrics |= {f'test/{name}': value for name, value in beside.items()}
    metrics |= _principal_components(network, data)
    return {re.sub('^test/', f'{data.tested}/', name): value for name, value in metrics.items()}


def _of_pictures(network: Network, data: Dataset) -> dict[str, float]:
    """Returns structural similarity and checkerboard of reconstructed test pictures."""
    found: dict[str, float] = {}
    test = compared(data.splits['test'], _limit(data.spec, _SIMILAR))
    if min(data.spec.picture[:2]) >= _WINDOW:
        found['test/ssim'] = Evaluation(network, {'ssim': 'ssim'}, samples=False).mean(test)['ssim']
    images, outputs = test.floats(0, len(test)), network.compute('outputs', test)
    found['checkerboard_data'] = probes.checkerboard(images)
    found['test/checkerboard'] = probes.checkerboard(np.clip(outputs, 0, 1))
    return found


def _limit(spec: Spec, numbers: int) -> int:
    """Returns how many examples have about so many numbers."""
    return max(1, numbers // math.prod(spec.shape))


def test_codes(network: Network, data: Dataset) -> np.ndarray:
    """Returns the codes of the test examples that are compared, [N, units]."""
    return network.compute('codings', compared(data.splits['test']))


def _codes(network: Network, data: Dataset, codings: np.ndarray) -> dict[str, float]:
    among_all, test = data.splits.get('train'), compared(data.splits['test'])
    found = probes.usage(codings)
    if test.y is not None and among_all and among_all is not data.splits['test']:
        train = compared(among_all)
        among = network.compute('codings', train)
        found['separation'] = probes.separation(among, train.labels, codings, test.y)
        key = (data.digest, data.spec.shape, codings.shape[1])
        fits = len(train) <= _limit(data.spec, _COMPARED)
        if key not in _BASELINES and fits:
            _BASELINES[key] = probes.baselines(train, test, codings.shape[1])
        found |= _BASELINES.get(key, {})
    draws = network.decodes() and data.spec.picture and data.spec.layout in ('flat', 'maps')
    if draws and len(test) > probes.NEAREST:
        images = compared(test, min(_SAMPLES, _limit(data.spec, _SIMILAR)))
        outputs = network.decode(gaussian_codes(len(images), codings.shape[1]))
        near = (
            values.reshape(len(images), -1) for values in (outputs, images.floats(0, len(images)))
        )
        precision, recall = probes.precision_and_recall(*near)
        found |= {'sample_precision': precision, 'sample_recall': recall}
    return found


def corrupted(network: Network, rows: Rows, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows as they are corrupted, and what the network makes of them, [N, features]."""
    tensors = network.endpoints.tensors
    with tf.name_scope('corrupted'):
        inputs, seed = network.units.into(tensors['X']), tf.constant((_KEY, 0), tf.int64)
        inputs = network.units.back(layers.corrupt(inputs, noise, seed))
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
    if experiment.standardizes:  # in whose units PCA is another
        train, test = (_standardized(network, rows) for rows in (train, test))
    error, components = probes.pca(train, test, units)
    found = {f'test/{"pca_mse_standardized" if experiment.standardizes else "pca_mse"}': error}
    if _is_linear(experiment) and units < len(train):  # which span no such plane otherwise
        values = network.values()
        kernel = values['layer1/kernel'].T if experiment.tied else values['layer1/decoder_kernel']
        found['pca_angle_degrees'] = probes.plane_angle(kernel, components)
    return found


def _standardized(network: Network, rows: Rows) -> Rows:
    """Returns the rows in the network's units, [N, features], in memory."""
    values = network.values()
    shift, scale = values[standardize.SHIFT], values[standardize.SCALE]
    return Rows((rows.floats(0, len(rows)) - shift) / scale, rows.y)


def _is_linear(experiment: Experiment) -> bool:
    """Whether it is one linear layer and its inverse, which PCA solves exactly."""
    if experiment.has('tied') is None or len(experiment.hidden) > 1:
        return False
    plain = not (experiment.variational or experiment.classify)
    return plain and experiment.code_layer == experiment.output_activation == 'linear'
