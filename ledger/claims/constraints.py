"""What is claimed of constraints: L1, sparse and denoising codes, few labels, VAEs, memories."""

from __future__ import annotations

from inst import (
    CONSTRAINTS,
    L1_STORY,
    NOTES,
    basic,
    compress,
    compress_denoise,
    compress_relu,
    denoise_gaussian,
    denoise_gaussian_control,
    denoise_mask,
    denoise_mask30,
    denoise_mask30_control,
    denoise_mask_control,
    memory_latent,
    memory_onehot,
    mnist_l1,
    mnist_l1_dropout,
    mnist_l1_fixed,
    semi_finetuned,
    semi_frozen,
    semi_random,
    semi_scratch,
    sparse,
    sparse_denoise,
    stacked_sparse_classifier,
    stacked_sparse_finetune,
    trivial,
    vae,
    vae_2d,
    vae_plain,
    vae_source,
)
from ledger.claim import AFTER, MARGIN, OURS, Claim

_DENOISERS = (
    ('half of the pixels masked', denoise_mask, denoise_mask_control),
    ('30 % of them masked', denoise_mask30, denoise_mask30_control),
    ('noise added', denoise_gaussian, denoise_gaussian_control),
)
_ONE = 'the three controls are one network, scored on other noise'
_LOUD = 'unmasked, a picture drives the units harder than any in training: that alone is no copy'
_DRAWN = 'codes of the unit Gaussian in both, to which those of the plain one were not brought'
_COMPRESSED = (  # the source's own network, and one that its code does not leave dead
    ('30 codes of a deep network, as published,', CONSTRAINTS, compress_relu),
    ('30 linear codes, from values of He at a falling rate,', OURS, compress),
)
_THOUSAND = memory_latent.vary(pictures=1000, batch_size=64)

CLAIMS = (
    Claim(
        'with L1 the loss falls, then stagnates: not below a picture of the medians (0.1256)',
        L1_STORY, mnist_l1, 'test/mae', '>=', 0.125, seeds=3,
    ),
    Claim(
        'dropout makes it converge: less than half of that error', L1_STORY,
        mnist_l1_dropout, 'test/mae', 'better', mnist_l1, factor=0.5, seeds=3,
        note='from values of Glorot, in batches of 256: the source prints neither',
    ),
    *(
        Claim(
            f'the same from initial values of {name}', OURS,
            mnist_l1_dropout.vary(initializer=kind), 'test/mae', 'better',
            mnist_l1.vary(initializer=kind), factor=0.5, seeds=3, note=AFTER,
        )
        for name, kind in (('He', 'he'), ('LeCun', 'lecun'))
    ),
    Claim(
        'with dropout, test is close to training: within 5 %', L1_STORY,
        mnist_l1_dropout, 'test/mae / train/mae', '<=', 1.05, seeds=3,
        note='as it must be where next to nothing is learned',
    ),
    Claim(
        'decreasing the learning rate does not help', L1_STORY,
        mnist_l1.vary(learning_rate=3e-4), 'test/mae', 'no better', mnist_l1, factor=0.95,
        seeds=3,
    ),
    Claim(
        'increasing the learning rate does not help', L1_STORY,
        mnist_l1.vary(learning_rate=3e-3), 'test/mae', 'no better', mnist_l1, factor=0.95,
        seeds=3,
    ),
    *(
        Claim(
            f'the loss falls no further from initial values of {name}: not below 0.125', OURS,
            mnist_l1.vary(initializer=kind), 'test/mae', '>=', 0.125, seeds=3,
        )
        for name, kind in (('He', 'he'), ('LeCun', 'lecun'))
    ),
    Claim(
        '"high levels of accuracy" in 11 numbers, with dropout: more than 11 principal components',
        L1_STORY, mnist_l1_dropout, 'test/mse', 'better', mnist_l1_dropout, 'test/pca_mse', seeds=3,
        note=AFTER,
    ),
    Claim(
        'the same, without dropout, by smaller initial kernels and a linear code', OURS,
        mnist_l1_fixed, 'test/mse', 'better', mnist_l1_fixed, 'test/pca_mse', seeds=3, note=AFTER,
    ),
    Claim(
        'smaller initial kernels and a linear code: less than half of the error', OURS,
        mnist_l1_fixed, 'test/mae', 'better', mnist_l1, factor=0.5, seeds=3,
    ),
    Claim(
        'so many inputs need a stack of layers: it errs less than one layer of 11 codes', L1_STORY,
        mnist_l1_fixed, 'test/mae', 'better', mnist_l1_fixed.vary(hidden=(11,)), seeds=3,
    ),
    Claim(
        'linear and wider than its input, it copies', CONSTRAINTS,
        trivial, 'test/mse', '<', 1e-3, seeds=3,
    ),
    Claim(
        'the codes of that network tell classes apart no better than pixels, by half a point',
        CONSTRAINTS, trivial, 'test/separation', 'no better', trivial, 'test/separation_pixels',
        plus=0.005, seeds=3, note=MARGIN,
    ),
    Claim(
        'what can copy, will: a network of ReLU units, as wide, does too', CONSTRAINTS,
        denoise_mask_control, 'test/mse', '<', 1e-3, seeds=3, note=AFTER,
    ),
    Claim(
        'the codes of those ReLU units tell classes apart no better than pixels, by half a point',
        CONSTRAINTS, denoise_mask_control, 'test/separation', 'no better', denoise_mask_control,
        'test/separation_pixels', plus=0.005, seeds=3, note=f'{AFTER}; {MARGIN}',
    ),
    Claim(
        '32 hidden units come within 5 % of the error of PCA', NOTES,
        basic, 'test/mse', 'no worse', basic, 'test/pca_mse', 1.05, seeds=3,
    ),
    *(
        Claim(
            f'{what} beat 30 principal components', OURS,
            network, 'test/mse', 'better', network, 'test/pca_mse', seeds=3,
        )
        for what, _, network in _COMPRESSED
    ),
    *(
        Claim(
            f'{what} tell classes apart better than the network that copies', source,
            network, 'test/separation', 'better', trivial, seeds=3,
        )
        for what, source, network in _COMPRESSED
    ),
    *(
        Claim(
            f'compression keeps what is relevant: {what} tell classes apart better than pixels',
            source, network, 'test/separation', 'better', network, 'test/separation_pixels',
            seeds=3, note=AFTER,
        )
        for what, source, network in _COMPRESSED
    ),
    Claim(
        'a sparse code keeps its mean activation of 0.2', CONSTRAINTS,
        sparse, 'test/mean_activation', '=', 0.2, seeds=3, margin=0.1, note=MARGIN,
    ),
    Claim(
        'a sparse code tells classes apart better than the network that copies', CONSTRAINTS,
        sparse, 'test/separation', 'better', trivial, seeds=3,
        note='which is linear, as its outputs are; code and outputs are sigmoids here',
    ),
    Claim(
        'a sparse code tells classes apart better than the same network without the penalty',
        CONSTRAINTS, sparse, 'test/separation', 'better', sparse.vary(sparsity=0.0), seeds=3,
        note=AFTER,
    ),
    *(
        Claim(
            f'{what}, less than half of the error of a control, trained on clean pictures',
            CONSTRAINTS, denoiser, 'test/mse_corrupted', 'better', control, factor=0.5, seeds=3,
            note=f'which is little: the control never saw such pictures; {_ONE}',
        )
        for what, denoiser, control in _DENOISERS
    ),
    *(
        Claim(
            f'{what}, the codes tell classes apart better than those of the control', CONSTRAINTS,
            denoiser, 'test/separation', 'better', control, seeds=3, note=f'{AFTER}; {_ONE}',
        )
        for what, denoiser, control in _DENOISERS
    ),
    *(
        Claim(
            f'{what}, the network is no copy: clean pictures come out worse than of the control',
            NOTES, denoiser, 'test/mse', 'worse', control, seeds=3,
            note='; '.join([AFTER, _ONE, *([_LOUD] if 'masked' in what else [])]),
        )
        for what, denoiser, control in _DENOISERS
    ),
    *(
        Claim(
            f'{what}, the filters are more local than those of the control', OURS,
            denoiser, 'filter_kurtosis', '>', control, seeds=3, note=f'{AFTER}; {_ONE}',
        )
        for what, denoiser, control in _DENOISERS
    ),
    Claim(
        'with 30 % of the pixels masked the codes tell classes apart better than with half', OURS,
        denoise_mask30, 'test/separation', 'better', denoise_mask, seeds=3, note=AFTER,
    ),
    Claim(
        '"you can also combine": sparse and denoising, they tell classes apart better than sparse',
        OURS, sparse_denoise, 'test/separation', 'better', sparse, seeds=3,
    ),
    Claim(
        'narrow and denoising, codes tell classes apart better than narrow', OURS,
        compress_denoise, 'test/separation', 'better', compress, seeds=3,
    ),
    Claim(
        'fine-tuning on masked inputs lifts the accuracy of the stack of sparse codes', OURS,
        stacked_sparse_finetune, 'test/accuracy', 'better', stacked_sparse_classifier, seeds=3,
    ),
    Claim(
        'fine-tuning lifts that accuracy to at least 98.2 %', OURS,
        stacked_sparse_finetune, 'test/accuracy', '>=', 0.982, seeds=3,
    ),
    Claim(
        'greedy layers are good values to begin from: better than random ones, after equal epochs',
        NOTES, stacked_sparse_finetune, 'test/accuracy', 'better',
        stacked_sparse_finetune.vary(initial='random', epochs=0, finetune_epochs=130), seeds=3,
        note='40 greedy epochs, 30 of the softmax on standardised codes, 60 of all layers; random: '
        '130 of all layers, and codes as they are',
    ),
    Claim(
        'with 1 % of the labels, a pretrained encoder, fine-tuned, beats one from random values',
        OURS, semi_finetuned, 'test/accuracy', 'better', semi_scratch, seeds=5,
        note='asked by the source, which does not say; 4 epochs of the head at a rate of 0.001 on '
        'standardised codes, then 16 of all layers at 0.0003; from random values 20 of all layers '
        'at 0.001, and codes as they are',
    ),
    Claim(
        'the same with codes as they are in both', OURS,
        semi_finetuned.vary(standardize_codings=False), 'test/accuracy', 'better', semi_scratch,
        seeds=5, note=AFTER,
    ),
    Claim(
        'the same with codes as they are in both, all layers trained from the first', OURS,
        semi_finetuned.vary(epochs=0, finetune_epochs=20), 'test/accuracy', 'better', semi_scratch,
        seeds=5, note=f'20 epochs of each, at rates of 0.0003 and 0.001; {AFTER}',
    ),
    Claim(
        'an encoder that is frozen at first, for 4 epochs, does better than all layers trained at '
        'once', CONSTRAINTS,
        semi_finetuned.vary(standardize_codings=False), 'test/accuracy', 'better',
        semi_finetuned.vary(epochs=0, finetune_epochs=20), seeds=5,
        note=f'{AFTER}, with codes standardised for the frozen one alone, as it is not here; the '
        'head at a rate of 0.001 while the encoder is frozen, all at 0.0003',
    ),
    Claim(
        'a pretrained encoder frozen to the end, where the source freezes it "initially", beats '
        'one from random values', OURS,
        semi_frozen, 'test/accuracy', 'better', semi_scratch, seeds=5,
        note='20 epochs of each at a rate of 0.001, of the head on standardised codes, and of all '
        'layers',
    ),
    Claim(
        'frozen to the end, a pretrained encoder beats one of random values that is frozen, too',
        OURS, semi_frozen, 'test/accuracy', 'better', semi_random, seeds=5, note=AFTER,
    ),
    Claim(
        "what a VAE draws and decodes is nearer to real pictures than a plain autoencoder's",
        CONSTRAINTS, vae, 'test/sample_frechet', 'better', vae_plain, seeds=3, note=_DRAWN,
    ),
    Claim(
        'plain ones are bad at it: what one decodes is further from pictures than blurred ones are',
        CONSTRAINTS, vae_plain, 'test/sample_frechet', 'worse', vae_plain,
        'test/sample_frechet_blurred', seeds=3, note=f'{_DRAWN}; {AFTER}',
    ),
    Claim(
        'what a VAE draws and decodes is nearer to real pictures than these are when blurred', OURS,
        vae, 'test/sample_frechet', 'better', vae, 'test/sample_frechet_blurred', seeds=3,
    ),
    Claim(
        "a VAE's codes are regular: what is decoded halfway between two is nearer to real pictures "
        "than a plain autoencoder's",
        CONSTRAINTS, vae, 'test/sample_frechet_between', 'better', vae_plain, seeds=3,
    ),
    Claim(
        "a VAE's codes are near each other where pictures are alike: neighbours tell it better "
        "than a plain autoencoder's",
        CONSTRAINTS, vae, 'test/separation', 'better', vae_plain, seeds=3,
    ),
    Claim(
        'a good code keeps a class together where two principal components mix them: neighbours by '
        'two codes of a VAE tell it better',
        CONSTRAINTS, vae_2d, 'test/separation', 'better', vae_2d, 'test/separation_pca', seeds=3,
        note=AFTER,
    ),
    Claim(
        'the Gaussian code generalises: less error is added from training to test', NOTES,
        vae, 'test/mse / train/mse', 'better', vae_plain, seeds=3, note=AFTER,
    ),
    Claim(
        'pictures that a VAE was not trained on come out nicer than of a plain autoencoder', NOTES,
        vae, 'test/mse', 'better', vae_plain, seeds=3, note=AFTER,
    ),
    Claim(
        "the source's own loss drowns the reconstruction: the error of the mean picture (0.0866)",
        OURS, vae_source, 'test/mse', '>=', 0.0866, seeds=3,
    ),
    Claim(
        'a greater weight of the KL: closer to the unit Gaussian', NOTES,
        vae.vary(beta=10.0), 'test/kl', '<', vae, seeds=3,
    ),
    Claim(
        'a greater weight of the KL: less accurate', NOTES,
        vae.vary(beta=10.0), 'test/nll', 'worse', vae, seeds=3,
    ),
    Claim(
        '64 pictures are stored in the weights of a decoder, each under a one-hot vector',
        NOTES, memory_onehot, 'test/mse', '<', 1e-3,
    ),
    Claim(
        '64 pictures are stored so, each under 16 numbers that are learned', NOTES,
        memory_latent, 'test/mse', '<', 1e-3,
    ),
    Claim(
        'one picture is stored so, under a constant input', NOTES,
        memory_onehot.vary(pictures=1), 'test/mse', '<', 1e-3,
    ),
    Claim(
        '1,000 pictures are stored better under numbers that are learned than under random ones',
        NOTES, _THOUSAND, 'test/mse', 'better', _THOUSAND.vary(memory_fixed=True), seeds=3,
        note='16 numbers each; the source: random ones are "obviously a bad idea"',
    ),
)  # fmt: skip
