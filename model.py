"""The graphs: what can be minimised, the names that a saved graph promises, and their session.

`build` makes the inference graph on the placeholder `X:0`, with every variable and promised name.
`tower` makes the same network again on the same variables over other inputs: a batch in training,
or the cached activations of a lower layer. `Network` is such a graph in its session.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from inputs.rows import Rows
from inputs.spec import Spec
from networks import head, kmeans, lstm, memory, patches, serving, stacked, trained_on, weights
from networks import session as sessions
from networks.endpoints import Batch, Blueprint, Endpoints, Expose, unchanged
from networks.layers import TOWER, Mode, grouped
from networks.saved_graph import SavedGraph
from networks.serving import Served
from networks.standardize import AS_FED, SCALE, SHIFT, Columns, Units, units_of
from parameters import Experiment
from system import cores

TOWERS: dict[str, Callable[[Blueprint], Endpoints]] = {  # a row a kind of network
    'dense': stacked.dense,
    'conv': stacked.convolutional,
    'lstm': lstm.autoencoder,
    'memory': memory.decoder,
    'kmeans': kmeans.centroids,
    'head': head.classifier,
}
INFERENCE = Mode()
_BATCH = 1000  # examples in one call, where nothing is learned from them
_VALUES = 10_000_000  # numbers in one call's inputs

Tower = Callable[[Batch, Mode], Endpoints]


def build(
    experiment: Experiment,
    spec: Spec,
    restored: SavedGraph | None = None,
    *,
    trains: bool = True,
) -> Endpoints:
    """Builds the inference graph, with its variables and the names promised to users.

    Unless it `trains` there is no `training:0` to switch. `restored` is the saved graph of the
    experiment's parent, imported as it stands; without a parent the network is built from the
    experiment's fields.
    """
    tensors = {'X': tf.placeholder(tf.float32, [None, *spec.shape], name='X')}
    y, mode, length = None, INFERENCE, None
    if experiment.classifies:
        y = tf.placeholder(tf.int32, [None], name='y')
    if trains and experiment.has_training_mode:
        mode = Mode(tf.placeholder_with_default(False, [], name='training'))

    def promise(name: str, tensor: tf.Tensor) -> tf.Tensor:
        """Names a tensor at the top; what follows is computed from the name, so that it feeds."""
        with tf.name_scope(None):
            return tf.identity(tensor, name=name)

    if restored.counts_steps if restored else spec.layout == 'steps':
        length = tf.placeholder_with_default([spec.shape[0]], [None], name='length')
        tensors['length'] = length
    units = units_of(experiment, spec)
    batch = Batch(units.into(tensors['X']), units.into(tensors['X']), y, length, tensors['X'])
    scope = TOWER if restored else ''  # a stranger's graph may have any names
    with grouped():
        endpoints = tower(
            experiment, spec, batch, mode, restored=restored, expose=promise, scope=scope
        )
    tensors |= endpoints.tensors
    if y is not None:
        tensors['accuracy'] = tf.reduce_mean(endpoints.metrics['accuracy'](), name='accuracy')
    return endpoints._replace(tensors=tensors)


def exported(
    experiment: Experiment, spec: Spec, restored: SavedGraph | None, *, trains: bool
) -> Served:
    """Builds the graph that is saved, which says itself what it was trained on."""
    trained_on.say(spec)
    return Served(experiment, spec, build(experiment, spec, restored, trains=trains).tensors)


def tower(
    experiment: Experiment,
    spec: Spec,
    batch: Batch,
    mode: Mode = INFERENCE,
    *,
    reads: str = 'X',
    restored: SavedGraph | None = None,
    expose: Expose = unchanged,
    scope: str = TOWER,
) -> Endpoints:
    """Builds the network from the tensor `reads` on, over `batch`, below the current name scope.

    Its operations stand below `scope` there. Where that is the top of the graph, '', those of layer
    k are below `encoderK` and `decoderK`.
    The batch's inputs and target are in the network's units: standardised where X is.
    """
    with tf.name_scope(scope):
        units = units_of(experiment, spec).of(batch.fed) if reads == 'X' else AS_FED
        plan = Blueprint(experiment, spec, batch, mode, reads, restored, expose, units)
        return TOWERS[experiment.kind](plan)


def variables(
    graph: tf.Graph, pattern: str = '.*', *, trainable: bool = False
) -> list[tf.Variable]:
    """Returns the model's variables whose whole name matches `pattern`, in order of creation."""
    key = tf.GraphKeys.TRAINABLE_VARIABLES if trainable else tf.GraphKeys.GLOBAL_VARIABLES
    return [v for v in graph.get_collection(key) if re.fullmatch(pattern, v.op.name)]


def upstream(tensor: tf.Tensor) -> set[str]:
    """Returns the names of the variables that a tensor is computed from."""
    return {op.name for op in serving.ancestors(tensor) if op.type == 'VarHandleOp'}


def batch_size(shape: tuple[int, ...], widest: int = 0) -> int:
    """Returns how many examples of that shape go into one call.

    `widest` is how many numbers one becomes on its way, where these are more than it has itself.
    """
    return max(1, min(_BATCH, _VALUES // max(math.prod(shape), widest)))


class Network(NamedTuple):
    """A model's inference graph, and the session that holds its variables."""

    experiment: Experiment
    spec: Spec
    restored: SavedGraph | None  # the parent's part, imported as it stands
    session: tf.Session
    endpoints: Endpoints
    variables: list[tf.Variable]

    def tower(self, reads: str = 'X', expose: Expose = unchanged) -> Tower:
        """Returns what builds a tower from the tensor `reads` on, on the variables there are.

        `expose` gives what stands for each named tensor in the tower.
        """

        def over(batch: Batch, mode: Mode) -> Endpoints:
            with tf.variable_scope(tf.get_variable_scope(), reuse=True):
                return tower(
                    self.experiment,
                    self.spec,
                    batch,
                    mode,
                    reads=reads,
                    restored=self.restored,
                    expose=expose,
                )

        return over

    def graph_def(self) -> tf.GraphDef:
        """Returns the part of the graph that the promised tensors are computed by."""
        names = [tensor.op.name for tensor in self.endpoints.tensors.values()]
        whole = self.session.graph.as_graph_def()
        made: tf.GraphDef = tf.graph_util.extract_sub_graph(whole, names)
        return made

    def declared(self) -> dict[str, weights.Declared]:
        """Returns type and shape of each variable by name."""
        return {v.op.name: weights.Declared(v.dtype.base_dtype, v.shape) for v in self.variables}

    def values(self) -> dict[str, np.ndarray]:
        """Returns the variables' values by name, in order of the names."""
        read = self.session.run({v.op.name: v for v in self.variables})
        return dict(sorted(read.items()))

    def compute(self, name: str, rows: Rows, source: str = 'X') -> np.ndarray:
        """Returns the promised tensor `name` for every row, [N, ...], in memory."""
        return np.concatenate(list(self.batches(name, rows, source)))

    def batches(self, name: str, rows: Rows, source: str = 'X') -> Iterator[np.ndarray]:
        """Yields the promised tensor `name` of the rows, in order, a batch at a time."""
        size = self.at_once()
        feeds = (self._fed(rows, source, s, s + size) for s in range(0, len(rows), size))
        return self.run_each(self.endpoints.tensors[name], feeds)

    def at_once(self) -> int:
        """Returns how many examples go into one call; few of those that become many patches."""
        if not self.experiment.has('pool'):
            return batch_size(self.spec.shape)
        units = int(self.endpoints.tensors['codings'].shape[-1]) // self.experiment.pool**2
        return batch_size(self.spec.shape, patches.most_numbers(self.spec, self.experiment, units))

    def together(self, names: Iterable[str], rows: Rows) -> dict[str, np.ndarray]:
        """Returns several promised tensors of the rows, all of which go into one call."""
        fetches = {name: self.endpoints.tensors[name] for name in names}
        found: dict[str, np.ndarray] = self.session.run(fetches, self._fed(rows, 'X', 0, len(rows)))
        return found

    def _fed(self, rows: Rows, source: str, start: int, stop: int) -> dict[tf.Tensor, np.ndarray]:
        tensors = self.endpoints.tensors
        fed = {tensors[source]: rows.floats(start, stop)}
        if rows.length is not None:
            fed[tensors['length']] = rows.length[start:stop]
        return fed

    def run_each(self, fetches: Any, feeds: Iterable[dict[tf.Tensor, Any]]) -> Iterator[Any]:
        """Yields what each feed gives, in order, so many at once that all cores are at work.

        So operations of one thread, as for a batch in parts, are no slower here.
        """
        at_once = cores.number() if self.experiment.parts > 1 else 1
        return sessions.in_order(lambda fed: self.session.run(fetches, fed), feeds, at_once)

    def decode(self, codings: np.ndarray, length: np.ndarray | None = None) -> np.ndarray:
        """Returns the outputs of codings, [N, units], that are fed in place of computed ones.

        `length` [N] says how many steps the sequences have that these are the codes of.
        """
        rows = Rows(codings.astype(np.float32), None, length=length)
        return self.compute('outputs', rows, source='codings')

    @property
    def units(self) -> Units:
        """What stands between the units of X and those of a tower's batch."""
        return units_of(self.experiment, self.spec)

    @property
    def restored_units(self) -> Units:
        """What stands between X and what a restored graph computes in, if it shifts and scales.

        One that is applied to patches of X scales these alone.
        """
        found = {v.op.name: v for v in self.variables} if self.restored else {}
        units = [found.get(name) for name in (SHIFT, SCALE)]
        columns = self.spec.shape[-1:]
        of_x = all(variable is not None and variable.shape == columns for variable in units)
        return Columns(*units) if of_x else AS_FED

    @property
    def counts_steps(self) -> bool:
        """Whether it reads how many steps of each sequence count."""
        return 'length' in self.endpoints.tensors

    def decodes(self) -> bool:
        """Whether the outputs are computed from its codings, so that codings can be fed."""
        of_the_code_alone = self.experiment.has('standardize') != 'zca'
        return 'outputs' in self.endpoints.tensors and self.restored is None and of_the_code_alone


def network_of(
    experiment: Experiment, spec: Spec, restored: SavedGraph | None, prefix: str = ''
) -> Network:
    """Builds the experiment's model with initial values, and the restored ones of its parent.

    Where the `prefix` of a saved graph is given, all values are that one's, which must fit before
    any memory is taken for them. The caller closes its session.
    """
    settings = sessions.config(experiment.precision, spec.shape, experiment.parts)
    with tf.Graph().as_default() as graph:
        session = sessions.opened(settings)
        try:
            endpoints = build(experiment, spec, restored)
            made = variables(graph)
            network = Network(experiment, spec, restored, session, endpoints, made)
            if prefix:
                values = weights.values(prefix, network.declared(), alone=True)
                weights.load(session, values)
            else:
                session.run(tf.variables_initializer(made))
                weights.load(session, restored.variables if restored else {})
        except BaseException:
            session.close()
            raise
    return network


@contextmanager
def built(
    experiment: Experiment, spec: Spec, restored: SavedGraph | None, prefix: str = ''
) -> Iterator[Network]:
    """Builds the model as `network_of` does, for as long as the context lasts."""
    network = network_of(experiment, spec, restored, prefix)
    with network.session.graph.as_default(), network.session:
        yield network
