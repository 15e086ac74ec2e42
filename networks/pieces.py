"""Pieces of a graph that is imported: what is below a tensor, what is above it, its functions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import tensorflow.compat.v1 as tf

_IMPORTS = itertools.count(1)  # numbers the graphs with functions that this process imports


class Halves(NamedTuple):
    """A graph in two: what does not need a tensor, with that tensor, and what does."""

    below: tf.GraphDef
    above: tf.GraphDef
    crossing: tuple[str, ...]  # the tensors of `below` that `above` reads, as name:number


def halved(graph: tf.GraphDef, at: str, names: Iterable[str]) -> Halves | None:
    """Cuts a graph at the node `at` into what `names` need of it.

    None where it cannot be cut there: nothing is above, or an order is kept across the cut.
    """
    nodes = {node.name: node for node in graph.node}
    closures = {name: _closure(nodes, name) for name in (at, *names)}
    below = set().union(*(c for c in closures.values() if at not in c), closures[at])
    above = set().union(*closures.values()) - below
    crossing: dict[str, None] = {}
    for node in (nodes[name] for name in nodes if name in above):
        for source in node.input:
            if node_of(source) not in below:
                continue
            if source.startswith('^'):
                return None
            crossing[source if ':' in source else f'{source}:0'] = None
    if not above:
        return None
    return Halves(_of(graph, below), _of(graph, above), tuple(crossing))


def below(graph: tf.GraphDef, name: str) -> tf.GraphDef:
    """Returns what a node is computed from, and the node."""
    return _of(graph, _closure({node.name: node for node in graph.node}, name))


def _of(graph: tf.GraphDef, names: set[str]) -> tf.GraphDef:
    """Returns a graph of some of the nodes, with the functions that these call."""
    made = tf.GraphDef(versions=graph.versions)
    made.node.extend(node for node in graph.node if node.name in names)
    library = {function.signature.name: function for function in graph.library.function}
    called: dict[str, None] = {}
    todo = [*made.node]
    while todo:
        for name in named_by(todo.pop()):
            if name in library and name not in called:
                called[name] = None
                todo += library[name].node_def
    made.library.function.extend(library[name] for name in called)
    return made


def without(graph: tf.GraphDef, fed: Iterable[str]) -> tf.GraphDef:
    """Returns the graph without the placeholders among nodes that something else stands for."""
    names = set(fed)
    stays = [n for n in graph.node if n.name not in names or not n.op.startswith('Placeholder')]
    if len(stays) == len(graph.node):
        return graph
    return tf.GraphDef(node=stays, versions=graph.versions, library=graph.library)


def at_inference(graph: tf.GraphDef, switch: str, names: Iterable[str]) -> tf.GraphDef:
    """Returns what `names` need of a graph where `switch`, a bool, is false for good.

    What it selects is there without the selection, and what it does not select is gone: programs
    that read graphs know no batch norm whose moments are chosen as it runs.
    """
    made = tf.GraphDef(versions=graph.versions, library=graph.library)
    for node in graph.node:
        inputs = [source for source in node.input if not source.startswith('^')]
        if node.op in ('Select', 'SelectV2') and node_of(inputs[0]) == switch:
            chosen = made.node.add(name=node.name, op='Identity', input=[inputs[2]])
            chosen.attr['T'].CopyFrom(node.attr['T'])
        else:
            made.node.add().CopyFrom(node)
    nodes = {node.name: node for node in made.node}
    return _of(made, set().union(*(_closure(nodes, name) for name in names)))


def from_below(graph: tf.GraphDef, names: Iterable[str]) -> list[str]:
    """Returns names of nodes in an order in which none is computed from a later one."""
    nodes = {node.name: node for node in graph.node}
    return sorted(names, key=lambda name: len(_closure(nodes, name)))


def named_by(node: tf.NodeDef) -> list[str]:
    """Returns what a node may call: the name of its operation, and functions of its attributes."""
    calls = [call for value in node.attr.values() for call in (value.func, *value.list.func)]
    return [node.op, *(call.name for call in calls)]


def _closure(nodes: Mapping[str, tf.NodeDef], name: str) -> set[str]:
    """Returns the names of the nodes that a node is computed from, its own among them."""
    seen: set[str] = set()
    todo = [name]
    while todo:
        current = todo.pop()
        if current in nodes and current not in seen:
            seen.add(current)
            todo += map(node_of, nodes[current].input)
    return seen


def node_of(source: str) -> str:
    """Returns the name of the node that an input is of."""
    return source.removeprefix('^').split(':')[0]


def with_own_functions(graph_def: tf.GraphDef) -> tf.GraphDef:
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
