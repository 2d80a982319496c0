"""What unlearning did beside forgetting: to answers, certainty, features, and neighbours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from adu_core.audit.materials import Materials, answers, percent, right
from adu_core.task import Model

#: Bins of the expected calibration error.
BINS = 15
#: How far styles are moved on the way from a memorized domain to a forgotten one.
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


def effects(materials: Materials) -> dict[str, Any]:
    """On what should be kept, by the frozen CLIP and by the model.

    accuracy:    of each domain, in percent
    ece:         expected calibration error, in percent
    cosine:      mean cosine of the model's features with the frozen CLIP's
    unchanged:   pictures whose answer is the frozen CLIP's, in percent
    negatives:   accuracy on the same pictures with all colours inverted, a look that no domain of
                 the training had
    """
    frozen, after = (features[~materials.gone] for features in materials.features)
    kept = materials.kept
    names, labels = kept.class_names, kept.labels.cpu()
    half = kept.subset(torch.arange(0, len(kept), 2))
    inverted = replace(half, pictures=255 - half.pictures)
    pairs = (("frozen", materials.frozen, frozen), ("model", materials.model, after))
    said = {who: answers(model, features, names) for who, model, features in pairs}
    return {
        "cosine": (frozen * after).sum(dim=1).mean().item(),
        "unchanged": percent(said["frozen"] == said["model"]),
        **{
            who: {
                "accuracy": {
                    name: percent((said[who] == labels)[kept.domains == number])
                    for number, name in enumerate(kept.domain_names)
                    if bool((kept.domains == number).any())
                },
                "ece": calibration_error(*_confidence(model, features, labels)),
                "negatives": right(model, inverted),
            }
            for who, model, features in pairs
        },
    }


@torch.no_grad()
def _confidence(model: Model, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    logits = model.logits(features.to(model.clip.device), model.class_names).float().cpu()
    sure, named = logits.softmax(dim=1).max(dim=1)
    return sure, named == labels


def calibration_error(confidence: Tensor, hits: Tensor, bins: int = BINS) -> float:
    """Expected calibration error in percent: |accuracy - confidence|, over bins of confidence.

    confidence (N,) from 0 to 1, hits (N,) bool. Bins are of equal width, weighted by what is in
    them (Guo et al., ICML 2017).
    """
    place = (confidence.double() * bins).long().clamp(max=bins - 1)
    counts = torch.bincount(place, minlength=bins).double()
    sure = torch.bincount(place, confidence.double(), minlength=bins)
    good = torch.bincount(place, hits.double(), minlength=bins)
    return 100 * ((good - sure).abs().sum() / counts.sum()).item()


def between(materials: Materials, per_class: int = 6) -> dict[str, Any] | None:
    """Accuracy in percent on the way from each memorized domain to each forgotten one.

    {"real → sketch": {"strength": […], "frozen": […], "model": […]}}: the same things drawn in
    the memorized domain's style, moved a part of the way. A model that forgets too much fails
    before the way is half gone. None where styles cannot be moved, or no domain is forgotten.
    """
    target = materials.model.target
    if not materials.drawn or target.kind != "domains":
        return None
    found: dict[str, Any] = {}
    for near in (name for name in materials.test.domain_names if name not in target.domains):
        for far in target.domains:
            way: dict[str, list[float]] = {"strength": list(STRENGTHS), "frozen": [], "model": []}
            for strength in STRENGTHS:
                pictures = materials.moved(near, far, strength, per_class)
                for who, accuracy in materials.right(pictures).items():
                    way[who].append(accuracy)
            found[f"{near} → {far}"] = way
    return found
