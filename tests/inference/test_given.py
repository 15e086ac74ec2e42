"""A finished run is given what its training data were not, or are in several files."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image

import dataset
import inst
from inference import fit
from inference.open import opened
from inference.outputs import table_of
from inputs.rows import Rows
from inputs.spec import Spec
from system.errors import Exhausted, UsageError

DRAW = np.random.default_rng(0)


@pytest.fixture
def pictures(tmp_path):
    """A folder of 12 pictures of 8x6 in colour; returns it and them."""
    x = DRAW.integers(0, 256, (12, 8, 6, 3)).astype(np.uint8)
    (tmp_path / 'p').mkdir()
    for number, picture in enumerate(x):
        Image.fromarray(picture).save(tmp_path / 'p' / f'{number:02d}.png')
    return tmp_path / 'p', x


def test_rows_of_coloured_pictures_are_read_of_pictures_too(pictures, main, tmp_path):
    folder, x = pictures
    np.savez(tmp_path / 'x.npz', x=x)
    run = f'--run_dir={tmp_path}/run'
    small = ('--set=hidden=3', '--set=epochs=1', '--set=parts=1', '--nofigures')
    code, _, err = main('--experiment=lstm_reconstruct', f'--array={tmp_path}/x.npz', run, *small)
    assert code == 0, err
    codes = []
    for given in (f'--images={folder}', f'--array={tmp_path}/x.npz'):
        code, out, err = main('--mode=encode', run, given)
        assert code == 0, err
        with np.load(out.rstrip().rsplit('codes are in ', 1)[1]) as made:
            codes.append(made['codings'][np.argsort(made['index'])])
    np.testing.assert_allclose(*codes, atol=1e-5)


def test_a_run_of_patches_takes_no_whole_pictures(pictures, main, tmp_path):
    folder, x = pictures
    np.savez(tmp_path / 'x.npz', x=x)
    run = f'--run_dir={tmp_path}/run'
    small = ('--set=hidden=3', '--set=epochs=1', '--nofigures')
    cut = ('--set=patch_size=3', '--set=patches=60')
    code, _, err = main('--experiment=basic', f'--array={tmp_path}/x.npz', run, *small, *cut)
    assert code == 0, err
    code, _, err = main('--mode=encode', run, f'--images={folder}')
    assert code == 3 and 'reads squares cut of pictures; give some of' in err, err
    small = ('--set=hidden=3', '--set=epochs=1', '--set=image_size=8,6', '--nofigures')
    run = f'--run_dir={tmp_path}/other'
    code, _, err = main('--experiment=basic', f'--images={folder}', run, *small, *cut)
    assert code == 0, err
    code, _, err = main('--mode=encode', run, f'--images={folder}')
    assert code == 0, err  # its own


def test_a_head_on_pooled_patches_is_fine_tuned(pictures, main, tmp_path):
    """Of a parent that standardises its patches, which the pictures are not."""
    np.savez(tmp_path / 'x.npz', x=pictures[1], y=np.arange(12) % 2)
    code, _, err = main(
        '--experiment=coates2011_kmeans', f'--array={tmp_path}/x.npz', f'--run_dir={tmp_path}/run',
        '--set=parent.standardize=mean_std', '--set=parent.patch_size=3', '--set=parent.patches=60',
        '--set=parent.hidden=4', '--set=parent.batch_size=20', '--set=parent.epochs=1',
        '--set=epochs=1', '--set=finetune_epochs=1', '--nofigures',
    )  # fmt: skip
    assert code == 0, err


def test_splits_of_one_file_are_in_its_order_and_another_file_follows():
    def rows(*places):
        return Rows(np.zeros((len(places), 1)), None, place=np.array(places))

    splits = {'train': rows(3, 5, 4), 'validation': rows(1, 0, 2), 'test': rows(1, 0)}
    table = table_of(dataset.Dataset('key', Spec((1,)), splits, ''))
    assert table.columns['index'].tolist() == [0, 1, 2, 3, 4, 5, 0, 1]
    assert ''.join(name[0] for name in table.columns['split']) == 'vvvttttt'
    assert table.targets['test'].tolist() == [7, 6]


def test_probabilities_add_up_to_one_whatever_the_classifier():
    from inference import CodeClassifier

    x, y = DRAW.random((60, 8)).astype('float32'), np.arange(60) % 3
    made = CodeClassifier('vae', settings={'hidden': (4, 2), 'epochs': 1, 'classify': 1.0})
    shares = made.fit(x, y).predict_proba(x)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    assert not np.allclose(made.run_.predict_proba(x).sum(axis=1), 1)


def test_memory_that_is_full_is_a_line_of_a_run_that_is_used(kinds):
    def fails():
        with opened(kinds / 'dense'):
            raise tf.errors.ResourceExhaustedError(None, None, 'OOM when allocating tensor')

    with pytest.raises(Exhausted, match='OOM when allocating'):
        fails()


def test_noise_is_added_where_a_restored_graph_has_its_values_scaled(monkeypatch):
    """A masked value is the mean of its column to it, and not as far from it as zero is."""
    from train import updates

    x = (DRAW.normal(size=(40, 4)) * [1, 2, 3, 4] + [50, 60, 70, 80]).astype('float32')
    disturbed, masked = updates._Body._disturbed, []
    stack = inst.basic.vary(hidden=(3,), epochs=1, standardize='mean_std')
    head = inst.phasewise_finetune.vary(
        parent=stack, epochs=1, finetune_epochs=1, finetune_corruption=0.5, batch_size=40
    )

    def looked_at(self, batch, seed):
        made = disturbed(self, batch, seed)
        if self.phase.reads != 'X' or not self.phase.corruption.amount:
            return made
        are_means = tf.abs(made.inputs - self.restored_units.shift) < 1e-3
        share = tf.reduce_mean(tf.cast(are_means, tf.float32))
        masked.append(share)
        with tf.control_dependencies([tf.debugging.assert_greater(share, 0.3)]):
            return made._replace(inputs=tf.identity(made.inputs))

    monkeypatch.setattr(updates._Body, '_disturbed', looked_at)
    fit(head, x, np.arange(40) % 2).close()
    assert masked


def test_what_follows_is_not_known_to_a_head():
    x = DRAW.random((30, 9, 2)).astype('float32')
    stack = inst.lstm_predict.vary(hidden=(3,), epochs=1, future=3, parts=1)
    head = inst.lstm_classifier.vary(parent=stack, epochs=1)
    with fit(head, x, np.arange(30) % 2) as run:
        assert {'accuracy', 'cross_entropy'} <= run.score(x, np.arange(30) % 2).keys()
        with pytest.raises(UsageError, match='detail: what should follow is not known'):
            run.score(x, np.arange(30) % 2, detail=True)
