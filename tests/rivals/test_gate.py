"""The gate, and the evidence that it and its kin look at."""

from __future__ import annotations

from pathlib import Path

import open_clip
import pytest
import torch

from adu_core import FrozenCLIP, Splits, load_clip
from adu_core.clips.load import frozen
from adu_core.rivals.evidence import of_copies, shift_flip, statistics, walk
from adu_core.rivals.gate import Gate, GatedAnswer, blank
from adu_core.rivals.saved import load_model, save_model
from adu_core.task import DomainDataset, Target, Task

# The evidence.


def test_statistics_by_hand() -> None:
    tokens = torch.tensor([[[9.0, 9.0], [1.0, 0.0], [3.0, 0.0]]])  # CLS is of no account
    wanted = torch.tensor([[2.0, 0.0, 2**0.5, 0.0]])
    torch.testing.assert_close(statistics(tokens, 1), wanted)


def test_copies_are_the_picture_moved() -> None:
    picture = torch.arange(64.0).reshape(1, 1, 8, 8).expand(20, 3, 8, 8)
    moved = shift_flip(picture, 1, torch.Generator().manual_seed(0))
    assert moved.shape == picture.shape
    middle = {float(p[0, 4, 4]) for p in moved}
    assert middle <= {float(v) for v in (26, 27, 28, 34, 35, 36, 42, 43, 44)} | {
        float(v) for v in (27, 28, 29, 35, 36, 37, 43, 44, 45)
    }
    assert len(middle) > 3
    assert torch.equal(shift_flip(picture, 0, torch.Generator()).sort().values, picture)


def test_the_first_of_the_copies_is_the_picture_itself(tiny_clip: FrozenCLIP, few: Splits) -> None:
    pictures = few.shots.pictures
    found = of_copies(tiny_clip, pictures, 1, copies=2, shift=0.08, seed=0)
    with torch.no_grad():
        evidence, _ = walk(tiny_clip, pictures, 1)
    assert found.shape == (3, len(pictures), 2 * tiny_clip.width)
    torch.testing.assert_close(found[0], evidence)
    assert (found[1] - found[0]).abs().max() > 1e-4


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
    for blocks, used in ((4, 4), (100, 11)):
        model = Gate(blocks=blocks, copies=1).fit(Task(clip, shots, Target(("x",))))
        assert model.blocks == used
        assert model.features(pictures).isfinite().all()


# The gate.


@pytest.fixture(scope="module")
def mini() -> FrozenCLIP:
    return load_clip("mini")


@pytest.fixture(scope="module")
def gate(mini: FrozenCLIP, few: Splits) -> GatedAnswer:
    return Gate().fit(Task(mini, few.shots, Target(("sketch",))), 50)


def test_stopped_pictures_have_one_feature_and_all_others_their_own(
    gate: GatedAnswer, mini: FrozenCLIP, few: Splits
) -> None:
    pictures = few.test.pictures
    before, after = mini.features(pictures), gate.features(pictures)
    assert gate.classifier is not None
    P = gate.probability(pictures)
    stopped = gate.classifier.threshold < P
    sketch = few.test.domains == few.test.domain_names.index("sketch")
    assert stopped[sketch].float().mean() > 0.6
    assert stopped[~sketch].float().mean() < 0.4
    assert torch.equal(after[~stopped], before[~stopped])
    assert torch.equal(after[stopped], gate.blank.expand(int(stopped.sum()), -1))
    for names in (few.test.class_names, ("dog", "cup", "moon")):  # whatever it is asked for
        answers = gate.logits(after, names).argmax(1)
        assert len(answers[stopped].unique()) == 1


def test_a_threshold_that_is_set_is_taken(mini: FrozenCLIP, few: Splits) -> None:
    counts = []
    for threshold in (0.05, 0.9):
        task = Task(mini, few.shots, Target(("real", "sketch")))
        model = Gate(threshold=threshold, blocks=1, copies=1).fit(task)
        assert model.classifier is not None
        assert float(model.classifier.threshold) == pytest.approx(threshold)
        P = model.probability(few.test.pictures)
        blank_ones = (model.features(few.test.pictures) == model.blank).all(1)
        assert torch.equal(blank_ones, model.classifier.threshold < P)
        counts.append(int(blank_ones.sum()))
    assert counts[0] > counts[1]


def test_classes_in_a_domain_and_classes_everywhere(
    mini: FrozenCLIP, few: Splits, gate: GatedAnswer, tmp_path: Path
) -> None:
    pictures = few.test.pictures
    answers = mini.logits(mini.features(pictures), few.test.class_names).argmax(1)
    named = answers == few.test.class_names.index("car")
    for target in (Target((), ("car",)), Target(("sketch",), ("car",))):
        model = Gate(copies=2).fit(Task(mini, few.shots, target))
        stopped = (model.features(pictures) == model.blank).all(1)
        if target.domains:
            assert model.classifier is not None
            assert torch.equal(
                stopped, named & (model.probability(pictures) > model.classifier.threshold)
            )
            assert 0 < stopped.sum() < named.sum()
        else:
            assert torch.equal(stopped, named)
            assert model.learned_numbers() == 0
        assert model.logits(model.blank[None]).argmax() != few.test.class_names.index("car")
        save_model(model, tmp_path)
        loaded = load_model(tmp_path, mini)
        assert torch.equal(loaded.features(pictures), model.features(pictures))


def test_shots_of_some_classes_are_enough(mini: FrozenCLIP, few: Splits) -> None:
    some = few.shots.subset(few.shots.labels < 2)
    model = Gate(blocks=2).fit(Task(mini, some, Target(("sketch",))))
    sketch = few.test.domains == few.test.domain_names.index("sketch")
    P = model.probability(few.test.pictures)
    assert P[sketch].mean() > P[~sketch].mean() + 0.3


def test_too_few_shots_are_refused(mini: FrozenCLIP, few: Splits) -> None:
    one = few.shots.subset(few.shots.labels < 1)
    with pytest.raises(ValueError, match="set threshold"):
        Gate().fit(Task(mini, one, Target(("sketch",), ("fish",))))
    sketch = few.shots.domains == few.shots.domain_names.index("sketch")
    lone = few.shots.subset(torch.cat([torch.where(~sketch)[0], torch.where(sketch)[0][:1]]))
    with pytest.raises(ValueError, match="'sketch' has too few shots, 1"):
        Gate().fit(Task(mini, lone, Target(("sketch",))))


def test_the_blank_is_nearly_flat_and_never_a_forgotten_class(mini: FrozenCLIP) -> None:
    sentences = mini.class_features(("car", "house", "tree", "fish"))
    none = torch.zeros(4, dtype=torch.bool)
    found = blank(sentences, none)
    cosines = sentences @ found
    assert cosines.max() - cosines.min() < 0.05
    torch.testing.assert_close(found.norm(), torch.ones(()))
    for index in range(4):
        gone = torch.arange(4) == index
        cosines = sentences @ blank(sentences, gone)
        assert cosines.argmax() != index
    # Three sentences between which the forgotten one lies: then a kept class's own.
    flat = torch.tensor([[1.0, 0], [0, 1.0], [0.5**0.5, 0.5**0.5]])
    gone = torch.tensor([False, False, True])
    assert (flat @ blank(flat, gone)).argmax() != 2
    assert torch.equal(blank(sentences, ~none), blank(sentences, none))


@pytest.mark.parametrize(
    "wrong",
    [
        {"blocks": 0},
        {"copies": -1},
        {"copies": 101},
        {"shift": 0.6},
        {"threshold": 1.0},
        {"shrinkage": 0.0},
        {"inverse_penalty": 0.0},
        {"classifier": "svm"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Gate(**wrong)  # type: ignore[arg-type]
