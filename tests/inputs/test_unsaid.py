"""What would be lost or mistaken without a word: kept, refused or said."""

from types import SimpleNamespace

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image, TiffImagePlugin

import inst
from inference import fit
from inference.fit import _ended
from inference.run import labelled
from inputs import conversion, foreign, pictures, readers, recording, sources, whitening
from inputs.rows import Rows
from inputs.splits import evenly
from system.errors import DataError, RunInUse

DRAW = np.random.default_rng(0)


def test_a_reader_may_say_which_examples_are_held_out():
    split = np.array(['train'] * 6 + ['test'] * 4)
    x = np.arange(10.0)[:, None]
    made = readers.split(foreign.Examples(x, None, split=split))
    assert sorted(made['test'].x[:, 0]) == [6, 7, 8, 9] and 'validation' not in made
    with pytest.raises(DataError, match='train has a split of its own'):
        readers._rows('train', foreign.Examples(x, None, split=split), ())


def test_of_a_recording_that_another_process_writes_nothing_is_said(tmp_path, capsys):
    """Nor of one of a folder whose name begins alike."""
    (tmp_path / 'photos').mkdir()
    found = pictures.Folder(str(tmp_path / 'photos'), {}, (), 'digest', {}, ())
    for name in ('photos-0badcafe', 'photos-12345678', 'photos-2019-0badcafe'):
        (tmp_path / f'.images-{name}.writing').mkdir()
    with FileLock(tmp_path / 'images-photos-0badcafe.lock'):
        recording._say_what_changed(found, tmp_path / 'images-photos-99999999')
    (line,) = capsys.readouterr().out.splitlines()
    assert '.images-photos-12345678.writing is of an interrupted recording' in line


def test_an_interrupted_recording_of_another_listing_begins_anew(tmp_path):
    aside = tmp_path / '.caltech.writing'
    aside.mkdir()
    for digest, kept in (('one', True), ('one', True), ('other', False)):
        found = pictures.Folder('caltech101', {}, (), digest, {}, ())
        recording._planned(found, aside)
        assert (aside / 'whole.json').exists() == (kept and (aside / 'begun').exists())
        (aside / 'begun').touch()
        (aside / 'whole.json').touch()


def test_sixteen_bits_whose_white_is_zero_are_not_inverted(tmp_path):
    deep = np.full((8, 8), 50_000, np.uint16)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    found = []
    for white in (0, 1):
        tags[262] = white
        Image.fromarray(deep).save(tmp_path / 'deep.tif', tiffinfo=tags)
        with Image.open(tmp_path / 'deep.tif') as opened:
            assert opened.tag_v2[262] == white
        found.append(int(np.asarray(conversion.fitted(tmp_path / 'deep.tif', (8, 8, 1)))[0, 0]))
    assert found == [255 - 195, 195]


def test_what_float32_makes_one_value_is_refused():
    times = 1.7e9 + np.arange(101.0)
    times[0] = 0.0  # which makes the range a wide one
    for x, words in ((times, 'keeps only'), (1e-50 * DRAW.random(100), r'x\[..., 0\] /= ')):
        with pytest.raises(DataError, match=words):
            sources.of_arrays(x[:, None], trains=True)
    sources.of_arrays(np.array([[1.7e9], [1.7e9 + 1000]]), trains=True)  # two, and two stay


def test_a_sparse_matrix_is_named_as_such(tmp_path):
    parts = {'data': np.ones(3), 'indices': np.arange(3), 'indptr': np.arange(4)}
    np.savez(tmp_path / 'bow.npz', format=np.array('csr'), shape=np.array([3, 3]), **parts)
    with pytest.raises(DataError, match='is a sparse matrix'):
        foreign.arrays(str(tmp_path / 'bow.npz'), 'x')


def test_whitening_of_small_values_is_doubted(capsys):
    for scale, is_said in ((1.0, False), (0.01, True)):
        rows = Rows((scale * DRAW.random((50, 6))).astype(np.float32), None)
        whitening.fitted(rows, 'mine')
        assert ('multiply x' in capsys.readouterr().out) == is_said


def test_pictures_with_their_channels_first_are_not_those_trained_on():
    x = DRAW.random((60, 6, 6, 3)).astype(np.float32)
    with fit(inst.basic.vary(epochs=1, hidden=(2,)), x) as run:
        assert run.encode(x.reshape(60, -1)).shape == run.encode(x).shape == (60, 2)
        with pytest.raises(DataError, match='pictures of 3x6x6, the run reads 6x6x3'):
            run.encode(x.transpose(0, 3, 1, 2))


def test_errors_in_detail_are_of_as_many_examples_as_are_scored_at_once():
    """By a bound of many codes these are fewer than are reconstructed at once."""
    x = DRAW.random((300, 784)).astype(np.float32)
    bound = inst.iwae_burda.vary(hidden=(4, 2), epochs=1, importance_samples=0)
    with fit(bound, x) as run:
        found = run.score(x, detail=True)
    assert {len(values) for values in found.values()} == {300}


def test_of_classes_that_are_all_sure_the_likeliest_is_the_label():
    """As in the accuracy, and in the saved graph."""
    logits = np.array([[18, 35, -5], [-120, -95, -130]], np.float32)
    network = SimpleNamespace(
        endpoints=SimpleNamespace(tensors={'logits': None}),
        restored=None,
        batches=lambda *_: iter([logits]),
    )
    (found,) = labelled(network, None)
    assert found['numbers'].tolist() == [1, 1]


def test_what_another_process_has_begun_stays(tmp_path):
    def refused(folder):
        with pytest.raises(RunInUse), _ended(folder):
            folder.mkdir(exist_ok=True)
            (folder / 'arrays.npz').touch()
            raise RunInUse('in use')

    refused(tmp_path / 'kept')
    assert (tmp_path / 'kept/arrays.npz').exists()


def test_places_are_spread_evenly():
    assert evenly(10, 4).tolist() == [0, 2, 5, 7] and evenly(3, 4).tolist() == [0, 1, 2]
    assert evenly(0, 4).tolist() == []


def test_what_is_not_read_of_a_file_takes_no_memory(tmp_path, monkeypatch):
    """And what is, takes more than it has: it is float32 beside what it is."""
    np.savez(tmp_path / 'mine.npz', x=np.zeros((1000, 2)), raw=np.zeros(100_000))
    sizes = {'SC_PHYS_PAGES': 10, 'SC_PAGE_SIZE': 4096}
    monkeypatch.setattr(foreign.os, 'sysconf', sizes.get)
    assert foreign.arrays(str(tmp_path / 'mine.npz'), 'x')['x'].shape == (1000, 2)
    np.savez(tmp_path / 'mine.npz', x=np.zeros((2500, 2), bool))
    with pytest.raises(DataError, match='more than 80% of the memory here'):
        foreign.arrays(str(tmp_path / 'mine.npz'), 'x')
