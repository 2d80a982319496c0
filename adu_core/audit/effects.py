"""What else unlearning changed: answers, calibration, features, and pictures in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from adu_core.audit.materials import Materials, logits, percent, right
from adu_core.data.corruptions import corrupted
from adu_core.measure import seen

#: Corruptions under which false refusals are counted.
CHANGED = ("JPEG 15", "noise 24")
#: Bins of the expected calibration error.
BINS = 15
#: How far styles are moved on the way from a memorized domain to a forgotten one.
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


def effects(materials: Materials) -> dict[str, Any]:
    """On what should be kept, by the frozen CLIP and by the model.

    accuracy:    of each domain, in percent
    refused:     of each class, in percent: what is refused though it should be answered
    refused_changed: of all of them together, under JPEG and noise
    ece:         expected calibration error of the answers, in percent; None without any
    cosine:      mean cosine of the model's features with the frozen CLIP's
    unchanged:   pictures whose answer is the frozen CLIP's, in percent
    negatives:   accuracy on the same pictures with all colours inverted, a look that no domain of
                 the training had
    """
    kept = materials.kept
    half = kept.subset(torch.arange(0, len(kept), 2))
    inverted = replace(half, pictures=255 - half.pictures)
    found, named, features = dict[str, Any](), [], []
    for (who, model), both in zip(materials.both, materials.seen, strict=True):
        of_kept, refused = (known[~materials.gone] for known in both)
        features.append(of_kept)
        sure, answered = logits(model, of_kept, kept.class_names).softmax(dim=1).max(dim=1)
        answered = answered.masked_fill(refused, -1)
        hits = answered == kept.labels.cpu()
        named.append(answered)
        found[who] = {
            "refused": _of_each(kept.class_names, kept.labels, refused),
            "accuracy": _of_each(kept.domain_names, kept.domains, hits),
            "refused_changed": {
                name: percent(seen(model, corrupted(kept, name).pictures)[1]) for name in CHANGED
            },
            "ece": (
                None if bool(refused.all()) else calibration_error(sure[~refused], hits[~refused])
            ),
            "negatives": right(model, inverted),
        }
    return {
        "cosine": (features[0] * features[1]).sum(dim=1).mean().item(),
        "unchanged": percent(named[0] == named[1]),
        **found,
    }


def _of_each(names: Sequence[str], numbers: Tensor, true: Tensor) -> dict[str, float]:
    """The share that is true, in percent, by name; ``numbers`` (N,) says which each is of."""
    places = {name: numbers.cpu() == number for number, name in enumerate(names)}
    return {name: percent(true[here]) for name, here in places.items() if here.any()}


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
