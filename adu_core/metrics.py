"""What is measured: accuracy per domain; Mem, For and H; how entangled the domains are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from adu_core.losses import mmd2_matrix


def accuracy_per_domain(
    predictions: Tensor, labels: Tensor, domains: Tensor, domain_names: Sequence[str]
) -> dict[str, float]:
    """Accuracy in percent for each domain; NaN for a domain without pictures.

    predictions, labels, domains: (N,) integers
    """
    right = (predictions == labels).double()
    return {
        name: 100 * right[domains == number].mean().item()
        for number, name in enumerate(domain_names)
    }


def mem_for_h(accuracy: Mapping[str, float], forget: Sequence[str]) -> dict[str, float]:
    """Mem, For and H in percent, from the accuracy per domain.

    Mem is the mean accuracy of the memorized domains, For the mean error (100 - accuracy) of the
    forgotten ones, H their harmonic mean; for all three higher is better. Every domain counts
    alike, however many pictures it has.
    """
    mem = float(np.mean([value for name, value in accuracy.items() if name not in forget]))
    error = float(np.mean([100 - accuracy[name] for name in forget]))
    return {"mem": mem, "for": error, "h": harmonic_mean(mem, error)}


def harmonic_mean(a: float, b: float) -> float:
    """2ab / (a + b); 0 if either is 0."""
    return 2 * a * b / (a + b) if a > 0 and b > 0 else 0.0


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


def confidence_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half-width of its 95 % interval (Student's t); NaN half-width for one value."""
    from scipy.stats import t as student

    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("nan")
    spread = float(np.std(values, ddof=1)) / len(values) ** 0.5
    return mean, float(student.ppf(0.975, len(values) - 1)) * spread


def hypervolume(points: Sequence[tuple[float, float]]) -> float:
    """Area under the front of (Mem, For) points in percent, as a share of the whole, 0 to 100.

    The part of the square from (0, 0) to (100, 100) that some point dominates.
    """
    area, best = 0.0, 0.0
    for mem, error in sorted(points, reverse=True):
        if error > best:
            area += mem * (error - best)
            best = error
    return area / 100


def for_at_mem(points: Sequence[tuple[float, float]], mem: float) -> float:
    """The For that a front of (Mem, For) points reaches at a given Mem, all in percent.

    Linear between the points that no other dominates; that of the highest Mem counts for every
    Mem beyond it as 0, that of the lowest for every Mem below it.
    """
    front: list[tuple[float, float]] = []
    for point in sorted(points, reverse=True):
        if not front or point[1] > front[-1][1]:
            front.append(point)
    if mem > front[0][0]:
        return 0.0
    mems, errors = zip(*reversed(front), strict=True)
    return float(np.interp(mem, mems, errors))
