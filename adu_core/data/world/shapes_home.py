"""Things of the household, as parts with signed distances."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor

from adu_core.data.world import sdf
from adu_core.data.world.parts import Part, Slot, Variation


def cup(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A cup with a handle, seen a little from above."""
    wide, low = 0.6 + 0.04 * v[0], -0.75
    handle = sdf.ring(x - wide + 0.02, y + 0.1, 0.3 + 0.03 * v[1], 0.075)
    yield Part(handle, Slot.SECOND, 0.08)
    left, foot = x + 0.18, wide - 0.12 - 0.08 * v[2]
    wall = sdf.trapezium(left, y, foot, wide, low, 0.55)
    bottom = sdf.ellipse(left, y - low, foot, 0.16)
    yield Part(sdf.union(wall, bottom), Slot.MAIN, 0.3)
    yield Part(sdf.trapezium(left, y, foot + 0.06, wide - 0.06, -0.3, 0.02), Slot.THIRD, 0.25)
    yield Part(sdf.ellipse(left, y - 0.55, wide, 0.2), Slot.MAIN, 0.05)
    yield Part(sdf.ellipse(left, y - 0.52, wide - 0.09, 0.13), Slot.DARK, 0.03)


def umbrella(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """An open umbrella with a crook."""
    rim = 0.08
    yield Part(sdf.box(x, y - 0.1, 0.035, 0.85), Slot.DARK, 0.04)
    crook = sdf.common(sdf.ring(x - 0.18, y + 0.72, 0.18, 0.05), y + 0.72)
    yield Part(crook, Slot.THIRD, 0.05)
    canopy = sdf.common(sdf.ellipse(x, y - rim, 0.96, 0.74 + 0.06 * v[0]), rim - y)
    # The rim is scalloped: a disc is cut out below each of the four panels.
    panel = ((x / 0.48).floor() + 0.5).clamp_(-1.5, 1.5) * 0.48
    canopy = sdf.without(canopy, sdf.ellipse(x - panel, y - rim, 0.235, 0.12))
    yield Part(canopy, Slot.MAIN, 0.5)
    middle = sdf.ellipse(x, y - rim, 0.46, 0.75 + 0.06 * v[0])
    yield Part(sdf.common(canopy, middle), Slot.SECOND, 0.3)


def key(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A key with a round bow and a bit of two teeth."""
    bow = sdf.ring(x + 0.6, y, 0.27 + 0.02 * v[0], 0.1)
    shaft = sdf.box(x - 0.3, y, 0.64, 0.075)
    first, second = 0.2 + 0.04 * v[1], 0.16 + 0.04 * v[2]
    bits = sdf.union(
        sdf.box(x - 0.84, y + first, 0.075, first),
        sdf.box(x - 0.58, y + second, 0.075, second),
    )
    yield Part(sdf.union(bow, shaft, bits), Slot.MAIN, 0.1)
    yield Part(sdf.box(x + 0.24, y, 0.05, 0.13), Slot.SECOND, 0.06)


def chair(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A chair seen from the front and a little from above, with a slatted back."""
    seat, top = -0.12 + 0.05 * v[0], 0.92
    hind = sdf.box(x.abs() - 0.38, y - 0.1, 0.05, top - 0.1)
    yield Part(sdf.union(hind, sdf.box(x.abs() - 0.38, y + 0.4, 0.05, 0.35)), Slot.MAIN, 0.05)
    slats = sdf.union(
        sdf.box(x, y - 0.8, 0.4, 0.1, 0.05),
        sdf.box(x, y - 0.5, 0.36, 0.06),
        sdf.box(x, y - 0.26, 0.36, 0.06),
    )
    yield Part(slats, Slot.MAIN, 0.08)
    yield Part(sdf.box(x.abs() - 0.5, y + 0.55, 0.06, 0.42), Slot.MAIN, 0.06)
    cushion = sdf.trapezium(x, y, 0.62 + 0.05 * v[1], 0.44, seat - 0.18, seat + 0.14)
    yield Part(cushion, Slot.SECOND, 0.15)
    yield Part(sdf.box(x, y - seat + 0.22, 0.62 + 0.05 * v[1], 0.06), Slot.MAIN, 0.06)


def clock(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """An alarm clock with two bells and two feet; the hands show any time."""
    yield Part(sdf.stroke(x.abs(), y, (0.4, -0.6), (0.58, -0.9), 0.07), Slot.DARK, 0.07)
    bell_x, bell_y = sdf.turned(x.abs() - 0.46, y - 0.66, -38)
    bells = sdf.common(sdf.disc(bell_x, bell_y, 0.28), -bell_y)
    yield Part(bells, Slot.SECOND, 0.25)
    yield Part(sdf.disc(x, y + 0.08, 0.8), Slot.MAIN, 0.2)
    yield Part(sdf.disc(x, y + 0.08, 0.63), Slot.LIGHT, 0.05)
    mark_x, mark_y = sdf.folded(x, y + 0.08, 12)
    yield Part(sdf.box(mark_x, mark_y - 0.52, 0.025, 0.055), Slot.DARK, 0.03, outlined=False)
    hands = sdf.union(
        sdf.stroke(x, y + 0.08, (0, 0), _tip(v[0], 0.3), 0.055),
        sdf.stroke(x, y + 0.08, (0, 0), _tip(v[1], 0.46), 0.04),
    )
    yield Part(hands, Slot.DARK, 0.05, outlined=False)


def _tip(turn: Tensor, length: float) -> tuple[Tensor, Tensor]:
    """Where a hand ends that is ``turn`` half turns from the top."""
    angle = turn.double() * math.pi
    return (angle.sin() * length).float(), (angle.cos() * length).float()


def guitar(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A guitar that stands upright."""
    yield Part(sdf.box(x, y - 0.4, 0.06, 0.5), Slot.SECOND, 0.06)
    yield Part(sdf.trapezium(x, y, 0.09, 0.14, 0.72, 1.0), Slot.DARK, 0.06)
    lower = sdf.ellipse(x, y + 0.52, 0.5 + 0.03 * v[0], 0.43)
    upper = sdf.ellipse(x, y + 0.03, 0.36 + 0.03 * v[1], 0.29)
    yield Part(sdf.blend(lower, upper, 0.12), Slot.MAIN, 0.15)
    yield Part(sdf.disc(x, y + 0.22, 0.15), Slot.DARK, 0.05, outlined=False)
    yield Part(sdf.box(x, y + 0.64, 0.2, 0.05), Slot.DARK, 0.05, outlined=False)
    yield Part(sdf.box(x, y - 0.06, 0.025, 0.7), Slot.LIGHT, 0.03, outlined=False)


def lamp(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A table lamp with a conical shade."""
    yield Part(sdf.box(x, y + 0.35, 0.06, 0.5), Slot.DARK, 0.06)
    yield Part(sdf.ellipse(x, y + 0.45, 0.2 + 0.04 * v[2], 0.26), Slot.SECOND, 0.2)
    yield Part(sdf.box(x, y + 0.88, 0.42, 0.08, 0.07), Slot.SECOND, 0.1)
    shade = sdf.trapezium(x, y, 0.78 + 0.08 * v[0], 0.36 + 0.08 * v[1], 0.0, 0.9)
    yield Part(shade, Slot.MAIN, 0.2)
    band = sdf.common(shade, y - 0.1)
    yield Part(band, Slot.THIRD, 0.2)


def bottle(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A bottle with a label and a cork."""
    wide, shoulder = 0.37 + 0.05 * v[0], 0.1 + 0.1 * v[1]
    yield Part(sdf.box(x, y - 0.92, 0.1, 0.1), Slot.THIRD, 0.1)
    belly = sdf.box(x, y - (shoulder - 1.0) / 2, wide, (shoulder + 1.0) / 2, 0.12)
    neck = sdf.box(x, y - 0.4, 0.13, 0.46)
    yield Part(sdf.blend(belly, neck, 0.3), Slot.MAIN, 0.25)
    yield Part(sdf.box(x, y - 0.78, 0.165, 0.06), Slot.SECOND, 0.1)
    yield Part(sdf.box(x, y + 0.42, wide, 0.26), Slot.LIGHT, 0.12)
    yield Part(sdf.box(x, y + 0.42, wide * 0.55, 0.07), Slot.SECOND, 0.05)


def glasses(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A pair of spectacles, round to squarish."""
    side = x.abs()
    lens = sdf.box(side - 0.5, y, 0.37, 0.33 + 0.04 * v[0], 0.25)
    yield Part(sdf.stroke(side, y, (0.86, 0.12), (0.97, 0.36), 0.06), Slot.MAIN, 0.06)
    bridge = sdf.common(sdf.ring(x, y + 0.02, 0.16, 0.05), -y - 0.02)
    yield Part(bridge, Slot.MAIN, 0.05)
    yield Part(lens, Slot.LIGHT, 0.1)
    yield Part(lens.abs() - 0.075, Slot.MAIN, 0.08)


def hammer(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A claw hammer."""
    yield Part(sdf.trapezium(x - 0.1, y, 0.12, 0.08, -0.98, 0.5), Slot.MAIN, 0.1)
    yield Part(sdf.trapezium(x - 0.1, y, 0.13, 0.11, -0.98, -0.45), Slot.SECOND, 0.1)
    claw = sdf.without(sdf.disc(x + 0.22, y - 0.1, 0.68), sdf.disc(x + 0.4, y + 0.12, 0.7))
    claw = sdf.common(claw, x - 0.1, 0.1 - y)
    head = sdf.box(x - 0.28, y - 0.62, 0.34, 0.13)
    face = sdf.box(x - 0.66, y - 0.62, 0.12, 0.2 + 0.03 * v[0])
    yield Part(sdf.union(claw, head, face), Slot.DARK, 0.15)


def ladder(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A ladder, a little narrower at the top."""
    lean = (x.abs() + (y + 1) * (0.05 + 0.02 * v[0])) - 0.48
    step = 0.36 + 0.03 * v[1]
    rung = (y / step - (y / step - 0.5).round_() - 0.5).abs_() * step
    rungs = sdf.common(rung - 0.075, lean, y.abs() - 0.9)
    yield Part(rungs, Slot.SECOND, 0.06)
    yield Part(sdf.common(lean.abs() - 0.075, y.abs() - 0.98), Slot.MAIN, 0.08)


def ice_cream(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """Two balls of ice cream in a waffle cone."""
    yield Part(sdf.disc(x, y - 0.54, 0.38 + 0.03 * v[0]), Slot.MAIN, 0.38)
    yield Part(sdf.disc(x, y - 0.82, 0.11), Slot.THIRD, 0.12)
    yield Part(sdf.disc(x, y - 0.08, 0.43 + 0.03 * v[1]), Slot.LIGHT, 0.42)
    cone = sdf.convex(x, y, [(0.0, -1.0), (0.44, 0.0), (-0.44, 0.0)])
    yield Part(cone, Slot.SECOND, 0.3)
    rising, falling = (x + 0.5 * y) / 0.24, (x - 0.5 * y) / 0.24
    grid = sdf.union((rising - rising.round()).abs_(), (falling - falling.round()).abs_())
    lines = sdf.common(grid.mul_(0.21).sub_(0.025), cone + 0.03)
    yield Part(lines, Slot.DARK, 0.03, outlined=False)
