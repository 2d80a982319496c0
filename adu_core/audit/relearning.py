"""How fast the forgotten comes back in training on a few pictures of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor

from adu_core.audit.materials import Materials, right
from adu_core.audit.recovery import few
from adu_core.dataset import DomainDataset
from adu_core.loop import Batch, Steps, train
from adu_core.rivals.edited import EditedCLIP, towards_class
from adu_core.task import Model

#: Pictures of each class that an attacker trains on, and how often they are drawn anew.
SHOTS, DRAWS = (1, 16), 3
#: Steps of AdamW, and the highest rates of the method's learned parts and of all weights [choice].
STEPS, BATCH, PARTS_RATE, WEIGHTS_RATE = 40, 32, 0.01, 3e-4


class Loss(NamedTuple):
    """Cross-entropy to the class, in nats."""

    total: Tensor


def relearning(
    materials: Materials,
    shots: Sequence[int] = SHOTS,
    steps: int = STEPS,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """Accuracy in percent on what should be forgotten, before and after training on it.

    shots: 0 and the numbers of pictures a class; then for each way the mean accuracy over ``draws``
    of these pictures, for each number, and under ``spread`` the least and the most of them:

    - ``parts``: the method's own learned parts learn on; None where it has none that can
    - ``weights``: those, and all weights of the vision tower
    - ``off``: the frozen CLIP, where the model refuses pictures: who holds the weights takes the
      gate off and has this without training. None where it does not
    - ``reference``: all weights of a CLIP that never saw what is to be forgotten. A model that
      comes back faster than this one still had something
    """
    attack, tried = materials.attack, materials.numbers(shots)
    found: dict[str, Any] = {"shots": [0, *tried], "draws": draws, "spread": {}}
    refuses = bool(materials.seen[1][1].any())
    found["off"] = [right(materials.frozen, materials.forgotten)] if refuses else None
    for way, model in (
        ("parts", materials.model if list(materials.model.parameters()) else None),
        ("weights", materials.model),
        ("reference", materials.exact),
    ):
        if model is None:
            found[way] = found["spread"][way] = None
            continue
        before = right(model, materials.forgotten)
        curve, spread = [before], [(before, before)]
        for count in tried:
            scores = []
            for draw in range(draws):
                pictures = attack.subset(few(attack, count, draw))
                taught = relearned(model, pictures, steps, draw, whole=way != "parts")
                scores.append(right(taught, materials.forgotten))
            curve.append(sum(scores) / draws)
            spread.append((min(scores), max(scores)))
        found[way], found["spread"][way] = curve, spread
    return found


def easiest(found: dict[str, Any]) -> float:
    """What comes back with the most pictures by the easiest way, the gate on or off."""
    return max(found[way][-1] for way in ("parts", "weights", "off") if found[way])


def relearned(
    model: Model, pictures: DomainDataset, steps: int, seed: int, *, whole: bool
) -> Model:
    """A copy of a model, trained to name the classes of ``pictures``; the model stays as it is.

    whole: all weights of the vision tower learn as well, and not the method's parts alone
    """
    tokenizer = model.clip.tokenizer  # learns nothing; copied, it would take longer than the rest
    taught = deepcopy(model, {id(tokenizer): tokenizer})
    groups: list[dict[str, Any]] = []
    inside: set[int] = set()
    if whole:
        clip = taught.edited if isinstance(taught, EditedCLIP) else taught.clip
        tower = list(clip.model.visual.requires_grad_(True).parameters())
        inside = {id(weight) for weight in tower}
        groups.append({"params": tower, "scale": WEIGHTS_RATE / PARTS_RATE})
    own = [weight for weight in taught.parameters() if id(weight) not in inside]
    if own:
        groups.append({"params": own})
    batches = math.ceil(len(pictures) / BATCH)
    settings = Steps(
        epochs=math.ceil(steps / batches),
        batch_size=BATCH,
        balanced=False,
        learning_rate=PARTS_RATE,
        crop=0.8,
    )

    def loss(batch: Batch) -> Loss:
        logits = taught.logits(taught.features(batch.pictures))
        return Loss(towards_class(logits, batch.labels))

    train(
        taught,
        pictures,
        torch.ones(len(pictures), dtype=torch.bool),
        settings,
        loss,
        torch.optim.AdamW(groups, lr=0.0, weight_decay=0.0),
        seed=seed,
    )
    return taught.eval()
