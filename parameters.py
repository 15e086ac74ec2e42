"""Every hyper-parameter: the frozen values Experiment and Phase, checked when made.

An experiment is a value and a variation is one line (`tied.vary('untied', tied=False)`). The phases
in which it trains are derived from it by `schedule_of`. Standard library only, so that reading the
catalogue costs no TensorFlow import.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from errors import UsageError

ACTIVATIONS = ('linear', 'elu', 'relu', 'sigmoid', 'tanh')
DATASETS = ('iris', 'mnist5k', 'mnist', 'fashion_mnist', 'array')
INITIALIZERS = ('he', 'he_avg', 'glorot')
OPTIMIZERS = ('adam', 'momentum', 'sgd')
PRECISIONS = ('float32', 'bfloat16')
SCHEDULES = ('constant', 'cosine')
TRAININGS = ('joint', 'greedy')


def nearest(word: str, words: Iterable[str]) -> str:
    """Returns `; did you mean 'x'?` for the closest of `words`, or an empty string."""
    found = difflib.get_close_matches(word, list(words), n=1, cutoff=0.5)
    return f'; did you mean {found[0]!r}?' if found else ''


class Spec(NamedTuple):
    """What a network must know of its data."""

    shape: tuple[int, ...]  # of one example as it is fed: (784,) for a dense network
    classes: tuple[str, ...] = ()  # names of the labels 0, 1, ...; empty without labels
    picture: tuple[int, ...] = ()  # how an example is drawn: (28, 28); empty where it is no picture


@dataclass(frozen=True)
class Phase:
    """One stretch of training: which losses fall, by moving which variables, fed with what.

    `losses` are (name in Endpoints.losses, weight) pairs, each logged under its name. `trainable`
    is a pattern that must match a variable's whole name. `reads` is 'X', or the tensor whose
    activations are computed once and fed in its place. None means the experiment's own value.
    """

    name: str
    losses: tuple[tuple[str, float], ...]
    trainable: str
    reads: str = 'X'
    epochs: int | None = None
    learning_rate: float | None = None
    corruption: float = (
        0.0  # share of its inputs set to zero; what is to be reconstructed stays clean
    )


def _setting(default: Any, group: str, meaning: str) -> Any:
    return field(default=default, metadata={'group': group, 'meaning': meaning})


@dataclass(frozen=True)
class Experiment:
    """A network, its data and its training: all that decides a run's result.

    Fields of the group 'network' describe a graph built here; those of 'transfer' describe a head
    on a parent's saved graph. An experiment has one or the other, and setting a field that has no
    effect is an error. Raises UsageError for an impossible value.
    """

    name: str
    description: str
    source: str

    dataset: str = _setting('mnist', 'data', 'where examples come from')
    data_path: str = _setting('', 'data', 'file of --dataset=array')
    seed: int = _setting(0, 'data', 'keys initial weights, shuffling and dropout')

    hidden: tuple[int, ...] = _setting((300, 150), 'network', 'encoder widths, the code last')
    activation: str = _setting('elu', 'network', 'of every layer but the output')
    output_activation: str = _setting('linear', 'network', 'of the reconstruction')
    initializer: str = _setting('he', 'network', 'of the kernels')
    tied: bool = _setting(True, 'network', 'decoder kernels are the encoder kernels transposed')
    l2: float = _setting(0.0, 'network', 'penalty l2 * sum(kernel ** 2) / 2 on each kernel')
    training: str = _setting('joint', 'network', 'joint: all layers at once; greedy: one a phase')

    epochs: int = _setting(10, 'training', 'passes over the training data, a phase')
    learning_rate: float = _setting(1e-3, 'training', 'at the start of a phase')
    batch_size: int | None = _setting(150, 'training', 'examples an update; none is the full batch')
    optimizer: str = _setting('adam', 'training', 'update rule')
    schedule: str = _setting('constant', 'training', 'learning rate over a phase')
    precision: str = _setting('float32', 'training', 'bfloat16 rounds the matrix products')
    cache_bytes: int = _setting(1 << 30, 'training', 'activations above this stay on disk')

    parent: Experiment | str | None = _setting(None, 'transfer', 'whose saved graph is restored')
    head: tuple[int, ...] = _setting((100, 50), 'transfer', "widths of the classifier's layers")
    head_activation: str = _setting('elu', 'transfer', "of the classifier's layers")
    head_dropout: float = _setting(0.0, 'transfer', "share of the head's inputs dropped")
    standardize_codings: bool = _setting(False, 'transfer', 'codings to mean 0, variance 1')
    finetune_epochs: int = _setting(0, 'transfer', 'epochs of training all layers afterwards')
    finetune_learning_rate: float = _setting(1e-3, 'transfer', 'rate of those epochs')
    finetune_corruption: float = _setting(0.0, 'transfer', 'share of their inputs set to zero')

    def __post_init__(self):
        choices = {
            'dataset': DATASETS, 'activation': ACTIVATIONS, 'output_activation': ACTIVATIONS,
            'head_activation': ACTIVATIONS, 'initializer': INITIALIZERS, 'optimizer': OPTIMIZERS,
            'precision': PRECISIONS, 'schedule': SCHEDULES, 'training': TRAININGS,
        }  # fmt: skip
        for name, allowed in choices.items():
            value = getattr(self, name)
            if value not in allowed:
                hint = nearest(str(value), allowed)
                raise UsageError(f'{name}={value}: allowed are {", ".join(allowed)}{hint}')
        self._check('epochs', 1, 10**6)
        self._check('finetune_epochs', 0, 10**6)
        self._check('seed', 0, 2**31 - 1)
        self._check('cache_bytes', 0, 2**63 - 1)
        self._check('learning_rate', 0.0, 1e3, above=True)
        self._check('finetune_learning_rate', 0.0, 1e3, above=True)
        self._check('l2', 0.0, 1e3)
        self._check('head_dropout', 0.0, 0.99)
        self._check('finetune_corruption', 0.0, 0.99)
        if self.batch_size is not None:
            self._check('batch_size', 1, 10**9)
        for name in ('hidden', 'head'):
            widths = getattr(self, name)
            if any(not 1 <= width <= 10**6 for width in widths):
                raise UsageError(f'{name}={_text(widths)}: each width must be 1 to 1000000')
        if not self.hidden:
            raise UsageError('hidden=: at least one layer is needed, for example hidden=300,150')

    def _check(self, name: str, low: float, high: float, *, above: bool = False):
        value = getattr(self, name)
        if not (math.isfinite(value) and low <= value <= high and not (above and value == low)):
            bound = f'above {low:g}' if above else f'at least {low:g}'
            raise UsageError(f'{name}={value}: must be {bound} and at most {high:g}')

    def vary(self, name: str | None = None, **changes: Any) -> Experiment:
        """Returns a copy with other fields; raises UsageError for an unknown or idle field."""
        for key in changes:
            if key not in FIELDS:
                raise UsageError(f'{key!r} is not a field{nearest(key, FIELDS)}')
        made = dataclasses.replace(self, name=name or self.name, **changes)
        for key in changes:
            if key not in made.fields():
                owner = 'its parent' if made.parent else 'experiments with a parent'
                raise UsageError(f'{key} has no effect on {made.name}: it belongs to {owner}')
        return made

    def fields(self) -> dict[str, Any]:
        """Returns the fields that have an effect here, with their values, in order."""
        idle = 'network' if self.parent else 'transfer'
        names = [n for n, f in FIELDS.items() if f.metadata.get('group') != idle or n == 'parent']
        return {name: getattr(self, name) for name in names}

    def resolved(self) -> dict[str, Any]:
        """Returns what decides the run as plain JSON values: the fields and the phases."""
        values = dict(self.fields())
        if isinstance(self.parent, Experiment):
            values['parent'] = self.lineage().resolved()
        values['phases'] = [dataclasses.asdict(phase) for phase in schedule_of(self)]
        return json.loads(json.dumps(values))

    def is_linear(self) -> bool:
        """Whether it is one linear layer and its inverse, which PCA solves exactly."""
        linear = self.activation == self.output_activation == 'linear'
        return self.parent is None and linear and len(self.hidden) == 1

    def lineage(self) -> Experiment:
        """Returns the parent as this experiment needs it: same data, seed and precision."""
        passed = ('dataset', 'data_path', 'seed', 'precision')
        return self.parent.vary(**{name: getattr(self, name) for name in passed})


FIELDS = {f.name: f for f in dataclasses.fields(Experiment)}
IDENTITY = ('name', 'description', 'source')  # and 'parent': not for --set


def schedule_of(experiment: Experiment) -> tuple[Phase, ...]:
    """Derives the phases: joint, greedy over however many layers, or head and fine-tuning."""
    if experiment.parent:
        losses = (('cross_entropy', 1.0),)
        head = Phase('head', losses, r'head/.*', reads='codings')
        finetune = Phase(
            'finetune',
            losses,
            '.*',
            epochs=experiment.finetune_epochs,
            learning_rate=experiment.finetune_learning_rate,
            corruption=experiment.finetune_corruption,
        )
        return (head, finetune) if experiment.finetune_epochs else (head,)
    terms = ('mse', 'l2') if experiment.l2 else ('mse',)
    if experiment.training == 'joint':
        return (Phase('joint', tuple((term, 1.0) for term in terms), '.*'),)
    return tuple(
        Phase(
            f'phase{k}',
            tuple((f'phase{k}/{term}', 1.0) for term in terms),
            rf'layer{k}/.*',
            reads='X' if k == 1 else f'hidden{k - 1}',
        )
        for k in range(1, len(experiment.hidden) + 1)
    )


def parse(name: str, text: str) -> Any:
    """Reads the value of a field from the command line, by the field's type; raises UsageError."""
    if name in IDENTITY or name == 'parent' or name not in FIELDS:
        known = [n for n in FIELDS if n not in (*IDENTITY, 'parent')]
        raise UsageError(f'--set {name}={text}: no such field{nearest(name, known)}')
    kind = FIELDS[name].type
    try:
        if kind == 'bool':
            return {'true': True, '1': True, 'false': False, '0': False}[text.lower()]
        if kind == 'int':
            return int(text)
        if kind == 'int | None':
            return None if text.lower() in ('none', 'full') else int(text)
        if kind == 'float':
            return float(text)
        if kind == 'tuple[int, ...]':
            return tuple(int(part) for part in text.split(',') if part.strip())
    except (KeyError, ValueError):
        wanted = {'bool': 'true or false', 'int': 'a whole number', 'float': 'a number',
                  'int | None': "a whole number, or 'none' for the full batch",
                  'tuple[int, ...]': 'whole numbers with commas, as 300,150'}[kind]  # fmt: skip
        raise UsageError(f'--set {name}={text}: must be {wanted}') from None
    return text


def _text(value: Any) -> str:
    """Writes a value as `parse` reads it."""
    return ','.join(map(str, value)) if isinstance(value, tuple) else str(value).lower()


def changed(experiment: Experiment, base: Experiment) -> dict[str, str]:
    """Returns the training fields in which `experiment` differs from `base`, as text."""
    apart = (*IDENTITY, 'dataset', 'data_path', 'seed', 'precision', 'parent')
    mine, theirs = experiment.fields(), base.fields()
    return {
        name: _text(value)
        for name, value in mine.items()
        if name not in apart and value != theirs.get(name)
    }
