"""Fronts of Mem and For, and intervals, by hand."""

import math

import pytest

from adu_core.runs.fronts import confidence_interval, for_at_mem, hypervolume, pareto


def test_interval_is_students() -> None:
    mean, half = confidence_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert mean == 3
    assert half == pytest.approx(2.776445 * math.sqrt(2.5 / 5), rel=1e-5)  # t(0.975, 4)
    assert math.isnan(confidence_interval([1.0])[1])


def test_a_front_has_no_point_that_another_beats() -> None:
    points = [(80.0, 20.0), (70.0, 50.0), (75.0, 15.0), (60.0, 50.0), (50.0, 90.0)]
    assert pareto(points) == [(50.0, 90.0), (70.0, 50.0), (80.0, 20.0)]
    assert pareto([(math.nan, 1.0)]) == []


def test_hypervolume_is_the_area_of_the_staircase() -> None:
    points = [(50.0, 80.0), (90.0, 20.0), (40.0, 40.0)]  # the last one is dominated
    assert hypervolume(points) == pytest.approx((90 * 20 + 50 * 60) / 100)
    assert hypervolume([(100.0, 100.0)]) == 100
    assert hypervolume([]) == 0


def test_for_at_mem_goes_between_the_points_of_the_front() -> None:
    points = [(50.0, 80.0), (90.0, 20.0), (60.0, 10.0)]  # the last one is dominated
    reached = {20.0: 80.0, 70.0: 50.0, 90.0: 20.0, 90.1: 0.0}
    assert {mem: for_at_mem(points, mem) for mem in reached} == pytest.approx(reached)
    # (60, 50) forgets no more than (80, 50), and keeps less: the line leaves it out.
    assert for_at_mem([(80.0, 50.0), (60.0, 50.0), (40.0, 70.0)], 60.0) == 60
