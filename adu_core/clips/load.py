"""Where a CLIP comes from: the shipped mini CLIP, a file of ``adu pretrain``, or open_clip."""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import Tensor, nn

from adu_core.clip import FrozenCLIP
from adu_core.clips.catalogue import check_name, check_text_tower, tower_of
from adu_core.clips.preprocess import Preprocess
from adu_core.clips.text import TextTower
from adu_core.clips.weights import (
    TOKEN_ROWS,
    assumptions,
    check_features,
    check_file,
    check_numbers,
    check_tag,
    fitting,
    foreign,
    from_here,
    load_weights,
)
from adu_core.machine.files import read_json, read_layout, read_tensors, write_json, write_tensors

#: The CLIP that ships with the package, pretrained on the drawn world.
MINI = Path(__file__).parent / "assets" / "mini_clip.safetensors"

_EMBEDDING = "token_embedding.weight"


def mini_config(
    picture_size: int, patch_size: int = 10, width: int = 1, depth: int = 6
) -> dict[str, Any]:
    """The open_clip configuration of a small CLIP, 0.8 million weights beside the word table.

    ``picture_size`` must be a multiple of ``patch_size``, both in pixels. ``width`` multiplies
    the widths of both towers and of their common space, and the heads; each head stays 32 wide.
    ``depth`` is how many blocks the vision tower has.
    """
    if picture_size % patch_size:
        raise ValueError(f"pictures of {picture_size} pixels cannot be cut into {patch_size}s")
    return {
        "embed_dim": 64 * width,
        "vision_cfg": {
            "image_size": picture_size,
            "patch_size": patch_size,
            "width": 96 * width,
            "layers": depth,
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


def frozen(model: Any, tokenizer: Any, name: str, pretrained: str = "") -> FrozenCLIP:
    """An open_clip model as a frozen CLIP: its towers walked, its way to prepare a picture known.

    Raises ``ValueError``, naming the models that work, for one that takes no prompts.
    """
    tower = tower_of(model.visual, name)
    check_text_tower(model, name)
    text, preprocess = TextTower(model, tokenizer, name), Preprocess.of(model)
    return FrozenCLIP(
        model, tokenizer, name, pretrained, tower=tower, text_tower=text, preprocess=preprocess
    )


def _create(
    name: str, pretrained: str | None = None, preprocess: Mapping[str, Any] | None = None
) -> nn.Module:
    """``open_clip.create_model`` without its warning that random weights are random.

    ``pretrained`` is a tag; without one, nothing is fetched.
    """

    def keep(message: logging.LogRecord) -> bool:
        return not message.getMessage().startswith("No pretrained weights loaded")

    logging.root.addFilter(keep)
    try:
        return open_clip.create_model(
            name,
            pretrained=pretrained,
            pretrained_text=False,
            force_preprocess_cfg=dict(preprocess or {}),
        )
    finally:
        logging.root.removeFilter(keep)


def save_clip(
    path: str | Path, weights: Mapping[str, Tensor], token_rows: Tensor, record: Mapping[str, Any]
) -> None:
    """Write a small CLIP: ``path`` (safetensors) and its training record beside it (JSON).

    Of the word table only the rows ``token_rows`` (R,) are stored, as ``weights`` holds them.
    ``record["model"]`` is the configuration.
    """
    write_tensors(path, {**weights, TOKEN_ROWS: token_rows})
    write_json(Path(path).with_suffix(".json"), record)


def _load_small(path: Path, name: str) -> FrozenCLIP:
    """A CLIP that ``save_clip`` wrote. Words never trained on are zero vectors."""
    layout = read_layout(path)
    if TOKEN_ROWS not in layout:
        keys = build(mini_config(60), "adu-mini").state_dict().keys()
        what = foreign(layout, keys)
        name = fitting(layout).partition(" or ")[0] or "ViT-B-16-quickgelu"
        raise ValueError(
            f"{path} was not written by `adu pretrain`: "
            + (what or f"if it holds weights of open_clip's, say whose: --clip {name}:{path}")
        )
    about = path.with_suffix(".json")
    if not about.exists():
        raise FileNotFoundError(f"{about} is missing: `adu pretrain` wrote it beside {path.name}")
    record, (weights, _) = read_json(about), read_tensors(path)
    if not isinstance(record, dict) or "model" not in record:
        raise ValueError(f"{about} was not written by `adu pretrain`: it says nothing of a model")
    try:
        config, rows = record["model"], weights.pop(TOKEN_ROWS)
        table = torch.zeros(config["text_cfg"]["vocab_size"], config["text_cfg"]["width"])
        table[rows] = weights[_EMBEDDING]
        model = build(config, "adu-mini")
        model.load_state_dict({**weights, _EMBEDDING: table})
    except MemoryError:
        raise
    except Exception:  # of whatever kind: open_clip builds what the file says
        raise ValueError(f"{path} and {about.name} are not of one CLIP: make them anew") from None
    check_numbers(model, path)
    clip = frozen(model, open_clip.get_tokenizer("adu-mini"), name)
    check_features(clip, path)
    return clip


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
        path = MINI if name == "mini" else Path(name)
        if not path.exists():
            raise FileNotFoundError(f"the CLIP {name} is missing{from_here(path)}")
        return _load_small(path, name).to(device)
    check_name(name)
    assumed = ""
    if pretrained is None:
        assumed = f"{name} has random weights: pass pretrained='openai' or a path"
        model = _create(name)
    elif pretrained in open_clip.list_pretrained_tags_by_model(name):
        check_tag(name, pretrained)
        model = _create(name, pretrained)
    else:
        check_file(name, pretrained)
        preprocess, assumed = assumptions(name, pretrained)
        model = _create(name, preprocess=preprocess)
        load_weights(model, name, pretrained)
    if assumed:
        warnings.warn(assumed, stacklevel=2)
    clip = frozen(model, open_clip.get_tokenizer(name), name, pretrained or "")
    if Path(clip.pretrained).is_file():
        check_features(clip, clip.pretrained)
    return clip.to(device)
