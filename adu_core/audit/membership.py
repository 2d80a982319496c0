"""Can an attacker tell which pictures a model was unlearned with?"""

from __future__ import annotations

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from adu_core.audit.materials import Materials, logits
from adu_core.measure import image_features
from adu_core.task import DomainDataset, Model


def membership(materials: Materials) -> dict[str, float | None]:
    """How well used pictures are told from unused ones of the same kind, as an AUC in percent.

    The attacker has the labels and both models, and looks at how the log-probability of the true
    class changed from the frozen CLIP to the model. 50 is chance, 0 and 100 are certainty; kept
    and forgotten side each by themselves, None where a side has no picture.
    """
    changes = []
    for dataset in (materials.used, materials.unused):
        before, after = (
            _log_probability(model, dataset) for model in (materials.frozen, materials.model)
        )
        changes.append((after - before, materials.model.target.mask(dataset).cpu()))
    (used, used_gone), (unused, unused_gone) = changes
    return {
        "kept": auc(used[~used_gone], unused[~unused_gone]),
        "forgotten": auc(used[used_gone], unused[unused_gone]),
    }


def _log_probability(model: Model, dataset: DomainDataset) -> Tensor:
    """Of the true class: (N,), in nats, on the CPU."""
    found = logits(model, image_features(model, dataset.pictures), model.class_names)
    logs = found.log_softmax(dim=1)
    return logs.gather(1, dataset.labels.cpu()[:, None]).squeeze(1)


def auc(members: Tensor, others: Tensor) -> float | None:
    """How often a member's value is above another's, in percent; ties count half."""
    if len(members) == 0 or len(others) == 0:
        return None
    values = torch.cat([members, others]).double().numpy()
    return 100 * float(roc_auc_score([1] * len(members) + [0] * len(others), values))
