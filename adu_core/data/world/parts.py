"""What an object is made of: parts laid one over the other, each with an outline and a colour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import NamedTuple

from torch import Tensor


class Slot(IntEnum):
    """A part's place in the palette. The colours themselves are drawn for each picture."""

    MAIN = 0
    SECOND = 1
    THIRD = 2
    DARK = 3
    LIGHT = 4


class Part(NamedTuple):
    """One part of an object; later parts hide earlier ones.

    distance:  (n, H, W) signed distance to the part's outline, negative inside
    slot:      the part's colour
    dome:      how far from its edge the part is rounded: its own radius makes a disc a ball
               and a stroke a tube, a small value makes a flat thing with a soft edge
    outlined:  whether the part gets an outline; small dark marks are lines themselves
    """

    distance: Tensor
    slot: Slot
    dome: float = 0.3
    outlined: bool = True


# Four numbers (n, 1, 1) between -1 and 1 that vary a class's proportions from picture to picture.
Variation = tuple[Tensor, ...]

# Coordinates x and y (n, H, W) and a variation give the parts, back to front.
Drawing = Callable[[Tensor, Tensor, Variation], Iterator[Part]]
