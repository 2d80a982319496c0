"""How a picture of any size becomes the square that a CLIP takes: open_clip's own arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

#: Pictures longer than so many times their width are cut before they are scaled [choice].
_LONG = 16


@dataclass(frozen=True)
class Preprocess:
    """Size and way of scaling, as ``open_clip.transform.image_transform`` does for evaluation.

    size:          height = width of the result, in pixels
    resize_mode:   ``shortest``: the shorter side becomes ``size``, the middle is cut out;
                   ``longest``: the longer side does, and the rest is filled up; ``squash``: both
                   do, whatever becomes of the proportions
    interpolation: antialiased either way
    fill:          grey level, 0 to 255, of what is filled up
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
        from open_clip.model import get_model_preprocess_cfg  # late: who decodes needs no CLIP

        asked = get_model_preprocess_cfg(model)
        return cls(
            int(model.visual.image_size[0]),
            asked.get("resize_mode") or "shortest",
            "bilinear" if asked.get("interpolation") == "bilinear" else "bicubic",
            asked.get("fill_color") or 0,
        )

    def __call__(self, picture: Image.Image) -> Tensor:
        """An RGB picture of any size → (3, size, size) uint8, 0 to 255."""
        square = {"shortest": self._shortest, "longest": self._longest, "squash": self._squash}
        pixels = np.array(square[self.resize_mode](picture))
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()

    def _shortest(self, picture: Image.Image) -> Image.Image:
        size, (width, height) = self.size, picture.size
        short = min(width, height)
        wide, high = (size if side == short else int(size * side / short) for side in picture.size)
        left, top = round((wide - size) / 2), round((high - size) / 2)
        if max(width, height) > _LONG * short:  # scaled whole it might not fit into memory
            across, down = width / wide, height / high
            box = (left * across, top * down, (left + size) * across, (top + size) * down)
            return picture.resize((size, size), self._filter, box)
        scaled = picture.resize((wide, high), self._filter)
        return scaled.crop((left, top, left + size, top + size))

    def _longest(self, picture: Image.Image) -> Image.Image:
        ratio = max(picture.size) / self.size
        wide, high = (max(1, round(side / ratio)) for side in picture.size)
        square = Image.new("RGB", (self.size, self.size), (self.fill,) * 3)
        corner = (self.size - wide) // 2, (self.size - high) // 2
        square.paste(picture.resize((wide, high), self._filter), corner)
        return square

    def _squash(self, picture: Image.Image) -> Image.Image:
        return picture.resize((self.size, self.size), self._filter)

    @property
    def _filter(self) -> Image.Resampling:
        names = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
        return names[self.interpolation]


def preprocessing(size: int | Preprocess) -> Preprocess:
    """A size alone means CLIP's first way: the shorter side scaled, bicubic, the middle cut out."""
    return Preprocess(size) if isinstance(size, int) else size
