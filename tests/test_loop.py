"""The loop: what a phase moves, what it is fed, and that nothing depends on how it is cut."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import inst
import model
from dataset import Rows
from layers import Mode
from parameters import Phase, Spec, schedule_of
from train import evaluate, loop

SPEC = Spec(shape=(20,))
SMALL = inst.phasewise.vary(hidden=(10, 5), epochs=3, batch_size=32)
DATA = Rows(np.random.default_rng(0).integers(0, 256, (100, 20), np.uint8), None)


def run_phase(experiment, phase, rows, reads, calls=(None,), start=None):
    """Trains one phase; returns (variables before, after, sums). `calls` cuts the steps."""
    with tf.Graph().as_default() as graph, tf.Session() as session:
        endpoints = model.build(experiment, SPEC)
        variables = model.variables(graph)
        session.run(tf.variables_initializer(variables))
        for variable in variables:
            if start:
                variable.load(start[variable.op.name], session)
        if rows is None:
            tensors = endpoints.tensors
            rows = Rows(evaluate.compute(session, tensors['X'], tensors[reads], DATA), None)

        def tower(batch: model.Batch, mode: Mode) -> model.Endpoints:
            with tf.variable_scope(tf.get_variable_scope(), reuse=True):
                return model.tower(experiment, SPEC, batch, mode, reads=reads)

        updates = loop.build(experiment, phase, rows, tower)
        updates.initialize(session)
        before = {v.op.name: session.run(v) for v in variables}
        step, sums = 0, [0.0] * len(updates.terms)
        while step < updates.steps:
            for count in calls:
                epoch = step // updates.steps_per_epoch
                left = (epoch + 1) * updates.steps_per_epoch - step
                initializer = updates.order.initializer
                session.run(initializer, {initializer.inputs[1]: updates.shuffle(epoch)})
                last = step + min(count or left, left)
                feeds = {updates.first: step, updates.last: last, updates.sums_before: sums}
                sums, step = session.run(updates.sums, feeds).tolist(), last
                if step == updates.steps:
                    break
        return before, {v.op.name: session.run(v) for v in variables}, sums


@pytest.mark.parametrize('index', [0, 1])
def test_phase_k_changes_layer_k_alone(index):
    phase = schedule_of(SMALL)[index]
    before, after, _ = run_phase(SMALL, phase, DATA if not index else None, phase.reads)
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    layer = f'layer{index + 1}'
    assert moved == {f'{layer}/kernel', f'{layer}/bias', f'{layer}/decoder_bias'}


def test_the_cached_phase_equals_the_uncached_one():
    cached = schedule_of(SMALL)[1]
    uncached = Phase(cached.name, cached.losses, cached.trainable, reads='X')
    _, one, one_sums = run_phase(SMALL, cached, None, 'hidden1')
    _, other, other_sums = run_phase(SMALL, uncached, DATA, 'X')
    for name in one:
        np.testing.assert_allclose(one[name], other[name], atol=2e-5)
    np.testing.assert_allclose(one_sums, other_sums, rtol=1e-5)


def test_how_steps_are_cut_into_calls_changes_no_bit():
    phase = schedule_of(SMALL)[0]
    _, one, one_sums = run_phase(SMALL, phase, DATA, 'X')
    _, other, other_sums = run_phase(SMALL, phase, DATA, 'X', calls=(1, 2))
    assert one_sums == other_sums
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_a_first_step_is_adams_by_hand():
    """Adam moves every weight with a gradient by rate * sign(gradient) in its first step."""
    experiment = SMALL.vary(batch_size=None, epochs=1, schedule='constant')
    phase = schedule_of(experiment)[0]
    before, after, _ = run_phase(experiment, phase, DATA, 'X')
    step = np.abs(after['layer1/kernel'] - before['layer1/kernel'])
    np.testing.assert_allclose(step, experiment.learning_rate, rtol=2e-2)


def test_an_epoch_visits_every_row_once():
    phase = schedule_of(SMALL)[0]
    with tf.Graph().as_default():
        model.build(SMALL, SPEC)

        def tower(batch, mode):
            with tf.variable_scope(tf.get_variable_scope(), reuse=True):
                return model.tower(SMALL, SPEC, batch, mode)

        updates = loop.build(SMALL, phase, DATA, tower)
    orders = [updates.shuffle(epoch) for epoch in range(2)]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert not np.array_equal(*orders)
    assert updates.steps_per_epoch == 4  # 32 + 32 + 32 + 4


def test_a_pattern_that_matches_nothing_is_an_error():
    phase = Phase('typo', (('mse', 1.0),), 'layr1/.*')
    with pytest.raises(ValueError, match=r'typo.*layr1'):
        run_phase(SMALL, phase, DATA, 'X')


def test_activations_over_the_budget_are_mapped_from_disk_and_equal(tmp_path):
    from train.interrupts import Interrupts

    with tf.Graph().as_default(), tf.Session() as session:
        tensors = model.build(SMALL, SPEC).tensors
        session.run(tf.global_variables_initializer())
        made = [
            evaluate.cached(
                session, tensors['X'], tensors['hidden1'], DATA,
                file=tmp_path / 'cache.npy', budget=budget, interrupts=Interrupts(),
            )
            for budget in (10**6, 0)
        ]  # fmt: skip
    memory, mapped = made
    assert isinstance(mapped.x, np.memmap) and not isinstance(memory.x, np.memmap)
    np.testing.assert_array_equal(memory.x, mapped.x)
    phase = schedule_of(SMALL)[1]
    _, one, _ = run_phase(SMALL, phase, memory, 'hidden1')
    _, other, _ = run_phase(SMALL, phase, mapped, 'hidden1')
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
