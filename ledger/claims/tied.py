"""What is claimed of tied weights and greedy phases, and of classifiers on their codes."""

from __future__ import annotations

from typing import Any

from inst import (
    GERON,
    iris_linear,
    phasewise,
    phasewise_classifier,
    phasewise_classifier_fullbatch,
    phasewise_finetune,
    phasewise_fullbatch,
    tied,
    tied_fullbatch,
    untied,
)
from ledger.claim import AFTER, MARGIN, OURS, Claim

FEW: dict[str, Any] = {'dataset': 'mnist5k', 'l2': 0.0, 'epochs': 100}
_CONSTANT = iris_linear.vary(steps_per_epoch=1000, epochs=1, schedule='constant')
_JOINT = tied.vary(output_activation='linear', learning_rate=0.002)  # phasewise, but at once

CLAIMS = (
    Claim(
        'a linear 4-2-4 network reaches the error of PCA, within 1 %, with every seed', GERON,
        iris_linear, 'test/mse', 'no worse', iris_linear, 'test/pca_mse', 1.01, 10, every=True,
    ),
    Claim(
        "the same after the source's 1,000 updates at a constant rate, all seeds together", GERON,
        _CONSTANT, 'test/mse', 'no worse', _CONSTANT, 'test/pca_mse', 1.01, 10,
    ),
    Claim(
        "the plane of the first one's decoder is PCA's, within a degree, with every seed", GERON,
        iris_linear, 'pca_angle_degrees', '<', 1.0, seeds=10, every=True,
    ),
    Claim(
        'tied kernels: about half of the parameters (at most 0.51)', GERON,
        tied, 'parameters', 'no worse', untied, factor=0.51,
    ),
    Claim(
        'tied kernels: a smaller test error', OURS,
        tied, 'test/mse', 'better', untied, seeds=3,
        note='each kernel that is there is penalised: two here, four there',
    ),
    Claim(
        'tied kernels: a smaller test error, without penalties', OURS,
        tied.vary(l2=0.0), 'test/mse', 'better', untied.vary(l2=0.0), seeds=3, note=AFTER,
    ),
    Claim(
        'tying "reduces the risk of overfitting": less error is added from training to test',
        GERON, tied, 'test/mse / train/mse', 'better', untied, seeds=3,
        note='both below 1: neither overfits in 20 epochs',
    ),
    Claim(
        'the same where something overfits: 4,000 digits, 100 epochs, no penalty', GERON,
        tied.vary(**FEW), 'test/mse / train/mse', 'better', untied.vary(**FEW), seeds=3,
        note='the untied one is further from fitting its digits, too',
    ),
    Claim(
        'tying "makes training faster": updates to a validation error of 0.005, no penalties',
        GERON, tied.vary(l2=0.0), 'updates until validation/mse <= 0.005', 'better',
        untied.vary(l2=0.0), seeds=3,
        note=f'with penalties the untied one never gets far below 0.01; {AFTER}',
    ),
    Claim(
        'the same in seconds', GERON,
        tied.vary(l2=0.0), 'seconds until validation/mse <= 0.005', 'better', untied.vary(l2=0.0),
        seeds=3, note='taken beside other work: of one tied seed five times those of the others',
    ),
    Claim(
        '"often better" to train one layer after the other than in one shot: after as many epochs',
        GERON, phasewise, 'test/mse', 'better', _JOINT, seeds=3,
        note='phase 2 trains the bias of its decoder too, which the source leaves as it is; the '
        'rate is that of the greedy one',
    ),
    Claim(
        'the same, in one shot at half of that rate, which is the one of `tied`', GERON,
        phasewise, 'test/mse', 'better', _JOINT.vary(learning_rate=0.001), seeds=3, note=AFTER,
    ),
    Claim(
        'the same, both at one rate, without the penalty on the kernels', GERON,
        phasewise.vary(l2=0.0), 'test/mse', 'better', _JOINT.vary(l2=0.0), seeds=3,
    ),
    Claim(
        "the same, both at one rate, on the source's full batches", GERON,
        phasewise_fullbatch, 'test/mse', 'better',
        tied_fullbatch.vary(output_activation='linear', epochs=20), seeds=3,
    ),
    Claim(
        'a classifier on the frozen codes is right in at least 98.2 %', OURS,
        phasewise_classifier, 'test/accuracy', '>=', 0.982, seeds=3,
    ),
    Claim(
        'it is right in at least 98.5 % when all layers are trained, on masked inputs', OURS,
        phasewise_finetune, 'test/accuracy', '>=', 0.985, seeds=3,
    ),
    *(
        Claim(
            f"the source's own schedule: {accuracy:.2%} of the validation set at epoch {epoch}",
            GERON, phasewise_classifier_fullbatch, f'validation/accuracy at epoch {epoch}', '=',
            accuracy, seeds=6, margin=0.005,
            note=f'{MARGIN}; seeds 3 to 5 were added after a look at the first three',
        )
        for epoch, accuracy in (
            (50, 0.9064), (100, 0.9374), (150, 0.9544), (200, 0.9616), (250, 0.9658),
            (300, 0.9678), (350, 0.9722),
        )
    ),
    Claim(
        'with few labels pretraining "makes sense": 1 % of them, frozen codes, fewer errors than '
        'the same network from random values, all trained', GERON,
        phasewise_classifier.vary(label_fraction=0.01), 'test/accuracy', 'better',
        phasewise_classifier.vary(
            label_fraction=0.01, initial='random', epochs=0, finetune_epochs=100
        ), seeds=3,
        note='rates as with all labels: 0.003 of the head, on standardised codes; 0.001 of all '
        'layers from random values, and codes as they are',
    ),
)  # fmt: skip
