"""The values of examples: the range a network is trained on, its scale, and what is brought to it.

A column is a feature of a table, a channel of pictures, a feature of every step of sequences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from inputs.rows import Dataset, Rows
from inputs.shards import Records
from inputs.spec import Spec, Values
from inputs.splits import evenly
from system.errors import DataError
from system.lines import say, setting

SCALERS: dict[str, Callable[[], Any]] = {  # of the field 'standardize'; a constant column stays so
    'mean_std': StandardScaler,
    'min_max': MinMaxScaler,
}
_BYTE = 255.0
_READ = 10_000_000  # numbers looked at together
_COLUMNS = 1 << 16  # of a table, at most, whose ranges are kept one by one
_FEW = 10  # examples below which a range says too little to refuse them
_HUGE = 1e6  # a value whose error, squared, leaves little room in float32
_DEVIATIONS = (0.0067, 148.0)  # of a Gaussian whose log-variance is within 10 of 0
_GREATEST = 1e18  # a value whose square float32 holds, and so many of them
_NARROW = 50  # part of a range, in which all values of several examples do not lie by chance
_FAR = 10  # ranges outside of the range, which no value of the same scale is
_ODD = f'; rows that are odd for being so can be given fewer than {_FEW} at a time'
_HALF = 0.5  # of the range, which pictures on [0, 1] and on [-1, 1] lie outside of each other
_ROUNDING = 1e-6
_ALIKE = 1e-3  # of a number, and of 1, about which a column that was constant is still the same
_SHOWN = 5  # rows that are named


Say = Callable[[str], None]


class Range(NamedTuple):
    """The least and greatest value of each column, [columns]."""

    least: np.ndarray
    most: np.ndarray


def measured(rows: Rows, spec: Spec, check: Callable[[], None] = lambda: None) -> Range:
    """Returns the range of the rows' columns, as the network reads them.

    Bytes on disk are not read for it, but for a few: they are taken to be of the whole range where
    not all of those are 0 and 1.
    """
    if isinstance(rows.x, Records) and rows.x.dtype == np.uint8 and not spec.one_hot:
        few = evenly(len(rows), max(1, _READ // math.prod(rows.x.shape[1:])))
        if rows.take(few).x[:].max(initial=0) > 1:
            columns = spec.shape[-1]
            return Range(np.zeros(columns), np.full(columns, _BYTE / rows.most))
    least: Any = np.inf
    most: Any = -np.inf
    for part in _parts(rows, spec):
        check()
        least = np.minimum(least, part.min(axis=0))
        most = np.maximum(most, part.max(axis=0))
    unit = _unit(rows, spec)
    return Range(least / unit, most / unit)


def scales(
    rows: Rows, spec: Spec, kind: str, check: Callable[[], None] = lambda: None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns what is taken from each column, and what it is divided by then, [columns] float32.

    `kind` is a name of SCALERS: to mean 0 and deviation 1, or to [0, 1].
    """
    scaler = SCALERS[kind]()
    for part in _parts(rows, spec):
        check()
        scaler.partial_fit(part / np.float64(_unit(rows, spec)))
    if kind == 'mean_std':
        return scaler.mean_.astype(np.float32), scaler.scale_.astype(np.float32)
    return scaler.data_min_.astype(np.float32), (1 / scaler.scale_).astype(np.float32)


def means(rows: Rows, spec: Spec) -> np.ndarray:
    """Returns the mean of each column, as the network reads it, [columns] float64."""
    total: Any = 0.0  # to begin with; then an array
    count = 0
    for part in _parts(rows, spec):
        total = total + part.sum(axis=0, dtype=np.float64)
        count += len(part)
    return np.asarray(total / count / _unit(rows, spec))


def _parts(rows: Rows, spec: Spec) -> Iterator[np.ndarray]:
    """Yields the rows' values as they are held, [n, columns], of sequences the steps that count."""
    size = max(1, _READ // math.prod(spec.shape))
    held = _held(rows, spec)
    for start in range(0, len(rows), size):
        made = held[start : start + size]
        if rows.length is not None:
            counted = np.arange(made.shape[1]) < rows.length[start : start + size, None]
            made = made[counted]
        yield made.reshape(-1, made.shape[-1])


def _held(rows: Rows, spec: Spec) -> np.ndarray | Records:
    """Returns what is reconstructed of the rows, as it is held."""
    return rows.x if not spec.one_hot or rows.target is None else rows.target


def _unit(rows: Rows, spec: Spec) -> float:
    """Returns what held values are divided by when they are read."""
    return rows.most if _held(rows, spec).dtype == np.uint8 else 1.0


def described(
    rows: Rows, spec: Spec, found: Range, check: Callable[[], None] = lambda: None
) -> Values:
    """Returns what is kept of the values that a network is trained on."""
    few = not spec.is_drawn and len(found.least) <= _COLUMNS
    least, most = float(found.least.min()), float(found.most.max())
    is_bytes = _held(rows, spec).dtype == np.uint8
    return Values(
        least=least,
        most=most,
        is_bytes=is_bytes,
        is_whole=not is_bytes and _looks_like_bytes(least, most, rows.x, check=check),
        columns=tuple(
            (float(a), float(b)) for a, b in zip(found.least, found.most, strict=True) if few
        ),
    )


def doubts(rows: Rows, values: Values, *, standardized: bool = False, loss: str = '') -> str:
    """Says what looks wrong with the scale of training data; '' where nothing does.

    Where they are `standardized` by the network, their scale does no harm. Of a Gaussian `loss` the
    deviation of the errors is learned, within bounds.
    """
    if values.is_bytes and 0 < values.most <= 1 / _BYTE:
        if rows.files is not None:
            return 'all pictures are black, or all but: no pixel is above 1 of 255'
        return (
            'x is uint8 with a greatest value of 1, which is read as 1/255; if these are zeros and '
            'ones, save them as x.astype(numpy.float32)'
        )
    if (size := max(-values.least, values.most)) > _GREATEST or 0 < size < 1 / _GREATEST:
        return (
            f'has values from {values.least:g} to {values.most:g}, whose squares float32 does not '
            'hold: errors in their unit are infinite or 0; give them in another unit'
        )
    if standardized:
        return ''
    if values.is_whole:
        return (
            f'has values from {values.least:g} to {values.most:g}, which look unscaled; bytes '
            '(numpy.uint8) are scaled to [0, 1], and '
            f'{setting("standardize=min_max")} does so with any'
        )
    if max(-values.least, values.most) >= _HUGE:
        return (
            f'has values from {values.least:g} to {values.most:g}, of which training may not find '
            f'a way; {setting("standardize=mean_std")} brings them near 0'
        )
    least, most = _DEVIATIONS
    if loss == 'gaussian' and not least < (values.most - values.least) / 4 < most:
        return (
            f'has values from {values.least:g} to {values.most:g}; the deviation of errors that '
            f'{setting("loss=gaussian")} learns is between {least:g} and {most:g}; '
            f'{setting("standardize=mean_std")} brings them there'
        )
    return ''


def _looks_like_bytes(
    least: float,
    most: float,
    x: np.ndarray | Records,
    above: float = _BYTE / 2,
    check: Callable[[], None] = lambda: None,
) -> bool:
    """Whether values are whole numbers that a byte holds, the greatest of them `above` so much."""
    if not (least >= 0 and above < most <= _BYTE):
        return False
    size = max(1, _READ // max(1, math.prod(x.shape[1:])))
    for start in range(0, len(x), size):
        check()
        part = x[start : start + size]
        if (part != np.round(part)).any():
            return False
    return True


def brought(data: Dataset, trained: Values | None, say: Say = say) -> Dataset:
    """Returns data in the range that a run was `trained` on, having said what was done to it.

    Bytes are read as numbers from 0 to 255, or from 0 to 1, as the run's were; so are floats that
    are whole numbers up to 255, but those of a table or series, which may be anything. What is of
    another scale is refused: raises DataError.
    """
    if trained is None:
        return data
    splits = data.mapped(lambda _, rows: _brought(data, rows, trained, say))
    is_recorded = all(splits[name] is rows for name, rows in data.splits.items())
    # In that folder is kept what other runs, too, are compared with: of those numbers alone.
    return data._replace(splits=splits, folder=data.folder if is_recorded else None)


def check_scale(data: Dataset, trained: Values | None) -> None:
    """Raises DataError where training data are of another scale than what a parent was trained on.

    What would be brought to its scale when a finished run is applied is not, in training.
    """
    said: list[str] = []
    rows = data.splits['train']
    made = brought(data._replace(splits={'train': rows}), trained, said.append)
    if made.splits['train'] is not rows:
        raise DataError(
            f'{said[-1]}. Training does not do that, as use of a run does: save them so, or train '
            'the parent on these'
        )
    for line in said:
        say(line)


def _brought(data: Dataset, rows: Rows, trained: Values, say: Say) -> Rows:
    drawn = data.spec.is_drawn
    if rows.x.dtype == np.uint8:
        return _of_bytes(data, rows, trained, say)
    found = measured(rows, data.spec)
    least, most = float(found.least.min()), float(found.most.max())
    above = 1 if trained.is_bytes else _BYTE / 2
    greys = trained.in_unit and (drawn or trained.is_bytes)
    if greys and _looks_like_bytes(least, most, rows.x, above):
        say(f'{data.key}: values from {least:g} to {most:g} are divided by 255: {_was(trained)}')
        return replace(rows, x=rows.x[:] / np.float32(_BYTE))
    if trained.is_bytes and _looks_like_bytes(least, most, rows.x, above=0):
        say(
            f'warning: {data.key}: values of 0 and 1 alone are taken as they are, not as bytes, '
            f'which numpy.uint8 would be: {_was(trained)}'
        )
    if trained.is_whole and drawn and least >= 0 and most <= 1 and most > 0:
        say(f'{data.key}: values from {least:g} to {most:g} are times 255: {_was(trained)}')
        return replace(rows, x=rows.x[:] * np.float32(_BYTE))
    _compare(data, rows, found, trained, say)
    return rows


def _of_bytes(data: Dataset, rows: Rows, trained: Values, say: Say) -> Rows:
    """Returns bytes as the numbers that the run was trained on.

    Greys are those of pictures, and of sequences, whose steps may be rows of some.
    """
    drawn = data.spec.is_drawn
    greys = drawn or bool(data.spec.picture)
    stored = isinstance(rows.x, Records)
    most = _BYTE if stored else float(rows.x[:].max(initial=0))
    if trained.is_bytes or (greys and trained.in_unit and (most > 1 or not most)):
        return rows
    is_deeper = drawn and trained.most > 2 * _BYTE  # pictures of more bits than these
    if trained.least >= 0 and most <= 2 * trained.most and not is_deeper:
        numbers = replace(rows, most=1.0)
        if not drawn:  # which may all be dark
            _compare(data, numbers, measured(numbers, data.spec), trained, say)
        few = 'of 0 and 1 are taken as these numbers'
        words = few if 0 < most <= 1 else f'are taken as numbers from 0 to {most:g}'
        say(f'{data.key}: bytes {words}: {_was(trained)}')
        return numbers
    raise DataError(
        f'{data.key}: holds bytes, from 0 to {most:g}; {_was(trained)}. Give it as an array (x of '
        'an .npz) that is scaled as its training data were'
    )


def _compare(data: Dataset, rows: Rows, found: Range, trained: Values, say: Say) -> None:
    """Warns where values lie outside the range trained on; raises DataError for another scale."""
    least, most = float(found.least.min()), float(found.most.max())
    span = (trained.most - trained.least) or 1.0
    said = f'{data.key}: values from {least:g} to {most:g}; {_was(trained)}'
    all_ranges = np.array([(trained.least, trained.most)])
    beyond, _ = _beyond(rows, all_ranges)
    drawn = not trained.columns  # of which one range holds for all
    elsewhere = _elsewhere(rows, data.spec, trained)
    if len(rows) < _FEW:
        if elsewhere:
            say(f'warning: {data.key}: {elsewhere}')
            return
    else:
        narrow = 0 < most - least < span / _NARROW
        another = narrow or 2 * np.sum(beyond > _FAR) > len(rows)
        if elsewhere and not another:
            raise DataError(f'{data.key}: {elsewhere}{_ODD}')
        if another or (drawn and 2 * np.sum(beyond >= _HALF) > len(rows)):
            raise DataError(f'{said}. Scale them as the training data were scaled{_ODD}')
        if drawn and most - least <= (_HALF + _ROUNDING) * span:
            say(f'warning: {said}: is that the same scale?')
    if len(trained.columns) != data.spec.shape[-1]:
        outside = np.flatnonzero(beyond >= _HALF)
        if len(outside):
            say(f'warning: {said}: {_named(rows, outside)} far outside of that')
        return
    each, columns = _beyond(rows, np.array(trained.columns))
    outside = np.flatnonzero(each > 1)
    if len(outside):
        column = int(columns[outside[0]])
        say(
            f'warning: {data.key}: {_named(rows, outside)} far outside of what the run was trained '
            f'on, as feature {column}, {_range(trained, column)}'
        )


def _beyond(rows: Rows, ranges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns how far each row lies outside of `ranges` [columns, 2], and in which column most.

    [N] each; in ranges, at least 0; where nothing was outside of one number, in parts of that.
    """
    least, most = ranges[:, 0], ranges[:, 1]
    size = np.where(most > least, most - least, _ALIKE * (1 + np.abs(least)))
    furthest, columns = [np.zeros(0)], [np.zeros(0, int)]
    step = max(1, _READ // math.prod(rows.x.shape[1:]))
    for start in range(0, len(rows), step):
        held = rows.floats(start, start + step)
        part = held.reshape(len(held), -1, len(ranges))
        away = np.maximum(least - part, part - most) / size
        if rows.length is not None:  # what is after the steps that count is no value
            counted = np.arange(held.shape[1]) < rows.length[start : start + step, None]
            per_step = part.shape[1] // held.shape[1]
            away[~np.repeat(counted, per_step, axis=1)] = 0
        each = away.max(axis=1)
        furthest.append(each.max(axis=1).clip(min=0))
        columns.append(each.argmax(axis=1))
    return np.concatenate(furthest), np.concatenate(columns)


def _named(rows: Rows, chosen: np.ndarray) -> str:
    """Returns how many rows are chosen, and which they are in their source."""
    first = ', '.join(map(str, rows.places[chosen[:_SHOWN]]))
    verb = 'lies' if len(chosen) == 1 else 'lie'
    more = ', ...' if len(chosen) > _SHOWN else ''
    word = 'row' if len(chosen) == 1 else 'rows'
    return f'{len(chosen)} of {len(rows)} examples ({word} {first}{more}) {verb}'


def _range(trained: Values, column: int) -> str:
    least, most = trained.columns[column]
    return f'there from {least:g} to {most:g}' if most > least else f'always {least:g} there'


def _elsewhere(rows: Rows, spec: Spec, trained: Values) -> str:
    """Says so where the median of most columns lies outside of the range that was trained on."""
    if len(trained.columns) != spec.shape[-1]:
        return ''
    some = next(_parts(rows, spec)) / _unit(rows, spec)
    median, ranges = np.median(some, axis=0), np.array(trained.columns)
    slack = 1e-3 * (ranges[:, 1] - ranges[:, 0]) + 1e-6
    outside = (median < ranges[:, 0] - slack) | (median > ranges[:, 1] + slack)
    if 2 * outside.sum() <= len(outside):
        return ''
    first = int(outside.argmax())
    return (
        f'the medians of {outside.sum()} of {len(outside)} features lie outside of what the run '
        f'was trained on, as that of feature {first}, {median[first]:g}, {_range(trained, first)}. '
        'Give them in the same order, and scale them as the training data were scaled'
    )


def _was(trained: Values) -> str:
    words = 'bytes, read as numbers from' if trained.is_bytes else 'values from'
    return f'the run was trained on {words} {trained.least:g} to {trained.most:g}'
