"""Every hyper-parameter: the frozen value Experiment, checked when made.

An experiment is a value and a variation is one line (`tied.vary('untied', tied=False)`). The phases
in which it trains are derived from it by `phases.schedule_of`. Standard library only, so that
reading the catalogue costs no TensorFlow import.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phases import Noise, schedule_of
from system import together
from system.errors import UsageError
from system.lines import settings_of
from system.rules import Need, Rule, Span, impossible, nearest, plain, setting, written

ACTIVATIONS = ('linear', 'elu', 'relu', 'sigmoid', 'tanh')
CORRUPTIONS = ('mask', 'gaussian')
OWN_DATA = ('images', 'array')
CALTECH = ('caltech10', 'caltech101')
PICTURES = ('images', *CALTECH)  # made the size that is asked for when they are recorded
DATASETS = ['iris', 'mnist5k', 'mnist', 'fashion_mnist', 'cifar10', 'cifar10_original']
DATASETS += ['moving_mnist', *CALTECH, *OWN_DATA]
DECODERS = ('transpose', 'upsample')
INITIALIZERS = ('he', 'he_avg', 'glorot', 'lecun', 'small')
INITIALS = ('parent', 'random', *INITIALIZERS)
LABELS = ('data', 'parent')
LAYOUTS = dict(dense='flat', conv='maps', lstm='steps', memory='one-hot', kmeans='flat')
LIKELIHOODS = ('bernoulli', 'gaussian', 'laplace')
LOSSES = {'mse': 'mse', 'mae': 'mae', 'cosine': 'cosine', **dict.fromkeys(LIKELIHOODS, 'nll')}
NETWORKS = tuple(LAYOUTS)
OPTIMIZERS = ('adam', 'momentum', 'sgd')
ORDERS = ('reverse', 'forward')
PRECISIONS = ('float32', 'bfloat16')
SCHEDULES = ('constant', 'cosine')
STANDARDIZED = ('none', 'mean_std', 'min_max', 'zca')
TASKS = ('reconstruct', 'predict', 'composite')
TRAININGS = ('joint', 'greedy')

COUNT = Span(0, 10**6)
RATE = Span(0, 1e3, above=True)
SEED = Span(0, 2**31 - 1)
SHARE = Span(0, 0.99)
WEIGHT = Span(0, 1e6)
WIDTHS = Span(1, 10**6)

_OWN_DATA = Need('--array or --images', lambda e: not e.data_path or e.dataset in OWN_DATA)
_SPARSE = Need('sparsity', lambda e: e.sparsity)
_WRITES = Need('task=reconstruct or composite', lambda e: e.task != 'predict')
_NOT_GAUSSIAN = Need('variational=false', lambda e: not (e.variational and e.code_activation))
_VARIATIONAL = Need('variational', lambda e: e.variational)
_WEIGHED = Need('variational and bound_samples=1', lambda e: e.variational and e.bound_samples < 2)
_KL = Need(
    'variational, beta above 0 and bound_samples=1',
    lambda e: e.variational and e.beta and e.bound_samples < 2,
)
_LAYERS = Need('a second layer', lambda e: e.depth > 1 or not (e.variational or e.code_activation))
_DROPPED = Need('a second layer', lambda e: e.depth > 1 or not e.variational)
_JOINT_EPOCHS = Need('joint_epochs', lambda e: e.joint_epochs)
_NOISE = Need('corruption or test_corruption', lambda e: e.corruption or e.test_corruption)
_CLASSIFIES = Need('classify', lambda e: e.classify or e.parent)
_HEAD_EPOCHS = Need('epochs above 0', lambda e: e.epochs)
_HEAD_LAYERS = Need('head', lambda e: e.head)
_PATCHES = Need('patch_size', lambda e: e.patch_size)
_CODED = Need('memory_code', lambda e: e.memory_code)
_POOLED = Need('pool', lambda e: e.pool)
_FINETUNED = Need('finetune_epochs', lambda e: e.finetune_epochs)
_AUGMENTED = Need('finetune_epochs', lambda e: e.finetune_epochs or not e.parent)


@dataclass(frozen=True)
class Experiment:
    """A network, its data and its training: all that decides a run's result.

    Each field says in its own line where it has an effect, what it means, what it may be and what
    it needs. Those of 'network' describe a graph built here; those of 'transfer' a head on a
    parent's saved graph: an experiment has one or the other, and what does not belong is at its
    default. Raises UsageError for an impossible value, and for one that has no effect: of all that
    are not at their default, or of those in `asked` alone, which `vary` uses for what it changes.
    """

    name: str
    description: str
    source: str

    # fmt: off
    dataset: str = setting('mnist', 'data', DATASETS, 'where examples come from')
    data_path: str = setting('', 'data', None,
        'file of --dataset=array, folder of --dataset=images', _OWN_DATA)
    seed: int = setting(0, 'data', SEED, 'keys initial weights, shuffling and dropout')

    image_size: tuple[int, ...] = setting((224,), 'images', Span(1, 4096),
        'height,width; one number: square', example='224')
    image_channels: int = setting(3, 'images', Span(1, 3), '3: colour, 1: grey')
    jpeg_quality: int = setting(90, 'images', Span(0, 95), 'of the records, 1 to 95; 0: raw bytes')

    patch_size: int = setting(0, 'dense conv kmeans', Span(0, 1000),
        'side of the squares cut from pictures, which are the examples; 0: the whole')
    patches: int = setting(100_000, 'dense conv kmeans', Span(1, 10**7),
        'how many are cut to be trained on; of held-out pictures a tenth', _PATCHES)

    network: str = setting('dense', 'network', NETWORKS,
        'layers, convolutions, LSTMs; memory of pictures; k-means')
    activation: str = setting('elu', 'dense conv memory', ACTIVATIONS,
        'of every layer but the output', _LAYERS)
    output_activation: str = setting('linear', 'dense conv lstm memory', ACTIVATIONS,
        'of the reconstruction')
    initializer: str = setting('he', 'dense conv lstm memory', INITIALIZERS, 'of the kernels')
    start: float = setting(0.1, 'kmeans', Span(0, 1),
        'where centroids begin: 0 at the mean, 1 at a training example each, or between')
    loss: str = setting('mse', 'dense conv lstm memory', tuple(LOSSES),
        'of the reconstruction; likelihoods in nats an example')
    standardize: str = setting('none', 'dense conv lstm kmeans', STANDARDIZED,
        'inputs, a feature or channel at a time: to mean 0, deviation 1; to [0, 1]; zca: whitened')

    hidden: tuple[int, ...] = setting((300, 150), 'dense lstm kmeans', WIDTHS,
        'encoder widths, the code last', example='300,150')
    tied: bool = setting(True, 'dense', None, 'decoder kernels are the encoder kernels transposed')
    sparsity: float = setting(0.0, 'dense', WEIGHT, "weight of the KL from 'sparsity_target'")
    sparsity_target: float = setting(0.2, 'dense', Span(1e-6, 1 - 1e-6),
        'mean activation wanted of a code unit', _SPARSE)

    filters: tuple[int, ...] = setting((32, 64, 64, 64), 'conv memory', Span(1, 10**4),
        'channels of the feature maps, each half the size before', example='32,64')
    kernel_size: int = setting(5, 'conv memory', Span(1, 99), "side of the convolutions' kernels")
    code_size: int = setting(4096, 'conv', COUNT, 'width of the code; 0: the last maps, flattened')
    decoder: str = setting('transpose', 'conv', DECODERS,
        'transposed convolution, or upsampling before one')
    batch_norm: bool = setting(True, 'conv', None, 'of every convolution but the output')

    task: str = setting('reconstruct', 'lstm', TASKS,
        'what is decoded: the input, its future, or both')
    future: int = setting(0, 'lstm', COUNT,
        'steps at the end that are not fed, but may be predicted')
    order: str = setting('reverse', 'lstm', ORDERS, 'in which the input is reconstructed', _WRITES)
    conditional: bool = setting(False, 'lstm', None,
        'the decoder is fed its last output, in training the true one')
    repeat_code: bool = setting(False, 'lstm', None, 'the decoder is fed the code at every step')
    forget_bias: float = setting(1.0, 'lstm', Span(-100, 100), 'of the forget gates, to begin with')

    code_activation: str | None = setting(None, 'dense conv', ACTIVATIONS,
        "of the code; none: 'activation'", _NOT_GAUSSIAN)
    training: str = setting('joint', 'dense conv lstm', TRAININGS,
        'joint: all layers at once; greedy: one a phase')
    joint_epochs: int = setting(0, 'dense conv lstm', COUNT,
        'of all layers at once, after greedy ones')
    joint_learning_rate: float = setting(1e-3, 'dense conv lstm', RATE,
        'rate of those epochs', _JOINT_EPOCHS)
    l2: float = setting(0.0, 'dense conv lstm transfer', Span(0, 1e3),
        'penalty l2 * sum(kernel ** 2) / 2 on each kernel; of a head: on its own')
    dropout: float = setting(0.0, 'dense conv', SHARE, 'share dropped of every hidden layer',
        _DROPPED)
    corruption: float = setting(0.0, 'dense conv', Span(0, 10),
        'share masked, or deviation of the noise')
    corruption_kind: str = setting('mask', 'dense conv', CORRUPTIONS,
        'mask: set to zero; gaussian: added', _NOISE)
    test_corruption: float | None = setting(None, 'dense conv', Span(0, 10),
        'for mse_corrupted; none: as trained')
    variational: bool = setting(False, 'dense conv', None,
        'the code is drawn from a Gaussian (VAE)')
    beta: float = setting(1.0, 'dense conv', WEIGHT,
        'weight of the KL from the unit Gaussian', _WEIGHED)
    kl_warmup: int = setting(0, 'dense conv', COUNT,
        'epochs in which beta rises from zero', _KL)
    importance_samples: int = setting(0, 'dense conv', COUNT,
        'codes a test example, to estimate its likelihood; 0: no estimate', _VARIATIONAL)
    bound_samples: int = setting(1, 'dense conv', Span(1, 10**4),
        'codes an example in training, whose importance-weighted bound falls; 1: the ELBO',
        _VARIATIONAL)
    binarize: bool = setting(False, 'dense conv', None,
        'draw each pixel black or white, by its grey, when it is read')
    classify: float = setting(0.0, 'dense conv', WEIGHT,
        "weight of a classifier's loss on the code")

    pictures: int = setting(64, 'memory', Span(1, 10**4), 'how many are stored')
    memory_code: int = setting(0, 'memory', Span(0, 10**4),
        'width of the vector learned for each; 0: one-hot')
    memory_fixed: bool = setting(False, 'memory', None,
        'these vectors are not learned, but stay as they are drawn', _CODED)

    epochs: int = setting(10, 'training', COUNT, 'passes over the training data, a phase')
    steps_per_epoch: int | None = setting(None, 'training', Span(1, 10**6),
        'updates an epoch; none: one pass')
    patience: int = setting(0, 'training', COUNT,
        'epochs without a better validation loss that end a phase, and give it its best; 0: last')
    learning_rate: float = setting(1e-3, 'training', RATE, 'at the start of a phase', _HEAD_EPOCHS)
    batch_size: int | None = setting(150, 'training', Span(1, 10**9),
        'examples an update; none is the full batch')
    parts: int = setting(1, 'training', Span(1, 1024),
        'of a batch: each on a core of its own, their gradients are added')
    optimizer: str = setting('adam', 'training', OPTIMIZERS, 'update rule')
    schedule: str = setting('constant', 'training', SCHEDULES, 'learning rate over a phase')
    clip_norm: float = setting(0.0, 'training', WEIGHT,
        'greatest norm of all gradients together; 0: any')
    precision: str = setting('float32', 'training', PRECISIONS,
        'bfloat16 rounds the matrix products')
    cache_bytes: int = setting(1 << 30, 'training', Span(0, 2**63 - 1),
        'examples or activations above stay on disk')
    flip: bool = setting(False, 'dense conv transfer', None,
        'mirror half of the pictures, in training', _AUGMENTED)
    crop: int = setting(0, 'dense conv transfer', Span(0, 1000),
        'shift pictures by at most so many pixels, in training', _AUGMENTED)

    parent: Experiment | str | None = setting(None, 'transfer', None,
        'whose saved graph is restored')
    initial: str = setting('parent', 'transfer', INITIALS,
        "the encoder's values; random: fresh, as wide as its own; or as 'he', ...")
    layer: int = setting(0, 'transfer', Span(0, 1000),
        'of the restored graph, whose activations the head reads; 0: its codes')
    pool: int = setting(0, 'transfer', Span(0, 1000),
        'sum the codes of all patches over so many by so many regions; 0: reads the whole')
    stride: int = setting(1, 'transfer', Span(1, 1000), 'pixels from patch to patch', _POOLED)
    label_fraction: float = setting(1.0, 'transfer dense conv', Span(0, 1, above=True),
        'share of each class whose labels are trained on, of those that have one', _CLASSIFIES)
    labels: str = setting('data', 'transfer', LABELS,
        'parent: it labels examples that have no label, to be trained on too')
    head: tuple[int, ...] = setting((100, 50), 'transfer', WIDTHS,
        "widths of the classifier's layers")
    head_activation: str = setting('elu', 'transfer', ACTIVATIONS,
        "of the classifier's layers", _HEAD_LAYERS)
    head_dropout: float = setting(0.0, 'transfer', SHARE, "share of the head's inputs dropped")
    standardize_codings: bool = setting(False, 'transfer', None,
        'codings to mean 0, variance 1', _HEAD_EPOCHS)
    finetune_epochs: int = setting(0, 'transfer', COUNT, 'epochs of training all layers afterwards')
    finetune_learning_rate: float = setting(1e-3, 'transfer', RATE,
        'rate of those epochs', _FINETUNED)
    finetune_corruption: float = setting(0.0, 'transfer', SHARE,
        'share of their inputs set to zero', _FINETUNED)
    finetune_dropout: float = setting(0.0, 'transfer', SHARE,
        "share dropped of the restored layers' activations in them", _FINETUNED)
    finetune_batch_norm: bool = setting(False, 'transfer', None,
        'in them the restored batch norm goes by each batch, and its averages follow', _FINETUNED)
    # fmt: on

    asked: dataclasses.InitVar[frozenset[str] | None] = None

    def __post_init__(self, asked: frozenset[str] | None) -> None:
        for name in IDENTITY:
            _TEXT.check(name, getattr(self, name), 'str')
        for name, rule in RULES.items():
            if (value := getattr(self, name)) is not FIELDS[name].default:
                value = plain(value, kind := str(FIELDS[name].type))
                object.__setattr__(self, name, value)
                rule.check(name, value, kind)
        _check_parent(self.parent)
        if len(self.image_size) > 2:
            raise UsageError(f'image_size={written(self.image_size)}: write height,width')
        if self.image_channels == 2:
            raise UsageError('image_channels=2: allowed are 1 (grey) and 3 (colour)')
        if not (self.epochs or (self.parent and self.finetune_epochs)):
            too = ' where finetune_epochs=0, too' if self.parent else ''
            raise UsageError(f'epochs=0: must be at least 1{too}')
        if asked is None:
            asked = frozenset(n for n in RULES if getattr(self, n) != FIELDS[n].default)
        for name in FIELDS.keys() - set(self._belonging) - asked:  # carried over, of no effect
            object.__setattr__(self, name, FIELDS[name].default)
        for name in (name for name in FIELDS if name in asked):
            self._check_effect(name)
        together.check(self, asked)

    def _check_effect(self, name: str) -> None:
        """Raises UsageError where a field has no effect here, unless it asks for nothing."""
        need = RULES[name].needs if name in RULES else None
        value = getattr(self, name)
        if name not in self._belonging:
            why = f'belongs to {_owner(name, self)}'
        elif need and not need.met(self) and (value or value != FIELDS[name].default):
            why = f'needs {need.words}'
        else:
            return
        raise UsageError(f'{name}={written(value)} has no effect on {self.name}: it {why}')

    def vary(self, name: str | None = None, **changes: Any) -> Experiment:
        """Returns a copy with other fields, `parent.x` its parent's field x.

        Numbers and arrays may be NumPy's; of widths and sizes a list, or one alone, will do. One of
        another name and without a description is described by what it changes. Raises UsageError
        for an unknown or idle field.
        """
        for key in changes.keys() & FIELDS.keys():
            changes[key] = plain(changes[key], str(FIELDS[key].type))
        if name and name != self.name and changes.keys() - set(IDENTITY):
            changes.setdefault('description', f'{self.name} with {_told(changes)}')
        passed = {key: changes.pop(key) for key in list(changes) if key.startswith(PARENTS)}
        if passed:
            parent = changes.get('parent', self.parent)
            if not isinstance(parent, Experiment):
                why = 'its parent is a saved graph' if parent else 'it has no parent'
                raise UsageError(f'{next(iter(passed))} has no effect on {self.name}: {why}')
            passed = {key.removeprefix(PARENTS): value for key, value in passed.items()}
            for key in (key for key in passed if key in SHARED):
                raise UsageError(f'parent.{key} has no effect on {self.name}: set {key} itself')
            with settings_of(PARENTS):
                changes['parent'] = parent.vary(**passed)
        for key in (key for key in changes if key not in FIELDS):
            has = ', '.join(list(self.fields())[1:])
            alike = nearest(key, FIELDS) or ';'
            raise UsageError(f'{key!r} is not a field{alike} {self.name} has {has}')
        if self.parent and not changes.get('parent', self.parent):
            raise UsageError(
                f'parent={written(changes["parent"])}: must be an experiment or a saved graph, as '
                f"{self.name} is a head on one; initial='random' has nothing of it but its shape"
            )
        asked = frozenset(changes)
        return dataclasses.replace(self, name=name or self.name, asked=asked, **changes)

    def fields(self) -> dict[str, Any]:
        """Returns the fields that belong to an experiment of its kind, with values, in order."""
        return {name: getattr(self, name) for name in self._belonging}

    def has(self, name: str) -> Any:
        """Returns a field's value, or None where the field does not belong to its kind."""
        return getattr(self, name) if name in self._belonging else None

    @property
    def _belonging(self) -> tuple[str, ...]:
        """The names of the fields that belong to an experiment of its kind, in order."""
        groups = ('images',) if self.dataset in PICTURES else ()
        return _of_groups(*groups, *(('transfer',) if self.parent else ('network', self.network)))

    @property
    def kind(self) -> str:
        """The kind of network that is built: a head, or what 'network' says."""
        return 'head' if self.parent else self.network

    @property
    def layout(self) -> str:
        """How its examples are laid out; '' where a saved graph says it, by the shape it reads."""
        if self.has('pool'):
            return 'maps'
        if isinstance(self.parent, str):
            return ''
        return self.parent.layout if self.parent else LAYOUTS[self.network]

    @property
    def has_training_mode(self) -> bool:
        """Whether its exported graph drops, samples or normalises otherwise in training."""
        names = ('batch_norm', 'variational', 'dropout', 'head_dropout', 'finetune_dropout')
        return any(self.has(name) for name in names)

    @property
    def classifies(self) -> bool:
        """Whether its graph has labels and logits."""
        return bool(self.parent or self.has('classify'))

    @property
    def predicts(self) -> bool:
        """Whether what follows a sequence is what is to be made of it, or a part of that."""
        return self.has('task') in ('predict', 'composite')

    @property
    def depth(self) -> int:
        """The number of the encoder's layers, the code's among them."""
        widths = self.has('filters')
        return len(self.hidden) if widths is None else len(widths) + (self.code_size > 0)

    @property
    def picture_size(self) -> tuple[int, int, int]:
        """Height, width and channels that pictures of many sizes are made."""
        return self.image_size[0], self.image_size[-1], self.image_channels

    @property
    def standardizes(self) -> bool:
        """Whether its graph standardises what it is fed."""
        return self.has('standardize') not in (None, 'none')

    @property
    def distance(self) -> str:
        """The name of its loss; of a distance in standardised units it says so."""
        name = LOSSES[self.loss]
        return f'{name}_standardized' if self.errs_standardized else name

    @property
    def errs_standardized(self) -> bool:
        """Whether its distance is in standardised units, as no likelihood is."""
        return self.standardizes and self.loss not in LIKELIHOODS

    @property
    def code_layer(self) -> str:
        """The activation of the layer that gives the code."""
        return 'linear' if self.variational else self.code_activation or self.activation

    @property
    def bounds(self) -> bool:
        """Whether it minimises the importance-weighted bound of several codes an example."""
        return bool(self.has('variational')) and self.bound_samples > 1

    @property
    def noise(self) -> Noise:
        """What the inputs are corrupted with in training."""
        return Noise(self.corruption_kind, self.has('corruption') or 0.0)

    @property
    def test_noise(self) -> Noise:
        """What `mse_corrupted` is measured under; none where its amount is zero."""
        amount = self.has('test_corruption')
        return self.noise if amount is None else Noise(self.corruption_kind, amount)

    def resolved(self) -> dict[str, Any]:
        """Returns what decides the run as plain JSON values: the fields and the phases."""
        values = dict(self.fields())
        if isinstance(self.parent, Experiment):
            values['parent'] = self.lineage().resolved()
        values['phases'] = [dataclasses.asdict(phase) for phase in schedule_of(self)]
        return json.loads(json.dumps(values))

    @property
    def root(self) -> Experiment:
        """The first of its line: itself, or the parent's parent that has none, or a saved graph."""
        return self.parent.root if isinstance(self.parent, Experiment) else self

    @property
    def draws_parent(self) -> bool:
        """Whether of its parent it needs the graph alone: neither values nor labels."""
        return self.initial != 'parent' and self.labels != 'parent'

    def lineage(self) -> Experiment:
        """Returns the parent as this experiment needs it: same data, seed and precision."""
        mine = self.fields()
        own = self.dataset in OWN_DATA
        passed = [n for n in SHARED if n in mine and (own or n != 'data_path')]
        assert isinstance(self.parent, Experiment), 'no parent that could be varied'
        return self.parent.vary(**{name: mine[name] for name in passed})


FIELDS = {f.name: f for f in dataclasses.fields(Experiment)}
RULES: dict[str, Rule] = {name: f.metadata['rule'] for name, f in FIELDS.items() if f.metadata}
PARENTS = 'parent.'  # before a field's name: of the parent
IDENTITY = ('name', 'description', 'source')  # and 'parent': not for --set
IMAGES = tuple(name for name, rule in RULES.items() if 'images' in rule.groups)
_OWNERS = {'images': f'--dataset={" or ".join(PICTURES)}', 'transfer': 'experiments with a parent'}
_TEXT = Rule((), None, '')
SHARED = ('dataset', 'data_path', 'seed', 'precision', *IMAGES)  # by a run and its parent


@functools.cache
def _of_groups(*groups: str) -> tuple[str, ...]:
    """Returns the names of the fields that belong to any of these groups, or to every kind."""
    every = {'data', 'training', *groups}
    return tuple(
        name
        for name in FIELDS
        if name not in RULES or name == 'parent' or not every.isdisjoint(RULES[name].groups)
    )


def restore(values: dict[str, Any]) -> Experiment:
    """Returns the experiment that `resolved` wrote; fields that are newer keep their defaults.

    Raises UsageError for a value that is not possible.
    """
    known: dict[str, Any] = {
        n: tuple(v) if isinstance(v, list) else v for n, v in values.items() if n in FIELDS
    }
    if isinstance(known.get('parent'), dict):
        known['parent'] = restore(known['parent'])
    for name in IDENTITY:
        known.setdefault(name, None)  # which is refused
    return Experiment(**known, asked=frozenset())


def _check_parent(parent: Any) -> None:
    """Raises UsageError for what is neither an experiment nor says where a graph is."""
    if parent is None or isinstance(parent, Experiment) or (parent and isinstance(parent, str)):
        return
    raise impossible('parent', parent, 'an experiment, or a run folder or a saved graph as a text')


def _told(changes: Mapping[str, Any]) -> str:
    """Returns changed fields as the command line has them, parents by their names."""
    told = {n: getattr(v, 'name', v) for n, v in changes.items() if n not in IDENTITY}
    return ', '.join(f'{n}={v if isinstance(v, str) else written(v)}' for n, v in told.items())


def _owner(name: str, experiment: Experiment) -> str:
    """Says where a field has an effect."""
    groups = RULES[name].groups
    if len(groups) == 1 and groups[0] in _OWNERS:
        return _OWNERS[groups[0]]
    kinds = ' or '.join(f'network={group}' for group in groups if group in NETWORKS)
    parent = experiment.parent
    if isinstance(parent, Experiment) and name in parent.fields():
        return f'its parent, write {PARENTS}{name}'
    return 'its parent' if parent else kinds
