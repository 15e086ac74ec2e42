"""A finished run in other formats: TensorFlow Lite, ONNX, a frozen graph, plain arrays.

Each is compared with the run's own graph, on real examples, before it gets its name.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow import lite

from inference import tflite
from inference.open import data_for, opened
from inference.outputs import write_npz
from inputs.rows import Rows
from model import Network, exported
from networks import serving, standardize, weights
from networks.lstm import UNROLLED
from networks.serving import Served, Signature
from system import disk, quiet
from system.errors import DataError, UsageError
from system.interrupts import Interrupts
from system.lines import say, shown
from system.progress import Bar
from train.folder import Place

_STOPPED = 'stopped; what is in export/ is whole; the same command begins again'
_COMPARED = 100  # examples
_OF_DATA = ('outputs', 'predictions')  # how the names of tensors end that are like the data
_EXACT = 1e-4  # of the greatest value: how far rounding may take a format that computes as we do
_COARSE = 0.2  # the same where weights have 8 bits
_OPSET = 18  # of ONNX
_HIDDEN = ('serving_default', 'sample')  # the former is encode; draws are not the same everywhere
_LITE = {tflite.FLOAT: _EXACT, tflite.DYNAMIC_RANGE: _COARSE}

Arrays = dict[str, np.ndarray]
Writer = Callable[['_Graph', Path], list['Made']]


class Made(NamedTuple):
    """A file that was written, and how far what it computes is from the graph."""

    file: Path
    size: int
    signatures: tuple[str, ...]
    difference: float  # the largest one, as a share of the greatest value of that tensor


class _Graph(NamedTuple):
    """The run's graph in a session, and what its signatures give for real examples."""

    session: tf.Session
    served: Served
    offered: dict[str, Signature]
    fed: dict[str, Arrays]  # by signature and the name of the input
    wanted: dict[str, Arrays]  # by signature and the name of the output
    values: Arrays  # of the variables
    saved_model: Path
    to_lite: tflite.Convert


def export(folder: Path, changes: dict[str, Any], place: Place, formats: Sequence[str]) -> str:
    """Writes a finished run in each of these formats; returns a table of what was written.

    The files are in `export/<format>/` in its folder. `changes` name other data than the run's to
    be compared on. Raises UsageError where a format that alone is asked for cannot be had,
    DataError where what was written computes something else than the graph.
    """
    made: list[Made] = []
    exports = folder / 'export'
    with (
        tflite.converter(begun='tflite' in formats) as to_lite,
        opened(folder, place.trusted) as network,
        Interrupts(_STOPPED, alone=True) as interrupts,
    ):
        data = data_for(network, folder, changes, place, interrupts.check, False, once=True)
        rows = next(reversed(data.splits.values()))
        rows = rows.take(np.arange(min(_COMPARED, len(rows))))
        with (
            _graph(network, rows, to_lite) as graph,
            Bar('exporting', len(formats), 'format') as bar,
        ):
            disk.made_inside(exports)
            for name in formats:
                interrupts.check()
                try:
                    made += _written(graph, exports / name, FORMATS[name])
                except (UsageError, DataError) as error:
                    if len(formats) == 1:
                        raise
                    say(f'left out: {error}')
                bar.advance()
    return _table(made, len(rows))


def _written(graph: _Graph, folder: Path, write: Writer) -> list[Made]:
    """Writes one format to a folder, with what its values mean beside it, whole or not at all."""
    with disk.whole_folder(folder) as aside:
        made = write(graph, aside)
        serving.write_assets(aside, graph.served, graph.offered)
    return [one._replace(file=folder / one.file.name) for one in made]


def _table(made: Sequence[Made], count: int) -> str:
    """Returns what was written as lines: file, size, and how far it is from the graph."""
    files = [shown(one.file) for one in made]
    width = max(map(len, files), default=0)
    lines = [f'{"":{width}}  {"kB":>9}  largest difference, as a share of the greatest value']
    for one, file in zip(made, files, strict=True):
        of = f' ({", ".join(one.signatures)})' if one.signatures else ' (weights)'
        size = f'{one.size / 1000:,.1f}'
        lines.append(f'{file:{width}}  {size:>9}  {one.difference:.1e}{of}')
    return '\n'.join([*lines, f'compared with the graph on {count} examples'])


@contextlib.contextmanager
def _graph(network: Network, rows: Rows, to_lite: tflite.Convert) -> Iterator[_Graph]:
    """Yields the graph that is exported: that of inference, in float32, in a session of its own."""
    values = network.values()
    build = partial(exported, network.experiment, network.spec, network.restored)
    with (
        TemporaryDirectory() as aside,
        tf.Graph().as_default(),
        tf.Session() as session,
    ):
        served = build(trains=False)
        weights.load(session, values)
        saved_model = Path(aside, 'saved_model')
        offered = serving.write(session, saved_model, served, weights.checksum(values))
        offered = {name: one for name, one in offered.items() if name not in _HIDDEN}
        fed, wanted = {}, {}
        tensors = served.tensors
        known = {'X': rows.floats(0, len(rows))}
        known['codings'] = session.run(tensors['codings'], {tensors['X']: known['X']})
        if 'length' in tensors:
            steps = int(tensors['X'].shape[1])
            lengths = rows.length
            known['length'] = np.full(len(rows), steps, np.int32) if lengths is None else lengths
        for name, (inputs, outputs) in offered.items():
            fed[name] = {key: known[key] for key in inputs}
            feeds = {tensor: known[key] for key, tensor in inputs.items()}
            wanted[name] = session.run(outputs, feeds)
        yield _Graph(session, served, offered, fed, wanted, values, saved_model, to_lite)


def _difference(
    name: str, wanted: Mapping[str, Any], found: Mapping[str, Any], values: Arrays
) -> float:
    """Returns the largest difference of floats, as a share of the greatest value of the tensor.

    `values` are the variables'. What is in the units of the data is compared in those of the
    network, where it has its own: or a column of great numbers would hide what all others are.
    Of another label it is what the logits must differ by for it, half of the distance between the
    two greatest. Raises DataError where a tensor is missing, or of another shape.
    """
    largest = [0.0]
    for key, value in wanted.items():
        if key not in found or np.shape(found[key]) != value.shape:
            raise DataError(f'{name}: gives no {key}, or one of another shape')
        if value.dtype.kind == 'f':
            given = found[key]
            scale = values.get(standardize.SCALE)
            if key.endswith(_OF_DATA) and scale is not None and value.shape[-1] == len(scale):
                given, value = (standardize.standardized(v, values) for v in (given, value))
            differs = np.abs(given - value)
        else:  # labels, beside which the logits are
            *_, second, first = np.sort(wanted['logits'], axis=1).T
            differs = np.where(_words(found[key]) != _words(value), (first - second) / 2, 0)
            value = wanted['logits']
        largest.append(float(differs.max()) / max(float(np.abs(value).max()), 1e-30))
    return float(np.max(largest))  # NaN where any of them is


def _words(labels: np.ndarray) -> np.ndarray:
    return np.array([w if isinstance(w, bytes) else str(w).encode() for w in labels.tolist()])


def _checked(
    graph: _Graph,
    file: Path,
    run: Callable[[str, Arrays], Mapping[str, Any]],
    names: Sequence[str],
    most: float = _EXACT,
) -> Made:
    """Compares what a file computes with the graph; raises DataError where that is too far."""
    largest = 0.0
    for name in names:
        found = _difference(name, graph.wanted[name], run(name, graph.fed[name]), graph.values)
        if not found <= most:
            raise DataError(
                f'{file.name}: {name} differs from the graph by {found:.2g} of the greatest value, '
                f'more than {most:g}; it is not written'
            )
        largest = max(largest, found)
    return Made(file, file.stat().st_size, tuple(names), largest)


def _tflite(graph: _Graph, folder: Path) -> list[Made]:
    """Writes a TensorFlow Lite file with all signatures, and one whose weights have 8 bits."""
    tensors = graph.served.tensors
    steps = int(tensors['X'].shape[1]) if 'length' in tensors else 0
    if steps > UNROLLED:
        raise UsageError(
            f'--format=tflite: {steps} steps are computed in a loop, which TensorFlow Lite has no '
            f'operations for; sequences need at most {UNROLLED}. --format=frozen takes them'
        )
    keys = [name for name in graph.offered if not name.startswith('all')]
    graph.to_lite(graph.saved_model, folder, keys)
    made = []
    for name, most in _LITE.items():
        file = folder / name
        run = partial(_run_lite, file.read_bytes())
        try:
            made.append(_checked(graph, file, run, keys, most))
        except DataError as error:
            if most == _EXACT:
                raise
            disk.remove(file)
            say(f'left out: {error}')
    return made


def _run_lite(content: bytes, name: str, fed: Arrays) -> Mapping[str, Any]:
    with quiet.silent():
        runner = lite.Interpreter(model_content=content).get_signature_runner(name)
        return runner(**fed)


def _onnx(graph: _Graph, folder: Path) -> list[Made]:
    """Writes an ONNX file a signature, for any number of examples.

    Without a file of its own is what has a twin with length: it is an input with a default there.
    """
    if not all(map(importlib.util.find_spec, ('tf2onnx', 'onnxruntime'))):
        raise UsageError(
            '--format=onnx: needs tf2onnx and onnxruntime; pip install -r requirements-export.txt'
        )
    made = []
    for name in graph.offered:
        if name.startswith('all') or name.endswith(serving.WITH_LENGTH):
            continue
        file = folder / f'{name}.onnx'
        try:
            _convert_to_onnx(graph, file)
            twins = [n for n in (name, f'{name}{serving.WITH_LENGTH}') if n in graph.offered]
            made.append(_checked(graph, file, partial(_run_onnx, graph, file), twins))
        except (DataError, OSError, MemoryError):
            raise
        except Exception as error:  # whatever a converter says of a graph that it does not take
            disk.remove(file)
            say(f'left out: {file.name}: {_first_line(error)}')
    if not made:
        raise UsageError('--format=onnx: tf2onnx takes no signature of this graph')
    return made


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return shown(lines[0])[:200]


def _convert_to_onnx(graph: _Graph, file: Path) -> None:
    import tf2onnx

    inputs, outputs = graph.offered[file.stem]
    with quiet.silent():
        model, _ = tf2onnx.convert.from_graph_def(
            _frozen_graph(graph, outputs),
            name=file.stem,
            input_names=[tensor.name for tensor in inputs.values()],
            output_names=[tensor.name for tensor in outputs.values()],
            opset=_OPSET,
        )
    file.write_bytes(model.SerializeToString())


def _run_onnx(graph: _Graph, file: Path, name: str, fed: Arrays) -> Mapping[str, Any]:
    import onnxruntime

    inputs, outputs = graph.offered[name]
    onnxruntime.set_default_logger_severity(3)  # errors: a length is meant to have a default
    session = onnxruntime.InferenceSession(file, providers=['CPUExecutionProvider'])
    made = session.run(
        [tensor.name for tensor in outputs.values()],
        {inputs[key].name: value for key, value in fed.items()},
    )
    return dict(zip(outputs, made, strict=True))


def _frozen_graph(graph: _Graph, outputs: Mapping[str, tf.Tensor]) -> tf.GraphDef:
    """Returns what computes these tensors, with constants in place of variables."""
    names = [tensor.op.name for tensor in outputs.values()]
    definition = graph.session.graph.as_graph_def()
    constant = tf.graph_util.convert_variables_to_constants(graph.session, definition, names)
    # What is at its default is left out, so that earlier versions know all that is said.
    return tf.train.export_meta_graph(graph_def=constant, strip_default_attrs=True).graph_def


def _frozen(graph: _Graph, folder: Path) -> list[Made]:
    """Writes a GraphDef whose variables are constants, with the promised names."""
    tensors = {t.name: t for one in graph.offered.values() for t in one.outputs.values()}
    definition = _frozen_graph(graph, tensors)
    file = folder / 'frozen.pb'
    file.write_bytes(definition.SerializeToString(deterministic=True))
    return [_checked(graph, file, partial(_run_frozen, graph, file), list(graph.offered))]


def _run_frozen(graph: _Graph, file: Path, name: str, fed: Arrays) -> Mapping[str, Any]:
    inputs, outputs = graph.offered[name]
    with tf.Graph().as_default(), tf.Session() as session:
        definition = tf.GraphDef.FromString(file.read_bytes())
        tf.import_graph_def(definition, name='')
        return session.run(
            {key: tensor.name for key, tensor in outputs.items()},
            {inputs[key].name: value for key, value in fed.items()},
        )


def _numpy(graph: _Graph, folder: Path) -> list[Made]:
    """Writes the variables by name."""
    file = write_npz(folder / 'weights.npz', graph.values)
    with np.load(file) as held:
        same = all(np.array_equal(held[name], value) for name, value in graph.values.items())
    if not same:
        raise DataError(f'{file.name}: holds other weights than the graph; it is not written')
    return [Made(file, file.stat().st_size, (), 0.0)]


FORMATS: dict[str, Writer] = {
    'tflite': _tflite,
    'onnx': _onnx,
    'frozen': _frozen,
    'numpy': _numpy,
}
