"""Saved graphs: `prefix.meta` with its checkpoint, read and cut to what is needed, or written.

Reading takes from the file only the sub-graph that computes the wanted tensors, and the values of
its variables; the file's own saver, initialisers and optimizer are never used.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework.variable_pb2 import VariableDef

from inputs.spec import Spec
from networks import bounds, codes, known, layers, norms, pieces, serving, trained_on, weights
from networks.allowed_ops import VARIABLES, confined
from system import disk, names
from system.errors import DataError

_META_BYTES = 1 << 28  # of a saved graph at most, weights not included
_RENAMED = 'docs/saved-graph.md says how a graph of yours gets the names'
_HIDDEN = re.compile(r'hidden\d+')
_OFFERED = re.compile(
    r'hidden\d+|phase\d+_outputs|codings|codings_mean|codings_log_var|outputs|predictions'
)


class SavedGraph(NamedTuple):
    """A saved graph, cut to the sub-graph from `X:0` to the tensors it offers."""

    prefix: str
    graph_def: tf.GraphDef  # without X, training and the variables themselves
    variables: dict[str, np.ndarray]
    handles: frozenset[str]  # names of those variables that are resources
    tensors: tuple[str, ...]  # promised names, without ':0'
    shape: tuple[int | None, ...] | None  # of X without the batch; None where the file does not say
    trains: bool  # it reads a `training:0`
    fixed: frozenset[str] = frozenset()  # names of those variables that training leaves alone
    trained: Spec | None = None  # what it was trained on, where the file says
    trusted: bool = False  # whoever asked knows it: it may be large, and loop

    @property
    def moments(self) -> list[norms.Moment]:
        """Where the batch norm below its codings takes the moments of a batch in training."""
        if not self.trains:
            return []
        encoder = pieces.below(self.graph_def, 'codings')
        return norms.moments(encoder, 'training', self.variables)

    @property
    def hidden(self) -> list[str]:
        """The names of its layers' activations, from the lowest on."""
        return sorted(filter(_HIDDEN.fullmatch, self.tensors), key=_number)

    def shape_for(self, recorded: tuple[int, ...], otherwise: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape in which it reads examples of a recorded shape, if it can at all.

        What it leaves open of it, as the number of steps, is as recorded; where it says nothing of
        a shape, it is what it is `otherwise`.
        """
        shape = self.shape
        if shape is None:
            return otherwise
        if len(shape) == 2:  # a film is a sequence of vectors
            recorded = (recorded[0], math.prod(recorded[1:]))
        elif len(shape) == 1:
            recorded = (math.prod(recorded),)
        if tf.TensorShape(shape).is_compatible_with(recorded):
            return recorded
        return tuple(size for size in shape if size is not None)

    @property
    def counts_steps(self) -> bool:
        """Whether it reads `length:0`, the steps of a sequence that count."""
        return self._length is not None

    @property
    def _length(self) -> tf.NodeDef | None:
        """The placeholder of the steps that count, of a graph that reads sequences."""
        placed = (node for node in self.graph_def.node if _says_length(node, self.shape))
        return next(placed, None)

    def tower(
        self,
        inputs: tf.Tensor,
        length: tf.Tensor | None = None,
        change: Callable[[str, tf.Tensor], tf.Tensor] | None = None,
        expose: Callable[[str, tf.Tensor], tf.Tensor] | None = None,
        statistics: dict[str, tf.Tensor] | None = None,
    ) -> dict[str, tf.Tensor]:
        """Imports the graph over `inputs`, as at inference, and returns its tensors by name.

        Of sequences of different lengths, `length` [N] or [1] says how many steps count. What
        `change` returns of a layer's name and activations is what the layers above it read; what
        `expose` returns of the codings, what is computed from these. With `statistics` its batch
        norm goes by the batch, whose moments are left there by the variables that follow them.

        The first tower in a graph makes the variables (zeros, see `load`), later ones share them.
        Raises DataError where the codings are not [N, units] and cannot be made that.
        """
        sources = {'X:0': inputs}
        for name, value in self.variables.items():
            zeros = tf.zeros_initializer()
            with tf.variable_scope(tf.get_variable_scope(), reuse=_exists(name)):
                variable = tf.get_variable(
                    name,
                    value.shape,
                    value.dtype,
                    initializer=zeros,
                    trainable=name not in self.fixed,
                    use_resource=True,
                )
            is_handle = name in self.handles
            sources[f'{name}:0'] = variable.handle if is_handle else variable.value()
        if self.trains:
            sources['training:0'] = tf.constant(False)
        placed = self._length
        if placed is not None and (length is not None or placed.op == 'Placeholder'):
            counted = tf.constant([int(inputs.shape[1])]) if length is None else length
            counted = tf.cast(counted, placed.attr['dtype'].type)
            sources['length:0'] = tf.broadcast_to(counted, tf.shape(inputs)[:1])
        trained = {} if statistics is None else norms.in_training(self.graph_def, self.moments)
        changed = [] if change is None else self.hidden
        for name in pieces.from_below(self.graph_def, [*changed, *trained]):
            reads = trained[name].reads if name in trained else [name]
            found, *others = self._imported(reads, sources).values()
            if statistics is not None and name in trained:
                found = trained[name].by_batch([found, *others], statistics)
            elif change is not None:
                found = change(name, found)
            sources[f'{name}:0'] = found
        graph_def = self.graph_def
        if layers.is_saved():
            graph_def = pieces.at_inference(graph_def, 'training', self.tensors)
        rows = inputs.shape[0]
        halves = pieces.halved(graph_def, 'codings', self.tensors) if expose else None
        if expose is None or halves is None:
            return self._as_promised(self._imported(self.tensors, sources, graph_def), rows, expose)
        here = {node.name for node in halves.below.node}
        below = [name for name in self.tensors if name in here]
        crossing = [name for name in halves.crossing if name not in sources]
        fetched = list(dict.fromkeys([*below, *crossing]))
        made = self._imported(fetched, sources, halves.below)
        found = self._as_promised({name: made[name] for name in below}, rows, expose)
        sources |= {name: made[name] for name in crossing}
        sources['codings:0'] = codes.unfitted(found['codings'], made['codings'])
        above = [name for name in self.tensors if name not in here]
        theirs = self._imported(above, sources, halves.above, 'restored/of_codings')
        return found | self._as_promised(theirs, rows)

    def _as_promised(
        self,
        found: Mapping[str, tf.Tensor],
        rows: int | None,
        expose: Callable[[str, tf.Tensor], tf.Tensor] | None = None,
    ) -> dict[str, tf.Tensor]:
        """Returns tensors as they are promised: the codings [N, units], and all of float32.

        What are no floats is left out, but for what must be.
        """
        made = {}
        for name, tensor in found.items():
            if name in codes.FLAT:
                fitted = codes.fitted(name, tensor, rows, f'{self.prefix}.meta', self.trusted)
                made[name] = expose(name, fitted) if expose and name == 'codings' else fitted
            elif tensor.dtype.is_floating:
                made[name] = codes.as_float32(tensor)
        return made

    def _imported(
        self,
        names: Sequence[str],
        sources: Mapping[str, tf.Tensor],
        graph_def: tf.GraphDef | None = None,
        scope: str = 'restored',
    ) -> dict[str, tf.Tensor]:
        """Imports the graph, or a part, over other tensors than its own; returns some by name."""
        wanted = [name if ':' in name else f'{name}:0' for name in names]
        try:
            fed = [pieces.node_of(name) for name in sources]
            own = pieces.with_own_functions(pieces.without(graph_def or self.graph_def, fed))
            read = {pieces.node_of(source) for node in own.node for source in node.input}
            there = {
                name: tensor for name, tensor in sources.items() if pieces.node_of(name) in read
            }
            found = tf.import_graph_def(own, there, wanted, name=scope)
        except (ValueError, tf.errors.OpError) as error:
            raise DataError(f'{self.prefix}.meta: damaged ({weights.words_of(error)})') from None
        return dict(zip(names, found, strict=True))

    def randomized(self, initializer: Callable[[str, tuple[int, ...]], np.ndarray]) -> SavedGraph:
        """Returns the graph with values of `initializer(name, shape)` in place of the trained."""
        made = {
            name: initializer(name, value.shape).astype(value.dtype)
            for name, value in self.variables.items()
        }
        return self._replace(variables=made)


def _number(name: str) -> int:
    """Returns the number at the end of a layer's name."""
    return int(name.removeprefix('hidden'))


def _says_length(node: tf.NodeDef, shape: tuple[int | None, ...] | None) -> bool:
    """Whether a node is fed the steps that count, where an example of that shape has steps."""
    is_fed = node.name == 'length' and node.op in ('Placeholder', 'PlaceholderWithDefault')
    return is_fed and shape is not None and len(shape) > 1


def _exists(name: str) -> bool:
    made = tf.get_default_graph().get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
    return any(variable.op.name == name for variable in made)


def prefix_of(path: str) -> str:
    """Returns the saved graph's prefix for a run folder, a prefix, or a file of one."""
    place = Path(path)
    if place.is_dir():
        return str(place / 'model')
    return str(place.with_suffix('') if place.suffix in ('.meta', '.index') else place)


def is_own(path: str) -> bool:
    """Whether a saved graph was written here, by this program. Raises DataError if none is there.

    `path` is as of `read`.
    """
    return known.holds(content_of(path))


def content_of(path: str) -> bytes:
    """Returns the content of a saved graph's `.meta` file."""
    prefix = prefix_of(path)
    for file in (f'{prefix}.meta', f'{prefix}.index'):
        if not Path(file).is_file():
            raise DataError(f'{path}: no saved graph there ({file} is missing)')
    if Path(f'{prefix}.meta').stat().st_size > _META_BYTES:
        raise DataError(f'{prefix}.meta: more than {_META_BYTES >> 20} MiB, which is no graph')
    return Path(f'{prefix}.meta').read_bytes()


def read(
    path: str, wanted: tuple[str, ...] = (), *, layer: int = 0, trusted: bool = False
) -> SavedGraph:
    """Reads a saved graph, cut to its `codings` and what else it offers, or to `wanted` alone.

    `path` is a run folder, a prefix or a `.meta` file. With a `layer` the activations of that one
    are its codings, and it ends there. One that is `trusted`, or was written here, may be large,
    and have loops of any kind. Raises DataError where a file is missing or damaged, a tensor is not
    in it, or it holds what is refused.
    """
    prefix, content = prefix_of(path), content_of(path)
    meta = tf.MetaGraphDef()
    try:
        meta.ParseFromString(content)
    except DecodeError:
        raise DataError(f'{prefix}.meta: not a binary saved graph, or damaged') from None
    trusted = trusted or known.holds(content)
    if not trusted:
        bounds.short(meta.graph_def, f'{prefix}.meta')
    return _cut(meta, prefix, partial(weights.values, prefix), wanted, layer=layer, trusted=trusted)


def unsaved(
    name: str, build: Callable[..., serving.Served], values: Mapping[str, np.ndarray], layer: int
) -> SavedGraph:
    """Returns the graph that `build` makes as if it had been saved under that name, and read.

    `build` is as of `write`; variables that `values` does not have are zero.
    """
    with tf.Graph().as_default(), layers.saving():
        build(trains=True)
        meta = tf.train.export_meta_graph(clear_devices=True)

    def of(declared: Mapping[str, weights.Declared]) -> dict[str, np.ndarray]:
        zeros = {n: np.zeros(d.shape, d.dtype.as_numpy_dtype) for n, d in declared.items()}
        return zeros | {n: values[n] for n in zeros if n in values}

    return _cut(meta, name, of, layer=layer, trusted=True)


def _cut(
    meta: tf.MetaGraphDef,
    prefix: str,
    values: Callable[[Mapping[str, weights.Declared]], dict[str, np.ndarray]],
    wanted: tuple[str, ...] = (),
    *,
    layer: int,
    trusted: bool,
) -> SavedGraph:
    """Returns what `read` does of a graph; `values` gives those of the variables that it needs."""
    nodes = {node.name: node for node in meta.graph_def.node}
    if layer:
        nodes = _up_to(layer, nodes, prefix)
    for name in ('X', *(wanted or ('codings',))):
        if name not in nodes:
            raise DataError(f'{prefix}.meta: holds no tensor {name}:0, which is needed; {_RENAMED}')

    shape = sizes_of(nodes['X'].attr['shape'].shape)
    needed: dict[str, None] = {}
    tensors = []
    for name in wanted or [n for n in nodes if _OFFERED.fullmatch(n)]:
        closure = _closure(nodes, name, prefix)
        if name == 'codings' and 'X' not in closure:
            raise DataError(f'{prefix}.meta: its codings:0 is not computed from X:0')
        fed = [n for n in closure if nodes[n].op == 'Placeholder' and n not in ('X', 'training')]
        stray = [n for n in fed if not _says_length(nodes[n], shape)]
        if stray and name in (*wanted, 'codings'):
            hint = ', which is fed where X:0 is [N, steps, ...]' if stray[0] == 'length' else ''
            raise DataError(
                f'{prefix}.meta: {name}:0 needs placeholder {stray[0]}:0 besides X:0'
                f'{hint}; {_RENAMED}'
            )
        if not stray:
            needed |= dict.fromkeys(closure)
            tensors.append(name)
    cut = tf.GraphDef(versions=meta.graph_def.versions, library=meta.graph_def.library)
    kept = [nodes[name] for name in nodes if name in needed]
    variables = [node for node in kept if node.op in VARIABLES]
    boundary = {'X', 'training', *(node.name for node in variables)}
    cut.node.extend(node for node in kept if node.name not in boundary)
    for node in cut.node:
        node.attr.pop('_class', None)  # colocation with variables that are no longer in it
        node.device = ''
    cut = confined(cut, f'{prefix}.meta')
    if not trusted:
        bounds.bounded(cut, f'{prefix}.meta')
    return SavedGraph(
        prefix=prefix,
        graph_def=cut,
        variables=values({node.name: _declared(node) for node in variables}),
        handles=frozenset(node.name for node in variables if node.op == 'VarHandleOp'),
        tensors=tuple(tensors),
        shape=shape,
        trains='training' in needed,
        fixed=_fixed(meta, {node.name for node in variables}),
        trained=trained_on.read(meta),
        trusted=trusted,
    )


@contextmanager
def faults_said(restored: SavedGraph | None) -> Iterator[None]:
    """Raises DataError, one line, for what an operation of a restored graph says as it fails."""
    try:
        yield
    except tf.errors.ResourceExhaustedError:
        raise  # which is said elsewhere
    except tf.errors.OpError as error:
        found = re.search(r'{{node (\S*\brestored(_\d+)?/\S+)}}', str(error))
        if restored is None or not found:
            raise
        raise DataError(
            f'{restored.prefix}.meta: its operation {found[1]} fails on these examples '
            f'({weights.words_of(error)})'
        ) from None


def _up_to(layer: int, nodes: dict[str, tf.NodeDef], prefix: str) -> dict[str, tf.NodeDef]:
    """Returns the nodes that a layer's activations need, which are called codings.

    Raises DataError where no tensor bears its name, or it is not between X and the codings.
    """
    name, file = f'hidden{layer}', f'{prefix}.meta'
    if name not in nodes:
        there = sorted(filter(_HIDDEN.fullmatch, nodes), key=_number)
        has = f'; it has {", ".join(there)}' if there else ', nor of any other layer'
        raise DataError(f'{file}: holds no tensor {name}:0, which layer={layer} reads{has}')
    closure = _closure(nodes, name, prefix)
    if 'X' not in closure or 'codings' in closure:
        where = 'is computed from codings:0' if 'X' in closure else 'is not computed from X:0'
        raise DataError(f'{file}: its {name}:0 {where}; layer={layer} needs one of the encoder')
    codings = tf.NodeDef()
    codings.CopyFrom(nodes[name])
    codings.name = 'codings'
    return {n: nodes[n] for n in nodes if n in closure and n != name} | {'codings': codings}


def _fixed(meta: tf.MetaGraphDef, variables: set[str]) -> frozenset[str]:
    """Returns the names of those variables that are not among the trainable ones of the file.

    None of them where the file names no trainable variable.
    """
    held = meta.collection_def[tf.GraphKeys.TRAINABLE_VARIABLES].bytes_list.value
    try:
        trained = {VariableDef.FromString(said).variable_name.split(':')[0] for said in held}
    except DecodeError:
        return frozenset()
    return frozenset(variables - trained) if variables & trained else frozenset()


def _closure(nodes: Mapping[str, tf.NodeDef], name: str, prefix: str) -> list[str]:
    """Returns the names of all nodes that `name` is computed from, stopping at X and variables."""
    seen: dict[str, None] = {}
    todo = [name]
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen[current] = None
        if current not in nodes:
            raise DataError(f'{prefix}.meta: damaged, {name}:0 needs {current}, which is not in it')
        node = nodes[current]
        if current not in ('X', 'training') and node.op not in VARIABLES:
            todo += [source.removeprefix('^').split(':')[0] for source in node.input]
    return list(seen)


def _declared(node: tf.NodeDef) -> weights.Declared:
    try:
        dtype = tf.as_dtype(node.attr['dtype'].type)
    except TypeError:
        raise DataError(f'{node.name}: a variable of no type; the saved graph is damaged') from None
    return weights.Declared(dtype, tf.TensorShape(node.attr['shape'].shape))


def sizes_of(shape: Any) -> tuple[int | None, ...] | None:
    """Returns the sides of what a placeholder is fed but the first; None: of no known rank."""
    if shape.unknown_rank or not shape.dim:
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in shape.dim[1:])


def write(
    folder: Path, build: Callable[..., serving.Served], values: Mapping[str, np.ndarray]
) -> None:
    """Writes `model.meta/.index/.data-*` and `saved_model/` into `folder`.

    `build(trains=...)` makes the inference graph, with the switch to training or without; `values`
    are its variables'. The files appear whole: each is written aside and then renamed.
    """
    owner = weights.checksum(values)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix='.export-', suffix='.writing', dir=folder) as aside,
        ExitStack() as stack,
    ):
        session, served = stack.enter_context(_valued(build, values, trains=True))
        saver = tf.train.Saver(tf.global_variables(), save_relative_paths=True)
        prefix = names.plain(Path(aside, 'model'))
        saver.save(session, prefix, write_state=False, write_meta_graph=False)
        # What is at its default is left out, so that earlier versions know all that is said.
        meta = saver.export_meta_graph(clear_devices=True, strip_default_attrs=True)
        _own_variables(meta.graph_def, owner)
        content = meta.SerializeToString(deterministic=True)
        Path(aside, 'model.meta').write_bytes(content)
        if any(node.name == 'training' for node in meta.graph_def.node):
            session, served = stack.enter_context(_valued(build, values, trains=False))
        serving.write(session, Path(aside, 'saved_model'), served, owner)
        for file in sorted(Path(aside).glob('model.*')):
            disk.move(file, folder / file.name)
        disk.move(Path(aside, 'saved_model'), folder / 'saved_model')
    known.note(content)


@contextmanager
def _valued(
    build: Callable[..., serving.Served], values: Mapping[str, np.ndarray], *, trains: bool
) -> Iterator[tuple[tf.Session, serving.Served]]:
    """Yields a session with the graph that is built, with these values."""
    with tf.Graph().as_default(), tf.Session() as session:
        with layers.saving():
            served = build(trains=trains)
        weights.load(session, values)
        yield session, served


def _own_variables(graph_def: tf.GraphDef, owner: str) -> None:
    """Gives the variables of a graph that is written a place of their own in whatever session.

    Which resource a variable is its `shared_name` says, that import_scope leaves as it is: graphs
    of two runs in one session would have the same weights, those that were restored last.
    """
    for node in graph_def.node:
        if node.op == 'VarHandleOp':
            node.attr['shared_name'].s = f'{owner}/{node.name}'.encode()
