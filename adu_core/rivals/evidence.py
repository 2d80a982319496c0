"""The evidence for a picture's domain: statistics of the patch tokens of the first blocks.

For every block, the mean and standard deviation of its output over the patches, which describe
style in AdaIN (Huang & Belongie, ICCV 2017). That they do so in CLIP's blocks, and that the first
four do best, was measured in the drawn world [choice].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from adu_core.clip import FrozenCLIP

#: Pictures that go through the CLIP at once; a bound on memory.
BATCH = 128


@dataclass
class Watch:
    """Collects statistics as the ``between`` of ``FrozenCLIP.encode_image``; changes no token.

    blocks: the last block whose output is read
    prefix: how many tokens come before the patches, ``FrozenCLIP.prefix``
    first:  the first block whose output is read, counted from 1
    """

    blocks: int
    prefix: int
    first: int = 1
    found: list[Tensor] = field(default_factory=list)

    def __call__(self, number: int, tokens: Tensor) -> Tensor:
        """Tokens (B, prefix + N, width) that enter block ``number`` → the same."""
        if self.first <= number <= self.blocks:
            self.found.append(statistics(tokens, self.prefix))
        return tokens

    def evidence(self) -> Tensor:
        """All that was found: (B, 2 · width of each block)."""
        return torch.cat(self.found, dim=1)


def statistics(tokens: Tensor, prefix: int) -> Tensor:
    """Mean and deviation over the N patches: (B, prefix + N, width) → (B, 2 · width).

    In float32, also under autocast.
    """
    patches = tokens[:, prefix:].float()
    return torch.cat([patches.mean(dim=1), patches.std(dim=1)], dim=1)


def walk(clip: FrozenCLIP, pictures: Tensor, blocks: int, first: int = 1) -> tuple[Tensor, Tensor]:
    """Pictures (B, 3, S, S) through the first blocks only, at their cost.

    → evidence of blocks ``first`` to ``blocks``, (B, 2 · width of each), and the tokens that enter
    the next block, (B, tokens, width)
    """
    if not pictures.is_floating_point():
        pictures = clip.normalise(pictures)
    watch, tokens = Watch(blocks, clip.prefix, first), clip.tower.embed(pictures)
    for number in range(blocks):
        tokens = watch(number + 1, clip.tower.run(number, tokens))
    return watch.evidence(), tokens


def reachable(clip: FrozenCLIP, blocks: int) -> int:
    """At most ``blocks``, and not the last one: CLIP computes no patches there.

    Raises ``ValueError`` for a CLIP of one block, which has no other.
    """
    if len(clip.blocks) < 2:
        raise ValueError(f"{clip.name} has one block only: take a CLIP with two or more")
    return min(blocks, len(clip.blocks) - 1)


def shift_flip(pictures: Tensor, reach: int, generator: torch.Generator) -> Tensor:
    """Move each picture by up to ``reach`` pixels and mirror every second, at random [choice].

    What comes in at the border is the picture mirrored. Nothing is resampled, as a crop would be:
    strokes and grain, which tell a style, stay. (B, 3, S, S) → (B, 3, S, S)
    """
    size = pictures.shape[-1]
    wide = F.pad(pictures, (reach,) * 4, mode="reflect")
    offsets = torch.randint(0, 2 * reach + 1, (len(pictures), 2), generator=generator)
    mirror = torch.rand(len(pictures), generator=generator) < 0.5
    moved = torch.stack(
        [
            picture[:, down : down + size, right : right + size]
            for picture, (down, right) in zip(wide, offsets.tolist(), strict=True)
        ]
    )
    return torch.where(mirror.to(moved.device)[:, None, None, None], moved.flip(-1), moved)


@torch.no_grad()
def of_copies(
    clip: FrozenCLIP,
    pictures: Tensor,
    evidence: Callable[[Tensor], Tensor],
    *,
    copies: int,
    shift: float,
    seed: int,
) -> Tensor:
    """Evidence of pictures and of moved copies of each.

    pictures: (N, 3, S, S) uint8
    evidence: (B, 3, S, S), normalised → (B, size)
    copies:   how many of each, beside the picture itself
    shift:    how far they are moved at most, a share of the side
    → (1 + copies, N, size), the pictures as they are first
    """
    generator, reach = torch.Generator().manual_seed(seed), round(shift * pictures.shape[-1])
    found = []
    for batch in pictures.split(BATCH):
        batch = clip.normalise(batch)
        views = [batch, *(shift_flip(batch, reach, generator) for _ in range(copies))]
        found.append(torch.stack([evidence(view) for view in views]))
    return torch.cat(found, dim=1)


@torch.no_grad()
def mean_tokens(pictures: Tensor, tokens_of: Callable[[Tensor], Tensor]) -> Tensor:
    """The mean (tokens, width) over pictures of what ``tokens_of`` gives, (B, tokens, width)."""
    total = sum(tokens_of(batch).sum(dim=0) for batch in pictures.split(BATCH))
    return torch.as_tensor(total) / len(pictures)


def feature_of(clip: FrozenCLIP, tokens: Tensor, block: int) -> Tensor:
    """The feature of a picture whose tokens (tokens, width) stand before ``block``: (1, E).

    It passes by itself. In a batch the last bits depend on the place in it, and a probe that
    standardises its features reads them.
    """
    picture = torch.zeros(1, 3, clip.picture_size, clip.picture_size, device=clip.device)
    return clip.encode_image(
        picture,
        between=lambda number, own: tokens.to(own.dtype)[None] if number == block else own,
    )
