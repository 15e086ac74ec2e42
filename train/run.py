"""One run: from an Experiment to a trained, evaluated, exported and drawn run folder."""

from __future__ import annotations

from typing import Any

import numpy as np

import dataset
from command_line import base_of_parent
from inputs.rows import Dataset, refuse_lengths, shaped
from networks import saved_graph
from networks import session as sessions
from networks.saved_graph import SavedGraph
from parameters import Experiment
from reports import run_page, screen
from system.errors import DataError, Diverged, UsageError
from system.interrupts import Interrupts
from system.names import shown
from train import transfer
from train.checkpoints import Checkpoints
from train.folder import (
    Place,
    claimed,
    extend_sibling,
    read_json,
    restart,
    settle,
    settle_environment,
)
from train.trainer import Trainer

_CHECKED = 10_000  # rows looked at together


def run(experiment: Experiment, base: Experiment, place: Place) -> dict[str, Any]:
    """Trains, evaluates, exports and draws, going on where an earlier run stopped; returns results.

    A finished run is only shown. Raises a UserError for whatever a user can mend.
    """
    folder = place.folder(experiment, base)
    with claimed(folder), Interrupts() as interrupts, sessions.exhaustion_said():
        config: dict[str, Any] = {'experiment': experiment.resolved()}
        if not place.restart:
            settle(folder, config, dataset.key_if_there(experiment))
        results = None if place.restart else read_json(folder / 'results.json')
        if results:
            print(f'{shown(folder)}: finished before; --restart trains it again')
            if not (folder / run_page.NAME).exists():
                run_page.write(folder, experiment, base, results)
            print(screen.scores(results))
            return results
        restored = _parent(experiment, place, interrupts)
        data = dataset.load(experiment, place.data_dir, verify=place.verify, check=interrupts.check)
        if place.tune:
            data = data.without_test()
        if restored and restored.shape:
            known = tuple(size for size in restored.shape if size is not None)
            if len(known) == len(restored.shape):
                data = shaped(data, known)
        print(f'\n{experiment.name} on {data.key}, seed {experiment.seed} -> {shown(folder)}')
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
            if not restored.counts_steps:
                refuse_lengths(data)
            if experiment.initial != 'parent':
                restored = transfer.random_values(restored, experiment)
            config['parent'] = saved_graph.checksum(restored.variables)
        if place.restart:  # now, when all that could be wrong was looked at
            restart(folder)
        sibling = None if place.run_dir else extend_sibling(folder, config)
        if sibling:
            print(f'goes on from {shown(sibling)}')
        settle(folder, config)
        settle_environment(folder, experiment)

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
        run_page.write(folder, experiment, base, results)
        print(screen.scores(results))
        made = f'{run_page.NAME}, metrics.csv and the saved graph (prefix model)'
        print(f'{made} are in {shown(folder)}')
        return results


def _parent(experiment: Experiment, place: Place, interrupts: Interrupts) -> SavedGraph | None:
    """Returns the parent's saved graph, having trained the parent if it has no finished run."""
    if experiment.parent is None:
        return None
    if isinstance(experiment.parent, str):
        return saved_graph.read(experiment.parent)
    parent, at = experiment.lineage(), place.of_parent()
    base = base_of_parent(experiment)
    folder = at.folder(parent, base)
    if (folder / 'results.json').is_file():
        settle(folder, {'experiment': parent.resolved()}, dataset.key_if_there(parent))
    else:
        print(
            f'{experiment.name} needs {parent.name}, which has no finished run: training it first'
        )
        interrupts.check()
        run(parent, base, at)
    return saved_graph.read(str(folder))


def _check_data(experiment: Experiment, data: Dataset) -> None:
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
