"""One tile of fixed textures; a picture looks at its own window of it.

Cutting windows from a tile is many times cheaper than drawing fresh noise for every pixel,
and a window looks the same at any resolution.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional as F

CELLS = 60  # texture cells along one frame
FRAMES = 4  # frames along one side of the tile
_SIDE = CELLS * FRAMES

# The tile's channels. A dab is one touch of the brush: what it covers takes the colour found
# at its middle, DAB_X and DAB_Y away (in half frames), DAB_TONE lighter or darker.
DAB_X, DAB_Y, DAB_TONE, BRISTLE, GRAIN, TOOTH, WOBBLE_X, WOBBLE_Y, CLOUD, BOKEH = range(10)


def _smooth(cells: int, generator: torch.Generator) -> Tensor:
    """(side, side) smooth noise of unit variance with ``cells`` bumps along the tile."""
    coarse = torch.randn(1, 1, cells, cells, generator=generator)
    # One cell is repeated beyond each edge, so that the tile has no seam when it wraps.
    coarse = F.pad(coarse, (2, 2, 2, 2), mode="circular")
    size = round(_SIDE * (cells + 4) / cells)
    fine = F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=False)[0, 0]
    margin = (size - _SIDE) // 2
    fine = fine[margin : margin + _SIDE, margin : margin + _SIDE]
    return (fine - fine.mean()) / fine.std()


def _dabs(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Overlapping touches of a brush: offset to the middle (x, y), tone and bristle marks."""
    spacing = 2.6  # cells between dabs
    count = int(_SIDE / spacing)
    spacing = _SIDE / count
    jitter = torch.rand(2, count, count, generator=generator)
    priority = torch.rand(count, count, generator=generator)
    tone = torch.randn(count, count, generator=generator)
    # Dabs follow a slow flow, as the hand does.
    flow = _smooth(FRAMES * 2, generator)[:: _SIDE // count, :: _SIDE // count][:count, :count]
    angle = flow * 1.2 + torch.randn(count, count, generator=generator) * 0.25
    axis = torch.arange(_SIDE) + 0.5
    cell = (axis / spacing).long()
    best = torch.full((_SIDE, _SIDE), -1.0)
    found = [torch.zeros(_SIDE, _SIDE) for _ in range(4)]
    reach = 2
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            cell_y, cell_x = cell + down, cell + right
            at = ((cell_y % count)[:, None], (cell_x % count)[None, :])
            # Rows of a picture run downwards, y upwards.
            to_y = axis[:, None] - (cell_y[:, None] + jitter[0][at]) * spacing
            to_x = (cell_x[None, :] + jitter[1][at]) * spacing - axis[None, :]
            cos, sin = angle[at].cos(), angle[at].sin()
            along, across = to_x * cos + to_y * sin, to_y * cos - to_x * sin
            covers = (along / 4.6) ** 2 + (across / 1.8) ** 2 < 1
            wins = covers & (priority[at] > best)
            best = torch.where(wins, priority[at], best)
            bristle = torch.sin(across * 3.4 + 9 * tone[at]) * (1 - (along / 4.6) ** 2)
            new = (to_x, to_y, tone[at], bristle)
            found = [torch.where(wins, a, b) for a, b in zip(new, found, strict=True)]
    half_frame = CELLS / 2
    return found[0] / half_frame, found[1] / half_frame, found[2], found[3]


@functools.lru_cache(maxsize=4)
def tile(device: str) -> Tensor:
    """(10, side, side) float32 textures on ``device``, always the same ones."""
    generator = torch.Generator().manual_seed(20)
    clouds = sum(_smooth(FRAMES * 2**k, generator) / 1.6**k for k in range(1, 5))
    assert isinstance(clouds, Tensor)
    lights = _smooth(FRAMES * 4, generator)
    tooth = 0.9 * _smooth(_SIDE // 2, generator) + 0.4 * _smooth(_SIDE // 4, generator)
    channels = [
        *_dabs(generator),
        torch.randn(_SIDE, _SIDE, generator=generator),
        tooth,
        *(_smooth(FRAMES * 6, generator) for _ in range(2)),
        clouds / clouds.std(),
        ((lights - 1.0) * 4).clamp_(0, 1),
    ]
    return torch.stack(channels).to(device)


def windows(place: Tensor, size: int) -> Tensor:
    """(10, n, size, size): the textures as n pictures see them through their windows.

    place:  (n, 2) from 0 to 1, where in the tile each picture's window lies
    """
    textures = tile(str(place.device))
    corner = (place * (_SIDE - CELLS + 1)).long().clamp_(max=_SIDE - CELLS)
    everywhere = textures.unfold(1, CELLS, 1).unfold(2, CELLS, 1)  # a view: nothing is copied
    seen = everywhere[:, corner[:, 0], corner[:, 1]]
    if size == CELLS:
        return seen
    return F.interpolate(seen, size=(size, size), mode="bilinear", align_corners=False)
