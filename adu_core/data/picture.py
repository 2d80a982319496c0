"""One picture file → one tensor, whatever the file's colours, depth, orientation or format."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps
from torch import Tensor

from adu_core.data.preprocess import Preprocess, preprocessing

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"})

#: A picture of more pixels is refused: decoded it takes 270 MB, in each of several threads. It is
#: where Pillow begins to warn of pictures made to fill a memory.
MOST_PIXELS = 89_478_485


class PictureError(ValueError):
    """Pictures cannot be used as they are: the message names the path and says what to do."""


def read_picture(
    path: str | Path | BinaryIO, size: int | Preprocess, name: object = None
) -> Tensor:
    """The picture at ``path``, or in an open file, upright, scaled and cut as ``size`` says.

    ``size`` is a CLIP's own ``preprocess``; a number scales the shorter side to so many pixels,
    bicubic and antialiased, and cuts out the middle square. Transparency is laid over white,
    16-bit grey is brought to 8 bits, and of an animation the first frame is taken; the rest is
    open_clip's own preprocessing. A JPEG is decoded whole: decoding it at 1/2 or 1/4, which is
    three to seven times as fast, moves pixels by up to 40 grey levels.

    ``name`` is what an error calls it, if not by its path.

    Returns:
        (3, size, size) uint8, red, green and blue in 0 to 255.

    Raises:
        PictureError: the file is missing, damaged, too large or no picture.
    """
    preprocess = preprocessing(size)
    try:
        with Image.open(path) as opened:
            width, height = opened.size
            if width * height > MOST_PIXELS:
                raise PictureError(
                    f"it has {width} × {height} pixels, more than {MOST_PIXELS:,}: scale it down"
                )
            picture = _over_white(ImageOps.exif_transpose(opened))
    except Exception as error:  # on damaged bytes decoders raise whatever they like
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error
        raise PictureError(f"cannot read the picture {name or path}: {reason}") from error
    return preprocess(picture)


def _over_white(picture: Image.Image) -> Image.Image:
    """The same picture as 8-bit RGB, what is transparent laid over white."""
    if picture.mode.startswith("I"):  # 16-bit grey: Pillow itself would cut it off at 255
        grey = np.asarray(picture).clip(0, 65535) // 257
        picture = Image.fromarray(grey.astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")
