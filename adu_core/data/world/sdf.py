"""Signed distances to simple outlines: negative inside, zero on the edge, positive outside.

Every function takes coordinates ``x`` and ``y`` of shape (n, H, W), with y upwards and an
object filling about -1 to 1, and returns (n, H, W) distances in the same unit. Sizes are
numbers, the same for all pictures, or (n, 1, 1) tensors, one for each picture. Distances are
exact or right to first order near the edge, which is where lines and antialiasing look.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

Size = float | Tensor
Corners = Sequence[tuple[Size, Size]]


def length(x: Tensor, y: Tensor) -> Tensor:
    """The distance from the origin (several times faster than ``torch.hypot``)."""
    return (x * x).addcmul_(y, y).sqrt_()


def disc(x: Tensor, y: Tensor, radius: Size) -> Tensor:
    """A disc around the origin."""
    return length(x, y).sub_(radius)


def ellipse(x: Tensor, y: Tensor, a: Size, b: Size) -> Tensor:
    """An ellipse around the origin with half axes ``a`` along x and ``b`` along y."""
    u, v = x / a, y / b
    level = length(u, v)
    # The level's own slope turns it into a distance; the small number saves the centre.
    slope = length(u.div_(a), v.div_(b)).add_(1e-6)
    return (level - 1).mul_(level).div_(slope)


def box(x: Tensor, y: Tensor, half_width: Size, half_height: Size, radius: float = 0.0) -> Tensor:
    """An upright rectangle around the origin, its corners rounded by ``radius``."""
    across = x.abs().sub_(half_width).add_(radius)
    along = y.abs().sub_(half_height).add_(radius)
    inside = torch.maximum(across, along)
    if radius == 0.0:
        return inside
    outside = length(across.clamp_(min=0), along.clamp_(min=0))
    return inside.clamp_(max=0).add_(outside).sub_(radius)


def stroke(
    x: Tensor, y: Tensor, start: tuple[Size, Size], end: tuple[Size, Size], radius: Size
) -> Tensor:
    """A straight line with round ends, ``radius`` to each side of it."""
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    from_x, from_y = x - start[0], y - start[1]
    squared = along_x * along_x + along_y * along_y
    part = (from_x * (along_x / squared)).add_(from_y * (along_y / squared)).clamp_(0, 1)
    return length(from_x.sub_(part * along_x), from_y.sub_(part * along_y)).sub_(radius)


def convex(x: Tensor, y: Tensor, corners: Corners) -> Tensor:
    """A convex polygon, its corners given anticlockwise."""
    edges = []
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        out_x, out_y = y1 - y0, x0 - x1
        scale = (out_x * out_x + out_y * out_y) ** -0.5
        out_x, out_y = out_x * scale, out_y * scale
        edges.append((x * out_x).add_(y * out_y).sub_(x0 * out_x + y0 * out_y))
    return common(*edges)


def trapezium(x: Tensor, y: Tensor, bottom: Size, top: Size, low: Size, high: Size) -> Tensor:
    """Upright and symmetric: half widths ``bottom`` at y = ``low`` and ``top`` at y = ``high``."""
    lean = (bottom - top) / (high - low)
    steepness = (1 + lean * lean) ** -0.5
    side = x.abs().add_((y - low) * lean).sub_(bottom).mul_(steepness)
    return torch.maximum(side, (y - (low + high) / 2).abs_().sub_((high - low) / 2))


def ring(x: Tensor, y: Tensor, radius: Size, thickness: Size) -> Tensor:
    """A circular line, ``thickness`` to each side of ``radius``."""
    return disc(x, y, radius).abs_().sub_(thickness)


def union(*outlines: Tensor) -> Tensor:
    """What lies in any of the outlines."""
    return functools.reduce(torch.minimum, outlines)


def common(*outlines: Tensor) -> Tensor:
    """What lies in all of the outlines."""
    return functools.reduce(torch.maximum, outlines)


def without(outline: Tensor, hole: Tensor) -> Tensor:
    """The outline less what lies in the hole."""
    return torch.maximum(outline, -hole)


def blend(first: Tensor, second: Tensor, reach: float) -> Tensor:
    """The union with its inner corner filled smoothly over a distance of about ``reach``."""
    overlap = (reach - (first - second).abs_()).clamp_(min=0)
    return torch.minimum(first, second).sub_(overlap.square_().mul_(0.25 / reach))


def turned(x: Tensor, y: Tensor, degrees: float) -> tuple[Tensor, Tensor]:
    """Coordinates in which an outline appears turned anticlockwise by ``degrees``."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return x * cos + y * sin, y * cos - x * sin


def folded(x: Tensor, y: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Coordinates that repeat what lies along the upward axis ``count`` times around."""
    sector = 2 * math.pi / count
    angle = torch.atan2(x, y)
    angle = angle - (angle / sector).round_().mul_(sector)
    radius = length(x, y)
    return radius * angle.sin(), radius * angle.cos()
