"""What is timed: every network, its contenders, and the ratio wanted of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import inst
from bench import reading
from parameters import Experiment


class Contender(NamedTuple):
    """A way to train, the contender that its time is divided by, and the ratio wanted of them."""

    name: str
    trainer: str  # a name in TRAINERS
    experiment: Experiment
    base: str
    wanted: str = ''
    least: float = 0.0
    most: float = float('inf')
    share: float = 0.0  # wanted of the processor's peak, in place of a ratio
    often: int = 1  # rounds of it for one of the others': short ones, so that more are needed
    process: str = ''  # of which contender's it is, where it has none of its own
    onednn: str = ''  # '0' where TensorFlow is to compute without it


TRAINED_ON = {'dense': 'images', 'conv': 'pictures', 'lstm': 'sequences'}  # by kind of network
PEERS = {  # what a contender is called -> its trainer
    'PyTorch': 'pytorch',
    'PyTorch, compiled': 'pytorch_compiled',
    'JAX': 'jax',
}
_LAYOUTS = {  # of PyTorch's pictures in memory
    'PyTorch, channels last': 'pytorch_last',
    'PyTorch, channels last, compiled': 'pytorch_last_compiled',
}
WORKERS = 'on two workers: '  # before the names of networks that are trained so
BYTES = 'bytes'  # in place of a contender: of what their workers send
LEAST_OF_LINEAR = 0.85
_KERAS = '1.9 (about 2)'  # wanted of Keras on dense networks


def _against_peers(
    experiment: Experiment,
    keras: str,
    peers: str,
    rounded: str,
    trainers: Mapping[str, str] = PEERS,
    share: float = 0.0,
) -> list[Contender]:
    """Returns the product and its peers, each with the ratio that is wanted of every one.

    `rounded` is that in bfloat16, `share` what the product is to have of the processor's peak.
    """
    made = []
    for end, precision, ratio in (('', 'float32', peers), (', bfloat16', 'bfloat16', rounded)):
        tried, base = experiment.vary(precision=precision), f'product{end}'
        wanted = f'{share:.0%} of the peak' if share and not end else ''
        made += [
            Contender(base, 'product', tried, base, wanted, share=share),
            Contender(f'bare session{end}', 'bare', tried, base, 'at least 0.95', 0.95),
        ]
        made += [
            Contender(f'{name}{end}', trainer, tried, base, ratio, _number(ratio))
            for name, trainer in trainers.items()
        ]
    return [*made, Contender('Keras', 'keras', experiment, 'product', keras, _number(keras))]


def _number(wanted: str) -> float:
    """Returns the number that a wanted ratio begins with."""
    return float(wanted.split()[0]) if wanted else 0.0


def _beside_plain(plain: Experiment, *constrained: Experiment) -> list[Contender]:
    """Returns a plain network, and what dropout, noise, penalties and sampling add to its time."""
    return [Contender('plain', 'product', plain, 'plain')] + [
        Contender(experiment.name, 'product', experiment, 'plain', 'at most 2', most=2.0)
        for experiment in constrained
    ]


def _beside_unchecked(experiment: Experiment) -> list[Contender]:
    """Returns the product's updates, and the same without the look at what is not finite.

    They are made by one process, on one graph: two processes of the same differ by more than is
    looked for.
    """
    checked = Contender(
        'checked', 'steps', experiment, 'unchecked', 'at most 1.02', most=1.02, often=30
    )
    unchecked = Contender(
        'unchecked', 'steps_unchecked', experiment, 'unchecked', often=30, process='checked'
    )
    return [checked, unchecked]


def _beside_eigen(experiment: Experiment) -> list[Contender]:
    """Returns the product by the kernels that it chooses, oneDNN's, and by TensorFlow's others."""
    return [
        Contender('oneDNN', 'product', experiment, 'oneDNN'),
        Contender('Eigen', 'product', experiment, 'oneDNN', 'at least 1', 1.0, onednn='0'),
    ]


def _on_workers(experiment: Experiment) -> list[Contender]:
    """Returns one worker on one core, a process of two parts on two, and a worker on each."""
    in_parts, one = experiment.vary(parts=2), 'one worker'
    most = round(1 / (2 * LEAST_OF_LINEAR), 3)
    wanted = f'at most {most}'
    return [
        Contender(one, one, in_parts, one),
        Contender('one worker, one part', one, experiment.vary(parts=1), one),
        Contender('one process', 'one process', in_parts, one),
        Contender('two workers', 'two workers', in_parts, one, wanted, most=most),
    ]


_PLAIN: dict[str, Any] = {'l2': 0.0, 'output_activation': 'linear', 'schedule': 'constant'}
_STACK = inst.untied.vary(**_PLAIN)
_DEEP = _STACK.vary(hidden=(512, 256, 128, 11), activation='relu', batch_size=256)
_ALONE = inst.phasewise.vary(
    dataset='array',
    data_path='activations.npz',
    hidden=(150,),
    training='joint',
    output_activation='elu',
)
_CONV = inst.conv_joint.vary(
    dataset='array',
    data_path='pictures.npz',
    filters=(32, 64, 128, 128),
    kernel_size=5,
    batch_size=64,
    learning_rate=1e-3,
    output_activation='linear',
    schedule='constant',
)
_LSTM = inst.lstm_reconstruct.vary(
    parts=2,
    dataset='array',
    data_path='sequences.npz',
    learning_rate=1e-3,
    output_activation='linear',
    schedule='constant',
    clip_norm=0.0,
)
_HELD = reading.PHOTOS.vary(cache_bytes=1 << 33)
NETWORKS: dict[str, list[Contender]] = {
    '784-512-256-128-11-128-256-512-784': _against_peers(_DEEP, _KERAS, '1.1', '1.3', share=0.65),
    '784-300-150-300-784': _against_peers(_STACK, _KERAS, '1.8', '1.2'),
    '300-150-300': [
        Contender('stand-alone', 'product', _ALONE, 'stand-alone'),
        Contender('phase 2', 'product', inst.phasewise, 'stand-alone', 'at most 1.20', most=1.2),
    ],
    '32x32x3, 5x5 convolutions 32-64-128-128 and back': _against_peers(
        _CONV, '1.7', '1.0', '1.0', {**PEERS, **_LAYOUTS}
    )
    + [
        Contender(f'product, 2 parts{end}', 'product', _CONV.vary(parts=2, precision=kind), base)
        for end, kind, base in (
            ('', 'float32', 'product'),
            (', bfloat16', 'bfloat16', 'product, bfloat16'),
        )
    ],
    '28 steps of 28, LSTM of 128 and back': _against_peers(_LSTM, '1.6', '1.7', ''),
    '224x224x3, 3x3 convolutions 32-64-64-64 and back': [
        Contender('from memory', 'product', _HELD, 'from memory'),
        Contender(
            'from records', 'product', reading.PHOTOS, 'from memory', 'at most 1.05', most=1.05
        ),
    ],
    'reading pictures of 224x224': [
        Contender('product', 'read', reading.PHOTOS, 'product'),
        Contender('bare tf.data', 'read_bare', reading.PHOTOS, 'product', 'at least 0.9', 0.9),
        Contender(
            'Pillow, original files', 'read_files', reading.PHOTOS, 'product', 'at least 8', 8
        ),
    ],
    'recording 60,000 JPEGs of 32x32': [
        Contender('product', 'record', reading.OBJECTS, 'product'),
        Contender('one process', 'record_one', reading.OBJECTS, 'product', 'at least 1.7', 1.7),
    ],
    'checked updates, 784-512-256-128-11-128-256-512-784': _beside_unchecked(_DEEP),
    'checked updates, 784-300-150-300-784': _beside_unchecked(_STACK),
    'checked updates, convolutions': _beside_unchecked(_CONV),
    'checked updates, LSTM': _beside_unchecked(_LSTM),
    'kernels, 784-512-256-128-11-128-256-512-784': _beside_eigen(_DEEP),
    'kernels, 784-300-150-300-784': _beside_eigen(_STACK),
    'kernels, convolutions': _beside_eigen(_CONV),
    'kernels, LSTM': _beside_eigen(_LSTM),
    '784-1000-784': _beside_plain(
        inst.denoise_mask_control,
        inst.denoise_mask,
        inst.denoise_gaussian,
        inst.sparse,
        inst.sparse_denoise,
    ),
    '784-1000-500-30-500-1000-784': _beside_plain(inst.vae_plain, inst.vae),
    '784-512-256-128-11-128-256-512-784 with L1': _beside_plain(
        inst.mnist_l1, inst.mnist_l1_dropout
    ),
    f'{WORKERS}784-512-256-128-11-128-256-512-784': _on_workers(_DEEP),
    f'{WORKERS}784-512-256-128-11-128-256-512-784, 2,048 a batch': _on_workers(
        _DEEP.vary(batch_size=2048)
    ),
    f'{WORKERS}28 steps of 28, LSTM of 128 and back': _on_workers(_LSTM),
    f'{WORKERS}32x32x3, 5x5 convolutions 32-64-128-128 and back': _on_workers(_CONV),
    f'{WORKERS}32x32x3, 5x5 convolutions 32-64-128-128 and back, 256 a batch': _on_workers(
        _CONV.vary(batch_size=256)
    ),
}
