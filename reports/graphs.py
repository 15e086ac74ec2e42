"""The graph as TensorBoard draws it: few boxes at the top, in the order of the computation."""

from __future__ import annotations

import re
from collections.abc import Collection

import tensorflow.compat.v1 as tf

from model import Network
from networks.layers import TOWER

_KEPT = ('Placeholder', 'VarHandleOp')  # how the kinds of what is fed or saved by its name begin
_HIDDEN = re.compile(r'(.*/)?hidden(\d+)')


def of(network: Network) -> tf.GraphDef:
    """Returns the graph for inference, with names to look at.

    Variables and promised tensors keep theirs, but for two kinds. `hiddenK` goes into `encoderK`:
    of five and more TensorBoard makes one node, and a knot of the layers between them. `length` is
    `length_`: the layout has places by the names at the top, in an object that it takes for an
    array where the place of `length` is a whole number, and then it fails.

    What a transfer is made of leaves the scope of its tower, which would be all there is to see. A
    single operation at the top goes where it is used.
    """
    graph_def = network.graph_def()
    graph_def = _renamed(graph_def, _without_tower([node.name for node in graph_def.node]))
    promised = {tensor.op.name for tensor in network.endpoints.tensors.values()}
    graph_def = _renamed(graph_def, _at_home(graph_def, promised))
    graph_def = _renamed(graph_def, _in_layers([node.name for node in graph_def.node]))
    lengths = (n.name for n in graph_def.node if n.name.split('/')[0] == 'length')
    return _renamed(graph_def, {name: f'length_{name[6:]}' for name in lengths})


def _renamed(graph_def: tf.GraphDef, names: dict[str, str]) -> tf.GraphDef:
    """Returns the graph with other names for some of its nodes, but for names that are taken."""
    taken = {node.name for node in graph_def.node}
    names = {name: new for name, new in names.items() if new not in taken}
    made = tf.GraphDef.FromString(graph_def.SerializeToString())
    for node in made.node:
        node.name = names.get(node.name, node.name)
        inputs = [re.fullmatch(r'(\^?)([^:]*)(.*)', name) for name in node.input]
        node.input[:] = [f'{i[1]}{names.get(i[2], i[2])}{i[3]}' for i in inputs if i]
    return made


def _without_tower(names: list[str]) -> dict[str, str]:
    """Returns names one scope higher of what is in the tower; none where one is there already."""
    made = {n: n.removeprefix(f'{TOWER}/') for n in names if n.startswith(f'{TOWER}/')}
    return {} if {*made.values()} & {*names} else made


def _at_home(graph_def: tf.GraphDef, promised: Collection[str]) -> dict[str, str]:
    """Returns names of single operations at the top in the scope, or below the node, they feed."""
    single = {
        node.name
        for node in graph_def.node
        if '/' not in node.name and node.name not in promised and not node.op.startswith(_KEPT)
    }
    home: dict[str, str] = {}
    for node in reversed(graph_def.node):  # each after what it feeds
        top = node.name.split('/')[0]
        for name in node.input:
            below = name.lstrip('^').split(':')[0].split('/')[0]
            if below in single and below != top:
                home[below] = home.get(top, top)
    tops = ((node.name, node.name.split('/')[0]) for node in graph_def.node)
    return {name: f'{home[top]}/{name}' for name, top in tops if top in home}


def _in_layers(names: list[str]) -> dict[str, str]:
    """Returns names of layers' activations in the scopes of their encoders, where these are."""
    scopes = {name.rsplit('/', i)[0] for name in names for i in range(1, name.count('/') + 1)}
    found = {name: _HIDDEN.fullmatch(name) for name in names}
    return {
        name: f'{hidden[1] or ""}encoder{hidden[2]}/hidden{hidden[2]}'
        for name, hidden in found.items()
        if hidden and f'{hidden[1] or ""}encoder{hidden[2]}' in scopes
    }
