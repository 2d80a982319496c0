"""Which CLIPs take prompts: plain vision transformers with open_clip's own text tower."""

from __future__ import annotations

from typing import Any

import open_clip
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer

#: Options of open_clip's blocks that make them others than CLIP's.
_CUSTOM = (
    "block_type", "qk_norm", "scaled_cosine_attn",
    "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc",
)  # fmt: skip


def why_not(name: str) -> str:
    """Why the CLIP called ``name`` in open_clip's catalogue does not work; "" if it does."""
    config = open_clip.get_model_config(name)
    if config is None:
        return "there is no such CLIP"
    vision, text = config.get("vision_cfg", {}), config.get("text_cfg", {})
    if not isinstance(vision.get("layers"), int) or vision.get("timm_model_name"):
        return "its vision tower is no plain ViT, so it takes no prompts"
    if "multimodal_cfg" in config or vision.get("attentional_pool"):
        return "it is a CoCa, a captioner: its towers are not those of CLIP"
    if any(tower.get(option) for tower in (vision, text) for option in _CUSTOM):
        return "its blocks are not those of CLIP"
    if text.get("hf_model_name") or config.get("custom_text"):
        return "its text tower is not CLIP's"
    return ""


def supported_models() -> list[str]:
    """The names in open_clip's catalogue that work, less small CLIPs of ours that were loaded."""
    return [n for n in open_clip.list_models() if not (n.startswith("adu-") or why_not(n))]


def needs_transformers(name: str) -> bool:
    """Whether the tokenizer of the CLIP called ``name`` comes with the package transformers."""
    return bool(open_clip.get_model_config(name)["text_cfg"].get("hf_tokenizer_name"))


def supported() -> str:
    """For messages: which CLIPs work."""
    names = supported_models()
    own = [name for name in names if not needs_transformers(name)]
    others = [name for name in names if needs_transformers(name)]
    return (
        f"CLIPs that work are the plain ViTs: {', '.join(own)}; "
        f"with the package transformers also {', '.join(others)}"
    )


def check_vision_tower(visual: Any, name: str) -> None:
    """Raise ``ValueError`` unless ``visual`` is a plain ViT, whose tokens take prompts."""
    if not isinstance(visual, VisionTransformer):
        raise ValueError(f"{name}: {type(visual).__name__} has no tokens to prompt; {supported()}")
    plain = all(type(block) is ResidualAttentionBlock for block in visual.transformer.resblocks)
    if not plain or visual.attn_pool is not None or visual.pool_type not in ("tok", "avg"):
        raise ValueError(f"{name}: its blocks or its pooling are not those of CLIP; {supported()}")
    height, width = visual.image_size
    if height != width:
        raise ValueError(f"{name} takes pictures of {height} × {width} pixels: only squares work")


def check_text_tower(model: Any, name: str) -> None:
    """Raise ``ValueError`` unless ``model`` makes one feature of a text, as CLIP does."""
    if isinstance(model, open_clip.CoCa):
        raise ValueError(f"{name} is a CoCa, a captioner; {supported()}")
    pool_type = getattr(model, "text_pool_type", None) or getattr(model.text, "pool_type", "argmax")
    if pool_type == "none":
        raise ValueError(f"{name}: its text tower pools nothing (pool_type 'none'); {supported()}")
