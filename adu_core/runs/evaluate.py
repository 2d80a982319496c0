"""One measurement of one model: accuracy, Mem, For and H, and how entangled the domains are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict, cast

import torch
from torch import Tensor

from adu_core.clip import FrozenCLIP
from adu_core.measure import accuracy_per_domain, class_logits, image_features, scores
from adu_core.runs.entanglement import entanglement
from adu_core.task import DomainDataset, Model, Target, target


class Result(TypedDict):
    """What is measured of one model; percentages.

    accuracy:        of each domain, all its pictures together
    kept, forgotten: of each domain's pictures that are kept, and that are forgotten
    """

    metrics: dict[str, float]
    accuracy: dict[str, float]
    kept: dict[str, float]
    forgotten: dict[str, float]
    entanglement: NotRequired[dict[str, float | dict[str, float]]]


@dataclass(frozen=True)
class Answers:
    """What a model makes of pictures, whatever is to be forgotten.

    features: (N, feature_size); predictions: (N,) int64, on the CPU
    """

    features: Tensor
    predictions: Tensor
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
    features: Tensor | None = None,
) -> Answers:
    """Features, predictions and entanglement on ``dataset``; the arguments are ``evaluate``'s."""
    if features is None:
        features = image_features(model, dataset.pictures)
    with torch.no_grad():
        predictions = class_logits(model, features, dataset.class_names).argmax(dim=1).cpu()
    labels, domains, names = dataset.labels.cpu(), dataset.domains.cpu(), dataset.domain_names
    found = (
        entanglement(features.cpu(), labels, domains, names, bandwidth=bandwidth)
        if entangled
        else None
    )
    return Answers(features, predictions, found)


def evaluate(
    model: Model | FrozenCLIP,
    dataset: DomainDataset,
    forget: Target | Sequence[str],
    *,
    entangled: bool = True,
    bandwidth: Tensor | float | None = None,
    features: Tensor | None = None,
) -> tuple[Result, Tensor]:
    """Accuracy, Mem, For, H and entanglement on ``dataset``, and the features (N, feature_size).

    forget:    a target, or the domains to forget
    entangled: whether entanglement is measured too, which takes longer than all the rest
    bandwidth: the σ² of MMD²; give the state after unlearning the one from before
    features:  (N, feature_size) of ``dataset``, if they are known already
    """
    found = answers(model, dataset, entangled=entangled, bandwidth=bandwidth, features=features)
    return score(found, dataset, target(forget)), found.features


def score(found: Answers, dataset: DomainDataset, forget: Target) -> Result:
    """Accuracies, Mem, For and H of answers to ``dataset``, for what is to be forgotten."""
    predictions = found.predictions
    gone = forget.mask(dataset).cpu()
    labels, domains, names = dataset.labels.cpu(), dataset.domains.cpu(), dataset.domain_names
    kept, forgotten = (
        {
            name: value
            for number, (name, value) in enumerate(
                accuracy_per_domain(predictions[side], labels[side], domains[side], names).items()
            )
            if bool((domains[side] == number).any())
        }
        for side in (~gone, gone)
    )
    result: Result = {
        "metrics": scores(kept, forgotten),
        "accuracy": accuracy_per_domain(predictions, labels, domains, names),
        "kept": kept,
        "forgotten": forgotten,
    }
    if found.entanglement is not None:
        result["entanglement"] = found.entanglement
    return result
