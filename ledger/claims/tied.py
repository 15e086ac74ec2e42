"""What is claimed of tied weights and greedy phases, and of classifiers on their codes."""

from __future__ import annotations

from inst import (
    GERON,
    iris_linear,
    phasewise,
    phasewise_classifier,
    phasewise_classifier_fullbatch,
    phasewise_finetune,
    tied,
    untied,
)
from ledger.claim import OURS, Claim

CLAIMS = (
    Claim(
        'a linear 4-2-4 network reaches the error of PCA, within 1 %, with every seed', GERON,
        iris_linear, 'test/mse', '<=', iris_linear, 'test/pca_mse', 1.01, 10, every=True,
    ),
    Claim(
        "and the plane of its decoder is PCA's, within a degree, with every seed", GERON,
        iris_linear, 'pca_angle_degrees', '<', 1.0, seeds=10, every=True,
    ),
    Claim(
        'tied kernels: about half of the parameters (at most 0.51)', GERON,
        tied, 'parameters', '<=', untied, factor=0.51,
    ),
    Claim(
        'tied kernels: a test error no worse', OURS,
        tied, 'test/mse', '<=', untied, seeds=3,
    ),
    Claim(
        'tying "reduces the risk of overfitting": less error is added from training to test',
        GERON, tied, 'test/mse / train/mse', '<', untied, seeds=3,
        note='both below 1: neither overfits in 20 epochs',
    ),
    Claim(
        'tying "makes training faster": seconds of updates to a validation error of 0.01',
        GERON, tied, 'seconds until validation/mse <= 0.01', '<', untied, seeds=3,
    ),
    Claim(
        'trained layer by layer, no worse than jointly after as many epochs', OURS,
        phasewise, 'test/mse', '<=', tied, seeds=3,
    ),
    Claim(
        'the same without the penalty on the kernels', OURS,
        phasewise.vary(l2=0.0), 'test/mse', '<=', tied.vary(l2=0.0), seeds=3,
    ),
    Claim(
        'a classifier on the frozen codes is right in at least 98.2 %', OURS,
        phasewise_classifier, 'test/accuracy', '>=', 0.982, seeds=3,
    ),
    Claim(
        'in at least 98.5 % when all layers are trained', OURS,
        phasewise_finetune, 'test/accuracy', '>=', 0.985, seeds=3,
    ),
    Claim(
        "the source's own schedule: 97.22 % of the validation set at epoch 350 of 500", GERON,
        phasewise_classifier_fullbatch, 'validation/accuracy at epoch 350', '=', 0.9722,
        seeds=3,
    ),
)  # fmt: skip
