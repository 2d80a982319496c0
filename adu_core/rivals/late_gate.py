"""The late gate: a linear classifier on CLIP's final features refuses some pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from adu_core.clip import FrozenCLIP
from adu_core.loop import Loop
from adu_core.measure import image_features
from adu_core.rivals.domain_classifier import ClassifierSettings
from adu_core.rivals.evidence import shift_flip
from adu_core.rivals.gated import Blanking
from adu_core.settings import setting
from adu_core.task import Method, Task

#: The strongest noise of a noisy copy, in grey levels of 255 [choice].
NOISE = 48.0


@dataclass(frozen=True)
class LateGate(ClassifierSettings, Method):
    """The simplest gate: it needs only CLIP's features, not its blocks.

    So it can be built by anyone who gets only features, for example from a web service. ``noisy``
    copies of each shot have uniform noise in ±a, with a different ``a`` up to ``NOISE`` for each
    copy; no test adds noise of that kind. On the drawn world, with default settings, they gained
    nothing.
    """

    classifier: Literal["lda", "logistic"] = setting(
        "logistic", "logistic regression, or linear discriminant analysis"
    )
    inverse_penalty: float = setting(
        0.03,
        "C of the logistic regression",
        above=0,
        most=1e6,
        search=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    )
    copies: int = setting(
        0, "moved and mirrored copies of each shot", least=0, most=100, search=(0, 4, 8)
    )
    noisy: int = setting(0, "noisy copies of each shot", least=0, most=100, search=(0, 4, 8))

    name = "late-gate"
    summary = "a domain classifier on CLIP's features; stopped pictures are refused"
    source = "this book"
    changes = "nothing"
    undo = "take the gate off"
    needs = "shots with class and domain labels"
    trained = False

    @property
    def trained_on(self) -> frozenset[str]:
        """Noise, if there are noisy copies."""
        return frozenset({"noise"} if self.noisy else ())

    def start(self, task: Task, seed: int = 0) -> Blanking:
        """A gate that stops nothing yet but classes that are to be forgotten everywhere."""
        return Blanking(task, self, task.clip.feature_size).to(task.clip.device)

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> Blanking:
        """The gate; ``seed`` moves the copies, draws the noise and deals the folds."""
        model = self.start(task, seed)
        if task.target.domains:
            shots = task.shots.pictures
            model.learn(task, self, features_of_copies(task.clip, shots, self, seed), seed)
        return model.eval()


def features_of_copies(clip: FrozenCLIP, pictures: Tensor, settings: LateGate, seed: int) -> Tensor:
    """Features of pictures (N, 3, S, S) uint8 and of copies: (1 + copies + noisy, N, E)."""
    generator = torch.Generator().manual_seed(seed)
    reach = round(settings.shift * pictures.shape[-1])
    views = [pictures]
    views += [shift_flip(pictures, reach, generator) for _ in range(settings.copies)]
    for _ in range(settings.noisy):
        most = NOISE * torch.rand(len(pictures), 1, 1, 1, generator=generator)
        noise = most * (2 * torch.rand(pictures.shape, generator=generator) - 1)
        views.append((pictures.cpu() + noise).round().clamp(0, 255).to(torch.uint8))
    return torch.stack([image_features(clip, view) for view in views])
