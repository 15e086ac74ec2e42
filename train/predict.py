"""Labels from a saved classifier: of new pictures, or of examples whose own are hidden."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

import dataset
import disk
import pictures
import saved_graph
import sources
from dataset import Rows
from errors import DataError, UsageError
from saved_graph import SavedGraph
from train.network import batch_size, configuration


def predict(folder: Path, images: str, array: str) -> Path:
    """Labels the pictures of a folder, or the rows of an `.npz`; returns the CSV it writes.

    The CSV has a row for each: file (or row number), label, probability. Raises UsageError where
    there is no finished classifier in `folder`.
    """
    experiment, spec = configuration(folder)
    restored = saved_graph.read(str(folder), wanted=('logits',))
    if images:
        names, x = _pictures(Path(images), spec.picture)
        target = f'predictions-{Path(images).resolve().name}.csv'
    else:
        x = sources.read_npz(array).x
        names = [str(row) for row in range(len(x))]
        target = f'predictions-{Path(array).stem}.csv'
    features, wanted = math.prod(x.shape[1:]), math.prod(spec.shape)
    if features != wanted:
        raise DataError(
            f'{images or array}: {features} features an example, the run reads {wanted}'
        )
    rows = Rows(x.reshape(-1, *spec.shape), None)
    probabilities = _probabilities(restored, rows, joint=experiment.parent is None)
    chosen = probabilities.argmax(axis=1)
    with disk.whole(folder / target, newline='') as opened:
        writer = csv.writer(opened)
        writer.writerow(('file', 'label', 'probability'))
        for name, row, label in zip(names, probabilities, chosen, strict=True):
            writer.writerow((name, spec.classes[label], f'{row[label]:.4f}'))
    return folder / target


def _probabilities(
    restored: SavedGraph, rows: Rows, joint: bool, check: Callable[[], None] = lambda: None
) -> np.ndarray:
    """Returns what a classifier's `logits` give each row and class, [N, classes].

    One that was trained together with its network (`joint`) gives each class its own sigmoid.
    `check` is called before each batch, and raises where a signal has arrived.
    """
    with tf.Graph().as_default(), tf.Session() as session:
        X = tf.placeholder(tf.float32, [None, *rows.x.shape[1:]])
        length = None if rows.length is None else tf.placeholder(tf.int32, [None])
        logits = restored.tower(X, length)['logits']
        wanted = tf.sigmoid(logits) if joint else tf.nn.softmax(logits)
        saved_graph.load(session, restored.variables)
        size, parts = batch_size(rows.x.shape[1:]), []
        for start in range(0, len(rows), size):
            check()
            feeds = {X: rows.floats(start, start + size)}
            if length is not None:
                feeds[length] = rows.length[start : start + size]
            parts.append(session.run(wanted, feeds))
    return np.concatenate(parts)


def taught(
    prefix: str, rows: Rows, share: float, seed: int, check: Callable[[], None] = lambda: None
) -> Rows:
    """Returns the rows with labels of their own for a share of each class, chosen by `seed`.

    All others have those that the saved classifier gives them; `check` is called in between.
    Raises DataError where the graph has no `logits:0`.
    """
    teacher = saved_graph.read(prefix, wanted=('logits',))
    y = _probabilities(teacher, rows, False, check).argmax(axis=1).astype(rows.y.dtype)
    known = dataset.stratified(rows.y, share, seed)
    y[known] = rows.y[known]
    return replace(rows, y=y)


def _pictures(folder: Path, picture: tuple[int, ...]) -> tuple[list[str], np.ndarray]:
    """Reads a flat folder of pictures as the network wants them: cropped, in [0, 1]."""
    if not folder.is_dir():
        raise UsageError(f'--images={folder}: no such folder')
    if not picture:
        raise UsageError('--images: this run was not trained on pictures; give --array=FILE.npz')
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in pictures.ENDINGS)
    if not files:
        raise DataError(f'--images={folder}: no pictures there ({", ".join(pictures.ENDINGS)})')
    rows, names = [], []
    for file in files:
        try:
            fitted = pictures.fitted(file, (*picture[:2], *(picture[2:] or (1,))))
        except Exception as error:  # a damaged file can raise anything
            print(f'warning: {file} is left out: {pictures.reason(error)}')
            continue
        rows.append(np.asarray(fitted, np.float32).ravel() / np.float32(255))
        names.append(file.name)
    if not rows:
        raise DataError(f'--images={folder}: none of its {len(files)} pictures could be read')
    return names, np.stack(rows)
