"""How a picture of any size becomes the square that a CLIP takes: open_clip's own steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from open_clip.model import get_model_preprocess_cfg
from open_clip.transform import image_transform
from PIL import Image
from torch import Tensor
from torchvision.transforms import Compose

#: Pictures longer than so many times their width are cut before they are scaled [choice].
_LONG = 16


@dataclass(frozen=True)
class Preprocess:
    """Size and way of scaling, as ``open_clip.transform.image_transform`` does for evaluation.

    size:          height = width of the result, in pixels
    resize_mode:   ``shortest``: the shorter side becomes ``size``, and the middle is cut out;
                   ``longest``: the longer side does, and the rest is filled; ``squash``: both do,
                   so the proportions change
    interpolation: always antialiased
    fill:          grey level of the filled part, 0 to 255
    """

    size: int
    resize_mode: Literal["shortest", "longest", "squash"] = "shortest"
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    fill: int = 0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"the size of a picture must be 1 pixel or more, not {self.size}")
        for what, known in (
            ("resize_mode", ("shortest", "longest", "squash")),
            ("interpolation", ("bicubic", "bilinear")),
        ):
            if getattr(self, what) not in known:
                raise ValueError(f"no {what} {getattr(self, what)!r}: choose {' or '.join(known)}")

    @classmethod
    def of(cls, model: Any) -> Preprocess:
        """As open_clip prepares pictures for the weights of ``model``, one of its CLIPs."""
        config = get_model_preprocess_cfg(model)
        return cls(
            int(model.visual.image_size[0]),
            config.get("resize_mode") or "shortest",
            "bilinear" if config.get("interpolation") == "bilinear" else "bicubic",
            config.get("fill_color") or 0,
        )

    def __call__(self, picture: Image.Image) -> Tensor:
        """An RGB picture of any size → (3, size, size) uint8, 0 to 255."""
        pixels = np.array(self._resize(self._extreme(picture)))
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()

    @cached_property
    def _resize(self) -> Compose:
        whole = image_transform(
            self.size,
            is_train=False,
            resize_mode=self.resize_mode,
            interpolation=self.interpolation,
            fill_color=self.fill,
        )
        return Compose(whole.transforms[:-3])  # less: to RGB, to a tensor, normalised

    def _extreme(self, picture: Image.Image) -> Image.Image:
        """A picture much longer than wide, as open_clip's steps can take it; others stay."""
        short, long = sorted(picture.size)
        if self.resize_mode == "shortest" and long > _LONG * short:
            # Scaled whole it might not fit into memory: its middle is enough.
            cut = (long - _LONG * short) // 2
            across, down = (0 if side == short else cut for side in picture.size)
            return picture.crop((across, down, picture.width - across, picture.height - down))
        if self.resize_mode == "longest" and round(short * self.size / long) == 0:
            least = -(-long // self.size)  # of what is narrower than a pixel, nothing would be left
            return picture.resize((max(picture.width, least), max(picture.height, least)))
        return picture


def preprocessing(size: int | Preprocess) -> Preprocess:
    """A size alone means CLIP's first way: the shorter side scaled, bicubic, the middle cut out."""
    return Preprocess(size) if isinstance(size, int) else size
