"""Parses the name of a CLIP from a command line, a file or a variable, without loading it."""

from __future__ import annotations

import os
from pathlib import Path

#: CLIPs that the hub has for transformers, as open_clip calls their weights.
_OF_TRANSFORMERS = {
    "openai/clip-vit-base-patch32": "ViT-B-32-quickgelu:openai",
    "openai/clip-vit-base-patch16": "ViT-B-16-quickgelu:openai",
    "openai/clip-vit-large-patch14": "ViT-L-14-quickgelu:openai",
    "openai/clip-vit-large-patch14-336": "ViT-L-14-336-quickgelu:openai",
    "google/siglip-base-patch16-224": "ViT-B-16-SigLIP:webli",
}
_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".npz")


def clip_from(text: str) -> tuple[str, str | None]:
    r"""``NAME[:PRETRAINED]`` or a path, as the arguments of ``load_clip``.

    A drive letter's colon (``C:\clips\mine.safetensors``) is part of a path, and ``~`` is the
    user's folder. Raises ``ValueError``, with what to say instead, for what names no weights.
    """
    name, colon, pretrained = text.partition(":")
    is_drive = len(name) == 1 and name.isalpha()
    if text == "mini" or (text.endswith(".safetensors") and (not colon or is_drive)):
        return os.path.expanduser(text), None  # noqa: PTH111, a name may be no path
    if name in ("hf-hub", "hf_hub", "https", "http") or (not colon and _is_of_hub(text)):
        raise ValueError(f"--clip {text}: {_of_hub(text)}")
    if is_drive or not colon or name == "local-dir":
        path = Path(os.path.expanduser(pretrained if name == "local-dir" else text))  # noqa: PTH111
        if text and path.is_dir():
            raise ValueError(
                f"--clip {text}: it is a folder: say the CLIP's name and a file in it, as "
                f"ViT-B-16-quickgelu:{path / 'open_clip_model.safetensors'}"
            )
        if path.is_file() or path.suffix in _PICKLES:
            raise ValueError(
                f"--clip {text}: say whose weights they are, as safetensors: "
                f"ViT-B-16-quickgelu:{path.with_suffix('.safetensors')}"
            )
    if not pretrained:
        raise ValueError(
            f"--clip {text} names no weights: say {name or 'NAME'}:FILE.safetensors, or a tag of "
            "open_clip's, as ViT-B-16-quickgelu:openai"
        )
    return name, os.path.expanduser(pretrained)  # noqa: PTH111


def _is_of_hub(text: str) -> bool:
    """Whether a text is like ``openai/clip-vit-base-patch16`` and no path of this machine."""
    owner, slash, rest = text.partition("/")
    return bool(slash and owner.strip(".~") and rest and "/" not in rest) and not (
        Path(text).exists() or Path(owner).is_dir() or Path(rest).suffix in _PICKLES
    )


def _of_hub(text: str) -> str:
    """How a CLIP that the hub has under this name is called here."""
    words = text.removeprefix("hf-hub:").removeprefix("hf_hub:").split("/")
    wanted = "/".join(words[3:5] if "//" in text else words)
    if wanted in _OF_TRANSFORMERS:
        return f"that is for transformers; here the same weights are {_OF_TRANSFORMERS[wanted]}"
    from adu_core.clips.catalogue import of_hub  # late: open_clip takes seconds to import

    if found := of_hub(wanted):
        return f"here the same weights are {found}"
    return (
        "a CLIP of the hub goes by open_clip's name for it, as ViT-B-16-quickgelu:openai, or by "
        "its name and a file of open_clip's weights, as ViT-B-16:FILE.safetensors"
    )
