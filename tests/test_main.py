"""Wrong commands: one line on stderr, and the exit code that is promised."""

import pytest

DIGITS = '--dataset=mnist5k'


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        ((), '--experiment=NAME is needed'),
        (('--experiment=phasewize',), "did you mean 'phasewise'"),
        (('--experiment=tied', '--set', 'hiden=3'), "did you mean 'hidden'"),
        (('--experiment=tied', '--set', 'hidden'), 'field=value'),
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
    ],
)
def test_a_wrong_command_is_one_line_and_exit_2(main, flags, words):
    code, _, err = main(*flags)
    assert (code, len(err.splitlines())) == (2, 1), err
    assert words in err


def test_help_and_list_exit_0(main):
    assert main('--help')[0] == 0
    code, out, _ = main('--list')
    assert code == 0 and 'phasewise_finetune' in out and 'Geron' in out


def test_flags_can_stand_in_a_file(main, tmp_path):
    (tmp_path / 'flags').write_text('--experiment=tied\n--set=epochs=7\n')
    code, out, _ = main(f'--flagfile={tmp_path}/flags', '--describe')
    assert code == 0 and '"epochs": 7' in out
