import math

import torch

from adu_core import FrozenCLIP, Splits, load_clip
from adu_core.dataset import Target
from adu_core.loop import Loop
from adu_core.rivals.clipfit import fitted_names, text_drift
from adu_core.rivals.methods import method
from adu_core.task import Task

SKETCH = Target(("sketch",))
QUICK = method("clipfit", "mini", epochs=2, batch_size=16, learning_rate=0.05)


def test_the_drift_of_two_classes_by_hand() -> None:
    frozen = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    half = torch.tensor([[1.0, 0.0], [1.0, 0.0]])  # one stayed, one turned by 90 degrees
    assert text_drift(frozen, frozen).item() == 0
    assert math.isclose(text_drift(half, frozen).item(), 0.5)
    assert math.isclose(text_drift(-frozen, frozen).item(), 2.0)


def test_text_biases_and_vision_norms_learn_and_nothing_else(
    tiny_clip: FrozenCLIP, few: Splits
) -> None:
    names = fitted_names(tiny_clip)
    biases = [name for name in names if not name.startswith("visual.")]
    assert biases == [f"transformer.resblocks.{block}.mlp.c_proj.bias" for block in (0, 1)]
    assert {name.split(".")[-2] for name in names[2:]} == {"ln_pre", "ln_1", "ln_2", "ln_post"}
    run = Loop(progress=False)
    model = QUICK.fit(Task(tiny_clip, few.shots, SKETCH), seed=3, run=run)
    assert run.history[0].keys() == {"total", "memorize", "forget", "drift"}
    frozen = dict(tiny_clip.model.named_parameters())
    for name, weight in model.edited.model.named_parameters():
        assert torch.equal(weight, frozen[name]) == (name not in names), name


def test_the_heavier_the_anchor_the_less_the_text_moves(few: Splits) -> None:
    drifts = []
    for lam in (0.0, 100.0):
        run = Loop(progress=False)
        made = method("clipfit", "mini", epochs=4, batch_size=16, learning_rate=0.2, lam=lam)
        made.fit(Task(load_clip("mini"), few.shots, SKETCH), run=run)
        drifts.append(run.history[-1]["drift"])
    assert 0.001 < drifts[1] < 0.9 * drifts[0]  # measured: 0.0129 and 0.0171
