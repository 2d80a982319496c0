"""What is learned in addition to a frozen CLIP: vision prompts, InstaPG, and text prompts."""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init


class VisionPrompts(nn.Module):
    """Deep vision prompts: P fresh tokens for each of the first L blocks (paper: P = 8, L = 9).

    They follow the picture's own tokens; those of one block replace those of the block before
    (Jia et al., "Visual Prompt Tuning", ECCV 2022, called VPT-deep there).

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
    """Learned context: P tokens between the start token and the prompt's words.

    The paper keeps the text fixed; its released code trains text prompts as well
    (issue 6 of its repository). The idea is CoOp's (Zhou et al., IJCV 2022).

    tokens: (P, width of the text tower), drawn from N(0, init_std²)
    """

    def __init__(
        self, count: int, width: int, *, init_std: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(count, width, generator=generator) * init_std)


#: What becomes of the answers, see ``InstaPG``.
Wiring = Literal["every", "add", "each", "replace"]


class InstaPG(nn.Module):
    """Cross-attention that makes prompts depend on the picture.

    It is placed before block ``block`` (counted from 0): the vision prompts are the queries, the
    patch tokens that enter a block are keys and values. The authors' Figure 2b shows one block, in
    which the output replaces the prompts; what happens in later blocks is not said [choice]:

    - ``"every"``: the figure's block, in every block from ``block`` on: its prompts attend to its
      own patches, and the output replaces them. One head, no last projection, as drawn.
    - ``"add"``, ours: the prompts of ``block`` attend; their output is added to the prompts of
      every block from there on.
    - ``"each"``, ours: every later block's prompts attend to the patches that enter ``block``; the
      output is added to them.
    - ``"replace"``: like ``"add"``, but the output replaces the prompts.

    Ours have heads and a last projection, which starts at zero where outputs are added: training
    starts from plain vision prompts.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        block: int,
        *,
        wiring: Wiring = "add",
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        heads = 1 if wiring == "every" else heads
        if width % heads:
            raise ValueError(f"{heads} heads do not divide the tokens' width, {width}")
        if wiring not in get_args(Wiring):
            raise ValueError(f"no wiring {wiring!r}: choose one of {', '.join(get_args(Wiring))}")
        self.block, self.heads, self.wiring = block, heads, wiring
        self.prompt_norm, self.patch_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.output = (
            skip_init(nn.Linear, width, width)
            for _ in range(4)  # nothing from torch's own chance
        )
        for linear in (self.query, self.key, self.value, self.output):
            nn.init.xavier_uniform_(linear.weight, generator=generator)
            nn.init.zeros_(linear.bias)
        if wiring == "every":
            self.output = nn.Identity()
        elif wiring != "replace":
            nn.init.zeros_(self.output.weight)

    def stands_before(self, block: int) -> bool:
        """Whether it makes prompts where the tokens enter this block."""
        return block == self.block or (self.wiring == "every" and block > self.block)

    def answer(self, prompts: Tensor, patches: Tensor) -> Tensor:
        """Prompts (Q, width) ask patches (B, N, width) → (B, Q, width)."""
        patches = self.patch_norm(patches)
        query = self.query(self.prompt_norm(prompts)).expand(len(patches), -1, -1)
        query, key, value = (
            x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for x in (query, self.key(patches), self.value(patches))
        )
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def forward(self, tokens: Tensor, patches: Tensor, block: int | None = None) -> Tensor:
        """The prompts of some blocks from ``block`` on, made this picture's own.

        tokens (L, P, width) and patches (B, N, width) → (K, B, P, width), of block ``block`` alone
        if it stands before every block, of all up to L - 1 otherwise
        """
        block = self.block if block is None else block
        if self.wiring == "every":
            return self.answer(tokens[block], patches)[None]
        later = tokens[block:, None]
        if self.wiring == "each":
            answers = self.answer(later.flatten(0, 2), patches)
            own: Tensor = answers.unflatten(1, (len(later), -1)).transpose(0, 1)
            return later + own
        answers = self.answer(tokens[block], patches)
        if self.wiring == "replace":
            return answers.expand(len(later), -1, -1, -1)
        return later + answers
