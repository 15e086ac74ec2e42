"""One run: from an Experiment to a trained, evaluated, exported and drawn run folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

import dataset
import disk
import saved_graph
from command_line import same_parent
from errors import DataError, Diverged, UsageError
from parameters import Experiment
from saved_graph import SavedGraph
from train import report, runpage, runs, transfer
from train import session as sessions
from train.checkpoints import Checkpoints
from train.interrupts import Interrupts
from train.trainer import Trainer

_CHECKED = 10_000  # rows looked at together


@dataclass(frozen=True)
class Place:
    """Where a run reads and writes, and whether it begins again."""

    runs: Path = Path('runs')
    data_dir: Path = Path('data')
    run_dir: Path | None = None
    restart: bool = False
    verify: bool = False
    checkpoint_seconds: float = 0.0
    figures: bool = True  # whether runs draw; --mode=evaluate does so afterwards
    tune: bool = False  # scored on validation examples, in folders of their own; nothing is drawn

    @property
    def root(self) -> Path:
        """Where run folders are made."""
        return self.runs / 'tuning' if self.tune else self.runs

    def folder(self, experiment: Experiment, base: Experiment) -> Path:
        """Returns the run's folder; `base` is the experiment as it stands in the catalogue."""
        if self.run_dir:
            return self.run_dir
        key = dataset.key_of(experiment)
        return self.root / experiment.name / runs.name_of(experiment, key, base)

    def drawing(self, wanted: bool) -> Place:
        """Returns the place for a run that draws, where any does, only if that is wanted."""
        return dataclasses.replace(self, figures=self.figures and wanted)

    def of_parent(self) -> Place:
        """Returns the place for a parent: its own folder, never begun again."""
        return dataclasses.replace(self, run_dir=None, restart=False)


def run(experiment: Experiment, base: Experiment, place: Place) -> dict[str, Any]:
    """Trains, evaluates, exports and draws, going on where an earlier run stopped; returns results.

    A finished run is only shown. Raises a UserError for whatever a user can mend.
    """
    folder = place.folder(experiment, base)
    with runs.claimed(folder), Interrupts() as interrupts, sessions.exhaustion_said():
        if place.restart:
            runs.restart(folder)
        config = {'experiment': experiment.resolved()}
        sibling = None if place.run_dir else runs.extend_sibling(folder, config)
        runs.settle(folder, config)
        results = runs.read_json(folder / 'results.json')
        if results:
            print(f'{folder}: finished before; --restart trains it again')
            if not (folder / runpage.NAME).exists():
                runpage.write(folder, experiment, base, results)
            print(report.scores(results))
            return results
        restored = _parent(experiment, base, place, interrupts)
        data = dataset.load(experiment, place.data_dir, verify=place.verify, check=interrupts.check)
        if place.tune:
            data = data.without_test()
        if restored and restored.shape and None not in restored.shape:
            data = dataset.shaped(data, restored.shape)
        print(f'\n{experiment.name} on {data.key}, seed {experiment.seed} -> {folder}')
        if sibling:
            print(f'goes on from {sibling}')
        _check_data(experiment, data)
        config['data'] = {
            'key': data.key,
            'digest': data.digest,
            'shape': list(data.spec.shape),
            'classes': list(data.spec.classes),
            'picture': list(data.spec.picture),
            'frame': list(data.spec.frame),
        }
        if restored:
            transfer.check(restored, experiment, data.spec)
            if experiment.initial != 'parent':
                restored = transfer.random_values(restored, experiment)
            config['parent'] = saved_graph.checksum(restored.variables)
        runs.settle(folder, config)
        _settle_environment(folder, experiment)

        def finished(*, watched: bool = False) -> dict[str, Any]:
            checkpoints = Checkpoints(folder, place.checkpoint_seconds)
            trainer = Trainer(
                experiment, data, folder, restored, checkpoints, interrupts, watched=watched
            )
            return trainer.finish(figures=place.figures and not place.tune)

        try:
            results = finished()
        except Diverged as error:
            print(f'{error}\nlooks for that step, from the last checkpoint on')
            results = finished(watched=True)
        runpage.write(folder, experiment, base, results)
        print(report.scores(results))
        print(f'{runpage.NAME}, metrics.csv and the saved graph (prefix model) are in {folder}')
        return results


def _parent(
    experiment: Experiment, base: Experiment, place: Place, interrupts: Interrupts
) -> SavedGraph | None:
    """Returns the parent's saved graph, having trained the parent if it has no finished run."""
    if experiment.parent is None:
        return None
    if isinstance(experiment.parent, str):
        return saved_graph.read(experiment.parent)
    parent, at = experiment.lineage(), place.of_parent()
    base = base.parent if same_parent(experiment, base) else parent
    folder = at.folder(parent, base)
    if (folder / 'results.json').is_file():
        runs.settle(folder, {'experiment': parent.resolved()})
    else:
        print(
            f'{experiment.name} needs {parent.name}, which has no finished run: training it first'
        )
        interrupts.check()
        run(parent, base, at)
    return saved_graph.read(str(folder))


def _check_data(experiment: Experiment, data: dataset.Dataset) -> None:
    """Raises UsageError or DataError where the experiment asks what the data cannot give."""
    x = data.splits['train'].x
    if experiment.classifies and not data.spec.classes:
        raise DataError(
            f'{data.key}: a classifier needs labels, and this data set has none (folders by class, '
            'or y in the .npz file)'
        )
    if experiment.patience and 'validation' not in data.splits:
        raise UsageError(
            f'patience={experiment.patience}: needs validation examples, and {data.key} has none'
        )
    if (experiment.flip or experiment.crop) and not data.spec.picture:
        raise UsageError(
            f'{"flip" if experiment.flip else "crop"}: needs pictures, and {data.key} has none'
        )
    if experiment.parent or experiment.loss != 'bernoulli' or x.dtype == np.uint8:
        return
    least, most = np.inf, -np.inf
    for start in range(0, len(x), _CHECKED):
        part = x[start : start + _CHECKED]
        least, most = min(least, part.min()), max(most, part.max())
    if least < 0 or most > 1:
        raise DataError(
            f'{data.key}: has values from {least:g} to {most:g}, loss=bernoulli needs [0, 1]; '
            'scale them, or use --set loss=gaussian --set output_activation=linear'
        )


def _settle_environment(folder: Path, experiment: Experiment) -> None:
    now = runs.environment(tf.__version__, experiment.precision)
    before = runs.read_json(folder / 'environment.json') or now
    changed = [
        f'{name} {before.get(name)} -> {now[name]}' for name in now if now[name] != before.get(name)
    ]
    if changed and (folder / 'checkpoints').exists():
        print(f'warning: resumed elsewhere, last bits may differ: {", ".join(changed)}')
    disk.write_json(folder / 'environment.json', now)
    if experiment.precision == 'bfloat16' and not sessions.has_bfloat16():
        print('warning: this CPU has no bfloat16 instructions; expect it to be slower than float32')
