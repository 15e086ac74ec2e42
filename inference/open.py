"""A finished run, opened: its network, data for it, and what it writes into its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import dataset
from inputs.rows import Dataset, refuse_lengths, shaped
from model import Network, built
from networks import saved_graph
from system import disk
from system.errors import DataError
from system.names import shown
from train.folder import Place, configuration


@contextmanager
def opened(folder: Path) -> Iterator[Network]:
    """Builds a finished run's model with its final values.

    Raises UsageError where there is no finished run, DataError where its files are damaged.
    """
    experiment, spec = configuration(folder)
    restored = saved_graph.read(str(folder)) if experiment.parent else None
    with built(experiment, spec, restored, str(folder / 'model')) as network:
        yield network


def identity(folder: Path, network: Network) -> str:
    """Returns JSON that names a run: its folder, experiment, and the checksum of its variables."""
    return json.dumps(
        {
            'run': str(folder),
            'experiment': network.experiment.resolved(),
            'variables_sha256': saved_graph.checksum(network.values()),
        }
    )


def data_for(network: Network, changes: dict[str, Any], place: Place) -> Dataset:
    """Returns a data set as the network reads it: the run's own, or another that `changes` name.

    Raises DataError where its examples or classes are not those that the run can read, UsageError
    where they have lengths that it does not.
    """
    experiment = network.experiment.vary(**changes)
    was_resized = network.experiment.dataset == 'images'  # and says itself to what
    if experiment.dataset == 'images' and network.spec.picture and not was_resized:
        size, channels = network.spec.picture[:2], (*network.spec.picture[2:], 1)[0]
        experiment = experiment.vary(image_size=size, image_channels=channels)
    data = shaped(dataset.load(experiment, place.data_dir, verify=place.verify), network.spec.shape)
    if data.spec.shape != network.spec.shape:
        raise DataError(
            f'{data.key}: examples of {data.spec.said}, the run reads {network.spec.said}'
        )
    if network.spec.one_hot and data.spec.picture != network.spec.picture:
        raise DataError(
            f'{data.key}: pictures of {data.spec.picture}, the run stores {network.spec.picture}'
        )
    if not network.counts_steps:
        refuse_lengths(data)
    if experiment.classifies and data.spec.classes and data.spec.classes != network.spec.classes:
        print(
            f'warning: the classes of {shown(data.key)} are not those that the run was trained on'
        )
        if len(data.spec.classes) > len(network.spec.classes):
            raise DataError(
                f'{data.key}: {len(data.spec.classes)} classes, the run knows '
                f'{len(network.spec.classes)}'
            )
    return data


def save(file: Path, arrays: dict[str, Any]) -> Path:
    """Writes arrays to an `.npz` file, whole or not at all; returns the file."""
    with disk.whole(file, 'wb') as opened_file:
        np.savez(opened_file, **arrays)
    return file
