"""A graph for serving: a SavedModel with a signature for each use, and what its values mean.

A signature's inputs must all be fed in TensorFlow 2, also those with a default. So where steps are
counted each signature has a twin, `..._with_length`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow.compat.v1 as tf
from tensorflow.core.framework import variable_pb2
from tensorflow.core.protobuf import saved_model_pb2

from inputs.spec import Spec, as_json
from networks.allowed_ops import VARIABLES
from parameters import PICTURES, Experiment
from system import disk, names

_ASSETS = 'assets'
_VERSION = '1'  # TensorFlow Serving looks for numbers below the folder that it is given
WITH_LENGTH = '_with_length'
_NO_RESULTS = ('X', 'y', 'length', 'training', 'accuracy')
_KEY = 20061204  # of sampled codes, apart from other draws of a seed
_PROBABILITIES = {True: 'each class by itself', False: 'of the classes, which add to 1'}
_MEANINGS = {
    'X': 'examples: {values}',
    'codings': 'codes',
    'outputs': 'reconstructions, in the units of X',
    'predictions': 'the steps that follow, in the units of X',
    'length': 'how many steps of each sequence count; those after it are not read',
    'logits': 'what the probabilities are computed from',
    'probabilities': 'probabilities, {probabilities}, in the order of classes.json',
    'labels': 'the name of the most probable class, UTF-8',
    'codings_mean': "the mean of each code's Gaussian",
    'codings_log_var': "the logarithm of the variance of each code's Gaussian",
    'count': 'how many codes are drawn from the unit Gaussian',
    'seed': 'keys the drawn codes',
}


class Signature(NamedTuple):
    """What is fed and what is answered, tensors by the names they have for a client."""

    inputs: dict[str, tf.Tensor]
    outputs: dict[str, tf.Tensor]


class Served(NamedTuple):
    """What is served: an experiment, its data, and the promised tensors of its graph by name.

    The graph is the current one, and one that never trains.
    """

    experiment: Experiment
    spec: Spec
    tensors: Mapping[str, tf.Tensor]

    @property
    def joint(self) -> bool:
        """Whether a classifier was trained together with its network: with a sigmoid a class."""
        return self.experiment.parent is None


def signatures(served: Served) -> dict[str, Signature]:
    """Returns the signatures of a graph, whose operations are added to it."""
    tensors = served.tensors
    x, codings = {'X': tensors['X']}, {'codings': tensors['codings']}
    encode = Signature(x, codings)
    found = {'serving_default': encode, 'encode': encode}
    if 'outputs' in tensors:
        outputs = {'outputs': tensors['outputs']}
        found['reconstruct'] = Signature(x, outputs)
        if _decodes(tensors):
            found['decode'] = Signature(codings, outputs)
            if 'codings_mean' in tensors:
                found['sample'] = _sample(tensors)
    if 'logits' in tensors:
        found['classify'] = Signature(x, _classified(served))
    if 'predictions' in tensors:
        found['predict'] = Signature(x, {'predictions': tensors['predictions']})
    found['all'] = Signature(x, {n: t for n, t in tensors.items() if n not in _NO_RESULTS})
    if 'length' in tensors:
        length = {'length': tensors['length']}
        found |= {
            f'{name}{WITH_LENGTH}': Signature(inputs | length, outputs)
            for name, (inputs, outputs) in found.items()
            if name != 'serving_default'
            and any(tensors['length'].op in ancestors(t, inputs) for t in outputs.values())
        }
    return found


def _classified(served: Served) -> dict[str, tf.Tensor]:
    """Returns labels by name, [N], probabilities and logits, [N, classes]."""
    logits = served.tensors['logits']
    with tf.name_scope('classify'):
        called = [name.encode('utf-8', 'backslashreplace') for name in served.spec.classes]
        probabilities = tf.sigmoid if served.joint else tf.nn.softmax
        return {
            'labels': tf.gather(tf.constant(called), tf.argmax(logits, axis=1), name='labels'),
            'probabilities': probabilities(logits, name='probabilities'),
            'logits': logits,
        }


def _sample(tensors: Mapping[str, tf.Tensor]) -> Signature:
    """Returns the signature that decodes codes drawn from the unit Gaussian."""
    with tf.name_scope('sample'):
        count = tf.placeholder(tf.int32, [], 'count')
        seed = tf.placeholder(tf.int32, [], 'seed')
        shape = tf.stack([count, int(tensors['codings'].shape[-1])])
        drawn = tf.random.stateless_normal(shape, tf.stack([seed, _KEY]))
    graph = tensors['outputs'].graph
    cut = tf.GraphDef(versions=graph.graph_def_versions, library=graph.as_graph_def().library)
    copied = ancestors(tensors['outputs'], ['codings'])
    cut.node.extend(
        op.node_def for op in copied if op.type not in VARIABLES and op.name != 'codings'
    )
    sources = {'codings:0': drawn}
    sources |= {op.outputs[0].name: op.outputs[0] for op in copied if op.type in VARIABLES}
    (made,) = tf.import_graph_def(cut, sources, ['outputs:0'], name='sample/decoder')
    return Signature({'count': count, 'seed': seed}, {'outputs': made, 'codings': drawn})


def _decodes(tensors: Mapping[str, tf.Tensor]) -> bool:
    """Whether the outputs are computed from `codings`, and from no X besides."""
    read = {op.name for op in ancestors(tensors['outputs'], ['codings'])}
    return 'codings' in read and 'X' not in read


def ancestors(tensor: tf.Tensor, stops: Iterable[str] = ()) -> list[tf.Operation]:
    """Returns all operations that a tensor is computed from, its own first.

    The inputs of the operations that `stops` names are not followed.
    """
    seen: dict[tf.Operation, None] = {}
    todo, last = [tensor.op], set(stops)
    while todo:
        op = todo.pop()
        if op not in seen:
            seen[op] = None
            todo += [source.op for source in op.inputs] if op.name not in last else []
    return list(seen)


def write(session: tf.Session, folder: Path, served: Served, owner: str) -> dict[str, Signature]:
    """Writes the session's graph as a SavedModel, with what its values mean; returns signatures.

    Its variables are in a container called `owner`, apart from those of other graphs in a session.
    What TensorFlow Serving looks for, a folder that is called by the version, lies in it: the same
    files by another name.
    """
    offered = signatures(served)
    assets = _assets(served, offered)
    places = {name: tf.constant(name, name=f'{_ASSETS}/{Path(name).stem}') for name in assets}
    definitions = {
        name: tf.saved_model.predict_signature_def(signature.inputs, signature.outputs)
        for name, signature in offered.items()
    }
    builder = tf.saved_model.Builder(names.plain(folder))
    builder.add_meta_graph_and_variables(
        session, ['serve'], definitions, clear_devices=True, strip_default_attrs=True
    )
    builder.save()
    file = folder / 'saved_model.pb'
    written = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for meta in written.meta_graphs:
        _freeze(meta)
        for node in meta.graph_def.node:
            if node.op in VARIABLES:  # a name of another form is not found by TensorFlow Lite
                node.attr['container'].s = owner.encode()
        for name, place in places.items():
            asset = meta.asset_file_def.add(filename=name)
            asset.tensor_info.name = place.name
    file.write_bytes(written.SerializeToString(deterministic=True))
    (folder / _ASSETS).mkdir()
    write_assets(folder / _ASSETS, served, offered)
    _link(folder, folder / _VERSION)
    return offered


def _freeze(meta: tf.MetaGraphDef) -> None:
    """Says of a graph's variables that they are not trained.

    Keras's optimizers cannot name what they keep of one that TensorFlow 1 has named, as `kernel:0`:
    a model with the graph as a layer could not be fitted.
    """
    meta.collection_def.pop(tf.GraphKeys.TRAINABLE_VARIABLES, None)
    held = meta.collection_def[tf.GraphKeys.GLOBAL_VARIABLES].bytes_list
    for i, content in enumerate(held.value):
        variable = variable_pb2.VariableDef.FromString(content)
        variable.trainable = False
        held.value[i] = variable.SerializeToString(deterministic=True)


def write_assets(folder: Path, served: Served, offered: Mapping[str, Signature]) -> None:
    """Writes what the values of a graph mean: JSON files, which go along with it."""
    for name, content in _assets(served, offered).items():
        disk.write_json(folder / name, content)


def _assets(served: Served, offered: Mapping[str, Signature]) -> dict[str, Any]:
    """Returns what the values of a graph mean, by the name of a file."""
    found: dict[str, Any] = {
        'config.json': _without_paths(served.experiment.resolved()),
        'trained_on.json': as_json(served.spec),
        'signatures.json': described(offered, served),
    }
    if 'logits' in served.tensors:
        found['classes.json'] = list(served.spec.classes)
    return found


def _without_paths(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a configuration without where its data and its parent were on this machine."""
    kept = {name: value for name, value in config.items() if name != 'data_path'}
    parent = kept.get('parent')
    kept['parent'] = _without_paths(parent) if isinstance(parent, Mapping) else None
    return kept


def _link(folder: Path, version: Path) -> None:
    """Gives each file of a folder a second name in a folder within it; a copy, where it cannot."""
    for file in [path for path in folder.rglob('*') if path.is_file()]:
        second = version / file.relative_to(folder)
        second.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file, second)
        except OSError:
            shutil.copy2(file, second)


def described(offered: Mapping[str, Signature], served: Served) -> dict[str, Any]:
    """Returns what the signatures take and give, as JSON: shape, dtype and meaning by name."""
    said = {'values': _values(served), 'probabilities': _PROBABILITIES[served.joint]}

    def tensors(of: Mapping[str, tf.Tensor]) -> dict[str, Any]:
        return {
            name: {
                'shape': tensor.shape.as_list(),
                'dtype': tensor.dtype.name,
                'meaning': _meaning(name).format(**said),
            }
            for name, tensor in of.items()
        }

    return {
        name: {'inputs': tensors(signature.inputs), 'outputs': tensors(signature.outputs)}
        for name, signature in offered.items()
    }


def _meaning(name: str) -> str:
    if name.startswith('phase'):
        return 'reconstructions from the layers of that phase and below, in the units of X'
    return _MEANINGS.get(name, 'the activations of that layer')


def _values(served: Served) -> str:
    """Says what numbers are fed, and of files of pictures what is made of these first."""
    values, made = served.spec.values, ''
    if values is None:
        return 'numbers'
    if served.experiment.dataset in PICTURES:
        sides = 'x'.join(map(str, served.experiment.picture_size[:2]))
        made = (
            f'; of a picture of {sides}: upright by its EXIF, white behind what is transparent, '
            "cropped at the centre to these sides' proportion and scaled by Pillow's LANCZOS"
        )
    if values.is_bytes:
        return f'numbers in [0, 1], bytes divided by 255{made}'
    return f'numbers as they were trained on, from {values.least:g} to {values.most:g}'
