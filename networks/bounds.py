"""How much work a saved graph may be: how many operations, how deep, how large, how often repeated.

Plain arithmetic can still be without an end. Here a graph is looked at, and nothing is run: what
cannot be known so is what `networks/trial.py` finds out, in a process of its own.
"""

from __future__ import annotations

import graphlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from networks.allowed_ops import PLAIN
from system.errors import DataError

NODES = 100_000  # operations, those of functions once for each call
DEPTH = 50  # functions, of which each calls the next
NUMBERS = 1 << 27  # in one tensor: half a gigabyte
FILE_NODES = 5 * NODES  # in a file, with what is not needed of it
ITEMS = 1 << 20  # in one list of tensors
STEPS = 100_000  # of a loop whose end is a number in the graph
_FEW = 100  # numbers of a constant that says a size
_REMEDY = '; --trust_graph takes it, where you know it'
_CALLS = (
    'If',
    'StatelessIf',
    'While',
    'StatelessWhile',
    'PartitionedCall',
    'StatefulPartitionedCall',
)  # of plain operations, those that call functions
_WHILE = ('While', 'StatelessWhile')
_MERGE = ('Merge', 'RefMerge')
_TURNS = ('NextIteration', 'RefNextIteration')
_SAME = ('Identity', 'Snapshot', 'StopGradient', 'PreventGradient', 'Enter', 'RefEnter', 'Cast',
         'Switch', 'RefSwitch')  # fmt: skip
_SHAPES = ('Shape', 'ShapeN', 'Size', 'Rank')
_RISES = ('Add', 'AddV2')
_BELOW = {'Less': (0, 1), 'LessEqual': (0, 1), 'Greater': (1, 0), 'GreaterEqual': (1, 0)}
_SIZED = {  # operation -> the inputs whose values say how large its result is
    'Fill': (0,), 'BroadcastTo': (1,), 'Tile': (1,), 'Pad': (1,), 'PadV2': (1,), 'MirrorPad': (1,),
    'OneHot': (1,), 'Range': (0, 1, 2), 'LinSpace': (2,), 'ScatterNd': (2,), 'RandomUniform': (0,),
    'RandomUniformInt': (0,), 'RandomStandardNormal': (0,), 'TruncatedNormal': (0,),
    'StatelessRandomUniform': (0,), 'StatelessRandomUniformV2': (0,), 'StatelessRandomNormal': (0,),
    'StatelessRandomNormalV2': (0,), 'StatelessTruncatedNormal': (0,),
    'StatelessTruncatedNormalV2': (0,), 'ResizeNearestNeighbor': (1,), 'ResizeBilinear': (1,),
    'ResizeBicubic': (1,), 'ResizeArea': (1,), 'Conv2DBackpropInput': (0,),
    'Conv3DBackpropInputV2': (0,), 'DepthwiseConv2dNativeBackpropInput': (0,),
    'UnsortedSegmentSum': (2,), 'Multinomial': (1,),
}  # fmt: skip
_LISTS = {'TensorListReserve': 1, 'EmptyTensorList': 1, 'TensorArrayV3': 0}
_PADS = ('Pad', 'PadV2', 'MirrorPad')


class Known(NamedTuple):
    """What is known of a tensor before anything is run."""

    value: bool  # it is computed from constants and shapes alone
    size: bool  # so is its shape


_FED = Known(False, True)  # of what is fed, of variables, and of what a loop changes


class _Body:
    """A graph or a function: its nodes by name, and what is known of its arguments."""

    def __init__(
        self,
        within: str,
        nodes: Iterable[tf.NodeDef],
        arguments: Mapping[str, Known],
        results: Sequence[str] = (),
    ):
        self.within = within
        self.nodes = {node.name: node for node in nodes}
        self.arguments = arguments
        self.results = results  # of a function: the inputs that it returns
        self._known: dict[str, Known] = dict(arguments)

    def behind(self, source: str) -> str:
        """Returns the name of the node or argument that an input is a copy of."""
        seen: set[str] = set()
        while (name := _name(source)) not in seen:
            seen.add(name)
            node = self.nodes.get(name)
            if node is None or node.op not in _SAME or not node.input:
                break
            source = node.input[0]
        return name

    def constant(self, source: str) -> np.ndarray | None:
        """Returns the whole numbers that an input always has, if these are few."""
        node = self.nodes.get(self.behind(source))
        if node is None or node.op != 'Const' or _numbers(node) > _FEW:
            return None
        try:
            made = np.asarray(tf.make_ndarray(node.attr['value'].tensor))
        except (TypeError, ValueError, KeyError):
            return None
        return made.astype(object) if made.dtype.kind in 'iu' else None

    def known(self, source: str) -> Known:
        """Returns what is known of an input."""
        opened, todo = set(), [_name(source)]
        while todo:
            name = todo[-1]
            node = self.nodes.get(name)
            before = [] if node is None or node.op in _MERGE else list(map(_name, _data(node)))
            unknown = [other for other in before if other not in self._known]
            if name not in self._known and unknown and name not in opened:
                opened.add(name)
                todo += unknown
                continue
            todo.pop()
            if name not in self._known:
                inputs = [self._known.get(other, _FED) for other in before]
                self._known[name] = _FED if node is None else _judged(node, inputs)
        return self._known[_name(source)]


def bounded(graph: tf.GraphDef, file: str) -> None:
    """Looks at a graph before it is run.

    Raises DataError that names what has no bound: too many operations, functions that call
    themselves or each other too deep, a tensor or list too large, a loop that may never end.
    """
    library = {function.signature.name: function for function in graph.library.function}
    try:
        _count(graph, library)
        seen: set[tuple[str, tuple[Known, ...]]] = set()
        todo = [_Body('', graph.node, {})]
        while todo:
            body = todo.pop()
            for name, given in _looked_at(body, library):
                if (name, given) not in seen:
                    seen.add((name, given))
                    todo.append(_function(body.within, library[name], given))
    except _TooMuch as error:
        raise DataError(f'{file}: refused, for {error}{_REMEDY}') from None


def short(graph: tf.GraphDef, file: str) -> None:
    """Raises DataError for a file of more operations than can be looked at in a few seconds."""
    if len(graph.node) > FILE_NODES:
        raise DataError(
            f'{file}: refused, for it has {len(graph.node):,} operations, more than '
            f'{FILE_NODES:,}{_REMEDY}'
        )


class _TooMuch(Exception):
    """What a graph has too much of, in words."""


def _count(graph: tf.GraphDef, library: Mapping[str, Any]) -> None:
    """Counts operations, those of functions for each call of them, and how deep the calls are."""
    there = len(graph.node) + sum(len(function.node_def) for function in library.values())
    if there > NODES:
        raise _TooMuch(f'it has {there:,} operations, more than {NODES:,}')
    calls = {name: list(_calls(f.node_def, library)) for name, f in library.items()}
    try:
        order = list(graphlib.TopologicalSorter(calls).static_order())
    except graphlib.CycleError as error:
        raise _TooMuch(f'its function {error.args[1][0]} calls itself') from None
    size: dict[str, int] = {}
    depth: dict[str, int] = {}
    for name in order:
        size[name] = len(library[name].node_def) + sum(size[called] for called in calls[name])
        depth[name] = 1 + max((depth[called] for called in calls[name]), default=0)
        if depth[name] > DEPTH:
            raise _TooMuch(f'its functions call each other more than {DEPTH} deep, as {name} does')
    whole = len(graph.node) + sum(size[name] for name in _calls(graph.node, library))
    if whole > NODES:
        raise _TooMuch(
            f'it has more than {NODES:,} operations, where those of its functions count for each '
            'call'
        )


def _calls(nodes: Iterable[tf.NodeDef], library: Mapping[str, Any]) -> Iterator[str]:
    """Yields the functions that nodes call, as often as they do."""
    for node in nodes:
        if node.op in library:
            yield node.op
        for value in node.attr.values() if node.op in _CALLS or node.op in library else ():
            for call in (value.func, *value.list.func):
                if call.name in library:
                    yield call.name


def _function(within: str, function: Any, given: Sequence[Known]) -> _Body:
    """Returns a function's body, of which so much is known as of its arguments."""
    names = [argument.name for argument in function.signature.input_arg]
    arguments = {name: given[i] if i < len(given) else _FED for i, name in enumerate(names)}
    results = [function.ret[result.name] for result in function.signature.output_arg]
    return _Body(f'{within}{function.signature.name}/', function.node_def, arguments, results)


def _looked_at(body: _Body, library: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Known, ...]]]:
    """Looks at all nodes of a body; yields what it calls, and what is known of the arguments."""
    _check_turns(body)
    for node in body.nodes.values():
        _check_size(body, node)
        if node.op == 'LoopCond' and not _is_counted(body, node):
            raise _endless(body, node)
        called = list(_calls([node], library))
        given = tuple(map(body.known, _data(node))) if called else ()
        if called and node.op in _WHILE:
            given = _check_loop(body, node, library)
        elif node.op in ('If', 'StatelessIf'):
            given = given[1:]
        for name in called:
            yield name, given


def _check_loop(body: _Body, node: tf.NodeDef, library: Mapping[str, Any]) -> tuple[Known, ...]:
    """Looks at a loop whose body is a function; returns what is known of what it carries."""
    test, work = (library.get(node.attr[part].func.name) for part in ('cond', 'body'))
    if test is None or work is None:
        raise _endless(body, node)
    sources = _data(node)
    inner = _function(body.within, work, ())
    names = list(inner.arguments)
    if not len(sources) == len(names) == len(inner.results):
        raise _endless(body, node)
    stays = [inner.behind(made) == name for name, made in zip(names, inner.results, strict=True)]
    given = tuple(
        body.known(source) if same else _FED for source, same in zip(sources, stays, strict=True)
    )
    outer = _function(body.within, test, given)
    place = {name: i for i, name in enumerate(outer.arguments)}
    for low, high in _comparisons(outer, outer.results[:1]):
        i = place.get(outer.behind(low))
        if i is None or i >= len(sources):
            continue
        j = place.get(outer.behind(high))
        most = outer.constant(high) if j is None else body.constant(sources[j])
        rises = _rises(inner, inner.results[i], names[i])
        if rises and body.known(sources[i]).value and outer.known(high).value:
            _check_steps(body, node, most)
            return given
    raise _endless(body, node)


def _is_counted(body: _Body, node: tf.NodeDef) -> bool:
    """Whether a loop of the first kind counts up to a number that only shapes decide."""
    for low, high in _comparisons(body, node.input[:1]):
        counter = body.nodes.get(body.behind(low))
        if counter is None or counter.op not in _MERGE or len(_data(counter)) != 2:
            continue
        first, again = _data(counter)
        back = body.nodes.get(_name(again))
        if back is None or back.op not in _TURNS or not _rises(body, back.input[0], counter.name):
            continue
        if body.known(first).value and body.known(high).value:
            _check_steps(body, node, body.constant(high))
            return True
    return False


def _check_turns(body: _Body) -> None:
    """Raises _TooMuch where a loop of the first kind can go round without asking its condition."""
    merges = {
        node.name
        for node in body.nodes.values()
        if node.op in _MERGE and any(_op(body, source) in _TURNS for source in node.input)
    }
    todo = [s for node in body.nodes.values() if node.op in _TURNS for s in _data(node)]
    seen: set[str] = set()
    while todo:
        node = body.nodes.get(_name(todo.pop()))
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if node.name in merges:
            raise _endless(body, node)
        inputs = _data(node)
        asks = node.op in ('Switch', 'RefSwitch') and len(inputs) == 2
        if not (asks and _op(body, inputs[1]) == 'LoopCond'):
            todo += inputs


def _op(body: _Body, source: str) -> str:
    node = body.nodes.get(_name(source))
    return node.op if node is not None else ''


def _comparisons(body: _Body, sources: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yields what must be less than what, (low, high), for a condition to hold."""
    todo, seen = list(sources), set()
    while todo:
        name = body.behind(todo.pop())
        node = body.nodes.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        inputs = _data(node)
        if node.op == 'LogicalAnd':
            todo += inputs
        elif node.op in _BELOW and len(inputs) == 2:
            low, high = _BELOW[node.op]
            yield inputs[low], inputs[high]


def _rises(body: _Body, made: str, counter: str) -> bool:
    """Whether what is made of a counter in a loop is that counter and a constant above 0."""
    node = body.nodes.get(body.behind(made))
    if node is None or node.op not in _RISES or len(_data(node)) != 2:
        return False
    for one, other in (_data(node), _data(node)[::-1]):
        step = body.constant(other)
        if body.behind(one) == counter and step is not None and step.size == 1:
            return bool(step.item() > 0)
    return False


def _check_steps(body: _Body, node: tf.NodeDef, most: np.ndarray | None) -> None:
    if most is not None and most.size == 1 and most.item() > STEPS:
        raise _TooMuch(
            f'its loop {body.within}{node.name} counts to {most.item():,}, more than {STEPS:,}'
        )


def _endless(body: _Body, node: tf.NodeDef) -> _TooMuch:
    return _TooMuch(
        f'its loop {body.within}{node.name} is none that counts up to a number of steps, and might '
        'never end'
    )


def _check_size(body: _Body, node: tf.NodeDef) -> None:
    """Raises _TooMuch for a tensor or list that the graph itself says is too large."""
    if node.op == 'Const':
        size, most = _numbers(node), NUMBERS
    elif node.op in _SIZED or node.op in _LISTS:
        at, inputs = (_SIZED | {op: (i,) for op, i in _LISTS.items()})[node.op], _data(node)
        said = [body.constant(inputs[i]) if i < len(inputs) else None for i in at]
        size, most = _said(node.op, said), ITEMS if node.op in _LISTS else NUMBERS
    else:
        return
    if size > most:
        what = f'list of {size:,} items' if node.op in _LISTS else f'tensor of {size:,} numbers'
        raise _TooMuch(f'its {node.op} {body.within}{node.name} makes a {what}')


def _said(op: str, said: Sequence[np.ndarray | None]) -> int:
    """Returns how many numbers an operation makes at least, by the constants that say it."""
    if op == 'Range':
        if any(value is None or value.size != 1 for value in said):
            return 0
        first, last, step = (int(value.item()) for value in said if value is not None)
        return abs(last - first) // abs(step) if step else 0
    (value,) = said
    if value is None or not value.size:
        return 0
    if op in _PADS and value.ndim == 2:
        value = 1 + value.sum(axis=1)
    return math.prod(max(1, int(number)) for number in value.flat)


def _judged(node: tf.NodeDef, inputs: Sequence[Known]) -> Known:
    """Returns what is known of a node by what is known of its inputs."""
    decisive = [inputs[i].value for i in _SIZED.get(node.op, ()) if i < len(inputs)]
    size = all(known.size for known in inputs) and all(decisive)
    if node.op == 'Const':
        return Known(True, True)
    if node.op in _MERGE or node.op in _WHILE or not inputs:
        return Known(False, size)
    if node.op in _SHAPES:
        return Known(size, True)
    if node.op == 'Minimum':  # of which the smaller one decides
        return Known(any(known.value for known in inputs), size)
    is_called = node.op in _CALLS or node.op not in PLAIN
    is_drawn = 'Random' in node.op or node.op in ('TruncatedNormal', 'Multinomial')
    return Known(not is_called and not is_drawn and all(known.value for known in inputs), size)


def _data(node: tf.NodeDef) -> list[str]:
    """Returns a node's inputs, without those that only say what comes before it."""
    return [source for source in node.input if not source.startswith('^')]


def _name(source: str) -> str:
    """Returns the name of the node or argument that an input is of."""
    return source.split(':')[0]


def _numbers(node: tf.NodeDef) -> int:
    """Returns how many numbers a constant says that it has."""
    return math.prod(max(0, dim.size) for dim in node.attr['value'].tensor.tensor_shape.dim)
