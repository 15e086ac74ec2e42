"""What a study says of the spread: in its figure, and in intervals that can be."""

import pytest
from conftest import call, results_of

import inst
from evaluation import metrics
from reports import figures
from studies import figure
from studies.run import _of_difference
from studies.spread import spread
from studies.study import Study


def test_an_interval_ends_where_the_quantity_does():
    values = [1.0, 0.95, 1.0]
    assert spread(values)['interval'][1] > 1
    assert spread(values, metrics.find('test/accuracy').within)['interval'][1] == 1.0
    assert spread([0.001, 0.2], metrics.find('test/mse').within)['interval'][0] == 0.0
    assert spread([-0.9, 0.3], _of_difference((0.0, 1.0)))['interval'] == [-1.0, 1.0]


def point(arm, value, **metrics):
    """Returns a point of a study's results, of one seed."""
    return {
        'arm': arm,
        'value': value,
        'metrics': {f'test/{n}': spread([v]) for n, v in metrics.items()},
    }


def test_a_trade_off_is_of_each_arm_by_itself():
    arms = (inst.vae, inst.vae_plain.vary('other', variational=True))
    study = Study('mine', 'words', 'source', arms, 1, 'beta', (1.0, 3.0), ('test/kl',),
                  trade_off=('test/kl', 'test/nll'))  # fmt: skip
    points = [
        point(arm.name, value, kl=value, nll=2 * value) for value in (1.0, 3.0) for arm in arms
    ]
    panel = figure.draw(study, points, 'title').axes[1]
    assert [line.get_label() for line in panel.lines] == ['vae', 'other']
    assert [text.get_text() for text in panel.texts] == ['beta 1', 'beta 3'] * 2
    assert not figure.draw(study, [point('vae', 1.0, kl=1.0)] * 2, 'title').axes[1].lines


def test_yes_and_no_are_names_on_an_axis():
    study = Study('mine', 'words', 'source', (inst.tied,), 1, 'tied', (False, True), ('test/mse',))
    points = [point('tied', value, mse=0.1) for value in (False, True)]
    (panel,) = figure.draw(study, points, 'title').axes
    assert [label.get_text() for label in panel.get_xticklabels()] == ['false', 'true']


def test_a_study_that_lacks_its_metrics_shows_what_there_is():
    study = Study('mine', 'words', 'source', (inst.tied,), 1, metrics=('test/accuracy',))
    (panel,) = figure.draw(study, [point('tied', None, mse=0.1)], 'title').axes
    assert panel.lines


@pytest.fixture(scope='module')
def one_arm(data_dir, tmp_path_factory):
    """A study of one arm, of a few updates; returns (its figure, its results)."""
    runs, kept = tmp_path_factory.mktemp('runs'), {}
    flags = ('--experiment=iris_linear', '--seeds=3', '--set=epochs=2', f'--data_dir={data_dir}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, 'save', lambda figure, file: kept.update({file.stem: figure}))
        assert call(*flags, f'--runs={runs}') == 0
    return kept['study'], results_of(runs / 'iris_linear/iris-seeds0..2-epochs=2')


def test_one_arm_is_one_compact_figure(one_arm):
    figure, results = one_arm
    (point,) = results['points']
    scores = {name.split('/')[-1] for name in point['metrics']}
    assert len(figure.axes) == len(scores) < len(point['metrics'])
    assert figure.get_size_inches()[1] < 10
    labels = {panel.get_ylabel().replace('\n', ' ') for panel in figure.axes}
    assert labels == {metrics.find(name).unit for name in scores}
    assert [text.get_text() for text in figure.legends[0].texts] == ['train', 'test']


def test_intervals_of_a_study_are_within_what_can_be(one_arm):
    _, results = one_arm
    for name, found in results['points'][0]['metrics'].items():
        least, most = metrics.find(name).within
        assert least <= found['interval'][0] <= found['mean'] <= found['interval'][1] <= most, name
