"""Plants and animals, as parts with signed distances."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from adu_core.data.world import sdf
from adu_core.data.world.parts import Part, Slot, Variation


def tree(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A tree with a crown of four round lobes."""
    trunk = sdf.trapezium(x, y, 0.16, 0.1, -0.95, 0.1)
    branch = sdf.stroke(x, y, (0.0, -0.4), (0.3, -0.02), 0.06)
    yield Part(sdf.union(trunk, branch), Slot.SECOND, 0.15)
    wide = 0.36 + 0.05 * v[0]
    crown = sdf.union(
        sdf.disc(x + wide, y - 0.12, 0.36 + 0.04 * v[1]),
        sdf.disc(x - wide, y - 0.16, 0.38 + 0.04 * v[2]),
        sdf.disc(x + 0.08 * v[3], y - 0.52, 0.42),
        sdf.disc(x, y - 0.12, 0.34),
    )
    yield Part(crown, Slot.MAIN, 0.4)
    fruit = sdf.union(
        sdf.disc(x + 0.3, y - 0.22, 0.07),
        sdf.disc(x - 0.32, y - 0.12, 0.07),
        sdf.disc(x - 0.04, y - 0.55, 0.07),
    )
    yield Part(fruit, Slot.THIRD, 0.07)


def fish(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A fish that swims to the right."""
    tall = 0.42 + 0.07 * v[0]
    tail = sdf.convex(x, y.abs(), [(-0.5, 0.0), (-0.95, 0.5 + 0.08 * v[1]), (-0.98, 0.36)])
    tail = sdf.union(tail, sdf.convex(x, y.abs(), [(-0.45, -0.1), (-0.86, 0.3), (-0.8, 0.0)]))
    yield Part(tail, Slot.SECOND, 0.15)
    fins = sdf.union(
        sdf.convex(x, y, [(-0.3, 0.2), (0.3, 0.2), (0.0, 0.62), (-0.28, 0.66)]),
        sdf.convex(x, y, [(-0.15, -0.62), (0.25, -0.2), (-0.2, -0.2)]),
    )
    yield Part(fins, Slot.SECOND, 0.12)
    body = sdf.ellipse(x - 0.16, y, 0.8, tall)
    yield Part(body, Slot.MAIN, 0.42)
    stripes = ((x + 0.1).abs_() - 0.15).abs_() - 0.055
    yield Part(sdf.common(stripes, body + 0.03), Slot.THIRD, 0.1)
    gill = sdf.ring(x - 0.85, y, 0.42, 0.022)
    yield Part(sdf.common(gill, body + 0.1, x - 0.6), Slot.DARK, 0.03, outlined=False)
    yield Part(sdf.disc(x - 0.66, y - 0.12, 0.11), Slot.LIGHT, 0.1)
    yield Part(sdf.disc(x - 0.68, y - 0.12, 0.055), Slot.DARK, 0.05, outlined=False)


def flower(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A flower with six petals, a stem and two leaves."""
    yield Part(sdf.box(x, y + 0.5, 0.05, 0.5), Slot.SECOND, 0.05)
    leaf_x, leaf_y = sdf.turned(x.abs() - 0.28, y + 0.62 + 0.06 * v[1], 35)
    yield Part(sdf.ellipse(leaf_x, leaf_y, 0.3, 0.12), Slot.SECOND, 0.12)
    petal_x, petal_y = sdf.folded(x, y - 0.4, 6)
    petals = sdf.ellipse(petal_x, petal_y - 0.32, 0.19 + 0.02 * v[0], 0.27)
    yield Part(petals, Slot.MAIN, 0.19)
    yield Part(sdf.disc(x, y - 0.4, 0.18 + 0.02 * v[2]), Slot.THIRD, 0.2)


def bird(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A songbird that stands and looks to the right."""
    legs = sdf.union(
        sdf.stroke(x, y, (0.08, -0.5), (0.12, -0.92), 0.035),
        sdf.stroke(x, y, (-0.14, -0.5), (-0.12, -0.92), 0.035),
        sdf.stroke(x, y, (0.06, -0.92), (0.26, -0.92), 0.035),
        sdf.stroke(x, y, (-0.18, -0.92), (0.02, -0.92), 0.035),
    )
    yield Part(legs, Slot.DARK, 0.04)
    tip = 0.12 + 0.15 * v[0]
    tail: sdf.Corners = [(-0.98, tip - 0.12), (-0.35, -0.32), (-0.3, 0.05), (-0.98, tip + 0.1)]
    yield Part(sdf.convex(x, y, tail), Slot.SECOND, 0.1)
    beak = sdf.convex(x, y, [(0.7, 0.36), (1.0, 0.42), (0.7, 0.58)])
    yield Part(beak, Slot.THIRD, 0.1)
    body_x, body_y = sdf.turned(x + 0.02, y + 0.14, 18)
    body = sdf.ellipse(body_x, body_y, 0.6, 0.4 + 0.04 * v[1])
    head = sdf.disc(x - 0.5, y - 0.46, 0.29)
    yield Part(sdf.blend(body, head, 0.2), Slot.MAIN, 0.4)
    wing_x, wing_y = sdf.turned(x + 0.16, y + 0.12, -6)
    wing = sdf.common(sdf.disc(wing_x, wing_y - 0.22, 0.42), sdf.disc(wing_x, wing_y + 0.32, 0.5))
    yield Part(wing, Slot.SECOND, 0.15)
    yield Part(sdf.disc(x - 0.58, y - 0.52, 0.08), Slot.LIGHT, 0.05)
    yield Part(sdf.disc(x - 0.6, y - 0.52, 0.05), Slot.DARK, 0.05, outlined=False)


def apple(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """An apple with a stalk and a leaf."""
    yield Part(sdf.stroke(x, y, (0.0, 0.4), (0.08, 0.86), 0.055), Slot.DARK, 0.06)
    leaf_x, leaf_y = sdf.turned(x - 0.36, y - 0.78, 20)
    yield Part(sdf.ellipse(leaf_x, leaf_y, 0.3, 0.13), Slot.SECOND, 0.12)
    tall = 0.62 + 0.05 * v[0]
    halves = sdf.ellipse(x.abs() - 0.3, y + 0.1, 0.5 + 0.04 * v[1], tall)
    lower = sdf.ellipse(x.abs() - 0.2, y + 0.35, 0.42, 0.55)
    yield Part(sdf.blend(halves, lower, 0.2), Slot.MAIN, 0.55)


def mushroom(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A toadstool with spots on its cap."""
    stem = sdf.trapezium(x, y, 0.32 + 0.05 * v[0], 0.2, -0.92, 0.15)
    yield Part(stem, Slot.LIGHT, 0.25)
    rim = -0.05 + 0.06 * v[1]
    gills = sdf.ellipse(x, y - rim, 0.86, 0.14)
    yield Part(gills, Slot.SECOND, 0.2)
    cap = sdf.common(sdf.ellipse(x, y - rim, 0.92, 0.88), rim - y)
    yield Part(cap, Slot.MAIN, 0.5)
    spots = sdf.union(
        sdf.disc(x - 0.02, y - rim - 0.52, 0.17),
        sdf.disc(x.abs() - 0.5, y - rim - 0.25, 0.14),
        sdf.disc(x - 0.1, y - rim - 0.14, 0.08),
    )
    yield Part(spots, Slot.LIGHT, 0.1)


def butterfly(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A butterfly from above, its four wings spread."""
    side = x.abs()
    upper_x, upper_y = sdf.turned(side - 0.5, y - 0.32, 35)
    upper = sdf.ellipse(upper_x, upper_y, 0.5, 0.36 + 0.04 * v[0])
    lower_x, lower_y = sdf.turned(side - 0.38, y + 0.42, -40)
    lower = sdf.ellipse(lower_x, lower_y, 0.42, 0.28 + 0.03 * v[1])
    yield Part(lower, Slot.SECOND, 0.15)
    yield Part(upper, Slot.MAIN, 0.15)
    spots = sdf.union(sdf.disc(side - 0.62, y - 0.4, 0.15), sdf.disc(side - 0.44, y + 0.46, 0.12))
    yield Part(spots, Slot.THIRD, 0.1)
    feelers = sdf.stroke(side, y, (0.02, 0.4), (0.22, 0.86), 0.03)
    yield Part(feelers, Slot.DARK, 0.04, outlined=False)
    yield Part(sdf.ellipse(x, y, 0.1, 0.55), Slot.DARK, 0.1)


def cat(x: Tensor, y: Tensor, v: Variation) -> Iterator[Part]:
    """A cat's face with whiskers."""
    side = x.abs()
    tip = 0.9 + 0.05 * v[0]
    yield Part(sdf.convex(side, y, [(0.1, 0.3), (0.75, 0.1), (0.68, tip)]), Slot.MAIN, 0.2)
    yield Part(sdf.convex(side, y, [(0.3, 0.35), (0.62, 0.25), (0.6, 0.7)]), Slot.THIRD, 0.15)
    yield Part(sdf.ellipse(x, y + 0.15, 0.82, 0.68 + 0.05 * v[1]), Slot.MAIN, 0.6)
    yield Part(sdf.ellipse(side - 0.14, y + 0.42, 0.24, 0.18), Slot.LIGHT, 0.15)
    yield Part(sdf.ellipse(side - 0.34, y - 0.02, 0.17, 0.15), Slot.LIGHT, 0.08)
    yield Part(sdf.ellipse(side - 0.34, y - 0.02, 0.06, 0.14), Slot.DARK, 0.05, outlined=False)
    yield Part(sdf.convex(x, y, [(-0.12, -0.22), (0.0, -0.36), (0.12, -0.22)]), Slot.THIRD, 0.1)
    whiskers = sdf.union(
        sdf.stroke(side, y, (0.36, -0.36), (0.98, -0.24), 0.022),
        sdf.stroke(side, y, (0.36, -0.44), (0.96, -0.5), 0.022),
    )
    yield Part(whiskers, Slot.DARK, 0.03, outlined=False)
