"""One transformer block of open_clip, written out: the same weights and results, less work.

Three things make it faster than calling the module: query, key and value come from one product,
attention is `scaled_dot_product_attention`, and the last block can be asked for its first token
only, because CLIP pools nothing else.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor


def _heads(x: Tensor, count: int) -> Tensor:
    """(B, T, count * d) → (B, count, T, d)."""
    split: Tensor = x.unflatten(-1, (count, -1)).transpose(1, 2)
    return split


def query_key_value(
    block: ResidualAttentionBlock, x: Tensor, first_only: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """X (B, T, W) → query (B, heads, T or 1, d), key and value (B, heads, T, d)."""
    attention, x = block.attn, block.ln_1(x)
    weight, bias, width = attention.in_proj_weight, attention.in_proj_bias, x.shape[-1]
    if first_only:
        query = F.linear(x[:, :1], weight[:width], bias[:width])
        key, value = F.linear(x, weight[width:], bias[width:]).chunk(2, dim=-1)
    else:
        query, key, value = F.linear(x, weight, bias).chunk(3, dim=-1)
    count = attention.num_heads
    return _heads(query, count), _heads(key, count), _heads(value, count)


def run_block(
    block: ResidualAttentionBlock,
    x: Tensor,
    *,
    mask: Tensor | None = None,
    first_only: bool = False,
) -> Tensor:
    """What ``block(x)`` of open_clip computes.

    x (B, T, W) → (B, T, W), or with ``first_only`` the first token alone, (B, 1, W).
    ``mask`` (T, T) is added to the attention scores (the text tower's causal mask).
    """
    query, key, value = query_key_value(block, x, first_only)
    answer = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    x = x[:, :1] if first_only else x
    x = x + block.ls_1(block.attn.out_proj(answer.transpose(1, 2).flatten(2)))
    mixed: Tensor = x + block.ls_2(block.mlp(block.ln_2(x)))
    return mixed


def attention_from_first(block: ResidualAttentionBlock, x: Tensor) -> Tensor:
    """How much the first token (CLS) looks at each token: (B, T, W) → (B, heads, T), sums to 1."""
    query, key, _ = query_key_value(block, x, first_only=True)
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    return torch.softmax(scores.float(), dim=-1).squeeze(2)
