"""The table of metrics, and the glossary that readers have of it."""

from conftest import ROOT

from evaluation import metrics


def test_the_glossary_is_the_table():
    page = (ROOT / 'docs/glossary.md').read_text().split('## All of them')[1]
    for line in metrics.glossary().splitlines():
        assert ' '.join(line.split()) in ' '.join(page.split()), f'docs/glossary.md needs:\n{line}'
    assert page.count('\n- `') == len(metrics.METRICS)


def test_every_metric_is_explained_in_a_sentence():
    for name, metric in metrics.METRICS.items():
        assert len(metric.meaning.split()) > 5 and metric.meaning.endswith('.'), name
        assert metric.within[0] < metric.within[1], name


def test_a_name_is_said_in_words_with_its_split():
    assert metrics.said('test/mse') == 'test: mean squared error a feature'
    assert metrics.said('validation/future_mse').endswith('a feature, of what follows')
    assert metrics.said('pca_angle_degrees') == "angle to PCA's plane (degrees)"
