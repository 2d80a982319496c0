"""Where a CLIP comes from: the shipped mini CLIP, a file of ``adu pretrain``, or open_clip."""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import Tensor, nn

from adu_core.clip.catalogue import needs_transformers, supported, supported_models, why_not
from adu_core.clip.frozen import FrozenCLIP
from adu_core.files import read_json, read_tensors, write_json, write_tensors

#: The CLIP that ships with the package, pretrained on the drawn world.
MINI = Path(__file__).parent / "assets" / "mini_clip.safetensors"

TOKEN_ROWS = "token_rows"
_EMBEDDING = "token_embedding.weight"


def mini_config(picture_size: int, patch_size: int = 10, width: int = 1) -> dict[str, Any]:
    """The open_clip configuration of a small CLIP, 0.8 million weights beside the word table.

    ``picture_size`` must be a multiple of ``patch_size``, both in pixels. ``width`` multiplies
    the widths of both towers and of their common space, and the heads; each head stays 32 wide.
    """
    if picture_size % patch_size:
        raise ValueError(f"pictures of {picture_size} pixels cannot be cut into {patch_size}s")
    return {
        "embed_dim": 64 * width,
        "vision_cfg": {
            "image_size": picture_size,
            "patch_size": patch_size,
            "width": 96 * width,
            "layers": 6,
            "head_width": 32,
        },
        "text_cfg": {
            "context_length": 16,
            "vocab_size": 49408,
            "width": 64 * width,
            "heads": 2 * width,
            "layers": 2,
        },
    }


def build(config: Mapping[str, Any], name: str) -> nn.Module:
    """An open_clip model of a configuration of ours, registered there as ``name``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        open_clip.add_model_config(path)
    return _create(name)


def _create(
    name: str, pretrained: str | None = None, preprocess: Mapping[str, Any] | None = None
) -> nn.Module:
    """``open_clip.create_model`` without its warning that random weights are random."""
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        model: nn.Module = open_clip.create_model(
            name, pretrained=pretrained, force_preprocess_cfg=dict(preprocess or {})
        )
    finally:
        logging.root.setLevel(level)
    return model


def save_clip(
    path: str | Path, weights: Mapping[str, Tensor], token_rows: Tensor, record: Mapping[str, Any]
) -> None:
    """Write a small CLIP: ``path`` (safetensors) and its training record beside it (JSON).

    Of the word table only the rows ``token_rows`` (R,) are stored, as ``weights`` holds them.
    ``record["model"]`` is the configuration.
    """
    write_tensors(path, {**weights, TOKEN_ROWS: token_rows})
    write_json(Path(path).with_suffix(".json"), record)


def _load_ours(path: Path, name: str) -> FrozenCLIP:
    """A CLIP that ``save_clip`` wrote. Words never trained on are zero vectors."""
    weights, _ = read_tensors(path)
    record = read_json(path.with_suffix(".json"))
    if TOKEN_ROWS not in weights or not isinstance(record, dict) or "model" not in record:
        raise ValueError(
            f"{path} was not written by `adu pretrain`: for open_clip's weights give the model's "
            "name and the path, as in load_clip('ViT-B-16', pretrained=PATH)"
        )
    config = record["model"]
    rows = weights.pop(TOKEN_ROWS)
    table = torch.zeros(config["text_cfg"]["vocab_size"], config["text_cfg"]["width"])
    table[rows] = weights[_EMBEDDING]
    model = build(config, "adu-mini")
    model.load_state_dict({**weights, _EMBEDDING: table})
    tokenizer = open_clip.get_tokenizer("adu-mini")
    return FrozenCLIP(model, tokenizer, name)


def load_clip(
    name: str = "mini", pretrained: str | None = None, device: str | torch.device = "cpu"
) -> FrozenCLIP:
    """A frozen CLIP, ready for prompts.

    name:        ``"mini"``, the path of a CLIP made by ``adu pretrain`` (``….safetensors``), or
                 a name in open_clip's catalogue whose vision tower is a ViT,
                 ``"ViT-B-16-quickgelu"``
    pretrained:  for a catalogue name: a tag (``"openai"``; fetched from the hub once) or the path
                 of a safetensors file; None gives random weights, with a warning. A path does not
                 say how its weights were trained: a warning says what was assumed where open_clip
                 has weights of this name that were trained otherwise

    Raises ``ValueError`` for a model that takes no prompts (the message names those that do), an
    unknown tag, a QuickGELU mismatch, or a pickled file; ``FileNotFoundError`` for a missing one.
    """
    if name == "mini" or name.endswith(".safetensors"):
        if pretrained is not None:
            raise ValueError(f"{name} is whole: it takes no pretrained={pretrained!r}")
        clip = _load_ours(MINI if name == "mini" else Path(name), name)
        return clip.to(device)
    if name not in open_clip.list_models():
        known = ", ".join(supported_models())
        raise ValueError(f"no CLIP {name!r}: give 'mini', a .safetensors path, or {known}")
    if reason := why_not(name):
        raise ValueError(f"{name}: {reason}; {supported()}")
    if needs_transformers(name) and find_spec("transformers") is None:
        own = not open_clip.get_model_config(name)["text_cfg"].get("hf_model_name")
        raise ValueError(
            f"the {'tokenizer' if own else 'text tower'} of {name} comes with the package "
            "transformers: pip install transformers"
        )
    preprocess: Mapping[str, Any] = {}
    if pretrained is None:
        warnings.warn(
            f"{name} has random weights: pass pretrained='openai' or a path", stacklevel=2
        )
    else:
        _check_pretrained(name, pretrained)
        if Path(pretrained).is_file():
            preprocess = _unknown_weights(name, pretrained)
    model = _create(name, pretrained, preprocess)
    clip = FrozenCLIP(model, open_clip.get_tokenizer(name), name, pretrained or "")
    return clip.to(device)


def _check_pretrained(name: str, pretrained: str) -> None:
    tags = open_clip.list_pretrained_tags_by_model(name)
    if pretrained in tags:
        trained = open_clip.get_pretrained_cfg(name, pretrained).get("quick_gelu", False)
        built = open_clip.get_model_config(name).get("quick_gelu", False)
        if trained != built:
            other = name.removesuffix("-quickgelu") if built else f"{name}-quickgelu"
            raise ValueError(
                f"the weights {pretrained!r} were trained {'with' if trained else 'without'} "
                f"QuickGELU, {name} is built {'with' if built else 'without'}: use {other}"
            )
    elif not Path(pretrained).is_file():
        raise FileNotFoundError(
            f"pretrained={pretrained!r} is neither a file nor a tag of {name}: "
            f"the tags are {', '.join(tags) or 'none'}"
        )
    elif Path(pretrained).suffix != ".safetensors":
        raise ValueError(
            f"{pretrained} may be a pickle, which can run code when it is read: convert it to "
            "safetensors where you trust it (safetensors.torch.save_file(state_dict, PATH))"
        )


def _unknown_weights(name: str, path: str) -> dict[str, Any]:
    """How pictures for the weights at ``path`` are prepared: as for all of open_clip's of ``name``.

    Where those differ, in this or in their activation, a warning says what is assumed.
    """
    told = ("mean", "std", "interpolation", "resize_mode")
    ways = {
        tag: {key: open_clip.get_pretrained_cfg(name, tag).get(key) for key in told}
        for tag in open_clip.list_pretrained_tags_by_model(name)
    }
    agreed = next(iter(ways.values()), {})
    assumed = []
    quick = open_clip.get_model_config(name).get("quick_gelu", False)
    other = name.removesuffix("-quickgelu") if quick else f"{name}-quickgelu"
    if other in open_clip.list_models():
        assumed.append(
            f"that they were trained {'with' if quick else 'without'} QuickGELU (if not, "
            f"use {other})"
        )
    if any(way != agreed for way in ways.values()):
        agreed = {}
        assumed.append(
            "that pictures are prepared as for OpenAI's CLIP (if not, give the tag, one of "
            f"{', '.join(ways)})"
        )
    if assumed:
        warnings.warn(
            f"{path} does not say how its weights were trained: {name} assumes "
            f"{' and '.join(assumed)}",
            stacklevel=3,
        )
    return agreed
