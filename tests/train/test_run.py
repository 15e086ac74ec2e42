"""Whole runs through main: every experiment, shrunk, and what people do with a run's folder."""

import csv
import json

import numpy as np
import pytest
from conftest import results_of, weights_of
from PIL import Image

import inst
from evaluation import metrics
from parameters import IMAGES

DIGITS = '--dataset=mnist5k'
SHORT = ['--set', 'epochs=1']


@pytest.fixture(scope='module')
def parents(tmp_path_factory):
    """A runs folder that the tests below share, so that a parent is trained once."""
    return tmp_path_factory.mktemp('parents')


def figures_of(experiment) -> set[str]:
    """Returns the figures that the README promises of an experiment on digits, or iris."""
    if experiment.dataset == 'iris':
        return {'loss_curves', 'latent', 'pca_plane', 'features'}
    wanted = {'loss_curves', 'latent', 'latent_pictures', 'reconstructions'}
    if experiment.network == 'memory':
        return wanted
    if experiment.network == 'lstm':
        return wanted - {'reconstructions'} | {'sequences', 'error_by_step'}
    wanted |= {'filters'}
    if experiment.classifies:
        wanted |= {'confusion', 'most_confused'}
    if experiment.parent:
        return wanted
    is_plane = experiment.network == 'dense' and experiment.hidden[-1] == 2
    wanted |= {'samples', 'interpolation'} | ({'manifold'} if is_plane else set())
    return wanted | ({'spectra'} if experiment.network == 'conv' else set())


def different() -> list[str]:
    """Returns the names of all experiments that differ by more than names, sizes and amounts.

    Every pair of values that meets in a graph is built in test_truth.
    """
    words = {'name', 'description', 'source', 'dataset', 'phases', *IMAGES}
    words |= {'initializer', 'optimizer', 'schedule', 'code_activation', 'l2', 'crop', 'kl_warmup'}
    words |= {'steps_per_epoch', 'finetune_corruption', 'finetune_dropout', 'head_dropout'}
    left_out = {'conv': {'loss'}, 'lstm': {'loss', 'order', 'hidden', 'future'}}

    def kind(value):
        if isinstance(value, dict):
            kept = {k: kind(v) for k, v in value.items() if k not in words}
            return {
                k: v for k, v in kept.items() if k not in left_out.get(value.get('network'), ())
            }
        if isinstance(value, list):
            return len(value)
        return value if value in (0, 1) or not isinstance(value, int | float) else 'some'

    found = {}
    for name, experiment in inst.EXPERIMENTS.items():
        if '20' in name and name.endswith(('_scratch', '_adam', '_clean', '_random')):
            continue  # a paper's experiment with another number in a field
        found.setdefault(json.dumps(kind(experiment.resolved())), name)
    return list(found.values())


def narrow(layers: tuple[int, ...]) -> tuple[int, ...]:
    """Returns as many layers of a few units; a code of two stays a plane."""
    few = tuple(range(16, 16 - len(layers), -1))
    return (*few[:-1], 2) if layers[-1] == 2 else few


def shrunk(experiment, prefix: str = '') -> list[str]:
    """Returns flags for few updates of narrow layers, of its parents too."""
    fields, least = experiment.fields(), {'epochs': 1, 'finetune_epochs': 1, 'joint_epochs': 1}
    least |= {'importance_samples': 9, 'code_size': 16, 'future': 3}
    changes = {name: most for name, most in least.items() if fields.get(name)}
    changes['steps_per_epoch'] = 3
    if experiment.network == 'lstm' and not experiment.parent:
        changes['parts'] = 1  # the graphs of two take twice as long to be built
    if experiment.dataset != 'iris' and fields.get('hidden'):
        changes['hidden'] = narrow(experiment.hidden)
    if fields.get('filters'):
        changes['filters'] = (4,) * len(experiment.filters)
    words = {n: ','.join(map(str, v)) if isinstance(v, tuple) else v for n, v in changes.items()}
    flags = [f'--set={prefix}{name}={value}' for name, value in words.items()]
    return flags + (shrunk(experiment.parent, f'{prefix}parent.') if experiment.parent else [])


@pytest.mark.parametrize('name', different())
def test_every_experiment_runs_end_to_end(main, tmp_path, parents, digits, strips, drawn, name):
    """Figures are made, but not written: another test opens one of each kind."""
    experiment = inst.EXPERIMENTS[name]
    data = [] if experiment.dataset == 'iris' else [f'--array={digits}']
    if experiment.layout == 'steps':
        data = [f'--array={strips}']
    known = set(parents.glob('*/*'))
    flags = (f'--experiment={name}', *data, *shrunk(experiment), f'--run_dir={tmp_path}/run')
    code, out, err = main(*flags, runs=parents)
    assert code == 0, err
    results = results_of(tmp_path / 'run')
    assert results['experiment'] == name
    assert np.isfinite(list(results['metrics'].values())).all()
    assert all(metrics.find(name).unit for name in results['metrics'])
    if experiment.parent:
        trained_first = set(parents.glob('*/*')) != known
        assert 'sha256' in out and ('training it first' in out) == trained_first
    else:
        assert set(drawn) == figures_of(experiment)
        assert ('test/separation' in results['metrics']) == (
            experiment.dataset != 'iris' and experiment.network != 'memory'
        )


@pytest.mark.parametrize('name', ['vae_2d', 'phasewise_classifier'])
def test_figures_are_pictures_with_something_on_them(main, draws, tmp_path, digits, name):
    """Between them, these two have every figure of a run but iris's plane."""
    data = DIGITS if name == 'vae_2d' else f'--array={digits}'
    more = ['--set=parent.epochs=1'] if name == 'phasewise_classifier' else []
    code, _, err = main(f'--experiment={name}', data, *SHORT, *more, f'--run_dir={tmp_path}/run')
    assert code == 0, err
    files = list((tmp_path / 'run/figures').iterdir())
    assert {file.stem for file in files} == figures_of(inst.EXPERIMENTS[name])
    for file in files:
        with Image.open(file) as image:
            assert min(image.size) > 150 and np.asarray(image.convert('L')).std() > 5
    metrics = results_of(tmp_path / 'run')['metrics']
    pixels = metrics['test/separation_pixels']
    assert pixels == pytest.approx(0.93, abs=0.01) if data == DIGITS else 0.2 < pixels < 1
    assert 0.2 < metrics['test/separation'] < 1 and 0.2 < metrics['test/separation_pca'] < 1


def test_iris_linear_finds_the_plane_of_pca_for_ten_seeds(main, tmp_path):
    code, out, _ = main('--experiment=iris_linear', '--seeds=10')
    assert code == 0 and 'seeds: 10' in out
    (point,) = results_of(tmp_path / 'runs/iris_linear/iris-seeds0..9')['points']
    metrics = point['metrics']
    unexplained = 1 - 0.9580  # of a variance of 1: the data are standardised
    assert metrics['test/pca_mse']['mean'] == pytest.approx(unexplained, rel=1e-3)
    assert len(metrics['test/mse']['values']) == 10
    assert metrics['test/mse']['most'] <= 1.01 * metrics['test/pca_mse']['mean']
    assert metrics['pca_angle_degrees']['most'] < 1


def test_metrics_csv_has_a_row_a_phase_and_epoch(main, tmp_path):
    main('--experiment=phasewise', DIGITS, '--set', 'epochs=2')
    with open(tmp_path / 'runs/phasewise/mnist5k-seed0-epochs=2/metrics.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:5] == ['phase', 'epoch', 'step', 'seconds', 'examples_per_second']
    positions = [(row['phase'], int(row['epoch']), int(row['step'])) for row in rows]
    assert positions == [
        ('phase1', 1, 27),
        ('phase1', 2, 54),
        ('phase2', 1, 81),
        ('phase2', 2, 108),
    ]
    assert float(rows[0]['train/phase1/mse']) > float(rows[1]['train/phase1/mse']) > 0


def test_a_finished_run_is_shown_and_not_trained(main, digits, tmp_path):
    flags = ('--experiment=tied', f'--array={digits}', *SHORT)
    main(*flags)
    (folder,) = (tmp_path / 'runs/tied').iterdir()
    before = (folder / 'model.index').stat().st_mtime_ns
    code, out, _ = main(*flags)
    assert code == 0 and 'finished before' in out and 'mse' in out
    assert (folder / 'model.index').stat().st_mtime_ns == before
    main(*flags, '--restart')
    assert (folder / 'model.index').stat().st_mtime_ns > before


def test_another_configuration_in_the_same_folder_is_refused_with_the_difference(
    main, digits, tmp_path
):
    flags = ('--experiment=tied', f'--array={digits}', *SHORT, f'--run_dir={tmp_path}/run')
    main(*flags)
    code, _, err = main(*flags, '--set', 'l2=0.01', '--seed=3')
    assert code == 2 and len(err.splitlines()) == 1
    assert 'l2 was 0.0001, now 0.01' in err and 'seed was 0, now 3' in err and '--run_dir' in err


def test_more_epochs_go_on_from_a_finished_run_and_equal_them_at_once(main, tmp_path):
    flags = ('--experiment=tied', DIGITS, '--set', 'schedule=constant')
    main(*flags, '--set', 'epochs=2')
    code, out, _ = main(*flags, '--set', 'epochs=4')
    assert code == 0 and 'goes on from' in out and 'resumes after update 54' in out
    main(*flags, '--set', 'epochs=4', runs=tmp_path / 'fresh')
    name = 'tied/mnist5k-seed0-epochs=4-schedule=constant'
    one, other = (weights_of(tmp_path / root / name) for root in ('runs', 'fresh'))
    for key in other:
        np.testing.assert_array_equal(one[key], other[key])


def test_two_runs_are_equal_bit_for_bit(main, tmp_path, digits):
    for root in ('a', 'b'):
        flags = (
            '--set=finetune_epochs=1',
            '--set=finetune_corruption=0.3',
            '--set=parent.epochs=1',
        )
        data = f'--array={digits}'
        main('--experiment=phasewise_finetune', data, *SHORT, *flags, runs=tmp_path / root)
    (one,), (other,) = ((tmp_path / r / 'phasewise_finetune').iterdir() for r in ('a', 'b'))
    values = weights_of(other)
    assert 'head/logits/kernel' in values
    for name, value in weights_of(one).items():
        np.testing.assert_array_equal(value, values[name])


def test_a_greedy_start_is_followed_by_all_layers_together(main, tmp_path, digits):
    flags = ('--experiment=phasewise', '--set=hidden=30,15', f'--array={digits}', '--set=epochs=1')
    errors = []
    for epochs in (0, 3):
        together = (f'--set=joint_epochs={epochs}', *['--set=joint_learning_rate=0.01'][:epochs])
        code, _, err = main(*flags, *together, runs=tmp_path / f'{epochs}')
        assert code == 0, err
        (file,) = tmp_path.glob(f'{epochs}/*/*/results.json')
        errors.append(results_of(file.parent)['metrics']['test/mse'])
    assert errors[1] < errors[0]
    assert (file.parent / 'metrics.csv').read_text().count('\njoint,') == 3


def test_seeds_write_mean_and_spread(main, tmp_path):
    code, out, _ = main('--experiment=tied', DIGITS, *SHORT, '--seeds=2')
    assert code == 0 and 'seeds: 2' in out
    folder = tmp_path / 'runs/tied/mnist5k-seeds0..1-epochs=1'
    (point,) = results_of(folder)['points']
    spread = point['metrics']['test/mse']
    singles = [
        results_of(tmp_path / f'runs/tied/mnist5k-seed{seed}-epochs=1')['metrics']['test/mse']
        for seed in (0, 1)
    ]
    assert spread['values'] == singles and singles[0] != singles[1]
    assert spread['mean'] == pytest.approx(np.mean(singles))
    assert spread['deviation'] == pytest.approx(np.std(singles, ddof=1))
    half = 12.706 * spread['deviation'] / 2**0.5  # Student's t of one degree of freedom
    assert spread['interval'] == pytest.approx(
        [spread['mean'] - half, spread['mean'] + half], rel=1e-3
    )
    assert (folder / 'figures/study.png').stat().st_size > 0


def test_a_users_own_array_is_trained_on_and_named_by_its_content(main, tmp_path):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 300)
    x = (generator.normal(0, 0.3, (300, 12)) + np.eye(3)[labels].repeat(4, axis=1)).astype('f4')
    np.savez(tmp_path / 'mine.npz', x=x, y=np.array(['red', 'green', 'blue'])[labels])
    small = ('--set', 'epochs=30', '--set', 'batch_size=32')
    code, _, err = main('--experiment=phasewise_classifier', f'--array={tmp_path}/mine.npz', *small)
    assert code == 0, err
    (folder,) = (tmp_path / 'runs/phasewise_classifier').iterdir()
    assert folder.name.startswith('array-mine-')
    assert results_of(folder)['metrics']['test/accuracy'] > 0.9
    assert json.loads((folder / 'config.json').read_text())['data']['classes'] == [
        'blue',
        'green',
        'red',
    ]
    code, out, err = main(
        '--experiment=phasewise_classifier',
        '--mode=predict',
        f'--array={tmp_path}/mine.npz',
        f'--run_dir={folder}',
    )
    assert code == 0, err
    (predictions,) = folder.glob('predictions-*mine*.csv')
    with open(predictions, newline='') as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ['index', 'label', 'probability', 'blue', 'green', 'red']
    named = np.array(['red', 'green', 'blue'])[labels]
    assert np.mean([row['label'] == name for row, name in zip(rows, named, strict=True)]) > 0.9


def test_colour_pictures_of_ones_own_are_drawn(main, tmp_path, dotted):
    x = np.random.default_rng(0).integers(0, 256, (60, 5, 7, 3), np.uint8)
    np.savez(tmp_path / 'colour.npz', x=x)
    flags = ('--set', 'hidden=20,10', '--set', 'epochs=2')
    code, _, err = main('--experiment=phasewise', f'--array={tmp_path}/colour.npz', *flags)
    assert code == 0, err
    (folder,) = (tmp_path / 'runs/phasewise').iterdir()
    figures = {file.stem for file in (folder / 'figures').iterdir()}
    assert figures == figures_of(inst.phasewise)


def test_a_bernoulli_likelihood_wants_values_from_0_to_1(main):
    code, _, err = main('--experiment=vae', '--dataset=iris')
    assert code == 3 and len(err.splitlines()) == 1
    assert 'iris: has values from' in err and 'loss=gaussian' in err
    gaussian = (
        '--set',
        'loss=gaussian',
        '--set',
        'output_activation=linear',
        '--set',
        'hidden=8,2',
    )
    code, _, err = main('--experiment=vae', '--dataset=iris', *gaussian, *SHORT)
    assert code == 0, err


def test_a_memory_stores_what_it_is_shown(main, tmp_path):
    flags = ('--experiment=memory_onehot', DIGITS, '--set', 'pictures=8', '--set', 'epochs=4')
    code, _, err = main(*flags, f'--run_dir={tmp_path}/run')
    assert code == 0, err
    assert results_of(tmp_path / 'run')['metrics']['train/mse'] < 0.01
    code, _, err = main('--experiment=memory_onehot', '--dataset=iris')
    assert code == 2 and 'holds no pictures' in err


def test_bfloat16_trains_and_is_named(main, digits, tmp_path):
    flags = ('--experiment=tied', f'--array={digits}', *SHORT)
    code, _, err = main(*flags, '--precision=bfloat16')
    assert code == 0, err
    main(*flags)
    half, full = (
        results_of(next((tmp_path / 'runs/tied').glob(f'*-seed0{name}-epochs=1')))['metrics'][
            'test/mse'
        ]
        for name in ('-bfloat16', '')
    )
    assert half == pytest.approx(full, rel=0.1) and half != full


def test_a_run_with_patience_ends_early_and_keeps_its_best_epoch(main, digits, tmp_path):
    code, out, err = main(
        '--experiment=tied', f'--array={digits}', '--set=epochs=60', '--set=patience=3',
        '--set=l2=0', '--set=learning_rate=0.03', '--set=schedule=constant',
        f'--run_dir={tmp_path}/run',
    )  # fmt: skip
    assert code == 0, err
    with open(tmp_path / 'run/metrics.csv', newline='') as file:
        losses = [float(row['validation/mse']) for row in csv.DictReader(file)]
    best = losses.index(min(losses)) + 1
    assert len(losses) == best + 3 < 60 and f'keeps epoch {best}:' in out
    found = results_of(tmp_path / 'run')['metrics']['validation/mse']
    assert found == pytest.approx(min(losses), rel=1e-4) and found < losses[-1]


def test_patience_needs_validation_examples(main, tmp_path):
    code, _, err = main('--experiment=iris_linear', '--set=patience=3', f'--runs={tmp_path}')
    assert code == 2 and 'patience=3: needs validation examples' in err
