"""Draws pictures: parts laid over a backdrop, lit, outlined, hatched and brushed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from adu_core.data.world import noise
from adu_core.data.world.dice import Dice
from adu_core.data.world.parts import Part
from adu_core.data.world.scene import Palette, Pose, cast_shadow, draw_palette, draw_pose
from adu_core.data.world.shapes import CLASSES, DRAWINGS
from adu_core.data.world.styles import Move, Style, draw_styles

SIZE = 60  # pixels along a side

# Pixels drawn at once: few enough for a processor's cache, enough to keep a GPU busy. The
# pictures do not depend on it.
CHUNK_PIXELS = {"cpu": 96 * SIZE**2, "cuda": 1024 * SIZE**2}


def draw(
    labels: Tensor,
    domains: Tensor,
    rows: Tensor,
    *,
    mix: float,
    move: Move | None = None,
    avoid: Sequence[int] = (),
    size: int = SIZE,
    device: str | torch.device = "cpu",
) -> tuple[Tensor, Tensor]:
    """Pictures of the given classes in the given domains.

    labels:   (N,) int64, indices into ``CLASSES``
    domains:  (N,) int64, indices into ``DOMAINS``
    rows:     (N, WIDTH) from ``roll``, the chance of each picture, which depends on its row, class
              and domain, on nothing else (to the byte where size is a multiple of 4; else rounding
              may move a few values by 1)
    mix:      how much the domains overlap: 0 (pure) to 0.5
    move:     in place of ``mix``, a domain and how far all styles are moved towards it
    avoid:    domains towards which ``mix`` moves none
    size:     pixels along a side; the same picture is drawn finer or coarser

    Returns the pictures (N, 3, size, size) uint8 on ``device`` and the style shift (N,)
    float32 on the CPU. Raises ``ValueError`` for a mix or size out of range.
    """
    if not 0 <= mix <= 0.5:
        raise ValueError(f"mix must be from 0 (pure domains) to 0.5 (much overlap), not {mix}")
    if size < 8:
        raise ValueError(f"pictures need at least 8 pixels along a side, not {size}")
    device = torch.device(device)
    labels, domains, rows = labels.cpu(), domains.to(device), rows.to(device)
    pictures = torch.empty(len(rows), 3, size, size, dtype=torch.uint8, device=device)
    shift = torch.empty(len(rows), device=device)
    chunk = max(1, CHUNK_PIXELS.get(device.type, CHUNK_PIXELS["cpu"]) // size**2)
    for label in labels.unique().tolist():
        for members in (labels == label).nonzero().squeeze(1).split(chunk):
            here = members.to(device)
            dice = Dice(rows[here])
            style, shift[here] = draw_styles(dice, domains[here], mix, move, avoid)
            pictures[here] = _picture(CLASSES[label], dice, style, size)
    return pictures, shift.cpu()


def _picture(name: str, dice: Dice, style: Style, size: int) -> Tensor:
    """(n, 3, size, size) uint8 pictures of one class in the given styles."""
    palette, pose = draw_palette(dice, style), draw_pose(dice)
    style = {name: value.float() for name, value in style.items()}
    variation = tuple(dice.between(-1, 1).float() for _ in range(4))
    window = dice.uniform(2)
    horizon, slant = dice.between(-0.5, 0.2).float(), dice.between(0.1, 0.5).float()
    angle, tint, flip = dice.between(0.5, 1.1), dice.uniform(3).float(), dice.between(0, 1) < 0.5

    axis = (torch.arange(size, device=window.device) + 0.5) * (2 / size) - 1
    frame_x, frame_y = axis.expand(size, size), -axis.unsqueeze(1).expand(size, size)
    texture = noise.windows(window, size)

    colour = _backdrop(palette, style, texture, frame_y, horizon)
    # Where each pixel lies on the object, moved a little by a shaky hand.
    away_x = texture[noise.WOBBLE_X].mul(style["wobble"]).add_(frame_x - pose.shift_x)
    away_y = texture[noise.WOBBLE_Y].mul(style["wobble"]).add_(frame_y - pose.shift_y)
    x = (away_x * pose.xx).addcmul_(away_y, pose.xy)
    y = (away_x * pose.yx).addcmul_(away_y, pose.yy)
    parts = DRAWINGS[name](x, y, variation)
    relief, ink, outside = _lay_parts(parts, colour, palette, pose, style, size)

    # Light and shade, in a few flat steps where the style wants them.
    steps = (relief * 4).round_().div_(4)
    relief = torch.lerp(relief, steps, style["posterise"])
    pixel = 2 / size
    inside = (0.5 - outside / pixel).clamp_(0, 1)
    ground = cast_shadow(outside, frame_y[:, :1], style["shadow"], slant)
    light = torch.lerp(ground, 1.05 + relief * style["shading"], inside)
    gloss = (relief - 0.11).mul_(14).clamp_(0, 1).mul_(style["shading"] * 0.35)

    hatch = _hatching(frame_x, frame_y, angle, relief, size).mul_(inside)
    ink = torch.maximum(ink * style["outline"], hatch * style["hatching"] * 0.7)
    ink *= 1 - style["paper"] * 0.35 * texture[noise.TOOTH].clamp(0, 1)
    light *= 1 - ink
    colour.mul_(light.unsqueeze(1)).add_((gloss * (1 - ink) + ink * 0.13).unsqueeze(1))

    _brush(colour, frame_x, frame_y, style["brush"], texture)
    tone = texture[noise.DAB_TONE].mul_(style["brush"])
    colour.addcmul_(tone.unsqueeze(1), (0.025 + 0.045 * tint)[:, :, None, None])
    film = texture[noise.BRISTLE] * (style["brush"] * 0.035)
    film.addcmul_(texture[noise.GRAIN], style["grain"] * 0.045)
    film.addcmul_(texture[noise.TOOTH], style["paper"] * -0.03)
    colour.add_(film.unsqueeze(1))
    picture = colour.mul_(255).add_(0.5).clamp_(0, 255).to(torch.uint8)
    # Light comes from the left above; in half of the pictures from the right.
    return torch.where(flip.unsqueeze(1), picture.flip(-1), picture)


def _backdrop(
    palette: Palette, style: Style, texture: Tensor, frame_y: Tensor, horizon: Tensor
) -> Tensor:
    """(n, 3, H, W): sky over ground, the horizon out of focus, clouds and spots of light."""
    cloud, bokeh = texture[noise.CLOUD], texture[noise.BOKEH]
    sky = ((frame_y - horizon) * 3).add_(cloud, alpha=0.15).add_(0.5).clamp_(0, 1)
    air = (cloud * 0.05).addcmul_(bokeh, sky, value=0.14)
    # Ground near the viewer is lighter than ground far away.
    air.addcmul_(1 - sky, frame_y, value=-0.08).mul_(style["backdrop"])
    return torch.lerp(palette.ground, palette.sky, sky.unsqueeze(1)).add_(air.unsqueeze(1))


def _lay_parts(
    parts: Iterator[Part], colour: Tensor, palette: Palette, pose: Pose, style: Style, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Paints the parts on ``colour`` (n, 3, H, W), back to front.

    Returns (n, H, W) each: the relief, which is how much lighter or darker than a flat thing
    a place is when light falls from the left above; the ink of the outlines, 0 to 1; and the
    signed distance to the whole object in frame units.
    """
    pixel = 2 / size / pose.size  # in the object's unit
    line_width = style["line_width"] / pose.size
    count, _, height, width = colour.shape
    relief = colour.new_zeros(count, height, width)
    ink = colour.new_zeros(count, height, width)
    outside = colour.new_full((count, height, width), 4.0)
    for distance, slot, dome, outlined in parts:
        torch.minimum(outside, distance, out=outside)
        depth = distance / pixel
        cover = (0.5 - depth).clamp_(0, 1)
        colour.lerp_(palette.parts[:, slot], cover.unsqueeze(1))
        # The part hides the lines behind it; its own line lies on its edge.
        ink.addcmul_(ink, cover, value=-1)
        if outlined:
            line = (line_width / pixel + 0.5 - depth.abs()).clamp_(0, 1)
            torch.maximum(ink, line, out=ink)
        # The slope towards the light, of a surface that is a parabola near its edge.
        facing = torch.zeros_like(depth)
        torch.sub(depth[:, :-1, :-1], depth[:, 1:, 1:], out=facing[:, :-1, :-1])
        facing.clamp_(-1.4, 1.4)
        steep = (distance * (1 / dome)).add_(1).clamp_(0, 1)
        bump = facing.mul_(0.29).sub_(steep, alpha=0.25).mul_(steep)
        relief.lerp_(bump, cover)
    return relief, ink, outside * pose.size


def _hatching(frame_x: Tensor, frame_y: Tensor, angle: Tensor, relief: Tensor, size: int) -> Tensor:
    """(n, H, W): pencil strokes side by side, broader where the relief is darker."""
    lines = 15.0  # along the frame
    across = frame_x * angle.cos().float() + frame_y * angle.sin().float()
    across *= lines / 2
    middle = (across - across.round()).abs_().mul_(2)  # 0 in a stroke's middle, 1 between two
    dark = relief * -1.7
    return (dark - middle).mul_(size / lines / 2).add_(0.5).clamp_(0, 1)


def _brush(
    colour: Tensor, frame_x: Tensor, frame_y: Tensor, strength: Tensor, texture: Tensor
) -> None:
    """Each dab of the brush takes the ``colour`` found nearer to its middle, in place."""
    # Weaker brushes move less than a fraction of a pixel: time is better spent elsewhere.
    brushed = (strength.flatten() > 0.1).nonzero().squeeze(1)
    pull = strength[brushed] * 0.26
    column = (texture[noise.DAB_X, brushed] * pull).add_(frame_x)
    row = (texture[noise.DAB_Y, brushed] * pull).add_(frame_y).neg_()
    colour[brushed] = F.grid_sample(
        colour[brushed],
        torch.stack((column, row), -1),
        padding_mode="border",
        align_corners=False,
    )
