"""One measurement of one model: accuracy, Mem, For and H, and how entangled the domains are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from adu_core.measure import Measurable, Result, class_logits, image_features, result_of
from adu_core.runs.entanglement import entanglement
from adu_core.task import DomainDataset, Target, target


def evaluate(
    model: Measurable,
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
    if features is None:
        features = image_features(model, dataset.pictures)
    with torch.no_grad():
        predictions = class_logits(model, features, dataset.class_names).argmax(dim=1).cpu()
    result = result_of(predictions, dataset, target(forget))
    if entangled:
        result["entanglement"] = entanglement(
            features.cpu(),
            dataset.labels.cpu(),
            dataset.domains.cpu(),
            dataset.domain_names,
            bandwidth=bandwidth,
        )
    return result, features
