import pytest
import torch
import torch.nn.functional as F

from adu_core import FrozenCLIP, Splits, Target, world
from adu_core.rivals.text_gate import MARGIN, TextGate, TextGated, share
from adu_core.runs.evaluate import evaluate
from adu_core.task import Task

CLASSES, DOMAINS = ("car", "house"), ("sketch",)


def test_the_share_is_a_softmax_with_the_classes_summed_out(tiny_clip: FrozenCLIP) -> None:
    E, scale = tiny_clip.feature_size, tiny_clip.logit_scale.item()
    styles = torch.eye(E)[:4].view(2, 2, E)  # two domains, two classes
    pictures = F.normalize(torch.eye(E)[0] + torch.eye(E)[3], dim=0)[None]
    first = share(tiny_clip, pictures, styles, [0])
    torch.testing.assert_close(first, torch.tensor([0.5]))
    first = share(tiny_clip, torch.eye(E)[:1], styles, [0])
    e = torch.tensor(scale).exp()
    torch.testing.assert_close(first, ((e + 1) / (e + 3))[None])
    torch.testing.assert_close(share(tiny_clip, pictures, styles, [0, 1]), torch.ones(1))


@pytest.mark.parametrize("target", [Target(DOMAINS), Target(DOMAINS, CLASSES)], ids=str)
def test_pictures_below_the_threshold_keep_their_bits(
    mini: FrozenCLIP, few: Splits, target: Target
) -> None:
    model = TextGate().fit(Task(mini, few.shots, target))
    assert isinstance(model, TextGated)
    assert model.styles is not None
    pictures = few.test.pictures
    before, after = mini.features(pictures), model.features(pictures)
    below = share(mini, before, model.styles, [3]) <= 0.25 + MARGIN
    refused = model.refuses(pictures)
    assert 0 < below.sum() < len(below)
    assert not (refused & below).any()
    assert torch.equal(after[~refused], before[~refused])
    if target.kind == "domains":
        assert torch.equal(refused, ~below)


def test_it_forgets_without_a_picture(mini: FrozenCLIP) -> None:
    pictures = world("validation", 2)
    for target, least_for, least_mem in (
        (Target(DOMAINS), 75, 80),
        (Target((), CLASSES), 98, 98),
        (Target(DOMAINS, CLASSES), 75, 80),
    ):
        task = Task.of_names(mini, pictures.class_names, pictures.domain_names, target)
        metrics = evaluate(TextGate().fit(task), pictures, target, entangled=False)[0]["metrics"]
        assert metrics["for"] > least_for
        assert metrics["mem"] > least_mem


def test_words_and_domains_that_nobody_knows(tiny_clip: FrozenCLIP) -> None:
    for domains, target in (
        (("quirk", "zorp", "sketch"), Target(("zorp",))),
        (("quirk", "zorp", "sketch"), Target(("zorp", "quirk"), ("blarg",))),
        (("quirk",), Target((), ("blarg",))),  # one domain
        (("quirk", "zorp"), Target(("quirk", "zorp"), ("blarg",))),  # in all of them
    ):
        task = Task.of_names(tiny_clip, ("car", "blarg"), domains, target)
        model = TextGate().fit(task)
        noise = torch.randn(3, 3, tiny_clip.picture_size, tiny_clip.picture_size)
        assert model.features(noise).isfinite().all()
        assert model.refuses(noise).shape == (3,)
