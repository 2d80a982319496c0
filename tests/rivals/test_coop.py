import pytest
import torch

from adu_core import FrozenCLIP, Splits, load_clip, world
from adu_core.loop import random_crop_and_flip
from adu_core.measure import accuracies
from adu_core.rivals.methods import method
from adu_core.rivals.saved import load_model, save_model
from adu_core.rivals.views import encode_views
from adu_core.task import Target, Task

SKETCH = Target(("sketch",))
QUICK = method("coop", "mini", epochs=2, batch_size=8, learning_rate=0.05, views=2)


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
    tiny_clip: FrozenCLIP, few: Splits, tmp_path
) -> None:
    task = Task(tiny_clip, few.shots, SKETCH)
    model = QUICK.fit(task, seed=3)
    assert list(model.state_dict()) == ["text.tokens"]
    assert model.learned_numbers() == 4 * tiny_clip.text_width
    assert not torch.equal(model.text.tokens, QUICK.start(task, seed=3).text.tokens)
    with torch.no_grad():
        features = model.features(few.test.pictures)
        assert torch.equal(features, tiny_clip.encode_image(few.test.pictures))
        others = model.logits(features, ["bird", "boat"])  # any names are encoded
    assert others.shape == (len(features), 2)
    assert torch.equal(QUICK.fit(task, seed=3).text.tokens, model.text.tokens)
    save_model(model, tmp_path)
    assert torch.equal(load_model(tmp_path, tiny_clip).text.tokens, model.text.tokens)


def test_a_context_that_leaves_no_room_is_refused_before_the_work(
    tiny_clip: FrozenCLIP, few: Splits
) -> None:
    sixteen = method("coop")
    assert sixteen.tokens == 16  # CoOp's, too many for a CLIP that reads 16 tokens in all
    with pytest.raises(ValueError, match="use fewer tokens or shorter names"):
        sixteen.check(Task(tiny_clip, few.shots, SKETCH))


@pytest.mark.parametrize(
    "wrong", [{"tokens": 0}, {"init_std": -1.0}, {"views": 0}, {"forget_weight": -1.0}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        method("coop", **wrong)


def test_it_forgets_a_domain(few: Splits) -> None:
    clip = load_clip("mini")
    fast = method("coop", "mini", epochs=20, batch_size=16)
    model = fast.fit(Task(clip, few.shots, SKETCH))
    sketches = world("test", 6, classes=few.test.class_names, domains=("sketch",))
    before, after = (accuracies(each, sketches)["sketch"] for each in (clip, model))
    assert after < before - 5
