"""Intervals over test pictures: wide for few, never empty, and they hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from adu_core.runs.intervals import of_both, of_mean


def test_one_share_is_agresti_and_coulls() -> None:
    n, z = 40, norm.ppf(0.975)
    p = (30 + z**2 / 2) / (n + z**2)
    half = z * np.sqrt(p * (1 - p) / (n + z**2))
    assert of_mean([75.0], [n]) == pytest.approx((100 * (p - half), 100 * (p + half)), abs=0.01)


def test_more_pictures_more_sure_and_all_right_is_not_certain() -> None:
    widths = [high - low for low, high in (of_mean([80.0], [n]) for n in (10, 100, 1000))]
    assert widths == sorted(widths, reverse=True)
    low, high = of_mean([100.0], [50])
    assert 90 < low < high == 100


@pytest.mark.parametrize("truth", [(0.9, 0.7, 0.95), (0.2, 0.5, 0.99)])
def test_they_hold_the_truth_as_often_as_they_say(truth: tuple[float, ...]) -> None:
    """Mem of some domains and For of one, drawn often: about 95 of 100 intervals hold them."""
    draw, n, times = np.random.default_rng(0), 60, 2000
    mem, error = 100 * np.mean(truth[:2]), 100 * truth[2]
    wanted = {
        "mem": mem,
        "for": error,
        "h": 2 * mem * error / (mem + error),
        "selectivity": mem + error - 100,
    }
    held = dict.fromkeys(wanted, 0)
    for hits in draw.binomial(n, truth, (times, 3)) * 100 / n:
        sides = {"mem": of_mean(hits[:2], [n, n]), "for": of_mean(hits[2:], [n])}
        both = of_both(hits[:2].mean(), hits[2], *sides.values())
        for name, (low, high) in (sides | both).items():
            held[name] += low <= wanted[name] <= high
    assert all(0.92 < count / times <= 1.0 for count in held.values()), held
