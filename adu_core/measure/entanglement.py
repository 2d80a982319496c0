"""How entangled the domains are in feature space."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from adu_core.measure.mmd import mmd2_matrix


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
) -> dict[str, float | dict[str, float]]:
    """How far the domains are apart, and the classes, in feature space.

    features (N, E); labels, domains (N,). Returns

    - ``knn_domain_accuracy``, ``probe_domain_accuracy``: percent of pictures whose domain a
      k-nearest-neighbour vote, or a logistic regression, names rightly (cross-validated);
    - ``silhouette_class``, ``silhouette_domain``: -1 to 1, how tightly the features gather by
      class and by domain. Entangled domains: the first is far above the second;
    - ``mmd2``: {"a|b": MMD²} for each pair of domains, 0 to 2. To compare two feature spaces,
      give both the same ``bandwidth`` (σ², a squared distance).

    Needs at least two classes and two domains. Raises ``ValueError`` if a domain has fewer than
    ``folds`` pictures.
    """
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
    points, of_domain = features.double().cpu().numpy(), domains.cpu().numpy()
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    knn = KNeighborsClassifier(min(neighbours, len(points) * (folds - 1) // folds))
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    matrix = mmd2_matrix(features.double(), domains, len(domain_names), bandwidth=bandwidth)
    return {
        "knn_domain_accuracy": 100
        * float(cross_val_score(knn, points, of_domain, cv=parts).mean()),
        "probe_domain_accuracy": 100
        * float(cross_val_score(probe, points, of_domain, cv=parts).mean()),
        "silhouette_class": float(silhouette_score(points, labels.cpu().numpy())),
        "silhouette_domain": float(silhouette_score(points, of_domain)),
        "mmd2": {
            f"{domain_names[a]}|{domain_names[b]}": matrix[a, b].item()
            for a, b in combinations(range(len(domain_names)), 2)
        },
    }
