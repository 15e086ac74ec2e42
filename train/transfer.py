"""Transfer: the parent's saved graph, and the proof that it was restored and left alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

import dataset
from inputs.rows import Dataset, Rows, stratified, unlabelled
from inputs.spec import Spec
from model import batch_size
from networks import layers, norms, patches, saved_graph, standardize, trial, weights
from networks.saved_graph import SavedGraph
from parameters import OWN_DATA, PICTURES, Experiment
from system.errors import DataError, UserError
from train.folder import configuration, configured

_POOLED = 1 << 20  # numbers in the codes of a picture's patches, about


def read(
    experiment: Experiment,
    data: Dataset,
    path: str,
    trusted: bool,
    check: Callable[[], None],
) -> SavedGraph:
    """Reads the parent's saved graph, having tried one that was not written here.

    It is tried on the first examples to train on. One that is `trusted` may be large, loop and be
    random. Raises DataError for one that cannot be used.
    """

    def examples() -> trial.Examples:
        rows, shape = data.splits['train'], data.spec.shape
        recorded = data.recorded if math.prod(data.recorded) == math.prod(shape) else shape
        count = min(len(rows), batch_size(shape))
        length = None if rows.length is None else rows.length[:count]
        return trial.Examples(rows.floats(0, count).reshape(count, *recorded), length, shape)

    wanted = ((), ('logits',)) if experiment.labels == 'parent' else ((),)
    layer = experiment.layer
    trial.tried(path, examples, wanted=wanted, layer=layer, trusted=trusted, check=check)
    return saved_graph.read(path, layer=layer, trusted=trusted)


def teacher(experiment: Experiment, restored: SavedGraph) -> dict[str, str]:
    """Returns the checksum of the classifier that labels a run's examples, where one does."""
    if experiment.labels != 'parent':
        return {}
    return {'teacher': weights.checksum(_classifier(restored).variables)}


def doubt(experiment: Experiment, data: Dataset) -> str:
    """Says where a parent by its path was trained on other data of a user's own; '' if it was not.

    Examples that are tested on here may be among those. A file or folder is known by its content.
    """
    if not isinstance(experiment.parent, str) or experiment.dataset not in OWN_DATA:
        return ''
    folder = Path(saved_graph.prefix_of(experiment.parent)).parent
    try:
        before, _ = configuration(folder)
        key = str(configured(folder)['data']['key'])
    except (UserError, LookupError, TypeError):  # of no run, or told of where it is read
        return ''
    as_there = experiment
    if experiment.dataset == 'images':  # whose hash is of the size they are recorded at, too
        sizes = ('image_size', 'image_channels', 'jpeg_quality')
        as_there = experiment.vary(**{name: getattr(before, name) for name in sizes})
    if before.dataset not in OWN_DATA or dataset.same_data(dataset.key_if_there(as_there), key):
        return ''
    return (
        f'{experiment.parent} was trained on {key}: whether examples of {data.key} that are tested '
        'on here are among those is not known'
    )


def shape_read(restored: SavedGraph, data: Dataset, *, pools: bool = False) -> tuple[int, ...]:
    """Returns the shape in which the saved graph reads the examples, if it can read them at all.

    Pictures of which it reads patches, whose codes the head `pools`, are as they are.
    """
    if pools:
        return data.spec.shape
    return restored.shape_for(data.recorded or data.spec.shape, data.spec.shape)


def _fits(shape: tuple[int | None, ...], sizes: tuple[int, ...]) -> bool:
    """Whether examples of these sizes can be read as that shape."""
    return tf.TensorShape(shape).is_compatible_with(sizes)


def check(restored: SavedGraph, experiment: Experiment, spec: Spec) -> None:
    """Raises DataError where the saved graph cannot read this data, or its names are taken.

    Or where nothing in it bears the names of layers that are to be dropped, or has batch norm.
    """
    if experiment.finetune_dropout and not restored.hidden:
        raise DataError(
            f'{restored.prefix}: names no layer hidden1:0, ..., that finetune_dropout='
            f'{experiment.finetune_dropout} could drop'
        )
    if experiment.finetune_batch_norm and not restored.moments:
        raise DataError(
            f'{restored.prefix}: chooses by no training:0 what its batch norm goes by, as '
            'finetune_batch_norm=true needs'
        )
    if experiment.finetune_batch_norm:
        fused = norms.fused(restored.graph_def, restored.moments)
        if fused:
            raise DataError(
                f'{restored.prefix}: its batch norm {fused} has no gradient by the moments of a '
                'batch, as finetune_batch_norm=true needs; train what it was saved of again'
            )
    if experiment.pool:
        patches.grid_of(restored, spec, experiment)
    elif restored.shape is not None and not _fits(restored.shape, spec.shape):
        open_or_not = ['any' if size is None else size for size in restored.shape]
        remedy = ''
        height, width, channels = (*restored.shape, None, None, None)[:3]
        if experiment.dataset in PICTURES and height and width and channels in (1, 3):
            remedy = f'; --set image_size={height},{width} --set image_channels={channels} gives it'
        raise DataError(
            f'{restored.prefix}: its X:0 reads {open_or_not} features, '
            f'the data has {list(spec.shape)}{remedy}'
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
        'sha256_file': weights.checksum(restored.variables),
        'sha256_restored': weights.checksum({name: before[name] for name in names}),
        'sha256_trained': weights.checksum({name: after[name] for name in names}),
        'new': sorted(after.keys() - names),
        'changed': sorted(n for n in names if not np.array_equal(before[n], after[n])),
    }


def lines(proved: Mapping[str, Any]) -> list[str]:
    """Writes the proof for people."""
    same = proved['sha256_file'] == proved['sha256_restored']
    drawn = [] if proved['initial'] == 'parent' else [n for n in proved['restored'] if _drawn(n)]
    kept = [name for name in proved['restored'] if name not in drawn]
    of = f'of {proved["graph"]}: '
    made = [f'random    {len(drawn)} variables {of}{", ".join(drawn)}'] if drawn else []
    if kept:
        of = '' if drawn else f'({proved["values"]:,} values) {of}'
        made.append(f'restored  {len(kept)} variables {of}{", ".join(kept)}')
    made += [
        f'          sha256 {proved["sha256_file"]} in {"the draw" if drawn else "the file"}, '
        f'{proved["sha256_restored"]} in the session: {"equal" if same else "DIFFERENT"}',
        f'new       {", ".join(proved["new"])}',
    ]
    if proved['changed']:
        made.append(f'trained   {", ".join(proved["changed"])} of these')
    else:
        made.append(f'frozen    sha256 {proved["sha256_trained"]} after training: unchanged')
    return made


def _drawn(name: str) -> bool:
    """Whether random values are drawn for a parent's variable: not for what was never trained."""
    return not name.startswith(standardize.SCOPE)


def random_values(restored: SavedGraph, experiment: Experiment) -> SavedGraph:
    """Returns the graph with its variables drawn afresh, kernels as `experiment.initial` says.

    'random' is as wide as the initializer of what built the graph; a stranger's is taken to be
    initialised as He et al. (2015) do. Vectors are zero, but for the forget gates'. What
    standardises its inputs was not trained, and stays.
    """
    built_by = None if experiment.root.parent else experiment.root
    initializer = experiment.initial
    if initializer == 'random':
        initializer = built_by.initializer if built_by else 'he'

    def value(name: str, shape: tuple[int, ...]) -> np.ndarray:
        if not _drawn(name):
            return restored.variables[name]
        made = layers.initial_value(name, shape, initializer, experiment.seed)
        if built_by and f'{name.removesuffix("bias")}recurrent_kernel' in restored.variables:
            units = shape[0] // 4
            made[units : 2 * units] = built_by.forget_bias
        return made

    return restored.randomized(value)


def probabilities(
    restored: SavedGraph,
    rows: Rows,
    joint: bool,
    check: Callable[[], None] = lambda: None,
    *,
    widest: int = 0,
) -> np.ndarray:
    """Returns what a classifier's `logits` give each row and class, [N, classes].

    One that was trained together with its network (`joint`) gives each class its own sigmoid.
    `check` is called before each batch, and raises where a signal has arrived. `widest` is how many
    numbers an example becomes on its way, where these are more than it has.
    """
    with tf.Graph().as_default(), tf.Session() as session:
        X = tf.placeholder(tf.float32, [None, *rows.x.shape[1:]])
        length = None if rows.length is None else tf.placeholder(tf.int32, [None])
        logits = restored.tower(X, length)['logits']
        wanted = tf.sigmoid(logits) if joint else tf.nn.softmax(logits)
        weights.load(session, restored.variables)
        size, parts = batch_size(rows.x.shape[1:], widest), []
        for start in range(0, len(rows), size):
            check()
            feeds = {X: rows.floats(start, start + size)}
            if rows.length is not None:
                feeds[length] = rows.length[start : start + size]
            parts.append(session.run(wanted, feeds))
    return np.concatenate(parts)


def training_rows(
    experiment: Experiment,
    data: Dataset,
    restored: SavedGraph | None,
    check: Callable[[], None] = lambda: None,
) -> tuple[Rows, Rows]:
    """Returns the training examples that are scored, and those trained on, with their labels.

    Where there are labels of a part, or a share of them, a head is trained on the examples that
    have them, or on all, with those that its parent gives the others; what is trained together with
    its network, on all.
    """
    train, share, seed = data.splits['train'], experiment.label_fraction, experiment.seed
    if experiment.classify:
        return train, unlabelled(train, share, seed)
    if restored and experiment.labels == 'parent':
        pools = isinstance(experiment.parent, Experiment) and experiment.parent.has('pool')
        widest = _POOLED if pools else 0
        return train, _taught(restored, train, data.spec.classes, share, seed, check, widest)
    if experiment.classifies and share < 1:
        train = train.take(stratified(train.labels, share, seed))
    elif experiment.classifies:
        train = train.of_known()
    return train, train


def learned(experiment: Experiment, train: Rows) -> int:
    """Returns how many of the training examples `training_rows` trains on."""
    if experiment.parent is None or experiment.labels == 'parent':
        return len(train)
    return len(stratified(train.labels, experiment.label_fraction, experiment.seed))


def _taught(
    restored: SavedGraph,
    rows: Rows,
    classes: tuple[str, ...],
    share: float,
    seed: int,
    check: Callable[[], None],
    widest: int,
) -> Rows:
    """Returns the rows with labels of their own for a share of each class, chosen by `seed`.

    All others have those that the saved classifier gives them, by the names of its classes where it
    says them; `check` and `widest` are as in `probabilities`. Raises DataError where the graph has
    no `logits:0`, or not these `classes`.
    """
    prefix = restored.prefix
    judge = _classifier(restored)
    theirs = (judge.trained and judge.trained.classes) or classes
    shares = probabilities(judge, rows, False, check, widest=widest)
    if {*theirs} != {*classes} or shares.shape[1] != len(classes):
        raise DataError(
            f'{prefix}: labels=parent needs a classifier of the same classes; it has '
            f'{shares.shape[1]}, the data have {len(classes)} ({", ".join(classes[:5])}, ...)'
        )
    numbers = np.array([classes.index(name) for name in theirs])
    y = numbers[shares.argmax(axis=1)].astype(rows.labels.dtype)
    known = stratified(rows.labels, share, seed)
    y[known] = rows.labels[known]
    return rows.labelled(y)


def _classifier(restored: SavedGraph) -> SavedGraph:
    """Returns the graph below the `logits:0` of the file that a graph was read from."""
    return saved_graph.read(restored.prefix, wanted=('logits',), trusted=restored.trusted)
