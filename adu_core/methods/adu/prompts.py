"""Learned tokens that steer a frozen CLIP: vision prompts and text prompts."""

from __future__ import annotations

import torch
from torch import nn


class VisionPrompts(nn.Module):
    """Deep vision prompts: P fresh tokens for each of the first L blocks (paper: P = 8, L = 9).

    They stand behind the picture's own tokens; those of one block replace those of the block
    before (Jia et al., "Visual Prompt Tuning", ECCV 2022, called VPT-deep there).

    tokens: (L, P, width), drawn from N(0, init_std²)
    """

    def __init__(
        self, count: int, depth: int, width: int, *, init_std: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(depth, count, width, generator=generator) * init_std)

    @property
    def depth(self) -> int:
        """L, the number of blocks that get prompts."""
        return self.tokens.shape[0]


class TextPrompts(nn.Module):
    """Learned context: P tokens that stand between the start token and the prompt's words.

    The paper keeps the text fixed; its released code trains text prompts as well
    (issue 6 of its repository). The idea is CoOp's (Zhou et al., IJCV 2022).

    tokens: (P, width of the text tower), drawn from N(0, init_std²)
    """

    def __init__(
        self, count: int, width: int, *, init_std: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(count, width, generator=generator) * init_std)
