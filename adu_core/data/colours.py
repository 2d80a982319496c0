"""A picture of any mode → 8-bit red, green and blue.

Grey of more than 8 bits is converted to 8 by a rule that depends on the picture's values: floats
from 0 to 1 are shares of white (up to 2: of the largest value); otherwise 0 to 255 are kept, 0 to
65,535 (4,095 in a TIFF of 12 bits) are a camera's values, and a larger range is stretched from
black to white. Values that are not numbers are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageCms

#: Tags of a TIFF: how many bits a value has, and what 0 means, which is white if that is 0.
_BITS, _PHOTOMETRIC = 258, 262


def rgb(picture: Image.Image) -> Image.Image:
    """The same picture as 8-bit RGB, what is transparent laid over white."""
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = _grey(picture, getattr(picture, "tag_v2", {}))
    if picture.mode == "LAB":
        lab, srgb = (ImageCms.createProfile(name) for name in ("LAB", "sRGB"))
        picture = ImageCms.profileToProfile(picture, lab, srgb, outputMode="RGB") or picture
    if picture.mode == "La":
        picture = picture.convert("LA")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def _grey(picture: Image.Image, tags: Mapping[int, Any]) -> Image.Image:
    """Whole numbers or fractions, by the rule above."""
    values = np.asarray(picture)
    if not np.isfinite(values).all():
        raise ValueError("it holds values that are no numbers (NaN or infinite): replace them")
    least, greatest = float(values.min()), float(values.max())
    deep = 4095.0 if tags.get(_BITS) == (12,) else 65535.0
    whites = [255.0, deep]
    if picture.mode == "F":
        whites.insert(0, min(max(greatest, 1.0), 2.0))
    start, white = 0.0, next((white for white in whites if greatest <= white), 0.0)
    if white == 0 or least < 0:
        start, white = least, (greatest - least) or 1.0
    levels = (values - np.float64(start)) * 255 / white
    inverted = tags.get(_PHOTOMETRIC) == 0
    return Image.fromarray((255 - levels if inverted else levels).astype(np.uint8))
