"""The domain classifier of gate and door, and the gate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from torch import Tensor

from adu_core import FrozenCLIP, Splits, load_clip
from adu_core.data.dataset import DomainDataset
from adu_core.data.target import Target
from adu_core.methods.base import Task
from adu_core.methods.domain_classifier import (
    Classifying,
    DomainClassifier,
    choose_threshold,
    fit_linear,
)
from adu_core.methods.evidence import of_copies, shift_flip, statistics, walk
from adu_core.methods.gate import Gate, GatedAnswer, blank
from adu_core.methods.saved import load_model, save_model

NAMES = ("north", "east", "south")


def clouds(apart: float, domains: int = 3, each: int = 40, size: int = 12) -> tuple[Tensor, Tensor]:
    """Evidence (3, N, size), two of them noisy copies, and domains (N,); cloud d lies along e_d."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(domains).repeat(each)
    x = torch.randn(len(y), size, generator=generator) + apart * torch.eye(size)[y]
    copies = [x, *(x + 0.1 * torch.randn(x.shape, generator=generator) for _ in range(2))]
    return torch.stack(copies) * 7 + 3, y


def fitted(settings: Classifying, X: Tensor, y: Tensor, names: tuple[str, ...]) -> DomainClassifier:
    model = DomainClassifier(X.shape[-1], len(names))
    model.take(fit_linear(X, y, names, settings, 0)[0], 0.5)
    return model


# The classifier.


@pytest.mark.parametrize("kind", ["lda", "logistic"])
@pytest.mark.parametrize("domains", [2, 3])
def test_clouds_far_apart_are_told(kind: str, domains: int) -> None:
    X, y = clouds(8.0, domains)
    linear, unseen = fit_linear(X, y, NAMES[:domains], Classifying(classifier=kind), 0)  # type: ignore[arg-type]
    assert (unseen.argmax(2) == y).float().mean() > 0.98
    model = DomainClassifier(X.shape[-1], domains)
    model.take(linear, 0.5)
    P = model(X[0])
    assert (P.argmax(1) == y).float().mean() > 0.98
    torch.testing.assert_close(P.sum(1), torch.ones(len(y)))


@pytest.mark.parametrize("kind", ["lda", "logistic"])
def test_the_nearer_a_cloud_the_more_probable(kind: str) -> None:
    X, y = clouds(1.0)
    model = fitted(Classifying(classifier=kind), X, y, NAMES)  # type: ignore[arg-type]
    first, second = (X[0][y == d].mean(0) for d in (0, 1))
    line = torch.stack([first + part * (second - first) for part in torch.linspace(0, 1, 21)])
    P = model(line)
    assert (P[:, 0].diff() < 0).all()
    assert (P[:, 1].diff() > 0).all()


def test_probabilities_are_what_they_say() -> None:
    X, y = clouds(1.5, domains=2, each=400, size=3)
    _, unseen = fit_linear(X, y, NAMES[:2], Classifying(shrinkage=0.01), 0)
    P = unseen[0, :, 1]
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        some = (low < P) & (high >= P)
        assert abs(float(P[some].mean() - y[some].double().mean())) < 0.06


def test_the_forward_pass_is_the_formula_that_is_documented() -> None:
    X, y = clouds(2.0)
    model = fitted(Classifying(), X, y, NAMES)
    by_hand = ((X[0] - model.mean) / model.scale) @ model.weight.T + model.bias
    torch.testing.assert_close(model(X[0]), by_hand.softmax(1))
    mean, scale = X.flatten(0, 1).mean(0), X.flatten(0, 1).std(0, correction=0)
    torch.testing.assert_close(model.mean, mean)
    torch.testing.assert_close(model.scale, scale)


def test_shots_that_are_left_out_are_left_out_with_their_copies() -> None:
    # Noise without domains, many numbers: a classifier that saw a copy would know its shot again.
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(2).repeat(30)
    X = torch.randn(60, 80, generator=generator).expand(4, -1, -1)
    _, unseen = fit_linear(X, y, NAMES[:2], Classifying(shrinkage=0.01), 0)
    assert abs(float((unseen.argmax(2) == y).double().mean()) - 0.5) < 0.2


def test_long_evidence_goes_through_principal_components() -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(2).repeat(20)
    X = torch.randn(2, 40, 1000, generator=generator)
    X[..., :50] += 3.0 * y[:, None]
    model = fitted(Classifying(), X, y, NAMES[:2])
    assert model.weight.shape == (2, 1000)
    assert (model(X[0]).argmax(1) == y).all()


def test_folds_follow_the_smallest_domain_and_one_shot_is_too_few() -> None:
    X, y = clouds(8.0, domains=2)
    index = torch.cat([torch.where(y == 0)[0], torch.where(y == 1)[0][:2]])
    _, unseen = fit_linear(X[:, index], y[index], NAMES[:2], Classifying(), 0)
    assert unseen.isfinite().all()
    for count in (1, 0):
        index = torch.cat([torch.where(y == 0)[0], torch.where(y == 1)[0][:count]])
        with pytest.raises(ValueError, match=f"'east' has too few shots, {count}"):
            fit_linear(X[:, index], y[index], NAMES[:2], Classifying(), 0)


# The threshold.


@pytest.mark.parametrize(
    ("kept", "gone", "low", "high"), [(0.1, 0.4, 0.1, 0.4), (0.3, 0.5, 0.3, 0.5)]
)
def test_the_threshold_lies_between(kept: float, gone: float, low: float, high: float) -> None:
    P = torch.tensor([kept] * 30 + [gone] * 10).double()
    forgotten = torch.arange(40) >= 30
    all_of_them = torch.ones(40, dtype=torch.bool)
    found = choose_threshold(P, all_of_them, forgotten, 1 / 16, all_of_them)
    assert low <= found <= high


def test_what_cannot_be_stopped_has_no_say() -> None:
    P = torch.tensor([0.1, 0.4, 0.45, 0.45]).double()
    forgotten = torch.tensor([False, True, False, False])
    right = torch.ones(4, dtype=torch.bool)
    found = choose_threshold(P, right, forgotten, 0.0, torch.tensor([True, True, False, False]))
    assert 0.1 <= found <= 0.4


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
    found, tokens = of_copies(tiny_clip, pictures, 1, copies=2, shift=0.08, seed=0)
    with torch.no_grad():
        evidence, own = walk(tiny_clip, pictures, 1)
    assert found.shape == (3, len(pictures), 2 * tiny_clip.width)
    torch.testing.assert_close(found[0], evidence)
    torch.testing.assert_close(tokens, own.mean(0))
    assert (found[1] - found[0]).abs().max() > 1e-4


def test_a_vision_tower_of_another_size() -> None:
    cfg = {"image_size": 96, "patch_size": 16, "width": 64, "layers": 12, "head_width": 32}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    torch.manual_seed(0)
    model = open_clip.CLIP(32, cfg, text)
    values = {"mean": (0.5,) * 3, "std": (0.25,) * 3}
    open_clip.model.set_model_preprocess_cfg(model, values)
    clip = FrozenCLIP(model, open_clip.get_tokenizer("ViT-B-16"), "other")
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


def test_the_weights_are_scikit_learns() -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    X, y = clouds(2.0)
    model = fitted(Classifying(shrinkage=0.3), X, y, NAMES)
    flat = ((X.flatten(0, 1) - model.mean) / model.scale).double().numpy()
    truth = np.tile(y.numpy(), 3)
    other = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.3).fit(flat, truth)
    ratio = model.weight.double().numpy() / other.coef_  # all but for the one logit scale
    assert ratio.std() < 1e-3 * ratio.mean()
