"""The model that gate, door and shutter are kinds of: a frozen CLIP and a domain classifier."""

from __future__ import annotations

import torch
from torch import Tensor

from adu_core.measure import predictions
from adu_core.rivals.domain_classifier import (
    Classifying,
    DomainClassifier,
    choose_threshold,
    fit_linear,
)
from adu_core.rivals.evidence import of_copies, reachable, walk
from adu_core.task import Method, Model, Task


class Gated(Model):
    """Stops pictures that its classifier takes for a forgotten domain; how, its kinds say.

    size:       how many numbers the evidence of a picture is
    classifier: none where classes alone are to be forgotten, in whatever domain
    """

    def __init__(self, task: Task, method: Method, size: int) -> None:
        super().__init__(task, method)
        self.chosen = [self.domain_names.index(name) for name in self.target.domains]
        self.classifier: DomainClassifier | None = None
        if self.chosen:
            self.classifier = DomainClassifier(size, len(self.domain_names))

    def evidence(self, pictures: Tensor) -> Tensor:
        """What tells a picture's domain: (B, 3, S, S) → (B, size)."""
        raise NotImplementedError

    @torch.no_grad()
    def probability(self, pictures: Tensor) -> Tensor:
        """How probably a picture is of a forgotten domain: (B, 3, S, S) → (B,).

        1 where only classes are to be forgotten.
        """
        return self.of_evidence(self.evidence(pictures))

    def of_evidence(self, evidence: Tensor) -> Tensor:
        """The same of a picture's evidence: (B, F) → (B,)."""
        if self.classifier is None:
            return torch.ones(len(evidence), device=evidence.device)
        probability: Tensor = self.classifier(evidence)[:, self.chosen].sum(dim=1)
        return probability

    def stops(self, evidence: Tensor) -> Tensor:
        """Evidence (B, F) → (B,) bool: is it more probable than the threshold?"""
        threshold = 0.5 if self.classifier is None else self.classifier.threshold
        stopped: Tensor = self.of_evidence(evidence) > threshold
        return stopped

    def refuses(self, pictures: Tensor) -> Tensor:
        """Those that are stopped: (B, 3, S, S) → (B,) bool."""
        return self.stops(self.evidence(pictures))

    def learn(
        self,
        task: Task,
        settings: Classifying,
        evidence: Tensor,
        seed: int,
        judged: int | None = None,
    ) -> None:
        """Fit classifier and threshold to the shots' evidence (1 + copies, N, size).

        judged: the certainty and the threshold are chosen on the first so many copies; on all
        Raises ``ValueError`` for too few shots of a domain, and if none is of what is to be
        forgotten, or none of what is not, and the threshold is to be chosen.
        """
        shots, forgotten = task.shots, task.forgotten.cpu()
        if not settings.threshold and forgotten.float().mean() in (0, 1):
            raise ValueError(
                "a threshold is chosen on shots of both what is forgotten and what is not, and "
                f"there are {int(forgotten.sum())} and {int((~forgotten).sum())}: set threshold"
            )
        linear, unseen = fit_linear(
            evidence, shots.domains, shots.domain_names, settings, seed, judged
        )
        threshold = settings.threshold
        if not threshold:
            answers, labels = predictions(task.clip, shots), shots.labels.cpu()
            named = torch.tensor([name in task.target.classes for name in shots.class_names])
            stoppable = named[answers] if named.any() else torch.ones_like(forgotten)
            per_shot = (answers == labels, forgotten, stoppable)
            probability = unseen[..., self.chosen].sum(dim=2).flatten()
            right, gone, stoppable = (values.repeat(len(unseen)) for values in per_shot)
            chance = 1 / len(shots.class_names)
            threshold = choose_threshold(probability, right, gone, chance, stoppable)
        if self.classifier is not None:
            self.classifier.take(linear, threshold)


class OfBlocks(Gated):
    """Its evidence are the statistics of the first blocks' tokens.

    blocks: of how many blocks' outputs, the last block's never among them
    """

    def __init__(self, task: Task, method: Method, blocks: int) -> None:
        blocks = reachable(task.clip, blocks)
        super().__init__(task, method, blocks * 2 * task.clip.width)
        self.blocks = blocks

    def evidence(self, pictures: Tensor) -> Tensor:
        """The first blocks' statistics: (B, 3, S, S) → (B, blocks · 2 · width)."""
        return walk(self.clip, pictures, self.blocks)[0]

    def learn_from_shots(self, task: Task, settings: Classifying, seed: int) -> Tensor:
        """``learn`` from the shots and moved copies; their mean tokens (tokens, width)."""
        evidence, tokens = of_copies(
            task.clip,
            task.shots.pictures,
            self.blocks,
            copies=settings.copies,
            shift=settings.shift,
            seed=seed,
        )
        self.learn(task, settings, evidence, seed)
        return tokens
