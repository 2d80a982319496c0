"""Many runs compared: intervals, and fronts of Mem against For."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.special import stdtrit


def confidence_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half-width of its 95 % interval (Student's t); NaN half-width for one value."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("nan")
    spread = float(np.std(values, ddof=1)) / len(values) ** 0.5
    return mean, float(stdtrit(len(values) - 1, 0.975)) * spread


def half_width(half: float, digits: int = 1) -> str:
    """The half-width of an interval as text; – if there is none: one value, or all the same.

    What comes out the same in every seed has no interval over seeds, which is not certainty.
    """
    return f"{half:.{digits}f}" if half > 1e-9 else "–"


def pareto(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (Mem, For) points that no other one beats in both, by rising Mem; without NaN."""
    front: list[tuple[float, float]] = []
    for point in sorted((p for p in points if p[0] == p[0] and p[1] == p[1]), reverse=True):
        if not front or point[1] > front[-1][1]:
            front.append(point)
    return front[::-1]


def hypervolume(points: Iterable[tuple[float, float]]) -> float:
    """Area under the front of (Mem, For) points in percent, as a share of the whole, 0 to 100.

    The part of the square from (0, 0) to (100, 100) that some point dominates.
    """
    area, best = 0.0, 0.0
    for mem, error in reversed(pareto(points)):
        area += mem * (error - best)
        best = error
    return area / 100


def for_at_mem(points: Iterable[tuple[float, float]], mem: float) -> float:
    """The For that a front of (Mem, For) points reaches at a given Mem, all in percent.

    Linear between the points that no other dominates; that of the highest Mem counts for every
    Mem beyond it as 0, that of the lowest for every Mem below it.
    """
    mems, errors = zip(*pareto(points), strict=True)
    return float(np.interp(mem, mems, errors, right=0.0))
