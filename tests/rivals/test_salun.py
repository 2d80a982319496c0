"""SalUn: the mask by hand, and that everything outside of it keeps its bits."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from adu_core import FrozenCLIP, Splits, load_clip, world
from adu_core.loop import Loop
from adu_core.measure import accuracies
from adu_core.rivals.edited import EditedCLIP, gradient, towards_class
from adu_core.rivals.salun import SalUn, mask_gradients, random_labels, salient
from adu_core.rivals.saved import load_model, save_model
from adu_core.runs.checkpoint import Checkpoint
from adu_core.task import Target, Task

BRIEF = SalUn(epochs=3, batch_size=8, learning_rate=0.01, weight_decay=0.1)


def test_the_mask_by_hand() -> None:
    """Six numbers, half of them: the three of the largest size, whatever their sign or weight."""
    slopes = {"a": torch.tensor([[0.1, -5.0], [0.2, 3.0]]), "b": torch.tensor([-4.0, 0.0])}
    masks = salient(slopes, 0.5)
    assert masks["a"].tolist() == [[False, True], [False, True]]
    assert masks["b"].tolist() == [True, False]


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.77, 1.0])
def test_the_mask_has_exactly_the_share(share: float) -> None:
    """Even where sizes are equal, and a threshold would take all of them or none."""
    slopes = {"a": torch.zeros(40, 10), "b": torch.ones(300), "c": torch.ones(2, 3, 50)}
    masks = salient(slopes, share)
    assert sum(int(mask.sum()) for mask in masks.values()) == round(share * 1000)
    assert [mask.shape for mask in masks.values()] == [x.shape for x in slopes.values()]


def test_random_labels_are_never_right_and_evenly_drawn() -> None:
    labels = torch.arange(4).repeat(6000)
    drawn = random_labels(labels, 4, torch.Generator().manual_seed(0))
    assert not (drawn == labels).any()
    counts = torch.bincount(labels * 4 + drawn, minlength=16).reshape(4, 4)
    others = counts[~torch.eye(4, dtype=torch.bool)]
    assert (others - 2000).abs().max() < 200


def test_masked_steps_by_hand() -> None:
    """Gradient 2, decay 0.5 of weight 4: slope 4 where the mask is, exactly 0 elsewhere."""
    weight = nn.Parameter(torch.tensor([4.0, 4.0]))
    mask = torch.tensor([True, False])
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.5)
    for _ in range(2):
        weight.grad = torch.tensor([2.0, float("nan")])
        mask_gradients([weight], [mask], weight_decay=0.5)
        optimizer.step()
    # First step: 4 - 0.1 · 4 = 3.6. Second: slope 2 + 1.8, momentum 0.5 · 4: 3.6 - 0.58 = 3.02.
    assert weight[0].item() == pytest.approx(3.02)
    assert weight[1].item() == 4.0
    assert optimizer.state[weight]["momentum_buffer"][1].item() == 0.0


@pytest.fixture(scope="module")
def task(tiny_clip: FrozenCLIP, few: Splits) -> Task:
    return Task(tiny_clip, few.shots, Target(("sketch",)))


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_weights_outside_the_mask_keep_their_bits(task: Task, share: float) -> None:
    """With momentum and a strong decay, which would move every weight if it could."""
    method = replace(BRIEF, share=share)
    model = method.fit(task)
    start = method.start(task)
    masks = salient(gradient(start, task, task.forgotten, towards_class), share)
    changed = 0
    for name, weight in model.named_weights().items():
        frozen = model.frozen_weights()[name]
        outside = ~masks[name]
        assert torch.equal(weight[outside], frozen[outside]), name
        changed += int((weight != frozen).sum())
    allowed = sum(int(mask.sum()) for mask in masks.values())
    assert 0.9 * allowed < changed <= allowed
    text = [name for name, _ in task.clip.model.named_parameters() if "visual" not in name]
    edited = dict(model.edited.model.named_parameters())
    frozen_model = dict(task.clip.model.named_parameters())
    assert all(edited[name] is frozen_model[name] for name in text)  # shared, not even copied


def test_saliency_is_that_of_the_forgotten_shots_alone(task: Task) -> None:
    """Against the sum of the gradients of single pictures, up to the number of pictures."""
    model = SalUn().start(task)
    found = gradient(model, task, task.forgotten, towards_class)
    places = task.forgotten.nonzero().flatten()
    single: dict[str, torch.Tensor] = {}
    for place in places:
        alone = torch.zeros_like(task.forgotten)
        alone[place] = True
        for name, part in gradient(model, task, alone, towards_class).items():
            single[name] = single.get(name, torch.zeros(())) + part
    for name, part in found.items():
        torch.testing.assert_close(part * len(places), single[name], rtol=1e-3, atol=1e-5)


def same(one: EditedCLIP, other: EditedCLIP) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_one_seed_one_result_and_the_labels_follow_it(task: Task) -> None:
    assert same(BRIEF.fit(task, 3), BRIEF.fit(task, 3))
    assert not same(BRIEF.fit(task, 3), BRIEF.fit(task, 4))


def test_it_goes_on_as_if_it_had_never_stopped(task: Task, tmp_path: Path) -> None:
    """The random labels of an epoch are the same, whether or not it is the first after a stop."""
    whole = BRIEF.fit(task, run=Loop(progress=False))

    def stop(epoch: int, model: object) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        BRIEF.fit(task, run=Loop(False, Checkpoint(checkpoint), stop))
    assert same(whole, BRIEF.fit(task, run=Loop(False, Checkpoint(checkpoint))))


def test_it_comes_back_from_disk_bit_for_bit(task: Task, few: Splits, tmp_path: Path) -> None:
    model = replace(BRIEF, loss="entropy").fit(task)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path, task.clip)
    with torch.no_grad():
        pictures = few.validation.pictures
        assert torch.equal(loaded.features(pictures), model.features(pictures))


def test_another_clips_weights_are_refused(task: Task) -> None:
    model = BRIEF.start(task)
    name = model.names[0]
    for state in ({"text_projection": torch.zeros(2)}, {name: torch.zeros(2)}):
        with pytest.raises(RuntimeError, match=next(iter(state))):
            model.load_state_dict(state)
    with pytest.raises(ValueError, match=r"no weight 'visual\.none'"):
        EditedCLIP(task, BRIEF, ["visual.none"])


@pytest.mark.parametrize(
    "wrong", [{"share": 0.0}, {"share": 1.5}, {"loss": "none"}, {"forget_weight": -1.0}], ids=str
)
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
        SalUn(**wrong)  # type: ignore[arg-type]


def test_random_labels_need_another_class(tiny_clip: FrozenCLIP, few: Splits) -> None:
    cars = few.shots.subset(few.shots.labels == 0)
    alone = Task(tiny_clip, replace(cars, class_names=("car",)), Target(("sketch",)))
    with pytest.raises(ValueError, match="set loss to entropy"):
        SalUn().fit(alone)
    replace(BRIEF, loss="entropy", epochs=1).fit(alone)


@pytest.mark.parametrize(
    "target", [Target((), ("car",)), Target(("sketch",), ("car", "house"))], ids=str
)
def test_classes_can_be_forgotten_too(tiny_clip: FrozenCLIP, few: Splits, target: Target) -> None:
    run = Loop(progress=False)
    assert BRIEF.fit(Task(tiny_clip, few.shots, target), run=run).state_dict()
    assert len(run.history) == 3


def test_it_forgets_a_domain_more_than_the_others() -> None:
    """The mini CLIP is right everywhere; afterwards sketch is far below the mean of the rest."""
    clip, shots = load_clip("mini"), world("train", 4, seed=51)
    method = replace(SalUn(), **SalUn.small)
    model = method.fit(Task(clip, shots, Target(("sketch",))))
    found = accuracies(model, world("validation", 3))
    rest = sum(value for name, value in found.items() if name != "sketch") / 3
    print(found)
    assert found["sketch"] < rest - 15
