"""The rank of the correct class among the answers, and how sure they are."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from adu_core.audit.materials import Materials, logits, percent
from adu_core.task import Model

#: A distribution whose entropy is so near to the highest counts as flat.
FLAT = 0.99


def ranks(materials: Materials) -> dict[str, Any]:
    """Of the forgotten test pictures, by the frozen CLIP and by the model; in percent.

    among_first: the true class is the first, among the first three, among the first five
    ranks:       how often it has rank 1, 2, … C
    entropy:     of the answers, in percent of the highest; confidence: mean highest probability
    flat:        answers that are as good as flat; right_though_flat: of those, how many are right
    refused:     pictures that get no answer; their class is not among the first, and to whoever
                 asks their answer is as flat as can be
    """
    gone = materials.gone
    found = {"guessing": 100 / len(materials.test.class_names)}
    return found | {
        who: _of(model, features[gone], refused[gone], materials.forgotten.labels)
        for (who, model), (features, refused) in zip(materials.both, materials.seen, strict=True)
    }


def _of(model: Model, features: Tensor, refused: Tensor, labels: Tensor) -> dict[str, Any]:
    found = logits(model, features, model.class_names)
    found[refused] = 0.0
    logs, count = found.log_softmax(dim=1), found.shape[1]
    rank = (found > found.gather(1, labels[:, None])).sum(dim=1).masked_fill(refused, count)
    entropy = -(logs.exp() * logs).sum(dim=1) / math.log(count)
    flat = entropy > FLAT
    return {
        "among_first": {str(k): percent(rank < k) for k in (1, 3, 5) if k <= count},
        "ranks": (100 * torch.bincount(rank, minlength=count)[:count] / len(rank)).tolist(),
        "refused": percent(refused),
        "entropy": 100 * entropy.mean().item(),
        "confidence": 100 * logs.max(dim=1).values.exp().mean().item(),
        "flat": percent(flat),
        "right_though_flat": percent(rank[flat] == 0) if bool(flat.any()) else None,
    }
