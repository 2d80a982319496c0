import torch

from adu_core import FrozenCLIP, Splits, Target, world
from adu_core.rivals.late_gate import NOISE, LateGate, features_of_copies
from adu_core.runs.evaluate import evaluate
from adu_core.task import Task


def test_copies_are_the_shots_then_moved_ones_then_noisy_ones(
    mini: FrozenCLIP, few: Splits
) -> None:
    pictures = few.shots.pictures
    found = features_of_copies(mini, pictures, LateGate(copies=1, noisy=2), 0)
    assert found.shape == (4, len(pictures), mini.feature_size)
    assert torch.equal(found[0], mini.features(pictures))
    apart = (found[1:] - found[0]).norm(dim=2).mean(dim=1)
    assert (apart > 0.01).all()
    assert NOISE < 64


def test_what_it_refuses_is_what_the_classifier_takes_for_forgotten(
    mini: FrozenCLIP, few: Splits
) -> None:
    """The probabilities of both domains together."""
    two = ("sketch", "real")
    model = LateGate().fit(Task(mini, few.shots, Target(two)))
    pictures = few.test.pictures
    features = mini.features(pictures)
    refused = model.refuses(pictures)
    assert model.classifier is not None
    chosen = [few.shots.domain_names.index(name) for name in two]
    probable = model.classifier(features)[:, chosen].sum(dim=1)
    assert 0 < refused.sum() < len(refused)
    assert torch.equal(refused, probable > model.classifier.threshold)
    assert torch.equal(model.features(pictures)[~refused], features[~refused])


def test_it_forgets_a_domain_and_keeps_the_others(mini: FrozenCLIP, few: Splits) -> None:
    pictures, target = world("validation", 2), Target(("sketch",))
    for noisy in (0, 4):
        model = LateGate(noisy=noisy).fit(Task(mini, few.shots, target))
        metrics = evaluate(model, pictures, target, entangled=False)[0]["metrics"]
        assert metrics["for"] > 60
        assert metrics["mem"] > 70
