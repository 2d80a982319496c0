"""What all gates have in common: evidence → classifier → threshold → refusal."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from adu_core.clip import Trace
from adu_core.measure import predictions
from adu_core.rivals.domain_classifier import (
    ClassifierSettings,
    DomainClassifier,
    choose_threshold,
    fit_linear,
)
from adu_core.rivals.evidence import of_copies
from adu_core.task import Method, Model, Task


class Gated(Model):
    """A frozen CLIP that refuses pictures which its classifier takes for a forgotten domain.

    size:       how many numbers the evidence of a picture has
    classifier: None where only classes are to be forgotten, in every domain
    """

    def __init__(self, task: Task, method: Method, size: int) -> None:
        super().__init__(task, method)
        self.chosen = [self.domain_names.index(name) for name in self.target.domains]
        self.classifier: DomainClassifier | None = None
        if self.chosen:
            self.classifier = DomainClassifier(size, len(self.domain_names))

    def evidence(self, pictures: Tensor) -> Tensor:
        """What a picture's domain shows in: (B, 3, S, S) → (B, size)."""
        raise NotImplementedError

    def of_evidence(self, evidence: Tensor) -> Tensor:
        """How probably a picture is of a forgotten domain: evidence (B, size) → (B,).

        1 where only classes are to be forgotten.
        """
        if self.classifier is None:
            return torch.ones(len(evidence), device=evidence.device)
        probability: Tensor = self.classifier(evidence)[:, self.chosen].sum(dim=1)
        return probability

    @torch.no_grad()
    def probability(self, pictures: Tensor) -> Tensor:
        """The same of pictures: (B, 3, S, S) → (B,)."""
        return self.of_evidence(self.evidence(pictures))

    def stops(self, evidence: Tensor) -> Tensor:
        """Evidence (B, size) → (B,) bool: is it more probable than the threshold?"""
        threshold = 0.5 if self.classifier is None else self.classifier.threshold
        stopped: Tensor = self.of_evidence(evidence) > threshold
        return stopped

    def refuses(self, pictures: Tensor) -> Tensor:
        """Those that are stopped: (B, 3, S, S) → (B,) bool."""
        return self.stops(self.evidence(pictures))

    def learn(self, task: Task, settings: ClassifierSettings, evidence: Tensor, seed: int) -> None:
        """Fit classifier and threshold to the shots' evidence (1 + copies, N, size).

        Raises ``ValueError`` for too few shots of a domain.
        """
        assert self.classifier is not None
        shots, forgotten = task.shots, task.forgotten.cpu()
        linear, unseen = fit_linear(evidence, shots.domains, shots.domain_names, settings, seed)
        threshold = settings.threshold
        if not threshold:
            answers = predictions(task.clip, shots)
            named = torch.tensor([name in task.target.classes for name in shots.class_names])
            stoppable = named[answers] if named.any() else torch.ones_like(forgotten)
            probability = unseen[..., self.chosen].sum(dim=2).flatten()
            right, gone, stoppable = (
                each.repeat(len(unseen))
                for each in (answers == shots.labels.cpu(), forgotten, stoppable)
            )
            threshold = choose_threshold(probability, right, gone, stoppable)
        self.classifier.take(linear, threshold)

    def learn_from_shots(self, task: Task, settings: ClassifierSettings, seed: int) -> None:
        """``learn`` from the shots and moved copies of them."""
        copies, shift, shots = settings.copies, settings.shift, task.shots.pictures
        evidence = of_copies(task.clip, shots, self.evidence, copies=copies, shift=shift, seed=seed)
        self.learn(task, settings, evidence, seed)


class Blanking(Gated):
    """The frozen CLIP's features, or ``blank`` (feature_size,), the same for all stopped pictures.

    Where classes are to be forgotten it stops only what the zero-shot CLIP takes for one of them.
    ``blank`` is made from names, so it is not saved.
    """

    blank: Tensor
    gone: Tensor

    def __init__(self, task: Task, method: Method, size: int) -> None:
        super().__init__(task, method, size)
        gone = torch.tensor([name in self.target.classes for name in self.class_names])
        self.register_buffer("gone", gone, persistent=False)
        self.register_buffer("blank", blank(self._class_features, gone), persistent=False)

    def look(self, pictures: Tensor, trace: Trace | None = None) -> tuple[Tensor, Tensor]:
        """The frozen CLIP's features (B, feature_size), and the evidence met on the way (B, size).

        As it stands here the features are the evidence.
        """
        features = self.clip.encode_image(pictures, trace=trace)
        return features, features

    def evidence(self, pictures: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, size)."""
        return self.look(pictures)[1]

    def features(self, pictures: Tensor, trace: Trace | None = None) -> Tensor:
        """Pictures (B, 3, S, S) → features (B, feature_size), of length 1."""
        return self.seen(pictures, trace)[0]

    def refuses(self, pictures: Tensor) -> Tensor:
        """Those that get the blank: (B, 3, S, S) → (B,) bool."""
        return self.seen(pictures)[1]

    def seen(self, pictures: Tensor, trace: Trace | None = None) -> tuple[Tensor, Tensor]:
        """Both of one pass: (B, feature_size), and (B,) bool."""
        features, evidence = self.look(pictures, trace)
        stopped = self.stops(evidence)
        if self.target.classes:
            answers = self.clip.similarity(features, self._class_features).argmax(dim=1)
            stopped = stopped & self.gone[answers]
        return torch.where(stopped[:, None], self.blank, features), stopped


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
