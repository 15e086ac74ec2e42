"""A finished run, opened: its network, data for it, and what names it in the files it writes."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

import dataset
from inputs import values
from inputs.columns import check_columns
from inputs.rows import Dataset, Rows, ending_in_zeros, refuse_lengths, shaped
from inputs.shards import UNLABELLED, Records
from model import Network, network_of
from networks import fits, saved_graph, trial, weights
from networks import session as sessions
from parameters import OWN_DATA, PICTURES, Experiment
from reports import run_files
from system.errors import DataError, UsageError
from system.lines import say
from train.folder import Place, configuration, configured

_UNBUILT = (ValueError, TypeError, LookupError, ArithmeticError, tf.errors.InvalidArgumentError)
_REORDER = 'save x with the columns that the run was trained on, in that order'
STOPPED = 'stopped, nothing was written; the same command begins again'


def network_of_run(folder: Path, trusted: bool = False) -> Network:
    """Builds a finished run's model with its final values; the caller closes its session.

    A restored graph in it that was not written here is tried first; one that is `trusted` may be
    large, loop and be random. Raises UsageError where there is no finished run, DataError where its
    files are damaged.
    """
    experiment, spec = configuration(folder)
    fits.check(str(folder / 'model'), experiment, spec)
    restored = None
    if experiment.parent:
        examples = partial(trial.drawn, spec.shape)
        trial.tried(str(folder), examples, trusted=trusted)
        restored = saved_graph.read(str(folder), trusted=trusted)
    try:
        return network_of(experiment, spec, restored, str(folder / 'model'))
    except _UNBUILT as error:
        why = weights.words_of(error) or type(error).__name__
        raise DataError(
            f'{folder / run_files.CONFIG}: describes a network that cannot be built ({why})'
        ) from None


@contextmanager
def opened(folder: Path, trusted: bool = False) -> Iterator[Network]:
    """Builds a model as `network_of_run` does, for as long as the context lasts."""
    network = network_of_run(folder, trusted)
    said = saved_graph.faults_said(network.restored)
    with network.session.graph.as_default(), network.session, sessions.exhaustion_said(), said:
        yield network


def identity(folder: Path, network: Network) -> str:
    """Returns JSON that names a run: its folder, experiment, and the checksum of its variables."""
    return json.dumps(
        {
            'run': str(folder),
            'experiment': network.experiment.resolved(),
            'variables_sha256': weights.checksum(network.values()),
        }
    )


def data_for(
    network: Network,
    folder: Path,
    changes: dict[str, Any],
    place: Place,
    check: Callable[[], None] = lambda: None,
    labelled: bool = True,
    *,
    once: bool = False,
) -> Dataset:
    """Returns data as the network reads them: the run's own, or others that `changes` name.

    `folder` is the run's: what it was trained on keeps its splits. A user's own that are named, or
    have changed since, which is said, are whole, one split in the order they are in, `labelled`
    where their labels are wanted. Of pictures that are read `once` none are held in memory, however
    few they are. Raises as `fitting`.
    """
    experiment = network.experiment.vary(**changes)
    if once and changes.get('dataset') == 'images':
        experiment = experiment.vary(cache_bytes=0)
    kept = configured(folder)['data']
    was_resized = network.experiment.dataset in PICTURES  # and says itself to what
    if experiment.dataset == 'images' and network.spec.picture and not was_resized:
        height, width, *channels = _drawn(kept, network)
        # Its training data were not encoded either.
        experiment = experiment.vary(
            image_size=(height, width), image_channels=[*channels, 1][0], jpeg_quality=0
        )
    records, verify = place.data_dir, place.verify
    key = dataset.key_if_there(experiment) if experiment.dataset in OWN_DATA else ''
    named = changes.get('dataset') in OWN_DATA
    if (key or named) and not dataset.same_data(key, str(kept.get('key'))):
        if not changes:
            say(
                f'warning: {experiment.data_path} has changed since the run was trained on it: it '
                'is read whole, for which of its examples were trained on is not known'
            )
        if experiment.dataset == 'images':
            _check_size(experiment, network)
        data = dataset.whole(
            experiment, records, read=network.spec, labelled=labelled, verify=verify, check=check
        )
        if network.spec.one_hot:
            count = len(data.splits['test'])
            say(f'{data.key}: its first {count} are beside the {count} that it stores')
        return fitting(network, data)
    try:
        data = dataset.load(experiment, records, verify=verify, check=check)
    except UsageError as error:
        if changes or os.path.exists(experiment.data_path):
            raise
        raise UsageError(f'{error}. The run was trained on it: name where it is now') from None
    if dataset.same_examples(data, str(kept.get('key')), str(kept.get('digest')), check):
        return shaped(data, network.spec.shape)
    if not changes:
        say(
            f'warning: {data.key} has changed since the run was trained on it; examples of its '
            'test split may be among those'
        )
    return fitting(network, data)


def _drawn(kept: Mapping[str, Any], network: Network) -> tuple[int, ...]:
    """Returns height, width and any channels of the pictures that a run was trained on."""
    recorded = run_files.recorded_in(kept)
    if len(recorded) == 2 or recorded[2:] in ((1,), (3,)):
        return recorded
    height, *others = network.spec.picture
    return height + network.spec.future, *others  # with the rows that a predictor is not fed


def _check_size(experiment: Experiment, network: Network) -> None:
    """Raises DataError, before pictures are recorded, where none of this size can be read."""
    spec = network.spec
    if experiment.has('patch_size'):
        raise DataError(
            f'--images={experiment.data_path}: the run reads squares cut of pictures; '
            f'give some of {spec.said} with --array'
        )
    if spec.one_hot:
        return
    ahead = spec.future * spec.shape[-1] if spec.future else 0
    shape = experiment.picture_size
    if math.prod(shape) not in (math.prod(spec.shape), math.prod(spec.shape) + ahead):
        said = 'x'.join(map(str, shape))
        raise DataError(
            f'--images={experiment.data_path}: pictures are read as {said}, and the run reads '
            f'{spec.said}'
        )


def fitting(network: Network, data: Dataset, say: Callable[[str], None] = say) -> Dataset:
    """Returns other data than the run's own as its network reads them, in the range trained on.

    Raises DataError where the examples are not those that the run can read, UsageError where they
    have lengths that it does not. `say` is told what was done to them.
    """
    spec = network.spec
    check_columns(data.key, data.spec.feature_names, spec.feature_names, _REORDER)
    data = _padded(shaped(data, spec.shape), network)
    if data.spec.shape != spec.shape:
        follow = f', and {spec.future} steps that follow or none' if spec.future else ''
        seen = data.spec
        if spec.future and len(seen.shape) == 2:
            seen = seen._replace(shape=(seen.shape[0] + spec.future, *seen.shape[1:]), picture=())
        alike = network.counts_steps and seen.shape[1:] == spec.shape[1:]
        pads = alike and seen.shape[0] < spec.shape[0]
        remedy = '; pad them, and say by length how many steps count' if pads else ''
        if len(spec.shape) == len(data.recorded) == 1 and not spec.picture:
            remedy = '; give the same columns, in the same order'
        raise DataError(
            f'{data.key}: examples of {seen.said}, the run reads {spec.said}{follow}{remedy}'
        )
    fed, known = (tuple(side for side in s.picture if side > 1) for s in (data.spec, spec))
    if not fed and len(recorded := tuple(side for side in data.recorded if side > 1)) > 1:
        fed = recorded  # of a dense network, in any order of the same numbers
    if fed and known and fed != known:
        raise DataError(f'{data.key}: pictures of {_sides(fed)}, the run reads {_sides(known)}')
    if not network.counts_steps:
        refuse_lengths(data)
    elif spec.has_lengths:
        for rows in data.splits.values():
            _say_padded(data.key, rows, say)
    if not data.spec.picture and spec.picture:  # rows of an array without the sides of the picture
        data = data._replace(spec=data.spec._replace(picture=spec.picture))
    return values.brought(data, spec.values, say)


def _say_padded(key: str, rows: Rows, say: Callable[[str], None]) -> None:
    """Warns where series without lengths end in zeros, for a run that was trained with lengths."""
    if rows.length is not None:
        return
    if ends := ending_in_zeros(rows):
        say(
            f'warning: {key}: {ends} of {len(rows)} series end in zeros, which count as steps; if '
            'they are padding, say by length how many steps count'
        )


def _padded(data: Dataset, network: Network) -> Dataset:
    """Returns series that say how many steps count with as many steps as the network reads.

    They get more where they have less, and lose what is padding in all of them.
    """
    steps, of_data = network.spec.shape[0], data.spec.shape
    if not network.counts_steps or of_data[1:] != network.spec.shape[1:] or of_data[0] == steps:
        return data
    splits = {}
    for name, rows in data.splits.items():
        if rows.length is None or rows.length.max() > steps or isinstance(rows.x, Records):
            return data
        x = np.zeros((len(rows), steps, *of_data[1:]), rows.x.dtype)
        x[:, : of_data[0]] = rows.x[:, :steps]
        splits[name] = dataclasses.replace(rows, x=x)
    shape = (steps, *of_data[1:])
    picture = shape if data.spec.picture else ()
    return data._replace(splits=splits, spec=data.spec._replace(shape=shape, picture=picture))


def classified(network: Network, data: Dataset) -> Dataset:
    """Returns data with the numbers that a classifier's classes have, matched by their names.

    Raises DataError where there are no labels, or some that the run does not know.
    """
    known = network.spec.classes
    if not data.spec.classes:
        raise DataError(f'{data.key}: has no labels, and the run is a classifier')
    if data.spec.classes == known:
        return data
    strange = [name for name in data.spec.classes if name not in known]
    if strange:
        raise DataError(
            f'{data.key}: labels that the run does not know: {_few(strange)}; it knows '
            f'{_few(known)}'
        )
    numbers = np.array([known.index(name) for name in data.spec.classes], np.int32)
    splits: dict[str, Rows] = {}
    for name, rows in data.splits.items():
        splits[name] = rows.labelled(np.where(rows.known, numbers[rows.labels], UNLABELLED))
    return data._replace(spec=data.spec._replace(classes=known), splits=splits)


def _sides(picture: tuple[int, ...]) -> str:
    return 'x'.join(map(str, picture))


def _few(names: Any) -> str:
    return ', '.join([*names[:10], *(['...'] if len(names) > 10 else [])])
