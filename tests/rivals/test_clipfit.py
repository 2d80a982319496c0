import math

import pytest
import torch

from adu_core import FrozenCLIP, Splits, load_clip, world
from adu_core.loop import Loop
from adu_core.measure import accuracies
from adu_core.rivals.clipfit import fitted_names, text_drift
from adu_core.rivals.methods import method
from adu_core.rivals.saved import load_model, save_model
from adu_core.runs.checkpoint import Checkpoint
from adu_core.task import Target, Task

SKETCH = Target(("sketch",))
QUICK = method("clipfit", "mini", epochs=2, batch_size=16, learning_rate=0.05)


def test_the_drift_of_two_classes_by_hand() -> None:
    frozen = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    half = torch.tensor([[1.0, 0.0], [1.0, 0.0]])  # one stayed, one turned by 90 degrees
    assert text_drift(frozen, frozen).item() == 0
    assert math.isclose(text_drift(half, frozen).item(), 0.5)
    assert math.isclose(text_drift(-frozen, frozen).item(), 2.0)


def test_text_biases_and_vision_norms_learn_and_nothing_else(
    tiny_clip: FrozenCLIP, few: Splits, tmp_path
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
    save_model(model, tmp_path)
    loaded = load_model(tmp_path, tiny_clip)
    with torch.inference_mode():
        said = [m.logits(m.features(few.test.pictures)) for m in (model, loaded)]
    assert torch.equal(*said)


def test_the_heavier_the_anchor_the_less_the_text_moves(few: Splits) -> None:
    drifts = []
    for lam in (0.0, 100.0):
        run = Loop(progress=False)
        made = method("clipfit", "mini", epochs=4, batch_size=16, learning_rate=0.2, lam=lam)
        made.fit(Task(load_clip("mini"), few.shots, SKETCH), run=run)
        drifts.append(run.history[-1]["drift"])
    assert 0.001 < drifts[1] < 0.9 * drifts[0]  # measured: 0.0129 and 0.0171


def test_interrupted_and_resumed_is_unbroken(tiny_clip: FrozenCLIP, few: Splits, tmp_path) -> None:
    def interrupt(done: int, _: object) -> None:
        raise KeyboardInterrupt

    task, file = Task(tiny_clip, few.shots, SKETCH), tmp_path / "training.safetensors"
    with pytest.raises(KeyboardInterrupt):
        QUICK.fit(task, run=Loop(False, checkpoint=Checkpoint(file), after_epoch=interrupt))
    resumed = QUICK.fit(task, run=Loop(False, checkpoint=Checkpoint(file))).state_dict()
    whole = QUICK.fit(task).state_dict()
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


@pytest.mark.parametrize("wrong", [{"lam": -1.0}, {"forget_weight": -1.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        method("clipfit", **wrong)


def test_it_forgets_a_domain(few: Splits) -> None:
    clip = load_clip("mini")
    model = method("clipfit", "mini", epochs=20, batch_size=16).fit(Task(clip, few.shots, SKETCH))
    sketches = world("test", 6, classes=few.test.class_names, domains=("sketch",))
    before, after = (accuracies(each, sketches)["sketch"] for each in (clip, model))
    assert after < before - 5
