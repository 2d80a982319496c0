"""How entangled the domains are in feature space."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from adu_core.losses import median_squared_distance, mmd2_matrix

#: Of more pictures so many are measured: matrices of so many squared fit into any memory.
MOST_PICTURES = 4000


def stratified(labels: Tensor, domains: Tensor, most: int = MOST_PICTURES, seed: int = 0) -> Tensor:
    """At most ``most`` of N pictures: their places (n,) int64, rising; the same for the same seed.

    labels, domains (N,). Of every class in every domain, and of every domain, as many are drawn
    as are its share of ``most``, to less than one picture.
    """
    labels, domains = labels.cpu(), domains.cpu()
    count = len(labels)
    if count <= most:
        return torch.arange(count)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    cell = domains * (int(labels.max()) + 1) + labels
    order = order[cell[order].argsort(stable=True)]  # cell after cell, each shuffled
    evenly = (torch.arange(most) * count + count // 2) // most
    return order[evenly].sort().values


def entanglement(
    features: Tensor,
    labels: Tensor,
    domains: Tensor,
    domain_names: Sequence[str],
    *,
    bandwidth: Tensor | float | None = None,
    neighbours: int = 10,
    folds: int = 5,
    seed: int = 0,
    most: int = MOST_PICTURES,
) -> dict[str, float | dict[str, float]]:
    """How far the domains are apart, and the classes, in feature space.

    features (N, E); labels, domains (N,). Returns

    - ``knn_domain_accuracy``, ``probe_domain_accuracy``: percent of pictures whose domain a
      k-nearest-neighbour vote, or a logistic regression, names correctly (cross-validated);
    - ``silhouette_class``, ``silhouette_domain``: -1 to 1, how tightly the features gather by
      class and by domain. Entangled domains: the first is far above the second;
    - ``mmd2``: {"a|b": MMD²} for each pair of domains, 0 to 2. To compare two feature spaces,
      give both the same ``bandwidth`` (σ², a squared distance);
    - ``bandwidth``: the σ² that was used, by default the median squared distance;
    - ``pictures``: how many were measured. Of more than ``most``, a fixed part is, drawn
      by ``stratified`` from the labels and domains alone: the same in every feature space.

    Needs at least two classes and two domains. Raises ``ValueError`` if a domain has fewer than
    ``folds`` pictures.
    """
    from sklearn.linear_model import LogisticRegression  # late: it takes a second
    from sklearn.metrics import silhouette_score
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    part = stratified(labels, domains, most, seed)
    features, labels, domains = (x.cpu()[part] for x in (features, labels, domains))
    counts = torch.bincount(domains, minlength=len(domain_names))
    if int(counts.min()) < folds:
        few = ", ".join(
            f"{name!r} has {n}"
            for name, n in zip(domain_names, counts.tolist(), strict=True)
            if n < folds
        )
        raise ValueError(
            f"{few} pictures to measure on, and entanglement needs {folds} of each domain: "
            "add pictures to the folder"
        )
    features = features.double()
    points, of_domain = features.numpy(), domains.numpy()
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    knn = KNeighborsClassifier(min(neighbours, len(points) * (folds - 1) // folds))
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    found_by_knn, found_by_probe = (
        100 * float(cross_val_score(reader, points, of_domain, cv=parts).mean())
        for reader in (knn, probe)
    )
    sigma2 = float(median_squared_distance(features) if bandwidth is None else bandwidth)
    matrix = mmd2_matrix(features, domains, len(domain_names), bandwidth=sigma2)
    return {
        "knn_domain_accuracy": found_by_knn,
        "probe_domain_accuracy": found_by_probe,
        "silhouette_class": float(silhouette_score(points, labels.numpy())),
        "silhouette_domain": float(silhouette_score(points, of_domain)),
        "bandwidth": sigma2,
        "pictures": len(part),
        "mmd2": {
            f"{domain_names[a]}|{domain_names[b]}": matrix[a, b].item()
            for a, b in combinations(range(len(domain_names)), 2)
        },
    }
