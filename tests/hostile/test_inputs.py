"""Files of arrays that are none, and what else a user's data lead to: one line, nothing left over."""

import os

import pytest

from torture import arrays, cases

NONE = (  # of the corpus: a kind of damage each
    'x, and x.npy', 'x that is words', 'damaged, packed by LZMA', 'another checksum', 'cut at 90%',
    'a header that is no Python', 'a header that is called', 'a header nested deep',
    'a header of 4 GB, that is not there', 'a shape of a petabyte', 'a shape that is true',
    'a hundred axes', 'a type nested deep', 'pickled y', 'splits in bytes that are no text',
    'splits of no characters', 'labels of no characters', 'lengths of no number', 'a pipe',
)  # fmt: skip


@pytest.mark.parametrize('name', NONE)
def test_a_file_of_arrays_that_is_none_is_one_line_and_nothing_is_made(
    main, tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)  # where what is called in a header would leave its mark
    case = arrays.CASES[name]
    assert case.end == cases.LINE
    code, out, err = main(*case.made(tmp_path), f'--data_dir={tmp_path}/data')
    assert code in (2, 3) and err.startswith('error: ') and len(err.splitlines()) == 1, err
    assert 'writing the records' not in out
    assert not (tmp_path / 'data').exists() and not (tmp_path / cases.TOUCHED).exists()


@pytest.mark.parametrize('name', ['figures', 'tb', 'cache', 'checkpoints'])
def test_a_run_does_not_write_through_a_link_in_its_folder(main, tmp_path, digits, name):
    elsewhere, run = tmp_path / 'elsewhere', tmp_path / 'run'
    elsewhere.mkdir()
    run.mkdir()
    (run / name).symlink_to(elsewhere)
    flags = ('--experiment=basic', '--set=hidden=3', '--set=epochs=1', f'--array={digits}')
    code, _, err = main(*flags, f'--run_dir={run}')
    assert code == 2 and f'run/{name}' in err and 'remove it' in err, err
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize('flag', ['inst', 'flagfile'])
def test_a_pipe_in_a_file_s_place_is_not_waited_for(main, tmp_path, flag):
    os.mkfifo(tmp_path / 'pipe')
    code, _, err = main(f'--{flag}={tmp_path}/pipe', '--experiment=iris_linear')
    assert code == 2 and f'--{flag}=' in err and len(err.splitlines()) == 1, err
