"""Saved graphs of plain operations that do harm, and honest ones that look like them, made by code.

A case says what is made of the codings, [N, 2], and of X, [N, 8], and how a run on it should end.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.framework import function

from torture.cases import LINE, RIGHT

FEATURES = 8
Made = Callable[[Any, Any], Any]


class Case(NamedTuple):
    """A graph, and how a run that restores it should end."""

    made: Made  # of codings and X: what codings:0 is
    end: str  # RIGHT, or LINE: in one line of error
    edit: Callable[[Any], None] = lambda meta: None  # what is changed in the file


def save(folder: Path, case: Case) -> str:
    """Writes a case as a saved graph; returns its prefix."""
    folder.mkdir(parents=True, exist_ok=True)
    prefix = str(folder / 'model')
    with tf.Graph().as_default(), tf.Session() as session:
        X = tf.placeholder(tf.float32, [None, FEATURES], name='X')
        kernel = tf.get_variable('kernel', [FEATURES, 2], use_resource=True)
        tf.identity(case.made(tf.matmul(X, kernel), X), name='codings')
        session.run(tf.global_variables_initializer())
        saver = tf.train.Saver()
        saver.save(session, prefix, write_meta_graph=False, write_state=False)
        meta = tf.train.export_meta_graph(saver_def=saver.as_saver_def())
    case.edit(meta)
    Path(f'{prefix}.meta').write_bytes(meta.SerializeToString())
    return prefix


@contextmanager
def _functional(on: bool) -> Any:
    if on:
        tf.enable_control_flow_v2()
    try:
        yield
    finally:
        tf.disable_control_flow_v2()


def loop(test: Made, body: Made = lambda i, v: v * 1.0, *, first: Any = 0, step: Any = 1,
         v2: bool = False, **options: Any) -> Made:  # fmt: skip
    """Returns what runs `body`, (i, codes) -> codes, while `test` of both holds."""

    def made(codes: Any, _: Any) -> Any:
        with _functional(v2):
            carried = [tf.constant(first), codes]
            return tf.while_loop(test, lambda i, v: [i + step, body(i, v)], carried, **options)[1]

    return made


def unsized(shape: list[int | None] | None) -> Made:
    """Returns codes whose shape is not known so far."""
    return lambda c, x: tf.placeholder_with_default(c, shape)


def calls(body: Callable[[Any], Any]) -> Made:
    """Returns what calls a function on the codes."""
    called = function.Defun(tf.float32, func_name='f')(body)
    return lambda c, x: tf.reshape(called(c), [-1, 2])


def deep(depth: int) -> Made:
    """Returns functions of which each calls the next."""

    def inside(inner: Any) -> Any:
        return lambda v: inner(v) * 1.0

    def made(codes: Any, _: Any) -> Any:
        called: Any = tf.tanh
        for number in range(depth):
            called = function.Defun(tf.float32, func_name=f'f{number}')(inside(called))
        return tf.reshape(called(codes), [-1, 2])

    return made


def calling(*names: str, times: int = 1, last: str = '') -> Callable[[Any], None]:
    """Returns what has functions call the next one each, so many times, and the last one `last`."""

    def edit(meta: Any) -> None:
        library, made = meta.graph_def.library.function, []
        (first,) = library
        for name, other in zip(names, (*names[1:], last), strict=True):
            function = type(first)()
            function.CopyFrom(first)
            function.signature.name = name
            (work,) = (node for node in function.node_def if node.op == 'Mul')
            work.op = other or 'Neg'
            del work.input[:]
            work.input.append(first.signature.input_arg[0].name)
            for number in range(1, times):
                function.node_def.add(name=f'again{number}', op=work.op, input=work.input)
            made.append(function)
        old = first.signature.name
        del library[:]
        library.extend(made)
        for node in meta.graph_def.node:
            node.op = names[0] if node.op == old else node.op

    return edit


def chained(count: int) -> Callable[[Any], None]:
    """Returns what puts so many identities before the codes."""

    def edit(meta: Any) -> None:
        nodes = meta.graph_def.node
        (last,) = (node for node in nodes if node.name == 'codings')
        source = last.input[0]
        for number in range(count):
            node = nodes.add(name=f'i{number}', op='Identity', input=[source])
            node.attr['T'].type = tf.float32.as_datatype_enum
            source = node.name
        last.input[0] = source

    return edit


def added(count: int) -> Callable[[Any], None]:
    """Returns what adds so many copies of the codes up in a flat sum."""

    def edit(meta: Any) -> None:
        nodes = meta.graph_def.node
        (last,) = (node for node in nodes if node.name == 'codings')
        source, names = last.input[0], [f'i{number}' for number in range(count)]
        for name in names:
            node = nodes.add(name=name, op='Identity', input=[source])
            node.attr['T'].type = tf.float32.as_datatype_enum
        total = nodes.add(name='total', op='AddN', input=names)
        total.attr['T'].type = tf.float32.as_datatype_enum
        total.attr['N'].i = count
        last.input[0] = 'total'

    return edit


def always_true(meta: Any) -> None:
    """Has a loop never ask its condition."""
    for node in meta.graph_def.node:
        if node.op == 'Switch':
            node.input[1] = next(n.input[0] for n in meta.graph_def.node if n.op == 'LoopCond')


def splat(meta: Any) -> None:
    """Has a constant claim 2^33 numbers."""
    for node in meta.graph_def.node:
        if node.name == 'huge':
            dims = node.attr['value'].tensor.tensor_shape.dim
            dims[0].size, dims[1].size = 1 << 17, 1 << 16


def over_time(codes: Any, x: Any) -> Any:
    """Reads X as four steps, one after the other, in a loop."""
    steps = tf.reshape(x, [-1, 4, 2])
    count = tf.shape(steps)[1]
    return tf.while_loop(
        lambda t, _: t < count, lambda t, v: (t + 1, tf.tanh(v + steps[:, t])), [0, codes]
    )[1]


def plus(number: Any) -> Made:
    """Returns the codes and the sum of something."""
    return lambda c, x: c + tf.reduce_sum(number(c, x) if callable(number) else number)


def _random_mask(codes: Any, _: Any) -> Any:
    return tf.nn.dropout(codes, rate=0.5)


def _switched(codes: Any, _: Any) -> Any:
    trains = tf.placeholder_with_default(False, [], name='training')
    return tf.nn.dropout(codes, rate=tf.where_v2(trains, 0.5, 0.0))


def _fails_where_few(codes: Any, _: Any) -> Any:
    with tf.control_dependencies([tf.Assert(tf.not_equal(tf.shape(codes)[0], 6), [codes])]):
        return tf.identity(codes)


def _grows(i: Any, v: Any) -> Any:
    return tf.concat([v, v], 0)


def _large(count: int) -> Made:
    def made(codes: Any, _: Any) -> Any:
        return codes + sum(
            tf.reduce_sum(tf.sin(tf.fill([1 << 26], codes[0, 0] + k))) for k in range(count)
        )

    return made


def _outer(codes: Any, _: Any) -> Any:
    wide = tf.tile(codes[:1], [1, 50_000])
    return codes + tf.reduce_sum(tf.matmul(wide, wide, transpose_a=True))


def _array(codes: Any, size: Any) -> Any:
    handle, flow = tf.raw_ops.TensorArrayV3(size=size, dtype=tf.float32)
    count = tf.raw_ops.TensorArraySizeV3(handle=handle, flow_in=flow)
    return codes + tf.cast(count, tf.float32)


def _kept(value: Any) -> Any:
    return tf.placeholder_with_default(value, np.shape(value))


_TURNS = (lambda i, v: i < 10, lambda i, v: v * 1.0)
_NEVER: dict[str, Made] = {  # conditions of loops that hold for ever
    'of values': lambda i, v: tf.reduce_max(v) > -1e30,
    'that are true': lambda i, v: tf.constant(True),
    'that count a value': lambda i, v: i < tf.cast(1e9 + v[0, 0], tf.int32),
    'of a sum': lambda i, v: tf.logical_or(i < 10, tf.reduce_sum(v) < 1e30),
    'up to the most': lambda i, v: i <= 2**31 - 1,
}
_ABS: Made = lambda i, v: tf.abs(v) * 0.5  # noqa: E731

CASES: dict[str, Case] = {
    'plain': Case(lambda c, x: c, RIGHT),
    'maps': Case(lambda c, x: tf.reshape(x, [-1, 2, 2, 2]), RIGHT),
    'steps': Case(lambda c, x: tf.reshape(x, [-1, 4, 2]), RIGHT),
    'float64': Case(lambda c, x: tf.cast(c, tf.float64), RIGHT),
    'float16': Case(lambda c, x: tf.cast(c, tf.float16), RIGHT),
    'bfloat16': Case(lambda c, x: tf.cast(c, tf.bfloat16), RIGHT),
    'float64 maps': Case(lambda c, x: tf.cast(tf.reshape(x, [-1, 2, 4, 1]), tf.float64), RIGHT),
    'ten turns, v1': Case(loop(*_TURNS), RIGHT),
    'ten turns, v2': Case(loop(*_TURNS, v2=True), RIGHT),
    'at most ten turns, v1': Case(loop(_NEVER['of values'], maximum_iterations=10), RIGHT),
    'at most ten turns, v2': Case(loop(_NEVER['of values'], maximum_iterations=10, v2=True), RIGHT),
    'turns of a shape, v1': Case(loop(lambda i, v: i < tf.shape(v)[1]), RIGHT),
    'a recurrent layer': Case(over_time, RIGHT),
    'map_fn over rows': Case(lambda c, x: tf.map_fn(lambda row: row * 2.0, c), RIGHT),
    'scan over rows': Case(lambda c, x: tf.scan(lambda a, row: 0.5 * a + row, c), RIGHT),
    'a branch': Case(
        lambda c, x: tf.cond(tf.reduce_sum(c) > 0, lambda: tf.abs(c), lambda: c * 2.0), RIGHT
    ),
    'a function': Case(calls(lambda v: v * 2.0), RIGHT),
    'functions ten deep': Case(deep(10), RIGHT),
    'five hundred layers': Case(lambda c, x: _repeated(c, 500), RIGHT),
    'dropout that is switched': Case(_switched, RIGHT),
    'a constant draw': Case(
        lambda c, x: c + tf.random.stateless_normal([2], [1, 2]), RIGHT
    ),
    'numbers that are checked': Case(lambda c, x: tf.debugging.check_numerics(c, 'c'), RIGHT),
    'what depends on the batch': Case(lambda c, x: c - tf.reduce_mean(c, 0), RIGHT),
    'zeros': Case(lambda c, x: c * 0.0, RIGHT),
    'ten million turns, v1': Case(loop(lambda i, v: i < 10**7), LINE),
    'ten million turns, v2': Case(loop(lambda i, v: i < 10**7, v2=True), LINE),
    'turns without a step': Case(loop(lambda i, v: i < 10, step=0), LINE),
    'turns down': Case(loop(lambda i, v: i < 10, step=-1), LINE),
    'turns of a fraction': Case(loop(lambda i, v: i < 1e9, first=0.0, step=1e-9), LINE),
    'turns that grow, v1': Case(loop(lambda i, v: i < tf.shape(v)[0], _grows,
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, 2])]), LINE),
    'turns that grow, v2': Case(loop(lambda i, v: i < tf.shape(v)[0], _grows, v2=True,
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, 2])]), LINE),
    'codes that double': Case(loop(lambda i, v: i < 60, _grows,
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, 2])]), LINE),
    'a condition that is not asked': Case(loop(lambda i, v: i < 10), LINE, always_true),
    'turns within turns': Case(loop(lambda i, v: i < 90_000, lambda i, v: loop(
        lambda j, w: j < 90_000)(v, None)), LINE),
    'turns in a function': Case(calls(lambda v: loop(
        _NEVER['of values'], _ABS, v2=True)(v, None)), LINE),
    'as many turns as a shape times much': Case(
        lambda c, x: loop(lambda i, v: i < tf.shape(c)[0] * 10**7)(c, x), LINE),
    'a function of itself': Case(calls(lambda v: v * 2.0), LINE, calling('g', last='g')),
    'functions in a circle': Case(calls(lambda v: v * 2.0), LINE, calling('g', 'h', 'k', last='g')),
    'functions 5,000 deep': Case(calls(lambda v: v * 2.0), LINE,
        calling(*(f'g{k}' for k in range(5000)))),
    'functions thirty deep, twice each': Case(calls(lambda v: v * 2.0), LINE,
        calling(*(f'g{k}' for k in range(30)), times=2)),
    'a million operations': Case(lambda c, x: c, LINE, added(1_000_000)),
    '90,000 operations in a row': Case(lambda c, x: c, LINE, chained(90_000)),
    '300,000 operations in a row': Case(lambda c, x: c, LINE, chained(300_000)),
    'fill, 2^31': Case(plus(lambda c, x: tf.fill([2**31], c[0, 0])), LINE),
    'fill, 2^40': Case(plus(lambda c, x: tf.fill([2**20, 2**20], c[0, 0])), LINE),
    'fill by a shape': Case(plus(lambda c, x: tf.fill([tf.shape(x)[1] * 2**27], c[0, 0])), LINE),
    'fill by a value': Case(plus(lambda c, x: tf.fill(
        [tf.cast(2e9 + c[0, 0], tf.int32)], 1.0)), LINE),
    'fill by what is fed': Case(plus(lambda c, x: tf.fill([_kept(2**31 - 1)], c[0, 0])), LINE),
    'many fills': Case(_large(40), LINE),
    'pad': Case(plus(lambda c, x: tf.pad(c, [[0, 2**30], [0, 2]])), LINE),
    'pad by what is fed': Case(plus(lambda c, x: tf.pad(c, _kept([[0, 2**29], [0, 0]]))), LINE),
    'tile': Case(plus(lambda c, x: tf.tile(c, [2**16, 2**16])), LINE),
    'range': Case(plus(lambda c, x: c[0, 0] + tf.cast(tf.range(2**31 - 1), tf.float32)), LINE),
    'one-hot': Case(plus(lambda c, x: tf.one_hot(tf.cast(c, tf.int32), 2**30)), LINE),
    'broadcast': Case(plus(lambda c, x: tf.sin(tf.broadcast_to(c[:1], [2**30, 2]))), LINE),
    'a huge constant': Case(
        lambda c, x: c + tf.reduce_sum(tf.constant(1.0, shape=[2, 2], name='huge')), LINE, splat),
    'a huge outer product': Case(_outer, LINE),
    'a huge picture': Case(plus(lambda c, x: tf.image.resize_nearest_neighbor(
        tf.reshape(x, [-1, 2, 2, 2]), [2**15, 2**15])), LINE),
    'a huge list': Case(plus(lambda c, x: tf.cast(tf.raw_ops.TensorListLength(
        input_handle=tf.raw_ops.TensorListReserve(element_shape=[2], num_elements=2**31 - 1,
        element_dtype=tf.float32)), tf.float32) + c), LINE),
    'a huge list, by what is fed': Case(plus(lambda c, x: tf.cast(tf.raw_ops.TensorListLength(
        input_handle=tf.raw_ops.TensorListReserve(element_shape=[2], num_elements=_kept(2**31 - 1),
        element_dtype=tf.float32)), tf.float32) + c), LINE),
    'a huge array': Case(lambda c, x: _array(c, 2**31 - 1), LINE),
    'a huge array, by what is fed': Case(lambda c, x: _array(c, _kept(2**31 - 1)), LINE),
    'rank 0': Case(lambda c, x: tf.reduce_sum(c), LINE),
    'rank 1': Case(lambda c, x: c[:, 0], LINE),
    'no rank': Case(unsized(None), LINE),
    'no width': Case(unsized([None, None]), LINE),
    'width 0': Case(lambda c, x: c[:, :0], LINE),
    'whole numbers': Case(lambda c, x: tf.cast(c, tf.int32), LINE),
    'booleans': Case(lambda c, x: c > 0, LINE),
    'words': Case(lambda c, x: tf.strings.as_string(c), LINE),
    'one row': Case(lambda c, x: c[:1], LINE),
    'one row too few': Case(lambda c, x: c[1:], LINE),
    'twice the rows': Case(lambda c, x: tf.concat([c, c], 0), LINE),
    'no rows': Case(lambda c, x: c[:0], LINE),
    'a constant': Case(lambda c, x: tf.constant([[1.0, 2.0]]), LINE),
    'a constant of the rows': Case(lambda c, x: tf.ones([5, 2]) + tf.reduce_sum(c), LINE),
    'a width of the batch': Case(lambda c, x: tf.matmul(c, c, transpose_b=True), LINE),
    'a million columns': Case(lambda c, x: tf.tile(c, [1, 500_000]), LINE),
    'not a number': Case(lambda c, x: tf.log(-tf.abs(c) - 1.0), LINE),
    'infinity': Case(lambda c, x: tf.abs(c) / 0.0, LINE),
    'noise': Case(lambda c, x: c + tf.random.normal(tf.shape(c)), LINE),
    'noise of a seed': Case(lambda c, x: c + tf.random.uniform(tf.shape(c), seed=1), LINE),
    'dropout': Case(_random_mask, LINE),
    'a shuffle': Case(lambda c, x: tf.random.shuffle(c), LINE),
    'a check that fails': Case(
        lambda c, x: tf.debugging.check_numerics(tf.log(-tf.abs(c) - 1.0), 'c'), LINE),
    'a check that fails later': Case(_fails_where_few, LINE),
    'a shape that fails': Case(lambda c, x: tf.reshape(c, [-1, 7]), LINE),
    'an index that fails': Case(lambda c, x: tf.gather(c, [3, 4], axis=_kept(1)), LINE),
    'a division by zero': Case(lambda c, x: c + tf.cast(
        _kept(1) // tf.cast(0 * c[0, 0], tf.int32), tf.float32), LINE),
}  # fmt: skip
for _name, _condition in _NEVER.items():
    for _kind in (1, 2):
        CASES[f'turns {_name}, v{_kind}'] = Case(loop(_condition, _ABS, v2=_kind == 2), LINE)


def _repeated(codes: Any, times: int) -> Any:
    for _ in range(times):
        codes = tf.tanh(codes)
    return codes
