"""The loop: what a phase moves, what it is fed, and that nothing depends on how it is cut."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import trained_phase

import inst
from inputs.rows import Rows
from inputs.spec import Spec
from model import built
from phases import Phase, Term, schedule_of
from system.errors import Diverged
from train import feeding, loop
from train.checkpoints import State
from train.updates import build as build_updates

SPEC = Spec(shape=(20,))
SMALL = inst.phasewise.vary(hidden=(10, 5), epochs=3, batch_size=32)
DATA = Rows(np.random.default_rng(0).integers(0, 256, (100, 20), np.uint8), None)


def run_phase(experiment, phase, rows, reads, **options):
    """Trains one phase on DATA's activations where there are no rows; see conftest."""
    if rows is None:
        with built(experiment, SPEC, None) as network:
            rows = Rows(network.compute(reads, DATA), None)
    return trained_phase(experiment, phase, rows, SPEC, **options)


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
    assert feeding.length_of(SMALL, schedule_of(SMALL)[0], 100)[:2] == (32, 4)  # 32 + 32 + 32 + 4
    found = [feeding.shuffled(100, 100, (1, epoch)) for epoch in range(2)]
    assert all(sorted(order) == list(range(100)) for order in found)
    assert not np.array_equal(*found)


def test_a_budget_of_updates_repeats_whole_passes_over_few_rows():
    budget = SMALL.vary(steps_per_epoch=8)
    length = feeding.length_of(budget, schedule_of(budget)[0], 100)
    assert (length.steps_per_epoch, length.steps, length.examples) == (8, 24, 8 * 32)
    order = feeding.shuffled(100, length.examples, (1, 0))
    assert len(order) == 8 * 32
    assert sorted(order[:100]) == sorted(order[100:200]) == list(range(100))


@pytest.mark.parametrize(
    'changes',
    [{'dropout': 0.3}, {'corruption': 0.4}, {'corruption': 0.4, 'corruption_kind': 'gaussian'},
     {'variational': True, 'tied': False}],
)  # fmt: skip
def test_what_is_random_is_keyed_on_seed_and_step(changes):
    experiment = SMALL.vary(training='joint', l2=0.0, **changes)
    (phase,) = schedule_of(experiment)
    _, one, one_sums = run_phase(experiment, phase, DATA, 'X')
    _, other, other_sums = run_phase(experiment, phase, DATA, 'X', calls=(1, 2))
    assert one_sums == other_sums
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
    plain = SMALL.vary(
        training='joint', l2=0.0, **{k: v for k, v in changes.items() if k == 'tied'}
    )
    _, _, plain_sums = run_phase(plain, schedule_of(plain)[0], DATA, 'X')
    assert abs(plain_sums[0] - one_sums[0]) > 1e-3


def test_a_warm_up_raises_the_weight_of_its_term_step_by_step():
    """With a weight of zero in its only epoch, the KL moves nothing: the first step shows it."""
    experiment = SMALL.vary(
        training='joint', l2=0.0, variational=True, kl_warmup=1, beta=1e6, epochs=1,
        batch_size=None, optimizer='sgd', learning_rate=0.1,
    )  # fmt: skip
    (phase,) = schedule_of(experiment)
    before, warmed, _ = run_phase(experiment, phase, DATA, 'X')
    free = experiment.vary(beta=0.0)
    _, without, _ = run_phase(free, schedule_of(free)[0], DATA, 'X')
    for name in warmed:
        np.testing.assert_array_equal(warmed[name], without[name])
    assert not np.array_equal(before['layer1/kernel'], warmed['layer1/kernel'])


def test_a_corrupted_phase_reconstructs_what_is_clean():
    """With every input masked but one in a million, the loss is that of the clean target."""
    experiment = SMALL.vary(
        training='joint', l2=0.0, corruption=0.999999, batch_size=None, epochs=1, hidden=(5,)
    )
    _, _, sums = run_phase(experiment, schedule_of(experiment)[0], DATA, 'X')
    clean = (DATA.x / 255.0) ** 2  # all biases begin at zero, so do the outputs of zeros
    np.testing.assert_allclose(sums[0], clean.mean(axis=1).sum(), rtol=1e-5)


def test_a_pattern_that_matches_nothing_is_an_error():
    phase = Phase('typo', (Term('mse'),), 'layr1/.*')
    with pytest.raises(ValueError, match=r'typo.*layr1'):
        run_phase(SMALL, phase, DATA, 'X')


def test_activations_over_the_budget_are_mapped_from_disk_and_equal(tmp_path):
    from system.interrupts import Interrupts

    with built(SMALL, SPEC, None) as network:
        made = [
            feeding.cached(
                network, 'hidden1', DATA,
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


def spoiled_from_step_four(network, phase):
    """The loss is finite; from the fourth step on, one gradient is not."""

    def tower(batch, mode):
        endpoints = network.tower()(batch, mode)
        (kernel,) = (v for v in network.variables if v.op.name == 'layer1/kernel')
        late = mode.seed[1] >= 3

        @tf.custom_gradient
        def spoiled(value):
            return value, lambda gradient: gradient * tf.where(late, np.nan, 1.0)

        extra = spoiled(tf.reduce_sum(kernel))
        name = phase.losses[0].name
        plain = endpoints.losses[name]
        return endpoints._replace(losses={**endpoints.losses, name: lambda: plain() + extra})

    return tower


def test_a_gradient_that_is_no_number_moves_nothing_and_is_named():
    phase = schedule_of(SMALL)[0]
    with built(SMALL, SPEC, None) as network:
        tower = spoiled_from_step_four(network, phase)
        updates = build_updates(SMALL, phase, DATA, (), tower, watched=True)
        updates.initialize(network.session)
        updates.begin(network.session, 0, 0)
        state = State(sums=[0.0] * len(updates.terms))
        loop.run(network.session, updates, 'phase1', state, 3)
        before = network.values()
        state.step = 3
        with pytest.raises(Diverged, match='gradient of layer1/kernel.*at step 4'):
            loop.run(network.session, updates, 'phase1', state, 1)
        after = network.values()
        assert all(np.array_equal(before[name], after[name]) for name in before)
        slots = network.session.run(updates.slots)
        assert all(np.isfinite(slot).all() for slot in slots)


@pytest.mark.parametrize('optimizer', ['adam', 'momentum', 'sgd'])
def test_where_nothing_watches_it_is_noticed_at_the_end_of_the_call(optimizer):
    experiment = SMALL.vary(optimizer=optimizer, learning_rate=1e-3)
    phase = schedule_of(experiment)[0]
    with built(experiment, SPEC, None) as network:
        updates = build_updates(experiment, phase, DATA, (), spoiled_from_step_four(network, phase))
        updates.initialize(network.session)
        updates.begin(network.session, 0, 0)
        state = State(sums=[0.0] * len(updates.terms))
        loop.run(network.session, updates, 'phase1', state, 3)
        with pytest.raises(Diverged, match='not a finite number at a step from 1 to 4'):
            loop.run(network.session, updates, 'phase1', state, 4)


def test_to_watch_changes_no_bit():
    phase = schedule_of(SMALL)[0]
    _, one, one_sums = run_phase(SMALL, phase, DATA, 'X')
    _, other, other_sums = run_phase(SMALL, phase, DATA, 'X', watched=True)
    assert one_sums == other_sums
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
