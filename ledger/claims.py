"""The claims: of each source, what it says and this project measures; and this project's aims."""

from __future__ import annotations

import inst
from ledger.claim import Claim

OURS = 'aim of this project'

CLAIMS: tuple[Claim, ...] = (
    Claim(
        'a linear 4-2-4 network reaches the error of PCA, within 1 %, with every seed', inst.GERON,
        inst.iris_linear, 'test/mse', '<=', inst.iris_linear, 'test/pca_mse', 1.01, 10, every=True,
    ),
    Claim(
        "and the plane of its decoder is PCA's, within a degree, with every seed", inst.GERON,
        inst.iris_linear, 'pca_angle_degrees', '<', 1.0, seeds=10, every=True,
    ),
    Claim(
        'tied kernels: about half of the parameters (at most 0.51)', inst.GERON,
        inst.tied, 'parameters', '<=', inst.untied, factor=0.51,
    ),
    Claim(
        'tied kernels: a test error no worse', OURS,
        inst.tied, 'test/mse', '<=', inst.untied, seeds=3,
    ),
    Claim(
        'tying "reduces the risk of overfitting": less error is added from training to test',
        inst.GERON, inst.tied, 'test/mse / train/mse', '<', inst.untied, seeds=3,
        note='both below 1: neither overfits in 20 epochs',
    ),
    Claim(
        'tying "makes training faster": seconds of updates to a validation error of 0.01',
        inst.GERON, inst.tied, 'seconds until validation/mse <= 0.01', '<', inst.untied, seeds=3,
    ),
    Claim(
        'trained layer by layer, no worse than jointly after as many epochs', OURS,
        inst.phasewise, 'test/mse', '<=', inst.tied, seeds=3,
    ),
    Claim(
        'the same without the penalty on the kernels', OURS,
        inst.phasewise.vary(l2=0.0), 'test/mse', '<=', inst.tied.vary(l2=0.0), seeds=3,
    ),
    Claim(
        'a classifier on the frozen codes is right in at least 98.2 %', OURS,
        inst.phasewise_classifier, 'test/accuracy', '>=', 0.982, seeds=3,
    ),
    Claim(
        'in at least 98.5 % when all layers are trained', OURS,
        inst.phasewise_finetune, 'test/accuracy', '>=', 0.985, seeds=3,
    ),
    Claim(
        "the source's own schedule: 97.22 % of the validation set at epoch 350 of 500", inst.GERON,
        inst.phasewise_classifier_fullbatch, 'validation/accuracy at epoch 350', '=', 0.9722,
        seeds=3,
    ),

    Claim(
        'with L1 the loss falls, then stagnates: not below a picture of the medians (0.1256)',
        inst.L1_STORY, inst.mnist_l1, 'test/mae', '>=', 0.125, seeds=3,
    ),
    Claim(
        'dropout makes it converge: less than half of that error', inst.L1_STORY,
        inst.mnist_l1_dropout, 'test/mae', '<', inst.mnist_l1, factor=0.5, seeds=3,
    ),
    Claim(
        'with dropout, test is close to training: within 5 %', inst.L1_STORY,
        inst.mnist_l1_dropout, 'test/mae / train/mae', '<=', 1.05, seeds=3,
    ),
    Claim(
        'decreasing the learning rate does not help', inst.L1_STORY,
        inst.mnist_l1.vary(learning_rate=3e-4), 'test/mae', '>=', inst.mnist_l1, factor=0.95,
        seeds=3,
    ),
    Claim(
        'increasing the learning rate does not help', inst.L1_STORY,
        inst.mnist_l1.vary(learning_rate=3e-3), 'test/mae', '>=', inst.mnist_l1, factor=0.95,
        seeds=3,
    ),
    Claim(
        'smaller initial kernels and a linear code: less than half of the error', OURS,
        inst.mnist_l1_fixed, 'test/mae', '<', inst.mnist_l1, factor=0.5, seeds=3,
    ),

    Claim(
        'linear and wider than its input, it copies', inst.CONSTRAINTS,
        inst.trivial, 'test/mse', '<', 1e-3,
    ),
    Claim(
        'and its codes tell classes apart no better than pixels', inst.CONSTRAINTS,
        inst.trivial, 'test/separation', '<=', inst.trivial, 'test/separation_pixels', seeds=3,
    ),
    Claim(
        '32 hidden units come within 5 % of the error of PCA', inst.NOTES,
        inst.basic, 'test/mse', '<=', inst.basic, 'test/pca_mse', 1.05, seeds=3,
    ),
    Claim(
        '30 codes of a deep network beat 30 principal components', inst.CONSTRAINTS,
        inst.compress, 'test/mse', '<', inst.compress, 'test/pca_mse', seeds=3,
    ),
    Claim(
        'and tell classes apart better than the network that copies', inst.CONSTRAINTS,
        inst.compress, 'test/separation', '>', inst.trivial, seeds=3,
    ),
    Claim(
        "with the source's ReLU code it beats PCA too", inst.CONSTRAINTS,
        inst.compress_relu, 'test/mse', '<', inst.compress_relu, 'test/pca_mse', seeds=3,
    ),
    Claim(
        'a sparse code keeps its mean activation, at least 0.18 of 0.2', inst.CONSTRAINTS,
        inst.sparse, 'test/mean_activation', '>=', 0.18,
    ),
    Claim(
        'at most 0.22 of 0.2', inst.CONSTRAINTS,
        inst.sparse, 'test/mean_activation', '<=', 0.22,
    ),
    Claim(
        'a sparse code tells classes apart better than the network that copies', inst.CONSTRAINTS,
        inst.sparse, 'test/separation', '>', inst.trivial, seeds=3,
    ),
    *(
        Claim(
            f'{what}, less than half of the error of the same network trained on clean pictures',
            inst.CONSTRAINTS, denoiser, 'test/mse_corrupted', '<', control, factor=0.5, seeds=3,
        )
        for what, denoiser, control in (
            ('half of the pixels masked', inst.denoise_mask, inst.denoise_mask_control),
            ('30 % of them masked', inst.denoise_mask30, inst.denoise_mask30_control),
            ('noise added', inst.denoise_gaussian, inst.denoise_gaussian_control),
        )
    ),
    Claim(
        'fine-tuning lifts the accuracy of the stack of sparse codes', inst.NOTES,
        inst.stacked_sparse_finetune, 'test/accuracy', '>', inst.stacked_sparse_classifier, seeds=3,
    ),
    Claim(
        'to at least 98.2 %', OURS,
        inst.stacked_sparse_finetune, 'test/accuracy', '>=', 0.982, seeds=3,
    ),
    Claim(
        'with 1 % of the labels, a pretrained encoder, fine-tuned, beats one from random values',
        inst.CONSTRAINTS, inst.semi_finetuned, 'test/accuracy', '>', inst.semi_scratch, seeds=5,
    ),
    Claim(
        'a frozen pretrained encoder beats it too', inst.CONSTRAINTS,
        inst.semi_frozen, 'test/accuracy', '>', inst.semi_scratch, seeds=5,
    ),
    Claim(
        "more of a VAE's samples lie near real pictures than of a plain autoencoder's",
        inst.CONSTRAINTS, inst.vae, 'test/sample_precision', '>', inst.vae_plain, seeds=3,
    ),
    Claim(
        "the source's own loss drowns the reconstruction: the error of the mean picture (0.0866)",
        OURS, inst.vae_source, 'test/mse', '>=', 0.0866,
    ),
    Claim(
        'a greater weight of the KL: closer to the unit Gaussian', inst.CONSTRAINTS,
        inst.vae.vary(beta=10.0), 'test/kl', '<', inst.vae,
    ),
    Claim(
        'and less accurate', inst.CONSTRAINTS,
        inst.vae.vary(beta=10.0), 'test/nll', '>', inst.vae,
    ),
    Claim(
        '64 pictures are stored in the weights of a decoder, each under a one-hot vector',
        inst.NOTES, inst.memory_onehot, 'test/mse', '<', 1e-3,
    ),
    Claim(
        'or under 16 numbers that are learned', inst.NOTES,
        inst.memory_latent, 'test/mse', '<', 1e-3,
    ),

    *(
        Claim(
            f'L1 gives the best reconstructions: by {metric.removeprefix("test/")}, than {name}',
            inst.PRASAD, inst.conv_vae_cifar_l1, metric, relation, other,
        )
        for name, other in (('L2', inst.conv_vae_cifar_l2), ('cosine', inst.conv_vae_cifar_cosine))
        for metric, relation in (('test/mae', '<'), ('test/psnr', '>'), ('test/ssim', '>'))
    ),
    Claim(
        'without the Gaussian code it reconstructs better', inst.PRASAD,
        inst.conv_ae_cifar, 'test/mse', '<', inst.conv_vae_cifar,
    ),
    Claim(
        'with it, it overfits less', inst.PRASAD,
        inst.conv_vae_cifar, 'test/mse / train/mse', '<', inst.conv_ae_cifar,
    ),
    Claim(
        'reconstruction gets worse when a classifier is added', inst.PRASAD,
        inst.conv_vae_cifar_classify.vary(epochs=5), 'test/mae', '>',
        inst.conv_vae_cifar_classify.vary(epochs=5, classify=0.0),
    ),
    Claim(
        'ten classes of CIFAR-10, together with the reconstruction: at least 80 %', OURS,
        inst.conv_vae_cifar_classify, 'test/accuracy', '>=', 0.8,
        published='65 % on ten classes of private pictures',
    ),
    *(
        Claim(
            f'pretraining helps a classifier of CIFAR-10: {share:.0%} of the labels, fine-tuned',
            inst.PRASAD, inst.conv_finetune.vary(steps_per_epoch=200, label_fraction=share),
            'test/accuracy', '>',
            inst.conv_scratch.vary(steps_per_epoch=200, label_fraction=share),
        )
        for share in (0.01, 0.1, 1.0)
    ),
    Claim(
        'convolutions trained layer by layer are no worse than jointly', OURS,
        inst.conv_phasewise, 'test/mse', '<=', inst.conv_joint,
    ),
    *(
        Claim(
            f'upsampling leaves less checkerboard than transposed convolutions, {updates} updates',
            inst.ODENA, inst.conv_upsample.vary(epochs=1, steps_per_epoch=updates),
            'test/checkerboard', '<',
            inst.conv_transpose.vary(epochs=1, steps_per_epoch=updates),
        )
        for updates in (10, 100, 8600)
    ),

    Claim(
        'a sequence is easier to write in reverse order', inst.VIDEO,
        inst.lstm_reconstruct, 'test/mse', '<', inst.lstm_reconstruct_forward, seeds=3,
    ),
    *(
        Claim(
            f'{what}, better than {beside}', OURS, experiment, metric, '<', experiment,
            metric.replace('mse', f'{name}_mse'), seeds=3,
        )
        for what, experiment, metric in (
            ('reconstructs', inst.lstm_reconstruct, 'test/mse'),
            ('predicts', inst.lstm_predict, 'test/future_mse'),
        )
        for beside, name in (
            ('the mean sequence', 'mean'),
            ('the last row again', 'copy'),
            ('as many principal components as the code has numbers', 'pca'),
        )
    ),
    Claim(
        'one code for both decoders reconstructs no worse than one of its own', inst.VIDEO,
        inst.lstm_composite, 'test/mse', '<=', inst.lstm_half, seeds=3,
    ),
    Claim(
        'one code for both decoders predicts no worse than one of its own', inst.VIDEO,
        inst.lstm_composite, 'test/future_mse', '<=', inst.lstm_predict, seeds=3,
    ),
    Claim(
        'with as many units as inputs (28) the loss gets stuck: within 10 % of the mean sequence',
        inst.NOTES, inst.lstm_reconstruct.vary(hidden=(28,)), 'test/mse', '>=',
        inst.lstm_reconstruct.vary(hidden=(28,)), 'test/mean_mse', 0.9,
    ),
    Claim(
        'two layers trained one after the other are no worse than jointly', OURS,
        inst.lstm_greedy, 'test/mse', '<=', inst.lstm_stacked,
    ),
    Claim(
        'a classifier on the frozen codes of sequences is right in at least 98.2 %', OURS,
        inst.lstm_classifier, 'test/accuracy', '>=', 0.982,
    ),
    Claim(
        'and better when the encoder is fine-tuned', OURS,
        inst.lstm_finetune, 'test/accuracy', '>', inst.lstm_classifier,
    ),
    Claim(
        'moving digits are predicted better than by the last frame again', OURS,
        inst.lstm_composite_moving, 'test/future_mse', '<', inst.lstm_composite_moving,
        'test/future_copy_mse',
    ),

    Claim(
        'layer by layer, then jointly: a squared error of at most 3.00 an image', inst.HINTON,
        inst.hinton2006, 'test/squared_error', '<=', 3.0,
        published='3.00, with RBMs (remembered; a reimplementation quotes 3.0)',
        note='here trained on digits shifted by up to a pixel',
    ),
    Claim(
        'at most 2.5', OURS, inst.hinton2006, 'test/squared_error', '<=', 2.5,
    ),
    Claim(
        'in half an hour of updates', OURS, inst.hinton2006, 'seconds', '<=', 1800.0,
    ),
    Claim(
        'at most 3.00 on the digits as they are, too', inst.HINTON,
        inst.hinton2006.vary(crop=0), 'test/squared_error', '<=', 3.0,
        note='it overfits; tried: other rates, tied kernels, cross-entropy; what helped was shifts',
    ),
    Claim(
        'far better than as many principal components', inst.HINTON,
        inst.hinton2006, 'test/mse', '<', inst.hinton2006, 'test/pca_mse',
        published='3.00 and 13.87 an image, that is 0.003827 and 0.01769 a pixel',
    ),
    Claim(
        'better than from random values, after as many epochs', inst.HINTON,
        inst.hinton2006, 'test/squared_error', '<', inst.hinton2006_scratch,
    ),

    Claim(
        'pretrained greedily, three layers err less than from random values', inst.BENGIO,
        inst.bengio2007_greedy, 'test/accuracy', '>', inst.bengio2007_scratch, seeds=5,
        published='1.4 % and 2.4 % of errors (remembered)',
        note='rate: of 0.1 and 0.3 the better for both; with 3 seeds it was open, so there are 5',
    ),
    Claim(
        'in at most 1.4 %', inst.BENGIO,
        inst.bengio2007_greedy, 'test/accuracy', '>=', 0.986, seeds=3,
        note='tried: rates of 0.1 and 0.3; with noise, dropout and Adam: sdae2010',
    ),
    Claim(
        'less than from random values at a third of that rate, too', OURS,
        inst.bengio2007_greedy.vary(finetune_learning_rate=0.1), 'test/accuracy', '>',
        inst.bengio2007_scratch.vary(finetune_learning_rate=0.1), seeds=3,
        note='where the one from random values is not learned to the end after 50 epochs',
    ),
    Claim(
        "and with today's random values and optimizer", OURS,
        inst.bengio2007_greedy_adam, 'test/accuracy', '>', inst.bengio2007_scratch_adam, seeds=3,
    ),

    Claim(
        'three layers of denoisers, fine-tuned, err in at most 1.28 %', inst.VINCENT,
        inst.sdae2010, 'test/accuracy', '>=', 0.9872, seeds=3, published='1.28 % (remembered)',
    ),
    Claim(
        'at most 1.25 %', OURS, inst.sdae2010, 'test/accuracy', '>=', 0.9875, seeds=3,
        note='tried: rates, epochs, dropout of 0, 0.3 and 0.5; what helped was shifts, below',
    ),
    Claim(
        'less than without noise', inst.VINCENT,
        inst.sdae2010, 'test/accuracy', '>', inst.sdae2010_clean, seeds=3,
        published='1.40 % (remembered)',
    ),
    Claim(
        'less than the same network from random values', inst.VINCENT,
        inst.sdae2010, 'test/accuracy', '>', inst.sdae2010_scratch, seeds=3,
    ),
    Claim(
        'at most 1.25 % when they are fine-tuned on digits shifted by up to a pixel', OURS,
        inst.sdae2010.vary(crop=1), 'test/accuracy', '>=', 0.9875, seeds=3,
    ),

    Claim(
        'of 600 labels: fewer errors than 5.72 %', OURS,
        inst.semi600_self, 'test/accuracy', '>', 0.9428, seeds=3,
        published='5.72 %, of M1+TSVM (as reimplementations quote it)',
        note='rate, dropout and noise were chosen on 5,000 validation examples with labels',
    ),
    Claim(
        'that without labels from a classifier', OURS,
        inst.semi600, 'test/accuracy', '>', 0.9428, seeds=3,
    ),
    Claim(
        'that without shifting the digits', OURS,
        inst.semi600_plain_self, 'test/accuracy', '>', 0.9428, seeds=3,
    ),
    Claim(
        'labels from a classifier help: fewer than without', OURS,
        inst.semi600_self, 'test/accuracy', '>', inst.semi600, seeds=3,
    ),
    Claim(
        'pretraining helps: fewer than from random values', inst.KINGMA,
        inst.semi600, 'test/accuracy', '>', inst.semi600_scratch, seeds=3,
    ),

    *(
        Claim(
            f'pretraining lowers the error of {depth} layer{"s" * (depth > 1)}, {day}',
            inst.ERHAN, pretrained.vary(**{'parent.hidden': (400,) * depth}), 'test/accuracy', '>',
            random.vary(**{'parent.hidden': (400,) * depth}), seeds=10,
        )
        for day, pretrained, random in (
            ("with that day's optimizer", inst.erhan2010_pretrained, inst.erhan2010_random),
            ("with today's", inst.erhan2010_pretrained_adam, inst.erhan2010_random_adam),
        )
        for depth in range(1, 5)
    ),

    Claim(
        'nats an image, by 5,000 importance samples: at most 86.76', inst.BURDA,
        inst.vae_burda, 'test/importance_nll', '<=', 86.76,
        published='86.76 (as nbip/IWAE on GitHub quotes it, which reaches 87.75)',
    ),
    Claim(
        'at most 87.5', OURS, inst.vae_burda, 'test/importance_nll', '<=', 87.5,
        note='batch, rate, epochs and the rise of beta were chosen on validation digits',
    ),
)  # fmt: skip
