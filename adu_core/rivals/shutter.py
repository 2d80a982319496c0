"""The shutter: a picture taken for a forgotten domain does not enter CLIP at all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from adu_core.clip import Trace
from adu_core.loop import Loop
from adu_core.rivals.domain_classifier import ClassifierSettings
from adu_core.rivals.evidence import BATCH, feature_of, mean_tokens, shift_flip
from adu_core.rivals.gated import Gated
from adu_core.rivals.pixels import changed_colours, pixel_statistics
from adu_core.settings import setting
from adu_core.task import Method, Task


@dataclass(frozen=True)
class Shutter(ClassifierSettings, Method):
    """A linear classifier on the statistics of the pixels; stopped pictures never enter CLIP.

    This book's own. Where the gate looks at CLIP's first blocks, the shutter looks at how colours
    and local contrasts are spread (``adu_core.rivals.pixels``): less than a hundred numbers show a
    style better, from few shots, than the thousands of a block's tokens, which beside them gained
    nothing in the drawn world and 0.2 points of H on PACS. What is stopped goes on as the shots'
    mean tokens from the very first block, so no block has any class of it; all others keep the
    frozen CLIP's features, bit for bit. Copies of the shots in other colours teach the classifier
    not to rely on colours, which a disguise changes easily.
    """

    shrinkage: float = setting(
        0.03,
        "of LDA's scatter within domains: 0 none, 1 all directions alike",
        above=0,
        most=1,
        search=(0.003, 0.01, 0.03, 0.1, 0.3),
    )
    copies: int = setting(4, "moved and mirrored copies of each shot", least=0, most=100)
    coloured: int = setting(
        4,
        "moved copies in other colours, contrast and sharpness",
        least=0,
        most=100,
        search=(0, 4, 8),
    )

    name = "shutter"
    summary = "pixel statistics tell the domain; stopped pictures never enter CLIP"
    source = "this book"
    changes = "nothing"
    undo = "take the shutter off"
    needs = "shots with class and domain labels"
    kinds = frozenset({"domains"})
    trained = False
    small = {}

    def start(self, task: Task, seed: int = 0) -> ShutPictures:
        """A shutter that is open to all."""
        return ShutPictures(task, self).to(task.clip.device)

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> ShutPictures:
        """The shutter; ``seed`` moves and colours the copies and deals the folds."""
        model = self.start(task, seed)
        evidence, tokens = of_pictures(task, self, seed)
        # Copies in other colours teach, but a threshold for pictures as they are is chosen on such.
        model.learn(task, self, evidence, seed, judged=1 + self.copies)
        model.mean_tokens.copy_(tokens)
        return model.eval()


class ShutPictures(Gated):
    """The frozen CLIP with a shutter before it; ``mean_tokens`` (tokens, width) stand in."""

    mean_tokens: Tensor

    def __init__(self, task: Task, method: Method) -> None:
        size = task.clip.picture_size
        length = pixel_statistics(torch.zeros(1, 3, size, size)).shape[1]
        super().__init__(task, method, length)
        self.register_buffer("mean_tokens", torch.zeros(task.clip.tower.own, task.clip.width))

    def evidence(self, pictures: Tensor) -> Tensor:
        """Pictures (B, 3, S, S) → (B, F)."""
        return pixel_statistics(self.clip.pixels(pictures))

    def features(self, pictures: Tensor, trace: Trace | None = None) -> Tensor:
        """Pictures (B, 3, S, S) → features (B, feature_size), of length 1."""
        return self.seen(pictures, trace)[0]

    def seen(self, pictures: Tensor, trace: Trace | None = None) -> tuple[Tensor, Tensor]:
        """Features (B, feature_size), and which pictures are stopped: (B,) bool."""
        stopped = self.stops(self.evidence(pictures))

        def between(number: int, tokens: Tensor) -> Tensor:
            if number:
                return tokens
            return torch.where(stopped[:, None, None], self.mean_tokens.to(tokens.dtype), tokens)

        features = self.clip.encode_image(pictures, between=between, trace=trace)
        blank = feature_of(self.clip, self.mean_tokens, 0)
        return torch.where(stopped[:, None], blank, features), stopped


@torch.no_grad()
def of_pictures(task: Task, settings: Shutter, seed: int) -> tuple[Tensor, Tensor]:
    """Evidence of the shots and their copies, and the shots' mean tokens before the first block.

    → (1 + copies + coloured, N, F), the shots as they are first, then moved ones, then those in
    other colours; (tokens, width)
    """
    clip, pictures = task.clip, task.shots.pictures
    generator = torch.Generator().manual_seed(seed)
    reach = round(settings.shift * pictures.shape[-1])
    found = []
    for batch in pictures.split(BATCH):
        pixels = clip.pixels(batch)
        views = [pixels]
        views += [shift_flip(pixels, reach, generator) for _ in range(settings.copies)]
        others = clip.pixels(pictures[torch.randperm(len(pictures), generator=generator)[:BATCH]])
        views += [
            changed_colours(shift_flip(pixels, reach, generator), others, generator)
            for _ in range(settings.coloured)
        ]
        found.append(torch.stack([pixel_statistics(view) for view in views]))
    tokens = mean_tokens(pictures, lambda x: clip.tower.embed(clip.normalise(x)))
    return torch.cat(found, dim=1), tokens
