"""A phase of training: which losses fall, by moving which variables.

Standard library only; an experiment is read by the names of its fields.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple


class Term(NamedTuple):
    """A loss that a phase minimises: its name in Endpoints.losses, and how much it weighs."""

    name: str
    weight: float = 1.0
    warmup: int = 0  # epochs in which the weight rises linearly from zero


class Noise(NamedTuple):
    """Corruption of inputs; what is to be reconstructed stays clean."""

    kind: str = 'mask'
    amount: float = 0.0  # share of the inputs set to zero, or the deviation of what is added


@dataclass(frozen=True)
class Phase:
    """One stretch of training: which losses fall, by moving which variables, fed with what.

    Each of `losses` is logged under its name. `trainable` is a pattern that must match a variable's
    whole name. `reads` is 'X', or the tensor whose activations are computed once and fed in its
    place. None means the experiment's own value.
    """

    name: str
    losses: tuple[Term, ...]
    trainable: str
    reads: str = 'X'
    epochs: int | None = None
    learning_rate: float | None = None
    corruption: Noise = Noise()

    @property
    def rate(self) -> str:
        """The name of the experiment's field that holds its learning rate."""
        return 'learning_rate' if self.learning_rate is None else f'{self.name}_learning_rate'


def schedule_of(experiment: Any) -> tuple[Phase, ...]:
    """Derives the phases: joint, greedy over however many layers and then joint, or of a head."""
    if experiment.parent:
        return _phases_of_head(experiment)
    terms = _terms(experiment)
    joint = Phase('joint', terms, '.*', corruption=experiment.noise)
    if experiment.has('training') != 'greedy':
        return (joint,)
    epochs, rate = experiment.joint_epochs, experiment.joint_learning_rate
    last = (dataclasses.replace(joint, epochs=epochs, learning_rate=rate),) if epochs else ()
    phases = tuple(
        Phase(
            f'phase{k}',
            tuple(term._replace(name=f'phase{k}/{term.name}') for term in terms),
            rf'layer{k}/.*',
            reads='X' if k == 1 else f'hidden{k - 1}',
            corruption=experiment.noise,
        )
        for k in range(1, experiment.depth + 1)
    )
    return phases + last


def _phases_of_head(experiment: Any) -> tuple[Phase, ...]:
    losses = (Term('cross_entropy'), *[Term('l2')] * bool(experiment.l2))
    head = Phase('head', losses, r'head/.*', reads='codings')
    finetune = Phase(
        'finetune',
        losses,
        '.*',
        epochs=experiment.finetune_epochs,
        learning_rate=experiment.finetune_learning_rate,
        corruption=Noise('mask', experiment.finetune_corruption),
    )
    lengths = (experiment.epochs, head), (experiment.finetune_epochs, finetune)
    return tuple(phase for epochs, phase in lengths if epochs)


def _terms(experiment: Any) -> tuple[Term, ...]:
    """Returns the losses of an autoencoder, with their weights."""
    distance = experiment.distance
    names = [distance] if experiment.has('task') != 'predict' else []
    names += [f'future_{distance}'] if experiment.predicts else []
    names += ['l2'] if experiment.has('l2') else []
    terms = [Term(name) for name in names]
    if experiment.has('sparsity'):
        terms.append(Term('sparsity', experiment.sparsity))
    if experiment.bounds:
        terms[0] = Term('bound')
    elif experiment.has('variational'):
        terms.append(Term('kl', experiment.beta, experiment.kl_warmup))
    if experiment.has('classify'):
        terms.append(Term('cross_entropy', experiment.classify))
    return tuple(terms)
