"""Whole runs through main: every kind of experiment, shrunk, and what people do with a run's folder."""

import contextlib
import csv
import io
import itertools
import json

import numpy as np
import pytest
from conftest import call, most, results_of, weights_of
from PIL import Image

import inst
from evaluation import metrics
from networks import session as sessions
from parameters import IMAGES
from phases import schedule_of

SHORT = ['--set', 'epochs=1']
QUICK = {  # an experiment of each kind; the others are of a slow test
    'coates2011_centroids', 'coates2011_sparse', 'conv_vae_classify', 'iris_linear', 'iwae_burda',
    'lstm_composite', 'memory_onehot', 'sparse_denoise', 'tied',
}  # fmt: skip


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    """A runs folder that the tests below share, so that a parent is trained once."""
    return tmp_path_factory.mktemp('shared')


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
    if experiment.parent or experiment.standardize == 'zca':  # which codes alone do not decode
        return wanted
    is_plane = experiment.network == 'dense' and experiment.hidden[-1] == 2
    wanted |= {'samples', 'interpolation'} | ({'manifold'} if is_plane else set())
    return wanted | ({'spectra'} if experiment.network == 'conv' else set())


def deciding(resolved: dict, prefix: str = '') -> dict:
    """Returns what of a resolved experiment decides what its run does: numbers as few kinds."""
    words = {'name', 'description', 'source', 'dataset', 'phases', *IMAGES}
    words |= {'initializer', 'optimizer', 'schedule', 'code_activation', 'l2', 'crop', 'kl_warmup'}
    words |= {'steps_per_epoch', 'finetune_corruption', 'finetune_dropout', 'head_dropout', 'parts'}
    left_out = {'conv': {'loss'}, 'lstm': {'loss', 'order', 'hidden', 'future'}}
    found = {}
    for name, value in resolved.items():
        if isinstance(value, dict):
            found |= deciding(value, f'{prefix}{name}.')
        elif name not in words | left_out.get(resolved.get('network'), set()):
            number = isinstance(value, int | float) and value not in (0, 1)
            size = min(2, len(value)) if isinstance(value, list) else value  # one, or more
            found[prefix + name] = 'some' if number else size
    return found


def covering(many: int) -> list[str]:
    """Returns names of experiments: in any are every `many` values that the catalogue has in one.

    Every pair of values that meets in a graph is built in test_truth.
    """
    pairs = {}
    for name, experiment in inst.EXPERIMENTS.items():
        if '20' in name and name.endswith(('_scratch', '_adam', '_clean', '_random')):
            continue  # a paper's experiment with another number in a field
        values = sorted(deciding(experiment.resolved()).items())
        pairs[name] = set(itertools.combinations(values, many))
    missing, chosen = set().union(*pairs.values()), set()
    while missing:
        best = max(pairs, key=lambda name: len(pairs[name] & missing))
        chosen.add(best)
        missing -= pairs[best]
    return [name for name in pairs if name in chosen]


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
    if fields.get('patch_size'):
        changes['patches'] = 500
    if experiment.parts > 1:
        changes['parts'] = 1  # the graphs of two take twice as long to be built
    if experiment.dataset != 'iris' and fields.get('hidden'):
        changes['hidden'] = narrow(experiment.hidden)
    if fields.get('filters'):
        changes['filters'] = (4,) * min(2, len(experiment.filters))
    words = {n: ','.join(map(str, v)) if isinstance(v, tuple) else v for n, v in changes.items()}
    flags = [f'--set={prefix}{name}={value}' for name, value in words.items()]
    return flags + (shrunk(experiment.parent, f'{prefix}parent.') if experiment.parent else [])


@pytest.mark.parametrize('name', most(sorted({*covering(1), *covering(2)}), QUICK.__contains__))
def test_experiments_of_every_kind_run_end_to_end(main, shared, digits, strips, drawn, name):
    """Figures are made, but not written: another test opens one of each kind."""
    experiment = inst.EXPERIMENTS[name]
    data = [] if experiment.dataset == 'iris' else [f'--array={digits}']
    if experiment.layout == 'steps':
        data = [f'--array={strips}']
    known = set(shared.glob('*/*'))  # this one too, where it was a parent
    flags = (f'--experiment={name}', *data, *shrunk(experiment), '--restart')
    code, out, err = main(*flags, runs=shared)
    assert code == 0, err
    (folder,) = (shared / name).iterdir()
    results = results_of(folder)
    assert results['experiment'] == name
    assert np.isfinite(list(results['metrics'].values())).all()
    assert all(metrics.find(name).unit for name in results['metrics'])
    second = schedule_of(experiment)[1:2]  # of more layers of convolutions none are left
    assert all(f'reads {phase.reads}' in out for phase in second)
    if experiment.parent:
        trained_first = set(shared.glob('*/*')) - known - {folder} != set()
        assert 'sha256' in out and ('training it first' in out) == trained_first
        proof = results['parent']
        assert proof['sha256_file'] == proof['sha256_restored'] or experiment.initial != 'parent'
        assert ('layer1/kernel' in proof['changed']) == (experiment.finetune_epochs > 0)
        assert not any('moving' in name for name in proof['changed'])  # of batch norms
    else:
        assert set(drawn) == figures_of(experiment)
        assert ('test/separation' in results['metrics']) == (
            experiment.dataset != 'iris'
            and experiment.network != 'memory'
            and not experiment.patch_size
        )


@pytest.mark.parametrize('name', most(['vae_2d', 'phasewise_classifier'], 'vae_2d'.__eq__))
def test_figures_are_pictures_with_something_on_them(main, draws, tmp_path, digits, name):
    """Between them, these two have every figure of a run but iris's plane."""
    more = ['--set=parent.epochs=1'] if name == 'phasewise_classifier' else []
    flags = (f'--experiment={name}', f'--array={digits}', '--set=epochs=5', *more)
    code, _, err = main(*flags, f'--run_dir={tmp_path}/run')
    assert code == 0, err
    files = list((tmp_path / 'run/figures').iterdir())
    assert {file.stem for file in files} == figures_of(inst.EXPERIMENTS[name])
    for file in files:
        with Image.open(file) as image:
            assert min(image.size) > 150 and np.asarray(image.convert('L')).std() > 5
    metrics = results_of(tmp_path / 'run')['metrics']
    for kind in ('', '_pixels', '_pca'):
        assert 0.2 < metrics[f'test/separation{kind}'] < 1


@pytest.fixture(scope='module')
def seeds(data_dir, tmp_path_factory):
    """The runs folder of iris_linear from three seeds."""
    runs = tmp_path_factory.mktemp('seeds')
    with contextlib.redirect_stdout(io.StringIO()) as said:
        flags = ['--experiment=iris_linear', '--seeds=3']
        assert call(*flags, f'--runs={runs}', f'--data_dir={data_dir}') == 0
    assert 'seeds: 3' in said.getvalue()
    return runs / 'iris_linear'


def test_iris_linear_finds_the_plane_of_pca_for_all_seeds(seeds):
    (point,) = results_of(seeds / 'iris-seeds0..2')['points']
    metrics = point['metrics']
    unexplained = 1 - 0.9580  # of a variance of 1: the data are standardised
    assert metrics['test/pca_mse']['mean'] == pytest.approx(unexplained, rel=1e-3)
    assert len(metrics['test/mse']['values']) == 3
    assert metrics['test/mse']['most'] <= 1.01 * metrics['test/pca_mse']['mean']
    assert metrics['pca_angle_degrees']['most'] < 1


def test_seeds_write_mean_and_spread(seeds):
    folder = seeds / 'iris-seeds0..2'
    (point,) = results_of(folder)['points']
    spread = point['metrics']['test/mse']
    singles = [results_of(seeds / f'iris-seed{seed}')['metrics']['test/mse'] for seed in range(3)]
    assert spread['values'] == singles and len(set(singles)) == 3
    assert spread['mean'] == pytest.approx(np.mean(singles))
    assert spread['deviation'] == pytest.approx(np.std(singles, ddof=1))
    half = 4.303 * spread['deviation'] / 3**0.5  # Student's t of two degrees of freedom
    assert spread['interval'] == pytest.approx(
        [spread['mean'] - half, spread['mean'] + half], rel=1e-3
    )
    assert (folder / 'figures/study.png').stat().st_size > 0


def test_metrics_csv_has_a_row_a_phase_and_epoch(main, digits, tmp_path):
    flags = ('--experiment=phasewise', f'--array={digits}', '--set=hidden=9,8', '--set=epochs=2')
    main(*flags, f'--run_dir={tmp_path}/run')
    with open(tmp_path / 'run/metrics.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:5] == ['phase', 'epoch', 'step', 'seconds', 'examples_per_second']
    positions = [(row['phase'], int(row['epoch']), int(row['step'])) for row in rows]
    assert positions == [('phase1', 1, 5), ('phase1', 2, 10), ('phase2', 1, 15), ('phase2', 2, 20)]
    assert float(rows[0]['train/phase1/mse']) > float(rows[1]['train/phase1/mse']) > 0


@pytest.fixture(scope='module')
def tied(shared, digits, data_dir):
    """The flags of a finished run of one epoch, and its folder."""
    flags = ('--experiment=tied', f'--array={digits}', *SHORT, f'--run_dir={shared}/finished')
    assert call(*flags, f'--data_dir={data_dir}') == 0
    return flags, shared / 'finished'


def test_a_finished_run_is_shown_and_not_trained(main, tied):
    flags, folder = tied
    before = (folder / 'model.index').stat().st_mtime_ns
    code, out, _ = main(*flags)
    assert code == 0 and 'finished before' in out and 'mse' in out
    assert (folder / 'model.index').stat().st_mtime_ns == before
    main(*flags, '--restart')
    assert (folder / 'model.index').stat().st_mtime_ns > before


def test_another_configuration_in_the_same_folder_is_refused_with_the_difference(main, tied):
    code, _, err = main(*tied[0], '--set', 'l2=0.01', '--seed=3')
    assert code == 2 and len(err.splitlines()) == 1
    assert 'l2 was 0.0001, now 0.01' in err and 'seed was 0, now 3' in err and '--run_dir' in err


def test_more_epochs_go_on_from_a_finished_run_and_equal_them_at_once(main, digits, tmp_path):
    flags = ('--experiment=tied', f'--array={digits}', '--set', 'schedule=constant')
    main(*flags, '--set', 'epochs=2')
    code, out, _ = main(*flags, '--set', 'epochs=4')
    assert code == 0 and 'goes on from' in out and 'resumes after update 10' in out
    main(*flags, '--set', 'epochs=4', f'--run_dir={tmp_path}/fresh')
    (folder,) = (tmp_path / 'runs/tied').glob('*epochs=4*')
    one, other = map(weights_of, (folder, tmp_path / 'fresh'))
    for key in other:
        np.testing.assert_array_equal(one[key], other[key])


def test_two_runs_are_equal_bit_for_bit(main, tmp_path, digits):
    """On one parent; that its phases are is shown where they are interrupted."""
    changes = ('--set=finetune_epochs=1', '--set=finetune_corruption=0.3', '--set=parent.epochs=1')
    flags = ('--experiment=phasewise_finetune', f'--array={digits}', *SHORT, *changes)
    for name in 'ab':
        code, _, err = main(*flags, f'--run_dir={tmp_path}/{name}')
        assert code == 0, err
    one, other = (weights_of(tmp_path / name) for name in 'ab')
    assert 'head/logits/kernel' in other
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])


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


def test_a_memory_stores_what_it_is_shown(main, digits, tmp_path):
    flags = ('--experiment=memory_onehot', f'--array={digits}', '--set=pictures=8')
    flags += ('--set=epochs=4', '--set=filters=16,8')
    code, _, err = main(*flags, f'--run_dir={tmp_path}/run')
    assert code == 0, err
    assert results_of(tmp_path / 'run')['metrics']['train/mse'] < 0.01
    code, _, err = main('--experiment=memory_onehot', '--dataset=iris')
    assert code == 2 and 'holds no pictures' in err


def test_bfloat16_trains_and_is_named(main, digits, tied, tmp_path):
    flags = ('--experiment=tied', f'--array={digits}', *SHORT)
    code, out, err = main(*flags, '--precision=bfloat16')
    assert code == 0, err
    (folder,) = (tmp_path / 'runs/tied').glob('*-seed0-bfloat16-epochs=1')
    half, full = (results_of(place)['metrics']['test/mse'] for place in (folder, tied[1]))
    assert half == pytest.approx(full, rel=0.1)
    said = '--precision=bfloat16 changes nothing' in out
    assert said == (half == full) == (not sessions.has_onednn())


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


def test_a_code_that_is_not_as_sparse_as_asked_is_said(main, digits, tmp_path):
    flags = ('--experiment=sparse', f'--array={digits}', '--nofigures', '--set=hidden=20')
    found = []
    for name, target in (('few', 0.01), ('many', 0.4)):
        run = f'--run_dir={tmp_path}/{name}'
        code, out, err = main(*flags, f'--set=sparsity_target={target}', '--set=epochs=2', run)
        assert code == 0, err
        found.append([line for line in out.splitlines() if 'units are on for' in line])
    (line,) = found[0]
    assert line.startswith('warning: sparsity_target=0.01: units are on for 0.')
    assert not found[1]


def test_patience_needs_validation_examples(main, tmp_path):
    code, _, err = main('--experiment=iris_linear', '--set=patience=3', f'--runs={tmp_path}')
    assert code == 2 and 'patience=3: needs validation examples' in err
