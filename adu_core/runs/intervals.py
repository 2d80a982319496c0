"""95 % intervals for how a result varies with the test pictures, from counts alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

#: Standard deviations to each side.
Z = 1.96

Interval = tuple[float, float]


def of_mean(shares: Sequence[float], counts: Sequence[int]) -> Interval:
    """The interval of the mean of some shares, in percent, each of so many pictures.

    Agresti and Coull's (1998) for one share, so it has a width where all or nothing is right; of
    several, each gets its part of what they add, and the variances are added (Agresti and Caffo,
    2000). It says nothing of other seeds or other CLIPs.
    """
    middle, variance, added = 0.0, 0.0, Z**2 / len(shares)
    for share, count in zip(shares, counts, strict=True):
        p = (share / 100 * count + added / 2) / (count + added)
        middle += 100 * p / len(shares)
        variance += p * (1 - p) / (count + added) / len(shares) ** 2
    half = 100 * Z * math.sqrt(variance)
    return max(0.0, middle - half), min(100.0, middle + half)


def of_both(a: float, b: float, of_a: Interval, of_b: Interval) -> dict[str, Interval]:
    """The intervals of H and of selectivity, from Mem, For and their intervals, in percent.

    Mem and For are of different pictures, so their errors are independent; H's are by its slopes.
    """
    half_a, half_b = ((high - low) / 2 for low, high in (of_a, of_b))
    total = max(a + b, 1e-9)
    h, half_h = 2 * a * b / total, math.hypot(2 * b**2 * half_a, 2 * a**2 * half_b) / total**2
    both = math.hypot(half_a, half_b)
    return {
        "h": (max(0.0, h - half_h), min(100.0, h + half_h)),
        "selectivity": (a + b - 100 - both, a + b - 100 + both),
    }
