"""The codes of test examples as TensorBoard's projector reads them, with labels and pictures."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector import ProjectorConfig

from inputs.rows import Dataset, Rows, compared
from reports import figures
from system import disk
from system.lines import shown

CONFIG = 'projector_config.pbtxt'  # where TensorBoard looks for it
_POINTS = 2000
_VALUES = 1 << 20  # numbers in all codes, at most
_PART = 64  # pictures at a time
_SIDE = 32  # pixels along the sides of a picture, at most


def write(folder: Path, codings: np.ndarray, data: Dataset) -> None:
    """Writes the first codes of the test set into `folder`, and what stands beside each.

    `codings` are those of the test examples that are compared, [N, units].
    """
    codes = codings.reshape(len(codings), -1)
    count = max(1, min(_POINTS, _VALUES // codes.shape[1]))
    codes, rows = codes[:count], compared(data.splits['test']).take(slice(0, count))
    config = ProjectorConfig()
    told = config.embeddings.add(tensor_name='codings', tensor_path='codes.tsv')
    told.tensor_shape.extend(codes.shape)
    line = '\t'.join(['%.4g'] * codes.shape[1])  # numbers in one go: three times as fast
    _write_lines(folder / told.tensor_path, [line % tuple(code) for code in codes.tolist()])
    told.metadata_path = 'metadata.tsv'
    _write_lines(folder / told.metadata_path, _described(rows, data))
    picture = data.spec.frame or data.spec.picture
    if picture and rows.targets(0, 1)[0].size == math.prod(picture):
        small = np.concatenate(
            [
                figures.thumbnails(rows.targets(start, start + _PART), picture, _SIDE)
                for start in range(0, len(rows), _PART)
            ]
        )
        told.sprite.image_path = 'sprite.png'
        told.sprite.single_image_dim.extend([small.shape[2], small.shape[1]])
        with disk.whole(folder / told.sprite.image_path, 'wb') as opened:
            _sprite(small).save(opened, 'PNG')
    _write_lines(folder / CONFIG, [text_format.MessageToString(config)])


def _described(rows: Rows, data: Dataset) -> list[str]:
    """Returns a line for the names of columns, and one for each row."""
    labels = rows.named(data.spec.classes)
    lines = [f'{shown(label)}\t{place}' for label, place in zip(labels, rows.places, strict=True)]
    return ['label\trow', *lines]


def _sprite(pictures: np.ndarray) -> Image.Image:
    """Returns pictures, [N, h, w, channels], as tiles of a square that the projector cuts."""
    side = math.ceil(math.sqrt(len(pictures)))
    tiles = np.zeros((side * side, *pictures.shape[1:]), np.uint8)
    tiles[: len(pictures)] = pictures
    _, height, width, channels = tiles.shape
    tiles = tiles.reshape(side, side, height, width, channels).swapaxes(1, 2)
    whole = tiles.reshape(side * height, side * width, channels)
    return Image.fromarray(whole[..., 0] if channels == 1 else whole)


def _write_lines(file: Path, lines: list[str]) -> None:
    with disk.whole(file) as opened:
        opened.writelines(f'{line}\n' for line in lines)
