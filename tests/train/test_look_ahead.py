"""What data cannot give is said before anything is trained: no parent, and no arm of a study."""

import numpy as np
import pytest


@pytest.fixture
def unlabelled(tmp_path):
    """A file of pictures without labels."""
    np.savez(tmp_path / 'plain.npz', x=np.zeros((60, 8, 8), np.uint8))
    return f'--array={tmp_path}/plain.npz'


@pytest.mark.parametrize(
    ('name', 'flags', 'code', 'words'),
    [
        ('phasewise_classifier', (), 3, 'a classifier needs labels'),
        ('phasewise_classifier', ('--tune',), 3, 'a classifier needs labels'),
        ('semi_supervised', (), 3, 'a classifier needs labels'),
        ('semi_supervised', ('--jobs=2',), 3, 'a classifier needs labels'),
    ],
)
def test_labels_are_missed_before_the_parent_is_trained(
    main, unlabelled, tmp_path, name, flags, code, words
):
    found, out, err = main(f'--experiment={name}', unlabelled, *flags)
    assert (found, len(err.splitlines())) == (code, 1) and words in err
    assert 'training it first' not in out and not list(tmp_path.rglob('metrics.csv'))


def test_patience_of_a_classifier_is_refused_before_its_parent_is_trained(main, tmp_path):
    flags = ('--experiment=phasewise_classifier', '--dataset=iris', '--set=patience=2')
    code, _, err = main(*flags)
    assert code == 2 and 'patience=2: needs validation examples' in err
    assert not list(tmp_path.rglob('metrics.csv'))


def test_the_last_arm_of_a_study_is_looked_at_before_the_first_is_trained(
    main, tmp_path, monkeypatch
):
    import inst
    from studies import catalogue
    from studies.study import Study

    fine = inst.iris_linear.vary(epochs=1)
    arms = (fine, inst.basic.vary(dataset='iris', patience=2, epochs=1, hidden=(2,)))
    monkeypatch.setitem(catalogue.CATALOGUE, 'both', Study('both', 'q', 's', arms, seeds=1))
    code, _, err = main('--experiment=both')
    assert code == 2 and 'patience=2: needs validation examples' in err
    assert not list(tmp_path.rglob('metrics.csv'))
