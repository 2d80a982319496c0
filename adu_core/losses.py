"""The losses of ADU, as pure functions of logits or features, labels and domains.

Source of the definitions: Kawamura et al., "Approximate Domain Unlearning for Vision-Language
Models", NeurIPS 2025. Everything is computed in float32 or better, also under autocast or where
TF32 is allowed. If a batch lacks a domain, or a whole side, the loss for it is 0
and still has a gradient.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from adu_core.precision import exact

#: Bandwidths of the Gaussian kernels, as multiples of the median squared distance.
BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)


def precise(values: Tensor) -> Tensor:
    """Half precision becomes float32; float32 and float64 stay what they are."""
    return values if values.dtype in (torch.float32, torch.float64) else values.float()


def squared_distances(features: Tensor) -> Tensor:
    """Squared Euclidean distance of every pair: (B, E) → (B, B), exactly 0 on the diagonal."""
    norms = features.square().sum(dim=1)
    with exact(features.device):
        distances = (norms[:, None] + norms[None, :] - 2 * features @ features.T).clamp(min=0)
    return distances * (1 - torch.eye(len(features), dtype=features.dtype, device=features.device))


def median_squared_distance(features: Tensor) -> Tensor:
    """The median heuristic: median squared distance of two different rows, as a constant.

    features (B, E) → scalar without gradient; 1 if there is no pair or all rows are the same.
    """
    distances = squared_distances(precise(features).detach())
    count = len(distances)
    if count < 2:
        return distances.new_ones(())
    # All but the diagonal, by where it lies: a mask would make a GPU be waited for.
    pairs = distances.flatten()[1:].view(count - 1, count + 1)[:, :-1]
    median = pairs.flatten().median()
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
    distance in the batch; ``multiples`` are the s → (D, D), symmetric, zero diagonal. Raises
    ``ValueError`` for a bandwidth or a multiple that is not above 0.
    """
    for what, values in (("bandwidth", [bandwidth]), ("multiple", multiples)):
        # One that is on a GPU is not looked at: the GPU would have to be waited for.
        known = [x for x in values if isinstance(x, int | float) or (x is not None and x.is_cpu)]
        wrong = [x for x in known if not 0 < x < math.inf]
        if wrong:
            raise ValueError(f"a {what} of MMD² must be a number above 0, not {wrong[0]}")
    features = precise(features)
    sigma2 = median_squared_distance(features) if bandwidth is None else bandwidth
    distances = squared_distances(features) / (2 * sigma2)
    kernel = torch.zeros_like(distances)
    for s in multiples:  # one by one: on thousands of pictures a stack would take gigabytes
        kernel = kernel + torch.exp(-distances / s) / len(multiples)
    # Row d of `weights` averages over the pictures of domain d: all block means at once.
    members = F.one_hot(domains, domain_count).to(features.dtype).T
    weights = members / members.sum(dim=1, keepdim=True).clamp(min=1)
    with exact(features.device):
        means = weights @ kernel @ weights.T
    own = means.diagonal()
    absent = ~members.any(dim=1)
    matrix = own[:, None] + own[None, :] - 2 * means
    return matrix.masked_fill(absent[:, None] | absent[None, :], math.nan)


def mmd2(
    features: Tensor,
    domains: Tensor,
    *,
    domain_count: int | None = None,
    bandwidth: Tensor | float | None = None,
    multiples: tuple[float, ...] = BANDWIDTHS,
) -> Tensor:
    """MMD² between domains, the mean over the pairs of domains that the batch holds.

    features (B, E), domains (B,) → scalar; 0, with a gradient of 0, for fewer than two domains.
    ``domain_count``, how many domains there may be, spares a GPU the count of those there are. The
    other arguments are those of ``mmd2_matrix``.
    """
    if domain_count is None:
        domain_count = int(domains.max()) + 1 if len(domains) else 0
    if domain_count < 2:
        return (precise(features) * 0).sum()
    matrix = mmd2_matrix(features, domains, domain_count, bandwidth=bandwidth, multiples=multiples)
    first, second = torch.triu_indices(domain_count, domain_count, offset=1, device=domains.device)
    present = F.one_hot(domains, domain_count).any(dim=0)
    pairs = present[first] & present[second]
    return torch.where(pairs, matrix[first, second], 0.0).sum() / pairs.sum().clamp(min=1)


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
    whole = memorize_loss + forget_weight * forget_loss + ddl_loss
    return Losses(whole, memorize_loss, forget_loss, ddl_loss)


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
