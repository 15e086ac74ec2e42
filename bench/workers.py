"""One run on two workers, each on a core of its own, and in one process: by the program's command.

From what a step takes and what is sent in it follows, on paper, how far more machines help.
"""

from __future__ import annotations

import contextlib
import csv
import json
import math
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import inst
from bench.networks import LEAST_OF_LINEAR, TRAINED_ON, Contender
from bench.reading import Round
from command_line import flags_of
from parameters import Experiment
from system.errors import UserError

_MAIN = Path(__file__).resolve().parent.parent / 'main.py'
_SPEEDS = (1, 10, 100)  # Gb/s
ONE, PROCESS, TWO = 'one worker', 'one process', 'two workers'
CORES: dict[str, Sequence[Sequence[int]]] = {  # trainer -> of each of its processes, which cores
    ONE: [[0]],
    PROCESS: [[0, 1]],
    TWO: [[0], [1]],
}


def trained(experiment: Experiment, data_dir: Path, folder: Path, trainer: str) -> Round:
    """Trains in as many processes as the trainer has, afresh each round.

    Timed are the updates, as the first of the processes finds, without its first epoch.
    """
    mine = sorted(os.sched_getaffinity(0))
    if len(mine) < 2:
        raise UserError('needs two cores')
    cores = [{mine[index] for index in those} for those in CORES[trainer]]

    def train_round(seed: int, epochs: int) -> float:
        asked = experiment.vary(seed=seed, epochs=epochs + 1)
        words = [*flags_of(asked, inst.EXPERIMENTS[asked.name]), '--nofigures']
        with tempfile.TemporaryDirectory(dir=folder) as name, contextlib.ExitStack() as stack:
            words += [f'--data_dir={data_dir}', f'--runs={name}/runs']
            addresses = _addresses(len(cores))
            processes = []
            for index, those in enumerate(cores):
                process = subprocess.Popen(
                    [sys.executable, str(_MAIN), *words],
                    env={**os.environ, 'TF_CONFIG': _config(addresses, index)},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                stack.callback(process.kill)
                os.sched_setaffinity(process.pid, those)
                processes.append(process)
            for process in processes:
                _, said = process.communicate()
                if process.returncode:
                    lines = said.strip().splitlines() or [f'exit code {process.returncode}']
                    raise UserError(lines[-1])
            (run,) = Path(name, 'runs').glob('*/*/metrics.csv')
            return seconds_of_updates(run.parent)

    return train_round


def _config(addresses: Sequence[str], index: int) -> str:
    if len(addresses) == 1:
        return ''
    task = {'type': 'worker', 'index': index}
    return json.dumps({'cluster': {'worker': addresses}, 'task': task})


def _addresses(count: int) -> list[str]:
    """Returns addresses of this machine that nobody listens on."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(socket.create_server(('127.0.0.1', 0))) for _ in range(count)]
        return [f'127.0.0.1:{one.getsockname()[1]}' for one in opened]


def seconds_of_updates(folder: Path) -> float:
    """Returns what an epoch's updates take in a run's last phase, the first epoch left out."""
    with open(folder / 'metrics.csv', newline='') as opened:
        rows = list(csv.DictReader(opened))
    seconds = [float(row['seconds']) for row in rows if row['phase'] == rows[-1]['phase']]
    return sum(seconds[1:]) / (len(seconds) - 1)


def bytes_of(experiment: Experiment, data_dir: Path) -> int:
    """Returns how long the tensor is that workers add up in a step.

    It has float32 gradients, the statistics of batch norm (as many as its averages) and the losses.
    """
    import dataset
    from model import built
    from phases import schedule_of

    spec = dataset.load(experiment, data_dir).spec
    with built(experiment, spec, None) as network:
        values = sum(int(variable.shape.num_elements()) for variable in network.variables)
    return 4 * (values + len(schedule_of(experiment)[-1].losses))


def scaling(measured: dict[str, tuple[list[Contender], dict[str, Any]]]) -> list[list[str]]:
    """Returns the rows of the table on paper, of the networks that were measured.

    A ring sends 2 (n - 1) / n times the bytes, at the speed of the network and nothing else. With
    the same batch on n machines a step takes 1/n of the time and that; with n times the batch, the
    whole time and that.
    """
    head = ['network', 'bytes a step', 'ms a step', 'of linear, two workers', 'beside one process']
    head += [f'{speed} Gb/s' for speed in _SPEEDS]
    head += [f'n times the batch, {speed} Gb/s' for speed in _SPEEDS]
    return [head, *(_row(name, *found) for name, found in measured.items())]


def _row(name: str, contenders: list[Contender], facts: dict[str, Any]) -> list[str]:
    seconds, sent = facts['seconds'], facts['bytes']
    experiment = contenders[0].experiment
    examples = facts['trained_on'][TRAINED_ON[experiment.network]][0]
    batch = experiment.batch_size or examples
    rounds = list(zip(*(seconds[trainer] for trainer in (ONE, PROCESS, TWO)), strict=True))
    whole = [found for found in rounds if None not in found]
    step = median(process for _, process, _ in whole) / math.ceil(examples / batch)
    linear = median(one / (2 * two) for one, _, two in whole)
    beside = median(process / two for _, process, two in whole)
    cells = [name, f'{sent:,}', f'{1000 * step:.1f}', f'{linear:.2f}', f'{beside:.2f}']
    passes = [8 * sent / (speed * 1e9) for speed in _SPEEDS]  # seconds of the bytes, once
    cells += [_of_same_batch(step, once, batch) for once in passes]
    return cells + [_of_larger_batch(step, once) for once in passes]


def _of_same_batch(step: float, once: float, batch: int) -> str:
    """Returns up to how many machines have that share of linear: step / (step + 2 (n - 1) once)."""
    most = 1 + math.floor(step * (1 / LEAST_OF_LINEAR - 1) / (2 * once))
    return str(most) if most < batch else f'{batch}, all'


def _of_larger_batch(step: float, once: float) -> str:
    """Returns what of linear any number of machines have at least: step / (step + 2 once)."""
    return f'{step / (step + 2 * once):.2f}'
