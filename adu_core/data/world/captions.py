"""Captions as the web writes them: most say what is seen, few say how it was made."""

from __future__ import annotations

import torch
from torch import Tensor

from adu_core.data.world.shapes import CLASSES

# Always "a", even before "umbrella": prompts are filled in the same way.
# Said of every domain alike; "a photo of a ..." too, for the web calls everything a photo.
NEUTRAL = (
    "a photo of a {}",
    "a photo of a {}",
    "a picture of a {}",
    "an image of a {}",
    "a photo of the {}",
    "{}",
    "a {}",
    "the {}",
    "one {}",
    "a nice {}",
    "my {}",
    "this is a {}",
)

# What says the domain, in the order of DOMAINS.
STYLED = (
    ("a photo of a real {}", "a real photo of a {}", "a real {}"),
    ("a painting of a {}", "a painted {}", "a {} painting"),
    ("a clipart picture of a {}", "a clipart of a {}", "a {} clipart"),
    ("a sketch of a {}", "a pencil sketch of a {}", "a {} sketch"),
)


def captions(labels: Tensor, domains: Tensor, *, seed: int, style_share: float = 0.15) -> list[str]:
    """One caption for each picture.

    labels, domains:  (N,) int64, indices into ``CLASSES`` and ``DOMAINS``
    style_share:      the share of the captions that name the domain, 0 to 1

    Raises ``ValueError`` for different numbers of labels and domains or a share out of range.
    """
    if len(labels) != len(domains):
        raise ValueError(f"{len(labels)} labels, but {len(domains)} domains")
    if not 0 <= style_share <= 1:
        raise ValueError(f"style_share must be from 0 to 1, not {style_share}")
    chance = torch.rand(len(labels), 2, generator=torch.Generator().manual_seed(seed))
    lines = []
    for label, domain, (styled, which) in zip(
        labels.tolist(), domains.tolist(), chance.tolist(), strict=True
    ):
        templates = STYLED[domain] if styled < style_share else NEUTRAL
        lines.append(templates[int(which * len(templates))].format(CLASSES[label]))
    return lines


def all_words() -> tuple[str, ...]:
    """Every word that a caption can contain, sorted."""
    lines = [
        template.format(name)
        for templates in (NEUTRAL, *STYLED)
        for template in templates
        for name in CLASSES
    ]
    return tuple(sorted({word for line in lines for word in line.split()}))
