"""Which CLIPs take prompts: those whose vision tower is a ViT, whatever their text tower is."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import open_clip
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer

from adu_core.clip import Tower
from adu_core.clips.timm_tower import FAMILIES, TimmTower, family, unfit

#: Options of open_clip's blocks that make them others than CLIP's.
_CUSTOM = (
    "block_type", "qk_norm", "scaled_cosine_attn",
    "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc",
)  # fmt: skip

#: Why those of timm's models that are no plain ViTs do not work, by the file they are in.
_OTHERS = {
    "swin_transformer": "has tokens that look at their own window only, and prompts are in none",
    "vision_transformer_relpos": "weighs its attention by distance, and prompts have no place",
    "convnext": "is a convolutional network: there are no tokens to prompt",
    "fastvit": "is mostly a convolutional network: there are no tokens to prompt",
}


def why_not(name: str) -> str:
    """Why the CLIP called ``name`` in open_clip's catalogue does not work; "" if it does.

    Its configuration says so, nothing is built.
    """
    config = open_clip.get_model_config(name)
    if config is None:
        return "there is no such CLIP"
    return _why_not_vision(config.get("vision_cfg", {}))


def _why_not_vision(vision: Mapping[str, Any]) -> str:
    trunk = vision.get("timm_model_name")
    if trunk:
        where = family(trunk)
        if where in FAMILIES:
            return ""
        return f"its vision tower, {trunk}, {_OTHERS.get(where, 'is no ViT with tokens to prompt')}"
    if not isinstance(vision.get("layers"), int):
        return "its vision tower is a ResNet: there are no tokens to prompt"
    if any(vision.get(option) for option in _CUSTOM):
        return "the blocks of its vision tower are not those of CLIP"
    return ""


def supported_models() -> list[str]:
    """The names in open_clip's catalogue that work, less small CLIPs of ours that were loaded."""
    return [n for n in open_clip.list_models() if not (n.startswith("adu-") or why_not(n))]


def needs_transformers(name: str) -> bool:
    """Whether the CLIP called ``name`` needs the package transformers, for its words or texts.

    Its tokenizer comes with it (CLIPA, SigLIP), or all of its text tower does (RoBERTa, NLLB).
    """
    text = open_clip.get_model_config(name)["text_cfg"]
    return bool(text.get("hf_tokenizer_name") or text.get("hf_model_name"))


def supported() -> str:
    """For messages: which CLIPs work, the first few of each kind."""
    names = sorted(supported_models(), key=lambda name: (not name.startswith("ViT-"), len(name)))
    own = [name for name in names if not needs_transformers(name)]
    others = [name for name in names if needs_transformers(name)]
    return (
        f"CLIPs that work are those with ViT tokens: {_few(own)}; with the package transformers "
        f"also {_few(others)} (adu_core.clips.catalogue.supported_models() lists them)"
    )


def _few(names: Sequence[str], most: int = 6) -> str:
    return f"{', '.join(names[:most])} and {len(names) - most} others"


def near(name: str) -> str:
    """For messages: the CLIPs that work whose names are like ``name``."""
    found = difflib.get_close_matches(name, supported_models(), 3)
    return f"near it are {', '.join(found)}" if found else supported()


def of_hub(repository: str) -> str:
    """``NAME:TAG`` of the weights that open_clip takes from a repository of the hub, or ""."""
    for name, tag in open_clip.list_pretrained():
        given, built = open_clip.get_pretrained_cfg(name, tag), open_clip.get_model_config(name)
        same = given.get("quick_gelu", False) == built.get("quick_gelu", False)
        if given.get("hf_hub", "").rstrip("/") == repository and same and not why_not(name):
            return f"{name}:{tag}"
    return ""


def tower_of(visual: Any, name: str) -> Tower:
    """The steps of the vision tower ``visual`` of the CLIP called ``name``.

    Raises ``ValueError`` for one that has no tokens to prompt, or whose blocks are unknown here.
    """
    if isinstance(visual, VisionTransformer):
        if not all(type(block) is ResidualAttentionBlock for block in visual.transformer.resblocks):
            raise ValueError(f"{name}: its blocks are not those of CLIP; {supported()}")
        if visual.attn_pool is None and visual.pool_type not in ("tok", "avg"):
            raise ValueError(f"{name}: it pools nothing into one feature; {supported()}")
        tower = Tower(visual)
    elif reason := unfit(visual):
        raise ValueError(f"{name}: {reason}; {supported()}")
    else:
        tower = TimmTower(visual)
    height, width = visual.image_size
    if height != width:
        raise ValueError(f"{name} takes pictures of {height} × {width} pixels: only squares work")
    return tower


def check_text_tower(model: Any, name: str) -> None:
    """Raise ``ValueError`` unless ``model`` makes one feature of a text, as CLIP does."""
    pool_type = getattr(model, "text_pool_type", None) or getattr(model.text, "pool_type", "argmax")
    if pool_type == "none":
        raise ValueError(f"{name}: its text tower pools nothing (pool_type 'none'); {supported()}")
