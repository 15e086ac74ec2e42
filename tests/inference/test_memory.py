"""What a finished run is applied to is not held in memory where it is pictures."""

import csv

import numpy as np
import pytest
from PIL import Image

from inference import write
from inputs.shards import Records
from train.folder import Place


@pytest.fixture
def pictures(tmp_path):
    """Returns two folders of twelve pictures: one to train on, and another."""
    draw = np.random.default_rng(0)
    for name in ('mine', 'new'):
        (tmp_path / name).mkdir()
        for i in range(12):
            values = draw.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(values).save(tmp_path / name / f'{i:02}.png')
    return tmp_path / 'mine', tmp_path / 'new'


def test_pictures_that_are_encoded_are_read_from_disk_however_few(main, pictures, tmp_path):
    run, data_dir = tmp_path / 'run', tmp_path / 'data'
    sizes = '--set=image_size=16', '--set=filters=2', '--set=code_size=2', '--set=epochs=1'
    mine, new = pictures
    where = f'--run_dir={run}', f'--data_dir={data_dir}'
    assert main('--experiment=conv_ae', f'--images={mine}', *where, *sizes, '--nofigures')[0] == 0
    assert main('--mode=encode', '--format=csv', f'--images={new}', *where)[0] == 0
    changes = {'dataset': 'images', 'data_path': str(new)}
    place = Place(runs=tmp_path / 'runs', data_dir=data_dir)
    with write._opened(run, changes, place) as (network, data, _):
        rows = data.splits['test']
        codes = network.compute('codings', rows)
        assert isinstance(rows.x, Records)
    (file,) = run.glob('codes-*.csv')
    found = list(csv.DictReader(file.open()))
    assert [row['file'] for row in found] == [f'{i:02}.png' for i in range(12)]
    np.testing.assert_allclose([float(row['code1']) for row in found], codes[:, 1], atol=1e-6)
