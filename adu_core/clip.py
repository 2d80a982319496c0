"""A frozen CLIP with an explicit forward pass: embed → blocks (+ prompts) → pool → project.

The weights are open_clip's; ``FrozenCLIP`` goes through the blocks explicitly, so the code shows
where prompts enter, and no hook is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adu_core.block import query_key_value, run_block
from adu_core.precision import exact
from adu_core.prompts import InstaPG, TextPrompts, VisionPrompts

#: The paper's fixed prompt.
TEMPLATE = "a photo of a {}"

#: What a method does to a picture's own tokens between two blocks: it is given the number of the
#: block to come and the tokens (B, prefix + N, width), and returns tokens of the same shape.
Between = Callable[[int, Tensor], Tensor]


class Tower:
    """The steps of a vision tower that is open_clip's own ViT; it holds no weights.

    Those of other ViTs are subclasses, in ``adu_core.clips``.

    prefix: how many tokens come before the patches: 1 with CLS, 0 without
    width, heads: length of a token, attention heads in a block
    grid:   rows and columns of patches
    feature_size: length of a feature
    """

    prefix = 1

    def __init__(self, visual: Any) -> None:
        self._visual = visual
        self.width = int(visual.conv1.out_channels)
        self.heads = int(visual.transformer.resblocks[0].attn.num_heads)
        self.grid = visual.grid_size
        self.feature_size = int(visual.output_dim)
        self._first_only = visual.pool_type == "tok" and visual.attn_pool is None

    @property
    def blocks(self) -> nn.ModuleList | nn.Sequential:
        """Its transformer blocks."""
        return self._visual.transformer.resblocks

    @property
    def own(self) -> int:
        """How many tokens of its own a picture has: those before the patches, and the patches."""
        rows, columns = self.grid
        return self.prefix + rows * columns

    def embed(self, pictures: Tensor) -> Tensor:
        """Normalised pictures (B, 3, S, S) → the tokens that enter block 0, (B, own, width)."""
        return self._visual._embeds(pictures)

    def enter(self, prompts: Tensor) -> Tensor:
        """What block 0 sees of its prompts (…, width): they pass the norm before it."""
        return self._visual.ln_pre(prompts)

    def run(self, number: int, x: Tensor) -> Tensor:
        """Block ``number``: the picture's own tokens and prompts behind them, (B, T, width) → same.

        The last block of a tower whose feature is CLS gives that alone, (B, 1, width).
        """
        first_only = self._first_only and number == len(self.blocks) - 1
        return run_block(self.blocks[number], x, first_only=first_only)

    def attention(self, number: int, x: Tensor) -> Tensor:
        """How much CLS looks at each token in block ``number``: (B, T, width) → (B, heads, T)."""
        query, key, _ = query_key_value(self.blocks[number], x, first_only=True)
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        return torch.softmax(scores.float(), dim=-1).squeeze(2)

    def pool(self, x: Tensor) -> Tensor:
        """The picture's own tokens behind the last block → features (B, feature_size)."""
        pooled, _ = self._visual._pool(x)
        return pooled @ self._visual.proj if self._visual.proj is not None else pooled


@dataclass
class Trace:
    """A picture's tokens and attention, block by block.

    tokens:     one (B, T, width) per block, its output; where the feature is CLS, the last
                block's may be (B, 1, width)
    attention:  one (B, heads, T) per block: how much CLS looks at each token. First come the
                ``FrozenCLIP.prefix`` tokens, then the patches row by row, then the prompts
    """

    tokens: list[Tensor] = field(default_factory=list)
    attention: list[Tensor] = field(default_factory=list)


class FrozenCLIP(nn.Module):
    """A CLIP that does not learn, with room for prompts in its vision and text towers.

    model:            an open_clip model
    name, pretrained: where the model came from, for records and adapters
    tower:            the steps of its vision tower, by default open_clip's own ViT
    text_tower:       its text tower with room for learned tokens (``adu_core.clips.text``)
    preprocess:       how a picture of any size becomes one that it takes

    The tower has ``blocks``, ``grid`` (rows and columns of patches), ``prefix`` (tokens before the
    patches, 1 with CLS), ``width`` (length of a token), ``heads`` and ``feature_size``.
    """

    model: Any  # open_clip ships no types
    _mean: Tensor
    _std: Tensor

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        name: str,
        pretrained: str = "",
        *,
        tower: Tower | None = None,
        text_tower: Any = None,
        preprocess: Any = None,
    ) -> None:
        super().__init__()
        self.tower = tower = tower or Tower(model.visual)
        self.grid, self.prefix, self.feature_size = tower.grid, tower.prefix, tower.feature_size
        self.width, self.heads = tower.width, tower.heads
        self.model, self.tokenizer, self.text_tower = model, tokenizer, text_tower
        self.name, self.pretrained, self.preprocess = name, pretrained, preprocess
        self._tokens: dict[Any, Tensor] = {}
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
        return self.model.logit_scale.device

    @property
    def blocks(self) -> nn.ModuleList | nn.Sequential:
        """The vision tower's transformer blocks."""
        return self.tower.blocks

    @property
    def picture_size(self) -> int:
        """Height = width of the pictures it takes, in pixels."""
        return int(self.model.visual.image_size[0])

    @property
    def words(self) -> Tensor:
        """The text tower's word table, (V, text_width); ``ValueError`` if it takes no prompts."""
        return self.text_tower.words

    @property
    def text_width(self) -> int:
        """Length of a token in the text tower."""
        return self.words.shape[1]

    @property
    def logit_scale(self) -> Tensor:
        """What cosines are multiplied by to become logits: a scalar, 100 in OpenAI's models."""
        return self.model.logit_scale.exp().squeeze()

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

    def pixels(self, pictures: Tensor) -> Tensor:
        """Pictures (B, 3, S, S), uint8 or normalised, → as they look, (B, 3, S, S) in 0 to 1."""
        if not pictures.is_floating_point():
            return pictures.to(self.device).float() / 255
        return (pictures * self._std + self._mean) / 255

    def encode_image(
        self,
        pictures: Tensor,
        prompts: VisionPrompts | None = None,
        instapg: InstaPG | None = None,
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
        tower, count = self.tower, len(self.blocks)

        x = tower.embed(pictures)  # (B, prefix + N, width): CLS, if there is one, and the patches
        own = x.shape[1]
        layers: list[Tensor] = []
        if prompts is not None:
            if len(prompts.tokens) > count:
                raise ValueError(f"prompts for {len(prompts.tokens)} blocks, CLIP has {count}")
            first = tower.enter(prompts.tokens[:1])  # block 0's prompts enter before its norm
            tokens = torch.cat([first, prompts.tokens[1:]])  # (L, P, width)
            layers = [layer.expand(len(x), -1, -1) for layer in tokens]
        for number in range(count):
            if between is not None:
                x = torch.cat([between(number, x[:, :own]), x[:, own:]], dim=1)
            if instapg is not None and number < len(layers) and instapg.stands_before(number):
                made = instapg(tokens, x[:, tower.prefix : own], number)
                layers[number : number + len(made)] = made
            if number < len(layers):
                x = torch.cat([x[:, :own], layers[number]], dim=1)
            if trace is not None:
                trace.attention.append(tower.attention(number, x))
            x = tower.run(number, x)
            if trace is not None:
                trace.tokens.append(x)
        x = x[:, :own]
        if between is not None:
            x = between(count, x)
        features = tower.pool(x)
        return unit(features) if normalize else features

    # Words.

    def encode_text(self, prompts: Sequence[str], context: TextPrompts | None = None) -> Tensor:
        """Features of prompts, of length 1: P strings → (P, feature_size), in float32.

        With ``context``, its learned tokens stand between the start token and the words. Raises
        ``ValueError`` if they leave the words no room, or if the text tower takes none.
        """
        if context is not None:
            return unit(self.text_tower.encode(prompts, context.tokens))
        key = (*prompts, self.device)
        if key not in self._tokens:  # the last few are kept: the same words come every step
            if len(self._tokens) >= 8:
                self._tokens.clear()
            self._tokens[key] = self.tokenizer(list(prompts)).to(self.device)
        return unit(self.model.encode_text(self._tokens[key]))

    def class_features(
        self,
        class_names: Sequence[str],
        context: TextPrompts | None = None,
        template: str = TEMPLATE,
    ) -> Tensor:
        """The zero-shot classifier: C names → (C, feature_size), "a photo of a {name}" encoded."""
        return self.encode_text([template.format(name) for name in class_names], context)

    # The zero-shot model: a CLIP can be measured as it is, like any other model.

    def similarity(self, features: Tensor, class_features: Tensor) -> Tensor:
        """Logits: scaled cosines of (B, feature_size) and (C, feature_size) → (B, C).

        In float32, also under autocast: a scale of 100 in bfloat16 would change answers. SigLIP's
        bias is left out: the same number for all classes, it changes no answer and no softmax.
        """
        with exact(features.device):
            return self.logit_scale.float() * features.float() @ class_features.float().T

    def features(self, pictures: Tensor) -> Tensor:
        """Pictures (B, 3, S, S) → features (B, feature_size), of length 1."""
        return self.encode_image(pictures)

    def logits(self, features: Tensor, class_names: Sequence[str]) -> Tensor:
        """Zero-shot logits of features: (B, feature_size) and C names → (B, C)."""
        return self.similarity(features, self.class_features(class_names))


def unit(features: Tensor) -> Tensor:
    """Features as float32, of length 1."""
    return F.normalize(features.float(), dim=-1)
