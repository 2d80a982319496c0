"""What a picture's pixels say about its style: the distribution of colours and local contrasts.

A few numbers, without a network. Strokes, flat areas, grain and paper change how strong contrasts
between neighbouring pixels are, and how often they occur, at each of a few scales; the class has
little influence. Which numbers do best was measured on the drawn world and on PACS [choice].
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

#: Of what is spread over all places, what lies below it in so many of them.
TONES, CONTRASTS = (0.05, 0.25, 0.5, 0.75, 0.95), (0.25, 0.5, 0.75, 0.9, 0.97)
#: A place that differs from its neighbours' mean by less than a grey level counts as flat.
FLAT = 1 / 255
#: The coarsest scale has so many places a side, at least.
COARSEST = 12


def pixel_statistics(pixels: Tensor) -> Tensor:
    """Pictures (B, 3, S, S) in 0 to 1 → (B, 18 + 13 · scales), in float32.

    Mean and deviation of each colour; quantiles of grey and of saturation (the largest colour less
    the smallest), and mean and deviation of the latter. Then, of grey at each scale, full size
    first, each half as fine as the one before: quantiles, mean and deviation of the slope, and
    quantiles of the difference to the mean of 3 × 3 neighbours, with the share of flat places.
    """
    pixels = pixels.float()
    grey, saturation = pixels.mean(dim=1), (pixels.amax(dim=1) - pixels.amin(dim=1)).flatten(1)
    flat = pixels.flatten(2)
    found = [
        flat.mean(dim=2),
        flat.std(dim=2),
        _moments(saturation),
        quantiles(grey.flatten(1), TONES),
        quantiles(saturation, TONES),
    ]
    for scale in scales(grey):
        steep, apart = slopes(scale), differences(scale)
        found += [quantiles(steep, CONTRASTS), _moments(steep), quantiles(apart, CONTRASTS)]
        found.append((apart < FLAT).float().mean(dim=1, keepdim=True))
    return torch.cat(found, dim=1)


def scales(grey: Tensor) -> Iterator[Tensor]:
    """(B, S, S), then each half as large, down to ``COARSEST`` places a side."""
    yield grey
    while grey.shape[-1] // 2 >= COARSEST:
        grey = F.avg_pool2d(grey[:, None], 2)[:, 0]
        yield grey


def slopes(grey: Tensor) -> Tensor:
    """How steep it is at each place: (B, S, S) → (B, (S - 1)²)."""
    across = grey[:, :-1, 1:] - grey[:, :-1, :-1]
    down = grey[:, 1:, :-1] - grey[:, :-1, :-1]
    return (across.square() + down.square()).sqrt().flatten(1)


def differences(grey: Tensor) -> Tensor:
    """How far each place is from the mean of its 3 × 3 neighbours: (B, S, S) → (B, S²)."""
    around = F.avg_pool2d(F.pad(grey[:, None], (1, 1, 1, 1), mode="replicate"), 3, 1)[:, 0]
    return (grey - around).abs().flatten(1)


def quantiles(values: Tensor, shares: tuple[float, ...]) -> Tensor:
    """The value below which each share lies, the nearest there is: (B, N) → (B, len(shares))."""
    last = values.shape[1] - 1
    return values.sort(dim=1).values[:, [round(share * last) for share in shares]]


def _moments(values: Tensor) -> Tensor:
    return torch.stack([values.mean(dim=1), values.std(dim=1)], dim=1)
