"""Random crops and flips of a whole batch at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def random_crop_and_flip(
    pictures: Tensor, generator: torch.Generator, *, crop: float, flip: bool
) -> Tensor:
    """Crop each picture at random, stretch it back to its size, mirror every second one.

    The crop's side is drawn evenly from ``crop`` to 1 times the picture's, its place evenly.
    ``generator`` must be a CPU one: the same draws on every device.

    pictures (B, 3, S, S) floating point → the same shape
    """
    count = len(pictures)
    draws = torch.rand(4, count, generator=generator)
    side = crop + (1 - crop) * draws[0]
    mirror = torch.where(draws[3] < 0.5, -1.0, 1.0) if flip else torch.ones(count)
    affine = torch.zeros(count, 2, 3)
    affine[:, 0, 0], affine[:, 1, 1] = side * mirror, side
    affine[:, :, 2] = ((2 * draws[1:3] - 1) * (1 - side)).T
    grid = F.affine_grid(
        affine.to(pictures.device, pictures.dtype, non_blocking=True),
        list(pictures.shape),
        align_corners=False,
    )
    return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
