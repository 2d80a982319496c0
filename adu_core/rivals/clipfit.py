"""CLIPFit with the memorize and forget losses: a few biases and LayerNorms of the CLIP itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from adu_core import losses
from adu_core.clip import FrozenCLIP
from adu_core.loop import Batch, Loop, Steps, train
from adu_core.rivals.edited import EditedCLIP
from adu_core.settings import setting
from adu_core.task import Method, Task


class CLIPFitLosses(NamedTuple):
    """The parts of one step's loss and their sum, scalars with gradient."""

    total: Tensor
    memorize: Tensor
    forget: Tensor
    drift: Tensor


def text_drift(class_features: Tensor, frozen: Tensor) -> Tensor:
    """How far the classes' features moved: the mean of 1 - cosine, both (C, E) of length 1.

    CLIPFit's knowledge distillation loss; 0 where nothing moved, 2 where all is opposite.
    """
    return 1 - (class_features * frozen).sum(dim=1).mean()


def fitted_names(clip: FrozenCLIP) -> tuple[str, ...]:
    """The weights that learn: biases of the text tower's MLP outputs, the vision's LayerNorms.

    Raises ``ValueError`` for a text tower without such biases.
    """
    biases = [
        name
        for name, _ in clip.model.named_parameters()
        if name.endswith(".mlp.c_proj.bias") and not name.startswith(("visual.", "text_decoder."))
    ]
    if not biases:
        raise ValueError(f"the text tower of {clip.name} has no MLP as CLIP's: take another CLIP")
    norms = [
        f"{name}.{weight}"
        for name, module in clip.model.named_modules()
        if name.startswith("visual.") and isinstance(module, nn.LayerNorm)
        for weight, _ in module.named_parameters()
    ]
    return (*biases, *norms)


@dataclass(frozen=True)
class CLIPFit(Steps, Method):
    """CLIPFit (Li et al., "Vision-Language Model Fine-Tuning via Simple Parameter-Efficient
    Modification", EMNLP 2024), trained to forget.

    Only the biases of the text tower's MLP output projections and the vision tower's LayerNorms
    learn, by L_memorize + forget_weight · L_forget + λ · (1 - cos(text, frozen text)); the last
    term keeps the classes' features where they were. λ, learning rate and epochs are CLIPFit's.
    """  # noqa: D205

    name = "clipfit"
    summary = "text biases and vision LayerNorms"
    source = "Li et al., EMNLP 2024"
    changes = "weights"
    undo = "load the frozen weights again"
    small = {"epochs": 8, "learning_rate": 0.03, "forget_weight": 3.0}

    epochs: int = setting(
        100, "passes over the shots", least=1, most=10_000, search=(6, 12, 25, 50, 100)
    )
    learning_rate: float = setting(
        0.002, "the highest, after one epoch", least=0, search=(0.0005, 0.002, 0.01, 0.03, 0.1)
    )
    forget_weight: float = setting(1.0, "of L_forget", least=0, search=(0.3, 1.0, 3.0, 10.0))
    lam: float = setting(
        8.0, "of 1 - cos(text, frozen text)", least=0, search=(0.5, 2.0, 8.0, 30.0)
    )

    def check(self, task: Task) -> None:
        """Raise ``ValueError`` too for a CLIP without the weights that learn."""
        super().check(task)
        fitted_names(task.clip)

    def start(self, task: Task, seed: int = 0) -> EditedCLIP:
        """The CLIP as it is; nothing is drawn."""
        return EditedCLIP(task, self, fitted_names(task.clip))

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> EditedCLIP:
        """Teach the biases and LayerNorms by gradient steps over the shots."""
        model = self.start(task, seed)
        with torch.no_grad():
            frozen = task.clip.class_features(model.class_names)

        def loss(batch: Batch) -> CLIPFitLosses:
            classes = model.class_features()
            logits = model.clip.similarity(model.features(batch.pictures), classes)
            parts = losses.memorize_and_forget(
                logits, batch.labels, batch.forgotten, self.forget_weight
            )
            drift = text_drift(classes.float(), frozen.float())
            return CLIPFitLosses(
                parts.total + self.lam * drift, parts.memorize, parts.forget, drift
            )

        train(model, task.shots, task.forgotten, self, loss, seed=seed, run=run)
        return model.eval()
