import warnings
from pathlib import Path

import open_clip
import pytest
import torch

from adu_core import FrozenCLIP, TextPrompts, Trace, VisionPrompts, load_clip
from adu_core.clip.load import build, mini_config


def random_clip(name: str) -> FrozenCLIP:
    torch.manual_seed(0)
    if name == "mini":
        model = build(mini_config(60), "adu-mini")
        return FrozenCLIP(model, open_clip.get_tokenizer("adu-mini"), "mini")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of random weights
        return load_clip(name)


def prompts(clip: FrozenCLIP, count: int, depth: int = 3) -> VisionPrompts:
    generator = torch.Generator().manual_seed(1)
    return VisionPrompts(count, depth, clip.width, init_std=0.5, generator=generator)


@pytest.mark.parametrize("name", ["mini", "ViT-B-16", "ViT-L-14"])
def test_without_prompts_the_features_are_open_clips(name: str) -> None:
    clip = random_clip(name)
    pictures = torch.randn(2, 3, clip.picture_size, clip.picture_size)
    with torch.inference_mode():
        theirs = clip.model.encode_image(pictures)
        assert (clip.encode_image(pictures, normalize=False) - theirs).abs().max() < 1e-5
        none = clip.encode_image(pictures, prompts(clip, 0), normalize=False)
        assert (none - theirs).abs().max() < 1e-5
        some = clip.encode_image(pictures, prompts(clip, 2), normalize=False)
        assert (some - theirs).abs().max() > 1e-3


def test_uint8_pictures_are_normalised_as_open_clip_does() -> None:
    clip = random_clip("mini")
    pictures = torch.randint(0, 256, (2, 3, 60, 60), dtype=torch.uint8)
    preprocess = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**clip.model.visual.preprocess_cfg), is_train=False
    )
    from torchvision.transforms.functional import to_pil_image

    theirs = torch.stack([preprocess(to_pil_image(picture)) for picture in pictures])
    assert (clip.normalise(pictures) - theirs).abs().max() < 1e-5


def test_a_trace_holds_every_blocks_tokens_and_attention() -> None:
    clip, trace = random_clip("mini"), Trace()
    pictures = torch.randn(2, 3, 60, 60)
    features = clip.encode_image(pictures, prompts(clip, 5), trace=trace)
    assert torch.equal(features, clip.encode_image(pictures, prompts(clip, 5)))
    assert [x.shape[1] for x in trace.tokens] == [42, 42, 42, 42, 42, 1]
    assert all(x.shape == (2, 3, 42) for x in trace.attention)
    for attention in trace.attention:
        assert torch.allclose(attention.sum(-1), torch.ones(2, 3))


def test_it_is_frozen_for_good() -> None:
    clip = random_clip("mini")
    assert not any(parameter.requires_grad for parameter in clip.parameters())
    clip.train()
    assert not any(module.training for module in clip.modules())


def test_text_prompts_stand_between_the_start_and_the_words(tiny_clip: FrozenCLIP) -> None:
    generator = torch.Generator().manual_seed(0)
    names = ["car", "fish"]
    nothing = TextPrompts(0, tiny_clip.text_width, init_std=1, generator=generator)
    plain = tiny_clip.class_features(names)
    assert torch.allclose(tiny_clip.class_features(names, nothing), plain, atol=1e-5)
    # The learned tokens "a photo of a" before the bare name are the prompt itself.
    context = TextPrompts(4, tiny_clip.text_width, init_std=1, generator=generator)
    tokens = tiny_clip.tokenizer(["a photo of a"])[0, 1:5]
    context.tokens.data = tiny_clip.model.token_embedding.weight[tokens].clone()
    assert torch.allclose(tiny_clip.encode_text(names, context), plain, atol=1e-5)
    long = TextPrompts(12, tiny_clip.text_width, init_std=1, generator=generator)
    with pytest.raises(ValueError, match="use fewer tokens"):
        tiny_clip.class_features(names, long)


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(B, 3, 60, 60\), not \(1, 3, 64, 64\)"):
        random_clip("mini").encode_image(torch.zeros(1, 3, 64, 64))


@pytest.mark.parametrize("name", ["RN50", "ViT-B-16-SigLIP", "coca_ViT-B-32", "EVA02-B-16"])
def test_other_backbones_are_refused_with_those_that_work(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}.*ViT-B-16"):
        load_clip(name)


def test_bad_names_and_weights_are_refused(tmp_path: Path) -> None:
    pickle = tmp_path / "weights.pt"
    pickle.write_bytes(b"x")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"x")
    for arguments, error, message in (
        (("ViT-Z",), ValueError, "no CLIP 'ViT-Z'"),
        (("mini", "openai"), ValueError, "takes no pretrained"),
        (("ViT-B-16", "openai"), ValueError, "use ViT-B-16-quickgelu"),
        (("ViT-B-16", "nothing"), FileNotFoundError, "the tags are openai"),
        (("ViT-B-16", str(pickle)), ValueError, "may be a pickle"),
        ((str(tmp_path / "none.safetensors"),), FileNotFoundError, "is missing"),
        ((str(broken),), ValueError, "not a whole safetensors file"),
    ):
        with pytest.raises(error, match=message):
            load_clip(*arguments)


def test_weights_of_a_file_are_loaded(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    first = random_clip("ViT-S-32-alt")
    state = {key: value.contiguous() for key, value in first.model.state_dict().items()}
    save_file(state, tmp_path / "weights.safetensors")
    second = load_clip("ViT-S-32-alt", str(tmp_path / "weights.safetensors"))
    assert second.fingerprint == first.fingerprint
