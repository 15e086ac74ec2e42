"""Figures of a run: loss curves, reconstructions, filters, the latent space, confusion.

The functions take arrays and return a Figure; drawing.py collects the arrays of a trained run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

SHOWN = 10  # pictures in a row
_SCATTERED = 3000  # points at most in a latent figure


def save(figure: Figure, file: Path) -> None:
    """Writes a PNG whole: under another name, then renamed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f'.{file.name}')
    figure.savefig(aside, format='png', dpi=110, bbox_inches='tight')
    os.replace(aside, file)


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
        for split, style in (('train', '-'), ('validation', '--')):
            values = [row.get(f'{split}/{term}') for row in mine]
            if all(values):
                panel.plot(epochs, [float(v) for v in values], style, marker=marker, label=split)
        kind = term.rsplit('/', 1)[-1]
        if kind != 'accuracy' and all(float(row.get(f'train/{term}') or 1) > 0 for row in mine):
            panel.set_yscale('log')
        panel.set(title=f'{phase}: {kind}', xlabel='epoch', ylabel=_UNITS.get(kind, kind))
        panel.grid(alpha=0.3, which='both')
        panel.legend()
    return figure


_UNITS = {
    'mse': 'mean squared error a feature',
    'l2': 'penalty on the kernels',
    'cross_entropy': 'cross-entropy (nats an example)',
    'accuracy': 'accuracy (fraction)',
}


def picture_rows(rows: Mapping[str, np.ndarray], picture: tuple[int, ...]) -> Figure:
    """Draws rows of pictures, [n, pixels] each, with titles; values outside [0, 1] are cut."""
    count = max(len(images) for images in rows.values())
    figure = Figure(figsize=(1.0 * count, 1.25 * len(rows)), layout='constrained')
    panels = figure.subplots(len(rows), count, squeeze=False)
    for line, (title, images) in zip(panels, rows.items(), strict=True):
        for panel, image in zip(line, images, strict=False):
            panel.imshow(_drawable(image, picture), cmap='gray', vmin=0, vmax=1)
        for panel in line:
            panel.axis('off')
        line[0].set_title(title, fontsize=9, loc='left')
    return figure


def _drawable(image: np.ndarray, picture: tuple[int, ...]) -> np.ndarray:
    return np.clip(image, 0, 1).reshape(picture)


def filters(kernel: np.ndarray, picture: tuple[int, ...]) -> Figure:
    """Draws the 100 columns of largest norm of a first kernel, [pixels, units], on one scale."""
    norms = np.linalg.norm(kernel, axis=0)
    chosen = np.argsort(-norms, kind='stable')[:100]
    side = int(np.ceil(np.sqrt(len(chosen))))
    limit = np.percentile(np.abs(kernel[:, chosen]), 99.5)
    figure = Figure(figsize=(8.4, 7.4), layout='constrained')
    panels = figure.subplots(side, side, squeeze=False).ravel()
    for panel in panels:
        panel.axis('off')
    for panel, unit in zip(panels, chosen, strict=False):
        weights = kernel[:, unit].reshape(picture)
        if picture[2:] == (3,):  # in colour, grey is zero
            weights = np.clip(0.5 + weights / (2 * limit), 0, 1)
        shown = panel.imshow(weights, cmap='RdBu_r', vmin=-limit, vmax=limit)
    figure.colorbar(shown, ax=list(panels), shrink=0.6, label='weight')
    figure.suptitle(f'first-layer filters: {len(chosen)} of {kernel.shape[1]}, largest norms')
    return figure


def latent(
    codings: np.ndarray, labels: np.ndarray | None, classes: Sequence[str], title: str
) -> Figure:
    """Draws codings, [N, units], in the plane of their first two principal components."""
    fitted = PCA(min(2, codings.shape[1])).fit(codings)
    plane = fitted.transform(codings)[:_SCATTERED]
    if plane.shape[1] == 1:
        plane = np.column_stack([plane, np.zeros(len(plane))])
    shares = [*fitted.explained_variance_ratio_, 0.0]
    figure = Figure(figsize=(7, 6), layout='constrained')
    panel = figure.subplots()
    if labels is None:
        panel.scatter(*plane.T, s=6, alpha=0.6)
    else:
        labels = labels[:_SCATTERED]
        colours = _colours(len(classes))
        for index, name in enumerate(classes[: len(colours)]):
            chosen = plane[labels == index]
            panel.scatter(*chosen.T, s=6, alpha=0.6, color=colours[index], label=name)
        panel.legend(markerscale=3, fontsize=8, loc='center left', bbox_to_anchor=(1, 0.5))
    panel.set(
        title=title,
        xlabel=f'first principal component ({shares[0]:.0%} of the variance)',
        ylabel=f'second principal component ({shares[1]:.0%})',
    )
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
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    picture: tuple[int, ...],
) -> Figure | None:
    """Draws the wrongly classified pictures of the highest confidence; None where all are right."""
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
    for panel, row in zip(panels, wrong, strict=False):
        panel.imshow(_drawable(images[row], picture), cmap='gray', vmin=0, vmax=1)
        panel.set_title(
            f'{classes[labels[row]]} taken for\n{classes[predicted[row]]} ({confidence[row]:.0%})',
            fontsize=8,
        )
    figure.suptitle('most confused: wrong with the highest stated probability (test)', fontsize=10)
    return figure


def planes(codings: np.ndarray, projection: np.ndarray, labels: np.ndarray) -> Figure:
    """Draws a linear autoencoder's codings, [N, 2], fitted linearly onto PCA's, over PCA's."""
    design = np.column_stack([codings, np.ones(len(codings))])
    mapped = design @ np.linalg.lstsq(design, projection, rcond=None)[0]
    figure = Figure(figsize=(6.5, 5), layout='constrained')
    panel = figure.subplots()
    panel.scatter(*projection.T, s=50, facecolors='none', edgecolors='gray', label='PCA')
    panel.scatter(*mapped.T, s=8, c=labels, cmap='brg', label='codings, mapped linearly onto PCA')
    panel.set(xlabel='first component', ylabel='second component')
    panel.set(title='linear codings beside principal components')
    panel.legend()
    return figure
