"""Which figures a run gets, and the arrays they show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit, softmax

from dataset import Dataset, Rows
from train import evaluate, figures, probe, sequences
from train.network import Network

_THUMBNAILS = 300  # pictures drawn at the place of their codes
_MANIFOLD = 15  # pictures along each side of a two-dimensional code's map


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
    picture, classes = data.spec.picture, data.spec.classes
    test = probe.compared(data.splits['test'])
    codings = network.compute('codings', test)
    made: dict[str, Any] = {
        'loss_curves': figures.loss_curves(rows) if rows else None,
        'latent': figures.latent(
            codings, test.y, classes, f'{title}: codings of the test set', _separation(metrics)
        ),
    }
    if network.experiment.network == 'lstm' and network.experiment.parent is None:
        made |= sequences.drawn(network, data)
        if picture:
            thumbs = probe.compared(test, _THUMBNAILS).floats(0, _THUMBNAILS)
            title = f'{title}: codings of test sequences'
            made['latent_pictures'] = figures.latent_pictures(codings, thumbs, picture, title)
    elif picture:
        made |= _pictures(network, data, test, codings, title)
    if 'logits' in network.endpoints.tensors:
        made |= _confusion(network, data, test, title)
    elif codings.shape[1] == 2 and not picture:
        made['pca_plane'] = figures.planes(codings, probe.projection(test, 2), test.y)
    files = {name: folder / f'{name}.png' for name, figure in made.items() if figure}
    for name, file in files.items():
        figures.save(made[name], file)
    return list(files.values())


def _separation(metrics: Mapping[str, float]) -> str:
    """Says how well the classes are told apart, in the codes and in what they are compared with."""
    names = {'codings': 'separation', 'pixels': 'separation_pixels', 'PCA': 'separation_pca'}
    found = {k: metrics[f'test/{v}'] for k, v in names.items() if f'test/{v}' in metrics}
    texts = [f'{name} {value:.1%}' for name, value in found.items()]
    return f'5-nearest-neighbour accuracy: {", ".join(texts)}' if texts else ''


def _pictures(
    network: Network, data: Dataset, test: Rows, codings: np.ndarray, title: str
) -> dict[str, Any]:
    picture, tensors, made = data.spec.picture, network.endpoints.tensors, {}
    shown = _one_of_each(test)
    name = 'stored' if network.experiment.network == 'memory' else 'input'
    lines = {name: shown.targets(0, len(shown))}
    noise = network.experiment.test_noise
    if network.experiment.parent is None and noise.amount:
        corrupted, outputs = evaluate.corrupted(network, shown, noise)
        lines |= {f'corrupted ({noise.kind} {noise.amount:g})': corrupted, 'output of it': outputs}
    for name in sorted(name for name in tensors if name.startswith('phase')):
        lines[f'after {name.removesuffix("_outputs")}'] = network.compute(name, shown)
    if 'outputs' in tensors:
        lines['output'] = network.compute('outputs', shown)
    made['reconstructions'] = figures.picture_rows(lines, picture)
    if any(variable.op.name == 'layer1/kernel' for variable in network.variables):
        kernel = network.values()['layer1/kernel']
        if kernel.ndim == 4:  # of a convolution, [side, side, channels, units]
            made['filters'] = figures.filters(kernel, kernel.shape[:3])
        elif kernel.shape[0] == math.prod(picture):
            made['filters'] = figures.filters(kernel, picture)
    thumbs = probe.compared(test, _THUMBNAILS)
    made['latent_pictures'] = figures.latent_pictures(
        codings, thumbs.targets(0, len(thumbs)), picture, f'{title}: codings of test pictures'
    )
    if network.decodes() and network.experiment.network != 'memory':
        made['samples'] = figures.picture_rows(_samples(network, data), picture)
        made['interpolation'] = figures.picture_rows(_between(network, shown), picture)
    if network.decodes() and network.experiment.network == 'conv':
        images, outputs = thumbs.floats(0, len(thumbs)), network.compute('outputs', thumbs)
        made['spectra'] = figures.spectra(
            {
                'pictures': (probe.spectrum(images), probe.checkerboard(images)),
                'reconstructions': (probe.spectrum(outputs), probe.checkerboard(outputs)),
            }
        )
    if network.decodes() and codings.shape[1] == 2:
        made['manifold'] = _manifold(network, codings, picture)
    return made


def _samples(network: Network, data: Dataset) -> dict[str, np.ndarray]:
    """Decodes codes drawn from the unit Gaussian, and from one fitted to the training codes."""
    codings = network.compute('codings', probe.compared(data.splits['train'], 2000))
    unit = evaluate.drawn(2 * figures.SHOWN, codings.shape[1])
    mean, count = codings.mean(axis=0), len(codings)
    weights = evaluate.drawn(2 * figures.SHOWN, count, seed=1) / np.sqrt(count)
    fitted = mean + weights @ (codings - mean)  # has the codes' covariance
    return {
        'decoded from the unit Gaussian': network.decode(unit),
        'decoded from a Gaussian fitted to the codes': network.decode(fitted),
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


def _manifold(network: Network, codings: np.ndarray, picture: tuple[int, ...]) -> Any:
    """Decodes a grid over the middle 95 % of a two-dimensional code."""
    axes = [np.quantile(c, np.linspace(0.025, 0.975, _MANIFOLD)) for c in codings.T]
    grid = np.stack(np.meshgrid(axes[0], axes[1][::-1]), axis=-1).reshape(-1, 2)
    return figures.manifold(network.decode(grid), picture, axes)


def _confusion(network: Network, data: Dataset, test: Rows, title: str) -> dict[str, Any]:
    picture, classes = data.spec.picture, data.spec.classes
    logits = network.compute('logits', test)
    joint = network.experiment.parent is None  # with an output of its own for each class
    probabilities = expit(logits) if joint else softmax(logits, axis=1)
    correct = float(np.mean(probabilities.argmax(axis=1) == test.y))
    title = f'{title}: test accuracy {correct:.2%}'
    made = {'confusion': figures.confusion(test.y, probabilities, classes, title)}
    if picture:
        made['most_confused'] = figures.most_confused(
            lambda rows: test.take(rows).floats(0, len(rows)),
            test.y,
            probabilities,
            classes,
            picture,
        )
    return made


def _one_of_each(rows: Rows) -> Rows:
    """Returns the first example of each class, or the first rows where there are no labels."""
    chosen = np.arange(min(figures.SHOWN, len(rows)))
    if rows.y is not None:
        chosen = np.unique(rows.y, return_index=True)[1][: figures.SHOWN]
    return rows.take(chosen)
