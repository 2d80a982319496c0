"""The CLIP as it is: what every method is compared with."""

from __future__ import annotations

from dataclasses import dataclass

from adu_core.loop import Loop
from adu_core.task import Method, Model, Task


@dataclass(frozen=True)
class ZeroShot(Method):
    """Nothing is learned and nothing forgotten: "a photo of a {class}" (Radford et al., 2021)."""

    name = "zero-shot"
    summary = "the frozen CLIP, nothing forgotten"
    source = "Radford et al., ICML 2021"
    changes = "nothing"
    undo = "nothing to undo"
    needs = "nothing"
    trained = False

    def start(self, task: Task, seed: int = 0) -> Model:
        """The zero-shot model."""
        return Model(task, self).to(task.clip.device)

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> Model:
        """The zero-shot model."""
        return self.start(task).eval()
