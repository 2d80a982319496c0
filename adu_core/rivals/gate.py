"""The gate: a picture taken for a forgotten domain gets an answer that knows no class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from adu_core.clip import Trace
from adu_core.loop import Loop
from adu_core.rivals.domain_classifier import ClassifierSettings
from adu_core.rivals.evidence import Watch
from adu_core.rivals.gated import BlockGated
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
        4, "of how many blocks' outputs the evidence is", least=1, most=100, search=(2, 3, 4)
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


class GatedAnswer(BlockGated):
    """Features of the frozen CLIP, or ``blank`` (feature_size,), one for all stopped pictures.

    Made from names, ``blank`` is no part of what is saved.
    """

    blank: Tensor
    gone: Tensor

    def __init__(self, task: Task, method: Method, blocks: int) -> None:
        super().__init__(task, method, blocks)
        gone = torch.tensor([name in self.target.classes for name in self.class_names])
        self.register_buffer("gone", gone, persistent=False)
        self.register_buffer("blank", blank(self._class_features, gone), persistent=False)

    def features(self, pictures: Tensor, trace: Trace | None = None) -> Tensor:
        """Pictures (B, 3, S, S) → features (B, feature_size), of length 1."""
        features, stopped = self._seen(pictures, trace)
        return torch.where(stopped[:, None], self.blank, features)

    def refuses(self, pictures: Tensor) -> Tensor:
        """Those that get the blank: (B, 3, S, S) → (B,) bool."""
        return self._seen(pictures)[1]

    def _seen(self, pictures: Tensor, trace: Trace | None = None) -> tuple[Tensor, Tensor]:
        """The frozen CLIP's features (B, feature_size), and which of them are stopped: (B,)."""
        watch = Watch(self.blocks, self.clip.prefix)
        features = self.clip.encode_image(pictures, between=watch, trace=trace)
        stopped = self.stops(watch.evidence())
        if self.target.classes:
            answers = self.clip.similarity(features, self._class_features).argmax(dim=1)
            stopped = stopped & self.gone[answers]
        return features, stopped


def blank(sentences: Tensor, gone: Tensor) -> Tensor:
    """A feature as near to every kept class as to any other, and farther from forgotten ones.

    The ridge regression that maps it to 1 for kept classes and to 0 for forgotten ones [choice].
    Its logits are nearly flat, and not quite: a tie would leave the answer to rounding. If it is
    nearest to a forgotten class all the same, the first kept class's own sentence is taken.

    sentences (C, E), of length 1; gone (C,) bool: classes to forget → (E,), of length 1
    """
    gone = gone.cpu() if not gone.all() else torch.zeros_like(gone).cpu()
    T = sentences.detach().cpu().double()
    ridge = T @ T.T + 0.01 * torch.eye(len(T)).double()
    found = F.normalize(T.T @ torch.linalg.solve(ridge, (~gone).double()), dim=0)
    if gone[(T @ found).argmax()]:
        found = T[~gone][0]
    return found.to(sentences)
