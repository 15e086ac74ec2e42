"""The torture campaign itself: that it does harm, sees what is lost, and counts."""

import random
import sys

import pytest
from conftest import saved

from torture import attempts, team
from train.checkpoints import Checkpoints


def test_it_damages_the_newest_of_two_checkpoints_and_never_the_only_one(tmp_path):
    run = tmp_path / 'runs' / 'tied' / 'mnist5k-seed0'
    saved(run, 1)
    assert not attempts.damage(tmp_path, random.Random(0))
    for seed in range(20):
        checkpoints = saved(run, 10 * seed + 2, 10 * seed + 3)
        assert attempts.damage(tmp_path, random.Random(seed))
        state = Checkpoints(run).latest()
        assert state.step == 10 * seed + 2, checkpoints


def test_the_table_counts_what_was_tried_survived_and_lost():
    outcomes = [
        {'kind': 'greedy', 'kills': 2, 'damaged': 1, 'lost': ''},
        {'kind': 'greedy', 'kills': 1, 'damaged': 0, 'lost': 'it ended with other bits'},
    ]
    lines = attempts.table(outcomes).splitlines()
    assert '| greedy | 2 | 3 | 1 | 1 | 1 |' in lines and '| all | 2 | 3 | 1 | 1 | 1 |' in lines
    assert lines[-1] == '- greedy: it ended with other bits'


@pytest.mark.parametrize(
    ('code', 'fault'), [('time.sleep(60)', 'the other one hung'), ('sys.exit(3)', 'exit codes')]
)
def test_it_sees_that_the_other_worker_hangs_or_ends_otherwise(monkeypatch, code, fault):
    monkeypatch.setattr(team, 'WORKER_SECONDS', 0.2)
    monkeypatch.setattr(team, '_MORE_SECONDS', 0.2)
    line = [sys.executable, '-c', f'import sys, time; {code}']
    _, said = team.disturb(line, random.Random(0), 0.5)
    assert fault in said and 'worker' in said
