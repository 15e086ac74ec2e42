"""Every number that a run has: what it is, in which unit, and which direction is better.

A name in results.json, metrics.csv or a claim is one of METRICS, after a split (`test/mse`), a
phase (`train/phase1/mse`), or `future_` of sequences (`test/future_copy_mse`). docs/glossary.md
says the same to readers.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from system.rules import nearest

SPLITS = ('train', 'validation', 'test', 'all')  # all: a user's own data, whole
_BEFORE = re.compile(rf'(?:(?:{"|".join(SPLITS)})/)?(?:phase\d+/)?(?:future_)?')
_BASELINE = re.compile(
    r'(?:pca|mean|copy)_(?:mse|psnr|ssim)\w*|pca_components|jpeg\d+_\w+'
    r'|\w+_(?:pixels|pca|real|blurred|data)'
)
_OF_A_RUN = (  # and not of examples, so that no split is before them
    'checkerboard_data', 'filter_kurtosis', 'pca_angle_degrees',
    'parameters', 'updates', 'seconds', 'examples_per_second',
)  # fmt: skip
_SHARE = (0.0, 1.0)
_POSITIVE = (0.0, math.inf)


class Metric(NamedTuple):
    """What a number says of a run."""

    unit: str  # as an axis has it
    meaning: str  # a sentence that can be understood alone
    better: str = ''  # 'less' or 'greater'; '' where neither is
    within: tuple[float, float] = (-math.inf, math.inf)  # what it can be at all
    is_accuracy: bool = False  # a share of right answers: written in %, compared by its errors


_LIKENESS = (  # of pictures to real ones
    ('frechet', 'squared distance of Gaussians in features',
     'The squared distance between two Gaussians that have the mean and covariance of features: of '
     'pictures, and of as many test pictures, at most 2,000 (Heusel et al. 2017). Features are the '
     '64 units of a small classifier of the training pictures, so that figures on different data '
     'cannot be compared', 'less'),
    ('density', 'real neighbourhoods of five around a picture, as a part of five',
     'How many neighbourhoods of test pictures, up to the fifth neighbour in features, a picture '
     'lies in, divided by five (Naeem et al. 2020). Greater than that of real pictures is no '
     'better: pictures that are all like an average lie in many', ''),
    ('coverage', 'share of real neighbourhoods with a picture in them',
     'The share of the neighbourhoods of test pictures in which some picture lies (Naeem et al. '
     '2020): whether the pictures are as various as real ones', 'greater'),
)  # fmt: skip
_PICTURES = (
    ('', ', of samples', '. Of pictures decoded from the unit Gaussian.'),
    ('_between', ', of pictures between two',
     '. Of pictures decoded halfway between the codes of two test pictures: whether codes that no '
     'picture has mean something too.'),
    ('_real', ', of real pictures', '. Of training pictures, to compare with.'),
    ('_blurred', ', of blurred pictures',
     '. Of training pictures, blurred by a fourteenth of the side, to compare with.'),
)  # fmt: skip
_OF_JPEG = {  # of test pictures of at least 64 x 64 pixels, as they are after JPEG
    'mse': Metric(
        'mean squared error a feature',
        'The same as `mse`, of the pictures from JPEG of that quality (Pillow, which halves the '
        'resolution of colours).',
        'less',
        _POSITIVE,
    ),
    'psnr': Metric(
        'peak signal-to-noise ratio (dB)',
        'The same as `psnr`, of the pictures from JPEG of that quality.',
        'greater',
        (-math.inf, 100.0),
    ),
    'ssim': Metric(
        'structural similarity',
        'The same as `ssim`, of the pictures from JPEG of that quality.',
        'greater',
        (-1.0, 1.0),
    ),
    'bytes': Metric(
        'bytes a picture',
        'How many bytes a test picture has as JPEG of that quality, the mean over the pictures. A '
        'number of a code, as it is saved, has four.',
        'less',
        _POSITIVE,
    ),
}
METRICS = {
    'mse': Metric(
        'mean squared error a feature',
        'The squared difference of output and target, the mean over the features of an example '
        '(of a sequence, over the steps that count), then over the examples. Where `binarize` '
        'draws pixels in training, it is still of the greys.',
        'less',
        _POSITIVE,
    ),
    'squared_error': Metric(
        'squared error an example',
        'The squared difference of output and target, summed over the features (and the steps that '
        'count) of an example, the mean over the examples.',
        'less',
        _POSITIVE,
    ),
    'mae': Metric(
        'mean absolute error a feature',
        'The absolute difference of output and target, the mean over the features of an example '
        '(of a sequence, over the steps that count), then over the examples.',
        'less',
        _POSITIVE,
    ),
    'cosine': Metric(
        '1 - cosine',
        'One less the cosine of the angle between output and target, as vectors of all features: '
        '0 where they have one direction, 1 where they are at right angles, or one is zero. Of '
        'sequences that an LSTM reads, the mean of those of the steps that count.',
        'less',
        (0.0, 2.0),
    ),
    'mse_standardized': Metric(
        'mean squared error a feature, of standardised values',
        'The same as `mse` in the units that `standardize` gives each feature, so that each counts '
        'alike: what is minimised there. With `mean_std`, 1 is the error of the mean, where no '
        'column is constant.',
        'less',
        _POSITIVE,
    ),
    'mae_standardized': Metric(
        'mean absolute error a feature, of standardised values',
        'The same as `mae` in the units that `standardize` gives each feature.',
        'less',
        _POSITIVE,
    ),
    'cosine_standardized': Metric(
        '1 - cosine, of standardised values',
        'The same as `cosine` in the units that `standardize` gives each feature.',
        'less',
        (0.0, 2.0),
    ),
    'mse_corrupted': Metric(
        'mean squared error a feature, of corrupted inputs',
        'The same as `mse`, between the clean example and what the network makes of it when it is '
        'corrupted, as in training or as `test_corruption` says.',
        'less',
        _POSITIVE,
    ),
    'pca_mse': Metric(
        'mean squared error a feature, of principal components',
        'The error of as many principal components as the code has numbers, fitted on training '
        'examples, on which nothing linear of that width does better. A sequence is one vector; '
        'what follows it (`future_pca_mse`) is a linear regression from its components.',
        'less',
        _POSITIVE,
    ),
    'pca_mse_standardized': Metric(
        'mean squared error a feature, of principal components of standardised values',
        'The same as `pca_mse`, of values in the units that `standardize` gives each feature: to '
        'be compared with `mse_standardized`.',
        'less',
        _POSITIVE,
    ),
    'pca_psnr': Metric(
        'peak signal-to-noise ratio (dB), of principal components',
        'The same as `psnr`, of pictures from as many principal components as the code has '
        'numbers, or as there are: see `pca_components`.',
        'greater',
        (-math.inf, 100.0),
    ),
    'pca_ssim': Metric(
        'structural similarity, of principal components',
        'The same as `ssim`, of pictures from as many principal components as the code has '
        'numbers, or as there are: see `pca_components`.',
        'greater',
        (-1.0, 1.0),
    ),
    'pca_components': Metric(
        'principal components of the training pictures',
        'How many components `pca_psnr` and `pca_ssim` are of: as many as the code has numbers, '
        'but of N training pictures there are at most N - 1, and at most 4,096 pictures are looked '
        'at, of 2 GiB together.',
        '',
        _POSITIVE,
    ),
    'mean_mse': Metric(
        'mean squared error a feature, of the mean sequence',
        'The error of giving for every sequence the mean of the training sequences, step by step: '
        'what is reached without looking at the sequence.',
        'less',
        _POSITIVE,
    ),
    'copy_mse': Metric(
        'mean squared error a feature, of the last frame again',
        'The error of giving at every step the last frame that was fed.',
        'less',
        _POSITIVE,
    ),
    'psnr': Metric(
        'peak signal-to-noise ratio (dB)',
        'Minus ten times the logarithm, to base 10, of the squared error of a picture whose values '
        'are cut to [0, 1], the mean over the pictures: 20 dB are an error of 0.01, 30 of 0.001. '
        'Of pictures with other values than from 0 to 1 there is none, and no SSIM.',
        'greater',
        (-math.inf, 100.0),
    ),
    'ssim': Metric(
        'structural similarity',
        'How alike a picture and its reconstruction are in brightness, contrast and structure, in '
        'windows of 11 x 11 pixels (Wang et al. 2004): 1 where they are the same. Of so many of '
        'the pictures that they have about eight million values.',
        'greater',
        (-1.0, 1.0),
    ),
    **{
        f'jpeg{quality}_{name}': Metric(
            f'{metric.unit}, of JPEG {quality}', metric.meaning, metric.better, metric.within
        )
        for quality in (10, 30, 50)
        for name, metric in _OF_JPEG.items()
    },
    'nll': Metric(
        '-log likelihood (nats an example)',
        'Minus the logarithm of the probability of an example given its code, summed over its '
        'features (and the steps that count): the reconstruction term of `nelbo`. For `gaussian` '
        'and `laplace` it is that of a density, of standardised values where the network '
        'standardises, and may be below zero. Of a variational code, one is sampled for each '
        'example.',
        'less',
    ),
    'importance_nll': Metric(
        '-log likelihood by importance samples (nats an example)',
        'Minus the logarithm of the probability of an example under the whole model, estimated '
        'from `importance_samples` codes an example (Burda et al. 2016). In expectation it lies '
        'between the true value and `nelbo`.',
        'less',
    ),
    'nelbo': Metric(
        'negative evidence lower bound (nats an example)',
        '`nll` plus `kl`, whatever `beta` weighs the latter with in training: in expectation at '
        'least minus the logarithm of the probability of an example (Kingma and Welling 2014).',
        'less',
    ),
    'bound': Metric(
        'importance-weighted bound (nats an example)',
        'Minus the logarithm of the mean of p(x, z) / q(z | x) over `bound_samples` codes z of an '
        'example: what training lowers there. In expectation it lies between `nelbo`, which it is '
        'with one code, and minus the logarithm of the probability (Burda et al. 2016).',
        'less',
    ),
    'kl': Metric(
        'KL from N(0, I) (nats an example)',
        'The Kullback-Leibler divergence of the Gaussian that an example is encoded as from the '
        'unit Gaussian, summed over the code units (Kingma and Welling 2014): at least as much as '
        'the code tells of the example. At zero it tells nothing.',
        '',
        _POSITIVE,
    ),
    'sparsity': Metric(
        'KL from the target activation (nats)',
        'The Kullback-Leibler divergence of the mean activation of each code unit over a batch '
        'from `sparsity_target`, summed over the units, before it is weighted (Ng 2011).',
        'less',
        _POSITIVE,
    ),
    'l2': Metric(
        'penalty on the kernels',
        'The field `l2` times half the sum of the squares of all kernels; biases are left out.',
        'less',
        _POSITIVE,
    ),
    'cross_entropy': Metric(
        'cross-entropy (nats an example)',
        'Minus the logarithm of the probability that a classifier gives to the right class. Where '
        'the classifier is trained together with the autoencoder (`classify`), the classes are '
        'judged one by one, yes or no, and their terms summed. It is the mean over the examples '
        'with a label; in training, over those whose labels are read (`label_fraction`).',
        'less',
        _POSITIVE,
    ),
    'accuracy': Metric(
        'accuracy (fraction)',
        'The share of examples whose most probable class is the right one, of those with a label.',
        'greater',
        _SHARE,
        is_accuracy=True,
    ),
    'separation': Metric(
        '5-nearest-neighbour accuracy of the codes',
        'The share of the examples whose class is that of most of their 5 nearest neighbours among '
        'the codes of at most 10,000 training examples, by Euclidean distance: how well the code '
        'keeps the classes apart.',
        'greater',
        _SHARE,
        is_accuracy=True,
    ),
    'separation_pixels': Metric(
        '5-nearest-neighbour accuracy of the inputs',
        'The same as `separation`, of the inputs themselves, pixels or features, standardised if '
        'the network standardises them: what a code has to beat.',
        'greater',
        _SHARE,
        is_accuracy=True,
    ),
    'separation_pca': Metric(
        '5-nearest-neighbour accuracy of principal components',
        'The same as `separation`, of as many principal components as the code has numbers, of '
        'inputs that are standardised if the network standardises them.',
        'greater',
        _SHARE,
        is_accuracy=True,
    ),
    'active_codes': Metric(
        'code units in use',
        'How many code units have a variance above 0.01 over at most 10,000 examples, of a '
        'Gaussian code the variance of its mean (Burda et al. 2016). The threshold is absolute: '
        'codes of a small scale may fall below it and be in use.',
        '',
        _POSITIVE,
    ),
    'dead_codes': Metric(
        'code units that never vary',
        'How many code units have the same value for every one of at most 10,000 examples (a '
        'variance below 1e-12), and so tell nothing.',
        'less',
        _POSITIVE,
    ),
    'mean_activation': Metric(
        'mean activation of the code',
        'The mean of all values of the codes of at most 10,000 examples.',
    ),
    'sample_precision': Metric(
        'share of samples near real pictures',
        'Of runs of earlier versions: the share of pictures decoded from the unit Gaussian that '
        'lie near some real picture, by their pixels. Blurred pictures lie near everything and '
        'reach 1: `sample_frechet` took its place.',
        'greater',
        _SHARE,
    ),
    'sample_recall': Metric(
        'share of real pictures near samples',
        'Of runs of earlier versions: the share of real pictures that lie near some picture '
        'decoded from the unit Gaussian, by their pixels. `sample_coverage` took its place.',
        'greater',
        _SHARE,
    ),
    **{
        f'sample_{name}{kind}': Metric(f'{unit}{of}', f'{meaning}{more}', better)
        for kind, of, more in _PICTURES
        for name, unit, meaning, better in _LIKENESS
    },
    'checkerboard': Metric(
        "share of spectral power at the stride's period",
        'The share of the spectral power of the reconstructions, without its constant, within an '
        'eighth of the highest frequency: the pattern that a stride of 2 leaves (Odena et al. '
        '2016). Compare it with `checkerboard_data`.',
        'less',
        _SHARE,
    ),
    'checkerboard_data': Metric(
        "the same share, of the data's own pictures",
        'The same as `checkerboard`, of the pictures that are reconstructed: what is natural to '
        'them.',
        '',
        _SHARE,
    ),
    'checkerboard_excess': Metric(
        "decades of power at the strides' periods over the data's",
        'How many times stronger the spectrum of the reconstructions is at the periods of the '
        'strides, 2, 4, ... pixels, than at the frequencies next to them, as a logarithm of base '
        "10, less the same of the data's own pictures. 0 is no more of that pattern than these "
        'have; it does not depend on how sharp the pictures are.',
        'less',
    ),
    'filter_kurtosis': Metric(
        'median excess kurtosis of the first filters',
        "The median, over the units of the first layer, of the excess kurtosis of a unit's "
        'weights: 0 for Gaussian noise, and the greater, the fewer inputs a unit looks at.',
    ),
    'pca_angle_degrees': Metric(
        "angle to PCA's plane (degrees)",
        'The largest angle between the space that the decoder of a linear autoencoder spans and '
        'that of as many principal components: 0 where it has found them.',
        'less',
        (0.0, 90.0),
    ),
    'parameters': Metric(
        'number of weights',
        'How many numbers the variables of the network hold, those of a restored graph included.',
        'less',
        _POSITIVE,
    ),
    'updates': Metric(
        'number of updates',
        'How often the weights were changed, over all phases.',
        'less',
        _POSITIVE,
    ),
    'seconds': Metric(
        'seconds of updates',
        'How long the updates took, over all phases.',
        'less',
        _POSITIVE,
    ),
    'examples_per_second': Metric(
        'examples a second',
        'How many training examples a second of updates took in.',
        'greater',
        _POSITIVE,
    ),
}


def find(name: str) -> Metric:
    """Returns what a name is of; raises KeyError, with the nearest, where no run has that."""
    bare = _BEFORE.sub('', name, count=1)
    if bare not in METRICS:
        raise KeyError(f'{name}: no run has such a number{nearest(bare, METRICS)}')
    return METRICS[bare]


def kept(name: str) -> Metric:
    """Returns what a name in results.json is of; raises KeyError where no run has that there."""
    found, bare = find(name), name.split('/')[-1]
    if bare in _OF_A_RUN and bare != name:
        raise KeyError(f'{name}: is of a run and not of examples; must be {bare}')
    if bare == name and bare not in _OF_A_RUN:
        raise KeyError(f'{name}: must say of which examples, as in test/{name}')
    return found


def is_baseline(name: str) -> bool:
    """Whether a number is of what a network is compared with, and not of the network."""
    return bool(_BASELINE.fullmatch(_BEFORE.sub('', name, count=1)))


def known(name: str) -> Metric:
    """Returns what a name is of; of one that this version does not know, its name as the unit."""
    return METRICS.get(_BEFORE.sub('', name, count=1)) or Metric(unit=name, meaning='')


def said(name: str) -> str:
    """Returns a name in words, for an axis: `test: mean squared error a feature`."""
    *where, last = name.split('/')
    words = find(name).unit + (', of what follows' if last.startswith('future_') else '')
    return ': '.join([*where, words])


def glossary() -> str:
    """Returns a line of Markdown for every metric, in order of the names."""
    directions = {'less': '; less is better', 'greater': '; greater is better', '': ''}
    lines = (
        f'- `{name}` ({metric.unit}{directions[metric.better]}). {metric.meaning}'
        for name, metric in sorted(METRICS.items())
    )
    return '\n'.join(lines)
