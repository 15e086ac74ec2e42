"""How several values of one quantity lie: mean, deviation and the mean's interval."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from scipy.stats import t as student

CONFIDENCE = 0.95


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Returns mean, deviation, the mean's 95 % interval (Student's t), range and values."""
    mean, count = statistics.fmean(values), len(values)
    deviation = statistics.stdev(values) if count > 1 else 0.0
    half = 0.0
    if count > 1:
        half = float(student.ppf(0.5 + CONFIDENCE / 2, count - 1)) * deviation / count**0.5
    return {
        'mean': mean,
        'deviation': deviation,
        'interval': [mean - half, mean + half],
        'least': min(values),
        'most': max(values),
        'values': list(values),
    }
