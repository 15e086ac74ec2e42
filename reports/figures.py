"""Figures: loss curves, pictures, filters, the latent space, confusion.

The functions take arrays and return a Figure; drawing.py collects the arrays of a trained run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from sklearn.decomposition import PCA

from evaluation import metrics
from reports.lettering import legible
from system import disk

SHOWN = 10  # pictures in a row
_ENDS = ((0, -0.5), (-1, 0.5))  # of an axis of values: half a step before the first, after the last
_SCATTERED = 3000  # points at most in a latent figure


def save(figure: Figure, file: Path) -> None:
    """Writes a PNG, with all words as they are; its folder is made."""
    legible(figure)
    file.parent.mkdir(parents=True, exist_ok=True)
    with disk.whole(file, 'wb') as opened:
        figure.savefig(opened, format='png', dpi=110, bbox_inches='tight')


def loss_curves(rows: Sequence[Mapping[str, str]]) -> Figure:
    """Draws each phase's losses against its epochs: training solid, validation dashed.

    `rows` are those of metrics.csv. Penalties get a panel of their own, as does the accuracy.
    """
    phases = list(dict.fromkeys(row['phase'] for row in rows))
    panels = []
    for phase in phases:
        mine = [row for row in rows if row['phase'] == phase]
        names = [n for n, v in mine[-1].items() if n.startswith(('train/', 'validation/')) and v]
        terms = dict.fromkeys(n.split('/', 1)[1] for n in names)
        panels += [(phase, term, mine) for term in terms]
    figure = Figure(figsize=(4.2 * len(panels), 3.4), layout='constrained')
    for panel, (phase, term, mine) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        epochs = [int(row['epoch']) for row in mine]
        marker = 'o' if len(epochs) == 1 else None
        lowest, highest = float('inf'), float('-inf')
        for split, style in (('train', '-'), ('validation', '--')):
            values = [row.get(f'{split}/{term}') for row in mine]
            if all(values):
                numbers = [float(v) for v in values if v]
                panel.plot(epochs, numbers, style, marker=marker, label=split)
                lowest, highest = min(lowest, *numbers), max(highest, *numbers)
        kind, metric = term.rsplit('/', 1)[-1], metrics.find(term)
        if not metric.is_accuracy and 0 < 3 * lowest < highest:
            panel.set_yscale('log')
        panel.set(
            title=f'{phase}: {kind}',
            xlabel='epoch',
            ylabel=metric.unit,
        )
        panel.grid(alpha=0.3, which='both')
        panel.legend()
    return figure


def picture_rows(rows: Mapping[str, np.ndarray], picture: tuple[int, ...]) -> Figure:
    """Draws groups of pictures, [n, pixels] each, ten in a row, with titles; cuts to [0, 1]."""
    columns = min(SHOWN, max(len(images) for images in rows.values()))
    lines = [-(-len(images) // columns) for images in rows.values()]
    height = sum(lines) * columns / SHOWN * picture[0] / picture[1] + 0.3 * len(rows)
    figure = Figure(figsize=(SHOWN, max(height, 1)), layout='constrained')
    panels = figure.subplots(len(rows), 1, squeeze=False, height_ratios=lines).ravel()
    for panel, (title, images) in zip(panels, rows.items(), strict=True):
        grid = _montage(_drawable(images, picture), columns, 1.0)
        panel.imshow(grid, cmap='gray', vmin=0, vmax=1)
        panel.axis('off')
        panel.set_title(title, fontsize=9, loc='left')
    return figure


def error_by_step(panels: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Draws the squared error of sequences against the step, a line for each of a panel's [T]."""
    figure = Figure(figsize=(5.2 * len(panels), 3.6), layout='constrained')
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for panel, (title, lines) in zip(axes, panels.items(), strict=True):
        for label, values in lines.items():
            style = '-' if label == 'network' else '--'
            panel.plot(range(1, len(values) + 1), values, style, label=label)
        panel.set(title=title, xlabel='step', ylabel=metrics.find('mse').unit, ylim=(0, None))
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    return figure


def _montage(images: np.ndarray, columns: int, between: float) -> np.ndarray:
    """Tiles images, [n, H, W] or [n, H, W, C], in rows of `columns`, with a gap of that value."""
    count, height, width, *rest = images.shape
    lines = -(-count // columns)
    tiles = np.full((lines * columns, height + 2, width + 2, *rest), between, images.dtype)
    tiles[:count, 1:-1, 1:-1] = images
    grid = tiles.reshape(lines, columns, height + 2, width + 2, *rest).swapaxes(1, 2)
    return grid.reshape(lines * (height + 2), columns * (width + 2), *rest)


def manifold(images: np.ndarray, picture: tuple[int, ...], axes: Sequence[np.ndarray]) -> Figure:
    """Draws a square grid of pictures, [side * side, pixels], decoded from two codes.

    `axes` are the codes' values along the grid: left to right, bottom to top.
    """
    side = len(axes[0])
    height, width = picture[0] + 2, picture[1] + 2
    figure = Figure(figsize=(8, 8 * height / width), layout='constrained')
    panel = figure.subplots()
    panel.imshow(_montage(_drawable(images, picture), side, 0.0), cmap='gray', vmin=0, vmax=1)
    marks = np.arange(0, side, 2)
    panel.set_xticks(marks * width + width / 2, [f'{axes[0][m]:.2g}' for m in marks], fontsize=8)
    panel.set_yticks(
        marks * height + height / 2, [f'{axes[1][::-1][m]:.2g}' for m in marks], fontsize=8
    )
    panel.set(title='pictures decoded from a grid of codes', xlabel='code 1', ylabel='code 2')
    return figure


def _drawable(images: np.ndarray, picture: tuple[int, ...]) -> np.ndarray:
    """Returns pictures as they are drawn: [N, H, W] grey or [N, H, W, 3], values cut to [0, 1]."""
    shape = picture[:2] if picture[2:] == (1,) else picture
    return np.clip(images, 0, 1).reshape(-1, *shape)


def filters(kernel: np.ndarray, picture: tuple[int, ...]) -> Figure:
    """Draws the 100 filters of largest norm of a first kernel, [..., units], on one scale.

    A filter is drawn as a picture of that shape.
    """
    kernel = kernel.reshape(-1, kernel.shape[-1])
    norms = np.linalg.norm(kernel, axis=0)
    chosen = np.argsort(-norms, kind='stable')[:100]
    limit, note = np.percentile(np.abs(kernel[:, chosen]), 99.5), ''
    weights = np.clip(kernel[:, chosen].T / limit, -1, 1)
    columns = int(np.ceil(np.sqrt(len(chosen))))
    figure = Figure(figsize=(8.4, 7.4), layout='constrained')
    panel = figure.subplots()
    if picture[2:] == (3,):  # in colour, grey is zero
        panel.imshow(_montage(0.5 + 0.5 * weights.reshape(-1, *picture), columns, 1.0))
        note = f'; grey is 0, full colour {limit:.2g}'
    else:
        grid = _montage(weights.reshape(-1, *picture[:2]), columns, np.nan)
        shown = panel.imshow(grid * limit, cmap='RdBu_r', vmin=-limit, vmax=limit)
        figure.colorbar(shown, ax=panel, shrink=0.6, label='weight')
    panel.axis('off')
    panel.set_title(f'first-layer filters: {len(chosen)} of {kernel.shape[1]}, largest norms{note}')
    return figure


def spectra(measured: Mapping[str, tuple[np.ndarray, float]]) -> Figure:
    """Draws mean power spectra, [H, W] as numpy.fft orders them, each with its checkerboard."""
    figure = Figure(figsize=(4.6 * len(measured), 4.2), layout='constrained')
    panels = figure.subplots(1, len(measured), squeeze=False)[0]
    with np.errstate(divide='ignore'):  # the constant is left out and drawn white
        logs = {name: np.log10(power) for name, (power, _) in measured.items()}
    most, shown = max(power.max() for power in logs.values()), []
    for panel, (name, power) in zip(panels, logs.items(), strict=True):
        height, width = power.shape
        ends = [sorted(np.fft.fftfreq(n))[i] + s / n for n in (width, height) for i, s in _ENDS]
        power = np.ma.masked_invalid(np.fft.fftshift(power))
        drawn = panel.imshow(
            power, vmin=most - 7, vmax=most, extent=ends, origin='lower', aspect=height / width
        )
        shown.append(drawn)
        panel.set(xlabel='cycles a pixel, across', ylabel='down')
        panel.set_title(f'{name}: {measured[name][1]:.2%} at the period of the stride', fontsize=9)
    figure.colorbar(shown[-1], ax=panels, label='log10 of the share of the power')
    return figure


def latent(
    codings: np.ndarray,
    labels: np.ndarray | None,
    classes: Sequence[str],
    title: str,
    note: str = '',
) -> Figure:
    """Draws codings, [N, units], in the plane of their first two principal components."""
    with np.errstate(invalid='ignore'):  # codes that are all dead have no variance to share
        fitted = PCA(min(2, codings.shape[1])).fit(codings)
    plane = fitted.transform(codings)[:_SCATTERED]
    if plane.shape[1] == 1:
        plane = np.column_stack([plane, np.zeros(len(plane))])
    shares = [*np.nan_to_num(fitted.explained_variance_ratio_), 0.0]
    figure = Figure(figsize=(7, 6), layout='constrained')
    panel = figure.subplots()
    if labels is None:
        panel.scatter(plane[:, 0], plane[:, 1], s=6, alpha=0.6)
    else:
        labels = labels[:_SCATTERED]
        colours = _colours(len(classes))
        for index, name in enumerate(classes[: len(colours)]):
            x, y = plane[labels == index].T
            panel.scatter(x, y, s=6, alpha=0.6, color=colours[index], label=name)
        panel.legend(markerscale=3, fontsize=8, loc='center left', bbox_to_anchor=(1, 0.5))
    figure.suptitle(title, fontsize=11)
    panel.set_title(note, fontsize=9)
    panel.set(
        xlabel=f'first principal component ({shares[0]:.0%} of the variance)',
        ylabel=f'second principal component ({shares[1]:.0%})',
    )
    return figure


def latent_pictures(
    codings: np.ndarray, images: np.ndarray, picture: tuple[int, ...], title: str
) -> Figure:
    """Draws pictures, [n, pixels], where the first n of all codings, [N, units], lie.

    The plane is that of the codings' first two principal components.
    """
    with np.errstate(invalid='ignore'):
        plane = PCA(min(2, codings.shape[1])).fit(codings).transform(codings[: len(images)])
    if plane.shape[1] == 1:
        plane = np.column_stack([plane, np.zeros(len(plane))])
    figure = Figure(figsize=(10, 9), layout='constrained')
    panel = figure.subplots()
    panel.scatter(plane[:, 0], plane[:, 1], s=0)
    zoom, scale = 26 / max(picture[:2]), Normalize(0, 1)
    for place, image in zip(plane, _drawable(images, picture), strict=True):
        step = -(-max(picture[:2]) // 64)
        thumbnail = OffsetImage(image[::step, ::step], zoom=zoom * step, cmap='gray', norm=scale)
        panel.add_artist(AnnotationBbox(thumbnail, place, frameon=False))
    panel.set(xlabel='first principal component', ylabel='second principal component', title=title)
    return figure


def _colours(count: int) -> np.ndarray:
    return colormaps['tab10'](range(count)) if count <= 10 else colormaps['tab20'](range(20))


def confusion(
    labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], title: str
) -> Figure:
    """Draws the confusion matrix: counts, with the diagonal left uncoloured."""
    predicted = probabilities.argmax(axis=1)
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (labels, predicted), 1)
    errors = np.where(np.eye(len(classes), dtype=bool), 0, counts)
    figure = Figure(figsize=(7, 6), layout='constrained')
    panel = figure.subplots()
    shown = panel.imshow(errors, cmap='Reds')
    figure.colorbar(shown, ax=panel, label='examples taken for another class')
    if len(classes) <= 20:
        panel.set_xticks(range(len(classes)), classes, rotation=45 * (max(map(len, classes)) > 2))
        panel.set_yticks(range(len(classes)), classes)
        dark = errors.max() / 2
        for (row, column), count in np.ndenumerate(counts):
            colour = 'white' if errors[row, column] > max(dark, 1) else 'black'
            weight = 'bold' if row == column else 'normal'
            panel.text(column, row, count or '', ha='center', va='center', color=colour,
                       fontsize=8, fontweight=weight)  # fmt: skip
    panel.set(title=title, xlabel='predicted', ylabel='true')
    return figure


def most_confused(
    images: Callable[[np.ndarray], np.ndarray],
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    picture: tuple[int, ...],
) -> Figure | None:
    """Draws the wrongly classified pictures of the highest confidence; None where all are right.

    `images` gives the pictures of some rows, [n, pixels].
    """
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-confidence[wrong], kind='stable')][: 2 * SHOWN]
    if not len(wrong):
        return None
    lines = -(-len(wrong) // SHOWN)
    figure = Figure(figsize=(1.3 * SHOWN, 1.9 * lines + 0.4), layout='constrained')
    panels = figure.subplots(lines, SHOWN, squeeze=False).ravel()
    for panel in panels:
        panel.axis('off')
    drawable = _drawable(images(wrong), picture)
    for panel, image, row in zip(panels, drawable, wrong, strict=False):
        panel.imshow(image, cmap='gray', vmin=0, vmax=1)
        panel.set_title(
            f'{classes[labels[row]]} taken for\n{classes[predicted[row]]} ({confidence[row]:.0%})',
            fontsize=8,
        )
    figure.suptitle('most confused: wrong with the highest stated probability (test)', fontsize=10)
    return figure


def planes(codings: np.ndarray, projection: np.ndarray, labels: np.ndarray | None) -> Figure:
    """Draws a linear autoencoder's codings, [N, 2], fitted linearly onto PCA's, over PCA's."""
    design = np.column_stack([codings, np.ones(len(codings))])
    mapped = design @ np.linalg.lstsq(design, projection, rcond=None)[0]
    (x, y), (mapped_x, mapped_y) = projection.T, mapped.T
    figure = Figure(figsize=(6.5, 5), layout='constrained')
    panel = figure.subplots()
    panel.scatter(x, y, s=50, facecolors='none', edgecolors='gray', label='PCA')
    colours: dict[str, Any] = {} if labels is None else {'c': labels, 'cmap': 'brg'}
    panel.scatter(mapped_x, mapped_y, s=8, **colours, label='codings, mapped linearly onto PCA')
    panel.set(xlabel='first component', ylabel='second component')
    panel.set(title='linear codings beside principal components')
    panel.legend()
    return figure
