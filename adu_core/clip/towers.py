"""A vision tower in steps: pictures → tokens → block by block → feature, for each kind of ViT.

``FrozenCLIP`` walks these steps, and prompts enter between them. A tower knows what differs from
one ViT to the next: how many tokens stand before the patches, how a block is run, and what becomes
the feature. It holds no weights, those are open_clip's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from adu_core.clip.block import attention_from_first, run_block


class Tower(ABC):
    """The steps of one vision tower, ``visual`` of an open_clip model.

    prefix: how many tokens stand before the patches: 1 where there is CLS, 0 where there is none
    width:  length of a token
    heads:  attention heads in a block
    grid:   rows and columns of patches
    feature_size: length of a feature
    """

    prefix: int
    width: int
    heads: int
    grid: tuple[int, int]
    feature_size: int

    @property
    @abstractmethod
    def blocks(self) -> nn.ModuleList | nn.Sequential:
        """Its transformer blocks."""

    @property
    def own(self) -> int:
        """How many tokens of its own a picture has: those before the patches, and the patches."""
        rows, columns = self.grid
        return self.prefix + rows * columns

    @abstractmethod
    def embed(self, pictures: Tensor) -> Tensor:
        """Normalised pictures (B, 3, S, S) → the tokens that enter block 0, (B, own, width)."""

    @abstractmethod
    def enter(self, prompts: Tensor) -> Tensor:
        """What block 0 sees of its prompts (…, width): they pass the norm before it, if any."""

    @abstractmethod
    def run(self, number: int, x: Tensor) -> Tensor:
        """Block ``number``: the picture's own tokens and prompts behind them, (B, T, width) → same.

        The last block of a tower whose feature is CLS may give that alone, (B, 1, width).
        """

    @abstractmethod
    def attention(self, number: int, x: Tensor) -> Tensor:
        """How much CLS looks at each token in block ``number``: (B, T, width) → (B, heads, T).

        Where there is no CLS: how much the picture's own tokens do, on average [choice].
        """

    @abstractmethod
    def pool(self, x: Tensor) -> Tensor:
        """The picture's own tokens behind the last block → features (B, feature_size).

        (B, own, width), or (B, 1, width) where ``run`` gave CLS alone.
        """


class PlainTower(Tower):
    """open_clip's own ViT: OpenAI, LAION, DataComp, DFN, MetaCLIP, CLIPA, and CoCa's."""

    prefix = 1

    def __init__(self, visual: VisionTransformer) -> None:
        self._visual = visual
        self.width = int(visual.conv1.out_channels)
        self.heads = int(visual.transformer.resblocks[0].attn.num_heads)
        self.grid = visual.grid_size
        self.feature_size = int(visual.output_dim)
        self._first_only = visual.pool_type == "tok" and visual.attn_pool is None

    @property
    def blocks(self) -> nn.ModuleList:
        """Its transformer blocks."""
        blocks: nn.ModuleList = self._visual.transformer.resblocks
        return blocks

    def embed(self, pictures: Tensor) -> Tensor:
        """Patches behind CLS, their positions added, normalised."""
        x: Tensor = self._visual._embeds(pictures)
        return x

    def enter(self, prompts: Tensor) -> Tensor:
        """They pass ``ln_pre``."""
        entered: Tensor = self._visual.ln_pre(prompts)
        return entered

    def run(self, number: int, x: Tensor) -> Tensor:
        """One block, written out in ``run_block``."""
        first_only = self._first_only and number == len(self.blocks) - 1
        return run_block(self.blocks[number], x, first_only=first_only)

    def attention(self, number: int, x: Tensor) -> Tensor:
        """How much CLS looks at each token."""
        return attention_from_first(self.blocks[number], x)

    def pool(self, x: Tensor) -> Tensor:
        """CLS, the patches' mean or attention pooling (CoCa), then the projection."""
        pooled, _ = self._visual._pool(x)
        features: Tensor = pooled @ self._visual.proj if self._visual.proj is not None else pooled
        return features
