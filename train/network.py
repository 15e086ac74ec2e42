"""A model in its session: built to be trained, or opened from a finished run's folder."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

import model
import saved_graph
from dataset import Rows
from endpoints import Expose, unchanged
from errors import DataError, UsageError
from layers import Mode
from parameters import Experiment, Spec, restore
from saved_graph import Declared, SavedGraph
from train import runs
from train import session as sessions

_BATCH = 1000  # examples in one call, where nothing is learned from them
_VALUES = 10_000_000  # numbers in one call's inputs

Tower = Callable[[model.Batch, Mode], model.Endpoints]


def batch_size(shape: tuple[int, ...]) -> int:
    """Returns how many examples of that shape go into one call."""
    return max(1, min(_BATCH, _VALUES // math.prod(shape)))


class Network(NamedTuple):
    """A model's inference graph, and the session that holds its variables."""

    experiment: Experiment
    spec: Spec
    restored: SavedGraph | None  # the parent's part, imported as it stands
    session: tf.Session
    endpoints: model.Endpoints
    variables: list[tf.Variable]

    def tower(self, reads: str = 'X', expose: Expose = unchanged) -> Tower:
        """Returns what builds a tower from the tensor `reads` on, on the variables there are.

        `expose` gives what stands for each named tensor in the tower.
        """

        def build(batch: model.Batch, mode: Mode) -> model.Endpoints:
            with tf.variable_scope(tf.get_variable_scope(), reuse=True):
                return model.tower(
                    self.experiment,
                    self.spec,
                    batch,
                    mode,
                    reads=reads,
                    restored=self.restored,
                    expose=expose,
                )

        return build

    def declared(self) -> dict[str, Declared]:
        """Returns type and shape of each variable by name."""
        return {v.op.name: Declared(v.dtype.base_dtype, v.shape) for v in self.variables}

    def values(self) -> dict[str, np.ndarray]:
        """Returns the variables' values by name, in order of the names."""
        read = self.session.run({v.op.name: v for v in self.variables})
        return dict(sorted(read.items()))

    def compute(self, name: str, rows: Rows, source: str = 'X') -> np.ndarray:
        """Returns the promised tensor `name` for every row, [N, ...], in memory."""
        tensors, size = self.endpoints.tensors, batch_size(self.spec.shape)
        parts = []
        for start in range(0, len(rows), size):
            feeds = {tensors[source]: rows.floats(start, start + size)}
            if rows.length is not None:
                feeds[tensors['length']] = rows.length[start : start + size]
            parts.append(self.session.run(tensors[name], feeds))
        return np.concatenate(parts)

    def decode(self, codings: np.ndarray) -> np.ndarray:
        """Returns the outputs of codings, [N, units], that are fed in place of computed ones."""
        return self.compute('outputs', Rows(codings.astype(np.float32), None), source='codings')

    def decodes(self) -> bool:
        """Whether the outputs are computed from its codings, so that codings can be fed."""
        return 'outputs' in self.endpoints.tensors and self.experiment.parent is None


@contextmanager
def built(
    experiment: Experiment, spec: Spec, restored: SavedGraph | None, prefix: str = ''
) -> Iterator[Network]:
    """Builds the experiment's model with initial values, and the restored ones of its parent.

    Where the `prefix` of a saved graph is given, all values are that one's, which must fit before
    any memory is taken for them.
    """
    settings = sessions.config(experiment.precision, spec.shape)
    with tf.Graph().as_default() as graph, tf.Session(config=settings) as session:
        endpoints = model.build(experiment, spec, restored)
        variables = model.variables(graph)
        network = Network(experiment, spec, restored, session, endpoints, variables)
        if prefix:
            saved_graph.load(session, saved_graph.values(prefix, network.declared()))
        else:
            session.run(tf.variables_initializer(variables))
            saved_graph.load(session, restored.variables if restored else {})
        yield network


@contextmanager
def opened(folder: Path) -> Iterator[Network]:
    """Builds a finished run's model with its final values.

    Raises UsageError where there is no finished run, DataError where its files are damaged.
    """
    experiment, spec = configuration(folder)
    restored = saved_graph.read(str(folder)) if experiment.parent else None
    with built(experiment, spec, restored, str(folder / 'model')) as network:
        yield network


def configuration(folder: Path) -> tuple[Experiment, Spec]:
    """Returns what a finished run is, and of which data, from its config.json.

    Raises UsageError where there is no finished run, DataError where that file is not one of ours.
    """
    file = folder / 'config.json'
    config = runs.read_json(file)
    if not config or not (folder / 'results.json').is_file():
        raise UsageError(
            f'{folder}: no finished run there; train it first (without --mode=...), or name '
            'another with --run_dir'
        )
    try:
        experiment, data = restore(config['experiment']), config['data']
        sizes = {name: tuple(data.get(name, ())) for name in ('shape', 'picture', 'frame')}
        classes = tuple(data['classes'])
        if not all(type(n) is int and 0 < n < 1 << 31 for size in sizes.values() for n in size):
            raise ValueError('a shape that is none')
        if not sizes['shape'] or not all(isinstance(name, str) for name in classes):
            raise ValueError('no shape, or classes that are no names')
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, UsageError) as error:
        reason = str(error) if isinstance(error, UsageError) else type(error).__name__
        raise DataError(f'{file}: not the configuration of a run ({reason})') from None
    return experiment, Spec(**sizes, classes=classes, future=experiment.future)


def identity(folder: Path, network: Network) -> str:
    """Returns JSON that names a run: its folder, experiment, and the checksum of its variables."""
    return json.dumps(
        {
            'run': str(folder),
            'experiment': network.experiment.resolved(),
            'variables_sha256': saved_graph.checksum(network.values()),
        }
    )
