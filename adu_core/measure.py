"""A model's features, its answers, and the share of them that is correct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from adu_core.clip import FrozenCLIP
from adu_core.dataset import DomainDataset
from adu_core.task import Model

#: Pictures at a time: with many more, what a block computes leaves a processor's cache.
BATCH = 64


@torch.no_grad()
def image_features(model: Model | FrozenCLIP, pictures: Tensor) -> Tensor:
    """Features, of length 1, of many pictures: (N, 3, S, S) uint8 → (N, feature_size)."""
    return torch.cat([model.features(batch).float() for batch in pictures.split(BATCH)])


@torch.no_grad()
def class_logits(model: Model | FrozenCLIP, features: Tensor, class_names: Sequence[str]) -> Tensor:
    """Logits of features (N, feature_size) → (N, C)."""
    return model.logits(features, class_names)


@torch.no_grad()
def seen(model: Model | FrozenCLIP, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Features of many pictures, and which of them get no answer.

    (N, 3, S, S) uint8 → (N, feature_size), of length 1, and (N,) bool, on the CPU
    """
    if isinstance(model, FrozenCLIP):
        return image_features(model, pictures), torch.zeros(len(pictures), dtype=torch.bool)
    found = [model.seen(batch) for batch in pictures.split(BATCH)]
    features, refused = (torch.cat(parts) for parts in zip(*found, strict=True))
    return features.float(), refused.cpu()


def predictions(model: Model | FrozenCLIP, dataset: DomainDataset) -> Tensor:
    """The class that the model names for each picture, -1 if it refuses: (N,) int64, on the CPU."""
    features, refused = seen(model, dataset.pictures)
    named = class_logits(model, features, dataset.class_names).argmax(dim=1).cpu()
    return named.masked_fill(refused, -1)


def accuracies(model: Model | FrozenCLIP, dataset: DomainDataset) -> dict[str, float]:
    """Accuracy in percent for each domain of ``dataset``."""
    return accuracy_per_domain(
        predictions(model, dataset),
        dataset.labels.cpu(),
        dataset.domains.cpu(),
        dataset.domain_names,
    )


def accuracy_per_domain(
    predictions: Tensor, labels: Tensor, domains: Tensor, domain_names: Sequence[str]
) -> dict[str, float]:
    """Accuracy in percent for each domain; NaN for a domain without pictures.

    predictions, labels, domains: (N,) integers; a prediction of -1 is a refusal, and so an error
    """
    right = (predictions == labels).double()
    return {
        name: 100 * right[domains == number].mean().item()
        for number, name in enumerate(domain_names)
    }


def mem_for_h(accuracy: Mapping[str, float], forget: Sequence[str]) -> dict[str, float]:
    """Mem, For, H and selectivity in percent, from the accuracy per domain.

    Mem is the mean accuracy of the memorized domains, For the mean error (100 - accuracy) of the
    forgotten ones, H their harmonic mean; for all three higher is better. Selectivity is
    Mem + For - 100: 0 for a model that damages all domains alike. Every domain counts
    alike, however many pictures it has.
    """
    kept = {name: value for name, value in accuracy.items() if name not in forget}
    return scores(kept, {name: accuracy[name] for name in forget})


def scores(kept: Mapping[str, float], forgotten: Mapping[str, float]) -> dict[str, float]:
    """The same, from the accuracy on what is kept and on what is forgotten, for each domain."""
    mem = float(np.mean(list(kept.values())))
    error = float(np.mean([100 - value for value in forgotten.values()]))
    h = harmonic_mean(mem, error)
    return {"mem": mem, "for": error, "h": h, "selectivity": mem + error - 100}


def harmonic_mean(a: float, b: float) -> float:
    """2ab / (a + b); 0 if either is 0, NaN if either is."""
    return 2 * a * b / (a + b) if a + b else 0.0
