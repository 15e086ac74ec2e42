"""How several values of one quantity lie: mean, deviation and the mean's interval."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from scipy.stats import t as student

CONFIDENCE = 0.95
ANYTHING = (-math.inf, math.inf)
_DIGITS = 12  # of a difference that are told apart


def difference(first: float, second: float) -> float:
    """Returns first - second, as far as floats tell: 0.96 - 0.95 is 0.97 - 0.96."""
    size = max(abs(first), abs(second))
    if not 0 < size < math.inf:
        return first - second
    return round(first - second, _DIGITS - math.ceil(math.log10(size)))


def spread(values: Sequence[float], within: tuple[float, float] = ANYTHING) -> dict[str, Any]:
    """Returns mean, deviation, the mean's 95 % interval (Student's t), range and values.

    The interval is cut to what the quantity can be at all: an accuracy is `within` (0, 1).
    """
    count, deviation, half = len(values), 0.0, 0.0
    if not all(map(math.isfinite, values)):  # as the seconds to what a seed never reached
        mean = sum(values)
        deviation = half = 0.0 if len({*values}) == 1 else math.inf
    else:
        mean = statistics.fmean(values)
        deviation = statistics.stdev(values) if count > 1 else 0.0
    if count > 1 and deviation < math.inf:
        half = float(student.ppf(0.5 + CONFIDENCE / 2, count - 1)) * deviation / count**0.5
    ends = (-math.inf, math.inf) if half == math.inf else (mean - half, mean + half)
    return {
        'mean': mean,
        'deviation': deviation,
        'interval': [max(ends[0], within[0]), min(ends[1], within[1])],
        'least': min(values),
        'most': max(values),
        'values': list(values),
    }
