"""A file of weights for one of open_clip's CLIPs: loaded completely, or refused with a reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from os.path import commonprefix
from pathlib import Path
from typing import Any

import open_clip
import torch
from huggingface_hub import constants
from huggingface_hub.utils import get_session  # type: ignore[attr-defined]
from torch import nn

from adu_core.clips.catalogue import quick_gelu, supported_models, with_other_activation
from adu_core.machine.files import read_layout

#: The kind of number and the shape of each tensor in a file.
Layout = Mapping[str, tuple[str, tuple[int, ...]]]
#: What the file of a CLIP of ``adu pretrain`` holds beside weights.
TOKEN_ROWS = "token_rows"


def load_weights(model: Any, name: str, path: str) -> None:
    """Fill ``model``, open_clip's ``name``, with the safetensors file at ``path``.

    Raises ``ValueError`` in one line, whatever is in the file that does not fit.
    """
    layout, own = read_layout(path), model.state_dict()
    if all(key.startswith("module.") for key in layout):  # of parallel training: open_clip knows
        layout = {key.removeprefix("module."): value for key, value in layout.items()}
    if TOKEN_ROWS in layout:
        raise ValueError(f"{path} is a CLIP of `adu pretrain`: give its path alone, --clip {path}")
    for key in (key for key in own if key in layout):
        kind, shape = layout[key]
        if own[key].is_floating_point() and not kind.startswith(("F", "BF")):
            raise ValueError(
                f"{path}: {key} holds {kind}, no fractions: if the weights are quantised, take "
                "those they were made from"
            )
        if own[key].shape != shape and (own[key].numel() > 1 or shape not in ((), (1,))):
            fits = fitting(layout)
            other = foreign(layout, own) or (
                f"{key} is {_by(shape)}, not {_by(own[key].shape)}: the weights are of another "
                f"CLIP, {f'as large as {fits}' if fits else 'say whose'}"
            )
            raise ValueError(f"{path} does not fit {name}: {other}")
    try:
        open_clip.load_checkpoint(model, path)
    except MemoryError:
        raise
    except Exception:  # of whatever kind: open_clip looks for no file but its own
        what = foreign(layout, own) or _keys(layout, own)
        raise ValueError(f"{path} does not fit {name}: {what}") from None
    check_numbers(model, path)


def check_tag(name: str, tag: str) -> None:
    """Raise an error now if open_clip's weights do not suit ``name`` or cannot be fetched.

    ``ValueError`` for another activation, ``ConnectionError`` if the hub cannot be reached:
    open_clip would try again and again for most of a minute.
    """
    built, trained = (
        "with" if each else "without" for each in (quick_gelu(name), quick_gelu(name, tag))
    )
    if built != trained:
        raise ValueError(
            f"the weights {tag!r} were trained {trained} QuickGELU, {name} is built {built}: "
            f"use {with_other_activation(name)}"
        )
    repository = open_clip.get_pretrained_cfg(name, tag).get("hf_hub", "").rstrip("/")
    folder = Path(constants.HF_HUB_CACHE, f"models--{repository.replace('/', '--')}")
    if not repository or any(folder.glob("snapshots/*/*")):
        return
    try:
        get_session().head(constants.ENDPOINT, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except Exception as error:  # each version of the hub's package has its own kinds
        why = " ".join(str(error).split())[:100]
        raise ConnectionError(
            f"the weights {name}:{tag} are not on this machine, and {constants.ENDPOINT} cannot be "
            f"reached ({why}): go online once, or give a file, {name}:FILE.safetensors"
        ) from None


def check_file(name: str, path: str) -> None:
    """Raise ``OSError`` or ``ValueError`` unless ``path`` may be a safetensors file."""
    file = Path(path)
    if not file.exists():
        if file.suffix or len(file.parts) > 1:
            raise FileNotFoundError(f"{path}, the weights of {name}, is missing{from_here(path)}")
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none"
        raise FileNotFoundError(
            f"pretrained={path!r} is neither a file nor a tag of {name}: the tags are {tags}"
        )
    if file.is_file() and file.suffix != ".safetensors":
        raise ValueError(
            f"{path} may be a pickle, which can run code when it is read: convert it to "
            "safetensors where you trust it (safetensors.torch.save_file(state_dict, PATH))"
        )


def from_here(path: str | Path) -> str:
    """For messages: where a path was looked for, and which option says another."""
    where = "" if Path(path).is_absolute() else f" in {Path.cwd()}"
    return f"{where}: say with --clip where it is"


def assumptions(name: str, path: str) -> tuple[dict[str, Any], str]:
    """How pictures for the weights at ``path`` are prepared: as for all of open_clip's of ``name``.

    Where those differ, in this or in their activation, a text says what is assumed.
    """
    keys = ("mean", "std", "interpolation", "resize_mode")
    ways = {
        tag: {key: open_clip.get_pretrained_cfg(name, tag).get(key) for key in keys}
        for tag in open_clip.list_pretrained_tags_by_model(name)
    }
    agreed = next(iter(ways.values()), {})
    assumed = []
    other = with_other_activation(name)
    if other in open_clip.list_models():
        how = "with" if quick_gelu(name) else "without"
        assumed.append(f"that they were trained {how} QuickGELU (if not, use {other})")
    if any(way != agreed for way in ways.values()):
        agreed = {}
        assumed.append(
            "that pictures are prepared as for OpenAI's CLIP (if not, give the tag, one of "
            f"{', '.join(ways)})"
        )
    unknown = f"{path} does not say how its weights were trained: {name} assumes "
    return agreed, f"{unknown}{' and '.join(assumed)}" if assumed else ""


def check_numbers(model: nn.Module, path: str | Path) -> None:
    """Raise ``ValueError`` if a weight, or what cosines are multiplied by, is not finite."""
    for key, value in model.named_parameters():
        if not value.isfinite().all():
            raise ValueError(f"{path}: {key} holds a number that is not finite: make the file anew")
    scale: Any = model.logit_scale
    if not scale.exp().isfinite().all():
        raise ValueError(
            f"{path}: logit_scale is {scale.item():g}, whose exponential is not finite: it must be "
            "the logarithm of the scale"
        )


def foreign(layout: Layout, own: Collection[str]) -> str:
    """What else than open_clip's weights a file holds, and what to do; "" if that is unknown.

    own: the names of a model of open_clip's
    """
    if not layout:
        return "it holds no tensors"
    if any("lora_" in key.lower() for key in layout):
        return (
            "it holds a LoRA, which is changes of weights: merge it into its model first "
            "(merge_and_unload of peft) and save all weights"
        )
    if any(part in key for key in layout for part in ("vision_model.", "text_model.")):
        kind = "SigLIP" if "logit_bias" in layout else "CLIP"
        return (
            f"its names are those of transformers' {kind}: take open_clip's copy of these weights "
            "(as ViT-B-16-quickgelu:openai), or rename them as transformers' "
            "convert_clip_original_pytorch_to_hf.py does, the other way round"
        )
    seen = [key for key in layout if key.startswith("visual.")]
    if len(seen) == len(layout) and any(key in own for key in seen):
        return "it holds the vision tower alone: a CLIP's words are needed too"
    if not seen and 2 * sum(f"visual.{key}" in own for key in layout) > len(layout):
        return "it holds a vision tower alone, not named 'visual.': a CLIP's words are needed too"
    start = commonprefix([*layout]).rpartition(".")[0] + "."  # noqa: RUF071, no paths
    if start != "." and 2 * sum(k.removeprefix(start) in own for k in layout) > len(layout):
        return (
            f"its names begin with {start!r}: save it without, save_file({{k.removeprefix("
            f"{start!r}): v for k, v in load_file(OLD).items()}}, NEW)"
        )
    if any(key.startswith("visual.layer1.") for key in layout):
        return "it holds a ResNet of CLIP: there are no tokens to prompt"
    if "patch_embed.proj.weight" in layout:
        return "it holds a ViT of timm, which knows no words: a whole CLIP is needed"
    if "logit_bias" in layout:
        return "it holds a SigLIP: say which, as ViT-B-16-SigLIP:FILE.safetensors"
    return ""


def fitting(layout: Layout) -> str:
    """The CLIPs of open_clip's catalogue, of its own ViTs, whose sizes weights have; "" if none."""
    shapes = {key.removeprefix("text."): shape for key, (_, shape) in layout.items()}
    try:
        width, _, patch, _ = shapes["visual.conv1.weight"]
        wanted = (
            width, patch, shapes["visual.positional_embedding"][0], shapes["visual.proj"][1],
            *shapes["token_embedding.weight"], shapes["positional_embedding"][0],
        )  # fmt: skip
    except (KeyError, IndexError, ValueError):
        return ""
    found = [name for name in supported_models() if _sizes(name) == wanted]
    return " or ".join(sorted(found, key=len)[:3])


def _sizes(name: str) -> tuple[int, ...] | None:
    """Width, patch, tokens, feature size; words, their width, their most in a text.

    None if the towers of ``name`` are not open_clip's plain ones.
    """
    config = open_clip.get_model_config(name)
    vision, text = config["vision_cfg"], config["text_cfg"]
    if "timm_model_name" in vision or "hf_model_name" in text or "multimodal_cfg" in config:
        return None
    patch = vision.get("patch_size", 16)
    return (
        vision.get("width", 768), patch, (vision.get("image_size", 224) // patch) ** 2 + 1,
        config["embed_dim"], text.get("vocab_size", 49408), text.get("width", 512),
        text.get("context_length", 77),
    )  # fmt: skip


def _keys(layout: Layout, own: Collection[str], most: int = 3) -> str:
    """Which names are missing and which are too many, the first few."""
    faults = []
    for what, keys in (
        ("lacks", [key for key in own if key not in layout]),
        ("has besides", [key for key in layout if key not in own]),
    ):
        if keys:
            more = f" and {len(keys) - most} more" if len(keys) > most else ""
            faults.append(f"it {what} {', '.join(keys[:most])}{more}")
    return "; ".join(faults) or "its tensors cannot be used"


def _by(shape: Collection[int]) -> str:
    return "×".join(map(str, shape)) or "one number"


@torch.no_grad()
def check_features(clip: Any, path: str | Path) -> None:
    """Raise ``ValueError`` if weights give no features: finite each, they may still be too large.

    clip: a ``FrozenCLIP``
    """
    size = clip.picture_size
    picture = torch.full((1, 3, size, size), 128, dtype=torch.uint8)
    for feature in (clip.features(picture), clip.encode_text(["a photo"])):
        if not (feature.isfinite().all() and feature.norm() > 0.5):
            raise ValueError(f"{path}: its weights are too large or all zero: they give no feature")
