"""The names that a saved graph promises, in every kind of run, in both forms."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import KINDS

RESULTS = ('hidden1', 'codings', 'outputs', 'predictions', 'logits')


@pytest.fixture(params=[(kind, form) for kind in KINDS for form in ('meta', 'saved_model')])
def opened(request, kinds):
    """A session with a run's graph, and three examples for it."""
    kind, form = request.param
    with tf.Graph().as_default() as graph, tf.Session() as session:
        if form == 'meta':
            prefix = f'{kinds}/{kind}/model'
            tf.train.import_meta_graph(f'{prefix}.meta').restore(session, prefix)
        else:
            tf.saved_model.load(session, ['serve'], f'{kinds}/{kind}/saved_model')
        shape = graph.get_tensor_by_name('X:0').shape.as_list()
        yield session, np.random.default_rng(0).random((3, *shape[1:]), np.float32)


def there(session) -> list[str]:
    names = {op.name for op in session.graph.get_operations()}
    return [f'{name}:0' for name in RESULTS if name in names]


def test_codes_that_are_fed_drive_what_is_made_of_codes(opened):
    session, x = opened
    names = [name for name in there(session) if name not in ('hidden1:0', 'codings:0')]
    codes, *before = session.run(['codings:0', *names], {'X:0': x})
    same = session.run(names, {'X:0': x, 'codings:0': codes})
    other = session.run(names, {'X:0': x, 'codings:0': 2 * codes + 1})
    for name, *values in zip(names, before, same, other, strict=True):
        np.testing.assert_array_equal(values[0], values[1], err_msg=name)
        assert not np.allclose(values[0], values[2]), name


def test_no_example_gives_no_result_of_the_right_shape(opened):
    session, x = opened
    names = there(session)
    some, none = (session.run(names, {'X:0': rows}) for rows in (x, x[:0]))
    for name, one, other in zip(names, some, none, strict=True):
        assert other.shape == (0, *one.shape[1:]), name


def test_what_is_fed_stands_at_the_top_alone(opened):
    session, _ = opened
    fed = [op.name for op in session.graph.get_operations() if op.type.startswith('Placeholder')]
    below = {name.rpartition('/')[2] for name in fed if '/' in name}
    assert not below & {'X', 'y', 'length', 'training', 'codings'}
