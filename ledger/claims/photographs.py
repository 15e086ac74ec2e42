"""What is claimed of convolutional autoencoders of photographs, at the size of their source."""

from __future__ import annotations

from inst import (
    PRASAD,
    conv_ae_caltech,
    conv_ae_caltech_112,
    conv_ae_caltech_unnormalized,
    conv_ae_caltech_unnormalized_112,
    conv_vae_caltech_classify,
    conv_vae_caltech_classify_112,
    conv_vae_caltech_cosine,
    conv_vae_caltech_cosine_112,
    conv_vae_caltech_l1,
    conv_vae_caltech_l1_112,
    conv_vae_caltech_l2,
    conv_vae_caltech_l2_112,
)
from ledger.claim import AFTER, OURS, Claim
from ledger.claims.pictures import WEIGHT
from parameters import Experiment

_BESIDE = (  # what a reconstruction is compared with, who says so, and what its scores are called
    ('{}, as JPEG of quality 10 does at least', PRASAD, 'jpeg10'),
    ('better than as many principal components as there are', OURS, 'pca'),
)


def _of(
    seeds: int,
    plain: Experiment,
    unnormalized: Experiment,
    l1: Experiment,
    l2: Experiment,
    cosine: Experiment,
    classify: Experiment,
) -> tuple[Claim, ...]:
    """Returns the claims about photographs of one size."""
    height, width, _ = plain.picture_size
    size = f'{height}x{width}'
    return (
        *(
            Claim(
                f'reproduces photographs of {size} {words.format("almost exactly")}: {metric}',
                source, plain, f'test/{metric}', 'no worse',
                plain, f'test/{name}_{metric}', seeds=seeds,
            )
            for words, source, name in _BESIDE
            for metric in ('psnr', 'ssim')
        ),
        *(
            Claim(
                f'reproduces photographs of {size} better without batch norm: {metric}', OURS,
                unnormalized, f'test/{metric}', 'better', plain, seeds=seeds,
            )
            for metric in ('psnr', 'ssim')
        ),
        *(
            Claim(
                f'without batch norm as JPEG of quality 10 does at least, {size}: {metric}', OURS,
                unnormalized, f'test/{metric}', 'no worse',
                unnormalized, f'test/jpeg10_{metric}', seeds=seeds,
            )
            for metric in ('psnr', 'ssim')
        ),
        *(
            Claim(
                f'Gaussian codes reproduce photographs of {size} {words.format("well")}: {metric}',
                source, l1, f'test/{metric}', 'no worse', l1, f'test/{name}_{metric}',
                seeds=seeds, note=AFTER,
            )
            for words, source, name in _BESIDE
            for metric in ('psnr', 'ssim')
        ),
        Claim(
            f'a plain one is prone to overfit, {size}: at least 5 % more error on test pictures',
            PRASAD, plain, 'test/mae / train/mae', '>=', 1.05, seeds=seeds, note=AFTER,
        ),
        Claim(
            f'with the Gaussian code outputs are further from inputs, {size}', PRASAD,
            l1, 'test/mae', 'worse', plain, seeds=seeds,
        ),
        Claim(
            f'with the Gaussian code it overfits less, {size}', PRASAD,
            l1, 'test/mae / train/mae', 'better', plain, seeds=seeds,
        ),
        *(
            Claim(
                f'L1 gives the best reconstructions, {size}: by {metric}, than {name}', PRASAD,
                l1, f'test/{metric}', 'better', other, seeds=seeds, note=note,
            )
            for name, other, note in (('L2', l2, ''), ('cosine', cosine, WEIGHT))
            for metric in ('mae', 'psnr', 'ssim')
        ),
        Claim(
            f'reconstruction gets worse when a classifier is added, {size}', PRASAD,
            classify, 'test/mae', 'worse', l1, seeds=seeds,
        ),
        Claim(
            f'ten kinds of photographs, {size}, together with the reconstruction: at least 85 %',
            OURS, classify, 'test/accuracy', '>=', 0.85, seeds=seeds,
            published='65 % on ten classes of private pictures',
            note='two kinds have half of all pictures',
        ),
    )  # fmt: skip


CLAIMS = (
    *_of(
        1,
        conv_ae_caltech,
        conv_ae_caltech_unnormalized,
        conv_vae_caltech_l1,
        conv_vae_caltech_l2,
        conv_vae_caltech_cosine,
        conv_vae_caltech_classify,
    ),
    *_of(
        3,
        conv_ae_caltech_112,
        conv_ae_caltech_unnormalized_112,
        conv_vae_caltech_l1_112,
        conv_vae_caltech_l2_112,
        conv_vae_caltech_cosine_112,
        conv_vae_caltech_classify_112,
    ),
    Claim(
        'the code holds what is specific to the object, 112x112: it tells classes apart better '
        'than pixels', PRASAD, conv_vae_caltech_l1_112, 'test/separation', 'better',
        conv_vae_caltech_l1_112, 'test/separation_pixels', seeds=3, note=AFTER,
    ),
)  # fmt: skip
