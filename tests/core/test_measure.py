import math

import pytest
import torch

from adu_core import measure
from adu_core.measure import predictions


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


def test_nothing_measured_is_no_zero() -> None:
    found = measure.mem_for_h({"a": 90.0, "b": math.nan, "c": 40.0}, ["c"])
    assert math.isnan(found["mem"])
    assert math.isnan(found["h"])
    assert math.isnan(found["selectivity"])
    assert found["for"] == 60
    assert math.isnan(measure.mem_for_h({"a": 90.0, "c": math.nan}, ["c"])["h"])
    assert measure.mem_for_h({"a": 0.0, "c": 40.0}, ["c"])["h"] == 0


def test_the_harmonic_mean_where_a_side_is_small_or_nothing() -> None:
    for a, b, wanted in ((0, 5, 0), (5, 0, 0), (0, 0, 0), (1, 1, 1), (0.5, 1.5, 0.75)):
        assert measure.harmonic_mean(a, b) == pytest.approx(wanted)
    assert math.isnan(measure.harmonic_mean(math.nan, 1))
    assert math.isnan(measure.harmonic_mean(1, math.nan))


def test_each_picture_has_its_own_answer(tiny_clip, few) -> None:
    found = predictions(tiny_clip, few.test)
    assert found.shape == few.test.labels.shape
    logits = tiny_clip.logits(tiny_clip.features(few.test.pictures), few.test.class_names)
    assert torch.equal(found, logits.argmax(dim=1))
