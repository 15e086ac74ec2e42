"""The peers: the same networks as their frameworks' own documentation would train them.

Frameworks are imported where they are used: no process holds two of them.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.networks import TRAINED_ON
from bench.reading import Round
from parameters import Experiment


class Task(NamedTuple):
    """What a process is to do: be one contender or, where none is named, prepare the data."""

    dataset: str
    data_dir: str
    folder: str  # for this benchmark's files, gone afterwards
    network: str = ''
    contender: str = ''


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
    return timed(lambda epochs: network.fit(images, target, epochs=epochs, **settings))


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


def pytorch(
    experiment: Experiment, task: Task, *, channels_last: bool = False, compiled: bool = False
) -> Round:
    """Loops in PyTorch over images held as float32, with fused Adam; autocast for bfloat16.

    Where it is `compiled`, torch.compile makes the loss, and so its gradients.
    """
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

    def loss_of(x: Any) -> Any:
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=rounded):
            return nn.functional.mse_loss(network(x), x)

    if compiled:
        loss_of = torch.compile(loss_of)

    def train(epochs: int) -> None:
        for _ in range(epochs):
            for index in torch.randperm(len(images)).split(experiment.batch_size):
                x = images.index_select(0, index)
                optimizer.zero_grad()
                loss_of(x).backward()
                optimizer.step()

    return timed(train)


Parameters = dict[str, Any]
"""Of JAX: name -> array."""
Forward = Callable[[Parameters, Any], tuple[Any, Parameters]]
"""Of JAX: (parameters, batch) -> what it reconstructs, and what batch norm found."""


def jax(experiment: Experiment, task: Task) -> Round:
    """Trains in JAX: an epoch is one `lax.scan`, jitted, its state donated; optax's Adam.

    Convolutions are a call a step: in a scan one takes fifteen times as long as alone. Images are
    held as float32. In bfloat16 the products are, of float32 parameters.
    """
    import jax
    import jax.numpy as jnp
    import optax

    images = jnp.asarray(_floats(experiment, task))
    kind = {'conv': _jax_conv, 'lstm': _jax_lstm}.get(experiment.network, _jax_dense)
    parameters, forward = kind(experiment, images.shape[-1])
    optimizer = optax.adam(experiment.learning_rate)

    def loss_of(parameters: Parameters, x: Any) -> tuple[Any, Parameters]:
        outputs, found = forward(parameters, x)
        return jnp.mean(jnp.square(outputs.astype(jnp.float32) - x)), found

    def update(state: Any, images: Any, index: Any) -> tuple[Any, Any]:
        parameters, slots, averages = state
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        (loss, found), gradients = gradient(parameters, images[index])
        changes, slots = optimizer.update(gradients, slots)
        averages = jax.tree.map(lambda kept, new: 0.98 * kept + 0.02 * new, averages, found)
        return (optax.apply_updates(parameters, changes), slots, averages), loss

    @functools.partial(jax.jit, donate_argnums=0)
    def updates(state: Any, images: Any, batches: Any) -> tuple[Any, Any]:
        if len(batches) == 1:
            return update(state, images, batches[0])
        return jax.lax.scan(lambda state, index: update(state, images, index), state, batches)

    averages = jax.eval_shape(lambda: forward(parameters, images[:2])[1])
    averages = jax.tree.map(lambda found: jnp.zeros(found.shape), averages)
    state = (parameters, optimizer.init(parameters), averages)
    generator, size = np.random.default_rng(0), experiment.batch_size or len(images)
    whole = len(images) // size * size
    in_call = 1 if experiment.network == 'conv' else whole // size  # steps

    def train(epochs: int) -> None:
        nonlocal state
        for _ in range(epochs):
            order = generator.permutation(len(images))
            for batches in order[:whole].reshape(-1, in_call, size):
                state, _ = updates(state, images, batches)
            if whole < len(images):
                state, _ = updates(state, images, order[None, whole:])
        jax.block_until_ready(state)

    return timed(train)


def _jax_drawn(shapes: dict[str, tuple[int, ...]]) -> Parameters:
    """Returns kernels drawn as He et al. (2015) do, and vectors of zeros, or ones named `scale`."""
    import jax

    generator, made = np.random.default_rng(0), {}
    for name, shape in shapes.items():
        value = np.full(shape, name.startswith('scale'), np.float32)
        if len(shape) > 1:
            deviation = (2 / np.prod(shape[:-1])) ** 0.5
            value = generator.normal(0, deviation, shape).astype(np.float32)
        made[name] = jax.numpy.asarray(value)
    return made


def _jax_rounded(experiment: Experiment) -> Callable[[Any], Any]:
    """Returns what casts the factors of a product."""
    import jax.numpy as jnp

    kind = jnp.bfloat16 if experiment.precision == 'bfloat16' else jnp.float32
    return lambda values: values.astype(kind)


def _jax_dense(experiment: Experiment, features: int) -> tuple[Parameters, Forward]:
    import jax

    widths = (features, *_widths(experiment), features)
    layers = range(len(widths) - 1)
    shapes: dict[str, tuple[int, ...]] = {f'bias{k}': (widths[k + 1],) for k in layers}
    shapes |= {f'kernel{k}': (widths[k], widths[k + 1]) for k in layers}
    activation = {'relu': jax.nn.relu, 'elu': jax.nn.elu}[experiment.activation]
    cast = _jax_rounded(experiment)

    def forward(p: Parameters, x: Any) -> tuple[Any, Parameters]:
        for k in layers:
            x = cast(x) @ cast(p[f'kernel{k}']) + cast(p[f'bias{k}'])
            x = activation(x) if k < layers[-1] else x
        return x, {}

    return _jax_drawn(shapes), forward


def _jax_conv(experiment: Experiment, features: int) -> tuple[Parameters, Forward]:
    import jax
    import jax.numpy as jnp

    widths = (features, *experiment.filters, *_inverse_widths(experiment, features))
    half, layers, side = len(experiment.filters), range(len(widths) - 1), experiment.kernel_size
    shapes: dict[str, tuple[int, ...]] = {}
    for k in layers:
        shapes[f'kernel{k}'] = (side, side, widths[k], widths[k + 1])
        shapes |= {f'bias{k}': (widths[k + 1],), f'scale{k}': (widths[k + 1],)}
    cast, order = _jax_rounded(experiment), ('NHWC', 'HWIO', 'NHWC')

    def forward(p: Parameters, x: Any) -> tuple[Any, Parameters]:
        found = {}
        for k in layers:
            convolve = jax.lax.conv_general_dilated if k < half else jax.lax.conv_transpose
            x = convolve(
                cast(x), cast(p[f'kernel{k}']), (2, 2), 'SAME', dimension_numbers=order
            ).astype(jnp.float32)
            if k < layers[-1]:
                mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
                found[f'mean{k}'], found[f'variance{k}'] = mean, variance
                scale = p[f'scale{k}'] * jax.lax.rsqrt(variance + 1e-3)
                x = jax.nn.relu((x - mean) * scale + p[f'bias{k}'])
        return x + p[f'bias{layers[-1]}'], found

    return _jax_drawn(shapes), forward


def _jax_lstm(experiment: Experiment, features: int) -> tuple[Parameters, Forward]:
    """Returns the network as for Keras; its decoder is fed nothing."""
    import jax
    import jax.numpy as jnp

    (units,) = experiment.hidden
    shapes: dict[str, tuple[int, ...]] = {
        'kernel': (features, 4 * units), 'recurrent': (units, 4 * units), 'bias': (4 * units,),
        'decoder': (units, 4 * units), 'decoder_bias': (4 * units,),
        'output': (units, features), 'output_bias': (features,),
    }  # fmt: skip
    cast = _jax_rounded(experiment)

    def run(recurrent: Any, state: Any, products: Any, length: int | None = None) -> Any:
        def step(state: Any, product: Any) -> Any:
            h, c = state
            gates = product + (cast(h) @ cast(recurrent)).astype(jnp.float32)
            entered, kept, shown, candidate = jnp.split(gates, 4, axis=-1)
            c = jax.nn.sigmoid(kept) * c + jax.nn.sigmoid(entered) * jnp.tanh(candidate)
            h = jax.nn.sigmoid(shown) * jnp.tanh(c)
            return (h, c), h

        if length is None:
            return jax.lax.scan(step, state, products)
        return jax.lax.scan(lambda state, _: step(state, products), state, None, length=length)

    def forward(p: Parameters, x: Any) -> tuple[Any, Parameters]:
        count, steps, _ = x.shape
        turned = cast(jnp.swapaxes(x, 0, 1))
        products = (turned @ cast(p['kernel'])).astype(jnp.float32) + p['bias']
        zeros = jnp.zeros((count, units))
        code, _ = run(p['recurrent'], (zeros, zeros), products)
        _, states = run(p['decoder'], code, p['decoder_bias'], steps)
        made = (cast(states) @ cast(p['output'])).astype(jnp.float32) + p['output_bias']
        return jnp.swapaxes(made, 0, 1)[:, ::-1], {}

    return _jax_drawn(shapes), forward


TRAINERS: dict[str, Callable[[Experiment, Task], Round]] = {
    'keras': keras,
    'pytorch': pytorch,
    'pytorch_compiled': functools.partial(pytorch, compiled=True),
    'pytorch_last': functools.partial(pytorch, channels_last=True),
    'pytorch_last_compiled': functools.partial(pytorch, channels_last=True, compiled=True),
    'jax': jax,
}


def timed(train_epochs: Callable[[int], Any]) -> Round:
    """Returns the seconds that an epoch takes, of so many at once."""

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


def images_of(experiment: Experiment, task: Task) -> np.ndarray:
    """Returns what a network of that kind trains on, bytes."""
    return np.load(Path(task.folder, f'{TRAINED_ON[experiment.network]}.npy'))


def _floats(experiment: Experiment, task: Task) -> np.ndarray:
    return images_of(experiment, task).astype(np.float32) / np.float32(255)
