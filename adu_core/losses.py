"""The losses of ADU, as pure functions of logits or features, labels and domains.

Source of the definitions: Kawamura et al., "Approximate Domain Unlearning for Vision-Language
Models", NeurIPS 2025. Everything is computed in float32 or better, also under autocast. A batch
that lacks a domain, or a whole side, costs nothing there: the loss is 0 and still has a gradient.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

#: Bandwidths of the Gaussian kernels, as multiples of the median squared distance.
BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)


def _precise(values: Tensor) -> Tensor:
    """Half precision becomes float32; float32 and float64 stay what they are."""
    return values if values.dtype in (torch.float32, torch.float64) else values.float()


def _exact(values: Tensor) -> torch.autocast:
    """A block whose matrix products autocast leaves alone."""
    return torch.autocast(values.device.type, enabled=False)


def memorize(logits: Tensor, labels: Tensor, memorized: Tensor) -> Tensor:
    """L_memorize: cross-entropy to the class, over the memorized domains' pictures.

    logits (B, C), labels (B,), memorized (B,) bool → scalar, in nats; 0 if none is memorized.
    """
    losses = F.cross_entropy(_precise(logits), labels, reduction="none")
    return (losses * memorized).sum() / memorized.sum().clamp(min=1)


def forget(logits: Tensor, forgotten: Tensor) -> Tensor:
    """L_forget: cross-entropy to the uniform distribution, over the forgotten domains' pictures.

    Smallest, log C, where every class is equally probable: the entropy is then at its maximum.
    logits (B, C), forgotten (B,) bool → scalar, in nats; 0 if none is forgotten.
    """
    losses = -F.log_softmax(_precise(logits), dim=1).mean(dim=1)
    return (losses * forgotten).sum() / forgotten.sum().clamp(min=1)


def domain_classification(domain_logits: Tensor, domains: Tensor) -> Tensor:
    """Cross-entropy of the domain classifier: domain_logits (B, D), domains (B,) → scalar, nats."""
    return F.cross_entropy(_precise(domain_logits), domains)


def squared_distances(features: Tensor) -> Tensor:
    """Squared Euclidean distance of every pair: (B, E) → (B, B), exactly 0 on the diagonal."""
    norms = features.square().sum(dim=1)
    with _exact(features):
        distances = (norms[:, None] + norms[None, :] - 2 * features @ features.T).clamp(min=0)
    return distances * (1 - torch.eye(len(features), dtype=features.dtype, device=features.device))


def median_squared_distance(features: Tensor) -> Tensor:
    """The median heuristic: median squared distance of two different rows, as a constant.

    features (B, E) → scalar without gradient; 1 if there is no pair or all rows are the same.
    """
    distances = squared_distances(_precise(features).detach())
    pairs = distances[~torch.eye(len(distances), dtype=torch.bool, device=distances.device)]
    median = pairs.median() if len(pairs) else distances.new_ones(())
    return torch.where(median > 0, median, torch.ones_like(median))


def mmd2_matrix(
    features: Tensor,
    domains: Tensor,
    domain_count: int,
    *,
    bandwidth: Tensor | float | None = None,
    multiples: tuple[float, ...] = BANDWIDTHS,
) -> Tensor:
    """MMD² of every pair of domains: the squared distance of their mean embeddings.

    For the kernel k(x, y) = mean over s of exp(-|x - y|² / (2 s σ²)) and the embedding φ that
    belongs to it, entry (a, b) is |mean φ(x in a) - mean φ(x in b)|², the biased (V-statistic)
    estimate. It lies between 0 and 2 and is NaN where a domain has no picture.

    features (B, E); domains (B,) in 0 to D-1; ``bandwidth`` is σ², by default the median squared
    distance in the batch; ``multiples`` are the s → (D, D), symmetric, zero diagonal.
    """
    features = _precise(features)
    sigma2 = median_squared_distance(features) if bandwidth is None else bandwidth
    distances = squared_distances(features) / (2 * sigma2)
    kernel = torch.zeros_like(distances)
    for s in multiples:  # one by one: on thousands of pictures a stack would take gigabytes
        kernel = kernel + torch.exp(-distances / s) / len(multiples)
    # Row d of `weights` averages over the pictures of domain d: all block means at once.
    members = F.one_hot(domains, domain_count).to(features.dtype).T
    weights = members / members.sum(dim=1, keepdim=True)  # 0 / 0 = NaN marks an absent domain
    with _exact(features):
        means = weights @ kernel @ weights.T
    own = means.diagonal()
    return own[:, None] + own[None, :] - 2 * means


def mmd2(
    features: Tensor,
    domains: Tensor,
    *,
    bandwidth: Tensor | float | None = None,
    multiples: tuple[float, ...] = BANDWIDTHS,
) -> Tensor:
    """MMD² between domains, the mean over the pairs of domains that the batch holds.

    features (B, E), domains (B,) → scalar; 0, with a gradient of 0, for fewer than two domains.
    The arguments are those of ``mmd2_matrix``.
    """
    present, numbered = domains.unique(return_inverse=True)
    if len(present) < 2:
        return (_precise(features) * 0).sum()
    matrix = mmd2_matrix(features, numbered, len(present), bandwidth=bandwidth, multiples=multiples)
    first, second = torch.triu_indices(len(present), len(present), offset=1)
    return matrix[first, second].mean()


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
    apart = mmd2(features, domains, multiples=multiples)
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
