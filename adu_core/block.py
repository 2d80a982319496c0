"""One transformer block of open_clip, step by step: same weights and results, less work."""

from __future__ import annotations

import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor


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
    parts = (part.unflatten(-1, (attention.num_heads, -1)) for part in (query, key, value))
    query, key, value = (part.transpose(1, 2) for part in parts)
    return query, key, value


def run_block(
    block: ResidualAttentionBlock,
    x: Tensor,
    *,
    mask: Tensor | None = None,
    first_only: bool = False,
) -> Tensor:
    """What ``block(x)`` of open_clip computes: x (B, T, W) → (B, T, W).

    mask:       (T, T), added to the attention scores (the text tower's causal mask)
    first_only: give the first token alone, (B, 1, W): CLIP pools nothing else
    """
    query, key, value = query_key_value(block, x, first_only)
    answer = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    x = x[:, :1] if first_only else x
    x = x + block.ls_1(block.attn.out_proj(answer.transpose(1, 2).flatten(2)))
    return x + block.ls_2(block.mlp(block.ln_2(x)))
