"""One picture file → one tensor, whatever the file's colours, depth, orientation or format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"})


class PictureError(ValueError):
    """Pictures cannot be used as they are: the message names the path and says what to do."""


def read_picture(path: str | Path, size: int) -> Tensor:
    """The picture at ``path``, upright, its middle square scaled to ``size`` × ``size`` pixels.

    Scaling is bicubic and antialiased. Transparency is laid over white, 16-bit grey is brought
    to 8 bits, and of an animation the first frame is taken.

    Returns:
        (3, size, size) uint8, red, green and blue in 0 to 255.

    Raises:
        PictureError: the file is missing, damaged or no picture.
    """
    if size < 1:
        raise ValueError(f"the size of a picture must be 1 pixel or more, not {size}")
    try:
        with Image.open(path) as opened:
            # A large JPEG is decoded at 1/2, 1/4 or 1/8 where that leaves twice the size we need.
            opened.draft(None, (2 * size, 2 * size))
            picture = _over_white(ImageOps.exif_transpose(opened))
    except Exception as error:  # on damaged bytes decoders raise whatever they like
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error
        raise PictureError(f"cannot read the picture {path}: {reason}") from error
    square = ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()


def _over_white(picture: Image.Image) -> Image.Image:
    """The same picture as 8-bit RGB, what is transparent laid over white."""
    if picture.mode.startswith("I"):  # 16-bit grey: Pillow itself would cut it off at 255
        grey = np.asarray(picture).clip(0, 65535) // 257
        picture = Image.fromarray(grey.astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")
