"""The catalogue: every named experiment, each a variation of another.

To add a variation, write one `vary` line; `python main.py --list` shows it at once. What it is to
show can follow as a `Claim` in ledger/claims/.
"""

from __future__ import annotations

from parameters import Experiment

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

iris_linear = Experiment(
    'iris_linear',
    'a linear 4-2-4 network on standardised iris finds the plane of PCA',
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

mnist_l1 = Experiment(
    'mnist_l1',
    'nine ReLU layers down to 11 codes and back, with an L1 loss',
    L1_STORY,
    hidden=(512, 256, 128, 11),
    activation='relu',
    tied=False,
    initializer='glorot',
    loss='mae',
    epochs=20,
    batch_size=256,
)
mnist_l1_dropout = mnist_l1.vary(
    'mnist_l1_dropout',
    description='the same with dropout 0.2 after every hidden layer',
    dropout=0.2,
)
mnist_l1_fixed = mnist_l1.vary(
    'mnist_l1_fixed',
    description='the same with smaller initial kernels and a linear code: it trains',
    initializer='small',
    code_activation='linear',
)

trivial = Experiment(
    'trivial',
    'linear and wider than its input: it can copy',
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
    description='one hidden layer of 32 ReLU units, beside PCA with 32 components',
    source=NOTES,
    hidden=(32,),
    activation='relu',
    schedule='cosine',
    epochs=20,
)
compress = trivial.vary(
    'compress',
    description='784-1000-500-30-500-1000-784, ReLU, linear code',
    hidden=(1000, 500, 30),
    activation='relu',
    code_activation='linear',
    initializer='he',
    schedule='cosine',
)
compress_relu = compress.vary(
    'compress_relu',
    description="compress with the source's ReLU code: how many codes die?",
    code_activation='relu',
)
sparse = trivial.vary(
    'sparse',
    description='a sigmoid code wider than the input, mean activation kept at 0.2',
    activation='sigmoid',
    output_activation='sigmoid',
    sparsity=0.001,
)

denoise_mask = trivial.vary(
    'denoise_mask',
    description='a wide hidden layer; half of the inputs are set to zero',
    activation='relu',
    output_activation='sigmoid',
    initializer='he',
    corruption=0.5,
)
denoise_mask30 = denoise_mask.vary(
    'denoise_mask30', description='the same with 30 % of the inputs set to zero', corruption=0.3
)
denoise_gaussian = denoise_mask.vary(
    'denoise_gaussian',
    description='the same with Gaussian noise of deviation 0.5 added',
    corruption_kind='gaussian',
)
denoise_mask_control, denoise_mask30_control, denoise_gaussian_control = (
    denoiser.vary(
        f'{denoiser.name}_control',
        description=f'the network of {denoiser.name} trained on clean inputs',
        corruption=0.0,
        test_corruption=denoiser.corruption,
    )
    for denoiser in (denoise_mask, denoise_mask30, denoise_gaussian)
)
sparse_denoise = sparse.vary(
    'sparse_denoise',
    description='constraints combined: sparse, and denoising half-masked inputs',
    corruption=0.5,
)
compress_denoise = compress.vary(
    'compress_denoise',
    description='constraints combined: 30 codes, and denoising half-masked inputs',
    corruption=0.5,
)

stacked_sparse = Experiment(
    'stacked_sparse',
    'two sparse layers of 200, each trained on what the one below gives',
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
)
stacked_sparse_classifier = Experiment(
    'stacked_sparse_classifier',
    "softmax on the frozen codes of stacked_sparse's saved graph",
    NOTES,
    parent=stacked_sparse,
    head=(),
    epochs=30,
    learning_rate=0.003,
    schedule='cosine',
    standardize_codings=True,
)
stacked_sparse_finetune = stacked_sparse_classifier.vary(
    'stacked_sparse_finetune',
    description='the same, then all of it fine-tuned',
    finetune_epochs=60,
    finetune_corruption=0.25,
)

semi_finetuned = Experiment(
    'semi_finetuned',
    '1 % of the labels: output layer on the pretrained encoder, then all trained',
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
    description='1 % of the labels: output layer on the frozen pretrained encoder',
    epochs=20,
    finetune_epochs=0,
)
semi_scratch = semi_finetuned.vary(
    'semi_scratch',
    description='1 % of the labels: encoder and output layer from random values',
    initial='random',
    epochs=0,
    finetune_epochs=20,
    finetune_learning_rate=1e-3,
)
semi_random = semi_frozen.vary(
    'semi_random',
    description='1 % of the labels: output layer on a frozen encoder of random values',
    initial='random',
)

vae = Experiment(
    'vae',
    '784-1000-500-30 Gaussian codes; Bernoulli likelihood, nats an image',
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
    description='the same network without the Gaussian: sampling its codes fails',
    variational=False,
    code_activation='linear',
)
vae_gaussian = vae.vary(
    'vae_gaussian',
    description='the VAE with a Gaussian likelihood of one learned variance',
    output_activation='linear',
    loss='gaussian',
)
vae_source = vae.vary(
    'vae_source',
    description="the source's loss: mean over pixels, KL summed over the batch of 64",
    output_activation='linear',
    loss='mse',
    beta=64.0,
    kl_warmup=0,
    epochs=10,
    batch_size=64,
    schedule='constant',
)
vae_2d = vae.vary('vae_2d', description='two codes, to draw the manifold', hidden=(1000, 500, 2))

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
    description='the same, each under a vector of 16 numbers that is learned too',
    memory_code=16,
)

conv_vae = Experiment(
    'conv_vae',
    'a folder of pictures (--images): four convolutions, a Gaussian code of 4,096, L1 distance',
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
conv_vae_l1 = conv_vae.vary('conv_vae_l1', description='conv_vae by the name of its distance')
conv_vae_l2 = conv_vae.vary(
    'conv_vae_l2', description='the same with L2: a Gaussian likelihood', loss='gaussian'
)
conv_vae_cosine = conv_vae.vary(
    'conv_vae_cosine',
    description='the same with cosine distance, which is no likelihood: beta is 0.02 / features',
    loss='cosine',
    beta=1.3e-7,
)
conv_ae = conv_vae.vary(
    'conv_ae',
    description='the same without the Gaussian code',
    variational=False,
    code_activation='linear',
)
conv_vae_classify = conv_vae.vary(
    'conv_vae_classify',
    description='conv_vae with a classifier of the code, trained together',
    classify=1000.0,
)

conv_vae_cifar = conv_vae.vary(
    'conv_vae_cifar',
    description='the family at 32x32 on CIFAR-10, 256 codes',
    dataset='cifar10',
    filters=(64, 128, 256, 256),
    code_size=256,
    epochs=8,
    batch_size=128,
    learning_rate=2e-3,
)
conv_vae_cifar_l1 = conv_vae_cifar.vary(
    'conv_vae_cifar_l1', description='conv_vae_cifar by the name of its distance'
)
conv_vae_cifar_l2 = conv_vae_cifar.vary(
    'conv_vae_cifar_l2', description='the same with L2: a Gaussian likelihood', loss='gaussian'
)
conv_vae_cifar_cosine = conv_vae_cifar.vary(
    'conv_vae_cifar_cosine',
    description='the same with cosine distance, beta 0.02 / features',
    loss='cosine',
    beta=6.5e-6,
)
conv_ae_cifar = conv_vae_cifar.vary(
    'conv_ae_cifar',
    description='the same without the Gaussian code',
    variational=False,
    code_activation='linear',
)
conv_vae_cifar_classify = conv_vae_cifar.vary(
    'conv_vae_cifar_classify',
    description='CIFAR-10: reconstruction and classifier trained together',
    classify=10000.0,
    epochs=20,
    crop=4,
)

conv_classifier = Experiment(
    'conv_classifier',
    "a classifier on the frozen codes of conv_vae_cifar's saved graph",
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
    description='the same, then all of it fine-tuned on flipped and shifted pictures',
    finetune_epochs=10,
    flip=True,
    crop=4,
)
conv_scratch = conv_finetune.vary(
    'conv_scratch',
    description='the network of conv_finetune from random values',
    initial='random',
    epochs=0,
)

conv_phasewise = conv_vae_cifar.vary(
    'conv_phasewise',
    description='four convolutions trained greedily, one and its inverse a phase, on cached maps',
    source=NOTES,
    training='greedy',
    loss='mse',
    variational=False,
    code_size=0,
    epochs=5,
    flip=False,
)
conv_joint = conv_phasewise.vary(
    'conv_joint', description='the same four convolutions trained jointly', training='joint'
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
    description='the same, decoded by upsampling and convolutions',
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
    learning_rate=2e-3,
    schedule='cosine',
    clip_norm=1.0,
)
lstm_reconstruct_forward = lstm_reconstruct.vary(
    'lstm_reconstruct_forward', description='the same, written in forward order', order='forward'
)
lstm_reconstruct_conditional = lstm_reconstruct.vary(
    'lstm_reconstruct_conditional',
    description='the same, the decoder fed its last row',
    conditional=True,
)
lstm_predict = lstm_reconstruct.vary(
    'lstm_predict',
    description="a digit's lower 14 rows from its upper 14",
    task='predict',
    future=14,
)
lstm_predict_conditional = lstm_predict.vary(
    'lstm_predict_conditional',
    description='the same, the decoder fed its last row',
    conditional=True,
)
lstm_composite = lstm_predict.vary(
    'lstm_composite',
    description='one encoder, two decoders: the upper 14 rows again, and the lower 14',
    task='composite',
)
lstm_composite_conditional = lstm_composite.vary(
    'lstm_composite_conditional',
    description='the same, each decoder fed its last row',
    conditional=True,
)
lstm_half = lstm_reconstruct.vary(
    'lstm_half', description='the half of lstm_composite that reconstructs, alone', future=14
)
lstm_stacked = lstm_reconstruct.vary(
    'lstm_stacked',
    description='two LSTM layers and their inverses, trained jointly',
    hidden=(64, 128),
)
lstm_greedy = lstm_stacked.vary(
    'lstm_greedy',
    description='the same, a layer and its inverse a phase, on the states of the one below',
    training='greedy',
)
lstm_composite_moving = lstm_composite.vary(
    'lstm_composite_moving',
    description='ten frames of two moving digits again, and the ten that follow',
    dataset='moving_mnist',
    hidden=(512,),
    loss='bernoulli',
    future=10,
    learning_rate=1e-3,
)
lstm_classifier = phasewise_classifier.vary(
    'lstm_classifier',
    description="a classifier on the frozen codes of lstm_reconstruct's saved graph",
    source=VIDEO,
    parent=lstm_reconstruct,
)
lstm_finetune = lstm_classifier.vary(
    'lstm_finetune', description='the same, then all of it fine-tuned', finetune_epochs=10
)

hinton2006 = Experiment(
    'hinton2006',
    '784-1000-500-250-30 logistic units, linear code: layer by layer, then jointly; shifted digits',
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
    description='the same from random values, as many epochs as of both',
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
    "softmax on bengio2007_stack, all of it fine-tuned with that day's gradient descent",
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
    'bengio2007_scratch', description='the same network from random values', initial='random'
)
bengio2007_greedy_adam = bengio2007_greedy.vary(
    'bengio2007_greedy_adam',
    description="the same, fine-tuned with today's optimizer",
    optimizer='adam',
    finetune_learning_rate=3e-4,
    schedule='cosine',
)
bengio2007_scratch_adam = bengio2007_greedy_adam.vary(
    'bengio2007_scratch_adam',
    description="the same from today's random values (Glorot's), with today's optimizer",
    initial='glorot',
)

sdae2010_stack = Experiment(
    'sdae2010_stack',
    '784-1000-1000-1000 logistic units, trained greedily as denoisers, 25 % masked',
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
    'sdae2010_stack_clean', description='the same without noise', corruption=0.0
)
sdae2010 = Experiment(
    'sdae2010',
    'softmax on sdae2010_stack, all of it fine-tuned',
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
    description='softmax on sdae2010_stack_clean, all of it fine-tuned, without noise',
    parent=sdae2010_stack_clean,
    finetune_corruption=0.0,
)
sdae2010_scratch = sdae2010.vary(
    'sdae2010_scratch', description='the network of sdae2010 from random values', initial='random'
)

semi600 = sdae2010.vary(
    'semi600',
    description='600 labels: softmax on sdae2010_stack, fine-tuned on shifted digits, half dropped',
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
    description='the same, and the other digits under the labels that semi600 gives them',
    parent=semi600,
    labels='parent',
)
semi600_plain = semi600.vary(
    'semi600_plain', description='semi600 on the digits as they are', crop=0
)
semi600_plain_self = semi600_self.vary(
    'semi600_plain_self',
    description='semi600_self on the digits as they are',
    parent=semi600_plain,
    crop=0,
)
semi600_scratch = semi600.vary(
    'semi600_scratch',
    description="semi600 from today's random values (Glorot's)",
    initial='glorot',
)

erhan2010_stack = Experiment(
    'erhan2010_stack',
    'layers of 400 logistic units, trained greedily as denoisers, 25 % masked',
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
    "softmax on a pretrained stack, a tenth of the labels, that day's gradient descent",
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
    'erhan2010_random', description='the same from random values', initial='random'
)
erhan2010_pretrained_adam = erhan2010_pretrained.vary(
    'erhan2010_pretrained_adam',
    description="the same with today's optimizer",
    optimizer='adam',
    finetune_epochs=40,
    finetune_learning_rate=1e-3,
    schedule='cosine',
)
erhan2010_random_adam = erhan2010_pretrained_adam.vary(
    'erhan2010_random_adam',
    description="from today's random values (Glorot's), with today's optimizer",
    initial='glorot',
)

vae_burda = Experiment(
    'vae_burda',
    '784-200-200-50 tanh, pixels drawn black or white; likelihood by 5,000 samples',
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

EXPERIMENTS = {
    value.name: value for value in list(globals().values()) if isinstance(value, Experiment)
}
