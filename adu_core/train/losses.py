"""The losses of ADU, as pure functions of logits or features, labels and domains.

Source of the definitions: Kawamura et al., "Approximate Domain Unlearning for Vision-Language
Models", NeurIPS 2025. Everything is computed in float32 or better, also under autocast. A batch
that lacks a domain, or a whole side, costs nothing there: the loss is 0 and still has a gradient.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from adu_core.measure.mmd import (
    BANDWIDTHS,
    median_squared_distance,
    mmd2,
    mmd2_matrix,
    precise,
    squared_distances,
)

__all__ = [
    "BANDWIDTHS",
    "Losses",
    "ddl",
    "domain_classification",
    "forget",
    "median_squared_distance",
    "memorize",
    "memorize_and_forget",
    "mmd2",
    "mmd2_matrix",
    "squared_distances",
    "total",
]


def memorize(logits: Tensor, labels: Tensor, memorized: Tensor) -> Tensor:
    """L_memorize: cross-entropy to the class, over the memorized domains' pictures.

    logits (B, C), labels (B,), memorized (B,) bool → scalar, in nats; 0 if none is memorized.
    """
    losses = F.cross_entropy(precise(logits), labels, reduction="none")
    return (losses * memorized).sum() / memorized.sum().clamp(min=1)


def forget(logits: Tensor, forgotten: Tensor) -> Tensor:
    """L_forget: cross-entropy to the uniform distribution, over the forgotten domains' pictures.

    Smallest, log C, where every class is equally probable: the entropy is then at its maximum.
    logits (B, C), forgotten (B,) bool → scalar, in nats; 0 if none is forgotten.
    """
    losses = -F.log_softmax(precise(logits), dim=1).mean(dim=1)
    return (losses * forgotten).sum() / forgotten.sum().clamp(min=1)


def domain_classification(domain_logits: Tensor, domains: Tensor) -> Tensor:
    """Cross-entropy of the domain classifier: domain_logits (B, D), domains (B,) → scalar, nats."""
    return F.cross_entropy(precise(domain_logits), domains)


def ddl(
    domain_logits: Tensor,
    features: Tensor,
    domains: Tensor,
    *,
    gamma: float,
    lam: float,
    multiples: tuple[float, ...] = BANDWIDTHS,
) -> Tensor:
    """Domain Disentangling Loss, γ · CE(domain classifier) - λ · MMD²: it pulls domains apart.

    domain_logits (B, D), features (B, E), domains (B,) → scalar. The sign of MMD² is the
    opposite of domain adaptation's, which draws the domains together.
    """
    count = domain_logits.shape[1]
    apart = mmd2(features, domains, domain_count=count, multiples=multiples)
    return gamma * domain_classification(domain_logits, domains) - lam * apart


class Losses(NamedTuple):
    """The parts of one step's loss and their sum, scalars with gradient."""

    total: Tensor
    memorize: Tensor
    forget: Tensor
    ddl: Tensor


def total(
    memorize_loss: Tensor, forget_loss: Tensor, ddl_loss: Tensor, forget_weight: float = 1.0
) -> Losses:
    """L_total = L_memorize + forget_weight · L_forget + L_domain; the paper's weight is 1."""
    return Losses(
        memorize_loss + forget_weight * forget_loss + ddl_loss,
        memorize_loss,
        forget_loss,
        ddl_loss,
    )


def memorize_and_forget(
    logits: Tensor, labels: Tensor, forgotten: Tensor, forget_weight: float = 1.0
) -> Losses:
    """L_memorize + forget_weight · L_forget, all that most methods are taught by.

    logits (B, C), labels (B,), forgotten (B,) bool → scalars
    """
    none = logits.new_zeros(())
    return total(
        memorize(logits, labels, ~forgotten), forget(logits, forgotten), none, forget_weight
    )
