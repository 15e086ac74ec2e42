"""Transfer: the parent's saved graph, and the proof that it was restored and left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import layers
from errors import DataError
from parameters import Experiment, Spec
from saved_graph import SavedGraph, checksum

_DRAWN = ('random', 'the draw')  # not restored at all: a control


def check(restored: SavedGraph, experiment: Experiment, spec: Spec) -> None:
    """Raises DataError where the saved graph cannot read this data, or its names are taken.

    Or where nothing in it bears the names of layers that are to be dropped.
    """
    if experiment.finetune_dropout and not restored.hidden:
        raise DataError(
            f'{restored.prefix}: names no layer hidden1:0, ..., that finetune_dropout='
            f'{experiment.finetune_dropout} could drop'
        )
    if restored.shape is not None and restored.shape != spec.shape:
        raise DataError(
            f'{restored.prefix}: its X:0 reads {list(restored.shape)} features, '
            f'the data has {list(spec.shape)}'
        )
    taken = [name for name in restored.variables if name.startswith('head/')]
    if taken:
        raise DataError(
            f'{restored.prefix}: its codings depend on {taken[0]}, a name of the new head'
        )


def proof(
    restored: SavedGraph,
    before: Mapping[str, np.ndarray],
    after: Mapping[str, np.ndarray],
    initial: str,
) -> dict[str, Any]:
    """Compares the parent's variables as they were read, when training began, and when it ended.

    `initial` says whether they were read from the file ('parent') or drawn afresh.
    """
    names = restored.variables.keys()
    return {
        'graph': restored.prefix,
        'initial': initial,
        'restored': sorted(names),
        'values': sum(value.size for value in restored.variables.values()),
        'sha256_file': checksum(restored.variables),
        'sha256_restored': checksum({name: before[name] for name in names}),
        'sha256_trained': checksum({name: after[name] for name in names}),
        'new': sorted(after.keys() - names),
        'changed': sorted(n for n in names if not np.array_equal(before[n], after[n])),
    }


def lines(proved: Mapping[str, Any]) -> list[str]:
    """Writes the proof for people."""
    same = proved['sha256_file'] == proved['sha256_restored']
    count = len(proved['restored'])
    word, source = ('restored', 'the file') if proved['initial'] == 'parent' else _DRAWN
    shown = [
        f'{word:9} {count} variables ({proved["values"]:,} values) of {proved["graph"]}: '
        f'{", ".join(proved["restored"])}',
        f'          sha256 {proved["sha256_file"]} in {source}, {proved["sha256_restored"]} in the '
        f'session: {"equal" if same else "DIFFERENT"}',
        f'new       {", ".join(proved["new"])}',
    ]
    if proved['changed']:
        shown.append(f'trained   {", ".join(proved["changed"])} of these')
    else:
        shown.append(f'frozen    sha256 {proved["sha256_trained"]} after training: unchanged')
    return shown


def random_values(restored: SavedGraph, experiment: Experiment) -> SavedGraph:
    """Returns the graph with its variables drawn afresh, kernels as `experiment.initial` says.

    'random' is as the parent's initializer does; a stranger's graph is taken to be initialised as
    He et al. (2015) do. Vectors are zero, but for the forget gates'.
    """
    parent, initializer = experiment.parent, experiment.initial
    known = isinstance(parent, Experiment)
    if initializer == 'random':
        initializer = parent.initializer if known else 'he'

    def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
        made = layers.initial_value(name, shape, initializer, experiment.seed)
        if known and f'{name.removesuffix("bias")}recurrent_kernel' in restored.variables:
            units = shape[0] // 4
            made[units : 2 * units] = parent.forget_bias
        return made

    return restored.randomized(drawn)
