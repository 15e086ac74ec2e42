"""Which operations of a saved graph are run: those that compute numbers from numbers.

A graph is a program. One that came from somebody else could read or write files, open connections
or load libraries; so whatever is not on this list, in the graph or in a function that it calls, is
refused before anything is imported. It is a hardening and no sandbox: TensorFlow itself is trusted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow.compat.v1 as tf

from system.errors import DataError

VARIABLES = frozenset({'VarHandleOp', 'VariableV2', 'Variable'})
_DATA = frozenset(
    dtype.as_datatype_enum
    for dtype in (tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.int8, tf.int16, tf.int32,
                  tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64, tf.bool, tf.string)
)  # fmt: skip
_PLAIN = """
Const Placeholder PlaceholderV2 PlaceholderWithDefault NoOp Identity IdentityN Snapshot
StopGradient PreventGradient ReadVariableOp Cast Bitcast CheckNumerics Assert

Shape ShapeN Size Rank Reshape ExpandDims Squeeze Transpose ConjugateTranspose InvertPermutation
Pack Unpack Concat ConcatV2 ConcatOffset Split SplitV Slice StridedSlice Tile Fill Range
LinSpace ZerosLike OnesLike BroadcastTo BroadcastArgs BroadcastGradientArgs Pad PadV2 MirrorPad
Reverse ReverseV2 ReverseSequence Gather GatherV2 GatherNd ScatterNd OneHot Where Diag DiagPart
MatrixDiag MatrixBandPart SpaceToDepth DepthToSpace SpaceToBatchND BatchToSpaceND
DynamicStitch DynamicPartition

Add AddV2 AddN AccumulateNV2 Sub Mul MulNoNan Div RealDiv TruncateDiv DivNoNan FloorDiv Mod
FloorMod TruncateMod Neg Abs Sign Inv Reciprocal Square SquaredDifference Sqrt Rsqrt Pow Exp
Expm1 Log Log1p Sin Cos Tan Asin Acos Atan Atan2 Sinh Cosh Tanh Erf Erfc Lgamma Digamma Floor
Ceil Round Rint Maximum Minimum ClipByValue Equal NotEqual ApproximateEqual Less LessEqual
Greater GreaterEqual LogicalAnd LogicalOr LogicalNot Select SelectV2 IsFinite IsInf IsNan
Sum Mean Prod Max Min All Any EuclideanNorm ArgMax ArgMin Cumsum Cumprod L2Loss SegmentSum
UnsortedSegmentSum TopK TopKV2 InTopK InTopKV2

MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum BiasAdd BiasAddV1 Relu Relu6 LeakyRelu Elu
Selu Sigmoid Softplus Softsign Softmax LogSoftmax SoftmaxCrossEntropyWithLogits
SparseSoftmaxCrossEntropyWithLogits Conv2D Conv2DBackpropInput Conv3D Conv3DBackpropInputV2
DepthwiseConv2dNative DepthwiseConv2dNativeBackpropInput Dilation2D MaxPool MaxPoolV2 MaxPool3D
AvgPool AvgPool3D FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 LRN
ResizeNearestNeighbor ResizeBilinear ResizeBicubic ResizeArea

RandomUniform RandomUniformInt RandomStandardNormal TruncatedNormal Multinomial RandomShuffle
StatelessRandomUniform StatelessRandomUniformV2 StatelessRandomNormal StatelessRandomNormalV2
StatelessTruncatedNormal StatelessTruncatedNormalV2 StatelessRandomGetKeyCounter
StatelessRandomGetAlg StatelessRandomGetKeyCounterAlg

Switch RefSwitch Merge RefMerge Enter RefEnter Exit RefExit NextIteration RefNextIteration
LoopCond If StatelessIf While StatelessWhile PartitionedCall StatefulPartitionedCall
TensorArrayV3 TensorArraySizeV3 TensorArrayReadV3 TensorArrayWriteV3 TensorArrayGatherV3
TensorArrayScatterV3 TensorArrayConcatV3 TensorArraySplitV3
EmptyTensorList TensorListReserve TensorListFromTensor TensorListStack TensorListGetItem
TensorListSetItem TensorListLength TensorListElementShape TensorListPushBack TensorListPopBack
TensorListGather TensorListScatterV2 TensorListConcatV2
BlockLSTM BlockLSTMV2 LSTMBlockCell GRUBlockCell
"""
PLAIN = frozenset(_PLAIN.split())


def confined(graph: tf.GraphDef, file: str) -> tf.GraphDef:
    """Returns the graph with those functions of its library alone that it calls, all of it plain.

    Raises DataError that names each operation, and where it stands, that is not.
    """
    library = {function.signature.name: function for function in graph.library.function}
    called: dict[str, None] = {}
    refused: dict[str, str] = {}

    def look(nodes: Iterable[tf.NodeDef], within: str) -> None:
        for node in nodes:
            if node.op in library:
                called.setdefault(node.op)
            elif node.op not in PLAIN or not _holds_data(node):
                refused.setdefault(node.op, f'{node.op} ({within}{node.name})')
            for name in _functions(node):
                if name in library:
                    called.setdefault(name)
                else:
                    refused.setdefault(name, f'{name} (called by {within}{node.name})')

    look(graph.node, '')
    todo = list(called)
    while todo:
        name = todo.pop()
        known = set(called)
        look(library[name].node_def, f'{name}/')
        todo += [new for new in called if new not in known]
    if refused:
        raise DataError(
            f'{file}: refused, for it holds operations that are not plain arithmetic: '
            f'{", ".join(list(refused.values())[:10])}'
        )
    made = tf.GraphDef(node=graph.node, versions=graph.versions)
    made.library.function.extend(library[name] for name in called)
    return made


def _functions(node: Any) -> Iterator[str]:
    """Yields the names of the functions that attributes of a node, or of a call, refer to."""
    for value in node.attr.values():
        for call in (value.func, *value.list.func):
            if call.name:
                yield call.name
                yield from _functions(call)


def _holds_data(node: tf.NodeDef) -> bool:
    """Whether a constant is of numbers or text, not of an object that TensorFlow would make."""
    return node.op != 'Const' or node.attr['dtype'].type in _DATA
