import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from adu_core import ADU, losses
from adu_core.losses import squared_distances


def mmd2_by_loops(features: Tensor, domains: Tensor, sigma2: float) -> float:
    """The definition, pair of domains by pair, kernel value by kernel value."""

    def kernel(x: Tensor, y: Tensor) -> float:
        d = float((x - y).square().sum())
        return sum(math.exp(-d / (2 * s * sigma2)) for s in losses.BANDWIDTHS) / 5

    def mean(a: Tensor, b: Tensor) -> float:
        return sum(kernel(x, y) for x in a for y in b) / (len(a) * len(b))

    parts = [features[domains == d] for d in domains.unique()]
    pairs = [(a, b) for i, a in enumerate(parts) for b in parts[i + 1 :]]
    return sum(mean(a, a) + mean(b, b) - 2 * mean(a, b) for a, b in pairs) / len(pairs)


def test_mmd2_is_the_mean_over_pairs_of_the_double_precision_loops() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(23, 5, generator=generator, dtype=torch.float64)
    domains = torch.randint(4, (23,), generator=generator)
    sigma2 = losses.median_squared_distance(features).item()
    expected = mmd2_by_loops(features, domains, sigma2)
    assert losses.mmd2(features, domains).item() == pytest.approx(expected, rel=1e-12)
    assert losses.mmd2(features.float(), domains).item() == pytest.approx(expected, rel=1e-4)
    # A domain number that no picture has changes nothing.
    assert losses.mmd2(features, domains * 3).item() == pytest.approx(expected, rel=1e-12)


@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(1, 4))
def test_mmd2_lies_in_its_range_and_ignores_the_order(seed: int, count: int, names: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    domains = torch.randint(names, (count,), generator=generator)
    order = torch.randperm(count, generator=generator)
    found = losses.mmd2(features, domains).item()
    assert -1e-12 <= found <= 2
    assert losses.mmd2(features[order], domains[order]).item() == pytest.approx(found, abs=1e-12)


def test_equal_points_have_no_distance_and_finite_gradients() -> None:
    features = torch.ones(6, 3, requires_grad=True)
    found = losses.mmd2(features, torch.arange(6) % 2)
    found.backward()
    assert found.item() == 0
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_one_domain_alone_costs_nothing_and_still_has_a_gradient() -> None:
    features = torch.randn(4, 3, requires_grad=True)
    found = losses.mmd2(features, torch.zeros(4, dtype=torch.int64))
    found.backward()
    assert found.item() == 0
    assert features.grad is not None
    assert not features.grad.any()


def test_forget_is_smallest_at_the_uniform_distribution() -> None:
    everyone = torch.ones(5, dtype=torch.bool)
    uniform = losses.forget(torch.zeros(5, 7), everyone).item()
    assert uniform == pytest.approx(math.log(7))
    generator = torch.Generator().manual_seed(0)
    for scale in (0.1, 1.0, 10.0):
        logits = scale * torch.randn(5, 7, generator=generator)
        assert losses.forget(logits, everyone).item() > uniform


@pytest.mark.parametrize("side", [True, False])
def test_an_absent_side_costs_nothing_and_still_has_a_gradient(side: bool) -> None:
    logits = torch.randn(3, 4, requires_grad=True)
    forgotten = torch.full((3,), side)
    labels = torch.tensor([0, 1, 2])
    absent = (
        losses.memorize(logits, labels, ~forgotten) if side else losses.forget(logits, forgotten)
    )
    absent.backward()
    assert absent.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_ddl_rewards_domains_that_are_apart() -> None:
    domains = torch.tensor([0, 0, 1, 1])
    logits = torch.zeros(4, 2)
    together = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    apart = together + torch.tensor([[0.0], [0.0], [9.0], [9.0]])
    low, high = (
        losses.ddl(logits, features, domains, gamma=2.0, lam=3.0) for features in (apart, together)
    )
    assert low < high
    assert high.item() == pytest.approx(2 * math.log(2))
    expected = 2 * math.log(2) - 3 * losses.mmd2(apart, domains).item()
    assert low.item() == pytest.approx(expected)


def test_half_precision_is_computed_in_float32() -> None:
    features = torch.randn(6, 4).bfloat16()
    domains = torch.arange(6) % 2
    assert losses.mmd2(features, domains).dtype == torch.float32
    assert losses.forget(features, domains == 0).dtype == torch.float32
    assert losses.memorize(features, domains, domains == 0).dtype == torch.float32


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf, torch.tensor(-1.0)])
def test_a_bandwidth_that_is_none_is_refused(wrong: float | Tensor) -> None:
    features, domains = torch.randn(4, 3), torch.arange(4) % 2
    with pytest.raises(ValueError, match="bandwidth of MMD² must be a number above 0, not"):
        losses.mmd2(features, domains, bandwidth=wrong)
    if isinstance(wrong, float):
        with pytest.raises(ValueError, match="multiple of MMD² must be a number above 0, not"):
            losses.mmd2(features, domains, multiples=(1.0, wrong))
        with pytest.raises(ValueError, match="multiple of MMD²"):
            losses.ddl(features, features, domains, gamma=1.0, lam=1.0, multiples=(wrong,))
        with pytest.raises(ValueError, match=r"bandwidths must be (above 0|finite), not"):
            ADU(bandwidths=(1.0, wrong))


def test_bfloat16_changes_no_loss_of_given_numbers() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 30 * torch.randn(16, 5, generator=generator)
    labels, domains = torch.arange(16) % 5, torch.arange(16) % 3
    forgotten = domains == 0

    def all_losses() -> list[float]:
        ddl = losses.ddl(logits[:, :3], logits, domains, gamma=2.0, lam=3.0)
        return [x.item() for x in (*losses.memorize_and_forget(logits, labels, forgotten), ddl)]

    exact = all_losses()
    with torch.autocast("cpu", torch.bfloat16):
        assert all_losses() == exact


# By hand, one number at a time: each of these once let a changed line of code through.


def test_a_side_is_averaged_over_its_own_pictures() -> None:
    """Whatever the other side's pictures say, and however many there are of one's own."""
    flat, sharp = torch.zeros(1, 4), torch.tensor([[9.0, 0.0, 0.0, 0.0]])
    logits = torch.cat([flat, flat, sharp])
    labels, memorized = torch.zeros(3, dtype=torch.int64), torch.tensor([True, True, False])
    assert losses.memorize(logits, labels, memorized).item() == pytest.approx(math.log(4))
    assert losses.forget(logits, memorized).item() == pytest.approx(math.log(4))
    one = losses.forget(logits, ~memorized).item()
    assert one == pytest.approx(math.log(math.exp(9) + 3) - 9 / 4)


def test_both_sides_and_the_weight_between_them() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    labels, forgotten = torch.tensor([0, 1, 0]), torch.tensor([False, False, True])
    kept, gone = losses.memorize(logits, labels, ~forgotten), losses.forget(logits, forgotten)
    plain = losses.memorize_and_forget(logits, labels, forgotten)
    assert plain.total.item() == pytest.approx((kept + gone).item())
    assert (plain.memorize.item(), plain.forget.item()) == (kept.item(), gone.item())
    weighted = losses.memorize_and_forget(logits, labels, forgotten, 3.0)
    assert weighted.total.item() == pytest.approx((kept + 3 * gone).item())
    assert losses.total(kept, gone, kept * 0).total.item() == pytest.approx((kept + gone).item())


def test_one_kernel_of_two_points_by_hand() -> None:
    """The five together are the same when each is turned into its reciprocal: one is not."""
    features, domains = torch.tensor([[0.0, 0.0], [3.0, 4.0]]), torch.tensor([0, 1])
    for s in (0.5, 1.0, 4.0):
        found = losses.mmd2(features, domains, bandwidth=10.0, multiples=(s,))
        assert found.item() == pytest.approx(2 - 2 * math.exp(-25 / (2 * s * 10)))


def test_a_row_is_at_no_distance_from_itself() -> None:
    """Rounding leaves something on the diagonal, and it is taken away."""
    features = torch.randn(50, 30, generator=torch.Generator().manual_seed(0)) * 100 + 1000
    assert squared_distances(features).diagonal().eq(0).all()
    double = squared_distances(features.double())
    assert double.dtype == torch.float64


def test_the_median_of_one_pair_is_its_distance() -> None:
    features = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    assert losses.median_squared_distance(features).item() == 25
    assert losses.median_squared_distance(features[:1]).item() == 1
    assert losses.median_squared_distance(features[:1]).shape == ()


def test_domains_that_a_batch_lacks_have_their_place_and_no_number() -> None:
    features, domains = torch.randn(4, 3), torch.tensor([0, 0, 1, 1])
    matrix = losses.mmd2_matrix(features, domains, 4)
    assert matrix.shape == (4, 4)
    assert matrix[0, 1].item() == pytest.approx(matrix[1, 0].item())
    assert matrix[0, 1] > 0
    assert matrix[2:].isnan().all()
    assert matrix[:, 2:].isnan().all()
    known = losses.mmd2(features, domains, domain_count=4)
    assert known.item() == pytest.approx(losses.mmd2(features, domains).item())
    assert losses.mmd2(features[:0], domains[:0]).item() == 0
