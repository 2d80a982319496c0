"""The parts of the one training loop, on a model so small that every step is known by hand."""

import math
from dataclasses import replace
from typing import Any, NamedTuple
from unittest import mock

import pytest
import torch
from torch import Tensor, nn

from adu_core import MINI, Splits, Target, Task, load_clip, method
from adu_core import precision as precisions
from adu_core.dataset import DomainDataset
from adu_core.loop import Batch, Loop, Steps, learning_rate, train
from adu_core.losses import mmd2
from adu_core.precision import exact, tf32

WHOLE = Steps(
    epochs=3, batch_size=4, learning_rate=0.1, warmup_rate=0.01, weight_decay=0.0, crop=1.0,
    flip=False,
)  # fmt: skip


class Total(NamedTuple):
    """The smallest of losses."""

    total: Tensor


class PlainCLIP:
    """All that the loop asks of a CLIP."""

    device = torch.device("cpu")
    fingerprint = "none"

    @staticmethod
    def normalise(pictures: Tensor) -> Tensor:
        return pictures.float()


class Line(nn.Module):
    """One number that learns."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.clip = PlainCLIP()


def shots(count: int = 10) -> DomainDataset:
    """Pictures of one grey level each, their own number; two domains, three classes."""
    number = torch.arange(count)
    pictures = number.to(torch.uint8)[:, None, None, None].expand(-1, 3, 4, 4).contiguous()
    return DomainDataset(pictures, number % 3, number % 2, ("a", "b", "c"), ("x", "y"))


def teach(
    steps: Steps,
    loss: Any,
    data: DomainDataset | None = None,
    seed: int = 0,
    *,
    scale: float = 1.0,
    **others: Any,
) -> tuple[Line, list[dict[str, float]]]:
    model, run = Line(), Loop(progress=False)
    data = data or shots()
    train(
        model,  # type: ignore[arg-type]
        data,
        data.domains == 1,
        steps,
        loss(model),
        steps.sgd([{"params": [model.weight], "scale": scale}]),
        seed=seed,
        run=run,
        **others,
    )
    return model, run.history


def seen_in(steps: Steps, data: DomainDataset | None = None, seed: int = 0) -> list[Batch]:
    batches: list[Batch] = []

    def loss(model: Line) -> Any:
        def watch(batch: Batch) -> Total:
            batches.append(batch)
            return Total(model.weight.sum() * 0)

        return watch

    teach(steps, loss, data, seed)
    return batches


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
def test_every_step_is_sgds_with_momentum_and_weight_decay(momentum, weight_decay):
    steps = replace(WHOLE, momentum=momentum, weight_decay=weight_decay)
    model, _ = teach(steps, lambda model: lambda _: Total(2 * model.weight.sum() + 1))
    weight = velocity = 0.0
    for epoch in range(3):
        for _ in range(3):  # ten pictures in batches of four
            velocity = momentum * velocity + 2 + weight_decay * weight
            weight -= learning_rate(epoch, steps) * velocity
    assert model.weight.item() == pytest.approx(weight, rel=1e-5)


def test_a_group_of_parameters_may_have_a_rate_of_its_own():
    steps = replace(WHOLE, momentum=0.0)
    model, _ = teach(steps, lambda model: lambda _: Total(model.weight.sum()), scale=0.5)
    rates = sum(learning_rate(epoch, WHOLE) for epoch in range(3))
    assert model.weight.item() == pytest.approx(-0.5 * 3 * rates, rel=1e-5)


def test_a_method_may_change_the_gradients():
    def backward(losses: Total, learned: list[nn.Parameter]) -> None:
        losses.total.backward()
        for parameter in learned:
            assert parameter.grad is not None
            parameter.grad.mul_(-1)

    model, _ = teach(WHOLE, lambda model: lambda _: Total(model.weight.sum()), backward=backward)
    assert model.weight.item() > 0


def test_a_batch_holds_the_pictures_it_says_with_all_that_is_known_of_them():
    data = shots()
    batches = seen_in(WHOLE, data)
    assert [len(batch.index) for batch in batches] == [4, 4, 2] * 3
    for batch in batches:
        assert torch.equal(batch.labels, data.labels[batch.index])
        assert torch.equal(batch.domains, data.domains[batch.index])
        assert torch.equal(batch.forgotten, data.domains[batch.index] == 1)
        wanted = data.pictures[batch.index].float()
        assert torch.allclose(batch.pictures, wanted, atol=1e-4)
        assert batch.domains.sum() == len(batch.index) / 2  # balanced
    for epoch in range(3):
        drawn = torch.cat([batch.index for batch in batches[3 * epoch : 3 * epoch + 3]])
        assert drawn.sort().values.tolist() == list(range(10))


def test_the_same_seed_gives_the_same_batches_and_no_two_epochs_are_alike():
    orders = [
        [tuple(batch.index.tolist()) for batch in seen_in(WHOLE, seed=seed)] for seed in (5, 5, 6)
    ]
    assert orders[0] == orders[1] != orders[2]
    assert len({tuple(orders[0][i : i + 3]) for i in (0, 3, 6)}) == 3


def test_pictures_are_augmented_anew_in_every_epoch():
    ramp = torch.arange(16, dtype=torch.uint8).reshape(1, 1, 4, 4).expand(1, 3, -1, -1).contiguous()
    one = torch.zeros(1, dtype=torch.int64)
    data = DomainDataset(ramp, one, one, ("a",), ("x", "y"))
    batches = seen_in(replace(WHOLE, crop=0.5, flip=True), data)
    assert len(batches) == 3
    for first, second in ((0, 1), (1, 2), (0, 2)):
        assert not torch.allclose(batches[first].pictures, batches[second].pictures, atol=1e-2)


def test_the_history_is_the_mean_over_pictures_though_the_last_batch_is_smaller():
    _, history = teach(
        WHOLE, lambda model: lambda batch: Total(batch.index.float().mean() + 0 * model.weight[0])
    )
    assert [entry["total"] for entry in history] == pytest.approx([4.5] * 3)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_half_precision_is_for_the_loss_alone(precision):
    seen = []

    def loss(model: Line) -> Any:
        def watch(batch: Batch) -> Total:
            product = batch.pictures.flatten(1) @ batch.pictures.flatten(1).T
            seen.append((batch.pictures.dtype, product.dtype))
            return Total(model.weight.sum())

        return watch

    model, _ = teach(replace(WHOLE, precision=precision), loss)
    assert set(seen) == {(torch.float32, getattr(torch, precision))}
    assert model.weight.dtype == torch.float32
    assert not torch.is_autocast_enabled("cpu")


def test_a_gradient_too_small_for_float16_is_not_lost():
    """What is computed in float16 has a smallest number, 6e-8; the loss is scaled before."""

    def loss(model: Line) -> Any:
        def small(_: Batch) -> Total:
            product = model.weight[None] @ torch.full_like(model.weight, 1e-4)[:, None]
            return Total(product.float().sum() * 1e-4)

        return small

    plain = replace(WHOLE, learning_rate=10.0, momentum=0.0, weight_decay=0.0)
    moved = {
        precision: teach(replace(plain, precision=precision), loss)[0].weight
        for precision in ("float32", "float16")
    }
    start = teach(replace(plain, learning_rate=0.0, warmup_rate=0.0), loss)[0].weight
    assert (moved["float32"] != start).any()
    torch.testing.assert_close(
        moved["float16"] - start, moved["float32"] - start, rtol=0.01, atol=0
    )


@pytest.mark.parametrize("precision", ["float32", "tf32"])
def test_tf32_is_for_a_step_and_not_for_logits_or_mmd2(precision, tiny_clip):
    """What torch lets a GPU do, read where it counts; on a CPU it changes nothing."""
    products, seen = torch.backends.cuda.matmul, {}
    first = products.allow_tf32

    def loss(model: Line) -> Any:
        def watch(_: Batch) -> Total:
            seen["forward"] = products.allow_tf32
            with exact(torch.device("cpu")):
                seen["exact"] = products.allow_tf32
            total = model.weight.sum()
            total.register_hook(lambda _: seen.update(backward=products.allow_tf32))
            return Total(total)

        return watch

    teach(replace(WHOLE, precision=precision), loss)
    allowed = precision == "tf32"
    assert seen == {"forward": allowed, "exact": False, "backward": allowed}
    assert products.allow_tf32 == first

    with tf32(True):  # the parts that are exact say so themselves
        features, entered = torch.randn(4, tiny_clip.feature_size), []
        with mock.patch.object(precisions, "tf32", lambda on: entered.append(on) or tf32(on)):
            tiny_clip.similarity(features, features)
            mmd2(features, torch.arange(4) % 2)
    assert entered
    assert not any(entered)


def test_a_loss_that_is_no_number_ends_it():
    with pytest.raises(FloatingPointError, match=r"nan in epoch 1: lower the learning rate"):
        teach(WHOLE, lambda model: lambda _: Total(model.weight.sum() * math.nan))


def test_a_step_in_bfloat16_goes_where_one_in_float32_does(few: Splits) -> None:
    task, moved, totals = Task(load_clip(), few.shots, Target(("sketch",))), {}, {}
    steps = {"epochs": 1, "batch_size": len(few.shots), "learning_rate": 0.01}
    for precision in ("float32", "bfloat16"):
        made, run = method("full", "mini", precision=precision, **steps), Loop(progress=False)
        model = made.fit(task, run=run)
        assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
        with torch.no_grad():
            assert model.features(few.test.pictures).dtype == torch.float32
        pairs = zip(model.parameters(), made.start(task).parameters(), strict=True)
        moved[precision] = torch.cat([(end - start).detach().flatten() for end, start in pairs])
        totals[precision] = run.history[0]["total"]
    assert totals["bfloat16"] == pytest.approx(totals["float32"], rel=0.05)
    assert torch.cosine_similarity(*moved.values(), dim=0) > 0.9
    assert not torch.equal(*moved.values())  # it did run in bfloat16


def test_the_learning_rate_warms_up_then_falls() -> None:
    rates = [learning_rate(epoch, MINI) for epoch in range(MINI.epochs)]
    assert rates[0] == MINI.warmup_rate
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert MINI.learning_rate > rates[1] > 0.9 * MINI.learning_rate
    assert 0 < rates[-1] < 0.05 * MINI.learning_rate
