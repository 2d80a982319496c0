"""SalUn: the mask by hand, and that everything outside of it keeps its bits."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from adu_core import FrozenCLIP, Splits
from adu_core.dataset import Target
from adu_core.rivals.edited import EditedCLIP, gradient, towards_class
from adu_core.rivals.salun import SalUn, mask_gradients, random_labels, salient
from adu_core.task import Task

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


def test_another_clips_weights_are_refused(task: Task) -> None:
    model = BRIEF.start(task)
    name = model.names[0]
    for state in ({"text_projection": torch.zeros(2)}, {name: torch.zeros(2)}):
        with pytest.raises(RuntimeError, match=next(iter(state))):
            model.load_state_dict(state)
    with pytest.raises(ValueError, match=r"no weight 'visual\.none'"):
        EditedCLIP(task, BRIEF, ["visual.none"])
