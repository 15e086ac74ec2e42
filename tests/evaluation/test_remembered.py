"""What is kept of a data set is computed once, and again where it cannot be trusted."""

import pytest

from evaluation import remembered
from inputs.rows import Dataset
from inputs.spec import Spec


@pytest.fixture
def data(tmp_path):
    return Dataset('digits', Spec((4,)), {}, digest='a', folder=tmp_path)


def counted(data, of=('pca', 2)):
    """Returns the figures, and how often they were computed."""
    calls = []

    def compute():
        calls.append(1)
        return {'error': 0.25}

    return remembered.figures(data, of, compute), len(calls)


def test_figures_are_computed_once_for_the_same_examples(data):
    assert counted(data) == ({'error': 0.25}, 1)
    assert counted(data) == ({'error': 0.25}, 0)
    assert counted(data, of=('pca', 3)) == ({'error': 0.25}, 1)
    assert counted(data) == ({'error': 0.25}, 0)


@pytest.mark.parametrize(
    'change', [{'digest': 'b'}, {'tested': 'validation'}], ids=lambda change: [*change][0]
)
def test_figures_of_other_examples_are_others(data, change):
    counted(data)
    assert counted(data._replace(**change))[1] == 1


@pytest.mark.parametrize(
    'content',
    ['', '[]', '{"a": 1}', '{' * 100_000, '\x00', 'NaN', '{"%s": {"error": NaN}}', '{"%s": []}'],
)
def test_a_damaged_file_is_written_again(data, content):
    file = data.folder / remembered.FILE
    counted(data)
    key = [*remembered._read(file)][0]
    file.write_text(content.replace('%s', key))
    assert counted(data) == ({'error': 0.25}, 1)
    assert counted(data) == ({'error': 0.25}, 0)


def test_what_cannot_be_kept_is_computed(data):
    (data.folder / remembered.FILE).mkdir()
    assert counted(data) == ({'error': 0.25}, 1)
    assert counted(data._replace(folder=None)) == ({'error': 0.25}, 1)
    assert counted(data._replace(folder=data.folder / 'gone')) == ({'error': 0.25}, 1)
