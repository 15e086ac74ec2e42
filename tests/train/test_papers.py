"""What the papers' experiments need: likelihoods, drawn pixels, varied parents, shifted digits."""

import csv
import json

import numpy as np
import pytest
import scipy.stats
import tensorflow.compat.v1 as tf

import dataset
import inst
from command_line import command
from inference.open import opened
from inputs.rows import Rows, stratified
from networks import layers, losses, saved_graph
from studies import catalogue
from system.errors import UsageError
from train.transfer import training_rows


def by_integral(run, data_dir, split):
    """Returns -log p(x), the mean over a split, of a code of one number."""
    grid = np.linspace(-6, 6, 2001)
    with opened(run) as network:
        rows = dataset.load(network.experiment, data_dir).splits[split]
        p = network.decode(grid[:, None]).astype(np.float64)
    x, p = rows.floats(0, len(rows)).astype(np.float64), np.clip(p, 1e-12, 1 - 1e-12)
    log_joint = x @ np.log(p).T + (1 - x) @ np.log(1 - p).T - grid**2 / 2 - np.log(2 * np.pi) / 2
    most = log_joint.max(axis=1)
    density = np.log(np.exp(log_joint - most[:, None]).sum(axis=1) * (grid[1] - grid[0])) + most
    return -density.mean()


def test_the_estimated_likelihood_is_the_integral_over_the_codes(main, digits, data_dir, tmp_path):
    """With one code the integral is a sum over a grid; the pixels are greys here, not drawn."""
    code, _, err = main(
        '--experiment=vae_burda', f'--array={digits}', '--set=hidden=16,1', '--set=epochs=3',
        '--set=binarize=false', '--set=importance_samples=2000', '--set=kl_warmup=0',
        '--set=batch_size=100', '--set=learning_rate=0.001', f'--run_dir={tmp_path}/run',
    )  # fmt: skip
    assert code == 0, err
    found = json.loads((tmp_path / 'run/results.json').read_text())['metrics']
    integral = by_integral(tmp_path / 'run', data_dir, 'test')
    np.testing.assert_allclose(found['test/importance_nll'], integral, atol=0.02)
    assert found['test/importance_nll'] < found['test/nelbo']


def test_a_bound_of_many_codes_is_the_likelihood_and_of_one_the_evidence_lower_bound():
    """Against NumPy, with the codes that were drawn."""
    rng = np.random.default_rng(0)
    mean, log_var = rng.normal(size=(2, 5, 3)).astype(np.float32)
    noise, nll = rng.normal(size=(7, 5, 3)).astype(np.float32), rng.uniform(1, 9, (7, 5))
    with tf.Graph().as_default(), tf.Session() as session:
        codes, ratios = layers.weighed(tf.constant(mean), tf.constant(log_var), tf.constant(noise))
        bound = losses.importance_bound(ratios - tf.constant(nll, tf.float32))
        codes, ratios, bound = session.run([codes, ratios, bound])
    deviation = np.exp(log_var / 2)
    np.testing.assert_allclose(codes, mean + deviation * noise, rtol=1e-5)
    posterior = scipy.stats.norm.logpdf(codes, mean, deviation).sum(axis=-1)
    log_weights = scipy.stats.norm.logpdf(codes).sum(axis=-1) - posterior - nll
    np.testing.assert_allclose(ratios - nll, log_weights, rtol=1e-4)
    np.testing.assert_allclose(bound, -np.log(np.exp(log_weights).mean(axis=0)), rtol=1e-4)


def test_training_lowers_the_bound_of_several_codes(main, digits, data_dir, tmp_path):
    """Of one code unit, by so many draws that the bound is the likelihood, nearly."""
    flags = ('--set=hidden=16,1', '--set=epochs=3', '--set=binarize=false', '--nofigures',
             '--set=batch_size=100', '--set=importance_samples=0')  # fmt: skip
    code, _, err = main(
        '--experiment=iwae_burda', f'--array={digits}', *flags, '--set=bound_samples=200',
        f'--run_dir={tmp_path}/run',
    )  # fmt: skip
    assert code == 0, err
    found = json.loads((tmp_path / 'run/results.json').read_text())['metrics']
    with open(tmp_path / 'run/metrics.csv') as file:
        bounds = [float(row['validation/bound']) for row in csv.DictReader(file)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] < found['validation/nelbo']
    np.testing.assert_allclose(
        bounds[-1], by_integral(tmp_path / 'run', data_dir, 'validation'), atol=0.05
    )


def test_a_pixel_is_drawn_white_as_often_as_it_is_grey():
    greys = np.repeat([[0.0, 0.25, 0.5, 1.0]], 4000, axis=0).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        drawn = session.run(layers.binarize(tf.constant(greys), tf.constant([1, 2], tf.int64)))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    np.testing.assert_allclose(drawn.mean(axis=0), greys[0], atol=0.03)


def test_what_is_drawn_is_what_is_reconstructed(main, tmp_path):
    """Of fair coins nothing can be told beforehand: ln 2 a pixel, unless the input shows them.

    The squared error is that of greys all the same, as that of the principal components beside it.
    """
    np.savez(tmp_path / 'grey.npz', x=np.full((512, 16), 0.5, np.float32))
    code, _, err = main(
        '--experiment=vae_plain', f'--array={tmp_path}/grey.npz', '--set=hidden=64,32',
        '--set=binarize=true', '--set=epochs=80', '--set=learning_rate=0.005',
        f'--run_dir={tmp_path}/run',
    )  # fmt: skip
    assert code == 0, err
    found = json.loads((tmp_path / 'run/results.json').read_text())['metrics']
    assert found['train/nll'] < 0.5 * 16 * np.log(2)
    with opened(tmp_path / 'run') as network:
        made = network.compute('outputs', Rows(np.full((1, 16), 0.5, np.float32), None))
    np.testing.assert_allclose(found['train/mse'], np.square(made - 0.5).mean(), rtol=1e-5)


def test_a_field_of_the_parent_is_varied_by_its_name(main, digits, tmp_path):
    flags = ('--experiment=phasewise_classifier', f'--array={digits}', '--set=parent.hidden=9,7',
             '--set=parent.epochs=1', '--set=epochs=1', f'--runs={tmp_path}')  # fmt: skip
    code, _, err = main(*flags, '--set=initial=glorot')
    assert code == 0, err
    (child,) = (tmp_path / 'phasewise_classifier').iterdir()
    assert 'parent.hidden=9,7' in child.name and 'parent.epochs=1' in child.name
    assert not (tmp_path / 'phasewise').exists()  # whose values are all drawn
    code, out, err = main(*flags)
    assert code == 0 and 'training it first' in out, err
    (parent,) = (tmp_path / 'phasewise').iterdir()
    assert parent.name.endswith('-epochs=1-hidden=9,7') or 'hidden=9,7' in parent.name
    kernel = tf.train.load_checkpoint(str(child / 'model')).get_tensor('layer1/kernel')
    assert kernel.shape[1] == 9
    np.testing.assert_allclose(kernel.std(), np.sqrt(2 / sum(kernel.shape)), rtol=0.1)
    code, out, _ = main(*flags, '--set=batch_size=30')  # the same parent, which is there
    assert code == 0 and 'finished before' not in out and 'training it first' not in out


def test_the_command_of_a_run_names_what_was_varied_in_its_parent():
    base = inst.phasewise_classifier
    varied = base.vary(**{'parent.hidden': (9, 7), 'parent.l2': 0.0})
    assert varied.parent == base.parent.vary(hidden=(9, 7), l2=0.0)
    assert command(varied, base).split()[2:] == [
        '--experiment=phasewise_classifier', '--set', 'parent.hidden=9,7', '--set', 'parent.l2=0.0',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('experiment', 'changes', 'words'),
    [
        (inst.phasewise, {'parent.hidden': (3,)}, 'phasewise: it has no parent'),
        (inst.phasewise_classifier.vary(parent='x'), {'parent.hidden': (3,)}, 'is a saved graph'),
        (inst.phasewise_classifier, {'parent.hiden': (3,)}, "did you mean 'hidden'"),
        (inst.phasewise_classifier, {'parent': None}, "a head on one; initial='random' has"),
        (inst.vae_burda, {'loss': 'mse', 'binarize': False}, 'needs loss=bernoulli or gaussian'),
        (inst.vae_burda, {'loss': 'gaussian'}, 'binarize=true: needs loss=bernoulli'),
        (inst.vae_plain, {'importance_samples': 5}, 'it needs variational'),
    ],
)
def test_impossible_values_are_refused(experiment, changes, words):
    with pytest.raises(UsageError, match=words):
        experiment.vary(**changes)


def test_depths_are_compared_through_the_parents_field():
    points = catalogue.erhan2010.points()
    assert len(points) == 16
    assert [len(e.parent.hidden) for _, _, e in points] == sorted([1, 2, 3, 4] * 4)


def test_flat_digits_are_shifted_as_pictures_are():
    pictures = np.random.default_rng(0).random((8, 6, 5), np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        seed = tf.constant([1, 2], tf.int64)
        made = [
            session.run(layers.augment(tf.constant(x), (6, 5), True, 2, seed))
            for x in (pictures, pictures.reshape(8, 30), pictures[..., None])
        ]
    np.testing.assert_array_equal(made[0].reshape(8, 30), made[1])
    np.testing.assert_array_equal(made[0], made[2][..., 0])
    assert not np.array_equal(made[0], pictures)


def test_what_is_no_picture_is_not_shifted(main, tmp_path):
    code, _, err = main('--experiment=iris_linear', '--set=crop=1', f'--runs={tmp_path}')
    assert code == 2 and 'crop: needs pictures, and iris has none' in err


def test_while_tuning_the_test_examples_are_not_looked_at(main, digits, monkeypatch, tmp_path):
    """There are none: whatever looked for them would fail."""
    load = dataset.load

    def without(*arguments, **options):
        data = load(*arguments, **options)
        return data._replace(splits=data.splits | {'test': None})

    monkeypatch.setattr(dataset, 'load', without)
    code, _, err = main(
        '--experiment=phasewise_finetune', f'--array={digits}', '--tune', '--set=epochs=1',
        '--set=finetune_epochs=1', '--set=parent.epochs=1', f'--runs={tmp_path}',
    )  # fmt: skip
    assert code == 0, err
    assert [place.name for place in tmp_path.iterdir() if place.is_dir()] == ['tuning']
    (folder,) = (tmp_path / 'tuning/phasewise_finetune').iterdir()
    found = json.loads((folder / 'results.json').read_text())['metrics']
    assert 'validation/separation' in found and not any('test/' in name for name in found)
    code, out, err = main(
        '--experiment=phasewise', f'--array={digits}', '--tune', '--seeds=2', '--set=epochs=1',
        f'--runs={tmp_path}',
    )  # fmt: skip
    assert code == 0 and 'validation/mse' in out and 'test/' not in out, err


def test_what_cannot_be_tuned_is_said(main, tmp_path):
    code, _, err = main('--experiment=iris_linear', '--tune', f'--runs={tmp_path}')
    assert code == 2 and 'iris has no validation examples' in err
    code, _, err = main('--mode=results', '--tune')
    assert code == 2 and '--tune has no effect with --mode=results' in err


def test_a_parent_labels_what_the_share_leaves_out(main, digits, data_dir, tmp_path):
    flags = ('--experiment=semi600_self', f'--array={digits}', f'--runs={tmp_path}',
             '--set=label_fraction=0.1', '--set=parent.label_fraction=0.1',
             '--set=parent.parent.epochs=1', '--set=parent.parent.hidden=30,20',
             '--set=parent.finetune_epochs=2', '--set=finetune_epochs=1')  # fmt: skip
    code, out, err = main(*flags)
    assert code == 0, err
    (parent,) = (tmp_path / 'semi600').iterdir()
    with opened(parent) as teacher:
        data = dataset.load(teacher.experiment, data_dir)
        rows = data.splits['train']
        given = teacher.compute('logits', rows).argmax(axis=1)
    known = stratified(rows.y, 0.1, 0)
    wanted = given.copy()
    wanted[known] = rows.y[known]
    pupil = inst.semi600_self.vary(label_fraction=0.1, **{'parent.label_fraction': 0.1})
    scored, found = training_rows(pupil, data, saved_graph.read(str(parent)))
    assert scored is rows
    np.testing.assert_array_equal(found.y, wanted)
    assert (wanted != rows.y).any() and (wanted != given).any()
    assert f'\n{len(rows)} train' in out.split('semi600_self on')[1]  # all, and not a tenth


def test_who_cannot_label_is_told():
    with pytest.raises(UsageError, match='sdae2010_stack is no classifier'):
        inst.semi600_self.vary(parent=inst.sdae2010_stack)


def test_a_strangers_graph_without_logits_cannot_label(main, digits, tmp_path):
    flags = ('--set=epochs=1', f'--array={digits}', f'--run_dir={tmp_path}/stack')
    assert main('--experiment=tied', *flags)[0] == 0
    code, _, err = main(
        '--experiment=semi600_self', f'--parent={tmp_path}/stack', f'--array={digits}'
    )
    assert code == 3 and 'holds no tensor logits:0' in err and len(err.splitlines()) == 1
