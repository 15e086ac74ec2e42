"""Few examples: every number of them ends in results, or in one line before training."""

import functools

import numpy as np
import pytest
from conftest import results_of
from PIL import Image

SMALL = {  # networks so small that a run takes a second
    'basic': ('--set=hidden=3', '--set=parts=1'),
    'phasewise': ('--set=hidden=3,2',),
    'vae': ('--set=hidden=30,20',),
    'conv_vae': ('--set=filters=2', '--set=code_size=2'),
    'conv_vae_classify': ('--set=filters=2', '--set=code_size=12'),
    'phasewise_classifier': (
        '--set=parent.hidden=3,2', '--set=parent.epochs=1', '--set=head=3',
        '--set=label_fraction=0.2', '--set=parts=1', '--set=parent.parts=1',
    ),
    'lstm_reconstruct': ('--set=hidden=3', '--set=parts=1'),
    'iris_linear': ('--set=steps_per_epoch=1',),
}  # fmt: skip
LABELS = {
    'none': lambda n: None,
    'two': lambda n: np.arange(n) % 2,
    'each': np.arange,
    'one of another': lambda n: (np.arange(n) > 0).astype(int),
}


@pytest.fixture
def train(main, tmp_path, dotted):
    """Returns a function that trains an experiment on `n` made examples for an epoch."""

    def trained(name: str, n: int, labels: str, *flags: str):
        generator, y = np.random.default_rng(n), LABELS[labels](n)
        x = generator.normal(size=(n, 4)) if name == 'iris_linear' else generator.integers(
            0, 256, (n, 6, 8), np.uint8
        )  # fmt: skip
        np.savez(tmp_path / 'few.npz', x=x, **({} if y is None else {'y': y}))
        return main(
            f'--experiment={name}', f'--array={tmp_path}/few.npz', f'--run_dir={tmp_path}/run',
            '--set=epochs=1', *SMALL[name], *flags,
        )  # fmt: skip

    return trained


slow = functools.partial(pytest.param, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ('name', 'n', 'labels'),
    [
        ('basic', 1, 'none'),
        ('vae', 3, 'two'),
        ('phasewise_classifier', 2, 'two'),
        ('lstm_reconstruct', 1, 'none'),
        ('iris_linear', 15, 'each'),
        slow('vae', 12, 'each'),
        slow('conv_vae', 1, 'none'),
        slow('conv_vae', 11, 'one of another'),
        slow('conv_vae_classify', 2, 'each'),
        slow('phasewise_classifier', 12, 'each'),
        slow('iris_linear', 1, 'none'),
    ],
)
@pytest.mark.filterwarnings('error::RuntimeWarning')
def test_any_number_of_examples_ends_in_results(train, tmp_path, name, n, labels):
    code, out, err = train(name, n, labels)
    assert code == 0, err
    metrics = results_of(tmp_path / 'run')['metrics']
    assert metrics and all(np.isfinite(value) for value in metrics.values())
    assert ('no examples are held out' in out) == (n < 10)


@pytest.mark.parametrize(
    ('flag', 'words'),
    [('--set=patience=2', 'needs validation examples'), ('--tune', 'has no validation examples')],
)
def test_what_needs_validation_examples_is_refused_where_none_are_held_out(train, flag, words):
    code, _, err = train('vae', 9, 'two', flag)
    assert code in (2, 3) and words in err and len(err.splitlines()) == 1


def test_a_classifier_of_one_class_is_refused(main, tmp_path):
    np.savez(tmp_path / 'one.npz', x=np.zeros((20, 6, 8), np.uint8), y=np.full(20, 7))
    code, _, err = main(
        '--experiment=conv_vae_classify', f'--array={tmp_path}/one.npz', *SMALL['conv_vae_classify']
    )
    assert code == 3 and "all is of class '7'" in err and len(err.splitlines()) == 1


def test_classes_without_an_example_to_learn_or_test_are_told_before_training(train, tmp_path):
    code, out, err = train('conv_vae_classify', 12, 'each')
    assert code == 0, err
    assert np.isfinite(list(results_of(tmp_path / 'run')['metrics'].values())).all()
    before = out[: out.index('joint ')]
    assert 'warning: no example to be learned on of 2 of 12 classes: 0, 1' in before
    assert 'warning: no example to be tested on of 11 of 12 classes: 0, 2' in before


@pytest.mark.parametrize(
    ('count', 'sizes'), [(1, '2 train, 2 test'), slow(4, '8 train, 8 test'), (5, '8 train, 1 val')]
)
def test_few_pictures_a_class_are_trained_on(main, tmp_path, count, sizes):
    for i in range(2 * count):
        file = tmp_path / 'mine' / 'ab'[i % 2] / f'{i}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (8, 8), (20 * i, 0, 0)).save(file)
    code, out, err = main(
        '--experiment=conv_vae_classify', f'--images={tmp_path}/mine', '--set=image_size=8',
        '--set=epochs=1', *SMALL['conv_vae_classify'],
    )  # fmt: skip
    assert code == 0, err
    assert sizes in out
