"""The ViTs that open_clip takes from timm: SigLIP, EVA, PE, ViTamin, MobileCLIP-B and others."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from open_clip import timm_model
from torch import Tensor, nn

from adu_core.clip import Tower

#: Files of timm whose models are ViTs: an embedding, then blocks over all tokens, then a pooling.
FAMILIES = ("vision_transformer", "vision_transformer_hybrid", "vitamin", "eva")

#: Blocks whose attention is known here, and whether a norm stands before it.
_BLOCKS = {"Block": True, "EvaBlock": True, "EvaBlockPostNorm": False}


def family(trunk: str) -> str:
    """The file of timm that the model called ``trunk`` is in, "" if there is no such model."""
    if not timm_model.timm.is_model(trunk):
        return ""
    entry = timm_model.timm.models.model_entrypoint(trunk)
    return str(entry.__module__.rpartition(".")[2])


def unfit(visual: Any) -> str:
    """Why the vision tower ``visual`` cannot be walked as a ``TimmTower``; "" if it can."""
    trunk = getattr(visual, "trunk", None)
    models = timm_model.timm.models
    if not isinstance(trunk, models.vision_transformer.VisionTransformer | models.eva.Eva):
        what = type(visual if trunk is None else trunk).__name__
        return f"its vision tower, {what}, has no tokens to prompt"
    if not all(type(block).__name__ in _BLOCKS for block in trunk.blocks):
        return "its blocks are not those of a plain ViT"
    if getattr(trunk, "rope_mixed", False):
        return "each of its blocks has rotations of its own"
    if not trunk.global_pool or "pool" in dict(visual.head.named_children()):
        return "it does not pool its tokens as a ViT does"
    return ""


class TimmTower(Tower):
    """A ViT of timm inside open_clip's ``TimmModel``.

    Its blocks are called unchanged, with all tokens. Positions that are rotations (EVA02, PE)
    rotate only the patches: CLS and prompts have no place in the picture.
    """

    def __init__(self, visual: Any) -> None:
        trunk = visual.trunk
        self._visual, self._trunk = visual, trunk
        self.prefix = int(trunk.num_prefix_tokens)
        self.width = int(trunk.embed_dim)
        self.heads = int(trunk.blocks[0].attn.num_heads)
        rows, columns = trunk.patch_embed.grid_size
        self.grid = int(rows), int(columns)
        after = [trunk.head, *visual.head.modules()]
        sizes = [module.out_features for module in after if isinstance(module, nn.Linear)]
        self.feature_size = int(sizes[-1] if sizes else trunk.num_features)

    @property
    def blocks(self) -> nn.ModuleList | nn.Sequential:
        """Its transformer blocks."""
        return self._trunk.blocks

    def embed(self, pictures: Tensor) -> Tensor:
        """Patches, behind CLS if there is one, their positions added."""
        x = self._trunk._pos_embed(self._trunk.patch_embed(pictures))
        if isinstance(x, tuple):  # EVA gives the rotations beside them
            x = x[0]
        return self.enter(x)

    def enter(self, prompts: Tensor) -> Tensor:
        """They pass ``norm_pre``, the identity in most."""
        return self._trunk.norm_pre(prompts)

    def run(self, number: int, x: Tensor) -> Tensor:
        """One block over all tokens."""
        rope, block = self._rotations(x), self.blocks[number]
        return block(x) if rope is None else block(x, rope=rope)

    def attention(self, number: int, x: Tensor) -> Tensor:
        """How much CLS, or if there is none the average own token, looks at each token."""
        block: Any = self.blocks[number]
        if _BLOCKS[type(block).__name__]:
            x = block.norm1(x)
        query, key = _query_key(block.attn, x, self._rotations(x), self.prefix)
        asking = query[:, :, : 1 if self.prefix else self.own]
        scores = asking @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        return torch.softmax(scores.float(), dim=-1).mean(dim=2)

    def pool(self, x: Tensor) -> Tensor:
        """CLS, the mean or attention pooling, then the projection, all as the model has them."""
        return self._visual.head(self._trunk.forward_head(self._trunk.norm(x)))

    def _rotations(self, x: Tensor) -> Tensor | None:
        """Sines and cosines of each patch's rotation, and of none (0 and 1) for each prompt.

        (T - prefix, 2 · d), as the blocks take them; None where positions are no rotations.
        """
        rope = getattr(self._trunk, "rope", None)
        if rope is None:
            return None
        turned: Tensor = rope.get_embed(shape=list(self.grid))
        sine, cosine = turned.chunk(2, dim=-1)
        below = (0, 0, 0, x.shape[1] - self.own)
        return torch.cat([F.pad(sine, below), F.pad(cosine, below, value=1.0)], dim=-1)


def _query_key(
    attention: Any, x: Tensor, rope: Tensor | None, prefix: int
) -> tuple[Tensor, Tensor]:
    """Query and key, (B, heads, T, d) each, of x (B, T, width), as timm's attention has them."""
    if attention.qkv is None:
        both = [attention.q_proj(x), attention.k_proj(x)]
    else:
        bias = attention.qkv.bias
        if getattr(attention, "q_bias", None) is not None:  # EVA has none for keys
            bias = torch.cat([attention.q_bias, attention.k_bias, attention.v_bias])
        both = list(F.linear(x, attention.qkv.weight, bias).chunk(3, dim=-1)[:2])
    query, key = (part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2) for part in both)
    query, key = attention.q_norm(query), attention.k_norm(key)
    if rope is not None:
        turn = timm_model.timm.layers.apply_rot_embed_cat
        half = getattr(attention, "rotate_half", False)
        query, key = (
            torch.cat([part[:, :, :prefix], turn(part[:, :, prefix:], rope, half=half)], dim=2)
            for part in (query, key)
        )
    return query, key
