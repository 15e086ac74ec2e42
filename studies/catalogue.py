"""The questions of the catalogue: every named study, several runs of inst.py each.

A study is varied like an experiment: a `Study`, or `dataclasses.replace` of another one.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import inst
from parameters import Experiment
from studies.study import Study
from system.errors import UsageError
from system.rules import named, nearest

STUDIES: dict[str, Study]  # every one below by its name
CATALOGUE: dict[str, Experiment | Study]  # with the experiments, and all of a user's own file


def _collected(name: str) -> dict[str, Any]:
    """Returns STUDIES or CATALOGUE, made when first asked for, so that the whole file was read."""
    if name not in ('STUDIES', 'CATALOGUE'):
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    held = globals()
    if name not in held:
        studies = named('studies/catalogue.py', held, Study)
        for both in studies.keys() & inst.EXPERIMENTS.keys():
            raise UsageError(f'studies/catalogue.py: {both} is an experiment; name it otherwise')
        held |= {'STUDIES': studies, 'CATALOGUE': {**inst.EXPERIMENTS, **studies}}
    return held[name]


if not TYPE_CHECKING:
    __getattr__ = _collected


mnist_l1_initializers = Study(
    'mnist_l1_initializers',
    'does mnist_l1 stagnate in training, and does dropout prevent it? by initializer',
    inst.L1_STORY,
    arms=(inst.mnist_l1, inst.mnist_l1_dropout),
    seeds=3,
    over='initializer',
    values=('glorot', 'he', 'lecun', 'small'),
    metrics=('test/mae', 'train/mae', 'test/dead_codes'),
)
mnist_l1_rates = dataclasses.replace(
    mnist_l1_initializers,
    name='mnist_l1_rates',
    description='do mnist_l1, mnist_l1_dropout and mnist_l1_fixed stagnate? by learning rate',
    arms=(inst.mnist_l1, inst.mnist_l1_dropout, inst.mnist_l1_fixed),
    seeds=1,
    over='learning_rate',
    values=(1e-4, 3e-4, 1e-3, 3e-3),
)

semi_supervised = Study(
    'semi_supervised',
    'does pretraining help with 1 % of the labels? encoders frozen or trained',
    inst.CONSTRAINTS,
    arms=(inst.semi_scratch, inst.semi_frozen, inst.semi_finetuned, inst.semi_random),
    over='label_fraction',
    values=(0.01,),
    metrics=('test/accuracy',),
)
semi_supervised_sweep = dataclasses.replace(
    semi_supervised,
    name='semi_supervised_sweep',
    description='does pretraining help with 0.1 to 100 % of the labels? encoders frozen or trained',
    values=(0.001, 0.005, 0.01, 0.05, 0.1, 1.0),
)

vae_beta = Study(
    'vae_beta',
    'vae: reconstruction against closeness of the codes to the unit Gaussian, by weight of the KL',
    inst.CONSTRAINTS,
    arms=(inst.vae,),
    seeds=1,
    over='beta',
    values=(0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
    metrics=('test/nll', 'test/kl', 'test/nelbo', 'test/active_codes', 'test/mse',
             'test/separation', 'test/sample_frechet', 'test/sample_coverage'),
    trade_off=('test/kl', 'test/nll'),
)  # fmt: skip

conv_vae_cifar_distances = Study(
    'conv_vae_cifar_distances',
    'does L1, L2 or cosine distance reconstruct CIFAR-10 best, and by which measure?',
    inst.PRASAD,
    arms=(inst.conv_vae_cifar, inst.conv_vae_cifar_l2, inst.conv_vae_cifar_cosine),
    seeds=1,
    metrics=('test/mae', 'test/mse', 'test/cosine', 'test/psnr', 'test/ssim', 'test/separation'),
)
conv_vae_cifar_curve = Study(
    'conv_vae_cifar_curve',
    'conv_vae_cifar_classify: accuracy against reconstruction, by weight of the classifier',
    inst.PRASAD,
    arms=(inst.conv_vae_cifar_classify.vary(epochs=5),),
    seeds=1,
    over='classify',
    values=(0.0, 100.0, 1000.0, 10000.0),
    metrics=('test/accuracy', 'test/psnr', 'test/mae', 'test/kl', 'test/separation'),
    trade_off=('test/psnr', 'test/accuracy'),
)
conv_vae_cifar_labels = dataclasses.replace(
    conv_vae_cifar_curve,
    name='conv_vae_cifar_labels',
    description='conv_vae_cifar_classify: accuracy and reconstruction, by share of known labels',
    over='label_fraction',
    values=(0.01, 0.1, 1.0),
    trade_off=None,
)
conv_transfer = Study(  # as many updates from few labels as from all; conv_*: 8,000
    'conv_transfer',
    'what unsupervised pretraining on CIFAR-10 is worth to a classifier, by the share of labels',
    inst.PRASAD,
    arms=(
        inst.conv_scratch.vary(steps_per_epoch=200, finetune_batch_norm=True, finetune_epochs=40),
        inst.conv_classifier.vary(steps_per_epoch=200),
        inst.conv_finetune.vary(steps_per_epoch=200, finetune_batch_norm=True),
        inst.coates2011_kmeans.vary(
            None, stride=2, steps_per_epoch=90, l2=0.02, **{'parent.hidden': (400,)}
        ),
    ),
    seeds=3,
    over='label_fraction',
    values=(0.01, 0.1, 1.0),
    metrics=('test/accuracy',),
)

conv_layers = Study(
    'conv_layers',
    'how much of the classes does a softmax find in each layer of conv_vae_cifar? 5: its code',
    inst.PRASAD,
    arms=(inst.conv_classifier.vary(head=(), head_dropout=0.0, l2=0.01),),
    seeds=1,
    over='layer',
    values=(1, 2, 3, 4, 5),
    metrics=('test/accuracy', 'train/accuracy'),
)
conv_checkerboard = Study(
    'conv_checkerboard',
    'how strong are checkerboard artifacts of transposed convolutions, by number of updates?',
    inst.ODENA,
    arms=tuple(arm.vary(epochs=1) for arm in (inst.conv_transpose, inst.conv_upsample)),
    seeds=3,
    over='steps_per_epoch',
    values=(1, 10, 100, 1000, 8600),
    metrics=('test/checkerboard_excess', 'test/mse'),
)

lstm_orders = Study(
    'lstm_orders',
    "are a digit's rows easier for an LSTM to write in reverse order than in forward order?",
    inst.VIDEO,
    arms=(inst.lstm_reconstruct, inst.lstm_reconstruct_forward),
    seeds=3,
    metrics=('test/mse', 'test/separation'),
)
lstm_widths = Study(
    'lstm_widths',
    'does the loss of lstm_reconstruct get stuck below 84 units, three times its 28 inputs?',
    inst.NOTES,
    arms=(inst.lstm_reconstruct,),
    seeds=1,
    over='hidden',
    values=((14,), (28,), (56,), (84,), (112,), (168,)),
    metrics=('test/mse', 'test/pca_mse', 'test/separation'),
)
lstm_halves = Study(
    'lstm_halves',
    'does one code for two decoders (lstm_composite) serve each as well as a code of its own?',
    inst.VIDEO,
    arms=(inst.lstm_composite, inst.lstm_half, inst.lstm_predict),
    seeds=3,
    metrics=('test/mse', 'test/future_mse', 'test/separation'),
)
lstm_conditionals = Study(
    'lstm_conditionals',
    'what changes when an LSTM decoder is fed its previous row (conditional)?',
    inst.VIDEO,
    arms=(
        inst.lstm_reconstruct,
        inst.lstm_reconstruct_conditional,
        inst.lstm_predict,
        inst.lstm_predict_conditional,
        inst.lstm_composite,
        inst.lstm_composite_conditional,
    ),
    seeds=1,
    metrics=('test/mse', 'test/future_mse', 'test/separation'),
)

erhan2010 = Study(
    'erhan2010',
    'test error of a classifier against its depth, with and without pretraining, SGD and Adam',
    inst.ERHAN,
    arms=(
        inst.erhan2010_random,
        inst.erhan2010_pretrained,
        inst.erhan2010_random_adam,
        inst.erhan2010_pretrained_adam,
    ),
    seeds=10,
    over='parent.hidden',
    values=tuple((400,) * depth for depth in range(1, 5)),
    metrics=('test/accuracy', 'test/cross_entropy'),
)


def find(name: str) -> Experiment | Study:
    """Returns the experiment or study of that name; raises UsageError with the nearest."""
    known = _collected('CATALOGUE')
    if name not in known:
        hint = nearest(name, known)
        raise UsageError(f'--experiment={name}: no such experiment{hint} (--list shows all)')
    return known[name]
