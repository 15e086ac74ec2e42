"""What a page says of each figure: a caption, and words for whoever does not see it."""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """What a page says of a figure."""

    caption: str
    alt: str  # what is to be seen in it, for whoever does not see it


WORDS = {  # by the names of figures
    'loss_curves': Words(
        'Losses by epoch',
        'Curves of each loss and accuracy against the epoch, a panel each: training solid, '
        'validation dashed.',
    ),
    'latent': Words(
        'Codes of the test set, as points',
        'A point a test example, where its code lies on the first two principal components, and '
        'beside that where t-SNE puts it; coloured by class where there are classes.',
    ),
    'latent_pictures': Words(
        'Codes of the test set, as the examples themselves',
        'Small test examples, each where its code lies on the first two principal components.',
    ),
    'reconstructions': Words(
        'Examples of the test set, and what the network makes of them',
        'Rows of pictures: test examples above, and below each what the network makes of it.',
    ),
    'filters': Words(
        'What the first layer looks for',
        "A grid of the weights of the first layer's units, each as a picture: red above zero, "
        'blue below, or in colours of their own.',
    ),
    'samples': Words(
        'Pictures drawn from codes',
        'Rows of pictures that the network decoded from random codes.',
    ),
    'interpolation': Words(
        'From one example to another, by their codes',
        'Rows of pictures: a test example at each end, and between them what is decoded from the '
        'codes on the way.',
    ),
    'spectra': Words(
        'Frequencies in pictures and reconstructions',
        'Spectral power of the test pictures beside that of their reconstructions, by frequency.',
    ),
    'manifold': Words(
        'What each place of the code stands for',
        'A square of pictures, decoded from a grid over the two numbers of the code.',
    ),
    'confusion': Words(
        'True and predicted classes',
        'A matrix with a row a true class and a column a predicted one; right answers lie on the '
        'diagonal.',
    ),
    'most_confused': Words(
        'Test examples taken for another class',
        'Pictures of the test examples that were most surely given a wrong class, each with the '
        'true and the predicted one.',
    ),
    'pca_plane': Words(
        'Codes beside principal components',
        'Two planes of points side by side: the test examples by their codes, and by their first '
        'two principal components.',
    ),
    'sequences': Words(
        'Test sequences, and what the network makes of them',
        'Test sequences as lines or frames, with what the network makes of each.',
    ),
    'features': Words(
        'Each feature of the test set, and how well it comes back',
        'For each feature its reconstruction against its value; of many its error, a point or bar '
        'each, beside that of the mean of the training examples.',
    ),
    'error_by_step': Words(
        'Error by step of the sequence',
        'Curves of the squared error against the step of the sequence: the network, and simple '
        'guesses to compare it with. Where lengths differ, below them how many sequences have each '
        'step.',
    ),
}


def words_of(name: str) -> Words:
    """Returns what a page says of a figure; of one by another name, that name."""
    said = name.replace('_', ' ')
    return WORDS.get(name, Words(said, f'A figure by the name of {said}.'))
