"""The domain classifier against scikit-learn's own, and its threshold against one found by hand."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from adu_core.rivals.domain_classifier import (
    COMPONENTS,
    LOGIT_SCALES,
    THRESHOLDS,
    ClassifierSettings,
    DomainClassifier,
    choose_threshold,
    fit_linear,
)

Kind = Literal["lda", "logistic"]
KINDS: tuple[Kind, ...] = ("lda", "logistic")
NAMES = ("north", "east", "south")
SEED = 3
#: So long is evidence that is turned to its principal components first.
LONG = COMPONENTS + 32


def shots(sizes: tuple[int, ...], width: int = 6, apart: float = 0.5) -> tuple[Tensor, Tensor]:
    """Evidence (2 copies, N, width) of domains that overlap, so many of each; domains (N,).

    The last number is the same of all. ``apart``: domains' distances in standard deviations.
    """
    draw = torch.Generator().manual_seed(0)
    domains = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    middles = torch.randn(len(sizes), width, generator=draw)
    noise = torch.randn(2, len(domains), width, generator=draw)
    evidence = middles[domains] + noise / apart
    evidence[..., -1] = 5.0
    return evidence, domains


def theirs(kind: Kind, settings: ClassifierSettings, domains: int) -> Any:
    if kind == "lda":
        even = [1 / domains] * domains
        return LinearDiscriminantAnalysis("lsqr", shrinkage=settings.shrinkage, priors=even)
    return LogisticRegression(C=settings.inverse_penalty, class_weight="balanced")


@pytest.mark.parametrize("width", [6, LONG])
@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_scikit_learns_says(kind: Kind, width: int) -> None:
    """Of shots that it saw, and of shots that it did not, up to one logit scale for all."""
    evidence, domains = shots((20, 6, 9), width)
    settings = ClassifierSettings(classifier=kind, inverse_penalty=0.2, shrinkage=0.3)
    linear, unseen = fit_linear(evidence, domains, NAMES, settings, SEED)
    flat = evidence.double().flatten(0, 1)
    torch.testing.assert_close(linear.scale, flat.std(dim=0, correction=0) + 1e-6)
    standard = (evidence.double() - flat.mean(dim=0)) / (flat.std(dim=0, correction=0) + 1e-6)
    X, y = standard.numpy(), domains
    if width == LONG:  # as many as there are shots and copies: there can be no more
        pca = PCA(2 * 35, svd_solver="randomized", random_state=SEED).fit(np.concatenate(X))
        X = X @ pca.components_.T
    model = theirs(kind, settings, 3).fit(np.concatenate(X), np.tile(y, 2))
    ours = standard @ linear.weight.T + linear.bias
    decided = torch.from_numpy(model.decision_function(np.concatenate(X))).view(2, -1, 3)
    scale = float((ours * decided).sum() / (decided * decided).sum())
    assert min(abs(scale - t) for t in LOGIT_SCALES) < 1e-6
    torch.testing.assert_close(ours, scale * decided, rtol=1e-4, atol=1e-4)

    expected = torch.zeros_like(unseen)
    for train, test in StratifiedKFold(5, shuffle=True, random_state=SEED).split(y, y):
        model = theirs(kind, settings, 3).fit(np.concatenate(X[:, train]), np.tile(y[train], 2))
        for copy in range(2):
            answers = torch.from_numpy(model.decision_function(X[copy, test]))
            expected[copy, test] = (scale * answers).softmax(dim=1)
    torch.testing.assert_close(unseen, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_domains_the_first_has_no_weights(kind: Kind) -> None:
    evidence, domains = shots((9, 9))
    linear, unseen = fit_linear(
        evidence, domains, NAMES[:2], ClassifierSettings(classifier=kind), SEED
    )
    assert torch.equal(linear.weight[0], torch.zeros(6, dtype=torch.float64))
    assert linear.bias[0] == 0
    assert linear.weight[1, :-1].abs().min() > 0
    torch.testing.assert_close(unseen.sum(dim=2), torch.ones(2, 18, dtype=torch.float64))


def test_the_same_seed_gives_the_same_classifier() -> None:
    evidence, domains = shots((9, 9, 9), LONG)
    first, again, other = (
        fit_linear(evidence, domains, NAMES, ClassifierSettings(), seed) for seed in (3, 3, 4)
    )
    assert all(map(torch.equal, first[0], again[0]))
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])


def test_logistic_regression_goes_on_until_it_is_done() -> None:
    """Numbers that are nearly one number take more than scikit-learn's 100 steps."""
    evidence, domains = shots((400, 400, 400), width=20)
    nearly = evidence[..., :1] + 0.1 * evidence
    settings = ClassifierSettings(classifier="logistic", inverse_penalty=1e6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_linear(nearly, domains, NAMES, settings, SEED)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("domains", [2, 3])
def test_far_domains_are_recognised_by_the_formula_that_is_documented(
    kind: Kind, domains: int
) -> None:
    X, y = shots((40,) * domains, apart=8.0)
    settings = ClassifierSettings(classifier=kind)
    linear, unseen = fit_linear(X, y, NAMES[:domains], settings, 0)
    model = DomainClassifier(X.shape[-1], domains)
    model.take(linear, 0.5)
    by_hand = ((X[0] - model.mean) / model.scale) @ model.weight.T + model.bias
    torch.testing.assert_close(model(X[0]), by_hand.softmax(1))
    for answers in (*unseen, model(X[0])):
        assert (answers.argmax(1) == y).float().mean() > 0.98


def test_probabilities_are_what_they_say() -> None:
    X, y = shots((2000, 2000), width=4, apart=0.6)
    _, unseen = fit_linear(X, y, NAMES[:2], ClassifierSettings(shrinkage=0.01), 0)
    P = unseen[0, :, 1]
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        between = (low < P) & (high >= P)
        assert between.sum() > 200
        assert abs(float(P[between].mean() - y[between].double().mean())) < 0.06


def test_folds_follow_the_smallest_domain_and_one_shot_is_too_few() -> None:
    X, y = shots((40, 2))
    _, unseen = fit_linear(X, y, NAMES[:2], ClassifierSettings(), 0)
    assert unseen.isfinite().all()
    for count in (1, 0):
        wanted = f"domain 'east' has too few shots, {count}: cross-validation needs two or more of "
        with pytest.raises(ValueError, match=f"^{wanted}every domain$"):
            fit_linear(*shots((40, count)), NAMES[:2], ClassifierSettings(), 0)


def by_hand(probability: Any, right: Any, forgotten: Any, stoppable: Any) -> float:
    """The same threshold, picture by picture."""
    H = []
    for threshold in THRESHOLDS:
        kept, gone = [], []
        for p, r, f, may in zip(probability, right, forgotten, stoppable, strict=True):
            accuracy = 0.0 if p > threshold and may else float(r)
            (gone if f else kept).append(accuracy)
        mem, error = np.mean(kept), 1 - np.mean(gone)
        H.append(2 * mem * error / (mem + error) if mem + error else 0.0)
    smooth = [np.mean(H[max(0, k - 4) : k + 5]) for k in range(len(H))]
    return THRESHOLDS[int(np.argmax(np.round(smooth, 9)))]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("seed", range(8))
def test_the_threshold_is_the_one_found_by_hand(seed: int, rate: float) -> None:
    draw = torch.Generator().manual_seed(seed)
    forgotten = torch.rand(60, generator=draw) < 0.3
    # Every probability is one of the thresholds: a picture is stopped above it, not at it.
    tried = torch.tensor(THRESHOLDS, dtype=torch.float64)
    first = torch.where(forgotten, 12, 0)
    probability = tried[(first + torch.randint(0, 33, (60,), generator=draw))]
    right = torch.rand(60, generator=draw) < rate
    stoppable = torch.rand(60, generator=draw) < 0.8
    found = choose_threshold(probability, right, forgotten, stoppable)
    lists = (values.tolist() for values in (probability, right, forgotten))
    assert found == by_hand(*lists, stoppable.tolist())


def test_a_classifier_that_never_is_right_still_gets_a_threshold() -> None:
    """No picture is right and none may be stopped: Mem and H are 0."""
    none = torch.zeros(4, dtype=torch.bool)
    forgotten = torch.tensor([False, False, True, True])
    found = choose_threshold(torch.rand(4), none, forgotten, none)
    assert found == THRESHOLDS[0]
