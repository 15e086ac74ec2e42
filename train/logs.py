"""What a run logs: a row of metrics.csv for each phase and epoch, and events for TensorBoard."""

from __future__ import annotations

import contextlib
import csv
import errno
import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow.compat.v1 as tf
from tensorboard.backend import process_graph
from tensorboard.plugins.hparams import api_pb2, summary, summary_v2

from reports import run_files
from reports.run_files import POSITION
from system import disk, names
from system.errors import FAULTS
from system.lines import shown
from system.rules import written

_REMEDY = 'remove it, and the run goes on, its curves without what was before'
NETWORK = 'network'  # the folder of what is told of the network besides its scores


class Metrics:
    """metrics.csv: a row a phase and epoch. Columns a later phase adds are blank before it."""

    def __init__(self, folder: Path, updates: int):
        """Keeps the rows of the first `updates` updates; those after it will be written again."""
        self._file = folder / run_files.METRICS
        self.rows: list[dict[str, str]] = []
        with contextlib.suppress(FileNotFoundError), run_files.said(self._file, _REMEDY):
            whole = run_files.metrics(folder)
            self.rows = [row for row in whole if int(row['step']) <= updates]
        self._columns = list(self.rows[0]) if self.rows else list(POSITION)
        self._rewrite()

    def append(self, position: dict[str, Any], metrics: dict[str, float]) -> None:
        """Adds one row, in the file when this returns."""
        row = {k: f'{v:.6g}' if isinstance(v, float) else str(v) for k, v in position.items()}
        row |= {name: f'{value:.8g}' for name, value in metrics.items()}
        self.rows.append(row)
        fresh = [name for name in row if name not in self._columns]
        if fresh:
            self._columns += fresh
            self._rewrite()
            return
        with open(self._file, 'a', newline='') as opened:
            csv.DictWriter(opened, self._columns, restval='').writerow(row)

    def flush(self) -> None:
        """Has the rows on the disk itself, as a checkpoint that follows them is."""
        with contextlib.suppress(FileNotFoundError):  # somebody has removed it
            disk.flush(self._file)

    def _rewrite(self) -> None:
        with disk.whole(self._file, newline='') as opened:
            writer = csv.DictWriter(opened, self._columns, restval='')
            writer.writeheader()
            writer.writerows(self.rows)


class Events:
    """An event file, each event in it when its call returns.

    TensorFlow's writer of events says nothing of a disk that is full; its writer of records, whose
    format they have, does, and here OSError is raised then.
    """

    def __init__(self, folder: Path, first_step: int):
        """Opens a file in `folder`; later events of a run that was killed are hidden by it."""
        stamp = f'{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{time.time_ns()}'
        self._file = disk.made_inside(folder) / f'events.out.tfevents.{stamp}'
        with self._faults():
            self._opened = tf.io.TFRecordWriter(names.plain(self._file))
        try:
            self._write(tf.Event(file_version='brain.Event:2'))
            begins = tf.SessionLog(status=tf.SessionLog.START)
            self._write(tf.Event(session_log=begins, step=first_step))
        except OSError:
            self.close()
            disk.remove(self._file)  # rather than to leave it empty
            raise

    def close(self) -> None:
        """Closes the file."""
        with self._faults():
            self._opened.close()

    def add(self, step: int, values: Iterable[tf.Summary.Value]) -> None:
        """Writes the values of a step."""
        self._write(tf.Event(summary=tf.Summary(value=values), step=step))

    def add_graph(self, graph_def: tf.GraphDef) -> None:
        """Writes a graph, without what is long in it: TensorBoard shows none of that."""
        process_graph.prepare_graph_for_ui(graph_def)
        self._write(tf.Event(graph_def=graph_def.SerializeToString()))

    def _write(self, event: tf.Event) -> None:
        event.wall_time = time.time()
        with self._faults():
            self._opened.write(event.SerializeToString())
            self._opened.flush()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Raises what TensorFlow says of the disk as Python does."""
        try:
            yield
        except tf.errors.OpError as error:
            told = (number for number in FAULTS if os.strerror(number) in error.message)
            number = next(told, errno.EIO)
            raise OSError(number, os.strerror(number), str(self._file)) from None


class Log:
    """Both of them, for a run that goes on after `updates` updates.

    Below tb/ are four folders. `train` and `validation` have the scores of each epoch under the
    same tags, so that both are lines of one chart; `network` has what is told of the network, if
    anything is, and `results` the final scores beside the values of the experiment.
    """

    def __init__(self, folder: Path, updates: int):
        """Opens them in the run's folder; rows of later updates will be written again.

        What metrics.csv has, and tb/ has not, as after the folder was moved, is written there.
        """
        self._metrics = Metrics(folder, updates)
        self._folder = disk.made_inside(folder / 'tb')
        self._first_step = updates + 1 if updates else 0
        self._opened: dict[str, Events] = {}
        self._told: dict[str, tf.Summary.Value] = {}  # of the network, by tag
        try:
            self._begin()
        except OSError:
            self.__exit__()
            raise

    def _begin(self) -> None:
        found: dict[str, list[tuple[int, list[tf.Summary.Value]]]] = {'train': []}
        for row in self._metrics.rows:
            scores = {n: float(v) for n, v in row.items() if n not in POSITION and v}
            for part, values in _by_part(row['phase'], scores).items():
                found.setdefault(part, []).append((int(row['step']), values))
        for part, steps in found.items():
            is_new = not self.has(part)
            events = self._part(part)
            for step, values in steps if is_new else ():
                events.add(step, values)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        for events in self._opened.values():
            events.close()

    def has(self, part: str) -> bool:
        """Whether there are events in this part of tb/."""
        return any((self._folder / part).glob('events*'))

    def _part(self, part: str) -> Events:
        """Returns what writes into this part of tb/."""
        if part not in self._opened:
            self._opened[part] = Events(self._folder / part, self._first_step)
        return self._opened[part]

    @property
    def rows(self) -> list[dict[str, str]]:
        """The rows of metrics.csv so far."""
        return self._metrics.rows

    def epoch(self, *, scores: dict[str, float], **position: Any) -> None:
        """Writes the scores of an epoch; `position` has the columns of POSITION."""
        self._metrics.append({name: position[name] for name in POSITION}, scores)
        for part, values in _by_part(position['phase'], scores).items():
            self._part(part).add(position['step'], values)

    def flush(self) -> None:
        """Has the rows of metrics.csv on the disk itself."""
        self._metrics.flush()

    def graph(self, graph_def: tf.GraphDef) -> None:
        """Writes the network's graph, once a run."""
        if not self.has(NETWORK):
            self._part(NETWORK).add_graph(graph_def)

    def network(self, step: int, values: Sequence[tf.Summary.Value]) -> None:
        """Writes what is told of the network after so many updates, of what is not as it was."""
        fresh = {value.tag: value for value in values if self._told.get(value.tag) != value}
        self._told |= fresh
        self._part(NETWORK).add(step, fresh.values())

    def results(
        self, run: str, settings: Mapping[str, Any], scores: Mapping[str, float], seconds: float
    ) -> None:
        """Writes what TensorBoard compares runs by; `run` names this one, which took `seconds`."""
        disk.remove(self._folder / 'results')  # of this run with fewer epochs
        ended = time.time()
        began = summary_v2.hparams_pb(_told(settings), run, ended - seconds)
        ends = summary.session_end_pb(api_pb2.STATUS_SUCCESS, ended)
        events = self._opened['results'] = Events(self._folder / 'results', 0)
        for told in (began, ends):
            events.add(0, tf.Summary.FromString(told.SerializeToString()).value)
        steps = int(self.rows[-1]['step']) if self.rows else 0
        events.add(steps, [_scalar(name, value) for name, value in scores.items()])


def _scalar(tag: str, value: float) -> tf.Summary.Value:
    return tf.Summary.Value(tag=tag, simple_value=value)


def _by_part(phase: str, scores: Mapping[str, float]) -> dict[str, list[tf.Summary.Value]]:
    """Returns scores by the part of tb/ that they stand in, with their phase in their tags."""
    found: dict[str, list[tf.Summary.Value]] = {}
    for name, value in scores.items():
        part, score = name.split('/', 1)
        tag = score if score.startswith(f'{phase}/') else f'{phase}/{score}'
        found.setdefault(part, []).append(_scalar(tag, value))
    return found


def _told(settings: Mapping[str, Any]) -> dict[str, bool | float | str]:
    """Returns values as TensorBoard takes them: what is no number or yes and no, as words."""
    return {
        name: value if isinstance(value, bool | int | float) else shown(written(value))
        for name, value in settings.items()
    }
