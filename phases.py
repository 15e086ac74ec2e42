"""A phase of training: which losses fall, by moving which variables. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


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
