"""The contenders: each trains one network its own way, in a process of its own.

A process reads JSON lines: a Task, then, for every round, the seed and the epochs to train. It
answers each with one. Frameworks are imported where they are used: no process holds two of them.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import inst
from bench import reading
from bench.networks import NETWORKS
from bench.reading import Round
from inputs.spec import Spec
from parameters import Experiment
from system.errors import DataError, UserError

_PICTURES = 6400  # of CIFAR-10, that convolutional networks train on
_OPEN = contextlib.ExitStack()  # sessions, for as long as the process lives
_CALL = 0.2  # seconds of updates in one call, as in training
_SEQUENCES = 12_800  # digits, that LSTMs train on


class Task(NamedTuple):
    """What a process is to do: be one contender or, where none is named, prepare the data."""

    dataset: str
    data_dir: str
    folder: str  # for this benchmark's files, gone afterwards
    network: str = ''
    contender: str = ''


def product(experiment: Experiment, task: Task) -> Round:
    """Trains by `train.run`, afresh each round; its first epoch is not timed.

    Timed is all that happens from one epoch's end to another's; where a phase is compared with a
    network of its own, whose validation has another size, only the updates of the last phase.
    """
    from train.folder import Place
    from train.run import run

    experiment, data_dir = _with_data(experiment, task)
    phases = any(contender.base == 'stand-alone' for contender in NETWORKS[task.network])
    seconds = _seconds_of_updates if phases else _seconds_between_events

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
    import dataset
    from model import built
    from parameters import schedule_of
    from train.updates import build

    experiment, data_dir = _with_data(experiment, task)
    data = dataset.load(experiment, data_dir)
    network = _OPEN.enter_context(built(experiment, data.spec, None))
    phase, train = schedule_of(experiment)[0], data.splits['train']
    updates = build(experiment, phase, train, data.spec.picture, network.tower())
    updates.initialize(network.session)
    updates.begin(network.session, 0, 0)
    count = max(1, updates.length.steps_per_epoch // 2)

    def some(seed: int, epochs: int) -> float:
        nonlocal count
        sums = [0.0] * len(updates.terms)
        feeds: dict[Any, Any] = {updates.first: 0, updates.last: count, updates.sums_before: sums}
        began = time.perf_counter()
        network.session.run([updates.sums, updates.health] if checked else updates.sums, feeds)
        seconds = (time.perf_counter() - began) / count
        if not seed:  # the round that is not counted
            count = min(count, max(1, round(_CALL / seconds)))
        return seconds * updates.length.steps_per_epoch

    return some


class _Terminal(io.StringIO):
    """Says that it is a terminal, so that the progress bar is drawn."""

    def isatty(self) -> bool:
        return True


def _seconds_between_events(folder: Path) -> float:
    import tensorflow.compat.v1 as tf

    (file,) = (folder / 'tb').iterdir()
    events = tf.train.summary_iterator(str(file))
    ends = list({event.step: event.wall_time for event in events if event.summary.value}.values())
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def _seconds_of_updates(folder: Path) -> float:
    with open(folder / 'metrics.csv', newline='') as opened:
        rows = list(csv.DictReader(opened))
    seconds = [float(row['seconds']) for row in rows if row['phase'] == rows[-1]['phase']]
    return sum(seconds[1:]) / (len(seconds) - 1)


def bare(experiment: Experiment, task: Task) -> Round:
    """Makes the same updates on the same graph, in a session called once a step."""
    import tensorflow.compat.v1 as tf

    import model
    from networks import layers
    from networks import session as sessions
    from networks.endpoints import Batch
    from train.updates import follow

    images = _images(experiment, task)
    spec = Spec(images.shape[1:], picture=images.shape[1:])
    with tf.Graph().as_default():
        model.build(experiment, spec)
        content = tf.placeholder(tf.uint8, images.shape)
        held = tf.get_variable('images', initializer=content, trainable=False, use_resource=True)
        index = tf.placeholder(tf.int32, [None])
        x = tf.cast(tf.gather(held, index), tf.float32) / 255.0
        with tf.variable_scope(tf.get_variable_scope(), reuse=True):
            statistics: dict[str, Any] = {}
            mode = layers.Mode(True, statistics=statistics)
            endpoints = model.tower(experiment, spec, Batch(x, x), mode)
        loss = tf.reduce_mean(endpoints.losses['mse']())
        step = tf.train.AdamOptimizer(experiment.learning_rate).minimize(loss)
        update = tf.group(step, *follow(statistics, '.*', tf.constant(1000)))
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

    return _timed(train)


def keras(experiment: Experiment, task: Task) -> Round:
    """Calls Keras's `fit` on images held as float32, with its default settings."""
    import keras

    images = _floats(experiment, task)
    target = images
    network = keras.Sequential([keras.Input(images.shape[1:])])
    if experiment.network == 'lstm':
        network, target = _keras_lstm(experiment, images.shape[1:]), images[:, ::-1].copy()
    elif experiment.network == 'conv':
        settings = {'strides': 2, 'padding': 'same', 'use_bias': False}
        *inner, last = _inverse_widths(experiment, images.shape[-1])
        for kind, widths in (('Conv2D', experiment.filters), ('Conv2DTranspose', inner)):
            for width in widths:
                network.add(getattr(keras.layers, kind)(width, experiment.kernel_size, **settings))
                network.add(keras.layers.BatchNormalization())
                network.add(keras.layers.ReLU())
        settings['use_bias'] = True
        network.add(keras.layers.Conv2DTranspose(last, experiment.kernel_size, **settings))
    else:
        for width in _widths(experiment):
            network.add(keras.layers.Dense(width, activation=experiment.activation))
        network.add(keras.layers.Dense(images.shape[1]))
    network.compile(optimizer=keras.optimizers.Adam(experiment.learning_rate), loss='mse')
    settings = {'batch_size': experiment.batch_size, 'shuffle': True, 'verbose': 0}
    return _timed(lambda epochs: network.fit(images, target, epochs=epochs, **settings))


def _keras_lstm(experiment: Experiment, shape: tuple[int, ...]) -> Any:
    """Returns an encoder, and a decoder that goes on from its state and is fed zeros."""
    import keras

    (units,) = experiment.hidden
    inputs = keras.Input(shape)
    _, *state = keras.layers.LSTM(units, return_state=True)(inputs)
    zeros = keras.ops.zeros_like(inputs[:, :, :1])
    states = keras.layers.LSTM(units, return_sequences=True)(zeros, initial_state=state)
    return keras.Model(inputs, keras.layers.Dense(shape[-1])(states))


def _torch_network(experiment: Experiment, features: int) -> Any:
    from torch import nn

    if experiment.network == 'lstm':
        return _torch_lstm(experiment, features)
    activation = {'relu': nn.ReLU, 'elu': nn.ELU}[experiment.activation]
    layers, inputs = [], features
    if experiment.network == 'conv':
        side = experiment.kernel_size
        settings = {'kernel_size': side, 'stride': 2, 'padding': side // 2}
        *inner, last = _inverse_widths(experiment, features)
        back = settings | {'output_padding': 1}
        kinds = (nn.Conv2d, experiment.filters, settings), (nn.ConvTranspose2d, inner, back)
        for kind, widths, given in kinds:
            for width in widths:
                layers += [kind(inputs, width, bias=False, **given), nn.BatchNorm2d(width)]
                layers.append(activation())
                inputs = width
        return nn.Sequential(*layers, nn.ConvTranspose2d(inputs, last, **back))
    for width in _widths(experiment):
        layers += [nn.Linear(inputs, width), activation()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, features))


def _torch_lstm(experiment: Experiment, features: int) -> Any:
    """Returns the same network as for Keras; what it decodes is in the order of the inputs."""
    import torch
    from torch import nn

    (units,) = experiment.hidden

    class Autoencoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.LSTM(features, units, batch_first=True)
            self.decoder = nn.LSTM(1, units, batch_first=True)
            self.output = nn.Linear(units, features)

        def forward(self, x: Any) -> Any:
            _, state = self.encoder(x)
            states, _ = self.decoder(torch.zeros_like(x[:, :, :1]), state)
            return self.output(states).flip(1)

    return Autoencoder()


def pytorch(experiment: Experiment, task: Task, *, channels_last: bool = False) -> Round:
    """Loops in PyTorch over images held as float32, with fused Adam; autocast for bfloat16."""
    import torch
    from torch import nn

    images = torch.from_numpy(_floats(experiment, task))
    network = _torch_network(experiment, images.shape[-1])
    if images.ndim == 4:
        images = images.permute(0, 3, 1, 2)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        images, network = images.contiguous(memory_format=layout), network.to(memory_format=layout)
    optimizer = torch.optim.Adam(network.parameters(), lr=experiment.learning_rate, fused=True)
    rounded = experiment.precision == 'bfloat16'

    def train(epochs: int) -> None:
        for _ in range(epochs):
            for index in torch.randperm(len(images)).split(experiment.batch_size):
                x = images.index_select(0, index)
                optimizer.zero_grad()
                with torch.autocast('cpu', dtype=torch.bfloat16, enabled=rounded):
                    loss = nn.functional.mse_loss(network(x), x)
                loss.backward()
                optimizer.step()

    return _timed(train)


def _in_folder(trainer: Callable[[Experiment, Path], Round]) -> Callable[[Experiment, Task], Round]:
    return lambda experiment, task: trainer(experiment, Path(task.folder))


TRAINERS: dict[str, Callable[[Experiment, Task], Round]] = {
    'product': product,
    'steps': steps,
    'steps_unchecked': functools.partial(steps, checked=False),
    'bare': bare,
    'keras': keras,
    'pytorch': pytorch,
    'pytorch_last': functools.partial(pytorch, channels_last=True),
    **{name: _in_folder(trainer) for name, trainer in reading.TRAINERS.items()},
}


def _timed(train_epochs: Callable[[int], Any]) -> Round:
    def train_round(seed: int, epochs: int) -> float:
        began = time.perf_counter()
        train_epochs(epochs)
        return (time.perf_counter() - began) / epochs

    return train_round


def _widths(experiment: Experiment) -> tuple[int, ...]:
    """Returns the widths of all hidden layers, the code among them."""
    return (*experiment.hidden, *reversed(experiment.hidden[:-1]))


def _inverse_widths(experiment: Experiment, channels: int) -> list[int]:
    """Returns the channels that each transposed convolution gives."""
    return [*reversed(experiment.filters[:-1]), channels]


def _images(experiment: Experiment, task: Task) -> np.ndarray:
    name = {'conv': 'pictures', 'lstm': 'sequences'}.get(experiment.network, 'images')
    return np.load(Path(task.folder, f'{name}.npy'))


def _floats(experiment: Experiment, task: Task) -> np.ndarray:
    return _images(experiment, task).astype(np.float32) / np.float32(255)


def prepare(task: Task) -> dict[str, Any]:
    """Writes what the peers and the stand-alone network train on; returns facts for the page.

    Where MNIST is not to be had, the 5,000 embedded digits take its place.
    """
    import dataset
    from networks.session import has_bfloat16
    from train.folder import environment

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
        (contender,) = (c for c in NETWORKS[task.network] if c.name == task.contender)
        train_round = TRAINERS[contender.trainer](contender.experiment, task)
        answer()
        for line in sys.stdin:
            answer(seconds=train_round(**json.loads(line)))
    except ModuleNotFoundError as error:
        answer(failed=f'not installed: {error.name}')
    except UserError as error:
        answer(failed=str(error))


if __name__ == '__main__':
    serve()
