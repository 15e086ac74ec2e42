"""A batch's losses and their gradients: of the whole batch at once, or of its parts, added.

The parts' are added in pairs, as a tree: (0 + 1) + (2 + 3). So two machines that add those of their
halves, and then these, get what one machine gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow.compat.v1 as tf

from networks.endpoints import OfBatch
from train.team import ALONE, Team

Value = Any  # of a loss: of each example [n], a scalar of variables, or OfBatch


class Losses(NamedTuple):
    """The losses of a batch, by its parts, of each of which so many first examples count."""

    weights: Sequence[float | tf.Tensor]  # of each loss
    values: Sequence[Sequence[Value]]  # of each loss, of each part
    statistics: Sequence[dict[str, tf.Tensor]]  # of each part: what batch norm found
    counts: Sequence[tf.Tensor]  # of each part that this machine has
    size: tf.Tensor  # the examples in the whole batch, int32


class Found(NamedTuple):
    """What an update is made of."""

    loss: tf.Tensor  # the weighted sum, a scalar
    means: list[tf.Tensor]  # of each loss, over the whole batch
    gradients: list[tf.Tensor | None]  # of each variable; None where no loss depends on it
    statistics: dict[str, tf.Tensor]  # of batch norm; of parts their mean, weighted by examples


def found(losses: Losses, variables: list[tf.Variable], team: Team = ALONE) -> Found:
    """Returns losses and gradients of the whole batch, of which the `team` has the parts."""
    if len(losses.counts) * team.size == 1:
        return _at_once(losses, variables)
    return _in_parts(losses, variables, team)


def _at_once(losses: Losses, variables: list[tf.Variable]) -> Found:
    means = [_mean(values[0]) for values in losses.values]
    loss = _weighted(losses.weights, means)
    return Found(loss, means, tf.gradients(loss, variables), losses.statistics[0])


def _mean(value: Value) -> tf.Tensor:
    if isinstance(value, OfBatch):
        return value.score(value.values)
    return value if value.shape.rank == 0 else tf.reduce_mean(value)


def _in_parts(losses: Losses, variables: list[tf.Variable], team: Team) -> Found:
    """Adds the parts' gradients, and to these the gradients of what depends on variables alone."""
    size = tf.cast(losses.size, tf.float32)
    means: dict[int, tf.Tensor] = {}
    apart: list[tf.Tensor] = []
    mine: list[list[tf.Tensor]] = [[] for _ in losses.counts]  # weighted losses of each part
    sums: list[list[tf.Tensor]] = [[] for _ in losses.counts]  # to be added, of each part
    for number, (weight, values) in enumerate(zip(losses.weights, losses.values, strict=True)):
        first = values[0]
        if not isinstance(first, OfBatch) and first.shape.rank == 0:
            means[number] = first
            apart.append(weight * first)
            continue
        shares = [_summed(v, c) / size for v, c in zip(values, losses.counts, strict=True)]
        if isinstance(first, OfBatch):
            mean = team.sum([[share] for share in shares])[0]
            means[number] = first.score(mean[None])
            slope = tf.stop_gradient(tf.gradients(means[number], mean)[0])
            shares = [tf.reduce_sum(slope * share) for share in shares]
        else:
            for added, share in zip(sums, shares, strict=True):
                added.append(share)
        for terms, share in zip(mine, shares, strict=True):
            terms.append(weight * share)
    kept = [number for number in range(len(losses.values)) if number not in means]
    gradients = [tf.gradients(tf.add_n(terms), variables) for terms in mine] if mine[0] else []
    moved = [place for place, g in enumerate(gradients[0] if gradients else ()) if g is not None]
    for part, added in enumerate(sums):
        share = tf.cast(losses.counts[part], tf.float32) / size
        added += [value * share for value in losses.statistics[part].values()]
        added += [gradients[part][place] for place in moved]
    total = team.sum(sums)
    means |= dict(zip(kept, total, strict=False))
    statistics = dict(zip(losses.statistics[0], total[len(kept) :], strict=False))
    of_parts = dict(zip(moved, total[len(kept) + len(statistics) :], strict=True))
    alone = tf.gradients(tf.add_n(apart), variables) if apart else [None] * len(variables)
    ordered = [means[number] for number in range(len(losses.values))]
    return Found(
        _weighted(losses.weights, ordered),
        ordered,
        [_added(of_parts.get(place), gradient) for place, gradient in enumerate(alone)],
        statistics,
    )


def _weighted(weights: Sequence[float | tf.Tensor], means: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.add_n([weight * mean for weight, mean in zip(weights, means, strict=True)])


def _summed(value: Value, count: tf.Tensor) -> tf.Tensor:
    """Returns the sum over the examples that count: of a loss [] , of a batch's [...]."""
    values = value.values if isinstance(value, OfBatch) else value
    return tf.reduce_sum(values[:count], axis=0)


def _added(one: tf.Tensor | None, other: tf.Tensor | None) -> tf.Tensor | None:
    if one is None or other is None:
        return one if other is None else other
    return one + other
