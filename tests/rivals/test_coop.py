import torch

from adu_core import FrozenCLIP, Splits
from adu_core.dataset import Target
from adu_core.loop import random_crop_and_flip
from adu_core.rivals.methods import method
from adu_core.rivals.views import encode_views
from adu_core.task import Task


def test_the_views_are_the_pictures_and_then_crops_of_them(
    tiny_clip: FrozenCLIP, few: Splits
) -> None:
    seen = encode_views(tiny_clip, few.shots, 3, seed=5, crop=0.6)
    assert seen.shape == (3, len(few.shots), tiny_clip.feature_size)
    with torch.no_grad():
        assert torch.equal(seen[0], tiny_clip.encode_image(few.shots.pictures))
        crops = random_crop_and_flip(
            tiny_clip.normalise(few.shots.pictures),
            torch.Generator().manual_seed(5),
            crop=0.6,
            flip=True,
        )
        assert torch.equal(seen[1], tiny_clip.encode_image(crops))
    assert torch.equal(seen, encode_views(tiny_clip, few.shots, 3, seed=5, crop=0.6))


def test_only_the_context_learns_and_pictures_stay_as_they_were(
    tiny_clip: FrozenCLIP, few: Splits
) -> None:
    task = Task(tiny_clip, few.shots, Target(("sketch",)))
    made = method("coop", "mini", epochs=2, batch_size=8, learning_rate=0.05, views=2)
    model = made.fit(task, seed=3)
    assert {name: x.shape for name, x in model.state_dict().items()} == {
        "text.tokens": (4, tiny_clip.text_width)
    }
    assert not torch.equal(model.text.tokens, made.start(task, seed=3).text.tokens)
    with torch.no_grad():
        features = model.features(few.test.pictures)
        assert torch.equal(features, tiny_clip.encode_image(few.test.pictures))
