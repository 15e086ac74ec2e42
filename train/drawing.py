"""Which figures a trained run gets, and the arrays they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from dataset import Dataset, Rows
from train import evaluate, figures

_SCORED = 10_000  # test examples at most behind the latent and confusion figures


def draw(
    folder: Path,
    session: tf.Session,
    tensors: dict[str, tf.Tensor],
    data: Dataset,
    values: dict[str, np.ndarray],
    rows: list[dict[str, str]],
    title: str,
) -> list[Path]:
    """Draws what fits the run's data and network, and returns the files."""
    picture, classes = data.spec.picture, data.spec.classes
    test = data.splits['test']
    test = Rows(test.x[:_SCORED], None if test.y is None else test.y[:_SCORED])

    def of(name: str, rows: Rows = test) -> np.ndarray:
        return evaluate.compute(session, tensors['X'], tensors[name], rows)

    codings = of('codings')
    made: dict[str, Any] = {
        'loss_curves': figures.loss_curves(rows),
        'latent': figures.latent(codings, test.y, classes, f'{title}: codings of the test set'),
    }
    if picture:
        shown = _one_of_each(test)
        pictures = {'input': shown.floats(0, len(shown))}
        names = sorted(name for name in tensors if name.startswith('phase'))
        pictures |= {f'after {n.removesuffix("_outputs")}': of(n, shown) for n in names}
        if 'outputs' in tensors:
            pictures['output'] = of('outputs', shown)
        made['reconstructions'] = figures.picture_rows(pictures, picture)
        kernel = values.get('layer1/kernel')
        if kernel is not None and kernel.shape[0] == data.spec.shape[0]:
            made['filters'] = figures.filters(kernel, picture)
    if 'logits' in tensors:
        probabilities = _softmax(of('logits'))
        correct = float(np.mean(probabilities.argmax(axis=1) == test.y))
        made['confusion'] = figures.confusion(
            test.y, probabilities, classes, f'{title}: test accuracy {correct:.2%}'
        )
        if picture:
            images = test.floats(0, len(test))
            made['most_confused'] = figures.most_confused(
                images, test.y, probabilities, classes, picture
            )
    if codings.shape[1] == 2 and 'logits' not in tensors and not picture:
        projection = evaluate.projection(test, 2)
        made['pca_plane'] = figures.planes(codings, projection, test.y)
    files = {name: folder / f'{name}.png' for name, figure in made.items() if figure}
    for name, file in files.items():
        figures.save(made[name], file)
    return list(files.values())


def _softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _one_of_each(rows: Rows) -> Rows:
    """Returns the first example of each class, or the first rows where there are no labels."""
    chosen = np.arange(min(figures.SHOWN, len(rows)))
    if rows.y is not None:
        chosen = np.unique(rows.y, return_index=True)[1][: figures.SHOWN]
    return Rows(rows.x[chosen], None)
