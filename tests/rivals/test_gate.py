"""The gate: what is stopped gets a blank, and what the blank is."""

from __future__ import annotations

import pytest
import torch

from adu_core import FrozenCLIP, Splits
from adu_core.dataset import Target
from adu_core.rivals.gate import Gate, GatedAnswer
from adu_core.rivals.gated import blank
from adu_core.task import Task


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


def test_classes_in_a_domain_and_classes_everywhere(mini: FrozenCLIP, few: Splits) -> None:
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


def test_shots_of_some_classes_are_enough(mini: FrozenCLIP, few: Splits) -> None:
    some = few.shots.subset(few.shots.labels < 2)
    model = Gate(blocks=2).fit(Task(mini, some, Target(("sketch",))))
    sketch = few.test.domains == few.test.domain_names.index("sketch")
    P = model.probability(few.test.pictures)
    assert P[sketch].mean() > P[~sketch].mean() + 0.3


def test_the_blank_is_nearly_flat_and_never_a_forgotten_class(mini: FrozenCLIP) -> None:
    sentences = mini.class_features(("car", "house", "tree", "fish"))
    none = torch.zeros(4, dtype=torch.bool)
    cosines = sentences @ blank(sentences, none)
    assert cosines.max() - cosines.min() < 0.05
    for index in range(4):
        assert (sentences @ blank(sentences, torch.arange(4) == index)).argmax() != index
    assert torch.equal(blank(sentences, ~none), blank(sentences, none))


def test_the_blank_is_a_ridge_regression() -> None:
    sentences = torch.nn.functional.normalize(
        torch.randn(5, 8, generator=torch.Generator().manual_seed(0)), dim=1
    )
    gone = torch.arange(5) == 1
    wide = torch.cat([sentences, 0.1 * torch.eye(8)]).double()  # ridge: more rows, of zeros
    wanted = torch.linalg.lstsq(wide, torch.cat([~gone, torch.zeros(8)]).double()[:, None]).solution
    found = blank(sentences, gone)
    assert (sentences @ found).argmax() != 1
    torch.testing.assert_close(found, (wanted[:, 0] / wanted.norm()).float())


def test_a_blank_nearest_to_a_forgotten_class_is_the_first_kept_sentence() -> None:
    sentences = torch.tensor([[0.5**0.5, 0.5**0.5], [1.0, 0], [0, 1.0]])
    gone = torch.tensor([True, False, False])
    assert torch.equal(blank(sentences, gone), sentences[1])
