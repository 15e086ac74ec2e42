"""Batch norm in a graph that is imported: by the batch in training, else by what it has learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from networks.pieces import node_of


class Moment(NamedTuple):
    """What batch norm reads in a graph: of the batch in training, else of what it has learned."""

    node: str  # that chooses
    batch: str  # the tensor that it takes in training
    variable: str  # what it reads else

    @property
    def reads(self) -> list[str]:
        """The names of what it is computed from in training."""
        return [self.batch]

    def by_batch(self, read: Sequence[tf.Tensor], left: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns what it is in training; leaves it by the variable that follows it."""
        left[self.variable] = read[0]
        return read[0]


class Norm(NamedTuple):
    """A whole batch norm, as `tf.nn.batch_normalization` writes it over `tf.nn.moments`."""

    node: str  # its output
    reads: list[str]  # its inputs [N, H, W, C], gamma and beta, [C]
    epsilon: float
    mean: Moment
    variance: Moment

    def by_batch(self, read: Sequence[tf.Tensor], left: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns what it is in training; leaves the moments by the variables that follow them.

        In one operation with one for its gradient, several times as fast as the parts.
        """
        inputs, gamma, beta = read
        made, mean, variance = tf.nn.fused_batch_norm(
            inputs, gamma, beta, epsilon=self.epsilon, is_training=True
        )
        left[self.mean.variable], left[self.variance.variable] = mean, variance
        return made


def moments(graph: tf.GraphDef, switch: str, variables: Iterable[str]) -> list[Moment]:
    """Returns where `switch`, a bool, chooses between a tensor and a variable."""
    nodes, found, known = {node.name: node for node in graph.node}, [], set(variables)
    for node in graph.node:
        if node.op not in ('Select', 'SelectV2') or node_of(node.input[0]) != switch:
            continue
        read = node_of(node.input[2])
        while read in nodes and nodes[read].op in ('Identity', 'ReadVariableOp'):
            read = node_of(nodes[read].input[0])
        if read in known:
            found.append(Moment(node.name, node.input[1], read))
    return found


def in_training(graph: tf.GraphDef, found: Iterable[Moment]) -> dict[str, Moment | Norm]:
    """Returns what is another in training, by node: whole batch norms, and moments of others."""
    chosen = {moment.node: moment for moment in found}
    nodes = {node.name: node for node in graph.node}
    norms = [norm for node in graph.node if (norm := _norm(node, nodes, chosen))]
    whole = {moment.node for norm in norms for moment in (norm.mean, norm.variance)}
    made: dict[str, Moment | Norm] = {norm.node: norm for norm in norms}
    return made | {node: moment for node, moment in chosen.items() if node not in whole}


def _norm(
    node: tf.NodeDef, nodes: Mapping[str, tf.NodeDef], chosen: Mapping[str, Moment]
) -> Norm | None:
    """Returns the batch norm whose output a node is: x * s + (beta - mean * s)."""

    def parts(source: str, *ops: str) -> list[str]:
        """The inputs of a tensor that is one of these operations."""
        found = nodes.get(node_of(source))
        return list(found.input) if found is not None and found.op in ops else []

    try:
        scaled, shift = parts(node.name, 'AddV2', 'Add')
        inputs, scale = parts(scaled, 'Mul')
        beta, centre = parts(shift, 'Sub')
        mean, same = parts(centre, 'Mul')
        root, gamma = parts(scale, 'Mul')
        (spread,) = parts(root, 'Rsqrt')
        variance, epsilon = parts(spread, 'AddV2', 'Add')
        pair = chosen[node_of(mean)], chosen[node_of(variance)]
        (squeezed,) = parts(pair[0].batch, 'Squeeze')
        averaged, axes = parts(squeezed, 'Mean')
    except (ValueError, KeyError):  # of other parts
        return None
    over, added = (_constant(nodes, name) for name in (axes, epsilon))
    if same != scale or averaged != inputs or over != [0, 1, 2] or not isinstance(added, float):
        return None
    return Norm(node.name, [inputs, gamma, beta], added, *pair)


def _constant(nodes: Mapping[str, tf.NodeDef], name: str) -> float | list[int] | None:
    node = nodes.get(node_of(name))
    if node is None or node.op != 'Const':
        return None
    value: float | list[int] = tf.make_ndarray(node.attr['value'].tensor).tolist()
    return value


def fused(graph: tf.GraphDef, found: Iterable[Moment]) -> str:
    """Returns the name of a fused batch norm that is given such moments; '' where there is none.

    TensorFlow has no gradient of it by what it is given.
    """
    chosen = {moment.node for moment in found}
    for node in graph.node:
        if node.op.startswith('FusedBatchNorm') and not chosen.isdisjoint(map(node_of, node.input)):
            return str(node.name)
    return ''
