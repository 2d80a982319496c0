"""The frozen CLIP's features of the shots, computed once, for methods that keep its vision."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from adu_core.clip import FrozenCLIP
from adu_core.dataset import DomainDataset
from adu_core.loop import random_crop_and_flip
from adu_core.measure import harmonic_mean, image_features
from adu_core.settings import Settings, setting
from adu_core.task import Task


@dataclass(frozen=True)
class Views(Settings):
    """The settings of views, for methods without a training loop."""

    views: int = setting(1, "of each shot: itself, then crops", least=1, most=1000)
    crop: float = setting(
        0.7, "smallest side of a random crop, a share of the picture's", above=0, most=1
    )
    flip: bool = setting(True, "mirror every second crop")

    def encoded(self, task: Task, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """All views of the N shots, on the CLIP's device.

        → features (views · N, E), of length 1, labels (views · N,), forgotten (views · N,) bool
        """
        features = encode_views(
            task.clip, task.shots, self.views, seed=seed, crop=self.crop, flip=self.flip
        )
        labels, forgotten = (
            each.to(features.device).repeat(self.views)
            for each in (task.shots.labels, task.forgotten)
        )
        return features.flatten(0, 1), labels, forgotten


class Judge:
    """Finds the best step of a method: by H on validation pictures, or on the shots.

    features (N, E), of length 1, of these pictures
    """

    def __init__(self, task: Task) -> None:
        pictures, gone = task.shots, task.forgotten
        if task.validation is not None and len(task.validation):
            pictures, gone = task.validation, task.target.mask(task.validation)
        self.features = image_features(task.clip, pictures.pictures)
        self.gone, self.labels = (x.to(self.features.device) for x in (gone, pictures.labels))
        self.best = -1.0

    def better(self, logits: Tensor) -> bool:
        """Whether logits (N, C) of its pictures have a higher H than all it has seen before."""
        right = (logits.argmax(dim=1) == self.labels).float()
        mem, gone = right[~self.gone].mean().item(), 1 - right[self.gone].mean().item()
        h = harmonic_mean(mem, gone)
        if h <= self.best:
            return False
        self.best = h
        return True


@torch.no_grad()
def encode_views(
    clip: FrozenCLIP,
    shots: DomainDataset,
    views: int,
    *,
    seed: int,
    crop: float,
    flip: bool = True,
) -> Tensor:
    """Each shot as it is, then ``views`` - 1 random crops of it: (views, N, feature_size).

    Features are of length 1, in float32, on the CLIP's device. The same seed gives the same bits.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for batch in shots.pictures.split(256):  # a bound on memory
        whole = clip.normalise(batch)
        crops = [
            random_crop_and_flip(whole, generator, crop=crop, flip=flip) for _ in range(views - 1)
        ]
        parts.append(torch.stack([clip.encode_image(view) for view in (whole, *crops)]))
    return torch.cat(parts, dim=1)
