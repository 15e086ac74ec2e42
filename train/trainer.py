"""A run in training, from the first phase to the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

import model
from command_line import settable
from evaluation import metrics, overfit, scores
from inputs.rows import Dataset, Rows
from model import built
from networks import kmeans, saved_graph, standardize, weights
from networks.saved_graph import SavedGraph
from parameters import Experiment
from phases import Phase, schedule_of
from reports import drawing, graphs, projector, screen, summaries
from system import disk
from system.errors import DataError
from system.interrupts import Interrupts
from system.lines import say, shown
from train import feeding, transfer
from train.checkpoints import Checkpoints, State
from train.logs import NETWORK, Log
from train.phase import Shared, Training
from train.team import ALONE, Team

_AT_ONCE = 1 << 22  # numbers of codings that are taken together
_CENTROIDS = 1957  # keys the examples that k-means begins at apart from other draws of a seed


class Trainer:
    """A run being trained: its network and position."""

    def __init__(
        self,
        experiment: Experiment,
        data: Dataset,
        folder: Path,
        restored: SavedGraph | None,
        units: Mapping[str, np.ndarray],
        checkpoints: Checkpoints,
        interrupts: Interrupts,
        *,
        watched: bool = False,
        team: Team = ALONE,
    ):
        self.experiment = experiment
        self.data = data
        self.folder = folder
        self.restored = restored
        self.units = units  # of the variables that standardise, by name
        self.interrupts = interrupts
        self.checkpoints = checkpoints
        self.team = team
        self.watched = watched  # every loss and gradient, at each step
        self.state = checkpoints.latest() or State()
        phases = schedule_of(experiment)
        if self.state.phase >= len(phases):
            raise DataError(
                f'{checkpoints.folder}: is in phase {self.state.phase + 1} of {len(phases)}; '
                '--restart begins again'
            )
        scored, self._trained = transfer.training_rows(experiment, data, restored, interrupts.check)
        self.splits = {**data.splits, 'train': scored}

    def finish(self, *, figures: bool = True, summarizes: bool = False) -> dict[str, Any]:
        """Trains what is left, evaluates, exports and, if asked, draws; returns the results.

        A worker that has a chief trains, and leaves the rest to it; it returns no results.
        `summarizes` says whether TensorBoard is told of the network besides its scores.
        """
        with built(self.experiment, self.data.spec, self.restored) as self.network:
            for name in self.network.endpoints.metrics:
                metrics.find(
                    name
                )  # now, rather than when it is scored: raises for one without a row
            # Now, before the updates are added to it.
            graph_def = graphs.of(self.network) if summarizes else None
            say(screen.size(self.splits, self.data.spec, self.network.variables))
            before = self.network.values() if self.restored else {}
            if not self.state.updates:
                weights.load(self.network.session, self.units)
            if self.experiment.kind == 'kmeans' and not self.state.updates:
                self._begin_at_examples()
            if self.state.updates:
                saver = tf.train.Saver(self.network.variables)
                self.checkpoints.restore(self.network.session, saver)
                say(f'resumes after update {self.state.updates:,}')
            with Log(self.folder, self.state.updates) as log:
                if graph_def is not None:
                    log.graph(graph_def)
                summarize = self._summarize_to(log) if summarizes else lambda _: None
                if not self.state.updates:
                    summarize(0)
                for index, phase in enumerate(schedule_of(self.experiment)):
                    self._phase(index, phase, log, summarize)
                if not self.team.is_chief:
                    return {}
                after = self.network.values()
                scored = scores.score(self.network, self.data, self.splits, self.interrupts)
                results = self._results(before, after, log.rows, scored.metrics)
                self._log(results, log)
                if summarizes:
                    projector.write(self.folder / 'tb' / NETWORK, scored.codings, self.data)
            self.interrupts.check()
            build = partial(model.exported, self.experiment, self.data.spec, self.restored)
            saved_graph.write(self.folder, build, after)
            self.interrupts.check()
            if figures:
                title = f'{self.experiment.name} on {self.data.key}'
                drawing.draw(
                    self.folder / 'figures',
                    self.network,
                    self.data,
                    title,
                    results['metrics'],
                    log.rows,
                )
            disk.write_json(self.folder / 'results.json', results)
        feeding.clear(self.folder / 'cache')
        return results

    def _summarize_to(self, log: Log) -> Callable[[int], None]:
        """Returns what logs pictures and spreads of values after so many updates.

        They are computed on the graph for inference, in calls of their own: what an update computes
        is the same with them and without.
        """
        return lambda step: log.network(step, summaries.of(self.network, self.data))

    def _log(self, results: dict[str, Any], log: Log) -> None:
        """Logs the final scores beside the experiment's values."""
        run = shown(f'{self.folder.parent.name}/{self.folder.name}')
        settings = {'experiment': self.experiment.name, **settable(self.experiment)}
        log.results(run, settings, results['metrics'], results['seconds'])

    def _phase(self, index: int, phase: Phase, log: Log, summarize: Callable[[int], None]) -> None:
        """Trains one phase to its end, from wherever the run stands, if it is not over."""
        experiment, state = self.experiment, self.state
        length = feeding.length_of(experiment, phase, len(self.splits['train']))
        if index == state.phase:
            self._check_position(phase, length)
        is_over = state.over if experiment.patience else state.step >= length.steps
        if index < state.phase or (index == state.phase and is_over):
            return
        if index > state.phase:
            self.state = state = State(phase=index, before=state.updates)
        wanted = {'train': self._trained, 'validation': self.splits.get('validation')}
        rows = {n: self._read(phase, n, part) for n, part in wanted.items() if part is not None}
        if phase.reads == 'codings' and experiment.standardize_codings and not state.step:
            self._standardize(rows['train'])
        shared = Shared(
            experiment,
            self.network,
            self.checkpoints,
            self.interrupts,
            log,
            self.team,
            self.watched,
            summarize,
        )
        Training(shared, phase, rows, state).train()

    def _check_position(self, phase: Phase, length: feeding.Length) -> None:
        """Raises DataError for a position that this phase cannot have been in."""
        state = self.state
        count = len(phase.losses) if state.step % length.steps_per_epoch else 0
        if state.step > length.steps or len(state.sums) != count:
            raise DataError(
                f'{self.checkpoints.folder}: is at update {state.step:,} of {length.steps:,} of '
                f'phase {phase.name}, with {len(state.sums)} losses, where there are {count}; '
                '--restart begins again'
            )

    def _read(self, phase: Phase, split: str, rows: Rows) -> Rows:
        """Returns what the phase reads of a split: its examples, or activations computed once."""
        if phase.reads == 'X':
            return rows
        names = model.upstream(self.network.endpoints.tensors[phase.reads])
        values = self.network.values()
        below = weights.checksum({name: values[name] for name in values if name in names})
        return feeding.cached(
            self.network,
            phase.reads,
            rows,
            file=self.folder / 'cache' / f'{phase.reads}-{split}-{self.data.digest}-{below}.npy',
            budget=self.experiment.cache_bytes,
            interrupts=self.interrupts,
        )

    def _begin_at_examples(self) -> None:
        """Sets each centroid of k-means a part of the way, `start`, from the mean to an example.

        One that begins at the example itself stays there where it lies far from the others, nearest
        to none; on the way there, it is found.
        """
        rows, units = self.splits['train'], self.experiment.hidden[0]
        draw = np.random.default_rng((_CENTROIDS, self.experiment.seed))
        chosen = rows.take(np.sort(draw.choice(len(rows), units, replace=False)))
        found = chosen.floats(0, units)
        if self.experiment.standardizes:
            found = standardize.standardized(found, self.network.values())
        mean = found.mean(axis=0)
        begun = mean + self.experiment.start * (found - mean)
        weights.load(self.network.session, {kmeans.KERNEL: begun.T.astype(np.float32)})

    def _standardize(self, codings: Rows) -> None:
        """Sets the head's mean and standard deviation from the training codings."""
        x, squares = codings.x[:], 0.0
        mean = np.mean(x, axis=0, dtype=np.float64)
        step = max(1, _AT_ONCE // x.shape[1])
        for start in range(0, len(x), step):  # which may be on disk, to be read a part at a time
            squares = squares + np.sum((x[start : start + step] - mean) ** 2, axis=0)
        deviation = np.sqrt(squares / len(x))
        deviation[deviation < 1e-6] = 1.0  # a dead code stays at zero
        values = {'head/mean': mean, 'head/deviation': deviation}
        weights.load(self.network.session, values)

    def _results(
        self,
        before: dict[str, np.ndarray],
        after: dict[str, np.ndarray],
        epochs: list[dict[str, str]],
        scored: dict[str, float],
    ) -> dict[str, Any]:
        """Returns what results.json holds."""
        spent = [(float(row['seconds']), float(row['examples_per_second'])) for row in epochs]
        seconds = sum(seconds for seconds, _ in spent)
        examples = sum(seconds * speed for seconds, speed in spent)
        results: dict[str, Any] = {
            'experiment': self.experiment.name,
            'dataset': self.data.key,
            'seed': self.experiment.seed,
            'parameters': sum(value.size for value in after.values()),
            'updates': self.state.updates,
            'metrics': scored,
            'seconds': seconds,
            'examples_per_second': examples / max(seconds, 1e-9),
            'phases': overfit.by_phase(epochs, self.experiment),
            'parent': None,
        }
        if self.restored:
            initial = self.experiment.initial
            results['parent'] = transfer.proof(self.restored, before, after, initial)
            say(*transfer.lines(results['parent']))
        return results
