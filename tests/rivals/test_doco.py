"""DoCo on CLIP: its two losses by hand, which way they pull, and what of the CLIP changes."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from adu_core import FrozenCLIP, Splits
from adu_core.dataset import Target
from adu_core.loop import Loop
from adu_core.rivals.doco import Discriminator, DoCo, attention_weights, correction, discrimination
from adu_core.task import Task

BRIEF = DoCo(epochs=3, batch_size=16, learning_rate=0.01)
LOG2 = math.log(2)


def test_the_discriminators_loss_by_hand() -> None:
    """softplus(0) = log 2 each for a picture and its anchors, unpaired ones play no part."""
    paired = torch.tensor([[True, True, False]])
    loss = discrimination(torch.zeros(1), torch.tensor([[0.0, 0.0, -99.0]]), paired)
    assert loss.item() == pytest.approx(2 * LOG2)
    # One picture seen through (log 4 lost), both anchors recognised for sure: log 4 remains.
    loss = discrimination(torch.tensor([math.log(3)]), torch.full((1, 3), 99.0), paired)
    assert loss.item() == pytest.approx(math.log(4))
    # A picture without an anchor does not count.
    both = torch.tensor([[True], [False]])
    loss = discrimination(torch.tensor([0.0, 99.0]), torch.zeros(2, 1), both)
    assert loss.item() == pytest.approx(2 * LOG2)


def test_the_corrections_loss_by_hand() -> None:
    paired = torch.tensor([[True], [True], [False]])
    loss = correction(torch.tensor([0.0, 99.0, -99.0]), paired)
    assert loss.item() == pytest.approx(LOG2 / 2)


def test_the_two_pull_against_each_other() -> None:
    """Downhill, the discriminator lowers a picture's logit and lifts its anchors', not others'."""
    pictures = torch.zeros(2, requires_grad=True)
    anchors = torch.zeros(2, 2, requires_grad=True)
    paired = torch.tensor([[True, False], [True, True]])
    discrimination(pictures, anchors, paired).backward()
    assert pictures.grad is not None
    assert anchors.grad is not None
    assert (pictures.grad > 0).all()
    assert (anchors.grad < 0).tolist() == paired.tolist()
    pictures.grad = None
    correction(pictures, paired).backward()
    assert pictures.grad is not None
    assert (pictures.grad < 0).all()


def test_no_picture_or_no_anchor_costs_nothing() -> None:
    for pictures, anchors in ((0, 3), (3, 0)):
        logits = torch.zeros(pictures, requires_grad=True)
        paired = torch.ones(pictures, anchors, dtype=torch.bool)
        loss = discrimination(logits, torch.zeros(pictures, anchors), paired)
        loss = loss + correction(logits, paired)
        assert loss.item() == 0.0
        loss.backward()
        assert logits.grad is not None
        assert not logits.grad.any()


def test_a_picture_is_moved_towards_its_anchor() -> None:
    """On a toy of one picture, one anchor and a discriminator that has learned to tell them."""
    generator = torch.Generator().manual_seed(0)
    judge = Discriminator(2, 16, generator)
    sentence, anchor = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    picture = nn.Parameter(torch.tensor([[1.0, 0.0]]))
    paired = torch.ones(1, 1, dtype=torch.bool)
    optimizer = torch.optim.SGD(judge.parameters(), lr=0.1)
    for _ in range(50):
        optimizer.zero_grad()
        logits = judge(picture.detach(), sentence), judge(anchor[None], sentence[:, None])
        discrimination(*logits, paired).backward()
        optimizer.step()
    assert judge(picture, sentence) < 0 < judge(anchor, sentence)
    before = (picture - anchor).norm().item()
    (slope,) = torch.autograd.grad(correction(judge(picture, sentence), paired), [picture])
    moved = picture - 0.1 * slope
    assert (moved - anchor).norm().item() < before
    assert judge(moved, sentence) > judge(picture, sentence)


def test_the_discriminator_can_see_the_class() -> None:
    """The same feature, asked about two classes: pictures of all classes fill the same space."""
    generator = torch.Generator().manual_seed(0)
    judge = Discriminator(8, 32, generator)
    sentences = torch.eye(8)
    paired = ~torch.eye(8, dtype=torch.bool)
    optimizer = torch.optim.SGD(judge.parameters(), lr=0.1, momentum=0.9)
    for _ in range(60):  # picture i is sentence i; as an anchor, every picture but i is for i
        optimizer.zero_grad()
        pictures, anchors = judge(sentences, sentences), judge(sentences[None], sentences[:, None])
        discrimination(pictures, anchors, paired).backward()
        optimizer.step()
    assert (judge(sentences, sentences) < 0).all()
    assert (judge(sentences[None], sentences[:, None])[paired] > 0).all()


@pytest.fixture(scope="module")
def task(tiny_clip: FrozenCLIP, few: Splits) -> Task:
    return Task(tiny_clip, few.shots, Target(("sketch",)))


def test_a_file_without_a_discriminator_is_refused(task: Task) -> None:
    model = BRIEF.start(task)
    with pytest.raises(RuntimeError, match="Missing key"):
        model.load_state_dict({})


def test_surgery_makes_a_difference(task: Task) -> None:
    with_it, without = (replace(BRIEF, surgery=on).fit(task).state_dict() for on in (True, False))
    assert not all(torch.equal(with_it[n], without[n]) for n in with_it.keys() & without.keys())


def test_only_attention_and_discriminator_change(task: Task) -> None:
    run = Loop(progress=False)
    model = BRIEF.fit(task, run=run)
    changed = {name for name in model.state_dict() if not name.startswith("discriminator.")}
    assert changed
    assert changed <= set(attention_weights(task.clip))
    parts = {"total", "memorize", "correct", "discriminate"}
    assert [set(entry) for entry in run.history] == [parts] * 3
    assert run.history[0]["correct"] > 0
