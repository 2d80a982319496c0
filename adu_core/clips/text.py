"""A text tower of open_clip with learned tokens among the words: embed → blocks → pool → project.

It is a part of the model itself in CLIP, and ``model.text`` in SigLIP, EVA and others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import open_clip
import torch
from open_clip.transformer import ResidualAttentionBlock, TextTransformer
from torch import Tensor, nn

from adu_core.block import run_block


class TextTower:
    """The text tower of ``model``, open_clip's ``name``; a ``ValueError`` if it takes no prompts.

    It says so when it is first asked for something: a CLIP without text prompts needs none.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self._model, self._tokenizer, self._name = model, tokenizer, name
        self._ready: dict[Any, Words] = {}

    @property
    def words(self) -> Tensor:
        """Its word table, (V, width)."""
        table: Tensor = self._tower.token_embedding.weight
        return table

    def encode(self, texts: Sequence[str], learned: Tensor) -> Tensor:
        """Features of texts with ``learned`` (P, width) among the words; see ``encode_prompted``.

        Raises ``ValueError`` if they leave the words no room.
        """
        tower, count = self._tower, learned.shape[-2]
        key = (*texts, tower.positional_embedding.device, count)
        if key not in self._ready:  # the last few are kept: the same words come every step
            if len(self._ready) >= 8:
                self._ready.clear()
            tokens, blank = self._tokenizer(list(texts)), self._tokenizer([""])[0]
            self._ready[key] = ready(tower, list(texts), tokens, blank, count)
        return encode_prompted(tower, self._ready[key], learned)

    @property
    def _tower(self) -> Any:
        tower = self._model if isinstance(self._model, open_clip.CLIP) else self._model.text
        none = f"the text tower of {self._name} takes no text prompts"
        if not isinstance(tower, open_clip.CLIP | TextTransformer):
            raise ValueError(f"{none}: it is {type(tower).__name__}, not open_clip's own")
        if not all(type(block) is ResidualAttentionBlock for block in tower.transformer.resblocks):
            raise ValueError(f"{none}: its blocks are others")
        if getattr(tower, "cls_emb", None) is not None or getattr(tower, "use_pad_mask", False):
            raise ValueError(f"{none}: its mask is made for the words alone, as in CoCa")
        if _pool_type(tower) == "first" and tower.attn_mask is not None:
            raise ValueError(f"{none}: its feature is the first token's, which sees no other")
        return tower


class Words(NamedTuple):
    """Prompts made ready for learned tokens among them, on the device, once for all steps.

    tokens: (C, T) int64; rows, place: (C,) int64, the token that each feature is read off
    start:  so many tokens stand before the learned ones; room: so many are left for words
    length: no token from here on is read, so none is computed
    """

    tokens: Tensor
    rows: Tensor
    place: Tensor
    start: int
    room: int
    length: int


def ready(tower: Any, prompts: Sequence[str], tokens: Tensor, blank: Tensor, count: int) -> Words:
    """Make prompts ready for ``count`` learned tokens, which stand before the words.

    tokens (C, T) int64 are those of ``prompts``, ``blank`` (T,) those of the empty text, both on
    the CPU. A tokenizer without a start token has the learned ones before the first word [choice].
    Raises ``ValueError`` if the words leave no room.
    """
    length = tokens.shape[1]
    room = length - count
    used = torch.where(tokens != blank[-1], torch.arange(1, length + 1), 0).amax(dim=1)
    if int(used.max()) > room:
        raise ValueError(
            f"{count} text prompt tokens leave room for {room} tokens of words, "
            f"but {prompts[int(used.argmax())]!r} needs more: use fewer tokens or shorter names"
        )
    place = _pooled(tower, tokens, count)
    if tower.attn_mask is not None:  # no token sees what comes after it
        length = int(place.max()) + 1
    device = tower.positional_embedding.device
    start = int((tokens[:, 0] == blank[0]).all())
    rows = torch.arange(len(tokens), device=device)
    return Words(tokens.to(device), rows, place.to(device), start, room, length)


def encode_prompted(tower: Any, words: Words, learned: Tensor) -> Tensor:
    """Features of prompts with learned tokens between the start token and the words.

    learned (P, width), or (C, P, width) for each prompt its own → (C, feature_size), not of length
    1. Without learned tokens the result is open_clip's own, whichever token it is read off
    (``pool_type``).
    """
    start, length, mask = words.start, words.length, tower.attn_mask
    if mask is not None:
        mask = mask[:length, :length]
    known = tower.token_embedding(words.tokens)
    x = torch.cat(
        [known[:, :start], learned.expand(len(known), -1, -1), known[:, start : words.room]], dim=1
    )[:, :length]
    x = x + tower.positional_embedding[:length]
    for block in tower.transformer.resblocks:
        x = run_block(block, x, mask=mask)
    x = tower.ln_final(x[words.rows, words.place])
    projection = tower.text_projection
    if projection is not None:
        x = projection(x) if isinstance(projection, nn.Linear) else x @ projection
    features: Tensor = x
    return features


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
