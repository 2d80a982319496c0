"""How entangled domains are: the same numbers as ever, of thousands of pictures a fixed part."""

from dataclasses import replace
from itertools import combinations
from statistics import mean as mean_of

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from adu_core import MINI, FrozenCLIP, Spec, Splits, Target, entanglement, evaluate, unlearn
from adu_core import losses as mmd
from adu_core.runs.entanglement import stratified


def clouds(count: int, classes: int = 4, domains: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Features (count, 6) that gather by class and a little by domain, labels and domains."""
    generator = torch.Generator().manual_seed(0)
    label = torch.arange(count) % classes
    domain = torch.arange(count) // (count // domains)
    features = torch.randn(count, 6, generator=generator)
    features = features + torch.randn(classes, 6, generator=generator)[label]
    features = features + 0.7 * torch.randn(domains, 6, generator=generator)[domain]
    return features, label, domain


@pytest.mark.parametrize("by_domain", [True, False])
def test_entanglement_tells_clusters_of_domains_from_clusters_of_classes(by_domain: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    labels, domains = torch.arange(80) % 4, torch.arange(80) // 40
    centres = 10 * torch.eye(4)
    features = centres[domains if by_domain else labels] + 0.1 * torch.randn(
        80, 4, generator=generator
    )
    found = entanglement(features, labels, domains, ("a", "b"))
    near, far = ("domain", "class") if by_domain else ("class", "domain")
    assert found[f"silhouette_{near}"] > 0.8  # type: ignore[operator]
    assert found[f"silhouette_{far}"] < 0.1  # type: ignore[operator]
    assert (found["knn_domain_accuracy"] == 100) == by_domain
    assert (found["probe_domain_accuracy"] == 100) == by_domain
    assert found["mmd2"].keys() == {"a|b"}  # type: ignore[union-attr]
    assert (found["mmd2"]["a|b"] > 0.5) == by_domain  # type: ignore[index]


def silhouette(apart: Tensor, groups: Tensor) -> float:
    """Mean of (b - a) / max(a, b): a to one's own group, b to the nearest other one."""
    found = []
    for row, own in zip(apart, groups.tolist(), strict=True):
        a = row[groups == own].sum() / ((groups == own).sum() - 1)
        others = [row[groups == group].mean() for group in groups.unique() if group != own]
        b = torch.stack(others).min()
        found.append((b - a) / torch.maximum(a, b))
    return float(torch.stack(found).mean())


@pytest.mark.parametrize("bandwidth", [None, 3.0, torch.tensor(3.0)], ids=str)
def test_of_a_few_pictures_every_number_is_its_definitions(
    bandwidth: Tensor | float | None,
) -> None:
    features, labels, domains = clouds(240)
    found = entanglement(features, labels, domains, ("a", "b", "c"), bandwidth=bandwidth)
    x = features.double()
    apart = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    median = apart[~torch.eye(240, dtype=torch.bool)].square().median().item()
    sigma2 = median if bandwidth is None else float(bandwidth)
    kernel = sum((-apart.square() / (2 * s * sigma2)).exp() for s in (0.25, 0.5, 1, 2, 4)) / 5
    mean = [[kernel[domains == a][:, domains == b].mean() for b in range(3)] for a in range(3)]
    knn, probe = [], []
    folds = StratifiedKFold(5, shuffle=True, random_state=0).split(x, domains)
    for known, asked in folds:
        votes = domains[known][apart[asked][:, known].topk(10, largest=False).indices]
        knn.append(float((F.one_hot(votes).sum(1).argmax(1) == domains[asked]).double().mean()))
        centre, spread = x[known].mean(0), x[known].std(0, correction=0)
        read = LogisticRegression(tol=1e-8).fit((x[known] - centre) / spread, domains[known])
        probe.append(read.score((x[asked] - centre) / spread, domains[asked]))
    assert found.pop("pictures") == 240
    assert found.pop("mmd2") == pytest.approx(
        {
            f"{'abc'[a]}|{'abc'[b]}": float(mean[a][a] + mean[b][b] - 2 * mean[a][b])
            for a, b in combinations(range(3), 2)
        }
    )
    # Percent of 240: one picture on the edge may be read otherwise, as solvers stop where they do.
    assert found.pop("probe_domain_accuracy") == pytest.approx(100 * mean_of(probe), abs=0.5)
    assert found == pytest.approx(
        {
            "bandwidth": sigma2,
            "knn_domain_accuracy": 100 * mean_of(knn),
            "silhouette_class": silhouette(apart, labels),
            "silhouette_domain": silhouette(apart, domains),
        }
    )
    assert 50 < found["knn_domain_accuracy"] < 90  # type: ignore[operator]


def test_entanglement_of_a_handful_says_how_many_it_needs() -> None:
    features, labels, domains = torch.randn(9, 4), torch.arange(9) % 2, torch.arange(9) // 6
    with pytest.raises(ValueError, match=r"'b' has 3 pictures.*needs 5 of each domain"):
        entanglement(features, labels, domains, ("a", "b"))


# Of very many pictures, a part.


@settings(max_examples=50)
@given(
    counts=st.lists(st.lists(st.integers(0, 60), min_size=3, max_size=3), min_size=2, max_size=4),
    most=st.integers(5, 200),
    seed=st.integers(0, 99),
)
def test_every_class_and_domain_keeps_its_share(
    counts: list[list[int]], most: int, seed: int
) -> None:
    cells = [
        (label, d) for d, row in enumerate(counts) for label, n in enumerate(row) for _ in range(n)
    ]
    if not cells:
        return
    order = torch.randperm(len(cells), generator=torch.Generator().manual_seed(seed))
    labels, domains = torch.tensor(cells)[order].T
    part = stratified(labels, domains, most)
    assert torch.equal(part, stratified(labels, domains, most))
    assert len(part) == min(most, len(cells))
    assert (part.diff() > 0).all()
    if len(cells) <= most:
        return
    if 20 <= most < len(cells) // 4:
        assert not torch.equal(part, stratified(labels, domains, most, seed=1))
    share = most / len(cells)
    for domain, row in enumerate(counts):
        drawn = domains[part] == domain
        assert abs(drawn.sum().item() - sum(row) * share) < 1
        for label, count in enumerate(row):
            of_cell = int((drawn & (labels[part] == label)).sum())
            assert abs(of_cell - count * share) < 1


def test_of_many_a_fixed_part_is_measured_and_the_rest_not_looked_at() -> None:
    """What is left out of 603 is far away, and no number knows of it."""
    features, labels, domains = clouds(603)
    assert len(stratified(*torch.randint(3, (2, 4101)))) == 4000  # by default
    part = stratified(labels, domains, 500)
    left_out = torch.ones(603, dtype=torch.bool).index_fill(0, part, False)
    moved = features + 1000.0 * left_out[:, None]
    found = entanglement(moved, labels, domains, ("a", "b", "c"), folds=2, most=500)
    assert found["pictures"] == 500
    some = mmd.mmd2_matrix(features[part].double(), domains[part], 3)[0, 1].item()
    assert found["mmd2"]["a|b"] == pytest.approx(some)  # type: ignore[index]
    whole = mmd.mmd2_matrix(features.double(), domains, 3)[0, 1].item()
    assert some == pytest.approx(whole, rel=0.15)


# Before and after unlearning.


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_features_and_bandwidth_may_be_on_a_gpu() -> None:
    on_cpu = clouds(90)
    there = [x.cuda() for x in on_cpu]
    wanted = entanglement(*on_cpu, ("a", "b", "c"), bandwidth=2.0)
    assert entanglement(
        *there, ("a", "b", "c"), bandwidth=torch.tensor(2.0).cuda()
    ) == wanted  # fmt: skip
    on_gpu = mmd.mmd2_matrix(there[0], there[2], 3).cpu()
    assert torch.allclose(on_gpu, mmd.mmd2_matrix(on_cpu[0], on_cpu[2], 3), atol=1e-5)
    assert torch.equal(stratified(there[1], there[2], 50), stratified(on_cpu[1], on_cpu[2], 50))


def test_before_and_after_are_measured_with_one_bandwidth(
    tiny_clip: FrozenCLIP, few: Splits
) -> None:
    method = replace(MINI, epochs=3, batch_size=8, learning_rate=0.2)
    run = unlearn(tiny_clip, few, Spec(method, Target(("sketch",))), progress=False)
    before, after = (run.record[when]["entanglement"] for when in ("before", "after"))  # type: ignore[literal-required]
    median = mmd.median_squared_distance(run.features_before).item()
    assert before["bandwidth"] == after["bandwidth"] == pytest.approx(median, rel=1e-3)
    assert mmd.median_squared_distance(run.features_after).item() != pytest.approx(median, rel=1e-2)
    own, _ = evaluate(run.model, few.test, ["sketch"])
    assert own["entanglement"]["mmd2"] != after["mmd2"]
    common, _ = evaluate(run.model, few.test, ["sketch"], bandwidth=before["bandwidth"])
    assert common["entanglement"] == after
    assert before["pictures"] == after["pictures"] == len(few.test)


def test_evaluate_may_leave_entanglement_out(tiny_clip: FrozenCLIP, few: Splits) -> None:
    found, features = evaluate(tiny_clip, few.test, ["sketch"], entangled=False)
    assert "entanglement" not in found
    assert features.shape == (len(few.test), tiny_clip.feature_size)
    none = torch.zeros(len(features), dtype=torch.bool)
    again, _ = evaluate(tiny_clip, few.test, ["sketch"], known=(features, none))
    assert again["metrics"] == found["metrics"]
    words = tiny_clip.class_features(few.test.class_names)[few.test.labels]
    known, _ = evaluate(
        tiny_clip, few.test, ["sketch"], known=(words, none)
    )  # they are not made anew
    assert known["metrics"]["mem"] == 100


def test_a_domain_may_be_kept_in_part(tiny_clip: FrozenCLIP, few: Splits) -> None:
    """Classes in a domain: its pictures of other classes are kept, and both sides are told."""
    found, features = evaluate(tiny_clip, few.test, Target(("sketch",), ("car",)), entangled=False)
    answers = tiny_clip.logits(features, few.test.class_names).argmax(dim=1)
    right = 100 * (answers == few.test.labels).double()
    sketch = few.test.domains == few.test.domain_names.index("sketch")
    car = few.test.labels == few.test.class_names.index("car")
    assert list(found["forgotten"]) == ["sketch"]
    assert found["forgotten"]["sketch"] == pytest.approx(float(right[sketch & car].mean()))
    assert list(found["kept"]) == list(few.test.domain_names)
    assert found["kept"]["sketch"] == pytest.approx(float(right[sketch & ~car].mean()))
    assert found["accuracy"]["sketch"] == pytest.approx(float(right[sketch].mean()))
    assert found["kept"]["real"] == found["accuracy"]["real"]
