"""Times the product's training against a bare session, Keras and PyTorch, taking turns."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from absl import app, flags

from bench import report
from bench.contenders import NETWORKS, Contender, Task

FLAGS = flags.FLAGS
_SLOW_ROUNDS = 2  # of bfloat16 where the CPU lacks it and takes several times as long

flags.DEFINE_integer('rounds', 5, 'Rounds that count.', lower_bound=1)
flags.DEFINE_integer('epochs', 3, 'Epochs a contender trains in a round.', lower_bound=1)
flags.DEFINE_enum('dataset', 'mnist', ['mnist', 'mnist5k'], 'What is trained on.')
flags.DEFINE_string('data_dir', 'data', 'Where data sets are found and records are kept.')
flags.DEFINE_string('only', '', 'A pattern to be found in `network/contender`.')
flags.DEFINE_string('output', 'bench/RESULTS.md', 'Where the report is written.')


class Failed(Exception):
    """A worker that cannot go on, and why."""


class Worker:
    """A process that does one task and waits between its commands."""

    def __init__(self, task: Task):
        """Starts it; the first answer comes when it is ready."""
        self._log = tempfile.TemporaryFile('w+', dir=task.folder)  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'bench.contenders'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            bufsize=1,
        )
        self.send(task._asdict())

    def send(self, content: dict[str, Any]) -> None:
        """Writes one line to it."""
        self._process.stdin.write(json.dumps(content) + '\n')

    def answer(self) -> dict[str, Any]:
        """Waits for one line from it; raises Failed where it has none, or says why not."""
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._log.seek(0)
            last = self._log.read().splitlines()[-1:]
            raise Failed(last[0] if code == 1 and last else f'ended with code {code}')
        content = json.loads(line)
        if 'failed' in content:
            raise Failed(content['failed'])
        return content

    def close(self) -> None:
        """Ends it."""
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def due(network: str, index: int, facts: dict[str, Any]) -> list[Contender]:
    """Returns the contenders of a round, in its order; round 0 is not counted."""
    without = index > facts['bfloat16_rounds']
    found = [
        contender
        for contender in NETWORKS[network]
        if contender.experiment.data_path in ('', *facts['made'])
        and re.search(FLAGS.only, f'{network}/{contender.name}')
        and not (without and contender.experiment.precision == 'bfloat16')
    ]
    turn = index % max(1, len(found))
    return found[turn:] + found[:turn]


def measure(task: Task, facts: dict[str, Any]) -> report.Measured:
    """Trains every network by every contender, round by round."""
    measured: report.Measured = {}

    def ask(worker: Worker, key: tuple[str, str], command: dict[str, int] | None = None) -> Any:
        try:
            if command:
                worker.send(command)
            return worker.answer().get('seconds')
        except (Failed, BrokenPipeError) as error:
            measured[key] = str(error)
            return None

    began, done = time.monotonic(), 0
    jobs = sum(len(due(n, r, facts)) for n in NETWORKS for r in range(facts['rounds'] + 1))
    for network in NETWORKS:
        with contextlib.ExitStack() as stack:
            workers = {}
            for contender in due(network, 0, facts):
                key = (network, contender.name)
                workers[key] = Worker(task._replace(network=network, contender=contender.name))
                stack.callback(workers[key].close)
                measured[key] = [None] * facts['rounds']
            for key, worker in workers.items():
                ask(worker, key)
            for index in range(facts['rounds'] + 1):
                for key in ((network, contender.name) for contender in due(network, index, facts)):
                    seconds = None
                    if isinstance(measured[key], list):
                        command = {'seed': index, 'epochs': facts['epochs'] if index else 1}
                        seconds = ask(workers[key], key, command)
                    if index and seconds:
                        measured[key][index - 1] = seconds
                    done += 1
                    said = f'{seconds:.2f} s an epoch' if seconds else measured[key]
                    left = (time.monotonic() - began) / done * (jobs - done) / 60
                    print(
                        f'{network}, round {index} of {facts["rounds"]}, {key[1]}: {said}; '
                        f'about {left:.0f} min left',
                        file=sys.stderr,
                    )
    return measured


def seconds_of_others() -> float:
    """Returns the processor time of all processes but this one and its ended children."""
    file = Path('/proc/stat')
    if not file.is_file():
        return 0.0
    user, nice, system, _idle, _wait, *rest = map(int, file.read_text().split()[1:9])
    mine = sum(os.times()[:4])
    return (user + nice + system + sum(rest)) / os.sysconf('SC_CLK_TCK') - mine


def main(arguments: list[str]) -> None:
    """Prepares the data, measures, and prints and writes the report."""
    if arguments[1:]:
        raise app.UsageError(f'stray argument {arguments[1]!r}; flags are written --name=value')
    facts = {'rounds': FLAGS.rounds, 'epochs': FLAGS.epochs}
    began, others = time.monotonic(), seconds_of_others()
    runs = Path('runs')  # on the disk that runs are on: checkpoints cost what they cost there
    runs.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.bench-', dir=runs) as folder:
        task = Task(FLAGS.dataset, FLAGS.data_dir, str(Path(folder).resolve()))
        with contextlib.closing(Worker(task)) as preparing:
            try:
                facts |= preparing.answer()
            except Failed as error:
                raise SystemExit(f'error: {error}') from None
        kept = FLAGS.rounds if facts['bfloat16'] else min(FLAGS.rounds, _SLOW_ROUNDS)
        facts['bfloat16_rounds'] = kept
        if facts['dataset'] != FLAGS.dataset:
            print(
                f'{FLAGS.dataset} is not to be had: trains on {facts["dataset"]}', file=sys.stderr
            )
        measured = measure(task._replace(dataset=facts['dataset']), facts)
    others = seconds_of_others() - others
    facts['others'] = max(0.0, others) / (time.monotonic() - began) / facts['cpus']
    text = report.render(measured, facts)
    print(text)
    Path(FLAGS.output).write_text(text)


if __name__ == '__main__':
    try:
        app.run(main)
    except KeyboardInterrupt:
        sys.exit(130)
