"""A run that overfits says so, and one that does not is left in peace."""

import json

import numpy as np
import pytest
from conftest import results_of

from evaluation import overfit
from phases import Phase, Term

PHASE = Phase('joint', (Term('mse'), Term('l2', 0.5)), '.*')


def rows(losses, phase='joint') -> list[dict[str, str]]:
    """Returns rows of metrics.csv with these weighted sums of validation losses."""
    return [
        {
            'phase': phase,
            'epoch': str(epoch),
            'validation/mse': f'{loss - 0.5:.8g}',
            'validation/l2': '1',
        }
        for epoch, loss in enumerate(losses, 1)
    ]


def valley(epochs: int, best: int, rise: float) -> np.ndarray:
    """Returns losses that fall to 2 at the best epoch, and rise to so many times that."""
    epoch = np.arange(1, epochs + 1)
    after = 2 + 2 * rise * (epoch - best) / max(1, epochs - best)
    return np.where(epoch <= best, 2 + (best - epoch) / best, after)


def noise(size: int, deviation: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, deviation, size)


OVERFIT = {
    'early': valley(1200, 200, 0.2),
    'of few epochs': valley(10, 4, 0.3),
    'at once': valley(50, 1, 0.3),
    'noisy': valley(1200, 200, 0.2) + noise(1200, 0.02),
    'below zero': valley(200, 50, 0.2) - 10,
}
NOT = {
    'still falling': 2 + 1 / np.arange(1, 101),
    'a late best': valley(100, 95, 0.3),
    'a small rise': valley(100, 30, 0.015),
    'noise alone': 2 + noise(1000, 0.3),
    'noise at the end alone': np.append(valley(99, 99, 0), 2.5),
    'a flat course': np.full(100, 2.0),
    'too few epochs': valley(9, 3, 0.5),
}


@pytest.mark.parametrize('kind', OVERFIT)
def test_a_clear_rise_is_overfitting_and_the_best_epoch_is_named(kind):
    found = overfit.course(rows(OVERFIT[kind]), PHASE)
    assert found.overfits and found.best_epoch == int(np.argmin(OVERFIT[kind])) + 1
    assert found.epochs == len(OVERFIT[kind])
    assert found.best == pytest.approx(OVERFIT[kind].min())
    assert found.last == pytest.approx(OVERFIT[kind][-1])


@pytest.mark.parametrize('kind', NOT)
def test_all_else_is_not(kind):
    assert not overfit.course(rows(NOT[kind]), PHASE).overfits


def test_noise_does_not_look_like_it_whatever_the_draw():
    generator = np.random.default_rng(1)
    draws = [2 + generator.normal(0, 0.2, 300) for _ in range(100)]
    assert sum(overfit.course(rows(draw), PHASE).overfits for draw in draws) <= 1


def test_another_phases_rows_and_phases_without_validation_do_not_count():
    assert overfit.course(rows(OVERFIT['early'], 'other'), PHASE) is None
    bare = [{**row, 'validation/mse': ''} for row in rows(OVERFIT['early'])]
    assert overfit.course(bare, PHASE) is None
    mixed = rows(OVERFIT['early'], 'other') + rows(NOT['still falling'])
    assert not overfit.course(mixed, PHASE).overfits


def test_the_patience_that_is_advised_waits_longer_than_any_wait_before_the_best_epoch():
    losses = np.concatenate([[3, 2.9], np.full(20, 3), [2.5, 2.4], np.full(40, 3.0)])
    found = overfit.course(rows(losses), PHASE)
    assert found.best_epoch == 24 and found.advised == 2 * 21


def test_a_run_that_overfits_says_so_and_with_the_patience_it_names_keeps_its_best_epoch(
    main, tmp_path
):
    generator = np.random.default_rng(0)
    np.savez(tmp_path / 'mine.npz', x=generator.normal(size=(60, 60)).astype(np.float32))
    flags = ('--experiment=basic', f'--array={tmp_path}/mine.npz', '--set=hidden=30', '--nofigures')
    flags += ('--set=epochs=150', '--set=learning_rate=0.02')
    code, out, err = main(*flags, f'--run_dir={tmp_path}/run')
    course = results_of(tmp_path / 'run')['phases']['joint']
    assert code == 0 and course['overfits'] and course['best_epoch'] < 100, err
    words = f'at epoch {course["best_epoch"]}, {course["last"]:.5g} at the last, 150'
    (line,) = (line for line in out.splitlines() if 'overfits: ' in line)
    assert words in line and words in (tmp_path / 'run' / 'report.html').read_text()
    patient = line.split('--set ')[1].split()[0]
    code, out, err = main(*flags, f'--set={patient}', f'--run_dir={tmp_path}/patient')
    assert code == 0 and 'overfits: ' not in out, err
    assert f'keeps epoch {course["best_epoch"]}: ' in out
    kept = json.loads((tmp_path / 'patient' / 'results.json').read_text())['phases']['joint']
    assert kept['best_epoch'] == course['best_epoch'] and not kept['overfits']
