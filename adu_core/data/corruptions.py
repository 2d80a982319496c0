"""Pictures as from a bad camera or a small file: a fixed list for tests of all methods.

No method trains on any of them. All are mild for a person and for a CLIP: what they change are the
decisions of a method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO

import numpy as np
import torch
import torchvision.transforms.v2.functional as tv
from PIL import Image
from torch import Tensor

from adu_core.dataset import DomainDataset


def noise(sigma: float, seed: int = 0) -> Callable[[Tensor], Tensor]:
    """Gaussian noise of ``sigma`` grey levels of 255, the same for the same pictures and seed."""

    def noisy(pictures: Tensor) -> Tensor:
        drawn = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(seed))
        return (pictures.cpu() + sigma * drawn).round().clamp(0, 255).to(torch.uint8)

    return noisy


def jpeg(quality: int) -> Callable[[Tensor], Tensor]:
    """Written by Pillow as a JPEG of that quality, and read again."""

    def written(pictures: Tensor) -> Tensor:
        found = []
        for picture in pictures.cpu():
            file = BytesIO()
            Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
            found.append(torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1))
        return torch.stack(found) if found else pictures

    return written


#: So many corrupted pictures are measured, or up to twice as many [choice].
MOST = 800

#: What each does to pictures (B, 3, S, S) uint8, on the CPU; the strengths are ours [choice].
CORRUPTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "noise 16": noise(16),
    "noise 24": noise(24),
    "JPEG 15": jpeg(15),
    "blur": lambda pictures: tv.gaussian_blur(pictures, [5, 5], [1.0, 1.0]),
    "2 bits": lambda pictures: tv.posterize(pictures, 2),
    "gamma 2.5": lambda pictures: tv.adjust_gamma(pictures, 2.5),
    "contrast 0.5": lambda pictures: tv.adjust_contrast(pictures, 0.5),
}


def corrupted(dataset: DomainDataset, name: str) -> DomainDataset:
    """The pictures of a dataset, each with the corruption called ``name``.

    Of more than ``MOST`` pictures every second one is taken, every third, and so on: there are as
    many means over them as there are corruptions.
    """
    few = dataset.subset(torch.arange(0, len(dataset), max(1, len(dataset) // MOST)))
    return replace(few, pictures=CORRUPTIONS[name](few.pictures.cpu()))
