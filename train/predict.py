"""Labels for new pictures, from a finished classifier's run folder alone."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image, ImageOps, UnidentifiedImageError

import saved_graph
import sources
from errors import DataError, UsageError
from train.network import BATCH, configuration

_ENDINGS = ('.png', '.jpg', '.jpeg', '.bmp', '.gif')


def predict(folder: Path, images: str, array: str) -> Path:
    """Labels the pictures of a folder, or the rows of an `.npz`; returns the CSV it writes.

    The CSV has a row for each: file (or row number), label, probability. Raises UsageError where
    there is no finished classifier in `folder`.
    """
    data = configuration(folder)['data']
    restored = saved_graph.read(str(folder), wanted=('logits',))
    if images:
        names, x = _pictures(Path(images), tuple(data['picture']))
        target = f'predictions-{Path(images).resolve().name}.csv'
    else:
        x = sources.read_npz(array).x
        x = x.reshape(len(x), -1)
        x = x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x
        names = [str(row) for row in range(len(x))]
        target = f'predictions-{Path(array).stem}.csv'
    if x.shape[1:] != tuple(data['shape']):
        raise DataError(
            f'{images or array}: {x.shape[1]} features an example, the run reads {data["shape"][0]}'
        )
    probabilities = _probabilities(restored, x)
    chosen = probabilities.argmax(axis=1)
    aside = folder / f'.{target}'
    with open(aside, 'w', newline='') as opened:
        writer = csv.writer(opened)
        writer.writerow(('file', 'label', 'probability'))
        for name, row, label in zip(names, probabilities, chosen, strict=True):
            writer.writerow((name, data['classes'][label], f'{row[label]:.4f}'))
    os.replace(aside, folder / target)
    return folder / target


def _probabilities(restored: saved_graph.SavedGraph, x: np.ndarray) -> np.ndarray:
    with tf.Graph().as_default(), tf.Session() as session:
        X = tf.placeholder(tf.float32, [None, *x.shape[1:]])
        softmax = tf.nn.softmax(restored.tower(X)['logits'])
        saved_graph.load(session, restored.variables)
        parts = [
            session.run(softmax, {X: x[start : start + BATCH]}) for start in range(0, len(x), BATCH)
        ]
    return np.concatenate(parts)


def _pictures(folder: Path, picture: tuple[int, ...]) -> tuple[list[str], np.ndarray]:
    """Reads a flat folder of pictures as the network wants them: grey, centre-cropped, [0, 1]."""
    if not folder.is_dir():
        raise UsageError(f'--images={folder}: no such folder')
    if len(picture) != 2:
        raise UsageError(
            '--images: this run was not trained on grey pictures; give --array=FILE.npz'
        )
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _ENDINGS)
    if not files:
        raise DataError(f'--images={folder}: no pictures there ({", ".join(_ENDINGS)})')
    height, width = picture
    rows, names = [], []
    for file in files:
        try:
            with Image.open(file) as opened:
                grey = ImageOps.exif_transpose(opened).convert('L')
                fitted = ImageOps.fit(grey, (width, height), Image.Resampling.LANCZOS)
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            print(f'warning: {file} is left out: {error}')
            continue
        rows.append(np.asarray(fitted, np.float32).ravel() / np.float32(255))
        names.append(file.name)
    if not rows:
        raise DataError(f'--images={folder}: none of its {len(files)} pictures could be read')
    return names, np.stack(rows)
