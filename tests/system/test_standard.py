"""Standard streams that nobody reads, or that are closed: they end no run, and hide no failure."""

import errno
import io
import os
import resource
import sys

import pytest
from conftest import results_of
from forked import Forked

from system import standard
from system.errors import Exhausted
from system.quiet import silent

TINY = ('--experiment=basic', '--set=hidden=3', '--set=epochs=1', '--set=steps_per_epoch=2')


def with_streams(how: str, flags: tuple[str, ...]) -> int:
    """Calls the program as a shell does with `| head -0`, `>&- 2>&- <&-` or `>/dev/full`."""
    import main

    if how == 'closed':
        for number in range(3):
            os.close(number)
        sys.stdin = sys.stdout = sys.stderr = None  # as Python has them then
    elif how == 'full':
        os.dup2(os.open('/dev/full', os.O_WRONLY), 1)
    else:
        for number in (1, 2):
            read, write = os.pipe()
            os.close(read)
            os.dup2(write, number)
    return main.main(['main.py', *flags])


@pytest.mark.slow
@pytest.mark.parametrize('how', ['unread', 'closed'])
def test_a_run_whose_words_nobody_reads_goes_on_to_its_end(data_dir, digits, tmp_path, how):
    flags = (*TINY, f'--array={digits}', f'--data_dir={data_dir}', f'--run_dir={tmp_path}/run')
    assert Forked(with_streams, how, flags).wait() == 0
    assert results_of(tmp_path / 'run')['updates'] == 2


@pytest.mark.parametrize(
    ('how', 'flag', 'code'),
    [
        ('unread', '--list', 0),
        ('unread', '--experiment=none', 2),
        ('closed', '--experiment=none', 2),
        ('full', '--list', 1),
    ],
)
def test_an_answer_that_nobody_reads_is_no_failure_and_a_failure_no_success(how, flag, code):
    assert Forked(with_streams, how, (flag,)).wait() == code


@pytest.mark.skipif(not hasattr(os, 'openpty'), reason='needs a terminal')
def test_a_terminal_that_was_closed_is_written_to_no_more():
    above, below = os.openpty()
    os.close(above)
    stream = standard._Lasting(below, 'wb', closefd=False)
    with pytest.raises(OSError) as raised:
        io.FileIO(below, 'wb', closefd=False).write(b'a')
    assert raised.value.errno == errno.EIO
    assert stream.write(b'ab') == 2 and not standard.fault()


def test_a_process_that_may_not_have_the_memory_that_tensorflow_begins_with_is_told(monkeypatch):
    monkeypatch.setattr(resource, 'getrlimit', lambda _: (1_500_000 << 10, resource.RLIM_INFINITY))
    with pytest.raises(Exhausted, match=r'1\.4 GiB of addresses \(`ulimit -v`\)'), silent():
        pass
