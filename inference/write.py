"""What a finished run makes of every example, in files: codes, outputs, errors, labels.

Each has a row an example in the order of the source, with its index there, its split, the path of a
picture, and its label where there is one.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

import dataset
from evaluation import metrics, scores
from inference import run as runs
from inference.open import STOPPED, classified, data_for, identity, opened
from inference.outputs import Table, check_width, gathered, table_of, unlike, write_csv, write_npz
from inputs.rows import Dataset, compared
from inputs.shards import UNLABELLED
from model import Network
from reports import figures
from reports.distributions import distributions
from system.errors import DataError, UsageError
from system.interrupts import Interrupts
from system.lines import say
from train.folder import Place, configured

_PLAIN = ('index', 'split', 'file')  # columns whose arrays are called so in an .npz, too


@contextmanager
def _opened(
    folder: Path,
    changes: dict[str, Any],
    place: Place,
    check: Callable[[Network], object] = lambda network: None,
    *,
    labelled: bool = True,
) -> Iterator[tuple[Network, Dataset, Interrupts]]:
    """Opens a run and data for it, with labels where these are wanted.

    `check` looks at the run before the data are, whose recording may take hours.
    """
    if folder.is_dir() and not os.access(folder, os.W_OK):
        raise UsageError(
            f'{folder}: may not be written to, and what is computed is written there; copy the '
            'run, or open it from Python, inference.load'
        )
    with opened(folder, place.trusted) as network, Interrupts(STOPPED, alone=True) as interrupts:
        check(network)
        yield (
            network,
            data_for(network, folder, changes, place, interrupts.check, labelled, once=True),
            interrupts,
        )


def encode(folder: Path, changes: dict[str, Any], place: Place, form: str = 'npz') -> Path:
    """Writes the codes of a data set, `codings` [N, units], to the run's folder; returns the file.

    `changes` name another data set than the run's: its `dataset` and `data_path`. Raises UsageError
    where there is no finished run.
    """

    def check(network: Network) -> None:
        if form == 'csv':
            check_width(int(network.endpoints.tensors['codings'].shape[-1]))

    with _opened(folder, changes, place, check) as (network, data, interrupts):
        table = table_of(data)

        def codes(rows: Any) -> Iterator[dict[str, np.ndarray]]:
            return runs.encoded(network, rows)

        with gathered(table, codes, folder, interrupts.check, 'encoding') as arrays:
            file = folder / f'codes-{data.key}.{form}'
            if form == 'csv':
                return write_csv(file, table.columns, {'code': arrays['codings']})
            return write_npz(file, _described(folder, network, data, table) | arrays)


def reconstruct(folder: Path, changes: dict[str, Any], place: Place, form: str = 'npz') -> Path:
    """Writes what the run makes of a data set, `outputs` [N, ...], to its folder; returns the file.

    The outputs have the shape and units of the data, of series at most the steps trained on. Raises
    UsageError where it makes nothing.
    """
    with _opened(folder, changes, place, runs.compared_with_data) as (network, data, interrupts):
        table = table_of(data)

        def outputs(rows: Any) -> Iterator[dict[str, np.ndarray]]:
            for batch in runs.reconstructed(network, rows):
                yield {n: runs.as_fed(v, network, rows, data.recorded) for n, v in batch.items()}

        if form == 'csv':
            check_width(math.prod(data.recorded))
        with gathered(table, outputs, folder, interrupts.check, 'reconstructing') as arrays:
            file = folder / f'reconstructions-{data.key}.{form}'
            if form == 'csv':
                numbers = {name.removesuffix('s'): values for name, values in arrays.items()}
                return write_csv(file, table.columns, numbers)
            return write_npz(file, _described(folder, network, data, table) | arrays)


def score(
    folder: Path, changes: dict[str, Any], place: Place, *, detail: bool = False
) -> tuple[Path, str]:
    """Writes each metric of each example to an `.npz` and a CSV; returns the CSV, and a summary.

    With `detail` the squared errors of each feature, step or pixel are in the `.npz`. The figure
    beside them shows their distribution, and the training data's where those are there.
    """
    with _opened(folder, changes, place) as (network, data, interrupts):
        if network.experiment.classifies and data.spec.classes:
            data = classified(network, data)
        table = table_of(data)
        evaluation = scores.of_each(network)

        def compute(rows: Any) -> Iterator[dict[str, np.ndarray]]:
            return runs.scored(network, evaluation, rows, detail=detail)

        with gathered(table, compute, folder, interrupts.check, 'scoring') as arrays:
            found = {name: values for name, values in arrays.items() if values.ndim == 1}
            key = str(configured(folder)['data'].get('key'))
            own = dataset.same_data(data.key, key) and 'train' in table.splits
            split = table.columns['split']
            if own:
                trained = {name: values[split == 'train'] for name, values in found.items()}
            else:
                trained = _of_training(
                    network, folder, evaluation, changes, place, interrupts.check
                )
            file = folder / f'scores-{data.key}.csv'
            write_csv(file, table.columns, found)
            described = _described(folder, network, data, table)
            write_npz(file.with_suffix('.npz'), described | arrays)
        if place.figures:
            title = f'{network.experiment.name}: errors of {data.key}'
            shown = {'train': trained} if trained else {}
            shown |= {  # of other data the training split is none of the run's
                f'its {name}' if name in shown else name: {
                    n: values[split == name] for n, values in found.items()
                }
                for name in table.splits
                if not (own and name == 'train')
            }
            if drawn := distributions(shown, title):
                figures.save(drawn, file.with_suffix('.png'))
        return file, _summary(table, found, {} if own else trained)


def _of_training(
    network: Network,
    folder: Path,
    evaluation: scores.Evaluation,
    changes: dict[str, Any],
    place: Place,
    check: Callable[[], None],
) -> dict[str, np.ndarray]:
    """Returns the same metrics of (at most 10,000) training examples; none where these are gone.

    They are gone, too, where the run's own data have changed: they are then read whole.
    """
    with suppress(UsageError, DataError):
        own = data_for(network, folder, {}, place, check) if changes else None
        if own and 'train' in own.splits:
            parts = []
            for part in runs.scored(
                network, evaluation, compared(own.splits['train']), detail=False
            ):
                check()
                parts.append(part)
            return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    say('the data that the run was trained on are not there to be compared with')
    return {}


def _summary(
    table: Table, found: Mapping[str, np.ndarray], trained: Mapping[str, np.ndarray]
) -> str:
    """Says of each metric where it lies, where it is worst, and how that is beside training."""
    lines = []
    for name, values in found.items():
        rows = np.flatnonzero(~np.isnan(values))  # of labels, those that have one
        if not len(rows):
            continue
        if metrics.find(name).is_accuracy:
            wrong = np.flatnonzero(values < 1)
            first = f' (first row {table.columns["index"][wrong[0]]})' if len(wrong) else ''
            lines.append(
                f'{name:20} mean   {np.mean(values[rows]):<10.4g} wrong in {len(wrong):,} of '
                f'{len(rows):,}{first}'
            )
            continue
        sign = -1 if metrics.find(name).better == 'greater' else 1
        worst = int(rows[np.argmax(sign * values[rows])])
        index, word = table.columns['index'][worst], 'least' if sign < 0 else 'most'
        line = f'{name:20} median {np.median(values[rows]):<10.4g} {word} {values[worst]:.4g}'
        line += f' (row {index})'
        if name in trained and not np.isnan(trained[name]).all():
            outside = int(np.sum(sign * values > np.nanmax(sign * trained[name])))
            line += f', {outside} of {len(rows)} worse than all of training'
        lines.append(line)
    return '\n'.join(lines)


def predict(folder: Path, changes: dict[str, Any], place: Place) -> Path:
    """Labels a data set by a finished classifier; returns the CSV it writes.

    It has a row for each example: index, file of a picture, label, its probability, and the
    probability of each class by its name. Raises UsageError where the run is no classifier.
    """
    with _opened(folder, changes, place, runs.check_labels, labelled=False) as (
        network,
        data,
        interrupts,
    ):
        table = table_of(data)

        def labels(rows: Any) -> Iterator[dict[str, np.ndarray]]:
            return runs.labelled(network, rows)

        with gathered(table, labels, folder, interrupts.check, 'labelling') as arrays:
            shares = arrays['probabilities']
            names = np.array(network.spec.classes)
            columns = {n: c for n, c in table.columns.items() if n in ('index', 'file')}
            columns['label'] = names[arrays['numbers']]
            numbers = {'probability': shares.max(axis=1)}
            taken = (*columns, *numbers)
            headers = unlike(network.spec.classes, taken, 'class')
            numbers |= dict(zip(headers, shares.T, strict=True))
            return write_csv(folder / f'predictions-{data.key}.csv', columns, numbers)


def _described(folder: Path, network: Network, data: Dataset, table: Table) -> dict[str, Any]:
    """Returns what every `.npz` has beside what was computed."""
    made: dict[str, Any] = {n: table.columns[n] for n in _PLAIN if n in table.columns}
    if data.spec.classes:
        # The run's own come first, so that a class has one number in all that a run writes.
        classes = [*dict.fromkeys((*network.spec.classes, *data.spec.classes))]
        numbers = {'': UNLABELLED, **{name: y for y, name in enumerate(classes)}}
        made['labels'] = np.array([numbers[name] for name in table.columns['label']], np.int32)
        made['classes'] = np.array(classes)
    made['run'] = np.array(identity(folder, network))
    made['data'] = np.array(f'{data.key} {data.digest}')
    return made
