"""Restored graphs of plain operations that do harm: refused by name, tried aside, or made to fit."""

import json

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from networks import bounds, known, saved_graph, trial
from system.errors import DataError
from torture import cases, corpus, graphs

UNBOUNDED = {  # a case of the corpus -> what its refusal says
    'turns of values, v1': 'might never end',
    'turns that are true, v2': 'might never end',
    'turns without a step': 'might never end',
    'a condition that is not asked': 'might never end',
    'turns in a function': 'might never end',
    'ten million turns, v2': '10,000,000',
    'functions in a circle': 'calls itself',
    'functions thirty deep, twice each': 'for each call',
    'fill, 2^31': '2,147,483,648',
    'a huge constant': 'huge makes a tensor',
    'a huge list': 'a list of 2,147,483,647 items',
    'a constant': 'not computed from X',
}
UNFIT = {  # a case -> what is said of its codes
    'rank 1': 'of shape',
    'no rank': 'no known shape',
    'width 0': 'no number',
    'whole numbers': 'floats are needed',
    'a constant of the rows': '5 rows',
    'a million columns': '1,000,000 numbers',
    'a width of the batch': 'N alone may be open',
    'twice the rows': '6 rows of codings:0 for 3',
    'noise': 'differently each time',
    'infinity': 'NaN or infinity',
}
FIT = ('float64 maps', 'at most ten turns, v2', 'turns of a shape, v1', 'map_fn over rows')


@pytest.fixture
def written(tmp_path):
    """Returns a function that writes a case of the corpus, and what a trial of it is asked."""

    def write(name: str) -> dict:
        graphs.save(tmp_path / 'theirs', graphs.CASES[name])
        x = np.random.default_rng(0).random((20, graphs.FEATURES), np.float32)
        np.savez(tmp_path / 'examples.npz', x=x, length=np.zeros(0, np.int32))
        return {
            'path': str(tmp_path / 'theirs'),
            'examples': str(tmp_path / 'examples.npz'),
            'shape': [graphs.FEATURES],
            'wanted': [[]],
            'layer': 0,
            'trusted': False,
        }

    return write


def labelled(folder) -> str:
    """Writes 60 examples as the corpus reads them; returns the flag that names them."""
    x = np.random.default_rng(0).random((60, graphs.FEATURES))
    np.savez(folder / 'data.npz', x=x, y=np.arange(60) % 3)
    return f'--array={folder}/data.npz'


@pytest.mark.parametrize('name', UNBOUNDED)
def test_what_may_be_without_an_end_is_refused_by_name_before_it_runs(written, name):
    with pytest.raises(DataError, match=UNBOUNDED[name]) as raised:
        saved_graph.read(written(name)['path'])
    assert '\n' not in str(raised.value)


@pytest.mark.parametrize('name', UNFIT)
def test_codes_that_are_none_are_one_line(written, name):
    with pytest.raises(DataError, match=UNFIT[name]) as raised:
        trial.doubts(written(name))
    assert '\n' not in str(raised.value)


@pytest.mark.parametrize('name', FIT)
def test_honest_graphs_pass_and_their_codes_are_rows_of_float32(written, name):
    asked = written(name)
    assert trial.doubts(asked) == []
    with tf.Graph().as_default():
        codes = saved_graph.read(asked['path']).tower(tf.zeros([3, graphs.FEATURES]))['codings']
        assert codes.dtype == tf.float32 and codes.shape.rank == 2


@pytest.mark.parametrize(
    ('name', 'words'), [('zeros', 'the same'), ('what depends on the batch', 'depends on')]
)
def test_what_is_doubtful_is_said(written, name, words):
    (said,) = trial.doubts(written(name))
    assert words in said


def test_one_that_takes_too_much_ends_a_process_of_its_own_and_a_run_in_one_line(
    written, main, tries, tmp_path
):
    parent = written('fill by a value')['path']
    data = labelled(tmp_path)
    code, _, err = main('--experiment=phasewise_classifier', data, f'--parent={parent}')
    assert code == 3 and 'memory' in err
    assert len(err.splitlines()) == 1 and '--trust_graph' in err


def test_a_graph_that_was_written_here_is_not_tried_and_any_other_is(kinds, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(trial, '_asked', lambda *what: asked.append(what) or {'doubts': []})
    trial.tried(str(kinds / 'head'), lambda: trial.drawn((784,)))
    assert not asked
    monkeypatch.setenv('XDG_STATE_HOME', str(tmp_path))
    trial.tried(str(kinds / 'head'), lambda: trial.drawn((784,)))
    assert len(asked) == 1
    known.note((kinds / 'head' / 'model.meta').read_bytes())
    trial.tried(str(kinds / 'head'), lambda: trial.drawn((784,)))
    assert len(asked) == 1


def test_a_loop_of_a_run_of_ones_own_has_bounds(kinds, monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_STATE_HOME', str(tmp_path))
    graph = saved_graph.read(str(kinds / 'loop'))
    assert not graph.trusted and graph.graph_def.library.function
    bounds.bounded(graph.graph_def, 'model.meta')


def test_a_graph_that_fails_later_is_one_line(written, main, tmp_path):
    written('a check that fails later')
    data = labelled(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial, 'tried', lambda *_, **__: None)
        code, _, err = main(
            '--experiment=phasewise_classifier', data, f'--parent={tmp_path}/theirs',
            '--set=epochs=1', '--nofigures',
        )  # fmt: skip
    assert code == 3 and 'fails on these examples' in err and len(err.splitlines()) == 1


def test_the_table_of_the_corpus_counts_each_end():
    used = type('Used', (), {'ru_utime': 3.0, 'ru_stime': 1.0, 'ru_maxrss': 1 << 20})
    big = type('Used', (), {'ru_utime': 3.0, 'ru_stime': 1.0, 'ru_maxrss': 3 << 20})
    ends = [
        corpus.outcome('a', cases.RIGHT, 0, 'done', used),
        corpus.outcome('a', cases.LINE, 3, 'error: it', used),
        corpus.outcome('a', cases.LINE, 0, 'done', used),
        corpus.outcome('a', cases.LINE, 3, 'error: it', big),
        corpus.outcome('a', cases.LINE, 1, 'Traceback (most', used),
        corpus.outcome('a', cases.LINE, -11, '', used),
    ]
    assert [one['end'] for one in ends] == list(corpus.ENDS)
    assert '| 6 | 1 | 1 | 1 | 1 | 1 | 1 |' in corpus.table(ends)
    assert json.dumps(ends)
