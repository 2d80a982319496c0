"""A text tower of open_clip with learned tokens among the words: embed → blocks → pool → project.

In CLIP it is part of the model itself; in SigLIP, EVA and others it is ``model.text``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import open_clip
import torch
from open_clip.transformer import ResidualAttentionBlock, TextTransformer
from torch import Tensor, nn

from adu_core.block import run_block


class Words(NamedTuple):
    """Texts prepared for learned tokens among them, on the device, once for all steps.

    tokens: (C, T) int64; place: (C,) int64, the token that becomes each feature
    start:  how many tokens come before the learned ones
    length: tokens from here on are not used, so they are not computed
    """

    tokens: Tensor
    place: Tensor
    start: int
    length: int


class TextTower:
    """The text tower of ``model``, open_clip's ``name``; a ``ValueError`` if it takes no prompts.

    The error comes at the first use: a CLIP without text prompts does not need the tower.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self._model, self._tokenizer, self._name = model, tokenizer, name
        self._ready: dict[Any, Words] = {}

    @property
    def words(self) -> Tensor:
        """Its word table, (V, width)."""
        return self._tower.token_embedding.weight

    def encode(self, texts: Sequence[str], learned: Tensor) -> Tensor:
        """Features of texts with learned tokens between the start token and the words.

        learned (P, width), or (C, P, width) for each text its own → (C, feature_size), not of
        length 1. Without learned tokens the result is open_clip's own. A tokenizer without a start
        token has the learned ones before the first word [choice]. Raises ``ValueError`` if they
        leave the words no room.
        """
        tower, count = self._tower, learned.shape[-2]
        key = (*texts, tower.positional_embedding.device, count)
        if key not in self._ready:  # the last few are kept: the same words come every step
            if len(self._ready) >= 8:
                self._ready.clear()
            self._ready[key] = self._prepare(tower, list(texts), count)
        tokens, place, start, length = self._ready[key]
        mask = None if tower.attn_mask is None else tower.attn_mask[:length, :length]
        words = tower.token_embedding(tokens)
        parts = [words[:, :start], learned.expand(len(words), -1, -1), words[:, start:]]
        x = torch.cat(parts, dim=1)[:, :length] + tower.positional_embedding[:length]
        for block in tower.transformer.resblocks:
            x = run_block(block, x, mask=mask)
        features = tower.ln_final(x[torch.arange(len(x), device=x.device), place])
        projection = tower.text_projection
        if projection is None:
            return features
        return projection(features) if isinstance(projection, nn.Linear) else features @ projection

    def _prepare(self, tower: Any, texts: list[str], count: int) -> Words:
        tokens, blank = self._tokenizer(texts), self._tokenizer([""])[0]  # (C, T) and (T,)
        length = tokens.shape[1]
        used = torch.where(tokens != blank[-1], torch.arange(1, length + 1), 0).amax(dim=1)
        if int(used.max()) > length - count:
            raise ValueError(
                f"{count} text prompt tokens leave room for {length - count} tokens of words, "
                f"but {texts[int(used.argmax())]!r} needs more: use fewer tokens or shorter names"
            )
        place = _pooled(tower, tokens, count)
        if tower.attn_mask is not None:  # no token sees what comes after it
            length = int(place.max()) + 1
        device = tower.positional_embedding.device
        start = int((tokens[:, 0] == blank[0]).all())
        return Words(tokens.to(device), place.to(device), start, length)

    @property
    def _tower(self) -> Any:
        tower = self._model if isinstance(self._model, open_clip.CLIP) else self._model.text
        if not isinstance(tower, open_clip.CLIP | TextTransformer):
            why = f"it is {type(tower).__name__}, not open_clip's own"
        elif not all(type(each) is ResidualAttentionBlock for each in tower.transformer.resblocks):
            why = "its blocks are others"
        elif getattr(tower, "cls_emb", None) is not None or getattr(tower, "use_pad_mask", False):
            why = "its mask is made for the words alone, as in CoCa"
        elif _pool_type(tower) == "first" and tower.attn_mask is not None:
            why = "its feature is the first token's, which sees no other"
        else:
            return tower
        raise ValueError(f"the text tower of {self._name} takes no text prompts: {why}")


def _pooled(tower: Any, tokens: Tensor, count: int) -> Tensor:
    """Which token is the feature, when ``count`` more stand before the words: (C, T) → (C,)."""
    kind = _pool_type(tower)
    if kind == "argmax":  # the end token has the highest number
        return tokens.argmax(dim=1) + count
    if kind == "eos":
        own = isinstance(tower, TextTransformer)
        ends: Tensor = tokens == (tower.eos_id if own else tower.text_eos_id)
        return ends.int().argmax(dim=1) + count
    return torch.full((len(tokens),), 0 if kind == "first" else tokens.shape[1] - 1)


def _pool_type(tower: Any) -> str:
    return str(tower.pool_type if isinstance(tower, TextTransformer) else tower.text_pool_type)
