"""A CLIP looked at from outside, before and after unlearning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import torch
from torch import Tensor

from adu_core.adapter import Adapter
from adu_core.clip import FrozenCLIP
from adu_core.data.dataset import DomainDataset
from adu_core.metrics import accuracy_per_domain, entanglement, mem_for_h


class Result(TypedDict):
    """What is measured of one model; percentages, see ``adu_core.metrics``."""

    metrics: dict[str, float]
    accuracy: dict[str, float]
    entanglement: dict[str, float | dict[str, float]]


@torch.no_grad()
def image_features(
    clip: FrozenCLIP, pictures: Tensor, adapter: Adapter | None = None, batch_size: int = 256
) -> Tensor:
    """Features, of length 1, of many pictures: (N, 3, S, S) uint8 → (N, feature_size)."""
    encode = clip.encode_image if adapter is None else adapter
    return torch.cat([encode(batch).float() for batch in pictures.split(batch_size)])


@torch.no_grad()
def class_logits(
    clip: FrozenCLIP,
    features: Tensor,
    class_names: Sequence[str],
    adapter: Adapter | None = None,
) -> Tensor:
    """Logits of features (N, feature_size) → (N, C), zero-shot or with an adapter."""
    if adapter is not None:
        return adapter.logits(features, class_names)
    return clip.logit_scale * features @ clip.class_features(class_names).T


def accuracies(
    clip: FrozenCLIP, dataset: DomainDataset, adapter: Adapter | None = None
) -> dict[str, float]:
    """Accuracy in percent for each domain of ``dataset``, zero-shot or with an adapter."""
    return _accuracies(clip, dataset, image_features(clip, dataset.pictures, adapter), adapter)


def _accuracies(
    clip: FrozenCLIP, dataset: DomainDataset, features: Tensor, adapter: Adapter | None
) -> dict[str, float]:
    logits = class_logits(clip, features, dataset.class_names, adapter)
    predictions = logits.argmax(dim=1).cpu()
    return accuracy_per_domain(
        predictions, dataset.labels.cpu(), dataset.domains.cpu(), dataset.domain_names
    )


def evaluate(
    clip: FrozenCLIP,
    dataset: DomainDataset,
    forget: Sequence[str],
    adapter: Adapter | None = None,
    *,
    bandwidth: Tensor | float | None = None,
) -> tuple[Result, Tensor]:
    """Accuracy, Mem, For, H and entanglement on ``dataset``, and the features (N, feature_size).

    ``bandwidth`` is the σ² of MMD²; give the state after unlearning the one from before.
    """
    features = image_features(clip, dataset.pictures, adapter)
    accuracy = _accuracies(clip, dataset, features, adapter)
    forget = [dataset.domain_names[dataset.domain_index(name)] for name in forget]
    result: Result = {
        "metrics": mem_for_h(accuracy, forget),
        "accuracy": accuracy,
        "entanglement": entanglement(
            features.cpu(),
            dataset.labels.cpu(),
            dataset.domains.cpu(),
            dataset.domain_names,
            bandwidth=bandwidth,
        ),
    }
    return result, features
