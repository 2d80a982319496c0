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


def clouds(apart: float, domains: int = 3, each: int = 40, size: int = 12) -> tuple[Tensor, Tensor]:
    """Evidence (3, N, size), two of them noisy copies, and domains (N,); cloud d lies along e_d."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(domains).repeat(each)
    x = torch.randn(len(y), size, generator=generator) + apart * torch.eye(size)[y]
    copies = [x, *(x + 0.1 * torch.randn(x.shape, generator=generator) for _ in range(2))]
    return torch.stack(copies) * 7 + 3, y


def fitted(
    settings: ClassifierSettings, X: Tensor, y: Tensor, names: tuple[str, ...]
) -> DomainClassifier:
    model = DomainClassifier(X.shape[-1], len(names))
    model.take(fit_linear(X, y, names, settings, 0)[0], 0.5)
    return model


def shots(sizes: tuple[int, ...], width: int = 6) -> tuple[Tensor, Tensor]:
    """Evidence (2 copies, N, width) of domains that overlap, so many of each; domains (N,).

    The last number is the same of all.
    """
    draw = torch.Generator().manual_seed(0)
    domains = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    middles = torch.randn(len(sizes), width, generator=draw)
    evidence = middles[domains] + 2 * torch.randn(2, len(domains), width, generator=draw)
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
            said = torch.from_numpy(model.decision_function(X[copy, test]))
            expected[copy, test] = (scale * said).softmax(dim=1)
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


@pytest.mark.parametrize("width", [40, LONG])
def test_the_same_seed_gives_the_same_classifier(width: int) -> None:
    evidence, domains = shots((9, 9, 9), width)
    settings = ClassifierSettings()
    first, again = (fit_linear(evidence, domains, NAMES, settings, SEED) for _ in range(2))
    assert all(map(torch.equal, first[0], again[0]))
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], fit_linear(evidence, domains, NAMES, settings, 4)[1])


def test_logistic_regression_goes_on_until_it_is_done() -> None:
    """Numbers that are nearly one number take more than scikit-learn's 100 steps."""
    evidence, domains = shots((400, 400, 400), width=20)
    nearly = evidence[..., :1] + 0.1 * evidence
    settings = ClassifierSettings(classifier="logistic", inverse_penalty=1e6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_linear(nearly, domains, NAMES, settings, SEED)


@pytest.mark.parametrize("kind", ["lda", "logistic"])
@pytest.mark.parametrize("domains", [2, 3])
def test_clouds_far_apart_are_told(kind: str, domains: int) -> None:
    X, y = clouds(8.0, domains)
    linear, unseen = fit_linear(X, y, NAMES[:domains], ClassifierSettings(classifier=kind), 0)  # type: ignore[arg-type]
    assert (unseen.argmax(2) == y).float().mean() > 0.98
    model = DomainClassifier(X.shape[-1], domains)
    model.take(linear, 0.5)
    P = model(X[0])
    assert (P.argmax(1) == y).float().mean() > 0.98
    torch.testing.assert_close(P.sum(1), torch.ones(len(y)))


@pytest.mark.parametrize("kind", ["lda", "logistic"])
def test_the_nearer_a_cloud_the_more_probable(kind: str) -> None:
    X, y = clouds(1.0)
    model = fitted(ClassifierSettings(classifier=kind), X, y, NAMES)  # type: ignore[arg-type]
    first, second = (X[0][y == d].mean(0) for d in (0, 1))
    line = torch.stack([first + part * (second - first) for part in torch.linspace(0, 1, 21)])
    P = model(line)
    assert (P[:, 0].diff() < 0).all()
    assert (P[:, 1].diff() > 0).all()


def test_probabilities_are_what_they_say() -> None:
    X, y = clouds(1.5, domains=2, each=400, size=3)
    _, unseen = fit_linear(X, y, NAMES[:2], ClassifierSettings(shrinkage=0.01), 0)
    P = unseen[0, :, 1]
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        some = (low < P) & (high >= P)
        assert abs(float(P[some].mean() - y[some].double().mean())) < 0.06


def test_the_forward_pass_is_the_formula_that_is_documented() -> None:
    X, y = clouds(2.0)
    model = fitted(ClassifierSettings(), X, y, NAMES)
    by_hand = ((X[0] - model.mean) / model.scale) @ model.weight.T + model.bias
    torch.testing.assert_close(model(X[0]), by_hand.softmax(1))
    mean, scale = X.flatten(0, 1).mean(0), X.flatten(0, 1).std(0, correction=0)
    torch.testing.assert_close(model.mean, mean)
    torch.testing.assert_close(model.scale, scale)


def test_shots_that_are_left_out_are_left_out_with_their_copies() -> None:
    # Noise without domains, many numbers: a classifier that saw a copy would know its shot again.
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(2).repeat(30)
    X = torch.randn(60, 80, generator=generator).expand(4, -1, -1)
    _, unseen = fit_linear(X, y, NAMES[:2], ClassifierSettings(shrinkage=0.01), 0)
    assert abs(float((unseen.argmax(2) == y).double().mean()) - 0.5) < 0.2


def test_long_evidence_goes_through_principal_components() -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(2).repeat(20)
    X = torch.randn(2, 40, 1000, generator=generator)
    X[..., :50] += 3.0 * y[:, None]
    model = fitted(ClassifierSettings(), X, y, NAMES[:2])
    assert model.weight.shape == (2, 1000)
    assert (model(X[0]).argmax(1) == y).all()


def test_folds_follow_the_smallest_domain_and_one_shot_is_too_few() -> None:
    X, y = clouds(8.0, domains=2)
    index = torch.cat([torch.where(y == 0)[0], torch.where(y == 1)[0][:2]])
    _, unseen = fit_linear(X[:, index], y[index], NAMES[:2], ClassifierSettings(), 0)
    assert unseen.isfinite().all()
    for count in (1, 0):
        index = torch.cat([torch.where(y == 0)[0], torch.where(y == 1)[0][:count]])
        wanted = f"domain 'east' has too few shots, {count}: cross-validation needs two or more of "
        with pytest.raises(ValueError, match=f"^{wanted}every domain$"):
            fit_linear(X[:, index], y[index], NAMES[:2], ClassifierSettings(), 0)


def by_hand(probability: Any, right: Any, forgotten: Any, chance: float, stoppable: Any) -> float:
    """The same threshold, picture by picture."""
    H = []
    for threshold in THRESHOLDS:
        kept, gone = [], []
        for p, r, f, may in zip(probability, right, forgotten, stoppable, strict=True):
            accuracy = chance if p > threshold and may else float(r)
            (gone if f else kept).append(accuracy)
        mem, error = np.mean(kept), 1 - np.mean(gone)
        H.append(2 * mem * error / (mem + error) if mem + error else 0.0)
    smooth = [np.mean(H[max(0, k - 4) : k + 5]) for k in range(len(H))]
    return THRESHOLDS[int(np.argmax(smooth))]


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
    found = choose_threshold(probability, right, forgotten, 0.25, stoppable)
    told = (values.tolist() for values in (probability, right, forgotten))
    assert found == by_hand(*told, 0.25, stoppable.tolist())


def test_a_classifier_that_never_is_right_still_gets_a_threshold() -> None:
    """No picture is right and none may be stopped: Mem and H are 0."""
    none = torch.zeros(4, dtype=torch.bool)
    forgotten = torch.tensor([False, False, True, True])
    found = choose_threshold(torch.rand(4), none, forgotten, 0.5, none)
    assert found == THRESHOLDS[0]
