"""Disguised pictures of what should be forgotten: does a model still classify them correctly?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import torch
import torchvision.transforms.v2.functional as tv
from torch import Tensor

from adu_core.audit.materials import Materials
from adu_core.audit.search import RECOGNISED, gradients, queries, resampled
from adu_core.data.corruptions import jpeg, noise
from adu_core.dataset import DomainDataset

#: What a disguise changes; a method names those it trained on (``Method.trained_on``).
Family = Literal[
    "none", "noise", "compression", "scale", "blur", "bits", "tone", "colour", "background",
    "style", "combined", "queries", "gradients",
]  # fmt: skip

#: How far the world's own knob moves a picture towards a memorized domain.
MOVES = (0.25, 0.5)


class Disguise(NamedTuple):
    """Pictures as an attacker changed them."""

    family: Family
    name: str
    pictures: DomainDataset


def disguises(materials: Materials, per_class: int = 25, tries: int = 200) -> dict[str, Any]:
    """Accuracy in percent on disguised pictures of what should be forgotten.

    {disguise: {"family": …, "frozen": …, "model": …, "counts": …}}, "none" first. Of every class as
    many pictures as there are, ``per_class`` at most. It counts if the frozen CLIP still names
    ``RECOGNISED`` percent of them, and if the method did not train on its family. Where domains are
    forgotten, pictures also get the colours of each memorized domain, one of its pictures behind
    them and, if they are drawn, a part of its style; and an attacker searches: ``tries`` mixtures
    tried on the model (``queries``), and gradients of a gate of their own (``gradients``).
    """
    if len(materials.forgotten) == 0:
        raise ValueError("there is no picture of what should be forgotten to disguise")
    pictures = _few(materials.forgotten, per_class)
    found = {}
    for family, name, shown in _all(materials, pictures, per_class, tries):
        right = materials.right(shown)
        counts = right["frozen"] >= RECOGNISED and family not in materials.model.method.trained_on
        found[name] = {"family": family, **right, "counts": counts}
    return found


def _all(
    materials: Materials, pictures: DomainDataset, per_class: int, tries: int
) -> Iterator[Disguise]:
    x = pictures.pictures.cpu()
    plain: list[tuple[Family, str, Tensor]] = [
        ("none", "none", x),
        ("noise", "noise 16", noise(16, seed=1)(x)),
        ("noise", "noise 32", noise(32, seed=1)(x)),
        ("compression", "JPEG 10", jpeg(10)(x)),
        ("scale", "half as large", smaller(x)),
        ("scale", "resampled", resampled(x)),
        ("blur", "blurred", tv.gaussian_blur(x, [5, 5], [1.5, 1.5])),
        ("bits", "2 bits a channel", tv.posterize(x, 2)),
        ("tone", "darker", tv.adjust_gamma(x, 2.5)),
        ("tone", "lighter", tv.adjust_gamma(x, 0.4)),
        ("tone", "negative", 255 - x),
        ("tone", "low contrast", tv.adjust_contrast(x, 0.5)),
        ("colour", "grey", tv.rgb_to_grayscale(x, num_output_channels=3)),
        ("colour", "other hue", tv.adjust_hue(x, 0.33)),
        ("combined", "resampled, noise 16", noise(16, seed=2)(resampled(x))),
        ("combined", "darker, JPEG 20", jpeg(20)(tv.adjust_gamma(x, 2.0))),
    ]
    for family, name, values in plain:
        yield Disguise(family, name, replace(pictures, pictures=values))
    target = materials.model.target
    if target.domains:
        for name in materials.test.domain_names:
            if name not in target.domains:
                yield from _towards(materials, pictures, name, per_class)
    if target.kind == "domains":
        yield Disguise("queries", *queries(materials, pictures, tries))
        yield Disguise("gradients", "gradients of a gate", gradients(materials, pictures))


def _towards(
    materials: Materials, pictures: DomainDataset, name: str, per_class: int
) -> Iterator[Disguise]:
    """What makes pictures look like those of one memorized domain."""
    x, others = pictures.pictures.cpu(), materials.stolen_of(name)
    order = torch.randint(len(others), (len(x),), generator=torch.Generator().manual_seed(0))
    worn = recoloured(x, others)
    yield Disguise("colour", f"colours of {name}", replace(pictures, pictures=worn))
    behind = pasted(x, others[order])
    yield Disguise("background", f"{name} behind", replace(pictures, pictures=behind))
    mixed = noise(16, seed=3)(tv.gaussian_blur(worn, [3, 3], [0.7, 0.7]))
    yield Disguise("combined", f"colours of {name}, blur, noise", replace(pictures, pictures=mixed))
    if materials.drawn:
        for domain in materials.model.target.domains:
            for strength in MOVES:
                moved = materials.moved(domain, name, strength, per_class)
                yield Disguise("style", f"{domain} {strength:.0%} to {name}", moved)


def _few(dataset: DomainDataset, per_class: int) -> DomainDataset:
    chosen = [
        (dataset.labels == label).nonzero().flatten()[:per_class]
        for label in dataset.labels.unique().tolist()
    ]
    return dataset.subset(torch.cat(chosen))


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
