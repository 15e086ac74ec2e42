"""A run in training, from the first phase to the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

import dataset
import disk
import model
import saved_graph
from parameters import Experiment, Noise, Phase, schedule_of
from saved_graph import SavedGraph
from train import drawing, evaluate, feeding, loop, report, runs, transfer
from train.best import Best
from train.checkpoints import Checkpoints, State
from train.evaluate import Evaluation
from train.events import Events
from train.interrupts import Interrupts
from train.network import built
from train.predict import taught


class Trainer:
    """A run being trained: its network and position."""

    def __init__(
        self,
        experiment: Experiment,
        data: dataset.Dataset,
        folder: Path,
        restored: SavedGraph | None,
        checkpoints: Checkpoints,
        interrupts: Interrupts,
        *,
        watched: bool = False,
    ):
        self.experiment = experiment
        self.data = data
        self.folder = folder
        self.restored = restored
        self.interrupts = interrupts
        self.checkpoints = checkpoints
        self.watched = watched  # every loss and gradient, at each step
        self.state = checkpoints.latest() or State()
        self.metrics = runs.Metrics(folder, self.state.updates)
        train = data.splits['train']
        share, seed = experiment.label_fraction, experiment.seed
        if experiment.parent and share < 1 and experiment.labels == 'data':
            train = train.take(dataset.stratified(train.y, share, seed))
        self.splits = {**data.splits, 'train': train}
        self._trained = train  # as `train`, without the labels that are not to be known
        if experiment.classify:
            self._trained = dataset.unlabelled(train, share, seed)
        elif experiment.labels == 'parent':
            self._trained = taught(restored.prefix, train, share, seed, interrupts.check)

    def finish(self, *, figures: bool = True) -> dict[str, Any]:
        """Trains what is left, evaluates, exports and, if asked, draws; returns the results."""
        with built(self.experiment, self.data.spec, self.restored) as self.network:
            print(report.size(self.splits, self.data.spec, self.network.variables))
            before = self.network.values() if self.restored else {}
            if self.state.updates:
                saver = tf.train.Saver(self.network.variables)
                self.checkpoints.restore(self.network.session, saver)
                print(f'resumes after update {self.state.updates:,}')
            with Events(self.folder / 'tb', self.state.updates + 1) as self.events:
                for index, phase in enumerate(schedule_of(self.experiment)):
                    self._phase(index, phase)
            after = self.network.values()
            results = self._results(before, after)
            self.interrupts.check()
            saved_graph.write(self.folder, self._inference, after)
            self.interrupts.check()
            if figures:
                title = f'{self.experiment.name} on {self.data.key}'
                scores, rows = results['metrics'], self.metrics.rows
                drawing.draw(self.folder / 'figures', self.network, self.data, title, scores, rows)
            disk.write_json(self.folder / 'results.json', results)
        evaluate.clear(self.folder / 'cache')
        return results

    def _inference(self) -> dict[str, tf.Tensor]:
        return model.build(self.experiment, self.data.spec, self.restored).tensors

    def _phase(self, index: int, phase: Phase) -> None:
        """Trains one phase to its end, from wherever the run stands."""
        experiment, state, session = self.experiment, self.state, self.network.session
        length = feeding.length_of(experiment, phase, len(self.splits['train']))
        is_over = state.over if experiment.patience else state.step >= length.steps
        if index < state.phase or (index == state.phase and is_over):
            return
        if index > state.phase:
            self.state = state = State(phase=index, before=state.updates)
        rows = {split: self._read(phase, split) for split in ('train', 'validation')}
        if phase.reads == 'codings' and experiment.standardize_codings and not state.step:
            self._standardize(rows['train'])
        picture, tower = self.data.spec.picture, self.network.tower(phase.reads)
        updates = loop.build(experiment, phase, rows['train'], picture, tower, watched=self.watched)
        names = [term.name for term in phase.losses]
        names += ['accuracy'] if experiment.classifies else []
        # A denoiser is validated as it trains, a classifier on clean inputs.
        noise = Noise() if experiment.parent else phase.corruption
        with tf.name_scope(f'{phase.name}/validation'):
            validation = Evaluation(
                self.network, {n: n for n in names}, reads=phase.reads, noise=noise
            )
        updates.initialize(session)
        saved, best = [*self.network.variables, *updates.slots], None
        if experiment.patience:
            best = Best(self.network.variables, phase.name)
            best.initialize(session)
            saved += best.copies
        saver = tf.train.Saver(saved)
        self.checkpoints.expect(saved)
        if state.step:
            self.checkpoints.restore(session, saver)

        def save() -> None:
            self.checkpoints.save(session, saver, state)

        def after_epoch(epoch: int, speed: float, means: dict[str, float]) -> dict[str, float]:
            shown = {f'train/{name}': value for name, value in means.items()}
            if rows['validation'] is not None:
                scored = validation.mean(rows['validation'])
                shown |= {f'validation/{name}': value for name, value in scored.items()}
                loss = sum(term.weight * scored[term.name] for term in phase.losses)
                if best and (state.best is None or loss < state.best):
                    best.keep(session)
                    state.best, state.best_epoch = loss, epoch
            position = (phase.name, epoch, state.updates, state.seconds, speed)
            self.metrics.append(dict(zip(runs.POSITION, position, strict=True)), shown)
            self.events.add(state.updates, shown)
            return shown

        loop.train(
            session,
            updates,
            state,
            name=phase.name,
            patience=experiment.patience,
            save=save,
            checkpoints=self.checkpoints,
            interrupts=self.interrupts,
            after_epoch=after_epoch,
        )
        if best:
            best.take(session)
        state.over = True
        save()
        updates.release(session)
        print(report.phase(phase, self.metrics.rows, state.step, updates.examples))
        if best:
            print(f'{"":10}keeps epoch {state.best_epoch}: validation loss {state.best:.5g}')
        self.interrupts.check()

    def _read(self, phase: Phase, split: str) -> dataset.Rows | None:
        """Returns what the phase reads of a split: its examples, or activations computed once."""
        rows = self._trained if split == 'train' else self.splits.get(split)
        if rows is None or phase.reads == 'X':
            return rows
        names = model.upstream(self.network.endpoints.tensors[phase.reads])
        values = self.network.values()
        below = saved_graph.checksum({name: values[name] for name in values if name in names})
        return evaluate.cached(
            self.network,
            phase.reads,
            rows,
            file=self.folder / 'cache' / f'{phase.reads}-{split}-{self.data.digest}-{below}.npy',
            budget=self.experiment.cache_bytes,
            interrupts=self.interrupts,
        )

    def _standardize(self, codings: dataset.Rows) -> None:
        """Sets the head's mean and standard deviation from the training codings."""
        mean = np.mean(codings.x, axis=0, dtype=np.float64)
        deviation = np.std(codings.x, axis=0, dtype=np.float64)
        deviation[deviation < 1e-6] = 1.0  # a dead code stays at zero
        values = {'head/mean': mean, 'head/deviation': deviation}
        saved_graph.load(self.network.session, values)

    def _results(
        self, before: dict[str, np.ndarray], after: dict[str, np.ndarray]
    ) -> dict[str, Any]:
        """Scores every split and collects what results.json holds."""
        metrics = evaluate.score(self.network, self.data, self.splits, self.interrupts)
        seconds = sum(float(row['seconds']) for row in self.metrics.rows)
        updates = self.state.updates
        examples = sum(
            float(row['seconds']) * float(row['examples_per_second']) for row in self.metrics.rows
        )
        results = {
            'experiment': self.experiment.name,
            'dataset': self.data.key,
            'seed': self.experiment.seed,
            'parameters': sum(value.size for value in after.values()),
            'updates': updates,
            'metrics': metrics,
            'seconds': seconds,
            'examples_per_second': examples / max(seconds, 1e-9),
            'parent': None,
        }
        if self.restored:
            initial = self.experiment.initial
            results['parent'] = transfer.proof(self.restored, before, after, initial)
            print('\n'.join(transfer.lines(results['parent'])))
        return results
