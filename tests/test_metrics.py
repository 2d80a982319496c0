import math

import pytest
import torch

from adu_core import metrics


def test_h_by_hand() -> None:
    found = metrics.mem_for_h({"a": 90.0, "b": 70.0, "c": 40.0}, ["c"])
    assert found == {"mem": 80.0, "for": 60.0, "h": pytest.approx(2 * 80 * 60 / 140)}
    assert metrics.mem_for_h({"a": 100.0, "b": 100.0}, ["b"]) == {"mem": 100, "for": 0, "h": 0}


def test_accuracy_counts_within_each_domain() -> None:
    predictions, labels = torch.tensor([0, 1, 1, 1]), torch.tensor([0, 1, 0, 0])
    found = metrics.accuracy_per_domain(predictions, labels, torch.tensor([0, 0, 0, 1]), "abc")
    assert found["a"] == pytest.approx(200 / 3)
    assert found["b"] == 0
    assert math.isnan(found["c"])


def test_interval_is_students() -> None:
    mean, half = metrics.confidence_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert mean == 3
    assert half == pytest.approx(2.776445 * math.sqrt(2.5 / 5), rel=1e-5)  # t(0.975, 4)
    assert math.isnan(metrics.confidence_interval([1.0])[1])


def test_hypervolume_is_the_area_of_the_staircase() -> None:
    points = [(50.0, 80.0), (90.0, 20.0), (40.0, 40.0)]  # the last one is dominated
    assert metrics.hypervolume(points) == pytest.approx((90 * 20 + 50 * 60) / 100)
    assert metrics.hypervolume([(100.0, 100.0)]) == 100
    assert metrics.hypervolume([]) == 0


def test_for_at_mem_goes_between_the_points_of_the_front() -> None:
    points = [(50.0, 80.0), (90.0, 20.0), (60.0, 10.0)]
    assert metrics.for_at_mem(points, 70) == pytest.approx(50)
    assert metrics.for_at_mem(points, 20) == 80
    assert metrics.for_at_mem(points, 95) == 0


@pytest.mark.parametrize("by_domain", [True, False])
def test_entanglement_tells_clusters_of_domains_from_clusters_of_classes(by_domain: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    labels, domains = torch.arange(80) % 4, torch.arange(80) // 40
    centres = 10 * torch.eye(4)
    features = centres[domains if by_domain else labels] + 0.1 * torch.randn(
        80, 4, generator=generator
    )
    found = metrics.entanglement(features, labels, domains, ("a", "b"))
    near, far = ("domain", "class") if by_domain else ("class", "domain")
    assert found[f"silhouette_{near}"] > 0.8  # type: ignore[operator]
    assert found[f"silhouette_{far}"] < 0.1  # type: ignore[operator]
    assert (found["knn_domain_accuracy"] == 100) == by_domain
    assert (found["probe_domain_accuracy"] == 100) == by_domain
    assert found["mmd2"].keys() == {"a|b"}  # type: ignore[union-attr]
    assert (found["mmd2"]["a|b"] > 0.5) == by_domain  # type: ignore[index]


def test_entanglement_of_a_handful_says_how_many_it_needs() -> None:
    features, labels, domains = torch.randn(9, 4), torch.arange(9) % 2, torch.arange(9) // 6
    with pytest.raises(ValueError, match=r"'b' has 3 pictures.*needs 5 of each domain"):
        metrics.entanglement(features, labels, domains, ("a", "b"))
