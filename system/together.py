"""Which values of an experiment cannot stand together.

Standard library only; the experiment is read by the names of its fields.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from system.errors import UsageError
from system.rules import written


def check(experiment: Any, asked: Set[str]) -> None:
    """Raises UsageError, one line, for values that are possible alone, but not with each other.

    `asked` are the fields that are set now. What could stand together before, in a run that is
    read again, is refused only where one of its fields is among them.
    """
    _any(experiment)
    for names, check_now in _LATER.items():
        if not asked.isdisjoint(names):
            check_now(experiment)
    kinds = {'lstm': _sequences, 'kmeans': _centroids, 'head': _head}
    if experiment.kind in kinds:
        kinds[experiment.kind](experiment)
    if experiment.has('standardize') == 'zca':
        _whitened(experiment)


def _any(e: Any) -> None:
    if e.sparsity and e.training == 'greedy' and e.activation != 'sigmoid':
        raise UsageError(
            f'sparsity={e.sparsity}: needs activation=sigmoid where training=greedy, for it is of '
            f'each layer; it is {e.activation}'
        )
    if e.sparsity and e.code_layer != 'sigmoid':
        raise UsageError(
            f'sparsity={e.sparsity}: needs codes in (0, 1), variational=false, activation '
            f'or code_activation=sigmoid; they are {e.code_layer}'
        )
    if e.loss == 'bernoulli' and (found := e.output_activation) != 'sigmoid':
        raise UsageError(f'loss=bernoulli: needs output_activation=sigmoid, it is {found}')
    for name in ('corruption', 'test_corruption'):
        if e.corruption_kind == 'mask' and (amount := getattr(e, name) or 0.0) >= 1:
            raise UsageError(f'{name}={amount}: must be below 1 where corruption_kind=mask')
    joint = {'variational': e.variational, 'classify': e.classify,
             'loss': e.loss in ('gaussian', 'laplace')}  # fmt: skip
    for name in (name for name, value in joint.items() if value and e.training == 'greedy'):
        raise UsageError(f'{name}={getattr(e, name)}: needs training=joint')
    if e.binarize and (e.loss, e.training) != ('bernoulli', 'joint'):
        raise UsageError('binarize=true: needs loss=bernoulli and training=joint')
    sampled = {'importance_samples': e.importance_samples, 'bound_samples': e.bound_samples > 1}
    for name in (name for name, value in sampled.items() if value):
        if e.variational and e.distance != 'nll':
            raise UsageError(f'{name}: needs loss=bernoulli or gaussian or laplace')
    if e.joint_epochs and e.training != 'greedy':
        raise UsageError(f'joint_epochs={e.joint_epochs}: needs training=greedy')
    if e.batch_size and e.parts > e.batch_size:
        raise UsageError(f'parts={e.parts}: must be at most batch_size={e.batch_size}')


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


def _layers(e: Any) -> int:
    """Returns how many layers of an encoder bear a number in its saved graph."""
    if e.kind == 'memory':
        return 0
    if e.kind != 'head':
        return int(e.depth)
    if hasattr(e.parent, 'has'):
        return e.layer - 1 if e.layer else _layers(e.parent)
    return 1000  # who knows what is in somebody else's


def _head(e: Any) -> None:
    if e.layer and hasattr(e.parent, 'has') and e.layer > (most := _layers(e.parent)):
        raise UsageError(
            f'layer={e.layer}: must be at most {most}, the layers of {e.parent.name}; 0 reads '
            'its codes'
        )
    if e.layer == 1 and e.finetune_dropout:
        raise UsageError(
            f'finetune_dropout={e.finetune_dropout}: needs a layer below layer=1; head_dropout '
            'drops what the head reads'
        )
    cut = e.parent.has('patch_size') if hasattr(e.parent, 'has') else None
    if e.pool and cut == 0:
        raise UsageError(f'pool={e.pool}: needs a parent that reads patches, parent.patch_size=...')
    if e.pool and hasattr(e.parent, 'has') and not cut:
        raise UsageError(f'pool={e.pool}: needs a parent that reads patches, as network=dense')
    if cut and not e.pool:
        raise UsageError(f'parent.patch_size={cut}: needs pool=..., 2 sums over quadrants')
    if e.labels == 'parent' and hasattr(e.parent, 'has') and not e.parent.classifies:
        raise UsageError(f'labels=parent: needs one; {e.parent.name} is no classifier')


def _unbounded(e: Any) -> None:
    others = e.network != 'lstm' and e.depth > 1 and e.activation != 'sigmoid'
    if e.loss == 'bernoulli' and e.training == 'greedy' and others:
        raise UsageError(
            'loss=bernoulli: needs activation=sigmoid where training=greedy, for later phases '
            f'reconstruct activations; it is {e.activation}'
        )


def _drawn(e: Any) -> None:
    if e.binarize and e.standardize != 'none':
        raise UsageError(f'binarize=true: needs standardize=none, it is {e.standardize}')


def _followed(e: Any) -> None:
    if e.pool and e.finetune_batch_norm:
        raise UsageError('finetune_batch_norm=true: needs pool=0; of patches it is as learned')


def _taught(e: Any) -> None:
    teacher = e.parent if e.labels == 'parent' and hasattr(e.parent, 'has') else e
    if teacher.classifies and teacher.label_fraction > e.label_fraction:
        raise UsageError(
            f'label_fraction={e.label_fraction}: must be at least that of the parent which labels '
            f'the others, parent.label_fraction={teacher.label_fraction}; it has seen their labels'
        )


_LATER = {  # fields -> what may not be of them, since it was found out
    ('loss', 'training', 'activation', 'hidden', 'filters', 'network'): _unbounded,
    ('binarize', 'standardize'): _drawn,
    ('pool', 'finetune_batch_norm'): _followed,
    ('labels', 'label_fraction', 'parent'): _taught,
}
