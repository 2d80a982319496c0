"""Things that ride, sail, fly or stand outside, as parts with signed distances."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from adu_core.data.world import sdf
from adu_core.data.world.parts import Part, Slot, Variation


def car(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A car from the side: long or short bonnet, high or low roof, small or large wheels."""
    roof, back, wheel = 0.5 + 0.07 * v[0], -0.72 - 0.12 * v[1], 0.25 + 0.03 * v[2]
    cabin = sdf.convex(x, y, [(back, 0.0), (0.55, 0.0), (0.2, roof), (back + 0.3, roof)])
    body = sdf.box(x, y + 0.12, 0.98, 0.24, 0.14)
    yield Part(sdf.blend(cabin, body, 0.1), Slot.MAIN, 0.35)
    sill, top = 0.1, roof - 0.09
    corners: sdf.Corners = [(back + 0.15, sill), (0.4, sill), (0.14, top), (back + 0.36, top)]
    window = sdf.convex(x, y, corners)
    yield Part(sdf.without(window, (x + 0.14).abs_() - 0.05), Slot.LIGHT, 0.05)
    yield Part(sdf.box(x - 0.9, y + 0.02, 0.08, 0.07, 0.05), Slot.THIRD, 0.07)
    yield Part(sdf.box(x + 0.04, y + 0.06, 0.09, 0.025), Slot.DARK, 0.03, outlined=False)
    wheels_x, wheels_y = x.abs() - 0.54, y + 0.36
    yield Part(sdf.disc(wheels_x, wheels_y, wheel), Slot.DARK, 0.15)
    yield Part(sdf.disc(wheels_x, wheels_y, wheel * 0.5), Slot.LIGHT, 0.12)


def boat(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A sailing boat with two sails."""
    mast = 0.92 + 0.05 * v[0]
    yield Part(sdf.box(x + 0.04, y - 0.2, 0.035, mast - 0.2), Slot.DARK, 0.04)
    boom, foot = 0.78 + 0.1 * v[1], -0.28
    sail: sdf.Corners = [(0.04, foot), (boom, foot), (0.04, mast - 0.05)]
    yield Part(sdf.convex(x, y, sail), Slot.SECOND, 0.4)
    jib: sdf.Corners = [(-0.62 - 0.1 * v[2], foot), (-0.14, foot), (-0.14, 0.6 + 0.15 * v[2])]
    yield Part(sdf.convex(x, y, jib), Slot.THIRD, 0.3)
    hull = [(-0.6, -0.85), (0.6, -0.85), (0.95, -0.4), (-0.95, -0.4)]
    yield Part(sdf.convex(x, y, hull), Slot.MAIN, 0.3)
    yield Part(sdf.box(x, y + 0.47, 0.86, 0.035), Slot.LIGHT, 0.04)


def bicycle(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A bicycle from the side."""
    wheel = 0.4 + 0.03 * v[0]
    wheels_x, wheels_y = x.abs() - 0.55, y + 0.35
    yield Part(sdf.ring(wheels_x, wheels_y, wheel, 0.055), Slot.DARK, 0.06)
    crank, saddle, head = (-0.05, -0.36), (-0.24, 0.28 + 0.05 * v[1]), (0.38, 0.26)
    frame = sdf.union(
        sdf.stroke(x, y, (-0.55, -0.35), crank, 0.05),
        sdf.stroke(x, y, (-0.55, -0.35), (-0.22, 0.18), 0.045),
        sdf.stroke(x, y, crank, saddle, 0.05),
        sdf.stroke(x, y, crank, head, 0.05),
        sdf.stroke(x, y, (-0.2, 0.16), head, 0.05),
        sdf.stroke(x, y, (0.55, -0.35), (0.34, 0.44), 0.05),
    )
    yield Part(frame, Slot.MAIN, 0.05)
    bar = sdf.union(
        sdf.stroke(x, y, (0.34, 0.46), (0.52, 0.52), 0.05),
        sdf.stroke(x, y, (0.52, 0.52), (0.58, 0.4), 0.05),
    )
    yield Part(bar, Slot.DARK, 0.05)
    yield Part(sdf.box(x + 0.26, y - saddle[1] - 0.06, 0.19, 0.06, 0.06), Slot.SECOND, 0.06)
    yield Part(sdf.disc(x - crank[0], y - crank[1], 0.12), Slot.THIRD, 0.06)


def rocket(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A rocket with three fins, a porthole and a flame."""
    radius = 0.3 + 0.05 * v[0]
    flame = sdf.ellipse(x, y + 0.66, 0.2, 0.36 + 0.04 * v[1])
    yield Part(flame, Slot.THIRD, 0.15)
    fins = sdf.convex(x.abs(), y, [(0.1, -0.5), (0.66, -0.82), (0.66, -0.55), (0.2, 0.1)])
    yield Part(fins, Slot.SECOND, 0.1)
    # Two large discs cross in a pointed, bulging hull.
    bulge = 1.5
    hull = sdf.disc(x.abs() + (bulge - radius), y - 0.05, bulge)
    yield Part(sdf.common(hull, -0.62 - y), Slot.MAIN, 0.32)
    nose = sdf.common(hull, 0.5 - y)
    yield Part(nose, Slot.SECOND, 0.25)
    yield Part(sdf.disc(x, y - 0.16, 0.17), Slot.DARK, 0.08)
    yield Part(sdf.disc(x, y - 0.16, 0.11), Slot.LIGHT, 0.11)
    yield Part(sdf.trapezium(x, y, 0.05, 0.05, -0.66, -0.2), Slot.SECOND, 0.05)


def house(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A house with a gabled roof, a chimney, a door and two windows."""
    eaves, ridge = 0.12 + 0.06 * v[0], 0.82 + 0.08 * v[1]
    yield Part(sdf.box(x - 0.45, y - 0.55, 0.1, 0.3), Slot.THIRD, 0.1)
    yield Part(sdf.box(x, y + 0.4, 0.7, 0.52), Slot.MAIN, 0.12)
    yield Part(sdf.convex(x, y, [(-0.95, eaves), (0.95, eaves), (0, ridge)]), Slot.SECOND, 0.2)
    yield Part(sdf.box(x + 0.3 * v[2].sign(), y + 0.6, 0.17, 0.32), Slot.DARK, 0.06)
    window_x, window_y = x - 0.3 * v[2].sign(), y + 0.3
    yield Part(sdf.box(window_x, window_y, 0.22, 0.2), Slot.LIGHT, 0.05)
    bars = sdf.union(window_x.abs(), window_y.abs()).sub_(0.022)
    bars = sdf.common(bars, sdf.box(window_x, window_y, 0.22, 0.2))
    yield Part(bars, Slot.DARK, 0.03, outlined=False)
    yield Part(sdf.disc(x, y - 0.38, 0.11), Slot.LIGHT, 0.08)


def snowman(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """Three balls of snow with a hat, a scarf, buttons and arms of twigs."""
    belly = 0.42 + 0.03 * v[0]
    arms = sdf.union(
        sdf.stroke(x.abs(), y, (0.2, 0.05), (0.72, 0.28 + 0.12 * v[1]), 0.035),
        sdf.stroke(x.abs(), y, (0.58, 0.2 + 0.09 * v[1]), (0.74, 0.12 + 0.1 * v[1]), 0.03),
    )
    yield Part(arms, Slot.DARK, 0.04, outlined=False)
    yield Part(sdf.disc(x, y + 0.55, belly), Slot.LIGHT, 0.45)
    yield Part(sdf.disc(x, y - 0.02, 0.32), Slot.LIGHT, 0.34)
    yield Part(sdf.disc(x, y - 0.44, 0.25), Slot.LIGHT, 0.27)
    yield Part(sdf.box(x, y - 0.22, 0.24, 0.06, 0.05), Slot.MAIN, 0.06)
    hat = sdf.union(sdf.box(x, y - 0.63, 0.34, 0.045), sdf.box(x, y - 0.8, 0.2, 0.18))
    yield Part(hat, Slot.SECOND, 0.12)
    dots_y = (y + 0.04) - ((y + 0.04) / 0.2).round_().clamp_(-2, 0) * 0.2
    dots = sdf.union(sdf.disc(x, dots_y, 0.04), sdf.disc(x.abs() - 0.09, y - 0.49, 0.035))
    yield Part(dots, Slot.DARK, 0.04, outlined=False)
    carrot = sdf.convex(x, y, [(0.0, 0.36), (0.34, 0.38), (0.0, 0.47)])
    yield Part(carrot, Slot.THIRD, 0.05, outlined=False)
