"""What gate, door and shutter have in common: evidence → classifier → threshold → refusal."""

from __future__ import annotations

import torch
from torch import Tensor

from adu_core.measure import predictions
from adu_core.rivals.domain_classifier import (
    ClassifierSettings,
    DomainClassifier,
    choose_threshold,
    fit_linear,
)
from adu_core.rivals.evidence import of_copies, reachable, walk
from adu_core.task import Method, Model, Task


class Gated(Model):
    """A frozen CLIP that refuses pictures which its classifier takes for a forgotten domain.

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

    def learn(
        self,
        task: Task,
        settings: ClassifierSettings,
        evidence: Tensor,
        seed: int,
        judged: int | None = None,
    ) -> None:
        """Fit classifier and threshold to the shots' evidence (1 + copies, N, size).

        judged: logit scale and threshold are chosen on the first so many copies; on all
        Raises ``ValueError`` for too few shots of a domain, and if none is of what is to be
        forgotten, or none of what is not, and the threshold is to be chosen.
        """
        assert self.classifier is not None
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
            answers = predictions(task.clip, shots)
            named = torch.tensor([name in task.target.classes for name in shots.class_names])
            stoppable = named[answers] if named.any() else torch.ones_like(forgotten)
            probability = unseen[..., self.chosen].sum(dim=2).flatten()
            right, gone, stoppable = (
                each.repeat(len(unseen))
                for each in (answers == shots.labels.cpu(), forgotten, stoppable)
            )
            chance = 1 / len(shots.class_names)
            threshold = choose_threshold(probability, right, gone, chance, stoppable)
        self.classifier.take(linear, threshold)


class BlockGated(Gated):
    """Its evidence is the statistics of the first blocks' tokens.

    blocks: of how many blocks' outputs, the last block's never among them
    """

    def __init__(self, task: Task, method: Method, blocks: int) -> None:
        blocks = reachable(task.clip, blocks)
        super().__init__(task, method, blocks * 2 * task.clip.width)
        self.blocks = blocks

    def evidence(self, pictures: Tensor) -> Tensor:
        """The first blocks' statistics: (B, 3, S, S) → (B, blocks · 2 · width)."""
        return walk(self.clip, pictures, self.blocks)[0]

    def learn_from_shots(self, task: Task, settings: ClassifierSettings, seed: int) -> None:
        """``learn`` from the shots and moved copies of them."""
        copies, shift, shots = settings.copies, settings.shift, task.shots.pictures
        evidence = of_copies(task.clip, shots, self.blocks, copies=copies, shift=shift, seed=seed)
        self.learn(task, settings, evidence, seed)
