"""How big the notebooks think: the drawn world on a laptop, or a real CLIP on a GPU."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import torch

from adu_core.clip.frozen import FrozenCLIP
from adu_core.clip.load import load_clip
from adu_core.data.dataset import readable
from adu_core.data.sources import Splits, load_splits
from adu_core.data.world import SIZE
from adu_core.methods.adu.method import ADU, PAPER

NAMES = ("mini", "clip")

#: What the chapters train with on a laptop: the settings of the ablation that they read.
CHAPTERS = replace(PAPER, epochs=12, gamma=3.0, lam=10.0)


@dataclass(frozen=True)
class Profile:
    """The model, the pictures and the budget that every notebook of the book uses.

    picture_size: pixels a side, as the CLIP takes them; forget: the domain that the chapters forget
    """

    name: str
    clip: str
    pretrained: str | None
    data: str
    device: str
    settings: ADU
    picture_size: int
    forget: str = "sketch"
    shots: int = 8
    limit: int | None = None

    def load_clip(self) -> FrozenCLIP:
        """The frozen CLIP, on the profile's device."""
        return load_clip(self.clip, self.pretrained, self.device)

    def load_splits(self, seed: int = 0) -> Splits:
        """Shots, validation and test pictures, of the size that the profile's CLIP takes."""
        size, shots = self.picture_size, self.shots
        return load_splits(self.data, size=size, shots=shots, seed=seed, limit=self.limit)

    def _repr_markdown_(self) -> str:
        weights = f" ({self.pretrained})" if self.pretrained else ""
        return (
            f"**Profile `{self.name}`**: CLIP `{self.clip}`{weights} on {self.device}, pictures "
            f"from `{self.data}`, {self.shots} shots per class and domain, "
            f"{self.settings.epochs} epochs."
        )


def profile() -> Profile:
    """The profile that the environment asks for.

    ``ADU_PROFILE`` is ``mini`` (default: the drawn world, two CPU cores) or ``clip``: OpenAI's
    ViT-B/16 with the paper's settings on a GPU, on the pictures in the folder ``ADU_DATA``
    (``<root>/<domain>/<class>/picture.jpg``), forgetting the domain ``ADU_FORGET`` (``sketch``).
    Raises ``ValueError`` for another name, and for ``clip`` without ``ADU_DATA``.
    """
    name = os.environ.get("ADU_PROFILE", "mini")
    if name == "mini":
        return Profile(name, "mini", None, "world", "cpu", CHAPTERS, SIZE)
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
        224,
        forget=readable(os.environ.get("ADU_FORGET", "sketch")),
        limit=10,
    )
