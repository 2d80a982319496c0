"""A linear classifier of domains, fitted to the shots' evidence: gates and door share it.

It is regularised, because a picture's evidence has more numbers than there are shots. It is
calibrated, and its threshold chosen, by cross-validation, because it fits the shots too well. The
classifiers are scikit-learn's; plain tensors are kept, so a fitted model needs no scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adu_core.precision import exact
from adu_core.settings import Settings, setting

#: Parts of the cross-validation; fewer where a domain has fewer shots [choice].
FOLDS = 5
#: Thresholds to choose from [choice]: at 0.5 a gate may miss half of the pictures in between.
THRESHOLDS = [number / 100 for number in range(5, 51)]
#: What logits are multiplied by, to choose from [choice].
LOGIT_SCALES = np.geomspace(0.02, 2.0, 40).tolist()
#: Longer evidence, as large CLIPs give, is first turned to so many principal components [choice].
COMPONENTS = 768


@dataclass(frozen=True)
class ClassifierSettings(Settings):
    """The settings of the domain classifier, which gates and door have."""

    classifier: Literal["lda", "logistic"] = setting(
        "lda", "linear discriminant analysis, or logistic regression"
    )
    shrinkage: float = setting(
        0.1,
        "of LDA's scatter within domains: 0 none, 1 all directions alike",
        above=0,
        most=1,
        search=(0.01, 0.03, 0.1, 0.3, 0.6),
    )
    inverse_penalty: float = setting(1e-3, "C of the logistic regression", above=0, most=1e6)
    threshold: float = setting(
        0.0,
        "pictures more probably forgotten are stopped; 0: chosen by cross-validation",
        least=0,
        most=0.99,
        search=(0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8),
    )
    copies: int = setting(
        8, "moved and mirrored copies of each shot", least=0, most=100, search=(0, 4, 8, 16)
    )
    shift: float = setting(
        0.08, "how far copies are moved at most, a share of the side", least=0, most=0.5
    )


class Linear(NamedTuple):
    """A fitted classifier: weight (D, F), bias (D,), and each input's mean and scale (F,)."""

    weight: Tensor
    bias: Tensor
    mean: Tensor
    scale: Tensor


class DomainClassifier(nn.Module):
    """``softmax(((x - mean) / scale) @ weight.T + bias)``: evidence (B, F) → (B, D).

    threshold: a scalar; a picture with a higher probability is taken for forgotten
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor
    scale: Tensor
    threshold: Tensor

    def __init__(self, size: int, domains: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(domains, size))
        self.register_buffer("bias", torch.zeros(domains))
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.register_buffer("threshold", torch.ones(()))

    def take(self, linear: Linear, threshold: float) -> None:
        """Become what was fitted."""
        for name, values in linear._asdict().items():
            getattr(self, name).copy_(values)
        self.threshold.fill_(threshold)

    def forward(self, evidence: Tensor) -> Tensor:
        """How probable each domain is: (B, F) → (B, D), in float32 also under autocast."""
        with exact(evidence.device):
            standard = (evidence.float() - self.mean) / self.scale
            return F.linear(standard, self.weight, self.bias).softmax(dim=1)


def fit_linear(
    evidence: Tensor,
    domains: Tensor,
    names: tuple[str, ...],
    settings: ClassifierSettings,
    seed: int,
) -> tuple[Linear, Tensor]:
    """The classifier, and what it answers for shots that it was fitted without.

    Standardised evidence, every domain of the same weight, and one logit scale for all, by
    the log loss over shots left out. A shot is left out with all its copies.

    evidence: (1 + copies, N, F); domains: (N,); names: of the D domains
    → the classifier, logit scale included, and probabilities (1 + copies, N, D), each by a
    classifier fitted without that shot

    Raises ``ValueError`` for a domain that has fewer than two shots.
    """
    # Late: a fitted model does without.
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    y = domains.cpu().numpy()
    counts = np.bincount(y, minlength=len(names))
    if counts.min() < 2:
        fewest = int(counts.argmin())
        raise ValueError(
            f"domain {names[fewest]!r} has too few shots, {counts[fewest]}: cross-validation needs "
            "two or more of every domain"
        )
    rows = np.arange(evidence[..., 0].numel()).reshape(evidence.shape[:2])
    X, linear = _standard(evidence.cpu().double().flatten(0, 1).numpy(), seed)
    model, labels = _untrained(settings, len(names)), np.tile(y, len(rows))
    folds = StratifiedKFold(min(FOLDS, int(counts.min())), shuffle=True, random_state=seed)
    # A shot and its copies are in one part.
    parts = [(rows[:, train].ravel(), rows[:, test].ravel()) for train, test in folds.split(y, y)]
    logits = cross_val_predict(model, X, labels, cv=parts, method="decision_function")
    model.fit(X, labels)
    weight, bias = model.coef_, model.intercept_
    if len(names) == 2:  # of two, scikit-learn keeps the difference
        weight, bias = np.concatenate([0 * weight, weight]), np.append(0.0, bias)
        logits = np.stack([0 * logits, logits], axis=1)
    unseen = torch.from_numpy(logits).view(*rows.shape, -1)
    truth = torch.from_numpy(labels)
    losses = [float(F.cross_entropy(unseen.flatten(0, 1) * t, truth)) for t in LOGIT_SCALES]
    logit_scale = LOGIT_SCALES[int(np.argmin(losses))]
    turned = torch.from_numpy(logit_scale * weight) @ linear.weight
    fitted = linear._replace(weight=turned, bias=torch.from_numpy(logit_scale * bias))
    return fitted, (logit_scale * unseen).softmax(dim=2)


def _standard(evidence: Any, seed: int) -> tuple[Any, Linear]:
    """Evidence (rows, F) standardised, (rows, F or fewer), and how that is done."""
    from sklearn.decomposition import PCA

    mean, scale = evidence.mean(axis=0), evidence.std(axis=0) + 1e-6
    X, turn = (evidence - mean) / scale, np.eye(evidence.shape[1])
    if X.shape[1] > COMPONENTS:
        pca = PCA(min(COMPONENTS, len(X)), svd_solver="randomized", random_state=seed).fit(X)
        turn = pca.components_
        X = X @ turn.T
    parts = (turn, np.zeros(len(turn)), mean, scale)
    return X, Linear(*map(torch.from_numpy, parts))


def _untrained(settings: ClassifierSettings, domains: int) -> Any:
    """scikit-learn's classifier with these settings."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression

    if settings.classifier == "logistic":
        C = settings.inverse_penalty
        return LogisticRegression(C=C, class_weight="balanced", max_iter=1000)
    even = np.full(domains, 1 / domains)
    return LinearDiscriminantAnalysis("lsqr", shrinkage=settings.shrinkage, priors=even)


def choose_threshold(
    probability: Tensor, right: Tensor, forgotten: Tensor, stoppable: Tensor
) -> float:
    """The threshold of the largest expected H, after smoothing over nine neighbours [choice].

    A stopped picture gets no answer, which counts as an error.

    probability: (N,) P(forgotten) of pictures that the classifier did not see
    right:       (N,) 1 where the frozen CLIP's answer is right, else 0
    forgotten:   (N,) bool: what is to be forgotten
    stoppable:   (N,) bool: what may be stopped at all
    """
    found = []
    for threshold in THRESHOLDS:
        stopped = (probability > threshold) & stoppable
        accuracy = torch.where(stopped, 0.0, right.double())
        mem, gone = accuracy[~forgotten].mean(), 1 - accuracy[forgotten].mean()
        found.append(2 * mem * gone / (mem + gone).clamp(min=1e-9))
    H = torch.stack(found)[None, None]
    smooth = F.avg_pool1d(H, 9, 1, 4, count_include_pad=False)[0, 0]
    return THRESHOLDS[int(smooth.round(decimals=9).argmax())]  # rounding decides no tie
