"""Features of the shots by the frozen CLIP, made once, for methods that leave its vision alone."""

from __future__ import annotations

import torch
from torch import Tensor

from adu_core.clip import FrozenCLIP
from adu_core.loop import random_crop_and_flip
from adu_core.task import DomainDataset


@torch.no_grad()
def encode_views(
    clip: FrozenCLIP,
    shots: DomainDataset,
    views: int,
    *,
    seed: int,
    crop: float,
    flip: bool = True,
    batch_size: int = 256,
) -> Tensor:
    """Each shot as it is, then ``views`` - 1 random crops of it: (views, N, feature_size).

    Features are of length 1, in float32, on the CLIP's device. The same seed gives the same bits.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for batch in shots.pictures.split(batch_size):
        whole = clip.normalise(batch)
        crops = [
            random_crop_and_flip(whole, generator, crop=crop, flip=flip) for _ in range(views - 1)
        ]
        parts.append(torch.stack([clip.encode_image(view) for view in (whole, *crops)]))
    return torch.cat(parts, dim=1)
