"""Pictures synthesised from sentences, where there are no real ones (model inversion)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from adu_core.clip import FrozenCLIP

#: Sentences whose pictures are synthesised together; a bound on memory [choice].
TOGETHER = 64


def invert(clip: FrozenCLIP, sentences: Tensor, steps: int, seed: int = 0) -> Tensor:
    """Pictures that the CLIP finds like the sentences: (C, E) → (C, 3, S, S), normalised.

    Adam on the pixels raises the cosine of picture and sentence, from blurred noise, with the
    picture shifted and mirrored at random in each step, so that shapes win over pixels [choice].
    No real picture is involved.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = [_invert(clip, part, steps, generator) for part in sentences.split(TOGETHER)]
    return torch.cat(parts)


def _invert(clip: FrozenCLIP, sentences: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    size, reach = clip.picture_size, max(1, clip.picture_size // 15)
    noise = 0.5 * torch.randn(len(sentences), 3, 8, 8, generator=generator)
    pictures = F.interpolate(noise.to(clip.device), size=(size, size), mode="bilinear")
    pictures.requires_grad_()
    optimizer = torch.optim.Adam([pictures], lr=0.05)
    for _ in range(steps):
        down, right = torch.randint(0, 2 * reach + 1, (2,), generator=generator).tolist()
        seen = F.pad(pictures, (reach,) * 4, mode="replicate")
        seen = seen[:, :, down : down + size, right : right + size]
        if torch.rand((), generator=generator) < 0.5:
            seen = seen.flip(3)
        cosines = (clip.encode_image(seen) * sentences).sum(1)
        optimizer.zero_grad()
        (-cosines.sum()).backward()
        optimizer.step()
        with torch.no_grad():
            pictures.clamp_(-2, 2)  # about black to white
    return pictures.detach()
