import math

import pytest
import torch

from adu_core import measure
from adu_core.measure import predictions
from adu_core.runs.fronts import confidence_interval, for_at_mem, hypervolume


def test_h_by_hand() -> None:
    found = measure.mem_for_h({"a": 90.0, "b": 70.0, "c": 40.0}, ["c"])
    h = pytest.approx(2 * 80 * 60 / 140)
    assert found == {"mem": 80.0, "for": 60.0, "h": h, "selectivity": 40.0}
    kept = measure.mem_for_h({"a": 100.0, "b": 100.0}, ["b"])
    assert kept == {"mem": 100, "for": 0, "h": 0, "selectivity": 0}


def test_accuracy_counts_within_each_domain() -> None:
    predictions, labels = torch.tensor([0, 1, 1, 1]), torch.tensor([0, 1, 0, 0])
    found = measure.accuracy_per_domain(predictions, labels, torch.tensor([0, 0, 0, 1]), "abc")
    assert found["a"] == pytest.approx(200 / 3)
    assert found["b"] == 0
    assert math.isnan(found["c"])


def test_interval_is_students() -> None:
    mean, half = confidence_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert mean == 3
    assert half == pytest.approx(2.776445 * math.sqrt(2.5 / 5), rel=1e-5)  # t(0.975, 4)
    assert math.isnan(confidence_interval([1.0])[1])


def test_hypervolume_is_the_area_of_the_staircase() -> None:
    points = [(50.0, 80.0), (90.0, 20.0), (40.0, 40.0)]  # the last one is dominated
    assert hypervolume(points) == pytest.approx((90 * 20 + 50 * 60) / 100)
    assert hypervolume([(100.0, 100.0)]) == 100
    assert hypervolume([]) == 0


def test_for_at_mem_goes_between_the_points_of_the_front() -> None:
    points = [(50.0, 80.0), (90.0, 20.0), (60.0, 10.0)]
    assert for_at_mem(points, 70) == pytest.approx(50)
    assert for_at_mem(points, 20) == 80
    assert for_at_mem(points, 95) == 0


def test_nothing_measured_is_no_zero() -> None:
    found = measure.mem_for_h({"a": 90.0, "b": math.nan, "c": 40.0}, ["c"])
    assert math.isnan(found["mem"])
    assert math.isnan(found["h"])
    assert math.isnan(found["selectivity"])
    assert found["for"] == 60
    assert math.isnan(measure.mem_for_h({"a": 90.0, "c": math.nan}, ["c"])["h"])
    assert measure.mem_for_h({"a": 0.0, "c": 40.0}, ["c"])["h"] == 0
    assert all(math.isnan(measure.harmonic_mean(*pair)) for pair in ((math.nan, 1), (0, math.nan)))


def test_selectivity_is_what_is_above_the_line_of_equal_damage() -> None:
    assert measure.mem_for_h({"a": 30.0, "b": 30.0}, ["b"])["selectivity"] == 0
    assert measure.mem_for_h({"a": 90.0, "b": 30.0}, ["b"])["selectivity"] == 60


def test_the_harmonic_mean_where_a_side_is_small_or_nothing() -> None:
    for a, b, wanted in ((0, 5, 0), (5, 0, 0), (0, 0, 0), (1, 1, 1), (0.5, 1.5, 0.75)):
        assert measure.harmonic_mean(a, b) == pytest.approx(wanted)
    assert math.isnan(measure.harmonic_mean(math.nan, 1))
    assert math.isnan(measure.harmonic_mean(1, math.nan))


def test_two_values_have_an_interval_and_one_has_none() -> None:
    mean, half = confidence_interval([1.0, 3.0])
    assert mean == 2
    assert half == pytest.approx(12.706, abs=1e-3)
    assert math.isnan(confidence_interval([1.0])[1])


def test_each_picture_has_its_own_answer(tiny_clip, few) -> None:
    found = predictions(tiny_clip, few.test)
    assert found.shape == few.test.labels.shape
    logits = tiny_clip.logits(tiny_clip.features(few.test.pictures), few.test.class_names)
    assert torch.equal(found, logits.argmax(dim=1))


def test_a_front_reaches_its_own_highest_mem() -> None:
    assert for_at_mem([(80.0, 20.0), (60.0, 50.0)], 80.0) == 20
    assert for_at_mem([(80.0, 20.0), (60.0, 50.0)], 80.1) == 0


def test_a_point_that_another_dominates_is_not_on_the_front() -> None:
    """(60, 50) forgets no more than (80, 50), and keeps less: the line leaves it out."""
    assert for_at_mem([(80.0, 50.0), (60.0, 50.0), (40.0, 70.0)], 60.0) == 60
