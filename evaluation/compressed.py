"""What JPEG and principal components make of pictures, to compare reconstructions with."""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image
from scipy.linalg import eigh

from inputs.rows import Dataset, Rows, compared
from networks import losses

QUALITIES = (10, 30, 50)  # of JPEG
LEAST = 64  # pixels of the shorter side: smaller ones are not what JPEG is made for
_FITTED = 1 << 29  # numbers, at most, in training pictures whose components are sought: 2 GiB
MOST = 4096  # pictures of them at most, whose products with each other are decomposed
_TESTED = 1 << 26  # numbers, at most, in test pictures
_PART = 64  # pictures at a time
_TINY = 1e-9  # of the greatest variance, below which components are rounding

Figures = dict[str, float]


def errors(data: Dataset, units: int, similar: int, check: Callable[[], None]) -> Figures:
    """Returns MSE, PSNR and SSIM of the test pictures as other means of compression leave them.

    JPEG of each quality, with its bytes a picture, by the names `jpeg10_psnr` and so on; `units`
    principal components of the training pictures, or as many as there are, `pca_psnr` and so on.
    SSIM is of the first `similar` pictures; of very many large ones the first are taken. `check` is
    called now and then, and may raise.
    """
    size, found = math.prod(data.spec.shape), Figures()
    test = compared(data.splits['test'], max(1, _TESTED // size))
    for quality in QUALITIES:
        made, sizes = _as_jpeg(test, quality, check)
        scored = _scored(test, made, similar) | {'bytes': float(np.mean(sizes))}
        found |= {f'jpeg{quality}_{name}': value for name, value in scored.items()}
    train = compared(data.splits['train'], min(max(2, _FITTED // size), MOST))
    made, count = _as_components(train, test, units, check)
    found |= {f'pca_{name}': value for name, value in _scored(test, made, similar).items()}
    return found | {'pca_components': float(count)}


def _as_jpeg(rows: Rows, quality: int, check: Callable[[], None]) -> tuple[np.ndarray, list[int]]:
    """Returns pictures, [N, H, W, C] in [0, 1], from a JPEG of each, and the bytes that it has."""
    made, sizes = [], []
    for place in range(len(rows)):
        check()
        greys = np.round(255 * rows.floats(place, place + 1)[0])
        image = np.clip(greys, 0, 255).astype(np.uint8)  # a scaled picture may go a little beyond
        written = io.BytesIO()
        grey = image.shape[-1] == 1
        Image.fromarray(image[..., 0] if grey else image).save(written, 'JPEG', quality=quality)
        sizes.append(len(written.getvalue()))
        made.append(np.asarray(Image.open(written)).reshape(image.shape))
    return np.stack(made).astype(np.float32) / 255, sizes


def _scored(rows: Rows, made: np.ndarray, similar: int) -> Figures:
    """Returns the means of MSE, PSNR and SSIM of what is made of pictures, [N, H, W, C]."""
    sums = {'mse': 0.0, 'psnr': 0.0, 'ssim': 0.0}
    counts = {**dict.fromkeys(sums, len(rows)), 'ssim': min(similar, len(rows))}
    with tf.Graph().as_default(), tf.Session() as session:
        shape = [None, *made.shape[1:]]
        wanted, given = tf.placeholder(tf.float32, shape), tf.placeholder(tf.float32, shape)
        scores = {name: getattr(losses, name)(given, wanted) for name in sums}
        for start in range(0, len(rows), _PART):
            part = made[start : start + _PART]
            fed = {wanted: rows.floats(start, start + len(part)), given: np.clip(part, 0, 1)}
            for name, values in session.run(scores, fed).items():
                sums[name] += float(values[: max(0, counts[name] - start)].sum(dtype=np.float64))
    return {name: total / counts[name] for name, total in sums.items()}


def _as_components(
    train: Rows, test: Rows, units: int, check: Callable[[], None]
) -> tuple[np.ndarray, int]:
    """Returns test pictures, [N, H, W, C], from principal components of train, and their number.

    Of fewer pictures than pixels the products of the pictures with each other are decomposed, which
    is exact; N of them have at most N - 1 components.
    """
    shape = train.x.shape[1:]
    centred = np.empty((len(train), math.prod(shape)), np.float32)  # ours, to be changed
    for start in range(0, len(train), _PART):
        part = train.floats(start, min(start + _PART, len(train)))
        centred[start : start + len(part)] = part.reshape(len(part), -1)
    mean = centred.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred -= mean
    check()
    variances, vectors = eigh((centred @ centred.T).astype(np.float64))
    check()
    least = max(_TINY * variances[-1], _TINY)  # of pictures all alike there are none
    first = max(1, len(variances) - units, int(np.searchsorted(variances, least)))
    chosen, weights = vectors[:, first:], variances[first:]
    images = test.floats(0, len(test)).reshape(len(test), -1) - mean
    products = (centred @ images.T).astype(np.float64)  # [training, test]
    check()
    mixed = chosen @ ((chosen.T @ products) / weights[:, None])
    made = mixed.T.astype(np.float32) @ centred + mean
    return made.reshape(-1, *shape), len(weights)
