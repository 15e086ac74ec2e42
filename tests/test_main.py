"""Wrong commands: one line on stderr, and the exit code that is promised."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from conftest import ROOT

import main as program

DIGITS, IRIS = '--dataset=mnist5k', '--dataset=iris'


def test_without_its_packages_it_says_how_python_gets_them():
    asked = [sys.executable, '-S', 'main.py', '--list']  # -S: no site-packages
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count('\n') == 1, done.stderr
    assert 'has no absl' in done.stderr and 'source .venv/bin/activate' in done.stderr


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        ((), '--experiment=NAME is needed'),
        (('--experiment=phasewize',), "did you mean 'phasewise'"),
        (('--experiment=tied', '--set', 'hiden=3'), "did you mean 'hidden'"),
        (('--experiment=tied', '--set', 'hidden'), 'field=value'),
        (
            ('--experiment=semi_supervised', '--set', 'parent.l2=-1'),
            'error: parent.l2=-1.0: must be',
        ),
        (('--experiment=semi_supervised', '--set', 'zzzz=1'), 'no such field; there are dataset'),
        (('--experiment=tied', '--set', 'epochs=0'), 'at least 1'),
        (('--experiment=tied', '--set', 'epochs=many'), 'a whole number'),
        (('--experiment=tied', '--set', 'head=3'), 'no effect'),
        (('--experiment=tied', '--dataset=mnits'), "did you mean 'mnist'"),
        (('--experiment=tied', '--precision=half'), 'float32, bfloat16'),
        (('--experiment=tied', '--mode=trian'), "did you mean 'train'"),
        (('--experiment=tied', '--seed=x'), 'seed'),
        (('--experiment=tied', '--seeds=0'), 'seeds'),
        (('--experiment=tied', '--runns=x'), "did you mean 'runs'"),
        (('--experiment=tied', 'now'), "stray argument 'now'"),
        (('--experiment=tied', '--parent=x'), 'its network is its own'),
        (('--experiment=tied', '--array=/nowhere.npz'), 'no such file'),
        (('--experiment=tied', DIGITS, '--run_dir=/proc/here'), 'cannot be written'),
        (('--experiment=tied', DIGITS, '--data_dir=/proc/here'), 'cannot be written'),
        (('--list', '--describe'), 'ask for one of them'),
        (('--list', '--mode=train'), 'only answers'),
        (('--experiment=tied', '--array='), '--array=: a value is needed'),
        (('--experiment=tied', '--runs='), '--runs=: a value is needed'),
        (('--experiment=tied', '--seed=1', '--seed=2'), '--seed is given 2 times'),
        (('--experiment=tied', '--figures', '--nofigures'), '--figures is given 2 times'),
        (('--experiment=tied', '--set', 'seed=1', '--seed=2'), 'give it once'),
        (('--experiment=tied', '--set', 'epochs=1', '--set', 'epochs=2'), 'given twice'),
        (('--experiment=tied', '--set', 'hidden=3,,4'), 'whole numbers with commas'),
        (('--experiment=tied', '--seed=-1'), '--seed=-1'),
        (('--experiment=tied', '--batch_size=5'), 'did you mean --set batch_size=...?'),
        (('--experiment=tied', '--seed=1.5'), '--seed=1.5: must be a whole number'),
        (('--experiment=tied', '--figures=no'), '--figures=no: must be true or false'),
        (('--experiment=tied', '--checkpoint_seconds=x'), 'seconds=x: must be a number'),
        (('--experiment=tied', '--checkpoint_seconds=-1'), 'from 0 on'),
        (('--experiment=tied', '--checkpoint_seconds=nan'), 'from 0 on'),
        (('--experiment=tied', '--seeds=3', '--mode=evaluate'), '--mode=train, --describe'),
        (('--experiment=tied', '--jobs=2'), 'tied is one run'),
        (('--experiment=phasewise_classifier', '--set', 'parent=x'), 'write --parent=x'),
        (('--experiment=phasewise_classifier', '--set', 'parent.seed=3'), 'set seed itself'),
        (('--experiment=semi_supervised', '--parent=x'), 'semi_supervised is a study'),
        (('--experiment=conv_ae',), '--images=DIR'),
        (('--experiment=conv_ae', '--images=/nowhere'), 'no such folder'),
        (('--experiment=lstm_reconstruct', IRIS), 'reads sequences'),
        (('--experiment=lstm_classifier', IRIS), 'reads sequences'),
        (('--experiment=conv_transpose', IRIS), 'holds no pictures'),
        (('--experiment=memory_onehot', IRIS), 'holds no pictures'),
        (('--experiment=tied', IRIS, '--set', 'crop=1'), 'crop: needs pictures'),
        (('--experiment=tied', IRIS, '--set', 'patience=1'), 'needs validation examples'),
        (('--mode=predict', '--experiment=tied', DIGITS), 'needs --images=DIR or --array'),
        (('--mode=encode', '--run_dir=/nowhere'), 'no finished run'),
        (('--mode=encode', '--run_dir=/nowhere', '--tune'), 'saved in --run_dir is used'),
        (('--mode=predict', '--run_dir=/nowhere', '--tune', '--array=x'), 'saved in --run_dir'),
        (('--mode=generate', '--run_dir=/nowhere', '--tune'), 'saved in --run_dir is used'),
        (('--mode=generate', '--run_dir=/nowhere', '--seed=-1'), '--seed=-1'),
        (('--mode=generate', '--run_dir=/nowhere', '--count=9000000000'), '--count=9000000000'),
        (('--mode=generate', '--run_dir=/nowhere', '--codes=x', '--count=3'), 'says how many'),
    ],
)
def test_a_wrong_command_is_one_line_and_exit_2(main, flags, words):
    code, _, err = main(*flags)
    assert (code, len(err.splitlines())) == (2, 1), err
    assert words in err


def test_data_that_cannot_be_used_is_one_line_and_exit_3(main, tmp_path):
    np.savez(tmp_path / 'nox.npz', z=np.zeros((60, 3)))
    for flags, words in (
        (('--experiment=tied', f'--array={tmp_path}/nox.npz'), 'an array named x'),
        (('--experiment=conv_ae', f'--images={tmp_path}'), 'no pictures there'),
        (('--experiment=phasewise_classifier', IRIS, f'--parent={tmp_path}'), 'no saved graph'),
    ):
        code, _, err = main(*flags)
        assert (code, len(err.splitlines())) == (3, 1), err
        assert words in err


def test_memory_that_is_not_there_is_one_line(main, monkeypatch):
    def exhausted(_):
        raise MemoryError('Unable to allocate 7.28 TiB')

    monkeypatch.setattr(program, 'act', exhausted)
    assert main('--experiment=tied')[::2] == (
        1,
        'error: no memory left; Unable to allocate 7.28 TiB\n',
    )


def test_help_and_list_exit_0(main):
    assert main('--help')[0] == 0
    code, out, _ = main('--list')
    assert code == 0 and 'phasewise_finetune' in out and 'Geron' in out


def test_what_a_library_warns_of_is_one_line(main, capsys):
    with warnings.catch_warnings():
        main('--list')
        warnings.showwarning(UserWarning('a\n  b'), UserWarning, 'library.py', 1)
    assert capsys.readouterr().err == 'warning: a b\n'


def test_flags_can_stand_in_a_file(main, tmp_path):
    (tmp_path / 'flags').write_text('--experiment=tied\n--set=epochs=7\n')
    code, out, _ = main(f'--flagfile={tmp_path}/flags', '--describe')
    assert code == 0 and '"epochs": 7' in out


@pytest.mark.parametrize('name', ['', 'nowhere'])
def test_a_flagfile_that_is_not_there_is_a_line(main, name):
    code, _, err = main(f'--flagfile={name}', '--list')
    assert (code, err) == (2, f'error: --flagfile={name}: is no file that can be read\n')
