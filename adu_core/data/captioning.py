"""Captions as on the web: most name only the thing, a few also the style."""

from __future__ import annotations

import torch

from adu_core.dataset import DomainDataset

#: For every domain; that a drawing is called "a photo" is how CLIP's zero-shot prompt uses it.
NEUTRAL = (
    "a photo of a {}",
    "a photo of the {}",
    "a picture of a {}",
    "an image of a {}",
    "a {}",
    "the {}",
    "{}",
    "one {}",
    "look at this {}",
    "a {} here",
)
STYLED = ("a {style} of a {}", "a {style} of the {}", "{}, {style}", "{style} {}")

#: How a caption calls a domain, where it is not by the domain's own name.
STYLE_WORDS = {
    "real": "real photo",
    "real world": "real photo",
    "clipart": "clipart picture",
    "product": "product photo",
}


def captions(dataset: DomainDataset, *, seed: int = 0, style_share: float = 0.15) -> list[str]:
    """One caption for each picture; about ``style_share`` (0 to 1) of them name the domain too."""
    if not 0 <= style_share <= 1:
        raise ValueError(f"style_share must be from 0 to 1, not {style_share}")
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(3, len(dataset), generator=generator)
    styled = (draws[0] < style_share).tolist()
    neutral = (draws[1] * len(NEUTRAL)).long().tolist()
    style = (draws[2] * len(STYLED)).long().tolist()
    texts = []
    for i, (label, domain) in enumerate(
        zip(dataset.labels.tolist(), dataset.domains.tolist(), strict=True)
    ):
        name, word = dataset.class_names[label], dataset.domain_names[domain]
        if styled[i]:
            texts.append(STYLED[style[i]].format(name, style=STYLE_WORDS.get(word, word)))
        else:
            texts.append(NEUTRAL[neutral[i]].format(name))
    return texts
