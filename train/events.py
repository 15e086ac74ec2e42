"""A run's scalars as TensorBoard reads them."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import tensorflow.compat.v1 as tf
from tensorboard.summary.writer.record_writer import RecordWriter

import disk


class Events:
    """An event file, each event on disk when its call returns.

    TensorFlow's own writer says nothing of a disk that is full; here OSError is raised.
    """

    def __init__(self, folder: Path, first_step: int):
        """Opens a file in `folder`; later events of a run that was killed are hidden by it."""
        folder.mkdir(exist_ok=True)
        stamp = f'{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{time.time_ns()}'
        self._file = folder / f'events.out.tfevents.{stamp}'
        self._opened = open(self._file, 'xb', buffering=0)  # noqa: SIM115 (closed by __exit__)
        self._writer = RecordWriter(self._opened)
        try:
            self._write(tf.Event(file_version='brain.Event:2'))
            begins = tf.SessionLog(status=tf.SessionLog.START)
            self._write(tf.Event(session_log=begins, step=first_step))
        except OSError:
            self._opened.close()
            disk.remove(self._file)  # rather than to leave it empty
            raise

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_) -> None:
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
