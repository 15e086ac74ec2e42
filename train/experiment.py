"""One run: from an Experiment to a trained, evaluated, exported and drawn run folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
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
from train import drawing, evaluate, loop, runs, transfer
from train import session as sessions
from train.checkpoints import Checkpoints, State
from train.interrupts import Interrupts


@dataclass(frozen=True)
class Place:
    """Where a run reads and writes, and whether it begins again."""

    runs: Path = Path('runs')
    data_dir: Path = Path('data')
    run_dir: Path | None = None
    restart: bool = False
    verify: bool = False
    checkpoint_seconds: float = 0.0

    def folder(self, experiment: Experiment, base: Experiment) -> Path:
        """Returns the run's folder; `base` is the experiment as it stands in the catalogue."""
        if self.run_dir:
            return self.run_dir
        key = dataset.key_of(experiment)
        return self.runs / experiment.name / runs.name_of(experiment, key, base)

    def of_parent(self) -> Place:
        """Returns the place for a parent: its own folder, never begun again."""
        return dataclasses.replace(self, run_dir=None, restart=False)


def run(experiment: Experiment, base: Experiment, place: Place) -> dict[str, Any]:
    """Trains, evaluates, exports and draws, going on where an earlier run stopped; returns results.

    A finished run is only shown. Raises a UserError for whatever a user can mend.
    """
    folder = place.folder(experiment, base)
    with runs.claimed(folder), Interrupts() as interrupts:
        if place.restart:
            runs.restart(folder)
        config = {'experiment': experiment.resolved()}
        sibling = runs.extend_sibling(folder, config)
        runs.settle(folder, config)
        results = runs.read_json(folder / 'results.json')
        if results:
            print(f'{folder}: finished before; --restart trains it again')
            show(results)
            return results
        restored = _parent(experiment, place, interrupts)
        data = dataset.load(experiment, place.data_dir, verify=place.verify)
        print(f'\n{experiment.name} on {data.key}, seed {experiment.seed} -> {folder}')
        if sibling:
            print(f'goes on from {sibling}')
        config['data'] = {
            'key': data.key,
            'digest': data.digest,
            'shape': list(data.spec.shape),
            'classes': list(data.spec.classes),
            'picture': list(data.spec.picture),
        }
        if restored:
            transfer.check(restored, data.spec)
            config['parent'] = saved_graph.checksum(restored.variables)
        runs.settle(folder, config)
        _settle_environment(folder, experiment)
        checkpoints = Checkpoints(folder, place.checkpoint_seconds)
        results = Run(experiment, data, folder, restored, checkpoints, interrupts).finish()
        show(results)
        print(f'figures, metrics.csv and the saved graph (prefix model) are in {folder}')
        return results


def _parent(experiment: Experiment, place: Place, interrupts: Interrupts) -> SavedGraph | None:
    """Returns the parent's saved graph, having trained the parent if it has no finished run."""
    if experiment.parent is None:
        return None
    if isinstance(experiment.parent, str):
        return saved_graph.read(experiment.parent)
    parent, at = experiment.lineage(), place.of_parent()
    folder = at.folder(parent, parent)
    if (folder / 'results.json').is_file():
        runs.settle(folder, {'experiment': parent.resolved()})
    else:
        print(
            f'{experiment.name} needs {parent.name}, which has no finished run: training it first'
        )
        interrupts.check()
        run(parent, parent, at)
    return saved_graph.read(str(folder))


def _settle_environment(folder: Path, experiment: Experiment) -> None:
    now = runs.environment(tf.__version__, experiment.precision)
    before = runs.read_json(folder / 'environment.json') or now
    changed = [
        f'{name} {before.get(name)} -> {now[name]}' for name in now if now[name] != before.get(name)
    ]
    if changed and (folder / 'checkpoints').exists():
        print(f'warning: resumed elsewhere, last bits may differ: {", ".join(changed)}')
    runs.write_json(folder / 'environment.json', now)
    if experiment.precision == 'bfloat16' and not sessions.has_bfloat16():
        print('warning: this CPU has no bfloat16 instructions; expect it to be slower than float32')


class Run:
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
            print(self._size())
            before = self._values()
            if self.state.updates:
                saver = tf.train.Saver(self.variables)
                self.checkpoints.restore(self.session, saver)
                print(f'resumes after update {self.state.updates:,}')
            self.events = tf.summary.FileWriter(str(self.folder / 'tb'))
            self.events.add_session_log(
                tf.SessionLog(status=tf.SessionLog.START), self.state.updates + 1
            )
            for index, phase in enumerate(schedule_of(self.experiment)):
                self._phase(index, phase)
            self.events.close()
            values = self._values()
            results = self._results(before, values)
            saved_graph.write(self.folder, self._inference, values)
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

    def _size(self) -> str:
        sizes = ', '.join(f'{len(rows):,} {name}' for name, rows in self.data.splits.items())
        parameters = sum(int(v.shape.num_elements()) for v in self.variables)
        return (
            f'{sizes} examples of {self.data.spec.shape[0]} features; '
            f'{len(self.variables)} variables, {parameters:,} parameters'
        )

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
        print(self._summary(phase, updates))
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

    def _summary(self, phase: Phase, updates: loop.Updates) -> str:
        rows = [row for row in self.metrics.rows if row['phase'] == phase.name]
        seconds = sum(float(row['seconds']) for row in rows)
        last = rows[-1]
        scores = ', '.join(
            f'{name} {float(value):.4g}'
            for name, value in last.items()
            if name not in runs.POSITION and value and name.startswith(('train/', 'validation/'))
        )
        speed = len(rows) * updates.examples / max(seconds, 1e-9)
        return (
            f'{phase.name:9} reads {phase.reads}, trains {phase.trainable}: {len(rows):,} epochs, '
            f'{updates.steps:,} updates, {seconds:.1f} s, {speed:,.0f} examples/s; {scores}'
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


def show(results: dict[str, Any]) -> None:
    """Prints a finished run's metrics, a split a column."""
    metrics = results['metrics']
    splits = [
        s
        for s in ('train', 'validation', 'test')
        if f'{s}/mse' in metrics or f'{s}/accuracy' in metrics
    ]
    names = list(dict.fromkeys(name.split('/', 1)[1] for name in metrics if '/' in name))
    print(f'{"":18}' + ''.join(f'{split:>12}' for split in splits))
    for name in names:
        cells = [metrics.get(f'{split}/{name}') for split in splits]
        print(f'{name:18}' + ''.join(f'{"" if c is None else format(c, ".5g"):>12}' for c in cells))
    for name, value in metrics.items():
        if '/' not in name:
            print(f'{name:18}{value:.5g}')
