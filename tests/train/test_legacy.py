"""A classifier on a graph that another program saved, which says little of itself."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

HEAD = ('--experiment=phasewise_classifier', '--set=epochs=1', '--nofigures')


@pytest.fixture
def legacy(tmp_path):
    """Saves a graph of 784 inputs with the names that are given; returns its prefix."""

    def save(inputs='X', codings='codings', rate=False):
        with tf.Graph().as_default(), tf.Session() as session:
            x = tf.placeholder(tf.float32, [None, 784], inputs)
            kernel = tf.get_variable('kernel', [784, 9], use_resource=False)
            made = tf.sigmoid(x @ kernel)
            if rate:
                made *= tf.placeholder(tf.float32, [], 'keep_prob')
            tf.identity(made, codings)
            session.run(tf.global_variables_initializer())
            return tf.train.Saver().save(session, f'{tmp_path}/old')

    return save


def test_what_it_is_fed_is_said_where_it_does_not_say_what_it_was_trained_on(
    legacy, main, digits, tmp_path
):
    code, out, err = main(*HEAD, f'--array={digits}', f'--parent={legacy()}')
    assert code == 0, err
    said = 'does not say what values it was trained on; X:0 is fed values from 0 to 1'
    assert said in out
    np.savez(tmp_path / 'own.npz', x=np.float32(digits_of(digits) - 0.5), y=np.arange(800) % 2)
    code, out, err = main(*HEAD, f'--array={tmp_path}/own.npz', f'--parent={tmp_path}/old')
    assert code == 0 and 'is fed values from -0.5 to 0.5' in out, err


def digits_of(file):
    with np.load(file) as found:
        return found['x'].reshape(-1, 784) / 255


@pytest.mark.parametrize(
    ('other', 'words'),
    [
        ({'inputs': 'input'}, 'holds no tensor X:0, which is needed; '),
        ({'codings': 'bottleneck'}, 'holds no tensor codings:0, which is needed; '),
        ({'rate': True}, 'needs placeholder keep_prob:0 besides X:0; '),
    ],
)
def test_one_of_other_names_is_refused_with_the_page_that_says_how_it_gets_these(
    legacy, main, digits, other, words
):
    code, _, err = main(*HEAD, f'--array={digits}', f'--parent={legacy(**other)}')
    assert code == 3 and f'{words}docs/saved-graph.md says' in err, err


def test_series_of_which_some_end_in_zeros_are_said_to(main, tmp_path):
    x = np.random.default_rng(0).random((40, 6, 2)).astype(np.float32)
    x[:7, 4:] = 0
    np.savez(tmp_path / 'x.npz', x=x)
    flags = ('--experiment=lstm_reconstruct', '--set=epochs=1', '--set=hidden=3', '--nofigures')
    code, out, err = main(*flags, f'--array={tmp_path}/x.npz')
    assert code == 0 and 'series looked at end in zeros, which count as steps' in out, err
    np.savez(tmp_path / 'x.npz', x=x, length=np.where(np.arange(40) < 7, 4, 6))
    code, out, err = main(*flags, f'--array={tmp_path}/x.npz')
    assert code == 0 and 'end in zeros' not in out, err


def test_a_class_has_one_number_in_all_that_a_run_writes(main, digits, tmp_path):
    with np.load(digits) as found:
        x, y = found['x'], found['y']
    run = f'--run_dir={tmp_path}/run'
    small = ('--set=epochs=1', '--set=hidden=2', '--nofigures')
    code, _, err = main('--experiment=basic', f'--array={digits}', run, *small)
    assert code == 0, err
    seven = np.where(y == 7)[0][:20]
    np.savez(tmp_path / 'some.npz', x=x[seven], y=np.r_[np.full(19, '7'), ['new']])
    code, out, err = main('--mode=encode', run, f'--array={tmp_path}/some.npz')
    assert code == 0, err
    with np.load(out.rstrip().rsplit('codes are in ', 1)[1]) as made:
        assert made['labels'].tolist() == [7] * 19 + [10]
        assert made['classes'].tolist() == [*map(str, range(10)), 'new']
