"""What long work says of itself where the screen is no terminal."""

import re
import sys

import pytest

from system import progress


class Clock:
    """Stands in for `time`: it moves when it is told to."""

    now = 0.0

    def monotonic(self) -> float:
        """Returns the seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(progress, 'time', made)
    return made


def steps(clock: Clock, count: int, seconds: float) -> None:
    """Makes steps of so many seconds, of ten units each."""
    with progress.Bar('joint', 10 * count, 'example') as bar:
        for step in range(1, count + 1):
            clock.now += seconds
            bar.name(f'joint epoch {step}/{count}')
            bar.to(10 * step)
            bar.end_step({'train/mse': 1 / step}, 10 / seconds, last=step == count)


def test_each_slow_step_is_a_line(clock, capsys):
    steps(clock, 4, 20.0)
    out, err = capsys.readouterr()
    assert not err and out.splitlines() == [
        'joint epoch 1/4: train/mse 1, 0 examples/s, about 60 s left',
        'joint epoch 2/4: train/mse 0.5, 0 examples/s, about 40 s left',
        'joint epoch 3/4: train/mse 0.3333, 0 examples/s, about 20 s left',
        'joint epoch 4/4: train/mse 0.25, 0 examples/s',
    ]


def test_the_first_step_which_warms_up_does_not_count_once_there_are_others(clock, capsys):
    with progress.Bar('joint', 100, 'example') as bar:
        for step, seconds in enumerate((60.0, 2.0, 2.0), 1):
            clock.now += seconds
            bar.to(step)
            bar.end_step({}, 1.0, last=False)
    first, _, third = capsys.readouterr().out.splitlines()
    assert first.endswith('about 99 min left') and third.endswith('about 3 min left')


def test_of_quick_steps_one_a_second_is_and_the_last(clock, capsys):
    steps(clock, 5001, 0.001)
    lines = capsys.readouterr().out.splitlines()
    assert 5 <= len(lines) <= 7 and lines[-1].startswith('joint epoch 5001/5001: ')


def test_in_long_work_lines_are_ten_seconds_apart(clock, capsys):
    steps(clock, 40_000, 1.0)
    assert 4000 < len(capsys.readouterr().out.splitlines()) < 5500


def test_in_the_midst_of_a_step_there_is_a_line_now_and_then(clock, capsys):
    with progress.Bar('recording', 1000, 'picture', done=500) as bar:
        for _ in range(4):
            clock.now += 20.0
            bar.advance(100)
    assert capsys.readouterr().out.splitlines() == [
        'recording: 70% of 1,000 pictures, about 60 s left',
        'recording: 90% of 1,000 pictures, about 20 s left',
    ]


def test_of_what_is_not_known_beforehand_the_number_is_said(clock, capsys):
    with progress.Bar('reading', None, 'picture') as bar:
        clock.now += 40.0
        bar.advance(1234)
    assert capsys.readouterr().out == 'reading: 1,234 pictures\n'


def test_without_a_screen_nothing_is_said(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys, 'stdout', None)
    steps(clock, 3, 20.0)
    assert not capsys.readouterr().err


def test_in_a_terminal_the_bar_is_all(clock, capsys, monkeypatch):
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, 'isatty', lambda: True)
    steps(clock, 3, 20.0)
    out, err = capsys.readouterr()
    assert not out and 'joint' in err


def test_training_says_its_last_epoch_a_phase_with_its_losses(main, digits):
    flags = ('--experiment=phasewise', f'--array={digits}', '--set=hidden=8,4', '--set=epochs=2')
    code, out, err = main(*flags, '--nofigures')
    assert code == 0 and not err
    for phase in ('phase1', 'phase2'):
        said = rf'^{phase}    epoch 2/2: train/{phase}/mse \S+ .*, validation/{phase}/mse \S+, .*[\d,]+ examples/s$'
        assert len(re.findall(said, out, re.M)) == 1, out
