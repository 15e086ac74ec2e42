"""A batch in parts: the whole batch's update, whatever computes the parts."""

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import most, trained_phase, weights_of
from forked import program

import inst
from inputs.rows import Rows
from inputs.spec import Spec
from networks import session as sessions
from phases import schedule_of
from system.errors import UsageError

RNG = np.random.default_rng(0)
FLAT = Rows(RNG.integers(0, 256, (97, 20), np.uint8), RNG.integers(0, 3, 97).astype(np.int32))
STEPS = Rows(
    RNG.random((97, 4, 4), np.float32), None, length=RNG.integers(2, 5, 97).astype(np.int32)
)
MAPS = Rows(RNG.integers(0, 256, (97, 8, 8, 2), np.uint8), None)
PLAIN = {'epochs': 1, 'batch_size': 32, 'parts': 1}  # of 97 rows the last batch has one
DENSE = inst.phasewise.vary(hidden=(10, 5), training='joint', **PLAIN)
CONV = inst.conv_joint.vary(filters=(4, 6), kernel_size=3, code_size=0, **PLAIN)
CASES = {
    'tied, with a penalty': (DENSE, FLAT),
    'greedy': (DENSE.vary(training='greedy'), FLAT),
    'sparse': (inst.sparse.vary(hidden=(10,), **PLAIN), FLAT),  # by the whole batch's activations
    'labels': (DENSE.vary(classify=0.5), FLAT),
    'clipped': (DENSE.vary(clip_norm=0.01, optimizer='momentum'), FLAT),
    'sequences of many lengths': (inst.lstm_reconstruct.vary(hidden=(5,), **PLAIN), STEPS),
    'convolutions': (CONV.vary(batch_norm=False), MAPS),
}

QUICK = {'tied, with a penalty', 'labels', 'convolutions'}


def trained(experiment, rows, parts, index=0, **options):
    """Trains a phase with batches in so many parts; returns as conftest.trained_phase does."""
    experiment = experiment.vary(parts=parts)
    classes = ('a', 'b', 'c') if rows.y is not None else ()
    spec = Spec(rows.x.shape[1:], classes=classes, picture=rows.x.shape[1:] if rows is MAPS else ())
    return trained_phase(experiment, schedule_of(experiment)[index], rows, spec, **options)


@pytest.mark.parametrize('case', most(CASES, QUICK.__contains__))
def test_parts_change_an_update_by_rounding_alone(case):
    experiment, rows = CASES[case]
    start, one, sums = trained(experiment, rows, 1)
    for parts in (2, 4):
        start_of_parts, of_parts, sums_of_parts = trained(experiment, rows, parts)
        np.testing.assert_allclose(sums_of_parts, sums, rtol=1e-5)
        for name in one:
            np.testing.assert_array_equal(start[name], start_of_parts[name])
            np.testing.assert_allclose(of_parts[name], one[name], atol=2e-5, err_msg=name)
    assert any(not np.array_equal(one[name], start[name]) for name in one)


def test_the_gradient_of_a_step_is_numpys():
    """A tied network, its squared error over three uneven parts, by plain gradient descent."""
    experiment = inst.tied.vary(
        hidden=(5,), activation='sigmoid', output_activation='linear', optimizer='sgd', l2=0.0,
        learning_rate=1.0, schedule='constant', batch_size=97, epochs=1,
    )  # fmt: skip
    before, after, sums = trained(experiment, FLAT, 3)
    x = FLAT.x / np.float64(255)
    kernel, bias, out = (
        before[f'layer1/{n}'].astype(np.float64) for n in ('kernel', 'bias', 'decoder_bias')
    )
    code = 1 / (1 + np.exp(-(x @ kernel + bias)))
    error = code @ kernel.T + out - x
    toward_output = 2 * error / error.size
    toward_code = toward_output @ kernel * code * (1 - code)
    wanted = x.T @ toward_code + toward_output.T @ code
    found = before['layer1/kernel'].astype(np.float64) - after['layer1/kernel']
    np.testing.assert_allclose(found, wanted, atol=1e-6, rtol=1e-4)
    np.testing.assert_allclose(sums, np.mean(error**2) * 97, rtol=1e-5)


RANDOM = ({'dropout': 0.3}, {'corruption': 0.4}, {'variational': True})


@pytest.mark.parametrize('changes', most(RANDOM, RANDOM[2].__eq__))
def test_what_is_random_differs_from_part_to_part_and_is_keyed(changes):
    experiment = DENSE.vary(l2=0.0, tied=False, **changes)
    _, one, sums = trained(experiment, FLAT, 2)
    _, other, other_sums = trained(experiment, FLAT, 2, calls=(1, 2))
    assert sums == other_sums
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
    twins = Rows(np.concatenate([FLAT.x[:16]] * 2), None)  # equal parts, whatever their order is
    same = experiment.vary(batch_size=32, epochs=1)
    _, _, sums = trained(same.vary(batch_size=16), Rows(twins.x[:16], None), 1)
    _, _, twice = trained(same, twins, 2)
    assert abs(twice[0] / 2 - sums[0]) > 1e-3


def test_batch_norm_is_of_each_part_and_its_averages_are_of_all():
    """In the first update the averages move by what the parts' moments are, weighted by sizes."""
    _, after, _ = trained(CONV.vary(batch_size=97, learning_rate=1e-9), MAPS, 2)
    before, one, _ = trained(CONV.vary(batch_size=97, learning_rate=1e-9), MAPS, 1)
    name = 'layer1/moving_mean'  # the mean of parts' means is the batch's mean; not so variances
    np.testing.assert_allclose(after[name], one[name], rtol=1e-4, atol=1e-6)
    assert not np.array_equal(before[name], one[name])
    deeper = [n for n in after if n.endswith('moving_variance')]
    assert any(abs(after[n] - one[n]).max() > 1e-5 for n in deeper)


def test_a_batch_of_fewer_examples_than_parts_is_a_batch():
    _, after, sums = trained(CONV, MAPS, 4)  # the last batch has one example
    assert np.isfinite(sums).all() and all(np.isfinite(value).all() for value in after.values())


@pytest.mark.skipif(not os.path.isdir('/proc/self/task'), reason='needs to count threads')
def test_sessions_of_one_process_have_the_threads_they_ask_for():
    assert sessions.HAS_OWN_THREADS
    tf.Session(graph=tf.Graph()).close()  # what a process starts once

    def started(threads: int) -> int:
        """Returns how many threads of this process a session starts."""
        before = len(os.listdir('/proc/self/task'))
        settings = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Session(graph=tf.Graph(), config=settings) as session:
            with session.graph.as_default():
                session.run(tf.constant(1.0))
            return len(os.listdir('/proc/self/task')) - before

    assert started(9) - started(2) == 7


def test_where_sessions_share_their_threads_that_is_said_once(monkeypatch, capsys):
    monkeypatch.setattr(sessions, 'HAS_OWN_THREADS', False)
    monkeypatch.setattr(sessions, '_ASKED', set())
    sessions.config('float32', (784,), 2)
    assert not capsys.readouterr().out
    sessions.config('float32', (784,), 1)
    sessions.config('float32', (784,), 2)
    assert capsys.readouterr().out.count('the threads of its first one') == 1


@pytest.mark.skipif(not hasattr(os, 'sched_setaffinity'), reason='needs to choose its cores')
def test_how_many_cores_compute_the_parts_changes_no_bit(digits, data_dir, tmp_path):
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        pytest.skip('needs two cores')
    flags = (
        '--experiment=conv_transpose', f'--array={digits}', '--set=filters=8,8', '--set=epochs=2',
        '--set=parts=2', '--nofigures', f'--data_dir={data_dir}',
    )  # fmt: skip
    started = [
        program(*flags, f'--run_dir={tmp_path}/{count}', cores={*cores[:count]}) for count in (1, 2)
    ]
    for one in started:
        _, err = one.communicate()
        assert one.returncode == 0, err
    one, two = (weights_of(tmp_path / count) for count in '12')
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def test_more_parts_than_a_batch_has_examples_are_refused(main, digits):
    with pytest.raises(UsageError, match='parts=8: must be at most batch_size=4'):
        DENSE.vary(batch_size=4, parts=8)
    code, _, err = main('--experiment=phasewise', f'--array={digits}', '--set=parts=1000')
    assert (code, err.count('\n')) == (2, 1)
    assert 'parts=1000: must be at most batch_size=150' in err


def test_a_full_batch_may_have_fewer_examples_than_parts():
    one = Rows(FLAT.x[:1], None)
    _, after, sums = trained(DENSE.vary(batch_size=None), one, 2)
    _, wanted, wanted_sums = trained(DENSE.vary(batch_size=None), one, 1)
    np.testing.assert_allclose(sums, wanted_sums, rtol=1e-5)
    for name in wanted:
        np.testing.assert_allclose(after[name], wanted[name], atol=1e-6)
