"""Many runs compared: intervals, and fronts of Mem against For."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adu_core.measure import harmonic_mean


def confidence_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half-width of its 95 % interval (Student's t); NaN half-width for one value."""
    from scipy.stats import t as student

    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("nan")
    spread = float(np.std(values, ddof=1)) / len(values) ** 0.5
    return mean, float(student.ppf(0.975, len(values) - 1)) * spread


def half_width(half: float, digits: int = 1) -> str:
    """The half-width of an interval as text; – if there is none: one value, or all the same.

    What comes out the same in every seed has no interval over seeds, which is not certainty.
    """
    return f"{half:.{digits}f}" if half > 1e-9 else "–"


def with_interval(mean: float, half: float, digits: int = 1) -> str:
    """A mean and its interval as text."""
    said = f"{mean:.{digits}f}" if mean == mean else "–"
    return f"{said} ± {shown}" if (shown := half_width(half, digits)) != "–" else said


def hypervolume(points: Sequence[tuple[float, float]]) -> float:
    """Area under the front of (Mem, For) points in percent, as a share of the whole, 0 to 100.

    The part of the square from (0, 0) to (100, 100) that some point dominates.
    """
    area, best = 0.0, 0.0
    for mem, error in sorted(points, reverse=True):
        if error > best:
            area += mem * (error - best)
            best = error
    return area / 100


def for_at_mem(points: Sequence[tuple[float, float]], mem: float) -> float:
    """The For that a front of (Mem, For) points reaches at a given Mem, all in percent.

    Linear between the points that no other dominates; that of the highest Mem counts for every
    Mem beyond it as 0, that of the lowest for every Mem below it.
    """
    front: list[tuple[float, float]] = []
    for point in sorted(points, reverse=True):
        if not front or point[1] > front[-1][1]:
            front.append(point)
    if mem > front[0][0]:
        return 0.0
    mems, errors = zip(*reversed(front), strict=True)
    return float(np.interp(mem, mems, errors))


def perfect_gate_h(mem: float, classes: int) -> float:
    """The H of a gate that never errs, in percent: the most that stopping pictures can reach.

    What is kept has the answers of before unlearning; what is forgotten is answered by chance.

    mem:     Mem before unlearning, in percent
    classes: of how many a picture is
    """
    return harmonic_mean(mem, 100 * (1 - 1 / classes))
