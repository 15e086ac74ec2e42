"""The graph that TensorBoard draws: names to look at, of the same operations."""

from collections import Counter

import pytest

import inst
from inputs.spec import Spec
from model import built, variables
from reports import graphs

ROWS = Spec(shape=(7, 4), picture=(7, 4))
KINDS = {  # what is built, and what stands at the top of its graph besides variables
    'conv': (
        inst.conv_vae.vary(filters=(2,) * 4, code_size=2),
        Spec(shape=(16, 16, 1), picture=(16, 16, 1)),
        'X training codings_mean codings_log_var codings outputs log_var sample activation',
    ),
    'lstm': (
        inst.lstm_greedy.vary(hidden=(3, 2)),
        ROWS,
        'X length_ count code codings swapped turned activation masked outputs after_phase1 '
        'phase1_outputs',
    ),
    'standardized': (
        inst.basic.vary(hidden=(3,), standardize='mean_std'),
        Spec(shape=(6,)),
        'X codings activation outputs',
    ),
}


def tops(graph_def) -> set[str]:
    return {node.name.split('/')[0] for node in graph_def.node}


@pytest.mark.parametrize('kind', KINDS)
def test_few_boxes_are_at_the_top_of_the_same_graph_and_variables_keep_their_names(kind):
    experiment, spec, wanted = KINDS[kind]
    with built(experiment, spec, None) as network:
        before, after = network.graph_def(), graphs.of(network)
        names = [variable.op.name for variable in variables(network.session.graph)]
    scopes = {name.split('/')[0] for name in names}
    depth = experiment.depth
    layers = {f'{way}{k}' for way in ('encoder', 'decoder') for k in range(1, depth + 1)}
    assert tops(after) - scopes - layers - {'flat', 'flat_1'} == {*wanted.split()}
    found = {node.name: node for node in after.node}
    assert {*names} & {node.name for node in before.node} == {
        name for name, node in found.items() if node.op == 'VarHandleOp'
    }
    assert {f'encoder{k}/hidden{k}' for k in range(1, depth + 1)} <= {*found}
    assert len(found) == len(before.node)
    was, now = ({n.name: n for n in graph.node} for graph in (before, after))
    kinds = []
    for nodes in (was, now):
        ends = (name.lstrip('^').split(':')[0] for node in nodes.values() for name in node.input)
        kinds.append(Counter(nodes[name].op for name in ends))
    assert kinds[0] == kinds[1]
