"""Where the code is meant to be extended: a choice of parameters.py is a row of a table elsewhere."""

import pytest

import model
import parameters
from evaluation import metrics
from inputs import rows, sources
from networks import endpoints, layers, lstm, steps
from phases import schedule_of
from train import updates

TABLES = {
    'optimizers': (parameters.OPTIMIZERS, updates.OPTIMIZERS),
    'schedules': (parameters.SCHEDULES, updates.SCHEDULES),
    'corruptions': (parameters.CORRUPTIONS, layers.CORRUPTIONS),
    'activations': (parameters.ACTIVATIONS, layers.ACTIVATION),
    'initializers': ((*parameters.INITIALIZERS, 'unit'), layers.SCALING),  # unit: of codes alone
    'losses': (parameters.LOSSES, endpoints.LOSSES),
    'kinds of network': ((*parameters.NETWORKS, 'head'), model.TOWERS),
    'layouts': ((*parameters.LAYOUTS.values(), ''), rows.ARRANGED),
    'tasks': (parameters.TASKS, lstm.DECODERS),
    'data sets': (parameters.DATASETS, (*sources.SOURCES, *parameters.PICTURES)),
}


@pytest.mark.parametrize('name', TABLES)
def test_every_choice_is_a_row_of_its_table(name):
    choices, table = TABLES[name]
    assert set(choices) == set(table)


def test_every_loss_that_a_phase_logs_is_a_metric():
    import inst

    for experiment in inst.EXPERIMENTS.values():
        for phase in schedule_of(experiment):
            for term in phase.losses:
                assert metrics.find(f'validation/{term.name}').unit


def test_every_loss_and_every_number_that_is_scored_is_a_metric():
    scored = endpoints.reconstruction_metrics(None, None), steps.step_metrics('', None, None, None)
    for name in {*parameters.LOSSES.values(), *(name for names in scored for name in names)}:
        assert metrics.find(name).unit


def test_a_metric_that_no_run_has_is_named_with_the_nearest():
    with pytest.raises(KeyError, match=r"test/acuracy: no run has such a number.*'accuracy'"):
        metrics.find('test/acuracy')
    assert metrics.find('test/future_copy_mse') is metrics.METRICS['copy_mse']
    assert metrics.find('train/phase2/l2') is metrics.METRICS['l2']


def test_a_number_of_examples_is_written_with_their_split_and_one_of_a_run_without():
    assert metrics.kept('test/mse') is metrics.METRICS['mse']
    assert metrics.kept('parameters') is metrics.METRICS['parameters']
    with pytest.raises(KeyError, match='mse: must say of which examples, as in test/mse'):
        metrics.kept('mse')
    with pytest.raises(KeyError, match='of a run and not of examples; must be parameters'):
        metrics.kept('test/parameters')
