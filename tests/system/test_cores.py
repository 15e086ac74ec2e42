"""Work that a copy of this process takes a part of is done whatever becomes of the copy."""

import multiprocessing
import os
import signal
import time
from functools import partial

import pytest

from system import cores


def _write(folder, number, gone_wrong=lambda: None):
    if os.getpid() != _US:
        gone_wrong()
    (folder / f'{number}').write_text(str(os.getpid()))
    time.sleep(0.02)


_US = os.getpid()


@pytest.fixture(autouse=True)
def two_cores(undrawn, monkeypatch):
    monkeypatch.setattr(cores, '_copied', undrawn[cores, '_copied'])
    monkeypatch.setattr(cores, 'number', lambda: 2)


def _done_by(folder):
    return {int(file.read_text()) for file in folder.iterdir()}


@pytest.mark.parametrize(
    'gone_wrong',
    [
        lambda: 1 / 0,
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        lambda: time.sleep(60),
    ],
    ids=['an error', 'killed', 'hangs'],
)
def test_what_the_copy_does_not_get_done_is_done_here(gone_wrong, tmp_path, monkeypatch):
    monkeypatch.setattr(cores, '_PATIENCE', 0.1)
    monkeypatch.setattr(cores, '_SLOWER', 0)
    cores.share([partial(_write, tmp_path, n, gone_wrong) for n in range(9)], here=[])
    assert len([*tmp_path.iterdir()]) == 9
    assert _done_by(tmp_path) == {_US}


def test_a_copy_helps_but_with_what_is_to_be_done_here(tmp_path):
    here = partial(_write, tmp_path, 'here')
    cores.share([partial(_write, tmp_path, n) for n in range(20)], here=[here])
    assert len(_done_by(tmp_path)) == 2
    assert (tmp_path / 'here').read_text() == str(_US)


@pytest.mark.parametrize('module, name', [('os', 'pipe'), ('os', 'fork')])
def test_without_files_or_processes_to_be_had_all_is_done_here(module, name, tmp_path, monkeypatch):
    def refuse():
        raise OSError('none left')

    monkeypatch.setattr(f'{module}.{name}', refuse)
    cores.share([partial(_write, tmp_path, n) for n in range(3)], here=[])
    assert _done_by(tmp_path) == {_US}


def test_an_error_here_is_raised_and_the_copy_is_gone(tmp_path):
    with pytest.raises(ZeroDivisionError):
        cores.share([partial(_write, tmp_path, n) for n in range(9)], here=[lambda: 1 / 0])
    assert not multiprocessing.active_children()
    assert len(_done_by(tmp_path)) <= 1 and len([*tmp_path.iterdir()]) < 9
