"""Transfer: the parent's saved graph, and the proof that it was restored and left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from errors import DataError
from parameters import Spec
from saved_graph import SavedGraph, checksum


def check(restored: SavedGraph, spec: Spec) -> None:
    """Raises DataError where the saved graph cannot read this data, or its names are taken."""
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
    if not spec.classes:
        raise DataError(
            'a classifier needs labels, and this data set has none (y in the .npz file)'
        )


def proof(
    restored: SavedGraph, before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Compares the restored variables in the file, when training began, and when it ended."""
    names = restored.variables.keys()
    return {
        'graph': restored.prefix,
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
    shown = [
        f'restored  {count} variables ({proved["values"]:,} values) of {proved["graph"]}: '
        f'{", ".join(proved["restored"])}',
        f'          sha256 {proved["sha256_file"]} in the file, {proved["sha256_restored"]} in the '
        f'session: {"equal" if same else "DIFFERENT"}',
        f'new       {", ".join(proved["new"])}',
    ]
    if proved['changed']:
        shown.append(f'trained   {", ".join(proved["changed"])} of the restored ones')
    else:
        shown.append(f'frozen    sha256 {proved["sha256_trained"]} after training: unchanged')
    return shown
