"""Figures: loss curves, pictures, filters, the latent space, confusion.

The functions take arrays and return a Figure; drawing.py collects the arrays of a trained run.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from threadpoolctl import threadpool_limits

from evaluation import metrics
from inputs.splits import evenly
from reports.lettering import legible
from system import disk

SHOWN = 10  # pictures in a row
_DPI = 110  # pixels an inch
_COMPRESSION = 3  # of PNGs: half of the time that 6 takes, for a twentieth more bytes
_WIDEST = 24  # inches, of rows of large pictures
_ACROSS = 4  # panels of losses in a row
_LETTERS = 36  # of a unit in a line beside such a panel
_ENDS = ((0, -0.5), (-1, 0.5))  # of an axis of values: half a step before the first, after the last
_SCATTERED = 3000  # points at most in a latent figure
_NEIGHBOURS = (10, 500)  # codes that t-SNE needs at least, and gets at most: half a second or so
_ITERATIONS = 500  # of t-SNE: its divergence is within 1 % of what 1,000 reach
_THUMBNAIL = 64  # pixels along the sides of a picture in a plane, at most
_THUMBNAILS_ACROSS = 25  # that plane
_NO_LABEL = 'lightgrey'  # the colour of examples without one
_NAMED = 20  # classes with a colour and a name of their own
_CELLS = 100  # classes of a confusion matrix, at most, that each have a name on its axes
_NUMBERED = 30  # classes of a confusion matrix, at most, whose cells have numbers


def save(figure: Figure, file: Path) -> None:
    """Writes a PNG, with all words as they are; its folder is made.

    It has the pixels of `savefig(..., bbox_inches='tight')`, which would draw all of it twice.
    """
    legible(figure)
    figure.set_dpi(_DPI)
    renderer: Any = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        figure.set_layout_engine(None)  # or all would be laid out, and measured, once more
    box = figure.get_tightbbox(renderer).padded(rcParams['savefig.pad_inches'])
    file.parent.mkdir(parents=True, exist_ok=True)
    with disk.whole(file, 'wb') as opened:
        packed = {'compress_level': _COMPRESSION}
        figure.savefig(opened, format='png', dpi=_DPI, bbox_inches=box, pil_kwargs=packed)


def loss_curves(rows: Sequence[Mapping[str, str]], title: str) -> Figure:
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
    figure, axes = panels_of_losses(len(panels))
    for panel, (phase, term, mine) in zip(axes, panels, strict=True):
        epochs = [int(row['epoch']) for row in mine]
        marker = 'o' if len(epochs) == 1 else None
        lowest, highest = float('inf'), float('-inf')
        for split, style in (('train', 'C0-'), ('validation', 'C1--')):
            values = [row.get(f'{split}/{term}') for row in mine]
            if all(values):
                numbers = [float(v) for v in values if v]
                panel.plot(epochs, numbers, style, marker=marker, label=split)
                lowest, highest = min(lowest, *numbers), max(highest, *numbers)
        label_losses(panel, phase, term, (lowest, highest))
        panel.legend()
    figure.suptitle(title, fontsize=10)
    return figure


def panels_of_losses(count: int) -> tuple[Figure, list[Axes]]:
    """Returns a figure of so many panels, in rows."""
    columns = min(count, _ACROSS)
    lines = -(-count // columns)
    figure = Figure(figsize=(4.2 * columns, 3.4 * lines), layout='constrained')
    axes = list(figure.subplots(lines, columns, squeeze=False).ravel())
    for panel in axes[count:]:
        panel.axis('off')
    return figure, axes[:count]


def label_losses(panel: Axes, phase: str, term: str, within: tuple[float, float]) -> None:
    """Gives a panel of a phase's losses its words, and a scale for values within these ends."""
    metric = metrics.known(term)
    if not metric.is_accuracy and 0 < 3 * within[0] < within[1]:
        panel.set_yscale('log')
    unit = textwrap.fill(metric.unit, _LETTERS)
    panel.set(title=f'{phase}: {term.rsplit("/", 1)[-1]}', xlabel='epoch', ylabel=unit)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    panel.grid(alpha=0.3, which='both')


def picture_rows(
    rows: Mapping[str, np.ndarray], picture: tuple[int, ...], title: str = ''
) -> Figure:
    """Draws groups of pictures, [n, pixels] each, ten in a row, with titles; cuts to [0, 1].

    Each is an inch wide, however few there are; large ones are drawn pixel for pixel, as far as ten
    of them do not get too wide.
    """
    columns = min(SHOWN, max(len(images) for images in rows.values()))
    lines = [-(-len(images) // columns) for images in rows.values()]
    wide = float(np.clip((picture[1] + 2) / _DPI, 1, _WIDEST / SHOWN))
    height = sum(lines) * wide * picture[0] / picture[1]
    height += 0.3 * len(rows)
    height += 0.3 * bool(title)
    figure = Figure(figsize=(columns * wide, max(height, 1)), layout='constrained')
    panels = figure.subplots(len(rows), 1, squeeze=False, height_ratios=lines).ravel()
    for panel, (words, images) in zip(panels, rows.items(), strict=True):
        grid = montage(_drawable(images, picture), columns, 1.0)
        panel.imshow(grid, cmap='gray', vmin=0, vmax=1)
        panel.axis('off')
        panel.set_title(words, fontsize=9, loc='left')
    figure.suptitle(title, fontsize=10)
    return figure


def montage(images: np.ndarray, columns: int, between: float) -> np.ndarray:
    """Tiles images, [n, H, W] or [n, H, W, C], in rows of `columns`, with a gap of that value."""
    count, height, width, *rest = images.shape
    lines = -(-count // columns)
    tiles = np.full((lines * columns, height + 2, width + 2, *rest), between, images.dtype)
    tiles[:count, 1:-1, 1:-1] = images
    grid = tiles.reshape(lines, columns, height + 2, width + 2, *rest).swapaxes(1, 2)
    return grid.reshape(lines * (height + 2), columns * (width + 2), *rest)


def manifold(
    images: np.ndarray, picture: tuple[int, ...], axes: Sequence[np.ndarray], title: str
) -> Figure:
    """Draws a square grid of pictures, [side * side, pixels], decoded from two codes.

    `axes` are the codes' values along the grid: left to right, bottom to top.
    """
    side = len(axes[0])
    height, width = picture[0] + 2, picture[1] + 2
    figure = Figure(figsize=(8, 8 * height / width), layout='constrained')
    panel = figure.subplots()
    panel.imshow(montage(_drawable(images, picture), side, 0.0), cmap='gray', vmin=0, vmax=1)
    marks = np.arange(0, side, 2)
    panel.set_xticks(marks * width + width / 2, [f'{axes[0][m]:.2g}' for m in marks], fontsize=8)
    panel.set_yticks(
        marks * height + height / 2, [f'{axes[1][::-1][m]:.2g}' for m in marks], fontsize=8
    )
    panel.set(xlabel='code 1', ylabel='code 2')
    panel.set_title(title, fontsize=10)
    return figure


def _drawable(images: np.ndarray, picture: tuple[int, ...]) -> np.ndarray:
    """Returns pictures as they are drawn: [N, H, W] grey or [N, H, W, 3], values cut to [0, 1]."""
    return np.clip(_as_pictures(images, picture), 0, 1)


def _as_pictures(images: np.ndarray, picture: tuple[int, ...]) -> np.ndarray:
    return images.reshape(-1, *(picture[:2] if picture[2:] == (1,) else picture))


def thumbnails(images: np.ndarray, picture: tuple[int, ...], side: int) -> np.ndarray:
    """Returns pictures as bytes, [N, h, w, 1] or [N, h, w, 3], of at most so many pixels a side.

    Of larger ones pixels are left out.
    """
    step = -(-max(picture[:2]) // side)
    small = _as_pictures(images, picture)[:, ::step, ::step]
    small = np.round(255 * np.clip(small, 0, 1)).astype(np.uint8)
    return small[..., None] if small.ndim == 3 else small


def filters(kernel: np.ndarray, picture: tuple[int, ...], title: str) -> Figure:
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
        panel.imshow(montage(0.5 + 0.5 * weights.reshape(-1, *picture), columns, 1.0))
        note = f'; grey is 0, full colour {limit:.2g}'
    else:
        grid = montage(weights.reshape(-1, *picture[:2]), columns, np.nan)
        shown = panel.imshow(grid * limit, cmap='RdBu_r', vmin=-limit, vmax=limit)
        figure.colorbar(shown, ax=panel, shrink=0.6, label='weight')
    panel.axis('off')
    words = f'first-layer filters: {len(chosen)} of {kernel.shape[1]}, largest norms{note}'
    panel.set_title(f'{title}\n{words}', fontsize=10)
    return figure


def spectra(measured: Mapping[str, tuple[np.ndarray, float]], title: str) -> Figure:
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
    figure.suptitle(title, fontsize=10)
    return figure


def latent(
    codings: np.ndarray,
    labels: np.ndarray | None,
    classes: Sequence[str],
    title: str,
    note: str = '',
) -> Figure:
    """Draws codings, [N, units], in a plane: of principal components, and by t-SNE.

    The latter (van der Maaten and Hinton 2008) is of 500 codings, where they have more than two
    units and ten of them differ. Of many they are spread evenly, for they may be in order of class.
    """
    places = evenly(len(codings), _SCATTERED)
    plane, shares = _plane(codings, places)
    least, most = _NEIGHBOURS
    few = evenly(len(codings), most)
    some = np.asarray(codings[few], np.float32)
    has_neighbours = codings.shape[1] > 2 and len(np.unique(some, axis=0)) >= least
    perplexity = min(30.0, (len(some) - 1) / 3)

    mapped = _neighbourly(some.tobytes(), some.shape, perplexity) if has_neighbours else None
    figure = Figure(figsize=(7.5 if mapped is None else 13, 6), layout='constrained')
    panels = figure.subplots(1, 1 if mapped is None else 2, squeeze=False)[0]
    of_few, of_many = (None if labels is None else labels[at] for at in (few, places))
    _scatter(panels[0], plane, of_many, classes)
    panels[0].set(
        xlabel=f'first principal component ({shares[0]:.0%} of the variance)',
        ylabel=f'second principal component ({shares[1]:.0%})',
    )
    figure.suptitle(f'{title}\n{note}' if note else title, fontsize=11)
    _legend(figure, panels, labels, classes)
    if mapped is not None:
        some_of = f'{len(plane):,} of ' if len(plane) < len(codings) else ''
        panels[0].set_title(f'principal components of {some_of}{len(codings):,} codes', size=10)
        _scatter(panels[1], mapped, of_few, classes)
        panels[1].set_title(f't-SNE of {len(some)} codes, perplexity {perplexity:.3g}', size=10)
        panels[1].set(xlabel='t-SNE 1, without a unit', ylabel='t-SNE 2', xticks=[], yticks=[])
    return figure


@functools.lru_cache(1)  # a classifier's frozen codes are those of its parent
def _neighbourly(codings: bytes, shape: tuple[int, ...], perplexity: float) -> np.ndarray:
    """Returns where t-SNE puts codings, float32 [N, units], in a plane, [N, 2]."""
    values = np.frombuffer(codings, np.float32).reshape(shape)
    from sklearn.manifold import TSNE  # here: it takes a while, and curves do not need it

    with threadpool_limits(1):  # its threads wait for each other: minutes on a busy machine
        return TSNE(perplexity=perplexity, max_iter=_ITERATIONS, random_state=0).fit_transform(
            values
        )


def _scatter(
    panel: Axes, plane: np.ndarray, labels: np.ndarray | None, classes: Sequence[str]
) -> None:
    """Draws points, [n, 2], in the colours of their labels, [n]; grey are those without one."""
    looks: dict[str, Any] = {}
    if labels is not None:
        order = np.argsort(labels >= 0, kind='stable')  # these lie over those without a label
        plane, labels = plane[order], labels[order]
        looks['c'] = np.array([*_colours(len(classes)), to_rgba(_NO_LABEL)])[labels]
    size = float(np.clip(4000 / len(plane), 8, 30))
    panel.scatter(plane[:, 0], plane[:, 1], s=size, alpha=0.7, linewidths=0, **looks)


def _legend(
    figure: Figure, panels: Sequence[Axes], labels: np.ndarray | None, classes: Sequence[str]
) -> None:
    """Says which colour a class has: by its name, of many classes by its number."""
    if labels is None:
        return
    colours, said = _colours(len(classes)), names(classes)
    if len(classes) > _NAMED:
        scale = ScalarMappable(Normalize(0, len(classes) - 1), ListedColormap(colours))
        figure.colorbar(scale, ax=list(panels), label='number of the class', shrink=0.8)
        colours, said = colours[:0], []
    if labels.min(initial=0) < 0:
        colours, said = np.array([*colours, to_rgba(_NO_LABEL)]), [*said, 'no label']
    marks = [panels[0].scatter([], [], s=40, color=colour) for colour in colours]
    if marks:
        figure.legend(marks, said, loc='outside right center', fontsize=8)


def shortened(name: str, most: int = 24) -> str:
    """Returns a name with its middle left out where it is longer than a figure has room for."""
    if len(name) <= most:
        return name
    return f'{name[: most // 2 - 1]}...{name[-(most - most // 2 - 2) :]}'


def names(classes: Sequence[str]) -> list[str]:
    """Returns the classes' names shortened, with their numbers where two would read alike."""
    short = [shortened(name) for name in classes]
    alike = {name for name in short if short.count(name) > 1}
    return [f'{i}: {name}' if name in alike else name for i, name in enumerate(short)]


def latent_pictures(
    codings: np.ndarray,
    places: np.ndarray,
    images: np.ndarray,
    picture: tuple[int, ...],
    title: str,
) -> Figure:
    """Draws pictures, [n, pixels], where the codings in n places, of all [N, units], lie.

    The plane is that of the codings' first two principal components.
    """
    plane, _ = _plane(codings, places)
    figure = Figure(figsize=(10, 9), layout='constrained')
    panel = figure.subplots()
    small = thumbnails(images, picture, _THUMBNAIL)
    tall, wide = small.shape[1:3]
    side = _THUMBNAILS_ACROSS * max(tall, wide)
    least, span = plane.min(axis=0), np.maximum(np.ptp(plane, axis=0), 1e-6)
    room = np.array([side - wide, side - tall])  # where corners may lie
    canvas = np.full((side, side, 3), 255, np.uint8)
    for place, thumbnail in zip((plane - least) / span, small, strict=True):
        left, bottom = (place * room).astype(int)
        canvas[bottom : bottom + tall, left : left + wide] = thumbnail[::-1]
    around = np.array([wide, tall]) / 2 / room * span  # from a corner's place to the picture's edge
    (left, bottom), (right, top) = least - around, least + span + around
    panel.imshow(canvas, origin='lower', extent=(left, right, bottom, top), aspect='auto')
    panel.set_box_aspect(1)  # as the canvas is, or pictures would be stretched
    panel.set(xlabel='first principal component', ylabel='second principal component', title=title)
    return figure


def _plane(codings: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Returns where some of all codings, [N, units], lie in the principal plane of all.

    That is [places, 2], with the shares of the variance; N is at least 2.
    """
    from sklearn.decomposition import PCA  # here, as TSNE

    # Codes that are all dead have no variance to share; threads as in `_neighbourly`.
    with np.errstate(invalid='ignore'), threadpool_limits(1):
        centred = codings - codings.mean(axis=0)
        fitted = PCA(min(2, codings.shape[1])).fit(centred)
    plane = fitted.transform(centred[places])
    if plane.shape[1] == 1:
        plane = np.column_stack([plane, np.zeros(len(plane))])
    return plane, [*np.nan_to_num(fitted.explained_variance_ratio_), 0.0]


def _colours(count: int) -> np.ndarray:
    """Returns a colour a class, [count, 4]."""
    if count > _NAMED:
        return colormaps['turbo'](np.linspace(0, 1, count))
    return colormaps['tab10' if count <= 10 else 'tab20'](range(count))


def confusion(
    labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], title: str
) -> Figure:
    """Draws the confusion matrix: counts, with the diagonal left uncoloured."""
    predicted, size = probabilities.argmax(axis=1), len(classes)
    counts = np.zeros((size, size), int)
    np.add.at(counts, (labels, predicted), 1)
    errors = np.where(np.eye(size, dtype=bool), 0, counts)
    side = float(np.clip(2.6 + 0.45 * size, 4.2, 14))
    cell = 55 * side / size  # points, about
    figure = Figure(figsize=(side + 1.6, side + 0.4), layout='constrained')
    panel = figure.subplots()
    shown = panel.imshow(errors, cmap='Reds', vmin=0, vmax=max(errors.max(), 1))
    whole = MaxNLocator(integer=True)
    figure.colorbar(
        shown, ax=panel, shrink=0.8, ticks=whole, label='examples taken for another class'
    )
    between = -(-size // _CELLS)
    places, words = range(0, size, between), names(classes)[::between]
    points = float(np.clip(0.8 * cell * between, 4.5, 10))
    slanted: dict[str, Any] = {}
    if 0.65 * points * max(map(len, words)) > cell * between:  # wider than there is room for
        slanted = {'rotation': 40, 'ha': 'right', 'rotation_mode': 'anchor'}
        slanted = {'rotation': 90} if size > 12 else slanted
    panel.set_xticks(places, words, fontsize=points, **slanted)
    panel.set_yticks(places, words, fontsize=points)
    if size <= _NUMBERED:
        _counted(panel, counts, errors, float(np.clip(0.3 * cell, 5, 14)))
    figure.suptitle(title, fontsize=10)
    panel.set(xlabel='predicted', ylabel='true')
    return figure


def _counted(panel: Axes, counts: np.ndarray, errors: np.ndarray, points: float) -> None:
    """Writes counts into their cells; of few classes, the share of the true class below."""
    totals, dark = np.maximum(counts.sum(axis=1), 1), max(errors.max(), 1) / 2
    for (row, column), count in np.ndenumerate(counts):
        share = f'\n{count / totals[row]:.1%}' if len(counts) <= 5 else ''
        panel.text(
            column, row, f'{count:,}{share}' if count else '', ha='center', va='center',
            color='white' if errors[row, column] > dark else 'black', fontsize=points,
            fontweight='bold' if row == column else 'normal',
        )  # fmt: skip


def surely_wrong(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns the rows that are classified wrongly with the highest confidence, surest first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    confidence = probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-confidence, kind='stable')][: 2 * SHOWN]


def most_confused(
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    picture: tuple[int, ...],
    title: str,
) -> Figure:
    """Draws pictures, [n, pixels], with their labels, and what they are taken for how surely."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    lines = -(-len(images) // SHOWN)
    figure = Figure(figsize=(1.3 * SHOWN, 1.9 * lines + 0.4), layout='constrained')
    panels = figure.subplots(lines, SHOWN, squeeze=False).ravel()
    for panel in panels:
        panel.axis('off')
    for row, (panel, image) in enumerate(zip(panels, _drawable(images, picture), strict=False)):
        panel.imshow(image, cmap='gray', vmin=0, vmax=1)
        panel.set_title(
            f'{shortened(classes[labels[row]], 16)} taken for\n'
            f'{shortened(classes[predicted[row]], 14)} ({confidence[row]:.0%})',
            fontsize=8,
        )
    words = 'most confused: wrong with the highest stated probability'
    figure.suptitle(f'{title}\n{words}', fontsize=10)
    return figure


def planes(
    codings: np.ndarray,
    projection: np.ndarray,
    labels: np.ndarray | None,
    classes: Sequence[str],
    title: str,
) -> Figure:
    """Draws a linear autoencoder's codings, [N, 2], fitted linearly onto PCA's, over PCA's."""
    design = np.column_stack([codings, np.ones(len(codings))])
    mapped = design @ np.linalg.lstsq(design, projection, rcond=None)[0]
    figure = Figure(figsize=(7.5, 5), layout='constrained')
    panel = figure.subplots()
    rings: dict[str, Any] = {'s': 50, 'facecolors': 'none', 'edgecolors': 'gray'}
    panel.scatter(*projection.T, **rings, label='principal components')
    _scatter(panel, mapped, labels, classes)
    coloured = '' if labels is None else ', in the colours of their classes'
    panel.scatter([], [], s=8, color='black', label=f'codes, mapped linearly onto them{coloured}')
    panel.set(xlabel='first component', ylabel='second component')
    panel.set_title(f'{title}\ncodes beside principal components', fontsize=10)
    panel.legend(fontsize=8)
    _legend(figure, [panel], labels, classes)
    return figure
