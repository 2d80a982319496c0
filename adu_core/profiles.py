"""How big the notebooks think: the embedded world on a laptop, or a real CLIP on a GPU."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from adu_core.checkpoints import load_clip
from adu_core.clip import FrozenCLIP
from adu_core.data.dataset import readable
from adu_core.data.sources import Splits, load_splits
from adu_core.methods import MINI, PAPER, Settings

NAMES = ("mini", "clip")


@dataclass(frozen=True)
class Profile:
    """The model, the pictures and the budget that every notebook of the book uses.

    seeds: how often an experiment is repeated; forget: the domain that the chapters forget
    """

    name: str
    clip: str
    pretrained: str | None
    data: str
    device: str
    settings: Settings
    forget: str = "sketch"
    shots: int = 8
    seeds: int = 2
    limit: int | None = None

    def load_clip(self) -> FrozenCLIP:
        """The frozen CLIP, on the profile's device."""
        return load_clip(self.clip, self.pretrained, self.device)

    def load_splits(self, seed: int = 0) -> Splits:
        """Shots, validation and test pictures, of the size that the profile's CLIP takes."""
        size = 60 if self.clip == "mini" else 224
        return load_splits(self.data, size=size, shots=self.shots, seed=seed, limit=self.limit)

    def _repr_markdown_(self) -> str:
        weights = f" ({self.pretrained})" if self.pretrained else ""
        return (
            f"**Profile `{self.name}`**: CLIP `{self.clip}`{weights} on {self.device}, pictures "
            f"from `{self.data}`, {self.shots} shots per class and domain, "
            f"{self.settings.epochs} epochs, {self.seeds} seeds."
        )


def profile() -> Profile:
    """The profile that the environment asks for.

    ``ADU_PROFILE`` is ``mini`` (default: the embedded world, two CPU cores) or ``clip``: OpenAI's
    ViT-B/16 with the paper's settings on a GPU, on the pictures in the folder ``ADU_DATA``
    (``<root>/<domain>/<class>/picture.jpg``), forgetting the domain ``ADU_FORGET`` (``sketch``).
    Raises ``ValueError`` for another name, and for ``clip`` without ``ADU_DATA``.
    """
    name = os.environ.get("ADU_PROFILE", "mini")
    if name == "mini":
        return Profile(name, "mini", None, "world", "cpu", MINI)
    if name != "clip":
        raise ValueError(f"ADU_PROFILE is {name!r}: set it to {' or '.join(NAMES)}")
    folder = os.environ.get("ADU_DATA")
    if not folder:
        raise ValueError(
            "ADU_PROFILE is 'clip', so ADU_DATA must name a folder of pictures, "
            "<root>/<domain>/<class>/picture.jpg, such as Office-Home's"
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Profile(
        name,
        "ViT-B-16-quickgelu",
        "openai",
        f"folder:{folder}",
        device,
        PAPER,
        forget=readable(os.environ.get("ADU_FORGET", "sketch")),
        seeds=3,
        limit=10,
    )
