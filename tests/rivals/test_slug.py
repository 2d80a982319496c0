"""SLUG: the front by hand, the bisection, and that exactly one layer changes."""

import math
from collections.abc import Callable

import pytest
import torch

from adu_core import FrozenCLIP, Splits
from adu_core.dataset import Target
from adu_core.rivals.edited import gradient, towards_class, towards_uniform
from adu_core.rivals.slug import (
    HALVINGS,
    SHORTEST,
    SLUG,
    Layer,
    block_matrices,
    longest_step,
    measured,
    pareto_front,
    step_along,
)
from adu_core.task import Task


def test_the_front_by_hand() -> None:
    """More important and less aligned is better; b is beaten by a, d by c, the rest by none."""
    a, b, c = Layer("a", 3.0, 0.5), Layer("b", 2.0, 0.6), Layer("c", 2.0, 0.1)
    d, e, f = Layer("d", 1.0, 0.1), Layer("e", 0.1, 0.0), Layer("f", 4.0, 0.9)
    assert pareto_front([a, b, c, d, e, f]) == [f, a, c, e]
    assert pareto_front([d, c]) == [c]
    assert pareto_front([a, a._replace(name="twin")]) == [a, a._replace(name="twin")]


def test_importance_and_alignment_by_hand() -> None:
    """|g_f| = 5, |W| = 2, and g_r at 53.13 degrees to -g_f: cosine -3/5 · … = -0.6."""
    found = measured(
        {"w": torch.tensor([[2.0, 0.0]])},
        {"w": torch.tensor([[3.0, 4.0]])},
        {"w": torch.tensor([[-1.0, 0.0]])},
    )
    assert found == [Layer("w", 2.5, pytest.approx(0.6))]


def test_a_step_is_a_share_of_the_layers_length() -> None:
    weight, slope = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 2.0]])
    assert step_along(weight, slope, 0.4).tolist() == [[3.0, 2.0]]
    assert torch.equal(step_along(weight, slope * 1e-3, 0.0), weight)
    assert torch.equal(step_along(weight, torch.zeros(1, 2), 1.0), weight)  # no gradient, no step


def below(limit: float) -> Callable[[float], bool]:
    return lambda step: step <= limit


@pytest.mark.parametrize("limit", [0.001, 0.03, 0.4, 1.99])
def test_the_bisection_comes_close_from_below(limit: float) -> None:
    found = longest_step(below(limit), 2.0)
    octaves = -math.log2(SHORTEST) / 2**HALVINGS
    assert found <= limit <= found * 2**octaves * 1.0001


def test_the_bisections_ends() -> None:
    assert longest_step(below(5.0), 2.0) == 2.0
    assert longest_step(below(-1.0), 2.0) == 0.0
    asked: list[float] = []

    def never(step: float) -> bool:
        asked.append(step)
        return False

    longest_step(never, 2.0)
    assert len(asked) == 1 + HALVINGS


def test_layers_are_the_matrices_of_the_vision_blocks(tiny_clip: FrozenCLIP) -> None:
    names = block_matrices(tiny_clip)
    assert len(names) == 4 * len(tiny_clip.blocks)
    assert all(name.startswith("visual.transformer.resblocks.") for name in names)


def test_the_gradient_is_that_of_the_whole_side(tiny_clip: FrozenCLIP, few: Splits) -> None:
    """However many passes it takes: against autograd over all of its shots at once."""
    task = Task(tiny_clip, few.shots, Target(("sketch",)))
    model = SLUG().start(task)
    for side, loss in ((~task.forgotten, towards_class), (task.forgotten, towards_uniform)):
        shots = few.shots.subset(side)
        value = loss(model.logits(model.features(shots.pictures)), shots.labels)
        whole = torch.autograd.grad(value, list(model.weights))
        found = gradient(model, task, side, loss, batch_size=5)
        for part, name in zip(whole, model.names, strict=True):
            torch.testing.assert_close(found[name], part, rtol=1e-3, atol=1e-6)


def test_exactly_one_layer_differs(tiny_clip: FrozenCLIP, few: Splits) -> None:
    model = SLUG(keep=0.5).fit(Task(tiny_clip, few.shots, Target(("sketch",))))
    frozen, edited = (dict(clip.model.named_parameters()) for clip in (tiny_clip, model.edited))
    changed = [name for name in frozen if not torch.equal(frozen[name], edited[name])]
    assert len(changed) == 1
    assert list(model.state_dict()) == changed
