"""The door: what goes through keeps its bits, what is stopped has no class left."""

from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from adu_core import FrozenCLIP, Splits, world
from adu_core.dataset import Target
from adu_core.rivals.door import Door, GatedTokens
from adu_core.task import Task

FORGET, CLASSES = Target(("sketch",)), ("car", "house", "tree", "fish")


@pytest.fixture(scope="module")
def door(mini: FrozenCLIP) -> GatedTokens:
    shots = world("train", 4, seed=50, classes=CLASSES)
    return Door().fit(Task(mini, shots, FORGET), 50)


def test_what_is_stopped_is_one_and_a_probe_finds_no_class(door: GatedTokens) -> None:
    data = world("validation", 12, classes=CLASSES, domains=("sketch",))
    features, P = door.features(data.pictures), door.probability(data.pictures)
    assert door.classifier is not None
    stopped = door.classifier.threshold < P
    assert stopped.float().mean() > 0.7
    torch.testing.assert_close(
        features[stopped], features[stopped][:1].expand(int(stopped.sum()), -1)
    )
    some = features[stopped].numpy() * 1e3
    labels = data.labels[stopped].numpy()
    found = cross_val_predict(LogisticRegression(max_iter=1000), some, labels, cv=3)
    assert (found == labels).mean() < 0.45  # chance is 0.25
    # The same probe of the frozen features knows them all.
    frozen = door.clip.features(data.pictures)[stopped].numpy() * 10
    found = cross_val_predict(LogisticRegression(max_iter=1000), frozen, labels, cv=3)
    assert (found == labels).mean() > 0.9


def test_tokens_of_stopped_pictures_are_the_shots_mean(mini: FrozenCLIP, few: Splits) -> None:
    model = Door(threshold=0.05, blocks=1, copies=1).fit(Task(mini, few.shots, FORGET))
    with torch.no_grad():  # everything is stopped: the threshold below any probability
        assert model.classifier is not None
        model.classifier.threshold.fill_(-1)

        def stand_in(number: int, tokens: torch.Tensor) -> torch.Tensor:
            return model.mean_tokens.expand_as(tokens) if number == 1 else tokens

        pictures = few.test.pictures[:4]
        wanted = mini.encode_image(pictures, between=stand_in)
        assert torch.allclose(model.features(pictures), wanted, atol=1e-5)
        model.classifier.threshold.fill_(2)  # and nothing is
        assert torch.equal(model.features(pictures), mini.encode_image(pictures))
