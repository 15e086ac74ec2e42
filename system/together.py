"""Which values of an experiment cannot stand together: of sequences, k-means, whitening, patches.

Standard library only; the experiment is read by the names of its fields.
"""

from __future__ import annotations

from typing import Any

from system.errors import UsageError
from system.rules import written


def check(experiment: Any) -> None:
    """Raises UsageError, one line, for values that are possible alone, but not with each other."""
    kinds = {'lstm': _sequences, 'kmeans': _centroids, 'head': _head}
    if experiment.kind in kinds:
        kinds[experiment.kind](experiment)
    if experiment.has('standardize') == 'zca':
        _whitened(experiment)


def _sequences(e: Any) -> None:
    if e.task != 'reconstruct' and not e.future:
        raise UsageError(f'task={e.task}: needs future=..., the steps that are predicted')
    if e.training == 'greedy' and e.task != 'reconstruct':
        raise UsageError(f'training=greedy: needs task=reconstruct, it is {e.task}')
    if e.training == 'greedy' and e.loss == 'bernoulli' and len(e.hidden) > 1:
        raise UsageError('loss=bernoulli: network=lstm needs training=joint; states go below 0')
    if e.conditional and len(e.hidden) > 1:
        raise UsageError(f'conditional=true: needs one layer, hidden={written(e.hidden)}')
    if e.conditional and e.repeat_code:
        raise UsageError('repeat_code=true: needs conditional=false, which feeds outputs')


def _centroids(e: Any) -> None:
    if len(e.hidden) > 1:
        raise UsageError(
            f'hidden={written(e.hidden)}: must be one number where network=kmeans, of centroids'
        )


def _whitened(e: Any) -> None:
    if e.network not in ('dense', 'kmeans'):
        raise UsageError(f'standardize=zca: needs network=dense or kmeans, it is {e.network}')
    for name in (name for name in ('flip', 'crop') if e.has(name)):
        raise UsageError(f'{name}={written(getattr(e, name))}: needs another standardize than zca')


def _head(e: Any) -> None:
    cut = e.parent.has('patch_size') if hasattr(e.parent, 'has') else None
    if e.pool and cut == 0:
        raise UsageError(f'pool={e.pool}: needs a parent that reads patches, parent.patch_size=...')
    if e.pool and hasattr(e.parent, 'has') and not cut:
        raise UsageError(f'pool={e.pool}: needs a parent that reads patches, as network=dense')
    if cut and not e.pool:
        raise UsageError(f'parent.patch_size={cut}: needs pool=..., 2 sums over quadrants')
