"""Which figures a run gets, and the arrays they show."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.special import expit, softmax

from evaluation import baselines, probes, scores
from inputs.rows import Dataset, Rows, compared, places_compared
from inputs.splits import evenly
from inputs.values import means
from model import Network
from networks import standardize
from reports import features, figures
from system import cores
from system.lines import shown

_THUMBNAILS = 300  # pictures drawn at the place of their codes
_EXAMPLES = 5  # sequences drawn as strips of frames
_MANIFOLD = 15  # pictures along each side of a two-dimensional code's map
_LINES = 4  # sequences drawn as lines
_NARROW = 8  # features of a step from which on a sequence may be a picture
_TABLE = 1 << 22  # numbers, at most, of a table whose features are compared
_GUESSES = {'mean': 'mean sequence', 'copy': 'last frame again'}  # words for what is no network
_HERE = ('latent', 'latent_pictures')  # which libraries compute on threads of this process

Drawings = dict[str, Callable[[], Figure]]  # figures yet to be drawn, by name


def draw(
    folder: Path,
    network: Network,
    data: Dataset,
    title: str,
    metrics: Mapping[str, float],
    rows: Sequence[Mapping[str, str]] = (),
) -> list[Path]:
    """Draws what fits the data and the network, and returns the files.

    `metrics` are those of results.json, `rows` those of metrics.csv, if it was trained just now.
    """
    test, layout = compared(data.splits['test']), data.spec.layout
    classes = tuple(map(shown, data.spec.classes))
    codings = network.compute('codings', test)
    is_series = shows_series(data, test)
    picture = () if is_series else data.spec.picture
    made: Drawings = {'loss_curves': partial(figures.loss_curves, rows, title)} if rows else {}
    of_run, title = title, f'{title}, {data.tested} examples'
    if len(codings) > 1:  # of a single one there is no plane
        note = _separation(metrics, data.tested)
        words = f'{title}: their codes'
        made['latent'] = partial(figures.latent, codings, test.y, classes, words, note)
    if layout == 'steps' and network.restored is None:
        made |= _sequences(network, data, title, is_series)
        if picture and len(codings) > 1:
            words = f'{title}: sequences at the place of their codes'
            places = evenly(len(test), _THUMBNAILS)
            thumbs = test.take(places).floats(0, len(places))
            made['latent_pictures'] = partial(
                figures.latent_pictures, codings, places, thumbs, picture, words
            )
    elif picture:
        made |= _of_weights(network, data, of_run)
        made |= _pictures(network, data, test, codings, title)
    elif (layout in ('flat', 'maps') or is_series) and 'outputs' in network.endpoints.tensors:
        made |= _table(network, data, test, title, is_series)
    if 'logits' in network.endpoints.tensors:
        made |= _confusion(network, test, classes, picture, title)
    elif codings.shape[1] == 2 and layout == 'flat' and not picture and _has_plane(test):
        seen = scores.in_units_of(network, test)
        plane = probes.projection(seen, 2)
        made['pca_plane'] = partial(figures.planes, codings, plane, test.y, classes, title)
    return _saved(made, folder)


def _saved(made: Drawings, folder: Path) -> list[Path]:
    """Draws and saves figures by name, and returns their files; a copy of this process helps.

    The copy is silent. Which letters no font has is said of the words of `latent`, and in figures.
    """
    files = {name: folder / f'{name}.png' for name in made}
    actions = {name: partial(_save, figure, files[name]) for name, figure in made.items()}
    here = [actions.pop(name) for name in _HERE if name in actions]
    cores.share([*actions.values()], here)
    return list(files.values())


def _save(figure: Callable[[], Figure], file: Path) -> None:
    figures.save(figure(), file)


def shows_series(data: Dataset, test: Rows) -> bool:
    """Whether examples of [steps, features] are measurements over time, and no picture's rows.

    They are where a step has few features, or values outside [0, 1] that an LSTM reads.
    """
    if len(data.spec.picture) != 2:
        return False
    steps, width = data.spec.picture
    if data.spec.layout != 'steps':
        return width < _NARROW <= steps
    some = test.floats(0, _THUMBNAILS)
    return width < _NARROW or bool(some.min() < 0 or some.max() > 1)


def _table(network: Network, data: Dataset, test: Rows, title: str, is_series: bool) -> Drawings:
    """Returns figures of what is no picture: features or channels, or series as lines."""
    some = compared(test, _LINES if is_series else max(1, _TABLE // math.prod(data.spec.shape)))
    inputs, outputs = some.floats(0, len(some)), network.compute('outputs', some)
    if outputs.shape != inputs.shape:  # of a graph of somebody else
        return {}
    if is_series:
        fed, made = (values.reshape(-1, *data.spec.picture) for values in (inputs, outputs))
        return {
            'sequences': partial(
                features.series, fed, {'': made}, None, some.length, title, some.places
            )
        }
    columns = inputs.shape[-1]
    inputs, outputs = inputs.reshape(-1, columns), outputs.reshape(-1, columns)
    what = 'channel' if data.spec.layout == 'maps' else 'feature'
    title, units = f'{title}: error by {what}', _units(network, data, columns)
    return {'features': partial(features.by_feature, inputs, outputs, title, what, *units)}


def _units(
    network: Network, data: Dataset, columns: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Returns the training examples' mean of each column, and what the network divides it by.

    [columns] each. The mean is None where these examples are not at hand and the network does not
    have it, the other where it does not standardise column by column.
    """
    known, train = network.values(), data.splits.get('train')
    has_scale = standardize.SCALE in known and standardize.has_units(known, columns)
    mean = None if train is None else means(train, data.spec)
    if mean is None and has_scale and network.experiment.has('standardize') == 'mean_std':
        mean = known[standardize.SHIFT]
    return mean, known[standardize.SCALE] if has_scale else None


def _separation(metrics: Mapping[str, float], tested: str) -> str:
    """Says how well the classes are told apart, in the codes and in what they are compared with."""
    names = {'codes': 'separation', 'inputs': 'separation_pixels', 'PCA': 'separation_pca'}
    found = {k: metrics[f'{tested}/{v}'] for k, v in names.items() if f'{tested}/{v}' in metrics}
    texts = [f'{name} {value:.1%}' for name, value in found.items()]
    return f'5-nearest-neighbour accuracy: {", ".join(texts)}' if texts else ''


def _has_plane(rows: Rows) -> bool:
    """Whether the rows have two principal components."""
    return min(len(rows), math.prod(rows.x.shape[1:])) > 1


def _pictures(
    network: Network, data: Dataset, test: Rows, codings: np.ndarray, title: str
) -> Drawings:
    picture, tensors = data.spec.picture, network.endpoints.tensors
    made: Drawings = {}
    shown = test.take(some_of_each(test))
    name = 'stored' if data.spec.one_hot else 'input'
    lines = {name: shown.targets(0, len(shown))}
    noise = network.experiment.test_noise
    if noise.amount:
        corrupted, outputs = scores.corrupted(network, shown, noise)
        lines |= {f'corrupted ({noise.kind} {noise.amount:g})': corrupted, 'output of it': outputs}
    since = network.experiment.has('joint_epochs')  # has each layer been trained after its phase
    for name in sorted(name for name in tensors if name.startswith('phase')):
        through = name.removesuffix('_outputs')
        word = through.replace('phase', 'through layer ') if since else f'after {through}'
        lines[word] = network.compute(name, shown)
    if 'outputs' in tensors:
        lines['output'] = network.compute('outputs', shown)
    made['reconstructions'] = partial(figures.picture_rows, lines, picture, title)
    places = evenly(len(test), _THUMBNAILS)
    thumbs = test.take(places)
    if len(codings) > 1:
        made['latent_pictures'] = partial(
            figures.latent_pictures,
            codings,
            places,
            thumbs.targets(0, len(thumbs)),
            picture,
            f'{title}: pictures at the place of their codes',
        )
    if network.decodes() and not data.spec.one_hot and len(shown) > 1:
        between = _between(network, shown)
        made['interpolation'] = partial(figures.picture_rows, between, picture, title)
    if network.decodes() and data.spec.layout == 'maps':
        images = thumbs.floats(0, len(thumbs))
        outputs = np.clip(network.compute('outputs', thumbs), 0, 1)
        made['spectra'] = partial(
            figures.spectra,
            {
                'pictures': (probes.spectrum(images), probes.checkerboard(images)),
                'reconstructions': (probes.spectrum(outputs), probes.checkerboard(outputs)),
            },
            f'{title}: the mean of {len(thumbs)} of them',
        )
    if network.decodes() and codings.shape[1] == 2:
        words = f'{title}: pictures decoded from a grid over the middle of their codes'
        made['manifold'] = _manifold(network, codings, picture, words)
    return made


def _of_weights(network: Network, data: Dataset, title: str) -> Drawings:
    """Returns figures of the network by itself, which show no examples."""
    made: Drawings = {}
    if first := first_kernel(network.values(), data.spec.picture):
        made['filters'] = partial(figures.filters, *first, title)
    if network.decodes() and not data.spec.one_hot:
        some = compared(next(iter(data.splits.values())), 2000)
        of = 'training' if 'train' in data.splits else 'these'
        drawn = samples(network, network.compute('codings', some), of=of)
        made['samples'] = partial(figures.picture_rows, drawn, data.spec.picture, title)
    return made


def first_kernel(
    values: Mapping[str, np.ndarray], picture: tuple[int, ...]
) -> tuple[np.ndarray, tuple[int, ...]] | None:
    """Returns the first layer's kernel, [..., units], and the shape of its filters as pictures.

    `values` are the variables' by name. None where its filters are no pictures.
    """
    kernel = values.get('layer1/kernel')
    if kernel is None:
        return None
    if kernel.ndim == 4:  # of a convolution, [side, side, channels, units]
        return kernel, kernel.shape[:3]
    return (kernel, picture) if kernel.shape[0] == math.prod(picture) else None


def samples(
    network: Network,
    codings: np.ndarray,
    drawn: int = 2 * figures.SHOWN,
    of: str = 'training',
) -> dict[str, np.ndarray]:
    """Decodes codes sampled from the unit Gaussian, and from one fitted to codes, [N, units].

    So many are drawn of each. `of` says of which examples the codes are.
    """
    unit = scores.gaussian_codes(drawn, codings.shape[1])
    mean, count = codings.mean(axis=0), len(codings)
    weights = scores.gaussian_codes(drawn, count, seed=1) / np.sqrt(count)
    fitted = mean + weights @ (codings - mean)  # has the codes' covariance
    return {
        'decoded from the unit Gaussian': network.decode(unit),
        f'decoded from a Gaussian fitted to the codes of {of} examples': network.decode(fitted),
    }


def _between(network: Network, shown: Rows) -> dict[str, np.ndarray]:
    """Decodes points on the lines between the codes of two pictures, which stand at the ends."""
    codings, images = network.compute('codings', shown), shown.floats(0, len(shown))
    shares = np.linspace(0, 1, figures.SHOWN - 2, dtype=np.float32)[:, None]
    lines = {}
    for first in range(0, min(6, len(codings) - 1), 2):
        ends = codings[first], codings[first + 1]
        decoded = network.decode(ends[0] * (1 - shares) + ends[1] * shares)
        lines[f'two pictures, and what lies between their codes, {first // 2 + 1}'] = np.stack(
            [images[first], *decoded.reshape(-1, *images.shape[1:]), images[first + 1]]
        )
    return lines


def _manifold(
    network: Network, codings: np.ndarray, picture: tuple[int, ...], title: str
) -> Callable[[], Figure]:
    """Decodes a grid over the middle 95 % of a two-dimensional code."""
    axes = [np.quantile(c, np.linspace(0.025, 0.975, _MANIFOLD)) for c in codings.T]
    grid = np.stack(np.meshgrid(axes[0], axes[1][::-1]), axis=-1).reshape(-1, 2)
    return partial(figures.manifold, network.decode(grid), picture, axes, title)


def _confusion(
    network: Network, test: Rows, classes: tuple[str, ...], picture: tuple[int, ...], title: str
) -> Drawings:
    test = test.of_known()
    if not len(test):
        return {}
    logits = network.compute('logits', test)
    joint = network.restored is None  # with an output of its own for each class
    probabilities = expit(logits) if joint else softmax(logits, axis=1)
    correct = float(np.mean(probabilities.argmax(axis=1) == test.labels))
    words = f'{title}: {correct:.2%} of {len(test):,} right'
    made: Drawings = {}
    made['confusion'] = partial(figures.confusion, test.labels, probabilities, classes, words)
    if picture and correct < 1:
        wrong = figures.surely_wrong(test.labels, probabilities)
        made['most_confused'] = partial(
            figures.most_confused,
            test.take(wrong).floats(0, len(wrong)),
            test.labels[wrong],
            probabilities[wrong],
            classes,
            picture,
            title,
        )
    return made


def some_of_each(rows: Rows) -> np.ndarray:
    """Returns ten rows: the first of each class, then the second of each, and so on.

    Those without a label come as the last class. Where none has one they are the first ten.
    """
    if rows.y is None:
        return np.arange(min(figures.SHOWN, len(rows)))
    y = np.where(rows.known, rows.y, rows.y.max() + 1)
    order = np.argsort(y, kind='stable')
    classes = y[order]
    turns = np.arange(len(rows)) - np.searchsorted(classes, classes)  # how many came before it
    return order[np.lexsort((classes, turns))][: figures.SHOWN]


def _sequences(network: Network, data: Dataset, title: str, is_series: bool) -> Drawings:
    """Returns the figures of a sequence network: sequences beside what it makes, error by step."""
    train, test = data.splits.get('train'), compared(data.splits['test'])
    made = {
        prefix: network.compute(name, test)
        for prefix, name in baselines.MADE.items()
        if name in network.endpoints.tensors
    }
    panels: dict[str, dict[str, np.ndarray]] = {}
    for prefix, values in made.items():
        guesses = {'network': values}
        guesses |= baselines.guesses(baselines.mean_of(prefix, train), test) if train else {}
        wanted = baselines.target_of(prefix, test)
        counted = baselines.steps_counted(test.length, *wanted.shape[:2])
        errors = {label: _by_step(guess, wanted, counted) for label, guess in guesses.items()}
        if train and train.length is not None:  # of a step that none has there is no mean
            errors['mean'][train.length.max() :] = np.nan
        panels['prediction' if prefix else 'reconstruction'] = {
            _GUESSES.get(label, label): values for label, values in errors.items()
        }
    found: Drawings = {
        'error_by_step': partial(features.error_by_step, panels, title, _counts(test))
    }
    if is_series:
        some = compared(test, _LINES)
        follows = some.targets(0, _LINES) if 'future_' in made else None
        places = places_compared(test, _LINES)
        parts = {prefix: values[places] for prefix, values in made.items()}
        fed = some.floats(0, _LINES)
        found['sequences'] = partial(
            features.series, fed, parts, follows, some.length, title, some.places
        )
    elif data.spec.frame or data.spec.picture:
        found['sequences'] = partial(figures.picture_rows, *strips(data, test, made), title)
    return found


def _by_step(made: np.ndarray, wanted: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Returns the squared error of each step, [T], the mean over the sequences that have it.

    Of a step that none has it is NaN. `counted` [N, T] is 1 where a step counts, 0 elsewhere.
    """
    sums = np.sum(np.mean((made - wanted) ** 2, axis=2) * counted, axis=0)
    with np.errstate(invalid='ignore'):
        found: np.ndarray = sums / counted.sum(axis=0)
    return found


def _counts(rows: Rows) -> np.ndarray | None:
    """Returns how many of the sequences have each step, [T]; None where all have all."""
    counts = baselines.steps_counted(rows.length, *rows.x.shape[:2]).sum(axis=0)
    return counts if counts.min() < len(rows) else None


def strips(
    data: Dataset, test: Rows, made: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], tuple[int, ...]]:
    """Returns sequences as strips of frames, or each as one picture whose rows are the steps.

    `made` is what the network makes of them, by prefix of its scores. Returns rows of pictures by
    title, and the shape of a picture.
    """
    fed, titles = test.floats(0, 2 * _EXAMPLES), {'': 'reconstructed', 'future_': 'predicted'}
    if data.spec.frame:
        lines: dict[str, np.ndarray] = {}
        for index in range(min(_EXAMPLES - 2, len(test))):
            lines[f'{index + 1}: fed'] = fed[index]
            for prefix, values in made.items():
                if prefix:
                    lines[f'{index + 1}: what follows'] = test.targets(index, index + 1)[0]
                lines[f'{index + 1}: {titles[prefix]}'] = values[index]
        return lines, data.spec.frame
    parts = {prefix: values[: len(fed)] for prefix, values in made.items()}
    future = [test.targets(0, 2 * _EXAMPLES)] if 'future_' in parts else []
    result = [parts.get('', fed), *([parts['future_']] if future else [])]
    words = ' and '.join(titles[prefix] for prefix in parts)
    lines = {
        'sequences, time downwards' + (': fed, and what follows' if future else ''): np.concatenate(
            [fed, *future], axis=1
        ),
        words if '' in parts else f'fed, and {words}': np.concatenate(result, axis=1),
    }
    return lines, next(iter(lines.values())).shape[1:]
