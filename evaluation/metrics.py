"""Every number that a run has: what it is, in which unit, and which direction is better.

A name in results.json, metrics.csv or a claim is one of METRICS, after a split (`test/mse`), a
phase (`train/phase1/mse`), or `future_` of sequences (`test/future_copy_mse`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from system.rules import nearest

SPLITS = ('train', 'validation', 'test', 'all')  # all: a user's own data, whole
_BEFORE = re.compile(rf'(?:(?:{"|".join(SPLITS)})/)?(?:phase\d+/)?(?:future_)?')


class Metric(NamedTuple):
    """What a number says of a run."""

    unit: str  # as an axis has it
    better: str = ''  # 'less' or 'greater'; '' where neither is
    is_accuracy: bool = False  # a share of right answers: written in %, compared by its errors


METRICS = {
    'mse': Metric('mean squared error a feature', 'less'),
    'squared_error': Metric('squared error an example', 'less'),
    'mae': Metric('mean absolute error a feature', 'less'),
    'cosine': Metric('1 - cosine', 'less'),
    'mse_standardized': Metric('mean squared error a feature, of standardised values', 'less'),
    'mae_standardized': Metric('mean absolute error a feature, of standardised values', 'less'),
    'cosine_standardized': Metric('1 - cosine, of standardised values', 'less'),
    'mse_corrupted': Metric('mean squared error a feature, of corrupted inputs', 'less'),
    'pca_mse': Metric('mean squared error a feature, of principal components', 'less'),
    'mean_mse': Metric('mean squared error a feature, of the mean sequence', 'less'),
    'copy_mse': Metric('mean squared error a feature, of the last frame again', 'less'),
    'psnr': Metric('peak signal-to-noise ratio (dB)', 'greater'),
    'ssim': Metric('structural similarity', 'greater'),
    'nll': Metric('-log likelihood (nats an example)', 'less'),
    'importance_nll': Metric('-log likelihood by importance samples (nats an example)', 'less'),
    'nelbo': Metric('negative evidence lower bound (nats an example)', 'less'),
    'kl': Metric('KL from N(0, I) (nats an example)'),
    'sparsity': Metric('KL from the target activation (nats)', 'less'),
    'l2': Metric('penalty on the kernels', 'less'),
    'cross_entropy': Metric('cross-entropy (nats an example)', 'less'),
    'accuracy': Metric('accuracy (fraction)', 'greater', is_accuracy=True),
    'separation': Metric('5-nearest-neighbour accuracy of the codes', 'greater'),
    'separation_pixels': Metric('5-nearest-neighbour accuracy of the inputs', 'greater'),
    'separation_pca': Metric('5-nearest-neighbour accuracy of principal components', 'greater'),
    'active_codes': Metric('code units in use'),
    'dead_codes': Metric('code units that never vary', 'less'),
    'mean_activation': Metric('mean activation of the code'),
    'sample_precision': Metric('share of samples near real pictures', 'greater'),
    'sample_recall': Metric('share of real pictures near samples', 'greater'),
    'checkerboard': Metric("share of spectral power at the stride's period", 'less'),
    'checkerboard_data': Metric("the same share, of the data's own pictures"),
    'filter_kurtosis': Metric('median excess kurtosis of the first filters'),
    'pca_angle_degrees': Metric("angle to PCA's plane (degrees)", 'less'),
    'parameters': Metric('number of weights', 'less'),
    'updates': Metric('number of updates', 'less'),
    'seconds': Metric('seconds of updates', 'less'),
    'examples_per_second': Metric('examples a second', 'greater'),
}


def find(name: str) -> Metric:
    """Returns what a name is of; raises KeyError, with the nearest, where no run has that."""
    bare = _BEFORE.sub('', name, count=1)
    if bare not in METRICS:
        raise KeyError(f'{name}: no run has such a number{nearest(bare, METRICS)}')
    return METRICS[bare]
