"""Whether a run's weights are those of the network that its configuration says, before it is built.

Thousands of layers, or sequences of a million steps, would take minutes to build.
"""

from __future__ import annotations

import re

import tensorflow.compat.v1 as tf
from google.protobuf.message import DecodeError

from inputs.spec import Spec
from networks import saved_graph, weights
from parameters import Experiment
from system.errors import DataError

_LAYER = re.compile(r'layer(\d+)/')
_LAYERED = ('dense', 'conv', 'lstm', 'kmeans')  # networks whose variables are below layerK


def check(prefix: str, experiment: Experiment, spec: Spec) -> None:
    """Raises DataError where the weights have another number of layers, or X:0 another shape.

    The latter is looked at where the saved graph itself is there.
    """
    with weights.opened(prefix) as checkpoint:
        found = {m[1] for m in map(_LAYER.match, checkpoint.get_variable_to_shape_map()) if m}
    if experiment.kind in _LAYERED and len(found) != experiment.depth:
        raise DataError(
            f'{prefix}: the weights are of {len(found)} layers, config.json says {experiment.depth}'
        )
    try:
        content = saved_graph.content_of(prefix)
    except DataError:
        return
    meta = tf.MetaGraphDef()
    try:
        meta.ParseFromString(content)
    except DecodeError:
        raise DataError(f'{prefix}.meta: not a binary saved graph, or damaged') from None
    for node in (node for node in meta.graph_def.node if node.name == 'X'):
        shape = saved_graph.sizes_of(node.attr['shape'].shape)
        if shape != spec.shape:
            raise DataError(
                f'{prefix}.meta: its X:0 reads {shape}, config.json says {list(spec.shape)}'
            )
