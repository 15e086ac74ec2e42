"""What a run logs: a row of metrics.csv for each phase and epoch, and the same for TensorBoard."""

from __future__ import annotations

import csv
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow.compat.v1 as tf
from tensorboard.summary.writer.record_writer import RecordWriter

from system import disk

POSITION = ('phase', 'epoch', 'step', 'seconds', 'examples_per_second')


class Metrics:
    """metrics.csv: a row a phase and epoch. Columns a later phase adds are blank before it."""

    def __init__(self, folder: Path, updates: int):
        """Keeps the rows of the first `updates` updates; those after it will be written again."""
        self._file = folder / 'metrics.csv'
        self.rows: list[dict[str, str]] = []
        if self._file.is_file():
            with open(self._file, newline='') as opened:
                whole = [row for row in csv.DictReader(opened) if None not in row.values()]
            self.rows = [row for row in whole if int(row['step']) <= updates]
        self._columns = list(self.rows[0]) if self.rows else list(POSITION)
        self._rewrite()

    def append(self, position: dict[str, Any], metrics: dict[str, float]) -> None:
        """Adds one row, on disk when this returns."""
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

    def _rewrite(self) -> None:
        with disk.whole(self._file, newline='') as opened:
            writer = csv.DictWriter(opened, self._columns, restval='')
            writer.writeheader()
            writer.writerows(self.rows)


class Events:
    """An event file, each event on disk when its call returns.

    TensorFlow's own writer says nothing of a disk that is full; here OSError is raised.
    """

    def __init__(self, folder: Path, first_step: int):
        """Opens a file in `folder`; later events of a run that was killed are hidden by it."""
        folder.mkdir(exist_ok=True)
        stamp = f'{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{time.time_ns()}'
        self._file = folder / f'events.out.tfevents.{stamp}'
        self._opened = open(self._file, 'xb', buffering=0)  # noqa: SIM115 (closed by close)
        self._writer = RecordWriter(self._opened)
        try:
            self._write(tf.Event(file_version='brain.Event:2'))
            begins = tf.SessionLog(status=tf.SessionLog.START)
            self._write(tf.Event(session_log=begins, step=first_step))
        except OSError:
            self._opened.close()
            disk.remove(self._file)  # rather than to leave it empty
            raise

    def close(self) -> None:
        """Closes the file."""
        self._opened.close()

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Writes the values of a step."""
        values = [tf.Summary.Value(tag=k, simple_value=v) for k, v in scalars.items()]
        self._write(tf.Event(summary=tf.Summary(value=values), step=step))

    def _write(self, event: tf.Event) -> None:
        event.wall_time = time.time()
        try:
            self._writer.write(event.SerializeToString())
        except OSError as error:
            error.filename = str(self._file)
            raise


class Log:
    """Both of them, for a run that goes on after `updates` updates."""

    def __init__(self, folder: Path, updates: int):
        """Opens them in the run's folder; rows of later updates will be written again."""
        self._metrics = Metrics(folder, updates)
        self._events = Events(folder / 'tb', updates + 1)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._events.close()

    @property
    def rows(self) -> list[dict[str, str]]:
        """The rows of metrics.csv so far."""
        return self._metrics.rows

    def epoch(self, *, scores: dict[str, float], **position: Any) -> None:
        """Writes the scores of an epoch; `position` has the columns of POSITION."""
        self._metrics.append({name: position[name] for name in POSITION}, scores)
        self._events.add(position['step'], scores)
