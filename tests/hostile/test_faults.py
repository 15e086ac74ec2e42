"""Checkpoints that are killed while they are written, or damaged afterwards."""

import dataclasses
import errno
import json
import os
import re
import shutil
from pathlib import Path

import forked
import pytest
from conftest import FakeSaver, saved

from system import disk
from system.errors import DataError
from train.checkpoints import Checkpoints, State
from train.folder import claimed, restart


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def link(file: Path) -> None:
    file.rename(file.with_name('elsewhere'))
    file.symlink_to('elsewhere')


DAMAGES = {
    'flipped': flip,
    'truncated': lambda file: os.truncate(file, file.stat().st_size - 1),
    'emptied': lambda file: os.truncate(file, 0),
    'missing': Path.unlink,
    'a link': link,
}


def test_the_last_two_are_kept_and_a_state_comes_back_exactly(tmp_path):
    checkpoints = saved(tmp_path, 1, 2, 3)
    assert [p.name for p in checkpoints._all()] == ['000000007', '000000008']
    found = Checkpoints(tmp_path).latest()
    assert found == State(phase=1, step=3, before=5, sums=[0.1 * 3])
    assert Checkpoints(tmp_path / 'fresh').latest() is None


@pytest.mark.parametrize('damage', DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize(
    'name', ['state.data-00000-of-00001', 'state.index', 'state.json', 'manifest.json']
)
def test_of_a_damaged_newest_the_one_before_is_used(tmp_path, capsys, name, damage):
    saved(tmp_path, 1, 2)
    damage(tmp_path / 'checkpoints' / '000000007' / name)
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.latest().step == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith('warning:') and '000000007' in line and '000000006' in line
    checkpoints.save(None, FakeSaver(), State(phase=1, step=3, before=5))
    assert [p.name for p in checkpoints._all()] == ['000000006', '000000008']


def test_a_newest_that_is_gone_is_missed_and_none_that_is_whole_is_an_error(tmp_path, capsys):
    saved(tmp_path, 1, 2)
    shutil.rmtree(tmp_path / 'checkpoints' / '000000007')
    assert Checkpoints(tmp_path).latest().step == 1
    assert '000000007: missing' in capsys.readouterr().out
    flip(tmp_path / 'checkpoints' / '000000006' / 'state.index')
    with pytest.raises(DataError, match='000000007: missing.*000000006: damaged.*--restart') as e:
        Checkpoints(tmp_path).latest()
    assert e.value.exit_code == 3
    shutil.rmtree(tmp_path / 'checkpoints' / '000000006')
    with pytest.raises(DataError, match='missing'):
        Checkpoints(tmp_path).latest()


@pytest.mark.parametrize(
    'content', ['', 'null', '"../../elsewhere"', '"/etc"', '[1]', '{', '"elsewhere"', '["a"' * 9999]
)
def test_a_state_file_that_is_garbage_leads_nowhere(tmp_path, capsys, content):
    saved(tmp_path, 1, 2)
    for name in ('newest.json', '000000007/manifest.json', '000000007/state.json'):
        file = tmp_path / 'checkpoints' / name
        whole = file.read_bytes()
        file.write_text(content)
        is_newest = name == 'newest.json'  # which costs nothing, as the newest is found without
        assert Checkpoints(tmp_path).latest().step == (2 if is_newest else 1)
        assert ('000000007' in capsys.readouterr().out) == (not is_newest)
        file.write_bytes(whole)


def test_nothing_outside_the_folder_is_followed_or_removed(tmp_path):
    outside = tmp_path / 'outside'
    saved(outside, 9)
    run = tmp_path / 'run'
    saved(run, 1)
    whole = outside / 'checkpoints' / '000000014'
    (run / 'checkpoints' / '000000099').symlink_to(whole)
    (run / 'checkpoints' / '.000000007.writing').symlink_to(whole)
    manifest = run / 'checkpoints' / '000000006' / 'manifest.json'
    entries = json.loads(manifest.read_text())
    checkpoints = Checkpoints(run)
    assert checkpoints.latest().step == 1
    checkpoints.save(None, FakeSaver(), State(phase=1, step=2, before=5))
    with claimed(run):
        restart(run)
    assert len(list(whole.iterdir())) == 4 and not (run / 'checkpoints').exists()
    saved(run, 1)
    manifest.write_text(json.dumps({'../../../outside/checkpoints/000000014/state.json': {}}))
    with pytest.raises(DataError, match='is missing'):
        Checkpoints(run).latest()
    assert entries.keys() == {'state.data-00000-of-00001', 'state.index', 'state.json'}


def test_what_an_interrupted_write_left_is_removed_when_the_run_is_claimed(tmp_path):
    for name in (
        '.results.json.writing',
        'figures/.loss.png.writing',
        '.export-x.writing/model.meta',
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('half')
    (tmp_path / '.mine').write_text('kept')
    others = ('.codes-iris.csv.0.writing', '.computed-x.writing')  # which others write meanwhile
    for name in others:
        (tmp_path / name).write_text('half')
    with claimed(tmp_path):
        left = {p.name for p in tmp_path.rglob('*') if p.is_file()}
    assert left == {'.lock', '.mine', *others}
    for name in others:
        os.utime(tmp_path / name, (0, 0))
    with claimed(tmp_path):
        assert {p.name for p in tmp_path.iterdir() if p.is_file()} == {'.lock', '.mine'}


def test_a_restart_leaves_nothing_of_the_weights_before(tmp_path):
    (tmp_path / 'export' / 'numpy').mkdir(parents=True)
    (tmp_path / 'export' / 'numpy' / 'weights.npz').touch()
    (tmp_path / 'codes-iris.npz').touch()
    with claimed(tmp_path):
        restart(tmp_path)
    assert {*os.listdir(tmp_path)} <= {'.lock'}


def test_a_disk_that_cannot_be_tidied_names_the_file_that_was_meant(tmp_path, monkeypatch):
    def refused(path):
        raise OSError(errno.EROFS, 'Read-only file system', str(path))

    monkeypatch.setattr(disk, 'remove', refused)
    monkeypatch.setattr('builtins.open', lambda file, *_, **__: refused(file))
    with pytest.raises(OSError, match='Read-only') as raised, disk.whole(tmp_path / 'page.html'):
        pass
    assert raised.value.filename == str(tmp_path / 'page.html')


def test_a_write_that_fails_keeps_the_older_file(tmp_path):
    file = tmp_path / 'results.json'
    disk.write_json(file, [1])
    with pytest.raises(TypeError):
        disk.write_json(file, [2, object()])
    assert json.loads(file.read_text()) == [1] and os.listdir(tmp_path) == ['results.json']


def test_two_that_write_one_file_at_once_leave_one_whole(tmp_path):
    file = tmp_path / 'page.html'
    left = tmp_path / '.page.html.00000000.writing'
    left.write_text('of a killed one')
    os.utime(left, (0, 0))
    with disk.whole(file) as first:
        first.write('a' * 9)
        with disk.whole(file) as second:
            second.write('b')
        assert file.read_text() == 'b'
    assert file.read_text() == 'a' * 9 and os.listdir(tmp_path) == ['page.html']


def test_on_a_full_disk_the_older_file_stays_and_the_error_names_the_file(tmp_path, monkeypatch):
    file = tmp_path / 'results.json'
    disk.write_json(file, [1])

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='No space left on device.*results.json'):
        disk.write_json(file, [2])
    with pytest.raises(OSError, match='No space'), disk.whole_folder(tmp_path / 'made') as aside:
        (aside / 'file').write_text('')
    assert json.loads(file.read_text()) == [1] and os.listdir(tmp_path) == ['results.json']


# What is too small or may not be written, as options of a mount, and what is said of it.
SAID = {
    'records': ({'data': 'size=200k'}, 'data/records/.*No space'),
    'checkpoints': ({'run/checkpoints': 'size=100k'}, 'run/checkpoints/.*No space'),
    'cached activations': ({'run/cache': 'size=20k'}, 'run/cache/.*30,768 bytes'),
    'metrics': (
        {'run': 'size=12k', **dict.fromkeys(('run/checkpoints', 'run/cache', 'run/tb'), 'size=9m')},
        'run/metrics.csv: No space',
    ),
    'events': ({'run/tb': 'size=8k'}, 'run/tb/.*No space'),
    'figures': ({'run/figures': 'size=8k'}, 'run/figures/.*No space'),
    'data, read-only': ({'data': 'ro'}, 'data: cannot be written'),
    'run, read-only': ({'run': 'ro'}, 'run: the run folder cannot be written'),
    'checkpoints, read-only': ({'run/checkpoints': 'ro'}, 'run/checkpoints/.*Read-only'),
    'events, read-only': ({'run/tb': 'ro'}, 'run/tb/.*Read-only'),
    'figures, read-only': ({'run/figures': 'ro'}, 'run/figures/.*Read-only'),
}
MOUNTED = """
import contextlib, ctypes, io, json, os, shutil, subprocess, sys
from pathlib import Path
import main

uid, gid, libc = os.getuid(), os.getgid(), ctypes.CDLL(None)
if libc.unshare(0x10000000 | 0x00020000):  # a user and a tree of mounts of its own
    sys.exit('no mount')
for name, line in (('setgroups', 'deny'), ('uid_map', f'0 {uid} 1'), ('gid_map', f'0 {gid} 1')):
    Path('/proc/self', name).write_text(line)
libc.mount(b'none', b'/', None, 0x4000 | 0x40000, None)  # seen by nobody else
folder, said_of, flags = json.loads(sys.argv[1])
outcomes = {}
for name, (mounts, _) in said_of.items():
    place = Path(folder, name.replace(', ', '-').replace(' ', '-'))
    for mounted, options in mounts.items():
        (place / mounted).mkdir(parents=True, exist_ok=True)
        mount = ['mount', '-t', 'tmpfs', '-o', options, 'none', str(place / mounted)]
        if subprocess.run(mount, capture_output=True).returncode:
            sys.exit('no mount')
    for flag in main.FLAGS:
        main.FLAGS[flag].unparse()
    own = [f'--run_dir={place}/run', f'--data_dir={place}/data']
    own += [] if 'figures' in name else ['--nofigures']
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(None):
        code = main.main(['main.py', *flags, *own])
    shutil.copytree(place, place.with_name(f'{place.name}-left'))
    outcomes[name] = code, said.getvalue(), f'{place.name}-left'
print(json.dumps(outcomes))
"""


@pytest.mark.slow
def test_on_a_full_or_read_only_disk_a_run_ends_with_one_line_and_keeps_what_is_whole(
    tmp_path, digits
):
    flags = (
        '--experiment=phasewise', '--set=hidden=12,6', '--set=epochs=30', '--set=cache_bytes=0',
        f'--array={digits}', '--checkpoint_seconds=0.1', '--summaries=scalars',
    )  # fmt: skip
    told = json.dumps([str(tmp_path), SAID, flags])
    process = forked.script(MOUNTED, ['mounted', told], tmp_path)
    out, err = process.communicate()
    if 'no mount' in err:
        pytest.skip('no file system of its own can be mounted here')
    assert process.returncode == 0, err
    outcomes = json.loads(out)
    assert outcomes.keys() == SAID.keys()
    for name, (code, said, left) in outcomes.items():
        assert len(said.splitlines()) == 1, (name, said)
        (line,) = said.splitlines()
        assert line.startswith('error: ') and re.search(SAID[name][1], line), (name, line)
        usage = name in ('data, read-only', 'run, read-only')  # folders that a flag names
        assert code == (2 if usage else 1), (name, line)
        run = tmp_path / left / 'run'
        files = [f for f in run.rglob('*') if f.is_file() and f.name != '.lock']
        assert not [f for f in files if not f.stat().st_size or f.name.endswith('.writing')], name
        if name in ('cached activations', 'metrics', 'events', 'figures', 'figures, read-only'):
            latest = Checkpoints(run).latest()
            assert latest and latest.updates, name


KILLED = """
import os, signal, sys
from pathlib import Path
from conftest import FakeSaver
from train.checkpoints import Checkpoints, State
from train.folder import claimed, restart

for count in range(1, 1000):
    folder = Path(sys.argv[0], str(count))
    checkpoints = Checkpoints(folder)
    for step in (1, 2):
        checkpoints.save(None, FakeSaver(), State(step=step))
    child = os.fork()
    if not child:
        left = count
        def kill(event, arguments):
            global left
            if event.startswith(('open', 'os.', 'shutil.')):
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(kill)
        checkpoints.save(None, FakeSaver(), State(step=3))
        left = 1 << 60
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(count)
"""


@pytest.mark.slow
def test_killed_before_any_step_of_a_save_no_checkpoint_is_lost(tmp_path, capsys):
    """Each file operation of a save is the last one once; what is there then is whole."""
    process = forked.script(KILLED, [str(tmp_path)], tmp_path)
    out, err = process.communicate()
    assert process.returncode == 0, err
    steps = []
    for count in range(1, int(out) + 1):
        folder = tmp_path / str(count)
        with claimed(folder):
            checkpoints = Checkpoints(folder)
            state = checkpoints.latest()
            steps.append(state.step)
            checkpoints.save(None, FakeSaver(), dataclasses.replace(state, step=4))
        names = {p.name for p in (folder / 'checkpoints').iterdir()}
        assert names == {f'{state.step:09d}', '000000004', 'newest.json'}
    assert len(steps) > 20 and steps == sorted(steps) and set(steps) == {2, 3}
    assert 'warning' not in capsys.readouterr().out
