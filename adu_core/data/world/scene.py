"""What surrounds an object: its colours, its place in the frame, the ground, sky and shadow."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from adu_core.data.world.dice import Dice
from adu_core.data.world.parts import Slot
from adu_core.data.world.styles import Style


def colours(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """(..., 3) RGB from hue, saturation and value, all from 0 to 1."""
    corner = hue.new_tensor([5.0, 3.0, 1.0])
    wheel = (corner + hue.unsqueeze(-1) * 6) % 6
    ramp = torch.minimum(wheel, 4 - wheel).clamp(0, 1)
    return value.unsqueeze(-1) * (1 - saturation.unsqueeze(-1) * ramp)


class Palette(NamedTuple):
    """Colours of each picture, (n, 3, 1, 1) each but ``parts``.

    parts:  (n, 5, 3, 1, 1), one colour for each ``Slot``
    """

    parts: Tensor
    sky: Tensor
    ground: Tensor


def draw_palette(dice: Dice, style: Style) -> Palette:
    """Random colours, as saturated as the style wants them, that tell nothing of the class."""
    saturation, fill, backdrop = (
        style[name].flatten(1) for name in ("saturation", "fill", "backdrop")
    )
    # Three hues well apart on the colour wheel, then an almost black and an almost white.
    first, gaps, depth, light = (dice.uniform(k) for k in (1, 2, 5, 5))
    hue = torch.cat(
        (
            first,
            first + 0.2 + 0.25 * gaps[:, :1],
            first + 0.55 + 0.25 * gaps[:, 1:],
            first + gaps,
        ),
        1,
    )
    strong = (0.7 + 0.3 * depth[:, :3]) * saturation
    weak = depth[:, 3:] * 0.25 * saturation
    low = hue.new_tensor([0.55, 0.6, 0.6, 0.12, 0.88])
    high = hue.new_tensor([0.95, 1.0, 1.0, 0.26, 1.0])
    value = low + (high - low) * light
    parts = colours(hue % 1, torch.cat((strong, weak), 1).clamp(0, 1), value)

    # Skies from green-blue to violet over grounds from orange to green; paper of any tint.
    low, high = style["fill"].new_tensor([[0.47, 0.06, 0.0], [0.70, 0.36, 1.0]])
    hue, depth, light = low + (high - low) * dice.uniform(3), dice.uniform(3), dice.uniform(3)
    plain = 1 - backdrop.clamp(max=1)
    amount = hue.new_tensor([0.45, 0.45, 0.14])
    low = hue.new_tensor([0.62, 0.30, 0.93])
    high = hue.new_tensor([0.97, 0.62, 1.0])
    around = colours(
        hue, (amount * (0.3 + 0.7 * depth) * saturation).clamp(0, 1), low + (high - low) * light
    )
    paper = around[:, 2:]
    surroundings = torch.lerp(around[:, :2], paper, plain.unsqueeze(-1))
    # A thing without fill shows the paper, but what is dark stays mostly dark.
    amount = fill.repeat(1, len(Slot))
    amount[:, Slot.DARK] = 1 - 0.35 * (1 - amount[:, Slot.DARK])
    parts = torch.lerp(paper, parts, amount.unsqueeze(-1))
    sky, ground = surroundings[..., None, None].float().unbind(1)
    return Palette(parts[..., None, None].float(), sky, ground)


class Pose(NamedTuple):
    """Where an object is and how it is turned, (n, 1, 1) each.

    From frame coordinates (-1 to 1, y upwards) to the object's: subtract ``shift``, then
    multiply by the matrix ((xx, xy), (yx, yy)).
    """

    shift_x: Tensor
    shift_y: Tensor
    xx: Tensor
    xy: Tensor
    yx: Tensor
    yy: Tensor
    size: Tensor


def draw_pose(dice: Dice) -> Pose:
    """A random place, size, lean, shear and mirror image; objects fill most of the frame."""
    angle, shear = dice.between(-0.22, 0.22), dice.between(-0.14, 0.14)
    size, aspect = dice.between(0.70, 0.88), dice.between(0.92, 1.08)
    shift_x, shift_y = dice.between(-0.08, 0.08), dice.between(-0.07, 0.07)
    mirror = 1 - 2 * (dice.between(0, 1) < 0.5).double()
    cos, sin = angle.cos() / size, angle.sin() / size
    across, down = mirror * aspect, 1 / aspect
    matrix = (across * (cos + shear * sin), across * (sin - shear * cos), -sin * down, cos * down)
    return Pose(*(value.float() for value in (shift_x, shift_y, *matrix, size)))


def cast_shadow(outside: Tensor, y: Tensor, strength: Tensor, slant: Tensor) -> Tensor:
    """(n, H, W) light that is left, from 0 to 1, where an object shades flat ground behind it.

    outside:  (n, H, W) signed distance to the whole object, in frame units
    y:        (H, 1) frame coordinate, upwards
    slant:    (n, 1, 1) how far the shadow leans to the right
    """
    count, height, width = outside.shape
    rows = torch.where(outside.amin(2, keepdim=True) < 0, y, torch.ones_like(y))
    foot = rows.amin(1, keepdim=True)  # (n, 1, 1), the lowest point of the object
    # A point of the ground is hidden from the light by the object's point above it.
    depth = y - foot
    squash = 0.38
    theta = torch.zeros(count, 2, 3, device=outside.device)
    theta[:, 0, 0] = 1
    theta[:, 0, 1] = (slant / squash).flatten()
    theta[:, 0, 2] = (slant * foot / squash).flatten()
    theta[:, 1, 1] = 1 / squash
    theta[:, 1, 2] = (-foot + foot / squash).flatten()
    # A shadow is soft: half the resolution is enough.
    coarse = [count, 1, (height + 1) // 2, (width + 1) // 2]
    grid = F.affine_grid(theta, coarse, align_corners=False)
    seen = F.grid_sample(outside.unsqueeze(1), grid, padding_mode="border", align_corners=False)
    seen = F.interpolate(seen.transpose(0, 1), size=(height, width), mode="bilinear").squeeze(0)
    # Shadows grow soft with the distance from the foot.
    blur = depth.clamp(min=0).mul_(0.5).add_(0.06)
    dark = (blur * 0.5 - seen).div_(blur).clamp_(0, 1)
    return 1 - strength * dark * (depth > -0.1)
