"""Every kind of CLIP with ViT tokens: ours says what open_clip says, takes prompts, and forgets."""

import re
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
import open_clip
import pytest
import timm
import torch
import torch.nn.functional as F
from PIL import Image
from quick import Words, quick
from timm.models import convnext, vision_transformer, vision_transformer_hybrid
from timm.models.vitamin import VitCfg, VitConvCfg
from torch import Tensor, nn

from adu_core import (
    METHODS,
    FrozenCLIP,
    Splits,
    Target,
    TextPrompts,
    Trace,
    VisionPrompts,
    fit,
    load_clip,
    load_model,
    save_model,
    world,
)
from adu_core.clips.catalogue import needs_transformers, supported, why_not
from adu_core.clips.load import frozen
from adu_core.prompts import InstaPG
from adu_core.rivals.doco import attention_weights
from adu_core.rivals.slug import block_matrices


class StandIn(nn.Module):
    """In place of a text tower of transformers, which is not installed here: a mean of words."""

    vocab_size, context_length = 100, 16

    def __init__(
        self, name: str, output_dim: int, output_tokens: bool = False, **others: Any
    ) -> None:
        super().__init__()
        self.table, self.output_tokens = nn.Embedding(100, output_dim), output_tokens

    def forward(self, tokens: Tensor) -> Any:
        words = self.table(tokens)
        return (words.mean(dim=1), words) if self.output_tokens else words.mean(dim=1)


OPENAI, SIGLIP, XLM = Words([98], 99, 0), Words([], 1, 1), Words([0], 2, 1)

#: One name of the catalogue for each kind of towers: its tokenizer, the tokens before the patches.
KINDS: dict[str, tuple[Words, int]] = {
    "ViT-B-16": (OPENAI, 1),
    "ViT-L-14-CLIPA": (Words([97], 0, 0), 1),
    "ViT-B-16-SigLIP": (SIGLIP, 0),
    "ViT-SO400M-16-SigLIP2-256": (Words([], 1, 0), 0),
    "ViT-SO400M-16-SigLIP-i18n-256": (SIGLIP, 0),
    "EVA01-g-14": (OPENAI, 1),
    "EVA02-B-16": (OPENAI, 1),
    "EVA02-E-14": (OPENAI, 1),
    "PE-Core-B-16": (OPENAI, 1),
    "PE-Core-T-16-384": (OPENAI, 1),
    "ViTamin-L": (OPENAI, 0),
    "MobileCLIP2-B": (OPENAI, 1),
    "MobileCLIP2-L-14": (OPENAI, 1),
    "vit_medium_patch16_gap_256": (OPENAI, 0),
    "coca_ViT-B-32": (OPENAI, 1),
    "coca_base": (OPENAI, 1),
    "coca_roberta-ViT-B-32": (XLM, 1),
    "roberta-ViT-B-32": (XLM, 1),
    "nllb-clip-base-siglip": (XLM, 0),
}
#: Kinds whose text tower takes no learned words, and what is said of it.
FIXED_TEXT = {
    "coca_ViT-B-32": "as in CoCa",
    "coca_base": "as in CoCa",
    "coca_roberta-ViT-B-32": "it is StandIn, not open_clip's own",
    "roberta-ViT-B-32": "it is StandIn, not open_clip's own",
    "nllb-clip-base-siglip": "it is StandIn, not open_clip's own",
}
ALL = pytest.mark.parametrize("name", KINDS)
SIZE = 48


def small_trunk(name: str) -> dict[str, Any]:
    """What makes a ViT of timm small, two narrow blocks over nine patches."""
    options: dict[str, Any] = {"depth": 2, "img_size": SIZE, "embed_dim": 64, "num_heads": 2}
    if name == "vit_base_mci_224":
        return options
    if name.startswith("vitamin"):
        norm = VitConvCfg(norm_layer="layernorm2d", norm_eps=1e-6)
        stem = VitCfg(
            embed_dim=(16, 32, 64), depths=(1, 1, 1), stem_width=16, conv_cfg=norm, head_type="1d"
        )
        return options | {"embed_cfg": stem}
    return options | {"patch_size": 16}


def small(name: str) -> dict[str, Any]:
    """The same kind of CLIP with narrow towers."""
    config: dict[str, Any] = deepcopy(open_clip.get_model_config(name)) | {"embed_dim": 64}
    vision, text = config["vision_cfg"], config["text_cfg"]
    vision["image_size"] = SIZE
    if "timm_model_name" not in vision:
        vision |= {"layers": 2, "width": 64, "head_width": 32, "patch_size": 16}
    tiny = {"width": 64, "heads": 2, "layers": 2, "context_length": 16, "vocab_size": 100}
    if "hf_model_name" not in text:
        text |= tiny
    if "multimodal_cfg" in config:
        config["multimodal_cfg"] = tiny
    return config


@pytest.fixture(scope="module")
def shrunk() -> Iterator[None]:
    """The catalogue's CLIPs are small, and texts need no package."""
    true, stem = timm.create_model, vision_transformer_hybrid.ConvStem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timm, "create_model", lambda n, **more: true(n, **small_trunk(n) | more))
        channels = {"channels": (16, 32, 64)}
        narrow = vision_transformer_hybrid, "ConvStem", lambda **more: stem(**more | channels)
        patch.setattr(*narrow)
        patch.setattr(open_clip.model, "HFTextEncoder", StandIn)
        # Not in the catalogue itself: open_clip reads it anew whenever a CLIP of ours is loaded.
        known = {name: small(name) for name in KINDS}
        whole = open_clip.get_model_config
        for where in (open_clip, open_clip.factory):
            patch.setattr(where, "get_model_config", lambda n: deepcopy(known.get(n)) or whole(n))
        yield


@pytest.fixture(scope="module")
def made(shrunk: None) -> Callable[[str], FrozenCLIP]:
    """The small CLIP of each kind, with random weights large enough that pictures differ."""

    @cache
    def make(name: str) -> FrozenCLIP:
        torch.manual_seed(0)
        model = open_clip.create_model(name)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in model.parameters():
                noise = torch.randn(weight.shape, generator=generator)
                if weight.ndim and weight.numel() > 1 and weight.std() < 0.03:
                    weight.add_(0.1 * noise)  # words, CLS, biases, scales: not all alike
        return frozen(model, KINDS[name][0], name)

    return make


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    return torch.randn(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def vision_prompts(clip: FrozenCLIP, count: int = 3) -> VisionPrompts:
    generator = torch.Generator().manual_seed(2)
    return VisionPrompts(count, 2, clip.width, init_std=0.5, generator=generator)


def text_prompts(clip: FrozenCLIP, count: int) -> TextPrompts:
    generator = torch.Generator().manual_seed(2)
    return TextPrompts(count, clip.text_width, init_std=1.0, generator=generator)


@ALL
def test_features_are_open_clips(
    name: str, made: Callable[[str], FrozenCLIP], pictures: Tensor
) -> None:
    clip, texts = made(name), ["a photo of a car", "one", "an umbrella in the rain"]
    with torch.no_grad():
        theirs = clip.model.encode_image(pictures, normalize=True)
        ours = clip.encode_image(pictures)
        assert (ours - theirs).abs().max() < 1e-4
        assert (theirs[0] - theirs[1]).abs().max() > 1e-3  # so the test can see it
        assert ours.shape == (3, clip.feature_size)
        words = clip.model.encode_text(clip.tokenizer(texts), normalize=True)
        assert (clip.encode_text(texts) - words).abs().max() < 1e-4
        assert (words[0] - words[1]).abs().max() > 1e-3
        if name in FIXED_TEXT:
            with pytest.raises(ValueError, match=f"takes no text prompts.*{FIXED_TEXT[name]}"):
                clip.encode_text(texts, TextPrompts(2, 32, init_std=1, generator=torch.Generator()))
            return
        none = clip.encode_text(texts, text_prompts(clip, 0))
        assert (none - words).abs().max() < 1e-4
        # Learned tokens that are words' own are these words.
        context = text_prompts(clip, 2)
        context.tokens.data = clip.words[[11, 15]].clone()  # "a photo"
        same = clip.encode_text(["of a car", "a car"], context)
        whole = clip.encode_text(["a photo of a car", "a photo a car"])
        assert (same - whole).abs().max() < 1e-4


@ALL
def test_prompts_and_instapg_change_features_and_get_gradients(
    name: str, made: Callable[[str], FrozenCLIP], pictures: Tensor
) -> None:
    clip, trace = made(name), Trace()
    prompts = vision_prompts(clip)
    generator = torch.Generator().manual_seed(3)
    instapg = InstaPG(clip.width, clip.heads, 1, wiring="replace", generator=generator)
    features = clip.encode_image(pictures, prompts, instapg, trace=trace)
    assert (features - clip.encode_image(pictures)).abs().max() > 1e-3
    features.sum(dim=0).square().sum().backward()
    for weight in (prompts.tokens, *instapg.parameters()):
        assert weight.grad is not None
        assert weight.grad.isfinite().all()
    assert prompts.tokens.grad.flatten(1).any(dim=1).all()
    # Prompts have no place: their order is nothing. The pooling sees none of them.
    with torch.no_grad():
        before = clip.encode_image(pictures, prompts)
        prompts.tokens.copy_(prompts.tokens.flip(1))
        assert (clip.encode_image(pictures, prompts) - before).abs().max() < 1e-5
    rows, columns = clip.grid
    assert clip.prefix == KINDS[name][1]
    assert clip.tower.own == clip.prefix + rows * columns == clip.prefix + 9
    assert trace.tokens[0].shape == (3, clip.tower.own + 3, clip.width)
    for look in trace.attention:
        assert look.shape == (3, clip.heads, clip.tower.own + 3)
        assert (look.sum(dim=-1) - 1).abs().max() < 1e-5
    with pytest.raises(ValueError, match="prompts for 3 blocks, CLIP has 2"):
        clip.encode_image(
            pictures, VisionPrompts(1, 3, clip.width, init_std=1, generator=generator)
        )


@ALL
def test_a_trace_has_the_attention_that_the_blocks_pay(
    name: str, made: Callable[[str], FrozenCLIP], pictures: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, trace, seen = made(name), Trace(), []
    true = F.scaled_dot_product_attention

    def watched(query: Tensor, key: Tensor, value: Tensor, *rest: Any, **others: Any) -> Tensor:
        if query.shape[2] in (1, key.shape[2]) and key.shape[2] == clip.tower.own + 3:
            seen.append(torch.softmax(query @ key.mT / query.shape[-1] ** 0.5, dim=-1))
        return true(query, key, value, *rest, **others)

    with torch.no_grad():
        monkeypatch.setattr(F, "scaled_dot_product_attention", watched)
        clip.encode_image(pictures, vision_prompts(clip), trace=trace)
    assert len(seen) == 2
    for look, weights in zip(trace.attention, seen, strict=True):
        asked = weights[:, :, :1] if clip.prefix else weights[:, :, : clip.tower.own]
        assert (look - asked.mean(dim=2)).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("name", "tag", "says"),
    [
        ("ViT-B-16-SigLIP", "webli", (0.5, 0.5, "squash", "bicubic")),
        ("MobileCLIP2-B", "dfndr2b", (0.0, 1.0, "shortest", "bilinear")),
        ("EVA02-B-16", "merged2b_s8b_b131k", (0.48145466, 0.26862954, "shortest", "bicubic")),
        ("ViT-L-14-CLIPA", "datacomp1b", (0.485, 0.229, "squash", "bilinear")),
    ],
)
def test_pictures_are_prepared_as_the_model_says(
    name: str, tag: str, says: tuple[float, float, str, str], shrunk: None
) -> None:
    told = open_clip.get_pretrained_cfg(name, tag)
    keys = ("mean", "std", "interpolation", "resize_mode")
    asked = {key: told[key] for key in keys if told.get(key)}
    model: Any = open_clip.create_model(name, force_preprocess_cfg=asked)
    clip, config = frozen(model, None, name), model.visual.preprocess_cfg
    way = clip.preprocess
    assert (config["mean"][0], config["std"][0], way.resize_mode, way.interpolation) == says
    pixels = np.random.default_rng(0).integers(0, 256, (50, 90, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    cfg = open_clip.transform.PreprocessCfg(**config)
    theirs = open_clip.transform.image_transform_v2(cfg, is_train=False)(picture)
    assert (clip.normalise(way(picture)[None])[0] - theirs).abs().max() < 1e-5


@pytest.fixture(scope="module")
def few() -> Splits:
    """Two classes at the small CLIPs' size."""
    parts = (world(part, 3, classes=("car", "umbrella"), size=SIZE) for part in ("train", "test"))
    shots, test = parts
    return Splits(shots, test, test)


@pytest.mark.parametrize(
    ("name", "method"),
    [(name, method) for name in KINDS for method in ("full", "gate", "door")]
    + [("ViT-B-16-SigLIP", name) for name in METHODS if name not in ("full", "gate", "door")]
    + [(n, m) for n in ("EVA02-B-16", "coca_ViT-B-32") for m in ("salun", "doco", "slug")],
)
def test_methods_forget_with_it_and_are_saved(
    name: str, method: str, made: Callable[[str], FrozenCLIP], few: Splits, tmp_path: Any
) -> None:
    clip = made(name)
    how = quick(method)
    how = quick(method, epochs=1) if hasattr(how, "epochs") else how
    model, _ = fit(clip, few.shots, Target(("sketch",)), how, progress=False)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path, clip, few.shots.class_names)
    with torch.no_grad():
        before, after = (each.features(few.test.pictures) for each in (model, loaded))
        assert before.isfinite().all()
        assert torch.equal(before, after)
        assert torch.equal(model.logits(before), loaded.logits(after))


def test_weights_of_blocks_are_found_by_any_name(made: Callable[[str], FrozenCLIP]) -> None:
    for name, per_block in (("ViT-B-16-SigLIP", 4), ("EVA02-B-16", 7), ("coca_ViT-B-32", 4)):
        names = block_matrices(made(name))
        assert len(names) == 2 * per_block
        assert all("blocks." in each for each in names)
        for each in attention_weights(made(name)):
            assert ".attn." in each
            assert "blocks." in each


def test_clipfit_says_why_it_cannot_teach_a_text_tower(
    made: Callable[[str], FrozenCLIP], few: Splits
) -> None:
    with pytest.raises(ValueError, match="no MLP as CLIP's: take another CLIP"):
        fit(made("roberta-ViT-B-32"), few.shots, ["sketch"], quick("clipfit"), progress=False)
    with pytest.raises(ValueError, match="takes no text prompts"):
        fit(made("roberta-ViT-B-32"), few.shots, ["sketch"], quick("coop"), progress=False)


def test_other_towers_of_timm_are_refused_with_the_reason() -> None:
    def tower(trunk: Any, **head: nn.Module) -> Any:
        whole = nn.Module()
        whole.trunk, whole.head = trunk, nn.Sequential()
        for key, module in head.items():
            whole.head.add_module(key, module)
        model = nn.Module()
        model.visual, model.logit_scale = whole, nn.Parameter(torch.ones(()))
        return model

    def vit(**options: Any) -> Any:
        return vision_transformer.vit_tiny_patch16_224(img_size=32, depth=1, **options)

    for model, reason in (
        (tower(convnext.test_convnext()), "ConvNeXt, has no tokens to prompt"),
        (tower(vit(global_pool="")), "does not pool its tokens"),
        (tower(vit(), pool=nn.Identity()), "does not pool its tokens"),
        (tower(vit(block_fn=vision_transformer.ResPostBlock)), "of a plain ViT"),
    ):
        with pytest.raises(ValueError, match=f"strange: .*{reason}.*CLIPs that work"):
            frozen(model, None, "strange")


def test_every_name_of_the_catalogue_works_or_says_why_not() -> None:
    reasons = {name: why_not(name) for name in open_clip.list_models()}
    works = {name for name, reason in reasons.items() if not reason}
    assert set(KINDS) <= works
    convolutions = ("RN", "convnext", "MobileCLIP-S", "MobileCLIP2-S", "swin", "vit_relpos")
    for name, reason in reasons.items():
        assert bool(reason) == name.startswith(convolutions), name
        assert "no ViT with tokens" not in reason  # each has a reason of its own
    for name in works:
        words = ("CLIPA", "SigLIP", "worldwide", "roberta", "mt5", "nllb")
        assert needs_transformers(name) == any(word in name for word in words), name


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert re.search("with the package transformers also .*ViT-L-14-CLIPA", supported())
    for name in ("ViT-L-14-CLIPA", "ViT-B-16-SigLIP", "roberta-ViT-B-32", "nllb-clip-base"):
        with pytest.raises(ValueError, match=f"of {name} comes with the package transformers: pip"):
            load_clip(name)
