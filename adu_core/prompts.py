"""What learns beside a frozen CLIP: vision prompts, InstaPG, and text prompts."""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init


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


#: What becomes of the answers, see ``InstaPG``.
Wiring = Literal["add", "each", "replace"]


class InstaPG(nn.Module):
    """Cross-attention that turns the prompts of later blocks into prompts of this picture.

    It stands before block ``block`` (counted from 0): the vision prompts are the queries, the
    patch tokens that enter that block are keys and values (paper: Figure 2b). The paper's text at
    hand says neither how the answers reach the later blocks nor how many heads there are, so
    both are settings:

    - ``"add"``: that block's prompts ask; their answer is added to the prompts of every block
      from there on.
    - ``"each"``: every later block's prompts ask for themselves; each answer is added to its own.
    - ``"replace"``: like ``"add"``, but the answer takes the prompts' place.

    The last projection starts at zero where answers are added: training starts from plain
    vision prompts.
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
        if wiring != "replace":
            nn.init.zeros_(self.output.weight)

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

    def forward(self, tokens: Tensor, patches: Tensor) -> Tensor:
        """The prompts of blocks ``block`` to L-1, made this picture's own.

        tokens (L, P, width) and patches (B, N, width) → (L - block, B, P, width)
        """
        later = tokens[self.block :, None]
        if self.wiring == "each":
            answers = self.answer(later.flatten(0, 2), patches)
            own: Tensor = answers.unflatten(1, (len(later), -1)).transpose(0, 1)
            return later + own
        answers = self.answer(tokens[self.block], patches)
        if self.wiring == "replace":
            return answers.expand(len(later), -1, -1, -1)
        return later + answers
