"""A frozen CLIP with its forward pass in plain sight: embed → blocks (+ prompts) → pool → project.

The weights and modules are open_clip's; ``FrozenCLIP`` walks through them explicitly, so that
prompts enter where one can see them, and no hook is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import open_clip
import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn

from adu_core.clip.block import attention_from_first, run_block

#: The paper's fixed prompt.
TEMPLATE = "a photo of a {}"

#: What a method does to a picture's own tokens between two blocks: it is given the number of the
#: block to come and the tokens (B, 1 + N, width), and returns tokens of the same shape.
Between = Callable[[int, Tensor], Tensor]


class LearnedTokens(Protocol):
    """Tokens that a method puts into a tower: (L, P, width) in vision, (P, width) in text."""

    @property
    def tokens(self) -> Tensor:
        """The tokens."""
        ...


class PromptGenerator(Protocol):
    """What makes a picture's own prompts, from the block ``block`` on (InstaPG)."""

    block: int

    def __call__(self, tokens: Tensor, patches: Tensor) -> Tensor:
        """Prompts (L, P, width), patches (B, N, width) → (L - block, B, P, width)."""
        ...


@dataclass
class Trace:
    """What a picture went through, block by block.

    tokens:     one (B, T, width) per block, its output; the last block's is (B, 1, width)
    attention:  one (B, heads, T) per block: how much CLS looks at each token. Token 0 is CLS,
                then come the patches row by row, then the prompts if the block has any
    """

    tokens: list[Tensor] = field(default_factory=list)
    attention: list[Tensor] = field(default_factory=list)


class FrozenCLIP(nn.Module):
    """A CLIP that does not learn, with room for prompts in its vision and text towers.

    ``model`` is an open_clip model whose vision tower is a plain vision transformer; anything
    else is a ``ValueError`` that names the models that work. ``name`` and ``pretrained`` say where
    it came from, for records and adapters.
    """

    model: Any  # open_clip ships no types
    _mean: Tensor
    _std: Tensor

    def __init__(self, model: Any, tokenizer: Any, name: str, pretrained: str = "") -> None:
        super().__init__()
        check_vision_tower(model.visual, name)
        self.model, self.tokenizer = model, tokenizer
        self.name, self.pretrained = name, pretrained
        self.requires_grad_(False)
        self.eval()
        picture = open_clip.model.get_model_preprocess_cfg(model)
        for which in ("mean", "std"):
            values = torch.tensor(picture[which]).view(3, 1, 1) * 255
            self.register_buffer(f"_{which}", values.to(self.device), persistent=False)

    def train(self, mode: bool = True) -> FrozenCLIP:  # noqa: ARG002
        """A frozen model stays in evaluation mode, whatever contains it is switched to."""
        return super().train(False)

    # What shape it has.

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.model.logit_scale.device
        return device

    @property
    def blocks(self) -> nn.ModuleList:
        """The vision tower's transformer blocks."""
        blocks: nn.ModuleList = self.model.visual.transformer.resblocks
        return blocks

    @property
    def picture_size(self) -> int:
        """Height = width of the pictures it takes, in pixels."""
        return int(self.model.visual.image_size[0])

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches in a picture."""
        rows, columns = self.model.visual.grid_size
        return rows, columns

    @property
    def width(self) -> int:
        """Length of a token in the vision tower."""
        return int(self.model.visual.conv1.out_channels)

    @property
    def heads(self) -> int:
        """Attention heads in a block of the vision tower."""
        return int(self.model.visual.transformer.resblocks[0].attn.num_heads)

    @property
    def text_width(self) -> int:
        """Length of a token in the text tower."""
        return int(self._text_tower().token_embedding.embedding_dim)

    @property
    def feature_size(self) -> int:
        """Length of a feature, of pictures and of prompts alike."""
        return int(self.model.visual.output_dim)

    @property
    def logit_scale(self) -> Tensor:
        """What cosines are multiplied by to become logits: a scalar, 100 in OpenAI's models."""
        scale: Tensor = self.model.logit_scale.exp().squeeze()
        return scale

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change with any weight of the model."""
        digest = hashlib.sha256()
        for key, value in sorted(self.model.state_dict().items()):
            digest.update(f"{key}{tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().float().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    # Pictures.

    def normalise(self, pictures: Tensor) -> Tensor:
        """uint8 (B, 3, S, S) in 0 to 255 → float (B, 3, S, S) as CLIP was trained on."""
        return (pictures.to(self.device).float() - self._mean) / self._std

    def encode_image(
        self,
        pictures: Tensor,
        prompts: LearnedTokens | None = None,
        instapg: PromptGenerator | None = None,
        *,
        between: Between | None = None,
        normalize: bool = True,
        trace: Trace | None = None,
    ) -> Tensor:
        """Features of pictures: (B, 3, S, S) → (B, feature_size), of length 1 if ``normalize``.

        uint8 pictures are normalised first; floating-point ones are taken to be. Without prompts
        the result is that of open_clip's ``encode_image``. With ``prompts``, each of the first L
        blocks sees them behind the picture's own tokens; with ``instapg``, they become this
        picture's own from its block on; ``between`` may change the picture's own tokens before each
        block, and is asked once more, with the number of blocks, for what the last one gives. A
        ``trace`` is filled on the way. Features are float32, also under autocast. Raises
        ``ValueError`` for pictures of another size.
        """
        size = self.picture_size
        if pictures.shape[1:] != (3, size, size):
            raise ValueError(
                f"{self.name} takes pictures of shape (B, 3, {size}, {size}), "
                f"not {tuple(pictures.shape)}: read or resize them to {size} pixels"
            )
        if not pictures.is_floating_point():
            pictures = self.normalise(pictures)
        visual, last = self.model.visual, len(self.blocks) - 1

        x = visual._embeds(pictures)  # (B, 1 + N, width): CLS and the patches
        own = x.shape[1]
        layers: list[Tensor] = []
        if prompts is not None:
            if len(prompts.tokens) > len(self.blocks):
                raise ValueError(
                    f"prompts for {len(prompts.tokens)} blocks, CLIP has {len(self.blocks)}"
                )
            first = visual.ln_pre(prompts.tokens[:1])  # block 0's prompts enter before ln_pre
            tokens = torch.cat([first, prompts.tokens[1:]])  # (L, P, width)
            layers = [layer.expand(len(x), -1, -1) for layer in tokens]
        for number, block in enumerate(self.blocks):
            if between is not None:
                x = torch.cat([between(number, x[:, :own]), x[:, own:]], dim=1)
            if instapg is not None and layers and number == instapg.block:
                layers[number:] = instapg(tokens, x[:, 1:own])
            if number < len(layers):
                x = torch.cat([x[:, :own], layers[number]], dim=1)
            if trace is not None:
                trace.attention.append(attention_from_first(block, x))
            x = run_block(block, x, first_only=number == last and visual.pool_type == "tok")
            if trace is not None:
                trace.tokens.append(x)
        x = x[:, :own]
        if between is not None:
            x = between(len(self.blocks), x)
        pooled, _ = visual._pool(x)
        features = pooled @ visual.proj if visual.proj is not None else pooled
        return F.normalize(features.float(), dim=-1) if normalize else features

    # Words.

    def encode_text(self, prompts: Sequence[str], context: LearnedTokens | None = None) -> Tensor:
        """Features of prompts, of length 1: P strings → (P, feature_size).

        With ``context``, its learned tokens stand between the start token and the words.
        """
        tokens = self.tokenizer(list(prompts)).to(self.device)
        if context is None:
            features: Tensor = self.model.encode_text(tokens, normalize=True)
            return features
        tower, count = self._text_tower(), len(context.tokens)
        words = tower.token_embedding(tokens)
        room = words.shape[1] - count
        if int(tokens.count_nonzero(dim=1).max()) > room:
            raise ValueError(
                f"{count} text prompt tokens leave room for {room} tokens of words, "
                f"but {max(prompts, key=len)!r} needs more: use fewer tokens or shorter names"
            )
        learned = context.tokens.expand(len(words), -1, -1)
        x = torch.cat([words[:, :1], learned, words[:, 1:room]], dim=1)
        x = x + tower.positional_embedding
        for block in tower.transformer.resblocks:
            x = run_block(block, x, mask=tower.attn_mask)
        end = tokens.argmax(dim=1) + count  # the end token's new place
        x = tower.ln_final(x)[torch.arange(len(x), device=x.device), end]
        return F.normalize(x @ tower.text_projection, dim=-1)

    def class_features(
        self,
        class_names: Sequence[str],
        context: LearnedTokens | None = None,
        template: str = TEMPLATE,
    ) -> Tensor:
        """The zero-shot classifier: C names → (C, feature_size), "a photo of a {name}" encoded."""
        return self.encode_text([template.format(name) for name in class_names], context)

    def _text_tower(self) -> Any:
        """Where the text tower's parts are; only CLIP's own kind takes text prompts."""
        if not isinstance(self.model, open_clip.CLIP):
            raise ValueError(f"the text tower of {self.name} takes no text prompts")
        return self.model

    # The zero-shot model: a CLIP can be measured as it is, like any other model.

    def similarity(self, features: Tensor, class_features: Tensor) -> Tensor:
        """Logits: scaled cosines of (B, feature_size) and (C, feature_size) → (B, C).

        In float32, also under autocast: a scale of 100 in bfloat16 would change answers.
        """
        with torch.autocast(features.device.type, enabled=False):
            return self.logit_scale.float() * features.float() @ class_features.float().T

    def features(self, pictures: Tensor) -> Tensor:
        """Pictures (B, 3, S, S) → features (B, feature_size), of length 1."""
        return self.encode_image(pictures)

    def logits(self, features: Tensor, class_names: Sequence[str]) -> Tensor:
        """Zero-shot logits of features: (B, feature_size) and C names → (B, C)."""
        return self.similarity(features, self.class_features(class_names))

    def forward(self, pictures: Tensor, class_features: Tensor) -> Tensor:
        """Zero-shot logits: (B, 3, S, S) and (C, feature_size) → (B, C)."""
        return self.similarity(self.encode_image(pictures), class_features)


def check_vision_tower(visual: Any, name: str) -> None:
    """Raise ``ValueError`` unless ``visual`` is a plain ViT, whose tokens take prompts."""
    if not isinstance(visual, VisionTransformer):
        raise ValueError(f"{name}: {type(visual).__name__} has no tokens to prompt; {SUPPORTED}")
    plain = all(type(block) is ResidualAttentionBlock for block in visual.transformer.resblocks)
    if not plain or visual.attn_pool is not None or visual.pool_type not in ("tok", "avg"):
        raise ValueError(f"{name}: its blocks or its pooling are not those of CLIP; {SUPPORTED}")


def supported_models() -> list[str]:
    """The names in open_clip's catalogue whose vision tower is a plain ViT."""

    def plain(name: str) -> bool:
        config = open_clip.get_model_config(name) or {}
        vision = config.get("vision_cfg", {})
        special = ("timm_model_name", "attentional_pool", "block_type")
        return isinstance(vision.get("layers"), int) and not any(vision.get(s) for s in special)

    return [name for name in open_clip.list_models() if plain(name)]


#: For messages: which CLIPs take prompts.
SUPPORTED = "CLIPs that work are the plain ViTs: " + ", ".join(
    name for name in supported_models() if name.startswith("ViT-") and "worldwide" not in name
)
