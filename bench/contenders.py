"""The contenders: each trains one network its own way, in a process of its own.

A process reads JSON lines: a Task, then, for every round, the contender (some share a process), the
seed and the epochs to train. It answers each with one.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import inst
from bench import peers, reading, work, workers
from bench.networks import BYTES, NETWORKS, TRAINED_ON
from bench.peers import Task, images_of, timed
from bench.reading import Round
from inputs.spec import Spec
from parameters import PRECISIONS, Experiment
from system.errors import DataError, UserError

_PICTURES = 6400  # of CIFAR-10, that convolutional networks train on
_OPEN = contextlib.ExitStack()  # sessions, for as long as the process lives
_CALL = 0.2  # seconds of updates in one call, as in training
_SEQUENCES = 12_800  # digits, that LSTMs train on


def product(experiment: Experiment, task: Task) -> Round:
    """Trains by `train.run`, afresh each round; its first epoch is not timed.

    Timed is all that happens from one epoch's end to another's; where a phase is compared with a
    network of its own, whose validation has another size, only the updates of the last phase.
    """
    from train.folder import Place
    from train.run import run

    experiment, data_dir = _with_data(experiment, task)
    phases = any(contender.base == 'stand-alone' for contender in NETWORKS[task.network])
    seconds = workers.seconds_of_updates if phases else _seconds_between_events

    def train_round(seed: int, epochs: int) -> float:
        with tempfile.TemporaryDirectory(dir=task.folder) as folder:
            run_dir = Path(folder, 'run')
            place = Place(data_dir=data_dir, run_dir=run_dir)
            with contextlib.redirect_stderr(_Terminal()):
                run(experiment.vary(seed=seed, epochs=epochs + 1), experiment, place)
            return seconds(run_dir)

    return train_round


def _with_data(experiment: Experiment, task: Task) -> tuple[Experiment, Path]:
    """Returns the experiment on the benchmark's data, and where its records are kept."""
    if experiment.data_path:
        file = Path(task.folder, experiment.data_path)
        return experiment.vary(data_path=str(file)), Path(task.folder, 'data')
    return experiment.vary(dataset=task.dataset), Path(task.data_dir)


def steps(experiment: Experiment, task: Task, *, checked: bool = True) -> Round:
    """Makes one call of the product's updates, with its look at what they did or not.

    The seconds are an epoch's, at that speed.
    """
    network, updates = _built(experiment, task)
    count = max(1, updates.length.steps_per_epoch // 2)

    def some(seed: int, epochs: int) -> float:
        nonlocal count
        sums = [0.0] * len(updates.terms)
        feeds: dict[Any, Any] = {updates.first: 0, updates.last: count, updates.sums_before: sums}
        fetches = [updates.sums, updates.health] if checked else updates.sums
        if not seed:  # the round that is not counted: its first call prepares the graph
            network.session.run(fetches, feeds)
        began = time.perf_counter()
        network.session.run(fetches, feeds)
        seconds = (time.perf_counter() - began) / count
        if not seed:
            count = min(count, max(1, round(_CALL / seconds)))
        return seconds * updates.length.steps_per_epoch

    return some


@functools.cache
def _built(experiment: Experiment, task: Task) -> tuple[Any, Any]:
    """Returns a network, and the updates of its first phase, about to be made."""
    import dataset
    from model import built
    from phases import schedule_of
    from train.updates import build

    experiment, data_dir = _with_data(experiment, task)
    data = dataset.load(experiment, data_dir)
    network = _OPEN.enter_context(built(experiment, data.spec, None))
    phase, train = schedule_of(experiment)[0], data.splits['train']
    updates = build(experiment, phase, train, data.spec.picture, network.tower())
    updates.initialize(network.session)
    updates.begin(network.session, 0, 0)
    return network, updates


class _Terminal(io.StringIO):
    """Says that it is a terminal, so that the progress bar is drawn."""

    def isatty(self) -> bool:
        return True


def _seconds_between_events(folder: Path) -> float:
    import tensorflow.compat.v1 as tf

    (file,) = (folder / 'tb' / 'train').iterdir()
    events = tf.train.summary_iterator(str(file))
    ends = list({event.step: event.wall_time for event in events if event.summary.value}.values())
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def bare(experiment: Experiment, task: Task) -> Round:
    """Makes the same updates on the same graph, in a session called once a step."""
    import tensorflow.compat.v1 as tf

    import model
    from networks import layers
    from networks import session as sessions
    from networks.endpoints import Batch
    from train import batches
    from train.feeding import divided
    from train.updates import follow

    images = images_of(experiment, task)
    spec = Spec(images.shape[1:], picture=images.shape[1:])
    with tf.Graph().as_default():
        model.build(experiment, spec)
        content = tf.placeholder(tf.uint8, images.shape)
        held = tf.get_variable('images', initializer=content, trainable=False, use_resource=True)
        index = tf.placeholder(tf.int32, [None])
        statistics: list[dict[str, Any]] = []
        losses = []
        parts = divided(index, experiment.parts)
        for part in parts:
            statistics.append({})
            mode = layers.Mode(True, statistics=statistics[-1])
            x = tf.cast(tf.gather(held, part), tf.float32) / 255.0
            with tf.variable_scope(tf.get_variable_scope(), reuse=True):
                losses.append(model.tower(experiment, spec, Batch(x, x), mode).losses['mse']())
        counts = [tf.shape(part)[0] for part in parts]
        variables = model.variables(tf.get_default_graph(), trainable=True)
        made = batches.Losses([1.0], [losses], statistics, counts, tf.add_n(counts))
        found = batches.found(made, variables)
        moves = [*zip(found.gradients, variables, strict=True)]
        step = tf.train.AdamOptimizer(experiment.learning_rate).apply_gradients(moves)
        update = tf.group(step, *follow(found.statistics, '.*', tf.constant(1000)))
        session = tf.Session(
            config=sessions.config(experiment.precision, spec.shape, experiment.parts)
        )
        session.run(tf.global_variables_initializer(), {content: images})
        step = session.make_callable(update, [index])
    generator, size = np.random.default_rng(0), experiment.batch_size or len(images)

    def train(epochs: int) -> None:
        for _ in range(epochs):
            order = generator.permutation(len(images)).astype(np.int32)
            for start in range(0, len(images), size):
                step(order[start : start + size])

    return timed(train)


def _by_command(trainer: str) -> Callable[[Experiment, Task], Round]:
    def made(experiment: Experiment, task: Task) -> Round:
        return workers.trained(*_with_data(experiment, task), Path(task.folder), trainer)

    return made


def _in_folder(trainer: Callable[[Experiment, Path], Round]) -> Callable[[Experiment, Task], Round]:
    return lambda experiment, task: trainer(experiment, Path(task.folder))


TRAINERS: dict[str, Callable[[Experiment, Task], Round]] = {
    'product': product,
    'steps': steps,
    'steps_unchecked': functools.partial(steps, checked=False),
    'bare': bare,
    **peers.TRAINERS,
    **{name: _by_command(name) for name in workers.CORES},
    **{name: _in_folder(trainer) for name, trainer in reading.TRAINERS.items()},
}


def prepare(task: Task) -> dict[str, Any]:
    """Writes what the peers and the stand-alone network train on; returns facts for the page.

    Where MNIST is not to be had, the 5,000 embedded digits take its place.
    """
    import dataset
    from system.kernels import has_bfloat16
    from train.identity import environment

    folder, data_dir = Path(task.folder), Path(task.data_dir)
    try:
        data = dataset.load(inst.untied.vary(dataset=task.dataset), data_dir)
    except DataError:
        data = dataset.load(inst.untied.vary(dataset='mnist5k'), data_dir)
    images = data.splits['train'].x
    np.save(folder / 'images.npy', images[:])
    sequences = images[: round(_SEQUENCES / 0.8)].reshape(-1, 28, 28)
    np.savez(folder / 'sequences.npz', x=sequences)  # 80 % of a user's own array are for training
    np.save(folder / 'sequences.npy', sequences[: round(0.8 * len(sequences))])
    shape = (round(len(images) / 0.8), 300)
    made = [*_pictures(folder, data_dir), *reading.prepare(folder)]
    numbers = np.random.default_rng(0).standard_normal(shape, np.float32)
    np.savez(folder / 'activations.npz', x=np.where(numbers > 0, numbers, np.expm1(numbers)))
    return {
        'dataset': data.key,
        'examples': len(images),
        'trained_on': {
            name: np.load(folder / f'{name}.npy', mmap_mode='r').shape
            for name in TRAINED_ON.values()
            if (folder / f'{name}.npy').is_file()
        },
        'made': ['activations.npz', 'sequences.npz', *made],
        'bfloat16': has_bfloat16(),
        **environment('float32'),
    }


def _pictures(folder: Path, data_dir: Path) -> list[str]:
    """Writes what convolutional networks train on; returns its file, none without CIFAR-10."""
    import dataset

    try:
        x = dataset.load(inst.conv_joint, data_dir).splits['train'].x[: round(_PICTURES / 0.8)]
    except DataError:
        return []
    np.savez(folder / 'pictures.npz', x=x)
    np.save(folder / 'pictures.npy', x[:_PICTURES])
    return ['pictures.npz']


def serve() -> None:
    """Does one task, answering on standard output, where nothing else is let through."""
    answers = os.fdopen(os.dup(1), 'w', buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def answer(**content: Any) -> None:
        answers.write(json.dumps(content) + '\n')

    task = Task(**json.loads(sys.stdin.readline()))
    try:
        if not task.contender:
            return answer(**prepare(task))
        if task.contender in PRECISIONS:
            return answer(peak=work.peak(task.contender))
        if task.contender == BYTES:
            experiment = NETWORKS[task.network][0].experiment
            return answer(bytes=workers.bytes_of(*_with_data(experiment, task)))
        rounds = {
            contender.name: TRAINERS[contender.trainer](contender.experiment, task)
            for contender in NETWORKS[task.network]
            if task.contender in (contender.name, contender.process)
        }
        answer()
        for line in sys.stdin:
            command = json.loads(line)
            answer(seconds=rounds[command.pop('contender')](**command))
    except ModuleNotFoundError as error:
        answer(failed=f'not installed: {error.name}')
    except UserError as error:
        answer(failed=str(error))


if __name__ == '__main__':
    serve()
