"""A run's graph and session, from the first phase to the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

import dataset
import model
import saved_graph
from layers import Mode
from parameters import Experiment, Phase, schedule_of
from saved_graph import SavedGraph
from train import drawing, evaluate, loop, report, runs, transfer
from train import session as sessions
from train.checkpoints import Checkpoints, State
from train.interrupts import Interrupts


class Trainer:
    """A run being trained: its graph, session and position."""

    def __init__(
        self,
        experiment: Experiment,
        data: dataset.Dataset,
        folder: Path,
        restored: SavedGraph | None,
        checkpoints: Checkpoints,
        interrupts: Interrupts,
    ):
        self.experiment = experiment
        self.data = data
        self.folder = folder
        self.restored = restored
        self.interrupts = interrupts
        self.checkpoints = checkpoints
        self.state = checkpoints.latest() or State()
        self.metrics = runs.Metrics(folder, self.state.updates)
        self.graph = tf.Graph()

    def finish(self) -> dict[str, Any]:
        """Trains what is left, then evaluates, exports and draws; returns the results."""
        with (
            self.graph.as_default(),
            tf.Session(config=sessions.config(self.experiment.precision)) as self.session,
        ):
            self.endpoints = model.build(self.experiment, self.data.spec, self.restored)
            self.variables = model.variables(self.graph)
            self.session.run(tf.variables_initializer(self.variables))
            if self.restored:
                saved_graph.load(self.session, self.restored.variables)
            print(report.size(self.data, self.variables))
            before = self._values()
            if self.state.updates:
                saver = tf.train.Saver(self.variables)
                self.checkpoints.restore(self.session, saver)
                print(f'resumes after update {self.state.updates:,}')
            with tf.summary.FileWriter(str(self.folder / 'tb')) as self.events:
                begins = tf.SessionLog(status=tf.SessionLog.START)  # hides later events of a kill
                self.events.add_session_log(begins, self.state.updates + 1)
                for index, phase in enumerate(schedule_of(self.experiment)):
                    self._phase(index, phase)
            values = self._values()
            results = self._results(before, values)
            self.interrupts.check()
            saved_graph.write(self.folder, self._inference, values)
            self.interrupts.check()
            drawing.draw(
                self.folder / 'figures',
                self.session,
                self.endpoints.tensors,
                self.data,
                values,
                self.metrics.rows,
                f'{self.experiment.name} on {self.data.key}',
            )
            runs.write_json(self.folder / 'results.json', results)
        evaluate.clear(self.folder / 'cache')
        return results

    def _inference(self) -> dict[str, tf.Tensor]:
        return model.build(self.experiment, self.data.spec, self.restored).tensors

    def _values(self) -> dict[str, np.ndarray]:
        read = self.session.run({v.op.name: v for v in self.variables})
        return dict(sorted(read.items()))

    def _phase(self, index: int, phase: Phase) -> None:
        """Trains one phase to its end, from wherever the run stands."""
        experiment, state = self.experiment, self.state
        train = self.data.splits['train']
        *_, steps = loop.length_of(experiment, phase, len(train))
        if index < state.phase or (index == state.phase and state.step >= steps):
            return
        if index > state.phase:
            self.state = state = State(phase=index, before=state.updates)
        rows = {split: self._read(phase, split) for split in ('train', 'validation')}
        if phase.reads == 'codings' and experiment.standardize_codings and not state.step:
            self._standardize(rows['train'])
        updates = loop.build(experiment, phase, rows['train'], self._tower(phase.reads))
        names = [name for name, _ in phase.losses]
        names += ['accuracy'] if experiment.parent else []
        validation = self._evaluation(f'{phase.name}/validation', phase.reads, names)
        updates.initialize(self.session)
        saver = tf.train.Saver([*self.variables, *updates.slots])
        if state.step:
            self.checkpoints.restore(self.session, saver)

        def save() -> None:
            self.checkpoints.save(self.session, saver, state)

        def after_epoch(epoch: int, speed: float, means: dict[str, float]) -> dict[str, float]:
            shown = {f'train/{name}': value for name, value in means.items()}
            if rows['validation'] is not None:
                scored = validation.mean(self.session, rows['validation'])
                shown |= {f'validation/{name}': value for name, value in scored.items()}
            position = (phase.name, epoch, state.updates, state.seconds, speed)
            self.metrics.append(dict(zip(runs.POSITION, position, strict=True)), shown)
            values = [tf.Summary.Value(tag=k, simple_value=v) for k, v in shown.items()]
            self.events.add_summary(tf.Summary(value=values), state.updates)
            return shown

        loop.train(
            self.session,
            updates,
            state,
            name=phase.name,
            save=save,
            checkpoints=self.checkpoints,
            interrupts=self.interrupts,
            after_epoch=after_epoch,
        )
        save()
        updates.release(self.session)
        print(report.phase(phase, self.metrics.rows, updates.steps, updates.examples))
        self.interrupts.check()

    def _tower(self, reads: str) -> loop.Tower:
        """Returns what builds a tower from the tensor `reads` on, on the variables there are."""

        def build(batch: model.Batch, mode: Mode) -> model.Endpoints:
            with tf.variable_scope(tf.get_variable_scope(), reuse=True):
                return model.tower(
                    self.experiment,
                    self.data.spec,
                    batch,
                    mode,
                    reads=reads,
                    restored=self.restored,
                )

        return build

    def _read(self, phase: Phase, split: str) -> dataset.Rows | None:
        """Returns what the phase reads of a split: its examples, or activations computed once."""
        rows = self.data.splits.get(split)
        if rows is None or phase.reads == 'X':
            return rows
        tensor = self.endpoints.tensors[phase.reads]
        names = model.upstream(tensor)
        below = saved_graph.checksum({k: v for k, v in self._values().items() if k in names})
        return evaluate.cached(
            self.session,
            self.endpoints.tensors['X'],
            tensor,
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
        saved_graph.load(self.session, values)

    def _evaluation(self, scope: str, reads: str, names: list[str] | None) -> evaluate.Evaluation:
        """Builds a tower on placeholders with the named losses and metrics; None is all metrics."""
        shape = self.endpoints.tensors[reads].shape
        with tf.name_scope(scope):
            inputs = tf.placeholder(tf.float32, shape, 'inputs')
            y = tf.placeholder(tf.int32, [None], 'y') if self.experiment.parent else None
            batch = model.Batch(inputs, inputs, y)
            made = self._tower(reads)(batch, model.INFERENCE)
            known = {**made.losses, **made.metrics}
            return evaluate.Evaluation(
                batch, {n: known[n]() for n in (made.metrics if names is None else names)}
            )

    def _results(
        self, before: dict[str, np.ndarray], after: dict[str, np.ndarray]
    ) -> dict[str, Any]:
        """Scores every split and collects what results.json holds."""
        evaluation = self._evaluation('evaluation', 'X', None)
        metrics: dict[str, float] = {}
        for split, rows in self.data.splits.items():
            self.interrupts.check()
            scored = evaluation.mean(self.session, rows)
            metrics |= {f'{split}/{name}': value for name, value in scored.items()}
        train, test = self.data.splits['train'], self.data.splits['test']
        units = int(self.endpoints.tensors['codings'].shape[-1])
        if self.experiment.parent is None and units <= min(self.data.spec.shape[0], len(train)):
            metrics['test/pca_mse'], components = evaluate.pca(train, test, units)
            if self.experiment.is_linear():
                decoder = 'layer1/kernel' if self.experiment.tied else 'layer1/decoder_kernel'
                kernel = after[decoder].T if self.experiment.tied else after[decoder]
                metrics['pca_angle_degrees'] = evaluate.plane_angle(kernel, components)
        seconds = sum(float(row['seconds']) for row in self.metrics.rows)
        results = {
            'experiment': self.experiment.name,
            'dataset': self.data.key,
            'seed': self.experiment.seed,
            'parameters': sum(value.size for value in after.values()),
            'metrics': metrics,
            'seconds': seconds,
            'examples_per_second': len(self.metrics.rows) * len(train) / max(seconds, 1e-9),
            'parent': None,
        }
        if self.restored:
            results['parent'] = transfer.proof(self.restored, before, after)
            print('\n'.join(transfer.lines(results['parent'])))
        return results
