"""The door: the gate inside the forward pass, before the blocks recognise the class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from adu_core.clip import Trace
from adu_core.loop import Loop
from adu_core.rivals.domain_classifier import ClassifierSettings
from adu_core.rivals.evidence import Watch, feature_of, mean_tokens, reachable, walk
from adu_core.rivals.gated import Gated
from adu_core.settings import setting
from adu_core.task import Method, Task


@dataclass(frozen=True)
class Door(ClassifierSettings, Method):
    """After some blocks, the tokens of pictures to forget are replaced by the shots' mean tokens.

    This book's own. All tokens of a stopped picture, CLS included, are replaced one by one, so no
    later block holds anything of its class, for any list of classes. All other pictures keep the
    frozen CLIP's features, bit for bit. There is no gradient step: the shots pass the first blocks,
    and the classifier is fitted to the tokens there.

    It forgets domains only, because the first blocks show the style and not yet the class. Blending
    tokens instead of replacing them was worse on validation pictures of the drawn world: half
    blended tokens still show the class.
    """

    blocks: int = setting(
        2, "the door stands behind so many blocks", least=1, most=100, search=(1, 2, 3, 4, 5)
    )

    name = "door"
    summary = "stopped pictures go on as the shots' mean tokens"
    source = "this book"
    changes = "features"
    undo = "take the door off"
    needs = "shots with class and domain labels"
    kinds = frozenset({"domains"})
    trained = False

    def start(self, task: Task, seed: int = 0) -> GatedTokens:
        """A door that is open to all."""
        return GatedTokens(task, self, self.blocks).to(task.clip.device)

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> GatedTokens:
        """The door; ``seed`` moves the copies and deals the folds."""
        model = self.start(task, seed)
        model.learn_from_shots(task, self, seed)
        tokens = mean_tokens(task.shots.pictures, lambda x: walk(task.clip, x, model.blocks)[1])
        model.mean_tokens.copy_(tokens)
        return model.eval()


class GatedTokens(Gated):
    """The frozen CLIP with a door in it; ``mean_tokens`` (tokens, width) replace a picture's.

    blocks: the door comes after this many blocks, and before the last one at the latest
    """

    mean_tokens: Tensor

    def __init__(self, task: Task, method: Method, blocks: int) -> None:
        self.blocks = reachable(task.clip, blocks)
        super().__init__(task, method, self.blocks * 2 * task.clip.width)
        self.register_buffer("mean_tokens", torch.zeros(task.clip.tower.own, task.clip.width))

    def evidence(self, pictures: Tensor) -> Tensor:
        """The first blocks' statistics: (B, 3, S, S) → (B, blocks · 2 · width)."""
        return walk(self.clip, pictures, self.blocks)[0]

    def features(self, pictures: Tensor, trace: Trace | None = None) -> Tensor:
        """Pictures (B, 3, S, S) → features (B, feature_size), of length 1."""
        return self.seen(pictures, trace)[0]

    def seen(self, pictures: Tensor, trace: Trace | None = None) -> tuple[Tensor, Tensor]:
        """Features (B, feature_size), and which pictures are stopped: (B,) bool."""
        watch, stopped = Watch(self.blocks, self.clip.prefix), pictures.new_zeros(0)

        def between(number: int, tokens: Tensor) -> Tensor:
            nonlocal stopped
            tokens = watch(number, tokens)
            if number != self.blocks:
                return tokens
            stopped = self.stops(watch.evidence())
            return torch.where(stopped[:, None, None], self.mean_tokens.to(tokens.dtype), tokens)

        features = self.clip.encode_image(pictures, between=between, trace=trace)
        blank = feature_of(self.clip, self.mean_tokens, self.blocks)
        return torch.where(stopped[:, None], blank, features), stopped
