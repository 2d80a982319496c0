"""The CLIP as it is: what every method is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from adu_core.loop import Loop
from adu_core.task import Changes, Method, Model, Task


@dataclass(frozen=True)
class ZeroShot(Method):
    """Nothing is learned and nothing forgotten: "a photo of a {class}" (Radford et al., 2021)."""

    name: ClassVar[str] = "zero-shot"
    summary: ClassVar[str] = "the frozen CLIP, nothing forgotten"
    source: ClassVar[str] = "Radford et al., ICML 2021"
    changes: ClassVar[Changes] = "nothing"
    undo: ClassVar[str] = "nothing to undo"
    needs: ClassVar[str] = "nothing"
    trained: ClassVar[bool] = False

    def start(self, task: Task, seed: int = 0) -> Model:  # noqa: ARG002
        """The zero-shot model."""
        return Model(task, self).to(task.clip.device)

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> Model:  # noqa: ARG002
        """The zero-shot model."""
        return self.start(task).eval()
