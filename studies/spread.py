"""How several values of one quantity lie: mean, deviation and the mean's interval."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from scipy.stats import t as student

CONFIDENCE = 0.95
ANYTHING = (-math.inf, math.inf)


def spread(values: Sequence[float], within: tuple[float, float] = ANYTHING) -> dict[str, Any]:
    """Returns mean, deviation, the mean's 95 % interval (Student's t), range and values.

    The interval is cut to what the quantity can be at all: an accuracy is `within` (0, 1).
    """
    mean, count = statistics.fmean(values), len(values)
    deviation = statistics.stdev(values) if count > 1 else 0.0
    half = 0.0
    if count > 1:
        half = float(student.ppf(0.5 + CONFIDENCE / 2, count - 1)) * deviation / count**0.5
    return {
        'mean': mean,
        'deviation': deviation,
        'interval': [max(mean - half, within[0]), min(mean + half, within[1])],
        'least': min(values),
        'most': max(values),
        'values': list(values),
    }
