"""Labels from a saved classifier: of new pictures, or of examples whose own are hidden."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from inputs import foreign, pictures
from inputs.rows import Dataset, Rows, refuse_lengths, shaped
from inputs.spec import Spec
from networks import saved_graph
from system import disk
from system.errors import DataError, UsageError
from system.names import filed, shown
from train.folder import configuration
from train.transfer import probabilities


def predict(folder: Path, images: str, array: str) -> Path:
    """Labels the pictures of a folder, or the rows of an `.npz`; returns the CSV it writes.

    The CSV has a row for each: file (or row number), label, probability. Raises UsageError where
    there is no finished classifier in `folder`.
    """
    experiment, spec = configuration(folder)
    restored = saved_graph.read(str(folder), wanted=('logits',))
    length = None
    if images:
        own = experiment.dataset == 'images'
        names, x = _pictures(Path(images), experiment.picture_size if own else spec.picture)
        target = f'predictions-{filed(Path(images).resolve().name)}.csv'
    else:
        x, _, length = foreign.read_npz(array)
        names = [str(row) for row in range(len(x))]
        target = f'predictions-{filed(Path(array).stem)}.csv'
    rows = Rows(x, None, length=length)
    data = Dataset(images or array, Spec(shape=x.shape[1:]), {'test': rows}, digest='')
    if not restored.counts_steps:
        refuse_lengths(data)
    data = shaped(data, spec.shape)
    if data.spec.shape != spec.shape:
        raise DataError(f'{data.key}: examples of {data.spec.said}, the run reads {spec.said}')
    shares = probabilities(restored, data.splits['test'], joint=experiment.parent is None)
    chosen = shares.argmax(axis=1)
    with disk.whole(folder / target, newline='') as opened:
        writer = csv.writer(opened)
        writer.writerow(('file', 'label', 'probability'))
        for name, row, label in zip(names, shares, chosen, strict=True):
            writer.writerow((name, spec.classes[label], f'{row[label]:.4f}'))
    return folder / target


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
            print(f'warning: {shown(file)} is left out: {shown(pictures.reason(error))}')
            continue
        rows.append(np.asarray(fitted, np.float32).ravel() / np.float32(255))
        names.append(file.name)
    if not rows:
        raise DataError(f'--images={folder}: none of its {len(files)} pictures could be read')
    return names, np.stack(rows)
