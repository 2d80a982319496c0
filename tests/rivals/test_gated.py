"""What gates and door have in common: evidence, moved copies, threshold, refusal."""

from __future__ import annotations

from types import SimpleNamespace

import open_clip
import pytest
import torch
from torch import Tensor

from adu_core import DomainDataset, FrozenCLIP, Splits, Target, Task, Trace, method, world
from adu_core.clips.load import frozen
from adu_core.measure import accuracies, mem_for_h
from adu_core.rivals.domain_classifier import Linear, choose_threshold, fit_linear
from adu_core.rivals.evidence import of_copies, reachable, shift_flip, statistics, walk
from adu_core.rivals.gate import Gate
from adu_core.rivals.pixels import pixel_statistics

# The evidence.


def by_hand(clip: FrozenCLIP, pictures: Tensor, blocks: int) -> Tensor:
    """Mean and deviation of each block's patches, CLS not among them."""
    trace = Trace()
    clip.encode_image(pictures, trace=trace)
    patches = [tokens[:, 1:].float() for tokens in trace.tokens[:blocks]]
    return torch.cat([torch.cat([p.mean(1), p.std(1)], dim=1) for p in patches], dim=1)


def copies_of(clip: FrozenCLIP, pictures: Tensor, shift: float, seed: int) -> Tensor:
    """The first block's evidence of pictures and of two moved copies of each."""
    return of_copies(
        clip, pictures, lambda x: walk(clip, x, 1)[0], copies=2, shift=shift, seed=seed
    )


def test_statistics_by_hand() -> None:
    tokens = torch.tensor([[[9.0, 9.0], [1.0, 0.0], [3.0, 0.0]]])  # CLS is of no account
    wanted = torch.tensor([[2.0, 0.0, 2**0.5, 0.0]])
    torch.testing.assert_close(statistics(tokens, 1), wanted)


@torch.no_grad()
def test_evidence_is_of_the_patches_and_the_first_of_the_copies_is_the_picture(
    tiny_clip: FrozenCLIP, few: Splits
) -> None:
    pictures = few.test.pictures
    evidence, tokens = walk(tiny_clip, pictures, 1)
    torch.testing.assert_close(evidence, by_hand(tiny_clip, pictures, 1))
    assert tokens.shape[1] == 1 + tiny_clip.grid[0] * tiny_clip.grid[1]
    copies = copies_of(tiny_clip, pictures, 0.08, 0)
    assert copies.shape == (3, len(pictures), 2 * tiny_clip.width)
    torch.testing.assert_close(copies[0], evidence)
    assert (copies[1] - copies[0]).abs().max() > 1e-4


@torch.no_grad()
def test_a_gate_sees_the_same_evidence_on_the_way_and_fills_a_trace(
    mini: FrozenCLIP, few: Splits
) -> None:
    pictures, trace = few.test.pictures, Trace()
    model = Gate(blocks=1, copies=1).fit(Task(mini, few.shots, Target(("sketch",))))
    assert model.classifier is not None
    evidence = by_hand(mini, pictures, 1)
    torch.testing.assert_close(model.evidence(pictures), evidence)
    probable = model.of_evidence(evidence).sort().values
    widest = probable.diff().argmax()  # between these two a threshold is on no picture's edge
    model.classifier.threshold.fill_(probable[widest : widest + 2].mean())
    features = model.features(pictures, trace=trace)
    assert 0 < widest + 1 < len(pictures)
    assert torch.equal((features == model.blank).all(dim=1), model.stops(evidence))
    assert len(trace.tokens) == len(mini.blocks)


@torch.no_grad()
def test_a_gate_may_read_late_blocks_or_the_pixels(mini: FrozenCLIP, few: Splits) -> None:
    pictures, task = few.test.pictures, Task(mini, few.shots, Target(("sketch",)))
    late = Gate(first_block=3, blocks=5, copies=1).fit(task)
    torch.testing.assert_close(late.evidence(pictures), by_hand(mini, pictures, 5)[:, 4 * 96 :])
    pixels = Gate(reads="pixels", copies=1).fit(task)
    torch.testing.assert_close(pixels.evidence(pictures), pixel_statistics(mini.pixels(pictures)))
    for model in (late, pixels):
        features, refused = model.seen(pictures)
        assert torch.equal(refused, model.stops(model.evidence(pictures)))
        assert torch.equal((features == model.blank).all(dim=1), refused)
    with pytest.raises(ValueError, match=r"first_block=5: the gate reads up to block 4 of 6"):
        Gate(first_block=5).fit(task)


def test_the_last_block_has_no_patches_to_look_at() -> None:
    short, *others = (SimpleNamespace(name="short", blocks=range(n)) for n in (1, 2, 3, 12))
    assert [reachable(clip, 4) for clip in others] == [1, 2, 4]
    with pytest.raises(ValueError, match=r"^short has one block only: take a CLIP with two"):
        reachable(short, 4)


def test_a_vision_tower_of_another_size() -> None:
    cfg = {"image_size": 96, "patch_size": 16, "width": 64, "layers": 12, "head_width": 32}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    torch.manual_seed(0)
    model = open_clip.CLIP(32, cfg, text)
    values = {"mean": (0.5,) * 3, "std": (0.25,) * 3}
    open_clip.model.set_model_preprocess_cfg(model, values)
    clip = frozen(model, open_clip.get_tokenizer("ViT-B-16"), "other")
    pictures = torch.randint(0, 256, (12, 3, 96, 96), dtype=torch.uint8)
    y = torch.arange(12) % 2
    shots = DomainDataset(pictures, torch.zeros_like(y), y, ("a", "b"), ("x", "y"))
    for name in ("gate", "door"):
        for blocks, used in ((4, 4), (100, 11)):
            made = method(name, blocks=blocks, copies=1)
            model = made.fit(Task(clip, shots, Target(("x",))))
            assert model.blocks == used
            assert model.features(pictures).isfinite().all()


# Moved copies.


def test_a_copy_is_moved_and_mirrored_from_left_to_right() -> None:
    column, row = torch.arange(8.0), 10 * torch.arange(8.0)[:, None]
    picture = (row + column).expand(1, 3, 8, 8) + 100 * torch.arange(3.0)[:, None, None]
    pictures = picture.expand(40, 3, 8, 8)
    found = [shift_flip(pictures, 0, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    mirrored = (found[0] == pictures.flip(3)).flatten(1).all(dim=1)
    assert 8 < mirrored.sum() < 32
    assert torch.equal(found[0][~mirrored], pictures[~mirrored])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_what_comes_in_at_the_border_is_the_picture_mirrored() -> None:
    pictures = (1 + torch.arange(8.0)).expand(60, 3, 8, 8)
    moved = shift_flip(pictures, 2, torch.Generator().manual_seed(0))
    again = shift_flip(pictures, 2, torch.Generator().manual_seed(0))
    assert torch.equal(moved, again)
    assert {float(row[0]) for row in moved[:, 0, 0]} == {1, 2, 3, 6, 7, 8}
    assert {float(row[0]) for row in moved[:, 0, 0] if row[1] < row[0]} == {2, 3, 6, 7, 8}


# The threshold.


def test_as_probable_as_the_threshold_is_not_stopped(tiny_clip: FrozenCLIP, few: Splits) -> None:
    task = Task(tiny_clip, few.shots, Target(("sketch",)))
    model = Gate(blocks=1).start(task)
    size, domains = 2 * tiny_clip.width, len(few.shots.domain_names)
    assert model.classifier is not None
    alike = Linear(
        mean=torch.zeros(size),
        scale=torch.ones(size),
        weight=torch.zeros(domains, size),
        bias=torch.zeros(domains),
    )
    evidence = torch.randn(5, size)
    model.classifier.take(alike, 1 / domains)
    assert not model.stops(evidence).any()
    model.classifier.take(alike, 1 / domains - 1e-4)
    assert model.stops(evidence).all()


def fitted(task: Task, settings: Gate, evidence: Tensor, seed: int) -> tuple[Tensor, float]:
    """Weights and threshold by the classifier alone, of the frozen CLIP's answers to the shots."""
    shots, clip = task.shots, task.clip
    names = shots.class_names
    linear, unseen = fit_linear(evidence, shots.domains, shots.domain_names, settings, seed)
    answers = clip.logits(clip.features(shots.pictures), names).argmax(dim=1)
    asked = torch.ones_like(answers).bool()
    if task.target.classes:
        asked = torch.isin(answers, torch.tensor([names.index(n) for n in task.target.classes]))
    chosen = [shots.domain_names.index(name) for name in task.target.domains]
    per_shot = (answers == shots.labels, task.forgotten, asked)
    right, forgotten, stoppable = (values.repeat(len(unseen)) for values in per_shot)
    threshold = choose_threshold(
        unseen[..., chosen].sum(dim=2).flatten(), right, forgotten, stoppable
    )
    return linear.weight.float(), threshold


@pytest.mark.parametrize("classes", [(), ("car",)])
def test_the_classifier_and_the_threshold_are_those_of_the_shots_and_their_copies(
    mini: FrozenCLIP, few: Splits, classes: tuple[str, ...]
) -> None:
    """The seed moves copies and deals folds; what can be stopped is what the threshold is for."""
    settings = Gate(blocks=1, copies=2)
    task = Task(mini, few.shots, Target(("sketch",), classes))
    for seed, model in ((0, settings.fit(task)), (5, settings.fit(task, 5))):
        evidence = copies_of(mini, few.shots.pictures, settings.shift, seed)
        weight, threshold = fitted(task, settings, evidence, seed)
        assert model.classifier is not None
        torch.testing.assert_close(model.classifier.weight, weight)
        assert model.classifier.threshold.item() == pytest.approx(threshold)


# On classes that were never met; the late gate, taught on four classes, has a Mem of 47 on others.


@pytest.mark.parametrize("name", ["gate", "door"])
def test_a_domain_is_forgotten_for_classes_that_were_never_met(
    name: str, mini: FrozenCLIP, few: Splits
) -> None:
    shots = world("train", 4, seed=50, classes=few.shots.class_names)
    model = method(name, copies=2).fit(Task(mini, shots, Target(("sketch",))), 50)
    data = world("validation", 6, classes=("bird", "cup", "apple", "bicycle"))
    scores = mem_for_h(accuracies(model, data), ["sketch"])
    assert scores["for"] > 55
    assert scores["mem"] > 60
