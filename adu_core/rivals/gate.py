"""The gate: a picture taken for a forgotten domain gets an answer that knows no class."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from adu_core.clip import Trace
from adu_core.loop import Loop
from adu_core.rivals.domain_classifier import ClassifierSettings
from adu_core.rivals.evidence import Watch
from adu_core.rivals.gated import Blanking, BlockGated
from adu_core.settings import setting
from adu_core.task import Method, Task


@dataclass(frozen=True)
class Gate(ClassifierSettings, Method):
    """A linear classifier on the frozen CLIP's tokens decides which pictures are answered.

    This book's own baseline: nothing of CLIP changes and nothing is unlearned, a guard stands
    behind it. Methods that do change it should do better than this. Where classes are to be
    forgotten, everywhere or in some domains, it stops only pictures that the zero-shot CLIP takes
    for one of them; for classes alone it needs no shots at all.

    On validation pictures of the drawn world statistics of four blocks did best; the final feature
    or what style sentences say ("a sketch of a …") beside them gained nothing.
    """

    blocks: int = setting(
        4, "of how many blocks' outputs the evidence is", least=1, most=100, search=(1, 2, 3, 4, 5)
    )

    name = "gate"
    summary = "a domain classifier beside CLIP; stopped pictures get a blank"
    source = "this book"
    changes = "nothing"
    undo = "take the gate off"
    needs = "shots with class and domain labels"
    trained = False

    def start(self, task: Task, seed: int = 0) -> GatedAnswer:
        """A gate that stops nothing yet but classes that are to be forgotten everywhere."""
        return GatedAnswer(task, self, self.blocks).to(task.clip.device)

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> GatedAnswer:
        """The gate; ``seed`` moves the copies and deals the folds."""
        model = self.start(task, seed)
        if task.target.domains:
            model.learn_from_shots(task, self, seed)
        return model.eval()


class GatedAnswer(BlockGated, Blanking):
    """The frozen CLIP with a gate that reads its first blocks."""

    def look(self, pictures: Tensor, trace: Trace | None = None) -> tuple[Tensor, Tensor]:
        """Features (B, feature_size), and the blocks' statistics (B, blocks · 2 · width)."""
        watch = Watch(self.blocks, self.clip.prefix)
        features = self.clip.encode_image(pictures, between=watch, trace=trace)
        return features, watch.evidence()
