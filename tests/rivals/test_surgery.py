"""Gradient surgery, by hand: what is taken out, and what is left alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from adu_core.rivals.surgery import project_conflict, without_conflict

numbers = st.lists(st.floats(-3, 3, width=32), min_size=5, max_size=5)


def test_the_part_against_memorizing_is_taken_out() -> None:
    """(1, 0) and (-1, 1): the dot product is -1, the projection (-1, 0), what remains (0, 1)."""
    mended = without_conflict(torch.tensor([-1.0, 1.0]), torch.tensor([1.0, 0.0]))
    assert mended.tolist() == [0.0, 1.0]
    # Of any length: -1/2 times (2, 0) goes.
    mended = without_conflict(torch.tensor([-1.0, 1.0]), torch.tensor([2.0, 0.0]))
    assert mended.tolist() == [0.0, 1.0]


def test_without_a_conflict_nothing_changes_and_of_an_opposite_nothing_is_left() -> None:
    forget = torch.tensor([0.3, 1.7])
    for memorize in ([1.0, 0.0], [17.0, -3.0], [0.0, 0.0]):
        assert torch.equal(without_conflict(forget, torch.tensor(memorize)), forget)
    assert without_conflict(-5 * forget, forget).abs().max() < 1e-6


@given(numbers, numbers)
def test_no_conflict_is_left(forget: list[float], memorize: list[float]) -> None:
    gone, kept = torch.tensor(forget), torch.tensor(memorize)
    mended = without_conflict(gone, kept)
    slack = 1e-5 * (1 + gone.norm() * kept.norm())
    assert mended @ kept >= -slack
    assert mended.norm() <= gone.norm() + 1e-5  # it only takes out


def test_project_conflict_is_the_sum_of_the_mended_gradients() -> None:
    """Two parameters, one of which only one loss knows, against autograd of each loss alone."""
    generator = torch.Generator().manual_seed(0)
    first = nn.Parameter(torch.randn(3, 2, generator=generator))
    second = nn.Parameter(torch.randn(4, generator=generator))
    learned = [first, second]

    def memorize() -> torch.Tensor:
        return (first.square().sum() + second.sum()) / 2

    def forget() -> torch.Tensor:
        return -first.sum() - first.square().sum()

    kept = torch.cat([part.flatten() for part in torch.autograd.grad(memorize(), learned)])
    (part,) = torch.autograd.grad(forget(), [first])
    gone = torch.cat([part.flatten(), torch.zeros(4)])  # the second plays no part in forgetting
    assert gone @ kept < 0
    project_conflict(memorize(), forget(), learned)
    assert first.grad is not None
    assert second.grad is not None
    found = torch.cat([first.grad.flatten(), second.grad])
    torch.testing.assert_close(found, kept + without_conflict(gone, kept))
    assert abs(float((found - kept) @ kept)) < 1e-5


def test_losses_that_share_a_graph_can_be_parted() -> None:
    """Both come from one forward pass, as in training, and one of them may be constant."""
    weight = nn.Parameter(torch.tensor([2.0]))
    shared = weight.square()
    project_conflict(shared.sum(), -3 * shared.sum(), [weight])
    assert weight.grad is not None
    assert weight.grad.item() == pytest.approx(4.0)  # 4, and of -12 nothing
    project_conflict(weight.sum(), (weight * 0).sum(), [weight])
    assert weight.grad.item() == 1.0
