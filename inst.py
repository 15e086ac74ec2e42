"""The catalogue: every named experiment, each a variation of another.

To add a variation, write one `vary` line, here or in a file of your own that `--inst` names;
`python main.py --list` shows it at once. What it is to show can follow as a `Claim`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parameters import Experiment
from system.rules import named

EXPERIMENTS: dict[str, Experiment]  # every one below by its name, and those of a user's own file
OWN: dict[str, str] = {}  # each name that a user's own file adds, of data sets too -> that file

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Collects EXPERIMENTS when it is first asked for, so that the whole file has been read."""
        if name != 'EXPERIMENTS':
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        return globals().setdefault(name, named('inst.py', globals(), Experiment))


GERON = 'Geron 2017, Hands-On Machine Learning, ch. 15'
L1_STORY = "an MNIST autoencoder's write-up: L1 loss, 11 codes"
CONSTRAINTS = 'Jarvers and Hihn 2019, notebook on autoencoders'
PRASAD = 'Prasad, Unsupervised Transfer Learning with Autoencoders in Tensorflow'
NOTES = 'notes on autoencoders, after kvfrans.com'
ODENA = 'Odena et al. 2016, Deconvolution and Checkerboard Artifacts'
VIDEO = 'Srivastava et al. 2015'
HINTON = 'Hinton and Salakhutdinov 2006'
BENGIO = 'Bengio et al. 2007'
VINCENT = 'Vincent et al. 2010'
ERHAN = 'Erhan et al. 2010'
KINGMA = 'Kingma et al. 2014'
BURDA = 'Burda et al. 2016'
COATES = 'Coates, Ng and Lee 2011'

iris_linear = Experiment(
    'iris_linear',
    'linear 4-2-4 autoencoder on standardised iris, which finds the plane of PCA',
    GERON,
    dataset='iris',
    hidden=(2,),
    activation='linear',
    initializer='glorot',
    tied=False,
    epochs=40,
    steps_per_epoch=100,
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
    parts=2,
    schedule='cosine',
)
untied = tied.vary(
    'untied',
    description='784-300-150-300-784, four free kernels, each L2-penalised, trained jointly',
    tied=False,
)
tied_fullbatch = tied.vary(
    'tied_fullbatch',
    description='784-300-150-300-784, tied, 100 full-batch epochs at rate 0.01, as published',
    batch_size=None,
    learning_rate=0.01,
    epochs=100,
    schedule='constant',
)

phasewise = tied.vary(
    'phasewise',
    description='784-300-150-300-784, tied kernels, trained greedily on cached activations',
    training='greedy',
    output_activation='linear',
    epochs=10,
    learning_rate=0.002,
)
phasewise_fullbatch = phasewise.vary(
    'phasewise_fullbatch',
    description='phasewise on full batches at learning rate 0.01, as published',
    batch_size=None,
    learning_rate=0.01,
    schedule='constant',
)

phasewise_classifier = Experiment(
    'phasewise_classifier',
    "classifier on the frozen codes of phasewise's saved graph",
    GERON,
    parent=phasewise,
    epochs=100,
    parts=2,
    learning_rate=0.003,
    schedule='cosine',
    head_dropout=0.1,
    standardize_codings=True,
)
phasewise_classifier_fullbatch = phasewise_classifier.vary(
    'phasewise_classifier_fullbatch',
    description='classifier on the frozen codes of phasewise_fullbatch, full batches, as published',
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
    description='phasewise_classifier, then all layers fine-tuned, 25 % of inputs masked',
    finetune_epochs=60,
    finetune_corruption=0.25,
)

mnist_l1 = Experiment(
    'mnist_l1',
    '784-512-256-128-11-128-256-512-784, ReLU code and hidden layers, L1 loss',
    L1_STORY,
    hidden=(512, 256, 128, 11),
    activation='relu',
    tied=False,
    initializer='glorot',
    loss='mae',
    epochs=20,
    batch_size=256,
    parts=2,
)
mnist_l1_dropout = mnist_l1.vary(
    'mnist_l1_dropout',
    description='mnist_l1 with dropout 0.2 after every hidden layer',
    dropout=0.2,
)
mnist_l1_fixed = mnist_l1.vary(
    'mnist_l1_fixed',
    description='mnist_l1 with smaller initial kernels and a linear code, so that it trains',
    initializer='small',
    code_activation='linear',
)

trivial = Experiment(
    'trivial',
    '784-1000-784, linear: wider than its input, so it can copy',
    CONSTRAINTS,
    dataset='fashion_mnist',
    hidden=(1000,),
    activation='linear',
    tied=False,
    initializer='glorot',
    batch_size=64,
)
basic = trivial.vary(
    'basic',
    description='784-32-784, ReLU code, to compare with PCA of 32 components',
    source=NOTES,
    hidden=(32,),
    activation='relu',
    schedule='cosine',
    epochs=20,
    parts=2,
)
compress = trivial.vary(
    'compress',
    description='784-1000-500-30-500-1000-784, ReLU hidden layers, linear code',
    hidden=(1000, 500, 30),
    activation='relu',
    code_activation='linear',
    initializer='he',
    schedule='cosine',
)
compress_relu = compress.vary(
    'compress_relu',
    description='compress as published: ReLU code, Glorot values, constant rate',
    code_activation='relu',
    initializer='glorot',
    schedule='constant',
)
sparse = trivial.vary(
    'sparse',
    description='784-1000-784, sigmoid code with a sparsity penalty: mean activation kept at 0.2',
    activation='sigmoid',
    output_activation='sigmoid',
    sparsity=0.001,
)

denoise_mask = trivial.vary(
    'denoise_mask',
    description='784-1000-784 denoising autoencoder, ReLU code; half of the inputs set to zero',
    activation='relu',
    output_activation='sigmoid',
    initializer='he',
    corruption=0.5,
)
denoise_mask30 = denoise_mask.vary(
    'denoise_mask30', description='denoise_mask with 30 % of the inputs set to zero', corruption=0.3
)
denoise_gaussian = denoise_mask.vary(
    'denoise_gaussian',
    description='denoise_mask with Gaussian noise of deviation 0.5 added, instead of masking',
    corruption_kind='gaussian',
)
denoise_mask_control, denoise_mask30_control, denoise_gaussian_control = (
    denoiser.vary(
        f'{denoiser.name}_control',
        description=f'{denoiser.name} trained on clean inputs, as a control',
        corruption=0.0,
        test_corruption=denoiser.corruption,
    )
    for denoiser in (denoise_mask, denoise_mask30, denoise_gaussian)
)
sparse_denoise = sparse.vary(
    'sparse_denoise',
    description='784-1000-784, sparse sigmoid code, denoising: half of the inputs set to zero',
    corruption=0.5,
)
compress_denoise = compress.vary(
    'compress_denoise',
    description='784-1000-500-30 and back, linear code, denoising: half of the inputs set to zero',
    corruption=0.5,
)

stacked_sparse = Experiment(
    'stacked_sparse',
    'two sparse sigmoid layers of 200, trained greedily, each on the codes of the one below',
    NOTES,
    hidden=(200, 200),
    activation='sigmoid',
    output_activation='sigmoid',
    tied=False,
    initializer='glorot',
    training='greedy',
    sparsity=0.001,
    epochs=20,
    batch_size=100,
    parts=2,
)
stacked_sparse_classifier = Experiment(
    'stacked_sparse_classifier',
    "softmax on the frozen codes of stacked_sparse's saved graph",
    NOTES,
    parent=stacked_sparse,
    head=(),
    epochs=30,
    parts=2,
    learning_rate=0.003,
    schedule='cosine',
    standardize_codings=True,
)
stacked_sparse_finetune = stacked_sparse_classifier.vary(
    'stacked_sparse_finetune',
    description='stacked_sparse_classifier, then all layers fine-tuned, 25 % of inputs masked',
    finetune_epochs=60,
    finetune_corruption=0.25,
)

semi_finetuned = Experiment(
    'semi_finetuned',
    '1 % of the labels: softmax on the encoder of compress_denoise, then all fine-tuned',
    CONSTRAINTS,
    dataset='fashion_mnist',
    parent=compress_denoise,
    label_fraction=0.01,
    head=(),
    standardize_codings=True,
    epochs=4,
    finetune_epochs=16,
    steps_per_epoch=100,
    batch_size=64,
    schedule='cosine',
    finetune_learning_rate=3e-4,
)
semi_frozen = semi_finetuned.vary(
    'semi_frozen',
    description='1 % of the labels: softmax on the frozen encoder of compress_denoise',
    epochs=20,
    finetune_epochs=0,
)
semi_scratch = semi_finetuned.vary(
    'semi_scratch',
    description='1 % of the labels: 784-1000-500-30 encoder and softmax, from random weights',
    initial='random',
    epochs=0,
    finetune_epochs=20,
    finetune_learning_rate=1e-3,
)
semi_random = semi_frozen.vary(
    'semi_random',
    description='1 % of the labels: softmax on a frozen 784-1000-500-30 encoder of random weights',
    initial='random',
)

vae = Experiment(
    'vae',
    'VAE, 784-1000-500-30 and back, Bernoulli likelihood in nats an image',
    CONSTRAINTS,
    dataset='fashion_mnist',
    hidden=(1000, 500, 30),
    activation='relu',
    output_activation='sigmoid',
    tied=False,
    loss='bernoulli',
    variational=True,
    kl_warmup=5,
    epochs=20,
    batch_size=128,
    schedule='cosine',
)
vae_plain = vae.vary(
    'vae_plain',
    description='vae as a plain autoencoder (linear code, no KL term): sampling its codes fails',
    variational=False,
    code_activation='linear',
)
vae_gaussian = vae.vary(
    'vae_gaussian',
    description='vae with a Gaussian likelihood of one learned variance',
    output_activation='linear',
    loss='gaussian',
)
vae_source = vae.vary(
    'vae_source',
    description='vae with the loss as published: MSE averaged over pixels, KL summed over a batch',
    output_activation='linear',
    loss='mse',
    beta=64.0,
    kl_warmup=0,
    epochs=10,
    batch_size=64,
    schedule='constant',
)
vae_2d = vae.vary(
    'vae_2d',
    description='vae with a code of two units, to draw the manifold',
    hidden=(1000, 500, 2),
)

memory_onehot = Experiment(
    'memory_onehot',
    '64 pictures stored in the weights of a decoder, each under a one-hot vector',
    NOTES,
    network='memory',
    filters=(64, 32),
    epochs=30,
    steps_per_epoch=100,
    batch_size=None,
    learning_rate=0.003,
    schedule='cosine',
)
memory_latent = memory_onehot.vary(
    'memory_latent',
    description='64 pictures stored in a decoder, each under a learned vector of 16 numbers',
    memory_code=16,
)

conv_vae = Experiment(
    'conv_vae',
    'VAE of a folder of pictures (--images): four convolutions, code of 4,096, L1 distance',
    PRASAD,
    dataset='images',
    network='conv',
    filters=(32, 64, 64, 64),
    kernel_size=3,
    activation='relu',
    output_activation='sigmoid',
    loss='laplace',
    variational=True,
    epochs=20,
    batch_size=32,
    schedule='cosine',
    flip=True,
)
conv_vae_l1 = conv_vae.vary(
    'conv_vae_l1', description='conv_vae with its default distance, L1 (Laplace likelihood)'
)
conv_vae_l2 = conv_vae.vary(
    'conv_vae_l2', description='conv_vae with L2 distance (Gaussian likelihood)', loss='gaussian'
)
conv_vae_cosine = conv_vae.vary(
    'conv_vae_cosine',
    description='conv_vae with cosine distance; KL weight 0.02 / number of input features',
    loss='cosine',
    beta=1.3e-7,
)
conv_ae = conv_vae.vary(
    'conv_ae',
    description='conv_vae as a plain autoencoder (linear code, no KL term)',
    variational=False,
    code_activation='linear',
)
conv_vae_classify = conv_vae.vary(
    'conv_vae_classify',
    description='conv_vae and a classifier of its code, trained together',
    classify=1000.0,
)

conv_vae_cifar = conv_vae.vary(
    'conv_vae_cifar',
    description='conv_vae on CIFAR-10: 32x32 pictures, wider convolutions, code of 256',
    dataset='cifar10',
    filters=(64, 128, 256, 256),
    code_size=256,
    epochs=8,
    batch_size=128,
    learning_rate=2e-3,
)
conv_vae_cifar_l1 = conv_vae_cifar.vary(
    'conv_vae_cifar_l1',
    description='conv_vae_cifar with its default distance, L1 (Laplace likelihood)',
)
conv_vae_cifar_l2 = conv_vae_cifar.vary(
    'conv_vae_cifar_l2',
    description='conv_vae_cifar with L2 distance (Gaussian likelihood)',
    loss='gaussian',
)
conv_vae_cifar_cosine = conv_vae_cifar.vary(
    'conv_vae_cifar_cosine',
    description='conv_vae_cifar with cosine distance; KL weight 0.02 / number of input features',
    loss='cosine',
    beta=6.5e-6,
)
conv_ae_cifar = conv_vae_cifar.vary(
    'conv_ae_cifar',
    description='conv_vae_cifar as a plain autoencoder (linear code, no KL term)',
    variational=False,
    code_activation='linear',
)
conv_vae_cifar_classify = conv_vae_cifar.vary(
    'conv_vae_cifar_classify',
    description='conv_vae_cifar and a classifier of its code, trained together',
    classify=10000.0,
    epochs=20,
    crop=4,
)

conv_vae_caltech_l1 = conv_vae.vary(
    'conv_vae_caltech_l1',
    description='VAE of photographs of ten kinds, 224x224: four convolutions, code of 14x14x21, L1',
    dataset='caltech10',
    filters=(32, 64, 128, 21),
    kernel_size=4,
    code_size=0,
    epochs=30,
    patience=8,
    batch_size=16,
    learning_rate=2e-3,
)
conv_vae_caltech_l2 = conv_vae_caltech_l1.vary(
    'conv_vae_caltech_l2',
    description='conv_vae_caltech_l1 with L2 distance (Gaussian likelihood)',
    loss='gaussian',
)
conv_vae_caltech_cosine = conv_vae_caltech_l1.vary(
    'conv_vae_caltech_cosine',
    description='conv_vae_caltech_l1 with cosine distance; KL weight 0.02 / number of features',
    loss='cosine',
    beta=1.3e-7,
)
conv_ae_caltech = conv_vae_caltech_l1.vary(
    'conv_ae_caltech',
    description='conv_vae_caltech_l1 as a plain autoencoder (linear code, no KL term)',
    variational=False,
    code_activation='linear',
)
conv_ae_caltech_unnormalized = conv_ae_caltech.vary(
    'conv_ae_caltech_unnormalized',
    description='conv_ae_caltech without batch norm, which ties a picture to its neighbours',
    batch_norm=False,
)
conv_vae_caltech_classify = conv_vae_caltech_l1.vary(
    'conv_vae_caltech_classify',
    description='conv_vae_caltech_l1 and a classifier of its code, trained together',
    classify=100000.0,
)
conv_vae_caltech_l1_112 = conv_vae_caltech_l1.vary(
    'conv_vae_caltech_l1_112',
    description='conv_vae_caltech_l1 at 112x112, code of 7x7x21',
    image_size=(112,),
)
conv_vae_caltech_l2_112 = conv_vae_caltech_l2.vary(
    'conv_vae_caltech_l2_112',
    description='conv_vae_caltech_l2 at 112x112, code of 7x7x21',
    image_size=(112,),
)
conv_vae_caltech_cosine_112 = conv_vae_caltech_cosine.vary(
    'conv_vae_caltech_cosine_112',
    description='conv_vae_caltech_cosine at 112x112, code of 7x7x21',
    image_size=(112,),
    beta=5.3e-7,
)
conv_ae_caltech_112 = conv_ae_caltech.vary(
    'conv_ae_caltech_112',
    description='conv_ae_caltech at 112x112, code of 7x7x21',
    image_size=(112,),
)
conv_ae_caltech_unnormalized_112 = conv_ae_caltech_unnormalized.vary(
    'conv_ae_caltech_unnormalized_112',
    description='conv_ae_caltech_unnormalized at 112x112, code of 7x7x21',
    image_size=(112,),
)
conv_vae_caltech_classify_112 = conv_vae_caltech_classify.vary(
    'conv_vae_caltech_classify_112',
    description='conv_vae_caltech_classify at 112x112, code of 7x7x21',
    image_size=(112,),
    classify=25000.0,  # as much for each of the features
)

conv_classifier = Experiment(
    'conv_classifier',
    "classifier on the frozen codes of conv_vae_cifar's saved graph",
    PRASAD,
    dataset='cifar10',
    parent=conv_vae_cifar,
    head=(256,),
    head_activation='relu',
    head_dropout=0.3,
    standardize_codings=True,
    epochs=30,
    batch_size=128,
    schedule='cosine',
)
conv_finetune = conv_classifier.vary(
    'conv_finetune',
    description='conv_classifier, then all layers fine-tuned on flipped and shifted pictures',
    finetune_epochs=10,
    flip=True,
    crop=4,
)
conv_scratch = conv_finetune.vary(
    'conv_scratch',
    description='conv_finetune without pretraining: all layers trained from random weights',
    initial='random',
    epochs=0,
)

conv_phasewise = conv_vae_cifar.vary(
    'conv_phasewise',
    description='four convolutions on CIFAR-10, trained greedily, one and its inverse a phase',
    source=NOTES,
    training='greedy',
    loss='mse',
    variational=False,
    code_size=0,
    epochs=5,
    flip=False,
)
conv_joint = conv_phasewise.vary(
    'conv_joint',
    description='conv_phasewise with all four convolutions trained jointly',
    training='joint',
)

conv_probe = conv_classifier.vary(
    'conv_probe',
    description="softmax on the frozen maps of conv_phasewise's second layer",
    source=NOTES,
    parent=conv_phasewise,
    layer=2,
    head=(),
    head_dropout=0.0,
    l2=0.003,
)

conv_transpose = Experiment(
    'conv_transpose',
    '28x28 convolutional autoencoder, decoded by transposed convolutions',
    ODENA,
    network='conv',
    filters=(32, 64),
    kernel_size=3,
    code_size=32,
    activation='relu',
    code_activation='linear',
    output_activation='sigmoid',
    batch_size=64,
    schedule='cosine',
)
conv_upsample = conv_transpose.vary(
    'conv_upsample',
    description='28x28 convolutional autoencoder, decoded by upsampling and convolutions',
    decoder='upsample',
)

lstm_reconstruct = Experiment(
    'lstm_reconstruct',
    "a digit's 28 rows, read by one LSTM and written in reverse order by another",
    VIDEO,
    network='lstm',
    hidden=(128,),
    output_activation='sigmoid',
    initializer='glorot',
    epochs=20,
    batch_size=128,
    parts=2,
    learning_rate=2e-3,
    schedule='cosine',
    clip_norm=1.0,
)
lstm_reconstruct_forward = lstm_reconstruct.vary(
    'lstm_reconstruct_forward',
    description='lstm_reconstruct with the rows written in forward order',
    order='forward',
)
lstm_reconstruct_conditional = lstm_reconstruct.vary(
    'lstm_reconstruct_conditional',
    description='lstm_reconstruct with a conditional decoder, which is fed its previous row',
    conditional=True,
)
lstm_predict = lstm_reconstruct.vary(
    'lstm_predict',
    description="a digit's lower 14 rows, predicted from its upper 14 by two LSTMs",
    task='predict',
    future=14,
)
lstm_predict_conditional = lstm_predict.vary(
    'lstm_predict_conditional',
    description='lstm_predict with a conditional decoder, which is fed its previous row',
    conditional=True,
)
lstm_composite = lstm_predict.vary(
    'lstm_composite',
    description="LSTMs reconstruct a digit's upper 14 rows and predict its lower 14, from one code",
    task='composite',
)
lstm_composite_conditional = lstm_composite.vary(
    'lstm_composite_conditional',
    description='lstm_composite with conditional decoders, each fed its previous row',
    conditional=True,
)
lstm_half = lstm_reconstruct.vary(
    'lstm_half',
    description="lstm_composite with its reconstructing decoder alone: a digit's upper 14 rows",
    future=14,
)
lstm_stacked = lstm_reconstruct.vary(
    'lstm_stacked',
    description='lstm_reconstruct with two LSTM layers (64 and 128 units), trained jointly',
    hidden=(64, 128),
)
lstm_greedy = lstm_stacked.vary(
    'lstm_greedy',
    description='lstm_stacked trained greedily, a layer and its inverse a phase',
    training='greedy',
)
lstm_composite_moving = lstm_composite.vary(
    'lstm_composite_moving',
    description='lstm_composite on moving_mnist: ten frames reconstructed, the next ten predicted',
    dataset='moving_mnist',
    hidden=(512,),
    loss='bernoulli',
    future=10,
    learning_rate=1e-3,
    parts=1,
)
lstm_classifier = phasewise_classifier.vary(
    'lstm_classifier',
    description="classifier on the frozen codes of lstm_reconstruct's saved graph",
    source=VIDEO,
    parent=lstm_reconstruct,
)
lstm_finetune = lstm_classifier.vary(
    'lstm_finetune', description='lstm_classifier, then all layers fine-tuned', finetune_epochs=10
)

hinton2006 = Experiment(
    'hinton2006',
    '784-1000-500-250-30, logistic, linear code, trained greedily, then jointly, on shifted digits',
    HINTON,
    hidden=(1000, 500, 250, 30),
    activation='sigmoid',
    code_activation='linear',
    output_activation='sigmoid',
    tied=False,
    initializer='glorot',
    training='greedy',
    epochs=5,
    joint_epochs=120,
    joint_learning_rate=3e-3,
    crop=1,
    batch_size=128,
    schedule='cosine',
)
hinton2006_scratch = hinton2006.vary(
    'hinton2006_scratch',
    description='hinton2006 trained jointly from random weights, for as many epochs in all',
    training='joint',
    joint_epochs=0,
    epochs=140,
    learning_rate=3e-3,
)

bengio2007_stack = Experiment(
    'bengio2007_stack',
    '784-500-500-500 logistic units, trained greedily as autoencoders',
    BENGIO,
    hidden=(500, 500, 500),
    activation='sigmoid',
    output_activation='sigmoid',
    initializer='small',
    loss='bernoulli',
    training='greedy',
    batch_size=100,
    schedule='cosine',
)
bengio2007_greedy = Experiment(
    'bengio2007_greedy',
    'softmax on bengio2007_stack, all layers fine-tuned with SGD',
    BENGIO,
    parent=bengio2007_stack,
    head=(),
    epochs=0,
    finetune_epochs=50,
    finetune_learning_rate=0.3,
    batch_size=50,
    optimizer='sgd',
)
bengio2007_scratch = bengio2007_greedy.vary(
    'bengio2007_scratch',
    description='bengio2007_greedy without pretraining: random weights of variance 1/(3 fan-in)',
    initial='random',
)
bengio2007_greedy_adam = bengio2007_greedy.vary(
    'bengio2007_greedy_adam',
    description='bengio2007_greedy fine-tuned with Adam',
    optimizer='adam',
    finetune_learning_rate=3e-4,
    schedule='cosine',
)
bengio2007_scratch_adam = bengio2007_greedy_adam.vary(
    'bengio2007_scratch_adam',
    description='bengio2007_greedy_adam without pretraining, from Glorot initialisation',
    initial='glorot',
)

sdae2010_stack = Experiment(
    'sdae2010_stack',
    '784-1000-1000-1000 logistic units, trained greedily as denoisers, 25 % of inputs masked',
    VINCENT,
    hidden=(1000, 1000, 1000),
    activation='sigmoid',
    output_activation='sigmoid',
    initializer='glorot',
    loss='bernoulli',
    training='greedy',
    corruption=0.25,
    epochs=15,
    batch_size=128,
    schedule='cosine',
)
sdae2010_stack_clean = sdae2010_stack.vary(
    'sdae2010_stack_clean',
    description='sdae2010_stack trained without noise, as plain autoencoders',
    corruption=0.0,
)
sdae2010 = Experiment(
    'sdae2010',
    'softmax on sdae2010_stack, all layers fine-tuned with masked inputs and dropout 0.3',
    VINCENT,
    parent=sdae2010_stack,
    head=(),
    epochs=0,
    finetune_epochs=40,
    finetune_learning_rate=1e-3,
    finetune_corruption=0.25,
    finetune_dropout=0.3,
    batch_size=128,
    schedule='cosine',
)
sdae2010_clean = sdae2010.vary(
    'sdae2010_clean',
    description='softmax on sdae2010_stack_clean, all layers fine-tuned with dropout 0.3 alone',
    parent=sdae2010_stack_clean,
    finetune_corruption=0.0,
)
sdae2010_scratch = sdae2010.vary(
    'sdae2010_scratch',
    description='sdae2010 without pretraining, from Glorot initialisation',
    initial='random',
)

semi600 = sdae2010.vary(
    'semi600',
    description='600 labels: softmax on sdae2010_stack, fine-tuned on shifted digits, dropout 0.5',
    source=KINGMA,
    label_fraction=0.010915,  # 600 of 55,000: the share of each class is rounded
    steps_per_epoch=100,
    batch_size=64,
    crop=2,
    finetune_epochs=60,
    finetune_dropout=0.5,
)
semi600_self = semi600.vary(
    'semi600_self',
    description='self-training: softmax on semi600, which labels all other training digits',
    parent=semi600,
    labels='parent',
)
semi600_plain = semi600.vary(
    'semi600_plain', description='semi600 without shifting the digits', crop=0
)
semi600_plain_self = semi600_self.vary(
    'semi600_plain_self',
    description='semi600_self from semi600_plain in place of semi600, digits not shifted',
    parent=semi600_plain,
    crop=0,
)
semi600_scratch = semi600.vary(
    'semi600_scratch',
    description='semi600 without pretraining, from Glorot initialisation',
    initial='glorot',
)

erhan2010_stack = Experiment(
    'erhan2010_stack',
    'layers of 400 logistic units, trained greedily as denoisers, 25 % of inputs masked',
    ERHAN,
    hidden=(400, 400, 400),
    activation='sigmoid',
    output_activation='sigmoid',
    initializer='small',
    loss='bernoulli',
    training='greedy',
    corruption=0.25,
    epochs=5,
    batch_size=128,
    schedule='cosine',
)
erhan2010_pretrained = Experiment(
    'erhan2010_pretrained',
    'softmax on erhan2010_stack, all layers fine-tuned with SGD on a tenth of the labels',
    ERHAN,
    parent=erhan2010_stack,
    head=(),
    epochs=0,
    finetune_epochs=100,
    finetune_learning_rate=0.5,
    label_fraction=0.1,
    batch_size=50,
    optimizer='sgd',
)
erhan2010_random = erhan2010_pretrained.vary(
    'erhan2010_random',
    description='erhan2010_pretrained without pretraining: random weights of variance 1/(3 fan-in)',
    initial='random',
)
erhan2010_pretrained_adam = erhan2010_pretrained.vary(
    'erhan2010_pretrained_adam',
    description='erhan2010_pretrained fine-tuned with Adam',
    optimizer='adam',
    finetune_epochs=40,
    finetune_learning_rate=1e-3,
    schedule='cosine',
)
erhan2010_random_adam = erhan2010_pretrained_adam.vary(
    'erhan2010_random_adam',
    description='erhan2010_pretrained_adam without pretraining, from Glorot initialisation',
    initial='glorot',
)

coates2011_centroids = Experiment(
    'coates2011_centroids',
    'k-means of whitened 6x6 patches of CIFAR-10, 1,600 centroids, triangle code',
    COATES,
    dataset='cifar10',
    patch_size=6,
    patches=400_000,
    network='kmeans',
    standardize='zca',
    hidden=(1600,),
    epochs=30,
    batch_size=4000,
    learning_rate=0.03,
    schedule='cosine',
)
coates2011_autoencoder = coates2011_centroids.vary(
    'coates2011_autoencoder',
    description='sparse autoencoder of whitened 6x6 patches of CIFAR-10, 1,600 logistic units',
    network='dense',
    activation='sigmoid',
    tied=False,
    sparsity=0.01,
    sparsity_target=0.03,
    epochs=10,
    batch_size=1000,
    learning_rate=1e-2,  # biases have far to go: from activations of 0.5 to the target
)
coates2011_denoiser = coates2011_centroids.vary(
    'coates2011_denoiser',
    description='denoising autoencoder of whitened 6x6 patches of CIFAR-10, 1,600 ReLU units, tied',
    network='dense',
    activation='relu',
    corruption=1.0,
    corruption_kind='gaussian',
    epochs=10,
    batch_size=1000,
    learning_rate=2e-3,
)
coates2011_kmeans = Experiment(
    'coates2011_kmeans',
    "softmax on coates2011_centroids' codes of all patches, summed over quadrants",
    COATES,
    dataset='cifar10',
    parent=coates2011_centroids,
    pool=2,
    head=(),
    standardize_codings=True,
    l2=0.002,
    epochs=30,
    batch_size=500,
    learning_rate=2e-3,
    schedule='cosine',
)
coates2011_sparse = coates2011_kmeans.vary(
    'coates2011_sparse',
    description="softmax on coates2011_autoencoder's codes of all patches, summed over quadrants",
    parent=coates2011_autoencoder,
)
coates2011_denoising = coates2011_kmeans.vary(
    'coates2011_denoising',
    description="softmax on coates2011_denoiser's codes of all patches, summed over quadrants",
    parent=coates2011_denoiser,
)
coates2011_random = coates2011_denoising.vary(
    'coates2011_random',
    description='coates2011_denoising with random filters in place of the learned: a control',
    initial='random',
)
semi600_kmeans = coates2011_kmeans.vary(
    'semi600_kmeans',
    description="600 labels: softmax on k-means codes of digits' 6x6 patches, over 4x4 regions",
    source=KINGMA,
    dataset='mnist',
    label_fraction=0.010915,
    pool=4,
    l2=0.5,
    epochs=100,
    batch_size=600,
    **{'parent.hidden': (400,)},
)

vae_burda = Experiment(
    'vae_burda',
    'VAE, 784-200-200-50 and back, tanh, binarised pixels; likelihood by 5,000 importance samples',
    BURDA,
    hidden=(200, 200, 50),
    activation='tanh',
    output_activation='sigmoid',
    tied=False,
    initializer='glorot',
    loss='bernoulli',
    variational=True,
    binarize=True,
    kl_warmup=100,
    importance_samples=5000,
    epochs=700,
    batch_size=20,
    schedule='cosine',
)
iwae_burda = vae_burda.vary(
    'iwae_burda',
    description='vae_burda by the importance-weighted bound of 50 codes an image',
    bound_samples=50,
    kl_warmup=0,
    epochs=50,
)
