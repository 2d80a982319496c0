"""Which CLIPs take prompts: those whose vision tower is a ViT, whatever their text tower is."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib.util import find_spec
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
    vision = config["vision_cfg"]
    if trunk := vision.get("timm_model_name"):
        where = family(trunk)
        if where in FAMILIES:
            return ""
        return f"its vision tower, {trunk}, {_OTHERS.get(where, 'is no ViT with tokens to prompt')}"
    if not isinstance(vision.get("layers"), int):
        return "its vision tower is a ResNet: there are no tokens to prompt"
    if any(vision.get(option) for option in _CUSTOM):
        return "the blocks of its vision tower are not those of CLIP"
    return ""


def check_name(name: str) -> None:
    """Raise ``ValueError`` unless ``name`` is in the catalogue, works, and all it needs is here."""
    if name not in open_clip.list_models():
        close = difflib.get_close_matches(name, supported_models(), 3)
        raise ValueError(
            f"no CLIP {name!r}: give 'mini', a .safetensors path, or a name of open_clip's; "
            + (f"near it are {', '.join(close)}" if close else supported())
        )
    if reason := why_not(name):
        raise ValueError(f"{name}: {reason}; {supported()}")
    if needs_transformers(name) and find_spec("transformers") is None:
        own = not open_clip.get_model_config(name)["text_cfg"].get("hf_model_name")
        raise ValueError(
            f"the {'tokenizer' if own else 'text tower'} of {name} comes with the package "
            "transformers: pip install transformers"
        )


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


def quick_gelu(name: str, tag: str = "") -> bool:
    """Whether a CLIP's activation is QuickGELU; with a tag, whether these weights had it."""
    config = open_clip.get_pretrained_cfg(name, tag) if tag else open_clip.get_model_config(name)
    return bool(config.get("quick_gelu", False))


def with_other_activation(name: str) -> str:
    """What the same CLIP with the other activation is called, whether or not there is one."""
    return name.removesuffix("-quickgelu") if quick_gelu(name) else f"{name}-quickgelu"


def of_hub(repository: str) -> str:
    """``NAME:TAG`` of the weights that open_clip takes from a repository of the hub, or ""."""
    for name, tag in open_clip.list_pretrained():
        source = open_clip.get_pretrained_cfg(name, tag).get("hf_hub", "").rstrip("/")
        fits = quick_gelu(name, tag) == quick_gelu(name)
        if source == repository and fits and not why_not(name):
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
