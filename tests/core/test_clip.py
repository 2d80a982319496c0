import json
from copy import deepcopy
from typing import Any

import open_clip
import pytest
import torch
import torch.nn.functional as F
from quick import Words
from torch import Tensor

from adu_core import FrozenCLIP, TextPrompts, Trace, VisionPrompts, load_clip
from adu_core.clips.catalogue import supported_models, why_not
from adu_core.clips.load import build, frozen, mini_config


def built(vision: dict[str, Any], text: dict[str, Any], **others: Any) -> FrozenCLIP:
    """A random mini CLIP with other options in its towers; weights larger than open_clip's."""
    config = mini_config(60)
    config["vision_cfg"] |= vision
    config["text_cfg"] |= text
    torch.manual_seed(0)
    model = build(config | others, "adu-built")
    with torch.no_grad():  # open_clip draws the words so small that all texts are alike
        model.token_embedding.weight.mul_(20)
        model.positional_embedding.mul_(20)
    return frozen(model, open_clip.get_tokenizer("adu-built"), "built")


def prompts(clip: FrozenCLIP, count: int, depth: int = 3) -> VisionPrompts:
    generator = torch.Generator().manual_seed(1)
    return VisionPrompts(count, depth, clip.width, init_std=0.5, generator=generator)


def test_without_prompts_the_features_are_open_clips() -> None:
    clip = built({}, {})
    pictures = torch.randn(2, 3, clip.picture_size, clip.picture_size)
    with torch.inference_mode():
        theirs = clip.model.encode_image(pictures)
        assert (clip.encode_image(pictures, normalize=False) - theirs).abs().max() < 1e-5
        none = clip.encode_image(pictures, prompts(clip, 0), normalize=False)
        assert (none - theirs).abs().max() < 1e-5
        some = clip.encode_image(pictures, prompts(clip, 2), normalize=False)
        assert (some - theirs).abs().max() > 1e-3


def test_a_trace_holds_every_blocks_tokens_and_attention() -> None:
    clip, trace = built({}, {}), Trace()
    pictures = torch.randn(2, 3, 60, 60)
    features = clip.encode_image(pictures, prompts(clip, 5), trace=trace)
    assert torch.equal(features, clip.encode_image(pictures, prompts(clip, 5)))
    assert [x.shape[1] for x in trace.tokens] == [42, 42, 42, 42, 42, 1]
    assert all(x.shape == (2, 3, 42) for x in trace.attention)
    for attention in trace.attention:
        assert torch.allclose(attention.sum(-1), torch.ones(2, 3))


def test_it_is_frozen_for_good() -> None:
    clip = built({}, {})
    assert not any(parameter.requires_grad for parameter in clip.parameters())
    clip.train()
    assert not any(module.training for module in clip.modules())


def learned(count: int, clip: FrozenCLIP) -> TextPrompts:
    return TextPrompts(
        count, clip.text_width, init_std=1, generator=torch.Generator().manual_seed(0)
    )


def test_text_prompts_stand_between_the_start_and_the_words(tiny_clip: FrozenCLIP) -> None:
    names = ["car", "fish"]
    plain = tiny_clip.class_features(names)
    nothing = tiny_clip.class_features(names, learned(0, tiny_clip))
    assert torch.allclose(nothing, plain, atol=1e-5)
    # The learned tokens "a photo of a" before the bare name are the prompt itself.
    context = learned(4, tiny_clip)
    tokens = tiny_clip.tokenizer(["a photo of a"])[0, 1:5]
    context.tokens.data = tiny_clip.model.token_embedding.weight[tokens].clone()
    assert torch.allclose(tiny_clip.encode_text(names, context), plain, atol=1e-5)
    with pytest.raises(ValueError, match="'a photo of a car' needs more: use fewer tokens"):
        tiny_clip.class_features(names, learned(12, tiny_clip))


#: Text towers as they are in open_clip's catalogue, or could be: options, and their tokenizer.
TEXT_TOWERS: dict[str, tuple[dict[str, Any], Words | None]] = {
    "argmax": ({}, None),
    "last": ({"pool_type": "last"}, None),
    "first": ({"pool_type": "first", "no_causal_mask": True}, None),
    "bidirectional": ({"no_causal_mask": True}, None),
    "CLIPA": ({"pool_type": "last", "no_causal_mask": True}, Words([101], 0, 0)),
    "xlm": ({"pool_type": "eos", "eos_id": 2}, Words([0], 2, 1)),
    "mt5, no start token": ({"pool_type": "eos", "eos_id": 1}, Words([], 1, 0)),
    "projection with bias": ({"proj_bias": True}, None),
    "no projection": ({"proj_type": "none"}, None),
    "layer scale": ({"ls_init_value": 0.5}, None),
}


@pytest.mark.parametrize("which", TEXT_TOWERS)
def test_without_learned_tokens_every_text_tower_says_what_open_clip_says(which: str) -> None:
    options, tokenizer = TEXT_TOWERS[which]
    clip = built({}, options)
    clip = frozen(clip.model, tokenizer or clip.tokenizer, clip.name)
    prompts = ["a photo of a car", "an aeroplane", "one", "an umbrella in the rain"]
    with torch.no_grad():
        theirs = clip.model.encode_text(clip.tokenizer(prompts), normalize=True)
        ours = clip.encode_text(prompts, learned(0, clip))
        assert (ours - theirs).abs().max() < 1e-5
        assert (clip.encode_text(prompts) - theirs).abs().max() < 1e-5
        assert (theirs[0] - theirs[2]).abs().max() > 1e-2  # they do differ
        # Learned tokens that are words' own are these words.
        if tokenizer is None:
            context = learned(2, clip)
            words = clip.tokenizer(["a photo"])[0, 1:3]
            context.tokens.data = clip.model.token_embedding.weight[words].clone()
            ours = clip.encode_text(["of a car"], context)
            theirs = clip.encode_text(["a photo of a car"])
            assert (ours - theirs).abs().max() < 1e-5


def test_room_is_counted_by_the_tokenizers_own_padding() -> None:
    clip = built({}, {"pool_type": "eos", "eos_id": 2})
    clip = frozen(clip.model, Words([0], 2, 1), clip.name)  # padding is 1, and 0 is no padding
    clip.encode_text(["one two"], learned(12, clip))
    with pytest.raises(ValueError, match="leave room for 3 tokens"):
        clip.encode_text(["one two"], learned(13, clip))


def test_a_text_tower_that_cannot_be_served_is_refused() -> None:
    with pytest.raises(ValueError, match=r"pools nothing.*ViT-B-16"):
        built({}, {"pool_type": "none"})
    first = built({}, {"pool_type": "first"})
    with pytest.raises(ValueError, match="first token's, which sees no other"):
        learned(2, first)
    with pytest.raises(ValueError, match="its blocks are others"):
        learned(2, built({}, {"qk_norm": True}))


def test_texts_are_tokenised_once(tiny_clip: FrozenCLIP) -> None:
    calls = []

    def counting(texts: list[str]) -> Tensor:
        calls.append(texts)
        found: Tensor = tiny_clip.tokenizer(texts)
        return found

    clip = frozen(tiny_clip.model, counting, "counting")
    features = [clip.class_features(["car", "fish"], learned(2, clip)) for _ in range(3)]
    assert calls == [["a photo of a car", "a photo of a fish"], [""]]
    assert torch.equal(features[0], features[2])
    for number in range(30):
        clip.encode_text([f"{number}"])
    clip.encode_text(["0"])  # not kept for ever
    assert calls.count(["0"]) == 2


# Vision towers of other kinds.

VISION_TOWERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "average": ({"pool_type": "avg"}, {}),
    "CLIPA": ({"pool_type": "avg", "no_ln_pre": True, "final_ln_after_pool": True}, {}),
    "norm after pooling": ({"final_ln_after_pool": True}, {}),
    "layer scale": ({"ls_init_value": 0.5}, {}),
    "fixed positions": ({"pos_embed_type": "sin_cos_2d"}, {}),
    "patch dropout": ({"patch_dropout": 0.5}, {}),
    "QuickGELU": ({}, {"quick_gelu": True}),
}


@pytest.mark.parametrize("which", VISION_TOWERS)
def test_every_vision_tower_says_what_open_clip_says(which: str) -> None:
    vision, others = VISION_TOWERS[which]
    clip = built(vision, {}, **others)
    pictures = torch.randn(3, 3, 60, 60)
    with torch.no_grad():
        theirs = clip.model.encode_image(pictures)
        assert (clip.encode_image(pictures, normalize=False) - theirs).abs().max() < 1e-5
        text = clip.model.encode_text(clip.tokenizer(["a car"]), normalize=True)
        assert (clip.encode_text(["a car"], learned(0, clip)) - text).abs().max() < 1e-5
        prompted = clip.encode_image(pictures, prompts(clip, 2), normalize=False)
        assert (prompted - theirs).abs().max() > 1e-3


def test_with_average_pooling_prompts_are_not_averaged_in() -> None:
    clip = built({"pool_type": "avg"}, {})
    pictures, trace = torch.randn(2, 3, 60, 60), Trace()
    with torch.no_grad():
        features = clip.encode_image(pictures, prompts(clip, 5, 6), normalize=False, trace=trace)
        patches = clip.model.visual.ln_post(trace.tokens[-1][:, 1:37])
        assert torch.allclose(features, patches.mean(1) @ clip.model.visual.proj, atol=1e-5)


def test_a_picture_that_is_no_square_is_refused() -> None:
    with pytest.raises(ValueError, match="60 × 50 pixels: only squares"):
        built({"image_size": [60, 50]}, {})


# bfloat16.


def test_under_bfloat16_features_and_logits_are_float32_and_no_answer_flips() -> None:
    clip = built({}, {})
    clip.model.logit_scale.data.fill_(torch.tensor(100.0).log())
    generator = torch.Generator().manual_seed(0)
    features = F.normalize(torch.randn(2000, 64, generator=generator), dim=-1)
    words = F.normalize(torch.randn(65, 64, generator=generator), dim=-1)
    exact = (features.double() @ words.double().T).argmax(dim=1)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        coarse = 100 * features @ words.T  # what autocast makes of it
        logits = clip.similarity(features, words)
        assert clip.encode_image(torch.randn(2, 3, 60, 60)).dtype == torch.float32
        for context in (None, learned(2, clip)):
            named = clip.class_features(["car", "fish"], context)
            assert named.dtype == torch.float32
            assert torch.allclose(named.norm(dim=-1), torch.ones(2), atol=1e-6)
    assert logits.dtype == torch.float32
    assert (logits.argmax(dim=1) != exact).sum() == 0
    assert (coarse.float().argmax(dim=1) != exact).sum() > 5  # so the test can see it


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(B, 3, 60, 60\), not \(1, 3, 64, 64\)"):
        built({}, {}).encode_image(torch.zeros(1, 3, 64, 64))


def small(name: str) -> dict[str, Any]:
    """The same kind of CLIP with two narrow blocks a tower."""
    config: dict[str, Any] = deepcopy(open_clip.get_model_config(name)) | {"embed_dim": 32}
    vision, text = config["vision_cfg"], config["text_cfg"]
    vision |= {"layers": 2, "width": 64, "head_width": 32, "image_size": 30, "patch_size": 10}
    text |= {"layers": 2, "width": 64, "heads": 2, "context_length": 16, "vocab_size": 49408}
    return config


def test_every_listed_name_works_in_small() -> None:
    """Of each kind of tower in the list, one is built, small, and says what open_clip says."""
    assert not any(name.startswith("adu-") for name in supported_models())
    other = ("timm_model_name", "hf_model_name", "multimodal_cfg")  # see test_towers.py
    configs = {
        json.dumps(small(name), sort_keys=True): small(name)
        for name in supported_models()
        if not any(key in str(open_clip.get_model_config(name)) for key in other)
    }
    assert 3 < len(configs) < 15
    assert why_not("nonesuch")
    for config in configs.values():
        other = config["text_cfg"].pop("hf_tokenizer_name", None)
        torch.manual_seed(0)
        model = build(config, "adu-small")
        words = Words([0], config["text_cfg"].get("eos_id", 2), 1)
        tokenizer = words if other else open_clip.get_tokenizer("adu-small")
        clip = frozen(model, tokenizer, "small")
        pictures = torch.randn(1, 3, clip.picture_size, clip.picture_size)
        with torch.no_grad():
            theirs = clip.model.encode_image(pictures, normalize=True)
            assert (clip.encode_image(pictures) - theirs).abs().max() < 1e-5
            assert clip.encode_image(pictures, prompts(clip, 2, 2)).isfinite().all()
            theirs = clip.model.encode_text(clip.tokenizer(["a car"]), normalize=True)
            assert (clip.encode_text(["a car"], learned(0, clip)) - theirs).abs().max() < 1e-5
            assert clip.encode_text(["a car"], learned(3, clip)).isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("ViT-Z",), ValueError, "no CLIP 'ViT-Z'"),
        (("RN50",), ValueError, "RN50: .* a ResNet: .*CLIPs that work are .*ViT-B-16"),
        (("mini", "openai"), ValueError, "takes no pretrained"),
        (("ViT-B-16", "openai"), ValueError, "use ViT-B-16-quickgelu"),
        (("ViT-B-16", "nothing"), FileNotFoundError, "the tags are openai"),
    ],
)
def test_bad_names_are_refused(
    arguments: tuple[str, ...], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        load_clip(*arguments)
