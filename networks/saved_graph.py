"""Saved graphs: `prefix.meta` with its checkpoint, read and cut to what is needed, or written.

Reading takes from the file only the sub-graph that computes the wanted tensors, and the values of
its variables; the file's own saver, initialisers and optimizer are never used.
"""

from __future__ import annotations

import glob
import hashlib
import itertools
import json
import math
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf
from google.protobuf.message import DecodeError

from inputs.spec import Spec, as_json, from_json
from networks import serving
from networks.allowed_ops import VARIABLES, confined
from networks.session import assign
from system import disk, names
from system.errors import DataError

TRAINED_ON = 'trained_on'  # a collection of one string
_META_BYTES = 1 << 28  # of a saved graph at most, weights not included
_IMPORTS = itertools.count(1)  # numbers the graphs with functions that this process imports
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
    trained: Spec | None = None  # what it was trained on, where the file says

    @property
    def hidden(self) -> list[str]:
        """The names of its layers' activations, from the lowest on."""
        return sorted(filter(re.compile(r'hidden\d+').fullmatch, self.tensors), key=_number)

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
    ) -> dict[str, tf.Tensor]:
        """Imports the graph over `inputs`, as at inference, and returns its tensors by name.

        Of sequences of different lengths, `length` [N] or [1] says how many steps count. What
        `change` returns of a layer's name and activations is what the layers above it read.

        The first tower in a graph makes the variables (zeros, see `load`), later ones share them.
        """
        sources = {'X:0': inputs}
        for name, value in self.variables.items():
            zeros = tf.zeros_initializer()
            with tf.variable_scope(tf.get_variable_scope(), reuse=_exists(name)):
                variable = tf.get_variable(
                    name, value.shape, value.dtype, initializer=zeros, use_resource=True
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
        if change is not None:
            for name in self.hidden:
                sources[f'{name}:0'] = change(name, self._imported([name], sources)[name])
        return self._imported(self.tensors, sources)

    def _imported(
        self, names: Sequence[str], sources: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Imports the graph over other tensors than its own, and returns some by name."""
        wanted = [f'{name}:0' for name in names]
        try:
            graph_def = _with_own_functions(self.graph_def)
            found = tf.import_graph_def(graph_def, dict(sources), wanted, name='restored')
        except (ValueError, tf.errors.OpError) as error:
            raise DataError(f'{self.prefix}.meta: damaged ({_first_line(error)})') from None
        return dict(zip(names, found, strict=True))

    def randomized(self, initializer: Callable[[str, tuple[int, ...]], np.ndarray]) -> SavedGraph:
        """Returns the graph with values of `initializer(name, shape)` in place of the trained."""
        made = {
            name: initializer(name, value.shape).astype(value.dtype)
            for name, value in self.variables.items()
        }
        return self._replace(variables=made)


def _with_own_functions(graph_def: tf.GraphDef) -> tf.GraphDef:
    """Returns the graph with functions, as of its loops, of names that this process has not used.

    The gradient of an imported loop writes its functions anew, and what it writes of two imports
    under one name would meet in the process.
    """
    if not graph_def.library.function:
        return graph_def
    number, made = next(_IMPORTS), tf.GraphDef()
    made.CopyFrom(graph_def)
    functions = made.library.function
    own = {f.signature.name: f'{f.signature.name}_{number}' for f in functions}
    for function in functions:
        function.signature.name = own[function.signature.name]
    for pair in made.library.gradient:
        pair.function_name = own.get(pair.function_name, pair.function_name)
        pair.gradient_func = own.get(pair.gradient_func, pair.gradient_func)
    for node in itertools.chain(made.node, *(function.node_def for function in functions)):
        node.op = own.get(node.op, node.op)
        for value in node.attr.values():
            for called in [value.func] if value.HasField('func') else value.list.func:
                called.name = own.get(called.name, called.name)
    return made


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


def read(path: str, wanted: tuple[str, ...] = ()) -> SavedGraph:
    """Reads a saved graph, cut to its `codings` and what else it offers, or to `wanted` alone.

    `path` is a run folder, a prefix or a `.meta` file. Raises DataError where a file is missing or
    damaged, or a tensor is not in it.
    """
    prefix = prefix_of(path)
    for file in (f'{prefix}.meta', f'{prefix}.index'):
        if not Path(file).is_file():
            raise DataError(f'{path}: no saved graph there ({file} is missing)')
    if Path(f'{prefix}.meta').stat().st_size > _META_BYTES:
        raise DataError(f'{prefix}.meta: more than {_META_BYTES >> 20} MiB, which is no graph')
    meta = tf.MetaGraphDef()
    try:
        meta.ParseFromString(Path(f'{prefix}.meta').read_bytes())
    except DecodeError:
        raise DataError(f'{prefix}.meta: not a binary saved graph, or damaged') from None
    nodes = {node.name: node for node in meta.graph_def.node}
    for name in ('X', *(wanted or ('codings',))):
        if name not in nodes:
            raise DataError(f'{prefix}.meta: holds no tensor {name}:0, which is needed')

    read_shape = nodes['X'].attr['shape'].shape
    has_rank = not read_shape.unknown_rank and read_shape.dim
    sizes = (None if dim.size < 0 else dim.size for dim in read_shape.dim[1:])
    shape = tuple(sizes) if has_rank else None

    needed: dict[str, None] = {}
    tensors = []
    for name in wanted or [n for n in nodes if _OFFERED.fullmatch(n)]:
        closure = _closure(nodes, name, prefix)
        fed = [n for n in closure if nodes[n].op == 'Placeholder' and n not in ('X', 'training')]
        stray = [n for n in fed if not _says_length(nodes[n], shape)]
        if stray and name in (*wanted, 'codings'):
            hint = ', which is fed where X:0 is [N, steps, ...]' if stray[0] == 'length' else ''
            raise DataError(
                f'{prefix}.meta: {name}:0 needs placeholder {stray[0]}:0 besides X:0{hint}'
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
    return SavedGraph(
        prefix=prefix,
        graph_def=confined(cut, f'{prefix}.meta'),
        variables=values(prefix, {node.name: _declared(node) for node in variables}),
        handles=frozenset(node.name for node in variables if node.op == 'VarHandleOp'),
        tensors=tuple(tensors),
        shape=shape,
        trains='training' in needed,
        trained=_trained_on(meta),
    )


def say_trained_on(spec: Spec) -> None:
    """Puts what was trained on into the current graph's collection TRAINED_ON, as JSON."""
    tf.add_to_collection(TRAINED_ON, json.dumps(as_json(spec)))


def _trained_on(meta: tf.MetaGraphDef) -> Spec | None:
    """Returns what a saved graph was trained on; None where it does not say."""
    try:
        (said,) = meta.collection_def[TRAINED_ON].bytes_list.value
        return from_json(json.loads(said))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


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


class Declared(NamedTuple):
    """What a graph says of one of its variables."""

    dtype: tf.DType
    shape: tf.TensorShape


def _declared(node: tf.NodeDef) -> Declared:
    try:
        dtype = tf.as_dtype(node.attr['dtype'].type)
    except TypeError:
        raise DataError(f'{node.name}: a variable of no type; the saved graph is damaged') from None
    return Declared(dtype, tf.TensorShape(node.attr['shape'].shape))


def values(prefix: str, declared: Mapping[str, Declared]) -> dict[str, np.ndarray]:
    """Reads the variables of a saved graph, as data.

    Raises DataError for a checkpoint that cannot be read, and one that lists all variables that are
    missing, of another type or shape than declared, longer than the file, or not finite.
    """
    try:
        checkpoint = tf.train.load_checkpoint(names.plain(prefix))
        shapes, dtypes = (
            checkpoint.get_variable_to_shape_map(),
            checkpoint.get_variable_to_dtype_map(),
        )
        held = sum(file.stat().st_size for file in _data_files(prefix))
        faults, found = [], {}
        for name, wanted in declared.items():
            if name not in shapes:
                faults.append(f'{name} is missing')
            elif not wanted.shape.is_compatible_with(shapes[name]) or wanted.dtype != dtypes[name]:
                is_ = f'{dtypes[name].name} {shapes[name]}'
                faults.append(f'{name} is {is_}, not {wanted.dtype.name} {wanted.shape}')
            elif math.prod(shapes[name]) * wanted.dtype.size > held:
                faults.append(f'{name} is longer than the file')
            else:
                found[name] = checkpoint.get_tensor(name)
                if wanted.dtype.is_floating and not np.isfinite(found[name]).all():
                    faults.append(f'{name} has NaN or infinity')
        if faults:
            raise DataError(f'{prefix}: the weights do not fit the graph: {"; ".join(faults)}')
        return found
    except (tf.errors.OpError, IndexError, RuntimeError, ValueError, MemoryError) as error:
        raise DataError(f'{prefix}: the checkpoint cannot be read ({_first_line(error)})') from None


def _data_files(prefix: str) -> list[Path]:
    return list(Path(prefix).parent.glob(f'{glob.escape(Path(prefix).name)}.data-*'))


def _first_line(error: Exception) -> str:
    return names.unlinked(str(error).strip().splitlines()[0])[:200]


def checksum(variables: Mapping[str, np.ndarray]) -> str:
    """Returns the sha256 (16 hex digits) of the variables' names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name in sorted(variables):
        value = np.ascontiguousarray(variables[name])
        digest.update(f'{name} {value.dtype} {value.shape}\n'.encode())
        digest.update(value.tobytes())
    return digest.hexdigest()[:16]


def write(
    folder: Path, build: Callable[..., serving.Served], values: Mapping[str, np.ndarray]
) -> None:
    """Writes `model.meta/.index/.data-*` and `saved_model/` into `folder`.

    `build(trains=...)` makes the inference graph, with the switch to training or without; `values`
    are its variables'. The files appear whole: each is written aside and then renamed.
    """
    owner = checksum(values)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix='.export-', suffix='.writing', dir=folder) as aside,
        ExitStack() as stack,
    ):
        session, served = stack.enter_context(_valued(build, values, trains=True))
        saver = tf.train.Saver(tf.global_variables(), save_relative_paths=True)
        prefix = names.plain(Path(aside, 'model'))
        saver.save(session, prefix, write_state=False, write_meta_graph=False)
        meta = saver.export_meta_graph(clear_devices=True)
        _own_variables(meta.graph_def, owner)
        Path(aside, 'model.meta').write_bytes(meta.SerializeToString(deterministic=True))
        if any(node.name == 'training' for node in meta.graph_def.node):
            session, served = stack.enter_context(_valued(build, values, trains=False))
        serving.write(session, Path(aside, 'saved_model'), served, owner)
        for file in sorted(Path(aside).glob('model.*')):
            disk.move(file, folder / file.name)
        disk.move(Path(aside, 'saved_model'), folder / 'saved_model')


@contextmanager
def _valued(
    build: Callable[..., serving.Served], values: Mapping[str, np.ndarray], *, trains: bool
) -> Iterator[tuple[tf.Session, serving.Served]]:
    """Yields a session with the graph that is built, with these values."""
    with tf.Graph().as_default(), tf.Session() as session:
        served = build(trains=trains)
        load(session, values)
        yield session, served


def _own_variables(graph_def: tf.GraphDef, owner: str) -> None:
    """Gives the variables of a graph that is written a place of their own in whatever session.

    Which resource a variable is its `shared_name` says, that import_scope leaves as it is: graphs
    of two runs in one session would have the same weights, those that were restored last.
    """
    for node in graph_def.node:
        if node.op == 'VarHandleOp':
            node.attr['shared_name'].s = f'{owner}/{node.name}'.encode()


def load(session: tf.Session, values: Mapping[str, np.ndarray]) -> None:
    """Sets the named variables of the session's graph, adding no operation to it."""
    made = {v.op.name: v for v in session.graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)}
    assign(session, {made[name]: value for name, value in values.items()})
