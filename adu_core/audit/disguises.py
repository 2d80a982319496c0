"""Pictures of what should be forgotten, disguised: does a model tell them all the same?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torchvision.transforms.v2.functional as tv
from torch import Tensor

from adu_core.audit.materials import Materials
from adu_core.task import DomainDataset

#: How far the world's own knob moves a picture towards a memorized domain.
MOVES = (0.25, 0.5)


def disguises(materials: Materials, per_class: int = 10, seed: int = 0) -> dict[str, Any]:
    """Accuracy in percent on disguised pictures of what should be forgotten.

    {disguise: {"frozen": …, "model": …}}, "none" first. Of every class as many pictures as there
    are, ``per_class`` at most. Where domains are forgotten, pictures also get the colours of each
    memorized domain, one of its pictures behind them and, if they are drawn, a part of its style.
    """
    pictures = _few(materials.forgotten, per_class)
    if len(pictures) == 0:
        raise ValueError("there is no picture of what should be forgotten to disguise")
    changed = {
        "none": pictures.pictures,
        "blurred": tv.gaussian_blur(pictures.pictures, [5, 5], [1.5, 1.5]),
        "grey": tv.rgb_to_grayscale(pictures.pictures, num_output_channels=3),
        "other hue": tv.adjust_hue(pictures.pictures, 0.33),
        "negative": 255 - pictures.pictures,
        "low contrast": tv.adjust_contrast(pictures.pictures, 0.5),
        "half as large": smaller(pictures.pictures),
    }
    shown = {what: replace(pictures, pictures=values) for what, values in changed.items()}
    target = materials.model.target
    if target.domains:
        for name in materials.test.domain_names:
            if name not in target.domains:
                shown |= _towards(materials, pictures, name, per_class, seed)
    return {what: materials.right(dataset) for what, dataset in shown.items()}


def _towards(
    materials: Materials, pictures: DomainDataset, name: str, per_class: int, seed: int
) -> dict[str, DomainDataset]:
    """What makes pictures look like those of one memorized domain."""
    others = materials.stolen.subset(
        materials.stolen.domains == materials.stolen.domain_names.index(name)
    ).pictures
    order = torch.randint(
        len(others), (len(pictures),), generator=torch.Generator().manual_seed(seed)
    )
    changed = {
        f"colours of {name}": recoloured(pictures.pictures, others),
        f"{name} behind": pasted(pictures.pictures, others[order]),
    }
    shown = {what: replace(pictures, pictures=values) for what, values in changed.items()}
    if materials.drawn:
        for domain in materials.model.target.domains:
            for strength in MOVES:
                moved = materials.moved(domain, name, strength, per_class)
                shown[f"{domain} {strength:.0%} to {name}"] = moved
    return shown


def _few(dataset: DomainDataset, per_class: int) -> DomainDataset:
    chosen = [
        (dataset.labels == label).nonzero().flatten()[:per_class]
        for label in dataset.labels.unique().tolist()
    ]
    return dataset.subset(torch.cat(chosen) if chosen else torch.zeros(0, dtype=torch.int64))


def smaller(pictures: Tensor) -> Tensor:
    """Pictures scaled to half their size, on a frame of their mean colour: (B, 3, S, S) uint8."""
    size = pictures.shape[-1]
    mean = pictures.float().mean(dim=(2, 3), keepdim=True).round().to(torch.uint8)
    framed = mean.expand_as(pictures).clone()
    small = tv.resize(pictures, [size // 2, size // 2], antialias=True)
    start = (size - size // 2) // 2
    framed[:, :, start : start + size // 2, start : start + size // 2] = small
    return framed


def recoloured(pictures: Tensor, others: Tensor) -> Tensor:
    """Mean and deviation of each colour become those of ``others`` together, (B, 3, S, S) uint8."""
    values, known = pictures.float(), others.float()
    mean, deviation = known.mean(dim=(0, 2, 3)), known.std(dim=(0, 2, 3))
    own_mean = values.mean(dim=(2, 3), keepdim=True)
    own_deviation = values.std(dim=(2, 3), keepdim=True).clamp(min=1)
    standard = (values - own_mean) / own_deviation
    moved = standard * deviation[None, :, None, None] + mean[None, :, None, None]
    return moved.round().clamp(0, 255).to(torch.uint8)


def pasted(pictures: Tensor, behind: Tensor) -> Tensor:
    """Pictures laid over others as ink over a photograph: light places let it through."""
    return (pictures.float() * behind.float() / 255).round().to(torch.uint8)
