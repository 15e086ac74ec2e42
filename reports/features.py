"""Figures of features: sequences as lines, errors by step and by feature of a table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from evaluation import metrics

_LINES = 6  # features of a sequence, a row of panels each
_SCATTERED = 12  # features of a table, a panel each
_BARS = 40  # features of a table, at most, that are all numbered
_WORST = 30  # of more features, those with the largest error
_POINTS = 1000  # examples at most in a panel
_LOOKS = {  # prefix of what a network makes -> its line
    '': ('reconstructed', 'C1', '-'),
    'future_': ('predicted', 'C3', '-'),
}


def series(
    fed: np.ndarray,
    made: Mapping[str, np.ndarray],
    follows: np.ndarray | None,
    length: np.ndarray | None,
    title: str,
    places: np.ndarray | None = None,
) -> Figure:
    """Draws sequences, [n, T, D], as lines over their steps: a column each, a row a feature.

    `made` are the reconstruction, [n, T, D], and under `future_` the prediction of what `follows`,
    [n, F, D]. Of each sequence only the first `length` steps, [n], are drawn. Of more than six
    features those of the largest variance are. `places` [n] are the sequences' rows in the source.
    """
    count, steps, features = fed.shape
    lengths = np.full(count, steps) if length is None else length
    variance = np.concatenate([s[:n] for s, n in zip(fed, lengths, strict=True)]).var(axis=0)
    chosen = np.sort(np.argsort(-variance, kind='stable')[:_LINES])
    if features > _LINES:
        title += f'\n{_LINES} of {features} features, those of the largest variance'
    size = (max(2.9 * count, 6), 1.7 * len(chosen) + 1.2)
    figure = Figure(figsize=size, layout='constrained')
    panels = figure.subplots(len(chosen), count, squeeze=False, sharex=True, sharey='row')
    for (row, column), panel in np.ndenumerate(panels):
        feature, last = chosen[row], lengths[column]
        panel.plot(range(1, last + 1), fed[column, :last, feature], '.-', color='black', ms=3,
                   lw=1, label='fed')  # fmt: skip
        for prefix, values in made.items():
            label, colour, style = _LOOKS[prefix]
            line = values[column, : None if prefix else last, feature]
            first = steps + 1 if prefix else 1
            marker = 'o' if len(line) == 1 else ''
            panel.plot(range(first, first + len(line)), line, style, color=colour, marker=marker,
                       lw=1.5, label=label)  # fmt: skip
        if follows is not None:
            line = follows[column, :, feature]
            panel.plot(range(steps + 1, steps + 1 + len(line)), line, '.--', color='gray', ms=3,
                       lw=1, label='what follows')  # fmt: skip
            panel.axvline(steps + 0.5, color='gray', lw=0.6)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panel.grid(alpha=0.3)
        panel.tick_params(labelsize=7)
        if row == 0:
            row_of = f'sequence {column}' if places is None else f'row {places[column]}'
            panel.set_title(row_of, fontsize=9)
        if row == len(chosen) - 1:
            panel.set_xlabel('step, from 1', fontsize=8)
        if column == 0:
            panel.set_ylabel(f'feature {feature}', fontsize=8)
    lines, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(lines, labels, loc='outside lower center', ncols=4, fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=10)
    return figure


def error_by_step(
    panels: Mapping[str, Mapping[str, np.ndarray]], title: str, counts: np.ndarray | None = None
) -> Figure:
    """Draws the squared error of sequences against the step, a line for each of a panel's [T].

    NaN, where no sequence has the step, is a gap. `counts` [T] are the sequences that each step's
    mean is of, where these are not the same all along; they are drawn below.
    """
    lines = 1 if counts is None else 2
    size = (5.2 * len(panels), 3.6 if counts is None else 4.4)
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots(
        lines, len(panels), squeeze=False, sharex='col', sharey='row', height_ratios=(5, 1)[:lines]
    )
    for panel, (made, errors) in zip(axes[0], panels.items(), strict=True):
        for label, values in errors.items():
            style = '-' if label == 'network' else '--'
            marker = 'o' if np.isfinite(values).sum() == 1 else ''
            panel.plot(range(1, len(values) + 1), values, style, marker=marker, label=label)
        panel.set(title=made, ylim=(0, None))
        panel.legend(fontsize=8)
    if counts is not None:
        for panel in axes[1]:
            panel.stairs(counts, np.arange(len(counts) + 1) + 0.5, fill=True, color='0.75')
            panel.set_yticks([0, int(counts.max())])
            panel.tick_params(axis='y', labelsize=8)
        axes[1, 0].set_ylim(0, 1.1 * counts.max())
        axes[1, 0].set_ylabel('sequences', fontsize=8)
    for panel in axes.flat:
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panel.grid(alpha=0.3)
    for panel in axes[-1]:
        panel.set_xlabel('step, from 1')
    axes[0, 0].set_ylabel(metrics.find('mse').unit)
    figure.suptitle(title, fontsize=10)
    return figure


def by_feature(
    inputs: np.ndarray,
    outputs: np.ndarray,
    title: str,
    what: str = 'feature',
    mean: np.ndarray | None = None,
    scale: np.ndarray | None = None,
) -> Figure:
    """Draws how well each feature of a table comes back, of inputs and outputs, both [N, features].

    Of few features it is the output against the input, a panel each; of more it is the error, the
    largest first, beside that of the training examples' `mean` [features], where that is known; in
    units of `scale` [features], where a network standardises. Features are numbered from 0, as the
    columns of the inputs are; `what` says what they are called.
    """
    errors = _errors(outputs, inputs)
    if inputs.shape[1] <= _SCATTERED:
        apart = -(-len(inputs) // _POINTS)
        return _scattered(inputs[::apart], outputs[::apart], errors, title, what)
    guessed = None if mean is None else _errors(mean.astype(inputs.dtype), inputs)
    unit = 'mean squared error'
    if scale is not None:
        squared = np.square(scale, dtype=np.float64)
        errors, unit = errors / squared, f'{unit}, of standardised values'
        guessed = None if guessed is None else guessed / squared
    return _ranked(errors, guessed, title, what, unit)


def _errors(made: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns the mean squared error of each feature, [features]."""
    return np.asarray(np.mean((made - wanted) ** 2, axis=0, dtype=np.float64))


def _scattered(
    inputs: np.ndarray, outputs: np.ndarray, errors: np.ndarray, title: str, what: str
) -> Figure:
    count = inputs.shape[1]
    columns = min(count, 4)
    lines = -(-count // columns)
    figure = Figure(figsize=(max(2.6 * columns, 5), 2.7 * lines + 0.8), layout='constrained')
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel in panels[count:]:
        panel.axis('off')
    for feature, panel in enumerate(panels[:count]):
        x, y = inputs[:, feature], outputs[:, feature]
        least, most = min(x.min(), y.min()), max(x.max(), y.max())
        aside = 0.05 * (most - least) or 0.5  # of a feature that is one value
        ends = (least - aside, most + aside)
        panel.plot(ends, ends, '-', color='gray', lw=0.8)
        panel.scatter(x, y, s=8, alpha=0.5)
        panel.set(xlim=ends, ylim=ends, aspect='equal')
        panel.set_title(f'{what} {feature}: error {errors[feature]:.3g}', fontsize=9)
        panel.tick_params(labelsize=7)
        panel.locator_params(nbins=4)  # whose names have room, however long
        panel.grid(alpha=0.3)
    figure.supxlabel('input', fontsize=9)
    figure.supylabel('output', fontsize=9)
    figure.suptitle(f'{title}\nline: output = input; error: mean squared', fontsize=10)
    return figure


def _ranked(
    errors: np.ndarray, guessed: np.ndarray | None, title: str, what: str, unit: str
) -> Figure:
    """Draws errors, [features], the largest first; `guessed` are those of the training mean."""
    is_log, note = _is_wide(errors, guessed), ''
    order = np.argsort(-errors, kind='stable')
    if is_log and (exact := int(np.sum(errors == 0))):
        order, note = order[:-exact], f' ({exact} without an error are left out)'
    every = len(order) <= _BARS
    named = order if every else order[:_WORST]
    figure = Figure(figsize=(10, 4.2 if every else 7.6), layout='constrained')
    panels = figure.subplots(1 if every else 2, 1, squeeze=False)[:, 0]
    places = range(len(named))
    if is_log:  # where a bar's length would be that from wherever the axis begins
        panels[0].plot(places, errors[named], 'o', color='C0', ms=5, label='network')
    else:
        panels[0].bar(places, errors[named], color='C0', label='network')
    if guessed is not None:
        panels[0].plot(places, guessed[named], '_', color='black', ms=9,
                       label='error of the training mean')  # fmt: skip
    panels[0].set_xticks(places, [str(f) for f in named], rotation=90, fontsize=8)
    panels[0].set_xlim(-0.7, len(named) - 0.3)
    panels[0].set_xlabel(f'{what}: its column in the inputs, from 0{note}', fontsize=9)
    if not every:
        panels[0].set_title(f'the {_WORST} {what}s of the largest error', fontsize=9)
        ranks = range(1, len(order) + 1)
        if guessed is not None:
            panels[1].plot(ranks, guessed[order], '.', color='black', ms=3, alpha=0.5)
        panels[1].plot(ranks, errors[order], '-', color='C0', lw=2)
        panels[1].set_title(f'all {len(order):,} {what}s, by their error', fontsize=9)
        panels[1].set_xlabel(f'rank of the {what}', fontsize=9)
    for panel in panels:
        if is_log:
            panel.set_yscale('log')
        panel.set_ylabel(unit, fontsize=9)
        panel.grid(axis='y', alpha=0.3)
    figure.legend(loc='outside lower center', ncols=2, fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=10)
    return figure


def _is_wide(errors: np.ndarray, guessed: np.ndarray | None) -> bool:
    """Whether most errors would not be seen on an axis that is not logarithmic."""
    some = errors[errors > 0]
    most = max(errors.max(), 0.0 if guessed is None else guessed.max())
    return len(some) > 0 and bool(most > 100 * np.median(some))
