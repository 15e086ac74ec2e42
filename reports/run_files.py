"""What each file in a run's folder may hold: config, results, environment, metrics.

A folder may be somebody else's, edited, or cut by a disk. Each function reads one file, whole and
checked, and needs no TensorFlow. It raises Damage, in words, for what such a file may not hold, and
OSError where it cannot be read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evaluation.overfit import Course
from inputs.spec import Spec, from_json, size
from parameters import DATASETS, Experiment, restore
from system import received
from system.errors import DataError, UsageError
from system.received import Damage, is_count, is_number, is_score, is_text

CONFIG, RESULTS, ENVIRONMENT = 'config.json', 'results.json', 'environment.json'
METRICS = 'metrics.csv'
POSITION = ('phase', 'epoch', 'step', 'seconds', 'examples_per_second')
NUMBERS = ('parameters', 'updates', 'seconds', 'examples_per_second')  # of results.json's top
_SPLITS = ('train/', 'validation/')  # what the other columns of metrics.csv begin with
_LARGEST = {CONFIG: 1 << 24, RESULTS: 1 << 22, ENVIRONMENT: 1 << 20, METRICS: 1 << 27}  # bytes
_MOST_METRICS = 10_000
_MOST_COLUMNS = 1000
_MOST_SAID = 100  # of an environment
_WHOLE = re.compile(r'\d{1,15}', re.ASCII)
_FINITE = r'[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?'
_NUMBER = re.compile(_FINITE, re.ASCII | re.IGNORECASE)
_SCORE = re.compile(rf'({_FINITE}|[-+]?inf|nan)?', re.ASCII | re.IGNORECASE)
_SIDES = {'flat': 1, 'one-hot': 1, 'steps': 2, 'maps': 3}  # of an example, by how it is laid out
_COURSE: dict[str, Callable[[Any], bool]] = {
    'epochs': is_count,
    'best_epoch': is_count,
    'best': is_score,
    'last': is_score,
    'overfits': lambda value: isinstance(value, bool),
    'advised': is_count,
}


@contextmanager
def said(file: Path, remedy: str) -> Iterator[None]:
    """Raises DataError, one line with the file's name and a remedy, for what is wrong with it.

    That it is not there is left as it is.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f'{file}: cannot be read ({error.strerror})') from None
    except Damage as fault:
        raise DataError(f'{file}: damaged ({fault}); {remedy}') from None


def config(folder: Path) -> dict[str, Any]:
    """Returns a run's configuration: the `experiment`, and, once they were read, its `data`.

    It is empty where the file holds nothing.
    """
    found = received.read_object(folder / CONFIG, _LARGEST[CONFIG])
    if found:
        experiment_in(found, any_data=True)
    if 'data' in found:
        _check_data(found['data'])
    if not is_text(found.get('parent', '')):
        raise Damage('parent is no checksum')
    return found


def experiment_in(found: Mapping[str, Any], *, any_data: bool = False) -> Experiment:
    """Returns the experiment of a configuration; of `any_data`, that of a user's own is another's.

    Raises Damage for what is none.
    """
    saved = found.get('experiment')
    if not isinstance(saved, dict):
        raise Damage('without an experiment')
    try:
        return restore(_on_known_data(saved) if any_data else saved)
    except UsageError as error:
        raise Damage(str(error)) from None
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        raise Damage(f'no experiment: {type(error).__name__}') from None


def _on_known_data(saved: dict[str, Any]) -> dict[str, Any]:
    """Returns an experiment and its parents with a data set that is known, where theirs is not."""
    made = dict(saved)
    if is_text(made.get('dataset')) and made['dataset'] not in DATASETS:
        made['dataset'] = DATASETS[0]
    if isinstance(made.get('parent'), dict):
        made['parent'] = _on_known_data(made['parent'])
    return made


def _check_data(data: Any) -> None:
    if not isinstance(data, dict):
        raise Damage('data is no object')
    for name in ('key', 'digest'):
        if not is_text(data.get(name, '')):
            raise Damage(f'data.{name} is no text, or too long')
    if 'shape' in data:
        spec_in(data)
    recorded_in(data)


def recorded_in(data: Mapping[str, Any]) -> tuple[int, ...]:
    """Returns the shape of an example as it was recorded, () of earlier runs; raises Damage."""
    try:
        return size('recorded', data.get('recorded', []))
    except ValueError as error:
        raise Damage(f'data: {error}') from None


def spec_in(data: Any) -> Spec:
    """Returns what a network must know of its data; raises Damage for what says that not."""
    try:
        return from_json(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise Damage(f'data is not as it was written ({type(error).__name__}: {error})') from None
    except ValueError as error:
        raise Damage(f'data: {error}') from None


def of_finished(found: Mapping[str, Any]) -> tuple[Experiment, Spec]:
    """Returns what a finished run is, and of which data, by its configuration.

    Raises Damage where one does not fit the other.
    """
    name = (found.get('experiment') or {}).get('dataset', DATASETS[0])
    if is_text(name) and name not in DATASETS:
        raise Damage(f'dataset={name}: one of your own is read by the file that --inst names')
    experiment, spec = experiment_in(found), spec_in(found.get('data'))
    layout, picture, shape = experiment.layout, spec.picture, spec.shape
    if layout and len(shape) != _SIDES[layout]:
        raise Damage(f'data.shape of {len(shape)} sides, network={experiment.network} reads others')
    if layout == 'one-hot' and (shape != (experiment.pictures,) or not picture):
        raise Damage(f'data.shape={list(shape)} is not that of pictures={experiment.pictures}')
    if layout != 'one-hot' and picture and math.prod(picture) != math.prod(shape):
        raise Damage(f'data.picture={list(picture)} does not fit data.shape={list(shape)}')
    side = experiment.has('patch_size')
    if side and picture and picture[:2] != (side, side):
        raise Damage(f'data.picture={list(picture)} is no patch of patch_size={side}')
    if side and math.prod(shape) % side**2:
        raise Damage(f'data.shape={list(shape)} is no patch of patch_size={side}')
    if spec.frame and (len(shape) != 2 or math.prod(spec.frame) != shape[1]):
        raise Damage(f'data.frame={list(spec.frame)} does not fit data.shape={list(shape)}')
    if experiment.classifies and len(spec.classes) < 2:
        raise Damage(f'data.classes: {len(spec.classes)}, a classifier has two or more')
    one_hot = layout == 'one-hot'
    return experiment, spec._replace(future=experiment.root.future, one_hot=one_hot)


def found_in(folder: Path) -> dict[str, Any]:
    """Returns what results.json holds, be it of a run or, in another folder, of a study."""
    return received.read_object(folder / RESULTS, _LARGEST[RESULTS])


def results(folder: Path) -> dict[str, Any]:
    """Returns what a run found: `metrics`, numbers by name, and what more there is."""
    found = found_in(folder)
    metrics = found.get('metrics')
    if not isinstance(metrics, dict) or len(metrics) > _MOST_METRICS:
        raise Damage('not the scores of a run: no metrics, or too many')
    for name, value in metrics.items():
        if not is_score(value) or not is_text(name):
            raise Damage(f'not the scores of a run: {name[:100]} is no number')
    for name in (name for name in NUMBERS if name in found):
        if not is_number(found[name]) or found[name] < 0:
            raise Damage(f'not the scores of a run: {name} is no number from 0 on')
    for name in ('experiment', 'dataset'):
        if not is_text(found.get(name, '')):
            raise Damage(f'{name} is no name')
    if not is_count(found.get('seed', 0)):
        raise Damage('seed is no whole number from 0 on')
    _check_phases(found.get('phases', {}))
    return found


def _check_phases(phases: Any) -> None:
    """Raises Damage where the courses of phases are none, as `overfit.by_phase` makes them."""
    assert _COURSE.keys() == {*Course._fields}
    courses = phases.values() if isinstance(phases, dict) and len(phases) < _MOST_METRICS else [0]
    for one in courses:
        if not isinstance(one, dict) or one.keys() != _COURSE.keys():
            raise Damage('phases is not what phases did')
        for name, fits in _COURSE.items():
            if not fits(one[name]):
                raise Damage(f'phases: {name} is of the wrong kind')


def environment(folder: Path) -> dict[str, Any]:
    """Returns what a run was made with: words and numbers by name."""
    found = received.read_object(folder / ENVIRONMENT, _LARGEST[ENVIRONMENT])
    if len(found) > _MOST_SAID:
        raise Damage(f'says more than {_MOST_SAID} things')
    for name, value in found.items():
        if not is_text(name) or not (value is None or is_text(value) or is_number(value)):
            raise Damage(f'{name[:100]} is neither a text nor a number')
    return found


def metrics(folder: Path) -> list[dict[str, str]]:
    """Returns the lines of metrics.csv, one a phase and epoch; a last one half written is left out.

    Each has the columns of POSITION, and scores of train/ and validation/, blank or a number.
    """
    lines = received.rows(folder / METRICS, _LARGEST[METRICS])
    _, columns = next(lines, (1, []))
    if not columns:
        return []
    missing = [name for name in POSITION if name not in columns]
    if missing or len({*columns}) < len(columns) or len(columns) > _MOST_COLUMNS:
        raise Damage(f'its columns are not {", ".join(POSITION)} and scores')
    for name in columns:
        if name not in POSITION and not name.startswith(_SPLITS):
            raise Damage(f'its column {name!r} is none of {" and ".join(_SPLITS)}')
    kinds = [_CELLS.get(name, _SCORE) for name in columns]
    made = []
    for number, cells in lines:
        if len(cells) != len(columns):
            raise Damage(f'line {number} has {len(cells)} cells, not {len(columns)}')
        for name, kind, cell in zip(columns, kinds, cells, strict=True):
            if not kind.fullmatch(cell):
                raise Damage(f'line {number}: {name} is {cell[:30]!r}')
        made.append(dict(zip(columns, cells, strict=True)))
    return made


_CELLS = {  # of a column, what stands in it
    'phase': re.compile(r'\S{1,100}'),
    'epoch': _WHOLE,
    'step': _WHOLE,
    'seconds': _NUMBER,
    'examples_per_second': _NUMBER,
}
