"""The catalogue: every named experiment, each a variation of another.

To add a variation, write one `vary` line; `python main.py --list` shows it at once.
"""

from __future__ import annotations

from errors import UsageError
from parameters import Experiment, nearest

GERON = 'Geron 2017, Hands-On Machine Learning, ch. 15'

iris_linear = Experiment(
    'iris_linear',
    'a linear 4-2-4 network on standardised iris finds the plane of PCA',
    GERON,
    dataset='iris',
    hidden=(2,),
    activation='linear',
    initializer='glorot',
    tied=False,
    epochs=4000,
    learning_rate=0.01,
    batch_size=None,
    schedule='cosine',
)

tied = Experiment(
    'tied',
    '784-300-150-300-784, decoder kernels tied to the encoder, trained jointly',
    GERON,
    output_activation='elu',
    l2=1e-4,
    epochs=20,
    schedule='cosine',
)
untied = tied.vary(
    'untied', description='the same network with four free kernels, each penalised', tied=False
)
tied_fullbatch = tied.vary(
    'tied_fullbatch',
    description="tied with the source's schedule: full batches, rate 0.01, 100 epochs",
    batch_size=None,
    learning_rate=0.01,
    epochs=100,
    schedule='constant',
)

phasewise = tied.vary(
    'phasewise',
    description='the stack trained greedily, one layer a phase, on cached activations',
    training='greedy',
    output_activation='linear',
    epochs=10,
    learning_rate=0.002,
)
phasewise_fullbatch = phasewise.vary(
    'phasewise_fullbatch',
    description="phasewise with the source's schedule: full batches, rate 0.01",
    batch_size=None,
    learning_rate=0.01,
    schedule='constant',
)

phasewise_classifier = Experiment(
    'phasewise_classifier',
    "a classifier on the frozen codings of phasewise's saved graph",
    GERON,
    parent=phasewise,
    epochs=100,
    learning_rate=0.003,
    schedule='cosine',
    head_dropout=0.1,
    standardize_codings=True,
)
phasewise_classifier_fullbatch = phasewise_classifier.vary(
    'phasewise_classifier_fullbatch',
    description="the source's classifier: 500 full-batch epochs on plain codings",
    parent=phasewise_fullbatch,
    batch_size=None,
    learning_rate=0.01,
    epochs=500,
    schedule='constant',
    head_dropout=0.0,
    standardize_codings=False,
)
phasewise_finetune = phasewise_classifier.vary(
    'phasewise_finetune',
    description='the classifier, then all layers trained at a smaller rate',
    finetune_epochs=60,
    finetune_corruption=0.25,
)

EXPERIMENTS = {
    value.name: value for value in list(globals().values()) if isinstance(value, Experiment)
}


def find(name: str) -> Experiment:
    """Returns the experiment of that name; raises UsageError that suggests the nearest."""
    if name not in EXPERIMENTS:
        hint = nearest(name, EXPERIMENTS)
        raise UsageError(f'--experiment={name}: no such experiment{hint} (--list shows all)')
    return EXPERIMENTS[name]
