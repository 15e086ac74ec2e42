"""One run over several workers ends where one machine with as many parts does, whatever happens."""

import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, call

import numpy as np
import pytest
from conftest import ROOT, most, weights_of
from forked import program
from relay import Relay

import inst
from system.errors import UsageError
from train import cluster, command
from train.team import ALONE, Team

TWO = {'cluster': {'worker': ['a:2222', 'b:2222']}, 'task': {'type': 'worker', 'index': 1}}
RUNS = {  # flags of a run; each has two parts
    'greedy, tied': ('--experiment=phasewise', '--set=hidden=8,6'),
    'head': (
        '--experiment=phasewise_classifier', '--set=parent.hidden=8,6', '--set=parent.epochs=1',
        '--set=head=5',
    ),
    'sparse': ('--experiment=sparse', '--set=hidden=8', '--set=parts=2'),
    'vae': ('--experiment=vae', '--set=hidden=8,4', '--set=parts=2'),
    'conv, batch norm': (
        '--experiment=conv_transpose', '--set=filters=3,4', '--set=parts=2', '--set=patience=1',
    ),
    'lstm': ('--experiment=lstm_reconstruct', '--set=hidden=4'),
}  # fmt: skip


def addresses(count: int) -> list[str]:
    """Returns addresses of this machine that nobody listens on."""
    sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    found = [f'127.0.0.1:{one.getsockname()[1]}' for one in sockets]
    for one in sockets:
        one.close()
    return found


def workers(
    folder: Path, *flags: str, count: int = 2, come: int | None = None, each=lambda index: (),
    over: list[Relay] | None = None, places: tuple[Path, ...] = (ROOT, ROOT, ROOT, ROOT),
) -> list:  # fmt: skip
    """Starts a command on the first of so many workers, each with a folder of runs of its own.

    Each reaches the others over a relay where these are asked for, and is started in its place.
    """
    listened = addresses(count)
    reached = listened
    if over is not None:
        relays = [Relay(address) for address in listened]
        reached = [relay.address for relay in relays]
        over += relays
    made = []
    for index in range(count if come is None else come):
        seen = [listened[i] if i == index else reached[i] for i in range(count)]
        task = {'type': 'worker', 'index': index}
        config = json.dumps({'cluster': {'worker': seen}, 'task': task})
        flags_here = (*flags, *each(index), f'--runs={folder}/runs{index}')
        made.append(program(*flags_here, environ={'TF_CONFIG': config}, folder=places[index]))
    return made


def ended(processes: list) -> list[tuple[int, str, str]]:
    """Returns the exit code of each, and what it said."""
    said = [process.communicate() for process in processes]
    return [(p.returncode, *words) for p, words in zip(processes, said, strict=True)]


def line_of(said: str) -> str:
    """Returns the one line of error; what TensorFlow says besides, the program would keep quiet."""
    (found,) = (line for line in said.splitlines() if line.startswith('error: '))
    return found


def only(folder: Path, pattern: str = '*/*/results.json') -> Path:
    """Returns the folder of the run of the last experiment there."""
    return max(folder.glob(pattern), key=os.path.getmtime).parent


@pytest.fixture
def common(digits, data_dir) -> tuple[str, ...]:
    few = ('--nofigures', '--set=epochs=2', '--set=batch_size=101')  # of 640: the last batch has 34
    return (*few, f'--array={digits}', f'--data_dir={data_dir}')


@pytest.mark.parametrize('kind', most(RUNS, 'greedy, tied'.__eq__))
def test_two_workers_end_where_one_machine_ends(kind, common, strips, tmp_path):
    flags = (*RUNS[kind], *common)
    if kind == 'lstm':
        flags = (*(flag for flag in flags if '--array' not in flag), f'--array={strips}')
    alone = program(*flags, f'--runs={tmp_path}/alone')
    found = ended(workers(tmp_path, *flags))
    assert [code for code, *_ in found] == [0, 0], found
    assert not alone.wait()
    ours, theirs = (only(tmp_path / name) for name in ('runs0', 'alone'))
    assert ours.name == theirs.name
    for name, values in weights_of(theirs).items():
        np.testing.assert_array_equal(weights_of(ours)[name], values, err_msg=name)
    rows = [(folder / 'metrics.csv').read_text().splitlines() for folder in (ours, theirs)]
    timed = {3, 4}  # seconds and examples a second
    cells = [[[c for i, c in enumerate(r.split(',')) if i not in timed] for r in f] for f in rows]
    assert cells[0] == cells[1]
    assert not (tmp_path / 'runs1').exists() and 'epoch' not in found[1][1]


@pytest.mark.slow
def test_four_workers_differ_by_rounding(common, tmp_path):
    flags = ('--experiment=tied', '--set=hidden=8', '--set=parts=4', *common)
    alone = program(*flags, f'--runs={tmp_path}/alone')
    assert [code for code, *_ in ended(workers(tmp_path, *flags, count=4))] == [0] * 4
    assert not alone.wait()
    ours, theirs = (weights_of(only(tmp_path / name)) for name in ('runs0', 'alone'))
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-5)


def newest(folder: Path) -> int:
    """Returns of how many updates the newest checkpoint there is."""
    return max((int(place.name) for place in folder.glob('*/*/checkpoints/0*')), default=0)


def training(folder: Path, *flags: str, over: list[Relay] | None = None) -> list:
    """Starts two workers, and waits until they have saved a checkpoint of their own."""
    before, both = newest(folder / 'runs0'), workers(folder, *flags, over=over)
    for _ in range(1200):
        if newest(folder / 'runs0') > before:
            return both
        assert both[0].poll() is None, both[0].communicate()
        time.sleep(0.05)
    raise AssertionError('no checkpoint')


@pytest.mark.slow
def test_whoever_is_killed_stopped_or_interrupted_the_run_goes_on_to_the_same_bits(
    common, tmp_path
):
    flags = ('--experiment=tied', '--set=hidden=8', *common, '--set=epochs=200')
    flags = tuple(flag for flag in flags if flag != '--set=epochs=2')
    alone = program(*flags, f'--runs={tmp_path}/alone')
    flags += ('--checkpoint_seconds=0.2', '--worker_seconds=6')
    for index, number in ((1, signal.SIGKILL), (0, signal.SIGKILL), (1, signal.SIGSTOP)):
        both = training(tmp_path, *flags)
        both[index].send_signal(number)
        ((code, _, said),) = ended([both[1 - index]])
        assert code == 6 and line_of(said).startswith(f'error: worker {index} (127.0.0.1:')
        both[index].kill()
    relays: list[Relay] = []
    both = training(tmp_path, *flags, over=relays)
    for relay in relays:
        relay.stall()
    for index, (code, _, said) in enumerate(ended(both)):
        assert code == 6 and line_of(said).startswith(f'error: worker {1 - index} (127.0.0.1:')
    for index, number in ((1, signal.SIGINT), (0, signal.SIGTERM)):
        both = training(tmp_path, *flags)
        both[index].send_signal(number)
        assert [code for code, *_ in ended(both)] == [128 + number] * 2
    (code, said, _), _ = ended(workers(tmp_path, *flags))
    assert code == 0 and 'resumes after update' in said
    assert not alone.wait()
    ours, theirs = (weights_of(only(tmp_path / name)) for name in ('runs0', 'alone'))
    for name in theirs:
        np.testing.assert_array_equal(ours[name], theirs[name])


@pytest.fixture
def neighbour() -> Iterator[tuple[list[str], str]]:
    """Gives what begins a command on another machine, as Linux makes one, and this one's address."""
    name, ours, theirs = f'n{os.getpid()}', f'v{os.getpid()}', f'w{os.getpid()}'
    there = ['ip', 'netns', 'exec', name]
    lines = [
        f'ip link add {ours} type veth peer name {theirs} netns {name}',
        f'ip addr add 198.18.73.1/30 dev {ours}',
        f'ip link set {ours} up',
        f'ip -n {name} addr add 198.18.73.2/30 dev {theirs}',
        f'ip -n {name} link set {theirs} up',
    ]
    if not shutil.which('ip') or call(['ip', 'netns', 'add', name], stderr=DEVNULL):
        pytest.skip('no network can be made here')
    try:
        if any(call(line.split(), stderr=DEVNULL) for line in lines):
            pytest.skip('no network can be made here')
        yield there, '198.18.73.1'
    finally:
        call(['ip', 'netns', 'del', name])


def test_no_other_machine_reaches_a_worker_of_this_one(neighbour, common, tmp_path):
    there, address = neighbour

    def reaches(port: int) -> bool:
        calling = f'import socket; socket.create_connection(({address!r}, {port}), timeout=5)'
        return not call([*there, sys.executable, '-c', calling], stderr=DEVNULL)

    with socket.create_server(('', 0)) as control:
        assert reaches(control.getsockname()[1])
    (chief,) = workers(tmp_path, '--experiment=tied', *common, '--worker_seconds=60', come=1)
    started = '2 workers, this is the chief: 127.0.0.1:'
    while started not in (said := chief.said()):
        assert chief.poll() is None, chief.communicate()
        time.sleep(0.1)
    port = int(said.partition(started)[2].partition(',')[0])
    socket.create_connection(('127.0.0.1', port), timeout=10).close()
    assert not reaches(port)
    chief.send_signal(signal.SIGINT)
    ((code, said, error),) = ended([chief])
    assert code == 130 and 'all interfaces' not in said + error


@pytest.mark.parametrize(
    ('each', 'what'),
    [
        (lambda index: (f'--set=l2={index}',), 'experiment'),
        (lambda index: ('--restart',) * index, '--restart'),
        (lambda index: ('--array=other.npz',) * index, 'data set'),
    ],
    ids=['experiment', 'flag', 'data'],
)
def test_what_is_not_the_same_on_all_is_a_line_on_all(each, what, digits, data_dir, tmp_path):
    other = dict(np.load(digits))
    np.savez(tmp_path / 'digits.npz', x=other['x'][::-1], y=other['y'])
    arrays = (digits, tmp_path / 'digits.npz' if what == 'data set' else digits)
    found = ended(
        workers(
            tmp_path, '--experiment=tied', '--set=epochs=1', '--nofigures',
            each=lambda i: (
                *(() if what == 'data set' else each(i)),
                f'--array={arrays[i]}', f'--data_dir={tmp_path}/data{i}',
            ),
        )
    )  # fmt: skip
    for code, _, said in found:
        assert code == 2 and said.splitlines()[-1].startswith('error: '), said
        assert 'worker 1' in said and what in said


def test_a_worker_that_never_comes_is_a_line(common, tmp_path):
    flags = ('--experiment=tied', *common, '--set=parts=3', '--worker_seconds=10')
    for code, said, error in ended(workers(tmp_path, *flags, count=3, come=2)):
        assert code == 6 and 'waiting for worker ' in said
        assert line_of(error).startswith('error: worker 2 (127.0.0.1:')
        assert 'has not come in 10 seconds' in error


SLOW = """
import json, os, pathlib, time
import numpy as np
from inputs.readers import Examples, Source, reader, split
from inst import tied

@reader
def slow(asked):
    index = json.loads(os.environ['TF_CONFIG'])['task']['index']
    pathlib.Path('read-by-worker').touch()
    time.sleep(2 * index)
    x = np.arange(4000).reshape(40, 10, 10) % 251
    return Source('counted', split(Examples(x.astype(np.uint8), np.arange(40) % 2)), ('a', 'b'))

slow_tied = tied.vary('slow_tied', description='on data that are slow to read', dataset='slow')
"""


@pytest.mark.parametrize('index', [0, 1])
def test_a_signal_while_data_are_read_ends_all_at_once(index, tmp_path):
    (tmp_path / 'mine.py').write_text(SLOW)
    places = tuple(tmp_path / f'place{i}' for i in range(2))
    for place in places:
        place.mkdir()
    both = workers(
        tmp_path, '--experiment=slow_tied', f'--inst={tmp_path}/mine.py', '--nofigures',
        each=lambda i: (f'--data_dir={tmp_path}/data{i}',), places=places,
    )  # fmt: skip
    while not all((place / 'read-by-worker').exists() for place in places):
        assert both[1].poll() is None, both[1].communicate()
        time.sleep(0.02)
    began = time.monotonic()
    both[index].send_signal(signal.SIGTERM)
    found = ended(both)
    assert [code for code, *_ in found] == [143, 143], found
    assert all('SIGTERM' in line_of(said) for *_, said in found), found
    assert time.monotonic() - began < 15


def test_a_graph_that_the_chief_alone_has_is_sent_and_one_it_lacks_is_a_line_on_all(
    main, common, tmp_path
):
    places = tmp_path / 'chief', tmp_path
    parent = f'--run_dir={tmp_path}/chief/dense'
    assert main('--experiment=phasewise', '--set=hidden=6,5', *common, parent)[0] == 0
    flags = ('--experiment=phasewise_classifier', '--set=head=4', '--set=parts=2', *common)
    alone = program(*flags, '--parent=dense', f'--runs={tmp_path}/alone', folder=places[0])
    found = ended(workers(tmp_path, *flags, '--parent=dense', places=places))
    assert [code for code, *_ in found] == [0, 0], found
    assert not alone.wait()
    ours, theirs = (weights_of(only(tmp_path / name)) for name in ('runs0', 'alone'))
    for name in theirs:
        np.testing.assert_array_equal(ours[name], theirs[name])
    for code, _, said in ended(workers(tmp_path, *flags, '--parent=none', places=places)):
        assert code == 3 and 'none: no saved graph there' in line_of(said), said


@pytest.mark.parametrize(
    ('config', 'said'),
    [
        ('{', 'is not of the form'),
        ('[]', 'is not of the form'),
        ('{"cluster": {}}', 'is not of the form'),
        (json.dumps(TWO | {'task': {'type': 'worker', 'index': 2}}), 'must be one of'),
        (json.dumps(TWO | {'task': {'type': 'worker', 'index': True}}), 'must be one of'),
        (json.dumps(TWO | {'task': {'type': 'ps', 'index': 0}}), 'must be one of'),
        (json.dumps(TWO | {'cluster': {'worker': ['a:1'], 'ps': ['b:1']}}), "'ps'"),
        (json.dumps(TWO | {'cluster': {'worker': ['a:1', 'b']}}), 'host:port'),
        (json.dumps(TWO | {'cluster': {'worker': ['a:1', 'b:70000']}}), 'host:port'),
        (json.dumps(TWO | {'cluster': {'worker': ['a:1', 'a:1']}}), 'of its own'),
    ],
)
def test_a_cluster_that_cannot_be_is_refused(config, said):
    with pytest.raises(UsageError, match=said):
        cluster.named({'TF_CONFIG': config})


def test_a_chief_is_the_first_worker():
    config = {'cluster': {'chief': ['c:1'], 'worker': ['a:1', 'b:1']}}
    for kind, index, place in (('chief', 0, 0), ('worker', 0, 1), ('worker', 1, 2)):
        config['task'] = {'type': kind, 'index': index}
        found = cluster.named({'TF_CONFIG': json.dumps(config)})
        assert (found.index, found.addresses) == (place, ('c:1', 'a:1', 'b:1'))
    assert cluster.named({}) is cluster.named({'TF_CONFIG': ' '}) is ALONE


def test_parts_are_shared_out_evenly(capsys):
    team = Team(0, ('a:1', 'b:1'))
    child = cluster.in_parts(inst.phasewise_classifier.vary(parts=1), team)
    assert child.parts == 2 and child.parent.parts == 2
    assert 'parts=2, one a worker' in capsys.readouterr().out
    with pytest.raises(UsageError, match='must be a multiple of 2'):
        cluster.in_parts(inst.tied.vary(parts=3), team)


@pytest.mark.parametrize('seconds', ['0', '-1', 'nan', 'inf'])
def test_a_wait_that_is_no_time_is_refused(main, monkeypatch, seconds):
    monkeypatch.setenv('TF_CONFIG', json.dumps(TWO))
    code, _, error = main('--experiment=tied', f'--worker_seconds={seconds}')
    assert code == 2 and error.startswith(f'error: --worker_seconds={seconds}: must be')


@pytest.mark.parametrize('flags', [('--experiment=tied', '--seeds=2'), ('--mode=results',)])
def test_what_is_many_runs_is_none_of_workers(main, monkeypatch, flags):
    monkeypatch.setenv('TF_CONFIG', json.dumps(TWO))
    code, _, error = main(*flags)
    assert code == 2 and error.startswith('error: TF_CONFIG: has no effect on')


@pytest.mark.parametrize('more', [(), ('--seeds=2',)])
def test_a_wait_for_workers_is_refused_where_there_are_none(main, monkeypatch, more):
    monkeypatch.delenv('TF_CONFIG', raising=False)
    code, _, error = main('--experiment=tied', '--worker_seconds=5', *more)
    assert code == 2 and error.startswith('error: --worker_seconds has no effect without TF_CONFIG')


def test_runs_in_processes_of_their_own_are_apart(monkeypatch, tmp_path):
    monkeypatch.setenv('TF_CONFIG', json.dumps(TWO))
    assert 'TF_CONFIG' not in command.carried(os.environ)
    words = ('-c', 'import os; print(os.environ.get("TF_CONFIG"))')
    asked = command.Command(words, str(tmp_path), str(tmp_path / 'log'), {})
    assert command.attempt(asked, lambda: False, set())[0] == 0
    assert (tmp_path / 'log').read_text() == 'None\n'
