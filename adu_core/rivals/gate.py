"""The gate: a picture that it takes for a forgotten domain is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from adu_core.clip import Trace
from adu_core.loop import Loop
from adu_core.rivals.domain_classifier import ClassifierSettings
from adu_core.rivals.evidence import Watch, reachable, walk
from adu_core.rivals.gated import Blanking
from adu_core.rivals.pixels import pixel_statistics
from adu_core.settings import setting
from adu_core.task import Method, Task


@dataclass(frozen=True)
class Gate(ClassifierSettings, Method):
    """A linear classifier on the frozen CLIP's tokens decides which pictures are answered.

    This book's own baseline: nothing in CLIP changes and nothing is unlearned. Methods that do
    change CLIP should do better than this. Where classes are to be forgotten, everywhere or in
    some domains, it stops only pictures that the zero-shot CLIP takes for one of them; for classes
    alone it needs no shots.

    It reads tokens of some blocks, or the pixels; ``late-gate`` reads the features.
    """

    reads: Literal["blocks", "pixels"] = setting(
        "blocks", "statistics of the patch tokens behind some blocks, or of the pixels"
    )
    blocks: int = setting(
        4, "of the outputs up to this block's", least=1, most=100, search=(1, 2, 3, 4, 5)
    )
    first_block: int = setting(1, "of the outputs from this block's on", least=1, most=100)

    name = "gate"
    summary = "a domain classifier on CLIP's first blocks; stopped pictures are refused"
    source = "this book"
    changes = "nothing"
    undo = "take the gate off"
    needs = "shots with class and domain labels"
    trained = False

    def start(self, task: Task, seed: int = 0) -> GatedAnswer:
        """A gate that stops nothing yet but classes that are to be forgotten everywhere."""
        return GatedAnswer(task, self).to(task.clip.device)

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> GatedAnswer:
        """The gate; ``seed`` moves the copies and deals the folds."""
        model = self.start(task, seed)
        if task.target.domains:
            model.learn_from_shots(task, self, seed)
        return model.eval()


class GatedAnswer(Blanking):
    """The frozen CLIP with a gate that reads some of its blocks, or the pixels.

    first, blocks: the first and the last block whose output is read, never CLIP's last block
    """

    def __init__(self, task: Task, method: Gate) -> None:
        clip = task.clip
        self.blocks = reachable(clip, method.blocks) if method.reads == "blocks" else 0
        self.first = method.first_block
        if self.blocks and self.first > self.blocks:
            raise ValueError(
                f"first_block={self.first}: the gate reads up to block {self.blocks} of "
                f"{len(clip.blocks)}, so say at most {self.blocks}"
            )
        size = (self.blocks + 1 - self.first) * 2 * clip.width
        if not self.blocks:
            none = torch.zeros(1, 3, clip.picture_size, clip.picture_size)
            size = pixel_statistics(none).shape[1]
        super().__init__(task, method, size)

    def look(self, pictures: Tensor, trace: Trace | None = None) -> tuple[Tensor, Tensor]:
        """Features (B, feature_size), and the statistics that it reads (B, size)."""
        watch = Watch(self.blocks, self.clip.prefix, self.first)
        features = self.clip.encode_image(pictures, between=watch, trace=trace)
        return features, watch.evidence() if self.blocks else self.evidence(pictures)

    def evidence(self, pictures: Tensor) -> Tensor:
        """The same statistics alone: (B, 3, S, S) → (B, size)."""
        if not self.blocks:
            return pixel_statistics(self.clip.pixels(pictures))
        return walk(self.clip, pictures, self.blocks, self.first)[0]
