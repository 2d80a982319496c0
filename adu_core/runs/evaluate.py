"""One measurement of one model: accuracy, Mem, For and H, and how entangled the domains are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from adu_core.clip import FrozenCLIP
from adu_core.dataset import DomainDataset, Target, target
from adu_core.measure import accuracy_per_domain, class_logits, scores, seen
from adu_core.runs.entanglement import entanglement
from adu_core.runs.record import Measured
from adu_core.task import Model

#: From this probability on an answer is confident.
CONFIDENT = 0.5


@dataclass(frozen=True)
class Answers:
    """A model's features and answers, which do not depend on what is to be forgotten.

    features: (N, feature_size); on the CPU predictions (N,) int64, -1 where it refuses, and
    confident (N,) bool
    """

    features: Tensor
    predictions: Tensor
    confident: Tensor
    entanglement: dict[str, float | dict[str, float]] | None

    @property
    def bandwidth(self) -> float | None:
        """The σ² of MMD²; None if entanglement was not measured."""
        return cast("float | None", (self.entanglement or {}).get("bandwidth"))


def answers(
    model: Model | FrozenCLIP,
    dataset: DomainDataset,
    *,
    entangled: bool = True,
    bandwidth: Tensor | float | None = None,
    known: tuple[Tensor, Tensor] | None = None,
) -> Answers:
    """Features, predictions and entanglement on ``dataset``; the arguments are ``evaluate``'s."""
    features, refused = known or seen(model, dataset.pictures)
    features = features.to((model if isinstance(model, FrozenCLIP) else model.clip).device)
    with torch.no_grad():
        logits = class_logits(model, features, dataset.class_names)
        probability, named = (each.cpu() for each in logits.softmax(dim=1).max(dim=1))
    predictions = named.masked_fill(refused, -1)
    labels, domains, names = dataset.labels.cpu(), dataset.domains.cpu(), dataset.domain_names
    found = (
        entanglement(features.cpu(), labels, domains, names, bandwidth=bandwidth)
        if entangled
        else None
    )
    return Answers(features, predictions, (probability >= CONFIDENT) & ~refused, found)


def evaluate(
    model: Model | FrozenCLIP,
    dataset: DomainDataset,
    forget: Target | Sequence[str],
    *,
    entangled: bool = True,
    bandwidth: Tensor | float | None = None,
    known: tuple[Tensor, Tensor] | None = None,
) -> tuple[Measured, Tensor]:
    """Accuracy, Mem, For, H and entanglement on ``dataset``, and the features (N, feature_size).

    forget:    a target, or the domains to forget
    entangled: whether entanglement is measured too, which takes longer than all the rest
    bandwidth: the σ² of MMD²; give the state after unlearning the one from before
    known:     what ``seen`` finds in ``dataset``, if that was done
    """
    found = answers(model, dataset, entangled=entangled, bandwidth=bandwidth, known=known)
    return score(found, dataset, target(forget)), found.features


def score(found: Answers, dataset: DomainDataset, forget: Target) -> Measured:
    """Accuracies, Mem, For and H of answers to ``dataset``, for what is to be forgotten."""
    predictions, gone = found.predictions, forget.mask(dataset).cpu()
    labels, domains, names = dataset.labels.cpu(), dataset.domains.cpu(), dataset.domain_names
    refused = (predictions < 0).double()

    def accuracy(side: Tensor) -> dict[str, float]:
        """In percent, for each domain that a side has pictures of."""
        of_all = accuracy_per_domain(predictions[side], labels[side], domains[side], names)
        return {name: value for name, value in of_all.items() if value == value}

    def share(flags: Tensor, side: Tensor) -> float:
        """The mean over the domains that a side has pictures of, in percent."""
        there = domains[side].unique().tolist()
        return 100 * float(np.mean([flags[side & (domains == d)].mean().item() for d in there]))

    kept, forgotten = accuracy(~gone), accuracy(gone)
    result: Measured = {
        "metrics": {
            **scores(kept, forgotten),
            "refused": share(refused, gone),
            "confident": share(found.confident.double(), gone),
            "refused_mem": share(refused, ~gone),
        },
        "accuracy": accuracy_per_domain(predictions, labels, domains, names),
        "kept": kept,
        "forgotten": forgotten,
    }
    if found.entanglement is not None:
        result["entanglement"] = found.entanglement
    return result
