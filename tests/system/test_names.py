"""Names that users gave: filed, and opened by TensorFlow."""

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import inst
from inputs.spec import Spec
from networks import saved_graph
from networks.serving import Served
from system import names

ODD = (
    'k[2]',
    'a*b?',
    'a\\b',
    "'q' \"",
    'two\nlines',
    '$x',
    '猫',
    'a{b,c}',
    os.fsdecode(b'caf\xff'),
)


@pytest.mark.parametrize('name', (*ODD, 'a:b', 'x' * 250, 'é' * 120))
def test_a_name_in_the_name_of_a_file_is_one_that_every_system_takes(name):
    made = names.filed(name)
    assert made and not set(made) & set('<>:"/\\|?*') and made.isprintable()
    assert len(made.encode()) <= 100


@pytest.mark.parametrize('name', ODD)
def test_tensorflow_writes_and_reads_in_a_folder_of_any_name(name, tmp_path):
    folder = tmp_path / name / 'inner'

    def build(*, trains):
        x = tf.placeholder(tf.float32, [None, 2], name='X')
        kernel = tf.get_variable('kernel', [2, 1], use_resource=True)
        tensors = {'X': x, 'codings': tf.matmul(x, kernel, name='codings')}
        return Served(inst.tied, Spec((2,)), tensors)

    saved_graph.write(folder, build, {'kernel': np.array([[1.0], [2.0]], np.float32)})
    assert sorted(os.listdir(folder)) == [
        'model.data-00000-of-00001', 'model.index', 'model.meta', 'saved_model',
    ]  # fmt: skip
    for path in (f'{folder}', f'{folder}/', f'{folder}/model', f'{folder}/model.meta'):
        restored = saved_graph.read(path)
        assert restored.prefix == str(folder / 'model')
        assert restored.variables['kernel'].tolist() == [[1.0], [2.0]]
    for file in folder.glob('model.*'):
        file.rename(folder / f'{name}{file.suffix}')
    assert saved_graph.read(str(folder / name)).variables['kernel'].tolist() == [[1.0], [2.0]]


def test_what_tensorflow_says_of_a_folder_names_it_as_the_user_does(tmp_path):
    (tmp_path / 'k[2]').mkdir()
    path = names.plain(tmp_path / 'k[2]' / 'state')
    assert '[' not in path
    assert names.unlinked(f'{path}: no space') == f'{tmp_path}/k[2]/state: no space'
    assert names.plain(tmp_path / 'k' / 'state') == str(tmp_path / 'k' / 'state')
