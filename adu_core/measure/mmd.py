"""MMD²: how far apart the domains' features are, as distributions.

Everything is computed in float32 or better, also under autocast or where TF32 is allowed.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from adu_core.precision import exact

#: Bandwidths of the Gaussian kernels, as multiples of the median squared distance.
BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)

#: Matrices of so many pictures squared are as large as it gets where no gradient is needed.
MOST_PICTURES = 4000


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

    features (B, E) → scalar without gradient; 1 if there is no pair or all rows are the same. Of
    more than ``MOST_PICTURES`` rows, so many are taken, evenly spaced.
    """
    if len(features) > MOST_PICTURES:
        evenly = torch.arange(MOST_PICTURES, device=features.device) * len(features)
        features = features[evenly // MOST_PICTURES]
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
    matrix = _matrix(features, domains, domain_count, bandwidth, multiples)
    absent = ~F.one_hot(domains, domain_count).any(dim=0)
    return matrix.masked_fill(absent[:, None] | absent[None, :], math.nan)


def _matrix(
    features: Tensor,
    domains: Tensor,
    domain_count: int,
    bandwidth: Tensor | float | None,
    multiples: tuple[float, ...],
) -> Tensor:
    """``mmd2_matrix`` with numbers of no meaning in place of NaN, so that gradients stay finite."""
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
    return own[:, None] + own[None, :] - 2 * means


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
    present = F.one_hot(domains, domain_count).any(dim=0)
    matrix = _matrix(features, domains, domain_count, bandwidth, multiples)
    first, second = torch.triu_indices(domain_count, domain_count, offset=1, device=domains.device)
    pairs = present[first] & present[second]
    return torch.where(pairs, matrix[first, second], 0.0).sum() / pairs.sum().clamp(min=1)
