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
from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import app, flags

from bench import page
from bench.networks import BYTES, NETWORKS, WORKERS, Contender
from bench.page import Seconds
from bench.peers import Task
from parameters import PRECISIONS
from system import disk

FLAGS = flags.FLAGS
_SLOW_ROUNDS = 2  # of bfloat16 where the CPU lacks it and takes several times as long

flags.DEFINE_integer('rounds', 5, 'Rounds that count.', lower_bound=1)
flags.DEFINE_integer('epochs', 3, 'Epochs a contender trains in a round.', lower_bound=1)
flags.DEFINE_enum('dataset', 'mnist', ['mnist', 'mnist5k'], 'What is trained on.')
flags.DEFINE_string('data_dir', 'data', 'Where data sets are found and records are kept.')
flags.DEFINE_string('only', '', 'A pattern to be found in `network/contender`.')
flags.DEFINE_string('output', 'bench/RESULTS.md', 'The page; figures are kept beside it (.json).')


class Failed(Exception):
    """A worker that cannot go on, and why."""


class Worker:
    """A process that does one task and waits between its commands."""

    def __init__(self, task: Task, onednn: str = ''):
        """Starts it, with oneDNN as it is told to; the first answer comes when it is ready."""
        self._log = tempfile.TemporaryFile('w+', dir=task.folder)  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'bench.contenders'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            bufsize=1,
            env=os.environ | ({'TF_ENABLE_ONEDNN_OPTS': onednn} if onednn else {}),
        )
        assert self._process.stdin and self._process.stdout  # they are pipes
        self._to, self._from = self._process.stdin, self._process.stdout
        self.send(task._asdict())

    def send(self, content: dict[str, Any]) -> None:
        """Writes one line to it."""
        try:
            self._to.write(json.dumps(content) + '\n')
        except BrokenPipeError:
            raise self._failed() from None

    def _failed(self) -> Failed:
        """Says how it has ended."""
        code = self._process.wait()
        self._log.seek(0)
        last = self._log.read().splitlines()[-1:]
        return Failed(last[0] if code == 1 and last else f'ended with code {code}')

    def answer(self) -> dict[str, Any]:
        """Waits for one line from it; raises Failed where it has none, or says why not."""
        line = self._from.readline()
        if not line:
            raise self._failed()
        content = json.loads(line)
        if 'failed' in content:
            raise Failed(content['failed'])
        return content

    def close(self) -> None:
        """Ends it."""
        with contextlib.suppress(BrokenPipeError):  # of what it did not read any more
            self._to.close()
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


def rounds_of(network: str, facts: dict[str, Any]) -> int:
    """Returns the rounds of a network that count."""
    return facts['rounds'] * NETWORKS[network][0].often


def measure(network: str, task: Task, facts: dict[str, Any], left: Callable[[], str]) -> Seconds:
    """Trains a network by every contender, round by round."""
    measured: Seconds = {}
    rounds = rounds_of(network, facts)

    def ask(worker: Worker, name: str, command: dict[str, Any] | None = None) -> Any:
        try:
            if command:
                worker.send(command)
            return worker.answer().get('seconds')
        except Failed as error:
            measured[name] = str(error)
            return None

    with contextlib.ExitStack() as stack:
        workers = {}
        for contender in due(network, 0, facts):
            process = contender.process or contender.name
            measured[contender.name] = [None] * rounds
            if process not in workers:
                its = task._replace(network=network, contender=process)
                workers[process] = Worker(its, contender.onednn)
                stack.callback(workers[process].close)
        for process, worker in workers.items():
            ask(worker, process)
        for index in range(rounds + 1):
            epochs = facts['epochs'] if index else 1
            for contender in due(network, index, facts):
                name = contender.name
                seconds, times = None, measured[name]
                if isinstance(times, list):
                    command = {'contender': name, 'seed': index, 'epochs': epochs}
                    seconds = ask(workers[contender.process or name], name, command)
                    if index and seconds:
                        times[index - 1] = seconds
                said = f'{seconds:.2f} s an epoch' if seconds else measured[name]
                print(
                    f'{network}, round {index} of {rounds}, {name}: {said}; {left()}',
                    file=sys.stderr,
                )
    return measured


def peaks(task: Task, facts: dict[str, Any]) -> dict[str, float]:
    """Returns the operations a second of large products, by precision."""
    found = {}
    for precision in PRECISIONS if facts['bfloat16'] else PRECISIONS[:1]:
        with contextlib.closing(Worker(task._replace(contender=precision))) as worker:
            found[precision] = worker.answer()['peak']
    return found


def measure_all(task: Task, facts: dict[str, Any], file: Path) -> page.Results:
    """Measures what --only names and puts it in place of what `file` has of it; returns it all."""
    results: page.Results = json.loads(file.read_text()) if file.is_file() else {}
    jobs = sum(len(due(n, r, facts)) for n in NETWORKS for r in range(rounds_of(n, facts) + 1))
    if not jobs:
        raise SystemExit(
            f'error: --only={FLAGS.only}: names nothing whose data is here; pictures are found '
            'through the environment variable DATASETS_DIR'
        )
    for network in NETWORKS:
        mine = {contender.name for contender in due(network, 0, facts)}
        if mine and (lost := results.get(network, {}).get('seconds', {}).keys() - mine):
            raise SystemExit(
                f'error: --only={FLAGS.only}: leaves out {", ".join(sorted(lost))} of {network}, '
                'measured before, which it would be compared with; name all of them'
            )
    began, done = time.monotonic(), 0

    def left() -> str:
        nonlocal done
        done += 1
        return f'about {(time.monotonic() - began) / done * (jobs - done) / 60:.0f} min left'

    for network in NETWORKS:
        if not due(network, 0, facts):
            continue
        first, here = NETWORKS[network][0], facts
        if first.name == first.trainer == 'product':  # beside its peers
            here = facts | {'peak': peaks(task, facts)}
        if network.startswith(WORKERS):
            asked = task._replace(network=network, contender=BYTES)
            with contextlib.closing(Worker(asked)) as worker:
                here = facts | worker.answer()
        start, others = time.monotonic(), seconds_of_others()
        seconds = measure(network, task, facts, left)
        spent = (time.monotonic() - start) * facts['cpus']
        busy = max(0.0, seconds_of_others() - others) / spent
        results[network] = {**here, 'others': busy, 'seconds': seconds}
        disk.write_json(file, results)
    return results


def seconds_of_others() -> float:
    """Returns the processor time of all processes but this one and its ended children."""
    file = Path('/proc/stat')
    if not file.is_file():
        return 0.0
    user, nice, system, _idle, _wait, *rest = map(int, file.read_text().split()[1:9])
    mine = sum(os.times()[:4])
    return (user + nice + system + sum(rest)) / os.sysconf('SC_CLK_TCK') - mine


def main(arguments: list[str]) -> None:
    """Prepares the data, measures, and prints and writes the page."""
    if arguments[1:]:
        raise app.UsageError(f'stray argument {arguments[1]!r}; flags are written --name=value')
    output = Path(FLAGS.output)
    if not output.parent.is_dir() or output.suffix == '.json':
        raise app.UsageError(
            f'--output={output}: must be a page, as x.md, in a folder that is there'
        )
    facts = {'rounds': FLAGS.rounds, 'epochs': FLAGS.epochs}
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
        facts['provenance'] = page.provenance(facts)
        if facts['dataset'] != FLAGS.dataset:
            print(
                f'{FLAGS.dataset} is not to be had: trains on {facts["dataset"]}', file=sys.stderr
            )
        task = task._replace(dataset=facts['dataset'])
        results = measure_all(task, facts, output.with_suffix('.json'))
    text = page.render(results)
    print(text)
    output.write_text(text)


if __name__ == '__main__':
    try:
        app.run(main)
    except KeyboardInterrupt:
        sys.exit(130)
