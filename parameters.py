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
CORRUPTIONS = ('mask', 'gaussian')
DATASETS = (
    'iris', 'mnist5k', 'mnist', 'fashion_mnist', 'cifar10', 'moving_mnist', 'images', 'array',
)  # fmt: skip
DECODERS = ('transpose', 'upsample')
INITIALIZERS = ('he', 'he_avg', 'glorot', 'lecun', 'small')
INITIALS = ('parent', 'random', *INITIALIZERS)
LIKELIHOODS = ('bernoulli', 'gaussian', 'laplace')
LOSSES = {'mse': 'mse', 'mae': 'mae', 'cosine': 'cosine', **dict.fromkeys(LIKELIHOODS, 'nll')}
NETWORKS = ('dense', 'conv', 'lstm', 'memory')
ORDERS = ('reverse', 'forward')
OPTIMIZERS = ('adam', 'momentum', 'sgd')
PRECISIONS = ('float32', 'bfloat16')
SCHEDULES = ('constant', 'cosine')
LABELS = ('data', 'parent')
TASKS = ('reconstruct', 'predict', 'composite')
TRAININGS = ('joint', 'greedy')


def nearest(word: str, words: Iterable[str]) -> str:
    """Returns `; did you mean 'x'?` for the closest of `words`, or an empty string."""
    found = difflib.get_close_matches(word, list(words), n=1, cutoff=0.5)
    return f'; did you mean {found[0]!r}?' if found else ''


class Spec(NamedTuple):
    """What a network must know of its data."""

    shape: tuple[int, ...]  # of one example as it is fed: (784,), (28, 28, 1), (steps, features)
    classes: tuple[str, ...] = ()  # names of the labels 0, 1, ...; empty without labels
    picture: tuple[int, ...] = ()  # how an example is drawn: (28, 28); empty where it is no picture
    frame: tuple[int, ...] = ()  # how a step of a sequence is drawn, where each is a picture
    future: int = 0  # steps of a sequence that follow those that are fed

    @property
    def said(self) -> str:
        """How the shape of an example is told to people."""
        if len(self.shape) == 1:
            return f'{self.shape[0]} features'
        return 'x'.join(map(str, self.shape))


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


def _setting(default: Any, groups: str, meaning: str) -> Any:
    return field(default=default, metadata={'groups': groups.split(), 'meaning': meaning})


@dataclass(frozen=True)
class Experiment:
    """A network, its data and its training: all that decides a run's result.

    Each field belongs to one or more groups. Those of 'network' describe a graph built here, with
    the kind of network among them; those of 'transfer' describe a head on a parent's
    saved graph. An experiment has one or the other, and setting a field that has no effect is an
    error. Raises UsageError for an impossible value.
    """

    name: str
    description: str
    source: str

    dataset: str = _setting('mnist', 'data', 'where examples come from')
    data_path: str = _setting('', 'data', 'file of --dataset=array, folder of --dataset=images')
    seed: int = _setting(0, 'data', 'keys initial weights, shuffling and dropout')

    image_size: tuple[int, ...] = _setting((224,), 'images', 'height,width; one number: square')
    image_channels: int = _setting(3, 'images', '3: colour, 1: grey')
    jpeg_quality: int = _setting(90, 'images', 'of the records, 1 to 95; 0: raw bytes')

    network: str = _setting('dense', 'network', 'layers, convolutions, LSTMs; memory of pictures')
    activation: str = _setting('elu', 'dense conv memory', 'of every layer but the output')
    output_activation: str = _setting('linear', 'network', 'of the reconstruction')
    initializer: str = _setting('he', 'network', 'of the kernels')
    loss: str = _setting('mse', 'network', 'of the reconstruction; the last two in nats an example')

    hidden: tuple[int, ...] = _setting((300, 150), 'dense lstm', 'encoder widths, the code last')
    tied: bool = _setting(True, 'dense', 'decoder kernels are the encoder kernels transposed')
    sparsity: float = _setting(0.0, 'dense', "weight of the KL from 'sparsity_target'")
    sparsity_target: float = _setting(0.2, 'dense', 'mean activation wanted of a code unit')

    filters: tuple[int, ...] = _setting(
        (32, 64, 64, 64), 'conv memory', 'channels of the feature maps, each half the size before'
    )
    kernel_size: int = _setting(5, 'conv memory', "side of the convolutions' kernels")
    code_size: int = _setting(4096, 'conv', 'width of the code; 0: the last maps, flattened')
    decoder: str = _setting('transpose', 'conv', 'transposed convolution, or upsampling before one')
    batch_norm: bool = _setting(True, 'conv', 'of every convolution but the output')

    task: str = _setting('reconstruct', 'lstm', 'what is decoded: the input, its future, or both')
    future: int = _setting(0, 'lstm', 'steps at the end that are not fed, but may be predicted')
    order: str = _setting('reverse', 'lstm', 'in which the input is reconstructed')
    conditional: bool = _setting(
        False, 'lstm', 'the decoder is fed its last output, in training the true one'
    )
    repeat_code: bool = _setting(False, 'lstm', 'the decoder is fed the code at every step')
    forget_bias: float = _setting(1.0, 'lstm', 'of the forget gates, to begin with')

    code_activation: str | None = _setting(None, 'dense conv', "of the code; none: 'activation'")
    training: str = _setting(
        'joint', 'dense conv lstm', 'joint: all layers at once; greedy: one a phase'
    )
    joint_epochs: int = _setting(0, 'dense conv lstm', 'of all layers at once, after greedy ones')
    joint_learning_rate: float = _setting(1e-3, 'dense conv lstm', 'rate of those epochs')
    l2: float = _setting(0.0, 'dense conv lstm', 'penalty l2 * sum(kernel ** 2) / 2 on each kernel')
    dropout: float = _setting(0.0, 'dense conv', 'share dropped of every hidden layer')
    corruption: float = _setting(0.0, 'dense conv', 'share masked, or deviation of the noise')
    corruption_kind: str = _setting('mask', 'dense conv', 'mask: set to zero; gaussian: added')
    test_corruption: float | None = _setting(
        None, 'dense conv', 'for mse_corrupted; none: as trained'
    )
    variational: bool = _setting(False, 'dense conv', 'the code is drawn from a Gaussian (VAE)')
    beta: float = _setting(1.0, 'dense conv', 'weight of the KL from the unit Gaussian')
    kl_warmup: int = _setting(0, 'dense conv', 'epochs in which beta rises from zero')
    importance_samples: int = _setting(
        0, 'dense conv', 'codes a test example, to estimate its likelihood; 0: no estimate'
    )
    binarize: bool = _setting(
        False, 'dense conv', 'draw each pixel black or white, by its grey, whenever it is read'
    )
    classify: float = _setting(0.0, 'dense conv', "weight of a classifier's loss on the code")

    pictures: int = _setting(64, 'memory', 'how many are stored')
    memory_code: int = _setting(0, 'memory', 'width of the vector learned for each; 0: one-hot')

    epochs: int = _setting(10, 'training', 'passes over the training data, a phase')
    steps_per_epoch: int | None = _setting(None, 'training', 'updates an epoch; none: one pass')
    patience: int = _setting(
        0,
        'training',
        'epochs without a better validation loss that end a phase, which then has '
        'the weights of its best; 0: it has its last',
    )
    learning_rate: float = _setting(1e-3, 'training', 'at the start of a phase')
    batch_size: int | None = _setting(150, 'training', 'examples an update; none is the full batch')
    optimizer: str = _setting('adam', 'training', 'update rule')
    schedule: str = _setting('constant', 'training', 'learning rate over a phase')
    clip_norm: float = _setting(0.0, 'training', 'greatest norm of all gradients together; 0: any')
    precision: str = _setting('float32', 'training', 'bfloat16 rounds the matrix products')
    cache_bytes: int = _setting(1 << 30, 'training', 'examples or activations above stay on disk')
    flip: bool = _setting(False, 'dense conv transfer', 'mirror half of the pictures, in training')
    crop: int = _setting(
        0, 'dense conv transfer', 'shift pictures by at most so many pixels, in training'
    )

    parent: Experiment | str | None = _setting(None, 'transfer', 'whose saved graph is restored')
    initial: str = _setting(
        'parent', 'transfer', "the encoder's values; random: drawn as its own were; or as 'he', ..."
    )
    label_fraction: float = _setting(
        1.0, 'transfer dense conv', 'share of each class whose labels are trained on'
    )
    labels: str = _setting(
        'data', 'transfer', 'parent: it labels what label_fraction leaves out, to be trained on too'
    )
    head: tuple[int, ...] = _setting((100, 50), 'transfer', "widths of the classifier's layers")
    head_activation: str = _setting('elu', 'transfer', "of the classifier's layers")
    head_dropout: float = _setting(0.0, 'transfer', "share of the head's inputs dropped")
    standardize_codings: bool = _setting(False, 'transfer', 'codings to mean 0, variance 1')
    finetune_epochs: int = _setting(0, 'transfer', 'epochs of training all layers afterwards')
    finetune_learning_rate: float = _setting(1e-3, 'transfer', 'rate of those epochs')
    finetune_corruption: float = _setting(0.0, 'transfer', 'share of their inputs set to zero')
    finetune_dropout: float = _setting(
        0.0, 'transfer', "share dropped of the restored layers' activations in them"
    )

    def __post_init__(self):
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            if value not in allowed and not (value is None and FIELDS[name].type.endswith('None')):
                hint = nearest(str(value), allowed)
                raise UsageError(f'{name}={value}: allowed are {", ".join(allowed)}{hint}')
        for name, (low, high) in _RANGES.items():
            self._check(name, low, high)
        for name in (*_RATES, 'label_fraction'):
            self._check(name, 0.0, 1.0 if name == 'label_fraction' else 1e3, above=True)
        for name, most in _WIDTHS.items():
            widths = getattr(self, name)
            if any(not 1 <= width <= most for width in widths):
                raise UsageError(f'{name}={written(widths)}: each number must be 1 to {most}')
        for name, example in (('hidden', '300,150'), ('filters', '32,64'), ('image_size', '224')):
            if not getattr(self, name):
                raise UsageError(f'{name}=: at least one number is needed, as {name}={example}')
        if len(self.image_size) > 2:
            raise UsageError(f'image_size={written(self.image_size)}: write height,width')
        if self.image_channels == 2:
            raise UsageError('image_channels=2: allowed are 1 (grey) and 3 (colour)')
        if not self.epochs and not (self.parent and self.finetune_epochs):
            raise UsageError('epochs=0: must be at least 1 where nothing is fine-tuned')
        self._check_together()

    def _check_together(self):
        """Raises UsageError for values that are possible alone, but not with each other."""
        layers = {self.activation if self.training == 'greedy' else self.code, self.code}
        if self.sparsity and layers != {'sigmoid'}:
            raise UsageError(
                f'sparsity={self.sparsity}: needs codes in (0, 1), activation or code_activation='
                f'sigmoid; they are {", ".join(sorted(layers))}'
            )
        if self.loss == 'bernoulli' and self.output_activation != 'sigmoid':
            raise UsageError(
                f'loss=bernoulli: needs output_activation=sigmoid, it is {self.output_activation}'
            )
        for name in ('corruption', 'test_corruption'):
            if self.corruption_kind == 'mask' and (getattr(self, name) or 0) >= 1:
                raise UsageError(f'{name}={getattr(self, name)}: a masked share must be below 1')
        learns_scale = self.loss in ('gaussian', 'laplace')
        for name, value in (
            ('variational', self.variational),
            ('loss', learns_scale),
            ('classify', self.classify),
        ):
            if value and self.training == 'greedy':
                raise UsageError(f'{name}={getattr(self, name)}: needs training=joint')
        if self.binarize and (self.loss, self.training) != ('bernoulli', 'joint'):
            raise UsageError('binarize=true: needs loss=bernoulli and training=joint')
        if self.importance_samples and LOSSES[self.loss] != 'nll':
            raise UsageError(
                f'importance_samples={self.importance_samples}: needs a likelihood, '
                f'loss={", ".join(LIKELIHOODS)}; it is {self.loss}'
            )
        if self.joint_epochs and self.training != 'greedy':
            raise UsageError(f'joint_epochs={self.joint_epochs}: needs training=greedy')
        if self.labels == 'parent' and self.label_fraction == 1:
            raise UsageError('labels=parent: needs label_fraction below 1, to label what it hides')
        if self.labels == 'parent' and not getattr(self.parent, 'classifies', True):
            raise UsageError(f'labels=parent: {self.parent.name} is no classifier')
        if self.network == 'lstm' and not self.parent:
            self._check_sequences()
        if self.variational and self.network == 'conv' and not self.code_size:
            raise UsageError('code_size=0: a Gaussian code (variational) needs a width')

    def _check_sequences(self):
        if self.task != 'reconstruct' and not self.future:
            raise UsageError(f'task={self.task}: needs future=..., the steps that are predicted')
        if self.training == 'greedy' and self.task != 'reconstruct':
            raise UsageError(f'training=greedy: needs task=reconstruct, it is {self.task}')
        if self.training == 'greedy' and self.loss == 'bernoulli' and len(self.hidden) > 1:
            raise UsageError('loss=bernoulli: needs training=joint, for states are not in [0, 1]')
        if self.conditional and len(self.hidden) > 1:
            raise UsageError(f'conditional=true: needs one layer, hidden={written(self.hidden)}')
        if self.conditional and self.repeat_code:
            raise UsageError('repeat_code=true: a conditional decoder is fed its last output')

    def _check(self, name: str, low: float, high: float, *, above: bool = False):
        value = getattr(self, name)
        if value is None and FIELDS[name].type.endswith('None'):
            return
        if not (math.isfinite(value) and low <= value <= high and not (above and value == low)):
            bound = f'above {low:g}' if above else f'at least {low:g}'
            raise UsageError(f'{name}={value}: must be {bound} and at most {high:g}')

    def vary(self, name: str | None = None, **changes: Any) -> Experiment:
        """Returns a copy with other fields, `parent.x` its parent's field x.

        Raises UsageError for an unknown or idle field.
        """
        passed = {key: changes.pop(key) for key in list(changes) if key.startswith(PARENTS)}
        if passed:
            parent = changes.get('parent', self.parent)
            if not isinstance(parent, Experiment):
                why = 'its parent is a saved graph' if parent else 'it has no parent'
                raise UsageError(f'{next(iter(passed))} has no effect on {self.name}: {why}')
            passed = {key.removeprefix(PARENTS): value for key, value in passed.items()}
            changes['parent'] = parent.vary(**passed)
        for key in changes:
            if key not in FIELDS:
                raise UsageError(f'{key!r} is not a field{nearest(key, FIELDS)}')
        made = dataclasses.replace(self, name=name or self.name, **changes)
        for key in changes:
            if key not in made.fields():
                raise UsageError(
                    f'{key} has no effect on {made.name}: it belongs to {_owner(key, made)}'
                )
            needed = _NEEDS.get(key)
            if needed and not (getattr(made, needed) or made.parent):
                raise UsageError(f'{key} has no effect on {made.name}: it needs {needed}')
        if changes.get('data_path') and made.dataset not in ('array', 'images'):
            raise UsageError(
                f'data_path={made.data_path}: has no effect on dataset={made.dataset}; name '
                'data of your own with --array or --images'
            )
        return made

    def fields(self) -> dict[str, Any]:
        """Returns the fields that have an effect here, with their values, in order."""
        groups = {'identity', 'data', 'training'}
        groups |= {'transfer'} if self.parent else {'network', self.network}
        groups |= {'images'} if self.dataset == 'images' else set()
        return {
            name: getattr(self, name)
            for name, field in FIELDS.items()
            if groups & {*field.metadata.get('groups', ['identity'])} or name == 'parent'
        }

    def has_training_mode(self) -> bool:
        """Whether its exported graph drops, samples or normalises otherwise in training."""
        if self.parent:
            return self.head_dropout > 0 or self.finetune_dropout > 0
        normalises = self.network == 'conv' and self.batch_norm
        random = self.variational or self.dropout > 0
        return self.network in ('dense', 'conv') and (random or normalises)

    @property
    def classifies(self) -> bool:
        """Whether its graph has labels and logits."""
        return bool(self.parent) or (self.network in ('dense', 'conv') and self.classify > 0)

    @property
    def depth(self) -> int:
        """The number of the encoder's layers, the code's among them."""
        if self.network == 'conv':
            return len(self.filters) + (self.code_size > 0)
        return len(self.hidden)

    @property
    def picture_size(self) -> tuple[int, int, int]:
        """Height, width and channels that pictures of --dataset=images are made."""
        return self.image_size[0], self.image_size[-1], self.image_channels

    @property
    def code(self) -> str:
        """The activation of the code layer."""
        return 'linear' if self.variational else self.code_activation or self.activation

    @property
    def noise(self) -> Noise:
        """What the inputs are corrupted with in training."""
        return Noise(self.corruption_kind, self.corruption)

    @property
    def test_noise(self) -> Noise:
        """What `mse_corrupted` is measured under; none where its amount is zero."""
        amount = self.corruption if self.test_corruption is None else self.test_corruption
        return Noise(self.corruption_kind, amount)

    def resolved(self) -> dict[str, Any]:
        """Returns what decides the run as plain JSON values: the fields and the phases."""
        values = dict(self.fields())
        if isinstance(self.parent, Experiment):
            values['parent'] = self.lineage().resolved()
        values['phases'] = [dataclasses.asdict(phase) for phase in schedule_of(self)]
        return json.loads(json.dumps(values))

    def is_linear(self) -> bool:
        """Whether it is one linear layer and its inverse, which PCA solves exactly."""
        if self.parent or self.network != 'dense' or self.variational or self.classify:
            return False
        return self.code == self.output_activation == 'linear' and len(self.hidden) == 1

    def lineage(self) -> Experiment:
        """Returns the parent as this experiment needs it: same data, seed and precision."""
        mine = self.fields()
        passed = [n for n in ('dataset', 'data_path', 'seed', 'precision', *IMAGES) if n in mine]
        return self.parent.vary(**{name: mine[name] for name in passed})


def restore(values: dict[str, Any]) -> Experiment:
    """Returns the experiment that `resolved` wrote; fields that are newer keep their defaults.

    Raises UsageError for a value that is not possible.
    """
    known = {name: value for name, value in values.items() if name in FIELDS}
    known = {n: tuple(v) if isinstance(v, list) else v for n, v in known.items()}
    if isinstance(known.get('parent'), dict):
        known['parent'] = restore(known['parent'])
    return Experiment(**known)


FIELDS = {f.name: f for f in dataclasses.fields(Experiment)}
PARENTS = 'parent.'  # before a field's name: of the parent
IDENTITY = ('name', 'description', 'source')  # and 'parent': not for --set
IMAGES = tuple(n for n, f in FIELDS.items() if 'images' in f.metadata.get('groups', ()))
_NEEDS = {
    'beta': 'variational', 'kl_warmup': 'variational', 'sparsity_target': 'sparsity',
    'importance_samples': 'variational', 'label_fraction': 'classify',
    'joint_learning_rate': 'joint_epochs',
}  # fmt: skip
_WIDTHS = {'hidden': 10**6, 'head': 10**6, 'filters': 10**4, 'image_size': 4096}
_CHOICES = {
    'dataset': DATASETS, 'network': NETWORKS, 'activation': ACTIVATIONS,
    'output_activation': ACTIVATIONS, 'code_activation': ACTIVATIONS, 'loss': LOSSES,
    'initializer': INITIALIZERS, 'training': TRAININGS, 'corruption_kind': CORRUPTIONS,
    'optimizer': OPTIMIZERS, 'precision': PRECISIONS, 'schedule': SCHEDULES,
    'initial': INITIALS, 'head_activation': ACTIVATIONS, 'decoder': DECODERS,
    'task': TASKS, 'order': ORDERS, 'labels': LABELS,
}  # fmt: skip
_RATES = ('learning_rate', 'finetune_learning_rate', 'joint_learning_rate')
_RANGES = {
    'seed': (0, 2**31 - 1), 'l2': (0.0, 1e3), 'dropout': (0.0, 0.99), 'corruption': (0.0, 10.0),
    'test_corruption': (0.0, 10.0), 'sparsity': (0.0, 1e6), 'sparsity_target': (1e-6, 1 - 1e-6),
    'beta': (0.0, 1e6), 'kl_warmup': (0, 10**6), 'pictures': (1, 10**4),
    'memory_code': (0, 10**4), 'kernel_size': (1, 99), 'code_size': (0, 10**6), 'crop': (0, 1000),
    'classify': (0.0, 1e6), 'image_channels': (1, 3), 'jpeg_quality': (0, 95),
    'epochs': (0, 10**6), 'patience': (0, 10**6), 'steps_per_epoch': (1, 10**6),
    'batch_size': (1, 10**9),
    'cache_bytes': (0, 2**63 - 1), 'head_dropout': (0.0, 0.99), 'finetune_epochs': (0, 10**6),
    'joint_epochs': (0, 10**6), 'importance_samples': (0, 10**6),
    'finetune_corruption': (0.0, 0.99), 'finetune_dropout': (0.0, 0.99),
    'future': (0, 10**6), 'forget_bias': (-100.0, 100.0),
    'clip_norm': (0.0, 1e6),
}  # fmt: skip


def schedule_of(experiment: Experiment) -> tuple[Phase, ...]:
    """Derives the phases: joint, greedy over however many layers and then joint, or of a head."""
    if experiment.parent:
        losses = (Term('cross_entropy'),)
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
    distance = Term(LOSSES[experiment.loss])
    if experiment.network == 'memory':
        return (Phase('joint', (distance,), '.*'),)
    terms = [distance]
    if experiment.network == 'lstm':
        future = Term(f'future_{distance.name}')
        both = {'reconstruct': [distance], 'predict': [future], 'composite': [distance, future]}
        terms = both[experiment.task]
    terms += [Term('l2')] if experiment.l2 else []
    terms += [Term('sparsity', experiment.sparsity)] if experiment.sparsity else []
    if experiment.variational:
        terms += [Term('kl', experiment.beta, experiment.kl_warmup)]
    terms += [Term('cross_entropy', experiment.classify)] if experiment.classify else []
    joint = Phase('joint', tuple(terms), '.*', corruption=experiment.noise)
    if experiment.training == 'joint':
        return (joint,)
    lengths = {'epochs': experiment.joint_epochs, 'learning_rate': experiment.joint_learning_rate}
    last = (dataclasses.replace(joint, **lengths),) if experiment.joint_epochs else ()
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


def _owner(name: str, experiment: Experiment) -> str:
    """Says where a field has an effect."""
    groups = FIELDS[name].metadata['groups']
    if groups == ['images']:
        return '--dataset=images'
    if experiment.parent:
        return 'its parent'
    if groups == ['transfer']:
        return 'experiments with a parent'
    return ' or '.join(f'network={g}' for g in groups if g in NETWORKS)


def written(value: Any) -> str:
    """Writes a value as the command line reads it."""
    return ','.join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
