import math
from itertools import pairwise

import pytest
import torch

from adu_core import FrozenCLIP, Splits
from adu_core.dataset import Target
from adu_core.loop import Loop
from adu_core.losses import memorize_and_forget
from adu_core.rivals.lppp import LinearHead, first_values, step_sizes
from adu_core.rivals.methods import method
from adu_core.task import Model, Task

SKETCH = Target(("sketch",))


def test_the_step_sizes_follow_from_the_spectrum_by_hand() -> None:
    # Two features along x and one along y: FᵀF is diag(2, 1), so λmax is 2 and N is 3.
    features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    classes = torch.tensor([[0.6, 0.8], [0.0, 1.0]])  # Σ (f · t)²: 2 · 0.36 + 0.64 = 1.36, and 1
    of_weight, of_alpha = step_sizes(features, classes, torch.full((3,), 1 / 3))
    assert math.isclose(of_weight, 4 * 3 / 2, rel_tol=1e-6)
    assert math.isclose(of_alpha, 3 / (4 * 1.36), rel_tol=1e-6)
    # A third picture that counts 2, the others 1/2 each: diag(1, 2), and 0.36 + 2 · 0.64, 2.
    of_weight, of_alpha = step_sizes(features, classes, torch.tensor([0.5, 0.5, 2.0]))
    assert math.isclose(of_weight, 4 / 2, rel_tol=1e-6)
    assert math.isclose(of_alpha, 1 / (4 * 2), rel_tol=1e-6)


def test_the_first_values_by_hand() -> None:
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    classes = torch.eye(2)[[0, 1, 0]]
    weight, alpha = first_values(features, classes, torch.tensor([0, 0, 1]), 250.0)
    assert torch.allclose(weight, torch.tensor([[1.0, 1.0], [0.6, 0.8], [0.0, 0.0]]))
    # Class 0: f · t is 1 and 0, mean 0.5. Class 1: 0.8. Class 2 has no picture.
    assert math.isclose(alpha, 250 * (0.5 + 0.8) / 2, rel_tol=1e-6)


def test_without_weights_it_is_the_zero_shot_order(tiny_clip: FrozenCLIP, few: Splits) -> None:
    start = method("lp++").start(Task(tiny_clip, few.shots, SKETCH))
    with torch.no_grad():
        features = tiny_clip.encode_image(few.test.pictures)
        zero_shot = tiny_clip.logits(features, few.test.class_names)
        assert torch.equal(start.logits(features).argmax(1), zero_shot.argmax(1))
        scaled = start.logits(features) * tiny_clip.logit_scale / 250
    assert torch.allclose(scaled, zero_shot, atol=1e-4)


def test_one_step_by_hand(tiny_clip: FrozenCLIP, few: Splits) -> None:
    task = Task(tiny_clip, few.shots, SKETCH)
    run = Loop(progress=False)
    model = method("lp++", epochs=1, alpha=20.0, forget_weight=2.0).fit(task, run=run)

    labels, gone = few.shots.labels, task.forgotten
    kept = ~gone
    with torch.no_grad():
        features = tiny_clip.encode_image(few.shots.pictures)
        classes = tiny_clip.class_features(few.shots.class_names)
    weight, alpha = first_values(features[kept], classes, labels[kept], 20.0)
    text = features @ classes.T
    logits = features @ weight.T + alpha * text
    # d loss / d logits: what is said less what should be, over the pictures of its side.
    wanted = torch.where(gone[:, None], torch.tensor(1 / 4), torch.eye(4)[labels])
    share = torch.where(gone, 2 / gone.sum(), 1 / kept.sum())[:, None]
    slope = share * (logits.softmax(1) - wanted)
    of_weight, of_alpha = step_sizes(features, classes, share[:, 0])
    assert torch.allclose(model.weight, weight - of_weight * slope.T @ features, atol=1e-4)
    assert torch.allclose(model.bias, -of_weight * slope.sum(0), atol=1e-4)
    assert torch.allclose(model.alpha, alpha - of_alpha * (slope * text).sum(0), atol=1e-4)
    total = memorize_and_forget(logits, labels, gone, 2.0).total.item()
    assert math.isclose(run.history[0]["total"], total, rel_tol=1e-4)


def test_alpha_takes_every_tenth_step_and_the_best_step_is_kept(
    tiny_clip: FrozenCLIP, few: Splits
) -> None:
    alphas: list[torch.Tensor] = []
    found: list[float] = []
    task = Task(tiny_clip, few.shots, SKETCH, validation=few.validation)
    features, labels = tiny_clip.features(few.validation.pictures), few.validation.labels
    gone = SKETCH.mask(few.validation)

    @torch.no_grad()
    def h(model: Model) -> float:
        right = (model.logits(features).argmax(1) == labels).float()
        mem, error = right[~gone].mean().item(), 1 - right[gone].mean().item()
        return 2 * mem * error / (mem + error) if mem + error else 0.0

    def look(_: int, model: LinearHead) -> None:
        alphas.append(model.alpha.detach().clone())
        found.append(h(model))

    model = method("lp++", "mini", epochs=23).fit(task, run=Loop(False, after_epoch=look))
    moved = [not torch.equal(a, b) for a, b in pairwise(alphas)]
    assert [step + 1 for step, did in enumerate(moved) if did] == [10, 20]
    assert len(set(found)) > 2
    assert h(model) == max(found)


def test_it_descends_and_knows_its_own_classes_only(tiny_clip: FrozenCLIP, few: Splits) -> None:
    run = Loop(progress=False)
    model = method("lp++", "mini", epochs=50).fit(Task(tiny_clip, few.shots, SKETCH), run=run)
    totals = [entry["total"] for entry in run.history]
    assert len(totals) == 50
    assert totals[-1] < totals[0]
    assert not model.open_classes
    features = tiny_clip.encode_image(few.test.pictures)
    with pytest.raises(ValueError, match=r"lp\+\+ knows car, house, tree, fish only"):
        model.logits(features, ["bird", "boat"])
