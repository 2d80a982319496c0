"""Pictures are brought to size as open_clip does for the CLIP at hand, bit by bit."""

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from adu_core import FrozenCLIP, load_clip, load_splits, read_folder
from adu_core.clips.load import build, frozen, mini_config
from adu_core.clips.preprocess import Preprocess
from adu_core.data.picture import read_picture
from adu_core.data.sources import load_shots

SIZES = ((640, 480), (481, 640), (227, 227), (60, 61), (333, 40), (13, 7), (1, 1), (60, 60))


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """The hardest picture to scale: every pixel drawn by itself."""
    drawn = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(drawn)


def theirs(picture: Image.Image, preprocess: Preprocess) -> Tensor:
    """What open_clip's own evaluation transform gives, before mean and standard deviation."""
    config = PreprocessCfg(
        size=preprocess.size,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        interpolation=preprocess.interpolation,
        resize_mode=preprocess.resize_mode,
        fill_color=preprocess.fill,
    )
    return (image_transform_v2(config, is_train=False)(picture) * 255).round().byte()


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
def test_it_is_open_clips_own(mode, interpolation):
    for size in (37, 60, 224):
        preprocess = Preprocess(size, mode, interpolation, fill=200)
        for sides in SIZES:
            picture = noise(*sides)
            assert torch.equal(preprocess(picture), theirs(picture, preprocess)), (size, sides)


def test_a_thread_of_a_picture_is_no_memory_bomb_and_leaves_something():
    # Scaled whole, it would be 224 × 4,480,000 pixels.
    smooth = Image.linear_gradient("L").resize((1, 20_000)).convert("RGB")
    found = Preprocess(224)(smooth)
    assert found.shape == (3, 224, 224)
    assert ((found.int() - 127).abs() <= 2).all()  # its middle
    whole = Preprocess(224, "longest", fill=255)(smooth)
    assert whole[0].float().std(dim=0).gt(10).sum() == 1  # all of it, a pixel wide
    for sides in ((3, 90), (90, 3), (3, 301)):
        blurred, preprocess = noise(*sides).resize((2, 6)).resize(sides), Preprocess(30)
        apart = preprocess(blurred).int() - theirs(blurred, preprocess).int()
        assert apart.abs().max() <= 2


def test_settings_that_are_none_are_refused():
    for wrong in ({"size": 0}, {"resize_mode": "stretch"}, {"interpolation": "nearest"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Preprocess(**{"size": 8, **wrong})


def made(**asked: object) -> FrozenCLIP:
    """A random CLIP whose weights ask for this preprocessing."""
    model = build(mini_config(60), "adu-asking")
    open_clip.model.set_model_preprocess_cfg(
        model, {**open_clip.model.get_model_preprocess_cfg(model), **asked}
    )
    return frozen(model, None, "asking")


def test_a_clip_says_how_its_pictures_are_made():
    assert made().preprocess == Preprocess(60, "shortest", "bicubic")
    asking = made(resize_mode="squash", interpolation="bilinear", fill_color=7)
    assert asking.preprocess == Preprocess(60, "squash", "bilinear", 7)
    assert made(interpolation="random").preprocess.interpolation == "bicubic"  # as open_clip's


def test_a_file_becomes_what_open_clip_makes_of_it(tmp_path: Path):
    clip = made(resize_mode="squash", interpolation="bilinear")
    config = open_clip.model.get_model_preprocess_cfg(clip.model)
    transform = image_transform_v2(PreprocessCfg(**config), is_train=False)
    for name in ("a.png", "b.jpg"):  # a large JPEG is decoded whole, as there
        noise(1300, 900).save(tmp_path / name)
        ours = clip.normalise(read_picture(tmp_path / name, clip.preprocess)[None])
        with Image.open(tmp_path / name) as opened:
            assert (ours - transform(opened)[None]).abs().max() < 1e-5


def test_folders_and_splits_take_a_clips_own(tmp_path: Path):
    for domain in ("photo", "sketch"):
        for label in ("cat", "dog"):
            folder = tmp_path / domain / label
            folder.mkdir(parents=True)
            for number in range(4):
                noise(40, 20, number).save(folder / f"{number}.png")
    squash = made(resize_mode="squash").preprocess
    squashed, cut = (read_folder(tmp_path, size=size) for size in (squash, 60))
    assert squashed.pictures[0].equal(squash(noise(40, 20, 0)))
    assert not squashed.pictures.equal(cut.pictures)
    asked = read_folder(tmp_path, size=Preprocess(60))
    assert asked.fingerprint() == cut.fingerprint()
    splits = load_splits(f"folder:{tmp_path}", size=squash, shots=2)
    every = {picture.numpy().tobytes() for picture in squashed.pictures}
    assert {picture.numpy().tobytes() for picture in splits.test.pictures} < every
    drawn = [load_shots("world", size=size, shots=1).fingerprint() for size in (squash, 60)]
    assert drawn[0] == drawn[1]


def test_weights_of_a_file_are_given_what_all_weights_of_that_name_want(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """All of open_clip's weights for CLIPA squash their pictures: so do those from a file."""
    squash = {"interpolation": "bilinear", "resize_mode": "squash"}
    tags = {"datacomp1b": squash, "laion2b": squash}
    monkeypatch.setattr(open_clip, "list_pretrained_tags_by_model", lambda _: list(tags))
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda _, tag: tags[tag])
    path = tmp_path / "weights.safetensors"
    save_file(dict(build(mini_config(60), "adu-known").state_dict()), path)
    assert load_clip("adu-known", str(path)).preprocess == Preprocess(60, "squash", "bilinear")
    tags["openai"] = {"interpolation": "bicubic", "resize_mode": "shortest"}
    with pytest.warns(UserWarning, match=r"prepared as for OpenAI's CLIP.* laion2b, openai"):
        clip = load_clip("adu-known", str(path))
    assert clip.preprocess == Preprocess(60)
