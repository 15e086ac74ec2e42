"""Studies: which runs they need, what they reuse, and what they say of the spread."""

import json
import re

import numpy as np
import pytest
from conftest import results_of

import inst
from inputs.rows import stratified
from studies import catalogue
from studies.run import Point, _apart, _differences, _together
from studies.spread import spread
from studies.study import Study
from system.errors import UsageError


@pytest.fixture(scope='module')
def semi(data_dir, digits, tmp_path_factory):
    """The semi-supervised study, shrunk, on a pretraining of one epoch; returns (runs, output)."""
    import dataclasses
    from contextlib import redirect_stdout
    from io import StringIO

    from studies.run import run_study
    from train.folder import Place

    runs, said = tmp_path_factory.mktemp('runs'), StringIO()
    parent = inst.compress_denoise.vary(hidden=(50, 10), epochs=1)
    arms = [arm.vary(parent=parent, steps_per_epoch=3) for arm in catalogue.semi_supervised.arms]
    small = dataclasses.replace(catalogue.semi_supervised, arms=tuple(arms), seeds=2)
    small = small.vary(dataset='array', data_path=str(digits), label_fraction=0.1)
    known = {arm.name: arm for arm in arms}
    with redirect_stdout(said):
        run_study(small, known, Place(runs=runs, data_dir=data_dir))
        run_study(small, known, Place(runs=runs, data_dir=data_dir))
    return runs, said.getvalue()


def test_the_pretraining_runs_once_a_seed(semi):
    runs, _ = semi
    (folder,) = (runs / 'semi_supervised').iterdir()
    log = (folder / 'log.txt').read_text()
    assert len(re.findall('compress_denoise on array-digits-.*, seed', log)) == 2
    assert len(list((runs / 'compress_denoise').iterdir())) == 2
    for arm in catalogue.semi_supervised.arms:
        assert len(list((runs / arm.name).glob('*/results.json'))) == 2


def test_a_finished_study_trains_nothing_again(semi):
    runs, said = semi
    first, second = said.split('; the figure')[:2]
    assert first.count(' left\n') == 7 and second.count(' left\n') == 0
    assert second.count('test/accuracy') == first.count('test/accuracy')
    (folder,) = (runs / 'semi_supervised').iterdir()
    assert (folder / 'log.txt').read_text().count('finished before') == 8


def test_every_arm_sees_the_same_labels_and_its_own_initial_values(semi):
    runs, _ = semi
    proofs = {
        arm.name: results_of(next((runs / arm.name).glob('*seed0*label_fraction=0.1*')))['parent']
        for arm in catalogue.semi_supervised.arms
    }
    frozen, finetuned, scratch, random = (
        proofs[f'semi_{name}'] for name in ('frozen', 'finetuned', 'scratch', 'random')
    )
    assert frozen['sha256_restored'] == finetuned['sha256_restored']
    assert scratch['sha256_restored'] == random['sha256_restored'] != frozen['sha256_restored']
    assert frozen['changed'] == random['changed'] == [] != scratch['changed']


def test_differences_are_taken_seed_by_seed_from_the_first_arm(semi):
    runs, said = semi
    (folder,) = (runs / 'semi_supervised').iterdir()
    results = results_of(folder)
    by_arm = {
        point['arm']: point['metrics']['test/accuracy']['values'] for point in results['points']
    }
    (found,) = (d for d in results['differences'] if d['arm'] == 'semi_frozen')
    wanted = np.subtract(by_arm['semi_frozen'], by_arm['semi_scratch'])
    assert found['values'] == pytest.approx(wanted)
    assert 'semi_frozen - semi_scratch label_fraction=0.1: test/accuracy' in said
    assert (folder / 'figures/study.png').stat().st_size > 0


def test_an_interval_is_students_of_the_mean():
    found = spread([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found['interval'] == pytest.approx(
        [3 - 2.7764 * 0.70711, 3 + 2.7764 * 0.70711], rel=1e-4
    )


@pytest.mark.parametrize('share', [0.001, 0.01, 0.25])
def test_labelled_examples_are_stratified_and_nested(share):
    labels = np.repeat(np.arange(10, dtype=np.int32), 500)
    chosen = stratified(labels, share, seed=3)
    assert np.bincount(labels[chosen]).tolist() == [max(1, round(500 * share))] * 10
    assert set(chosen) <= set(stratified(labels, 0.5, seed=3))
    assert set(chosen) != set(stratified(labels, share, seed=4))


def test_a_study_from_the_command_line_takes_another_value(main, tmp_path):
    flags = (
        '--experiment=vae_beta',
        '--dataset=mnist5k',
        '--set',
        'epochs=1',
        '--set',
        'hidden=20,2',
    )
    code, out, err = main(*flags, '--set', 'beta=3')
    assert code == 0, err
    (folder,) = (tmp_path / 'runs/vae_beta').iterdir()
    assert folder.name.startswith('mnist5k-seed0') and folder.name.endswith('beta=3.0')
    (point,) = results_of(folder)['points']
    assert point['value'] == 3.0 and 'test/kl' in point['metrics'] and 'test/nelbo' in out


@pytest.mark.parametrize(
    ('study', 'changes', 'is_apart'),
    [
        ('erhan2010', {}, False),
        ('erhan2010', {'batch_size': 7, 'seed': 3}, False),  # of all arms alike
        ('erhan2010', {'finetune_learning_rate': 0.5}, True),  # of the first arm nothing
        ('mnist_l1_rates', {'dropout': 0.0}, True),
    ],
)
def test_a_study_whose_arms_are_varied_apart_has_a_folder_of_its_own(study, changes, is_apart):
    assert bool(_apart(catalogue.STUDIES[study].vary(**changes))) == is_apart


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        (('--set', 'pictures=3'), 'no effect'),
        (('--set', 'label_fraction=2'), 'label_fraction=2.0'),
        (('--run_dir=x',), '--run_dir names one run'),
        (('--parent=x',), 'is a study'),
        (('--mode=encode',), 'is a study'),
    ],
)
def test_what_a_study_cannot_do_is_one_line(main, flags, words):
    code, _, err = main('--experiment=semi_supervised', '--dataset=mnist5k', *flags)
    assert code == 2 and words in err and len(err.splitlines()) == 1


def test_a_place_that_cannot_be_written_is_one_line(main, tmp_path):
    (tmp_path / 'file').write_text('')
    code, _, err = main('--experiment=semi_supervised', '--dataset=mnist5k', runs=tmp_path / 'file')
    assert code == 2 and 'cannot be written' in err and len(err.splitlines()) == 1


def test_arms_of_one_name_are_refused():
    with pytest.raises(UsageError, match='two of its arms are called tied'):
        Study('x', 'words', 'source', (inst.tied, inst.tied.vary(epochs=1)))


def test_values_are_as_the_field_has_them():
    widths = Study('x', 'words', 'source', (inst.tied,), over='hidden', values=([3], [4, 5]))
    assert widths.values == ((3,), (4, 5))
    heads = Study(
        'x', 'words', 'source', (inst.phasewise_classifier,), seeds=np.int64(2),
        over='parent.epochs', values=tuple(np.arange(1, 3)),
    )  # fmt: skip
    assert [type(value) for value in (*heads.values, heads.seeds)] == [int] * 3
    json.dumps(heads.resolved())
    with pytest.raises(UsageError, match='seeds=1.5: must be a whole number'):
        Study('x', 'words', 'source', (inst.tied,), seeds=1.5)


def test_a_score_that_a_seed_lacks_is_left_out_and_said(capsys):
    runs = [{'test/mse': 1.0, 'test/sample_precision': 0.9}, {'test/mse': 2.0}]
    assert _together(runs, 'vae') == {'test/mse': [1.0, 2.0]}
    assert 'warning: vae: some seeds have no test/sample_precision' in capsys.readouterr().out


def test_without_metrics_all_are_compared():
    study = Study('x', 'words', 'source', (inst.tied, inst.untied), seeds=2)
    points = [
        Point(name, None, {'test/mse': [number, number + 1.0], name: [0.0, 0.0]})
        for name, number in (('tied', 1.0), ('untied', 3.0))
    ]
    (found,) = _differences(study, points)
    assert (found['metric'], found['mean']) == ('test/mse', 2.0)
