"""What codes are worth: class separation, codes in use, and PCA to compare with."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import subspace_angles
from scipy.stats import kurtosis
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from inputs.rows import Rows

NEIGHBOURS = 5
FITTED = 1 << 28  # numbers, at most, that principal components are sought in
COVARIANCE = 4096  # features whose covariances are computed; of more, PCA is a randomized one
_KEPT = 1 << 22  # numbers, at most, in components that are kept to be found again
_FITS = 8  # of these
_MANY = 20  # times as many components as are sought, of which Lanczos finds the first ones sooner
_ACTIVE = 0.01  # variance of a code's mean over the data above which it is in use (Burda 2016)
_PART = 1 << 26  # numbers at a time


class Components(NamedTuple):
    """Principal components of rows less their mean: float32 would lose them in a large one."""

    mean: np.ndarray  # [features]
    fitted: PCA  # of the rows without it

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Returns where rows, [N, features], lie along the components, [N, units]."""
        found: np.ndarray = self.fitted.transform(rows - self.mean)
        return found

    def error(self, rows: Rows) -> float:
        """Returns the mean squared error of rows that are put together of them."""
        total = 0.0
        for part in parts(rows):
            centred = _flat(part) - self.mean
            again = self.fitted.inverse_transform(self.fitted.transform(centred))
            total += float(np.sum((again - centred) ** 2, dtype=np.float64))
        return total / (len(rows) * len(self.mean))


_KNOWN: dict[tuple[Any, ...], Components] = {}  # the last few fits, which a study's runs share


def separation(
    train: np.ndarray, labels: np.ndarray, test: np.ndarray, wanted: np.ndarray
) -> float:
    """Returns the accuracy of 5 nearest neighbours, test [N, units] among train, Euclidean."""
    probe = KNeighborsClassifier(min(NEIGHBOURS, len(train)), algorithm='brute')
    with warnings.catch_warnings():  # of classes of one example, which a run itself tells of
        warnings.filterwarnings('ignore', 'The number of unique classes')
        probe.fit(train, labels)
    return float(np.mean(probe.predict(test) == wanted))


def baselines(train: Rows, test: Rows, units: int) -> dict[str, float]:
    """Returns the separation of the pixels and of as many of their principal components.

    The components are those of the compared training rows; no more of them than there are pixels.
    """
    images, others = _flat(train), _flat(test)
    fitted = _fit(images, min(units, *images.shape))
    return {
        'separation_pixels': separation(images, train.labels, others, test.labels),
        'separation_pca': separation(
            fitted.scores(images), train.labels, fitted.scores(others), test.labels
        ),
    }


def usage(codings: np.ndarray) -> dict[str, float]:
    """Counts the codes, [N, units], that vary over the data, and those that never do.

    Of a single example nothing can vary, and nothing is counted.
    """
    mean = {'mean_activation': float(np.mean(codings, dtype=np.float64))}
    if len(codings) < 2:
        return mean
    variance = np.var(codings, axis=0, dtype=np.float64)
    return {
        'active_codes': int(np.sum(variance > _ACTIVE)),
        'dead_codes': int(np.sum(variance < 1e-12)),
        **mean,
    }


def filter_kurtosis(kernel: np.ndarray) -> float | None:
    """Returns the median excess kurtosis of a kernel's columns, [inputs, units].

    It is 0 for Gaussian noise, and the greater, the fewer inputs a filter looks at. Columns of one
    number have none; None where all are such.
    """
    varied = kernel[:, np.ptp(kernel, axis=0) > 0]
    return float(np.median(kurtosis(varied, axis=0))) if varied.size else None


def spectrum(images: np.ndarray) -> np.ndarray:
    """Returns the mean power spectrum of pictures, [N, H, W, C] -> [H, W], as shares that add to 1.

    As numpy.fft orders it, the constant left out.
    """
    power = np.zeros(images.shape[1:3])
    for image in images:  # one by one: the transform of many large ones takes gigabytes
        power += np.sum(np.abs(np.fft.fft2(image, axes=(0, 1))) ** 2, axis=2)
    power[0, 0] = 0.0
    return power / max(power.sum(), 1e-30)


def checkerboard(images: np.ndarray) -> float:
    """Returns the share of spectral energy that has the period of a stride of 2, [N, H, W, C].

    That is the power within an eighth of the highest frequency, across, down or both: where
    neighbouring outputs of a transposed convolution differ by their place in the stride (Odena et
    al. 2016). Of natural pictures it is small.
    """
    power = spectrum(images)
    high = [np.abs(np.fft.fftfreq(size)) >= 7 / 16 for size in power.shape]
    return float(power[high[0][:, None] | high[1]].sum())


def ridge(images: np.ndarray, strides: int) -> float | None:
    """Returns how far the power at the periods of strides of 2 stands above what is beside it.

    That is the logarithm (of base 10) of the power at a half, a quarter, ... of the sampling rate,
    as often as there are `strides`, across and down, over that of the next frequencies to both
    sides, in the mean. Pictures are [N, H, W, C]. None where no such frequency is among theirs, as
    of an odd number of pixels.
    """
    power, found = spectrum(images), []
    for along in (power, power.T):
        total = along.sum(axis=1)
        for stride in range(1, strides + 1):
            place, rest = divmod(len(total), 2**stride)
            if place > 1 and not rest:
                beside = (total[place - 1] + total[place + 1]) / 2
                found.append(np.log10(max(total[place], 1e-30) / max(beside, 1e-30)))
    return float(np.mean(found)) if found else None


def fit(rows: Rows, units: int) -> Components:
    """Returns the first `units` principal components of the rows."""
    return _fit(_flat(rows), units)


def components(rows: Rows, units: int) -> np.ndarray:
    """Returns the first `units` principal components of the rows, [units, features]."""
    found: np.ndarray = fit(rows, units).fitted.components_
    return found


def pca(train: Rows, test: Rows, units: int) -> tuple[float, np.ndarray]:
    """Returns the test MSE of PCA with `units` components fitted on train, and those components."""
    found = fit(train, units)
    return found.error(test), found.fitted.components_


def projection(rows: Rows, units: int) -> np.ndarray:
    """Returns the rows' own first `units` principal components, [N, units]."""
    return fit(rows, units).scores(_flat(rows))


def parts(rows: Rows) -> Iterator[Rows]:
    """Yields rows, in order, as many at a time as memory bears."""
    size = max(1, _PART // math.prod(rows.x.shape[1:]))
    for start in range(0, len(rows), size):
        yield rows.take(slice(start, start + size))


def _flat(rows: Rows) -> np.ndarray:
    return rows.floats(0, len(rows)).reshape(len(rows), -1)


def _fit(images: np.ndarray, units: int) -> Components:
    """Returns PCA of the images, [N, features], computed once for the same ones."""
    count, features = images.shape
    settings: dict[str, Any] = {'svd_solver': 'randomized', 'iterated_power': 2, 'random_state': 0}
    if units * _MANY < min(count, features) and count < features:  # a few of many
        settings = {'svd_solver': 'arpack', 'random_state': 0}
    elif features <= COVARIANCE:  # of fewer examples than features the decomposition is the cheaper
        settings = {'svd_solver': 'covariance_eigh' if count >= features else 'full'}
    content = hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
    key = (content, images.shape, images.dtype.str, units, settings['svd_solver'])
    if key in _KNOWN:
        return _KNOWN[key]
    rows = images if count > 1 else np.repeat(images, 2, axis=0)  # deviations divide by count - 1
    mean = rows.mean(axis=0, dtype=np.float64).astype(rows.dtype)
    with np.errstate(invalid='ignore'):  # examples that are all alike have no variance to share
        found = Components(mean, PCA(units, **settings).fit(rows - mean))
    if found.fitted.components_.size <= _KEPT:
        if len(_KNOWN) == _FITS:
            del _KNOWN[next(iter(_KNOWN))]
        _KNOWN[key] = found
    return found


def plane_angle(decoder_kernel: np.ndarray, components: np.ndarray) -> float:
    """Returns the largest angle, in degrees, between the planes spanned by two sets of rows."""
    return float(np.degrees(subspace_angles(decoder_kernel.T, components.T).max()))
