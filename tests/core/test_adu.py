"""ADU as a method: what it is called, what a search tries, and how its parts reach a fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from adu_core import (
    ABLATION,
    ADU,
    MINI,
    Adapter,
    FrozenCLIP,
    Loop,
    Splits,
    Target,
    Task,
    fit,
    load_clip,
    method,
    objective,
)
from adu_core.machine.files import plain, read_tensors
from adu_core.runs.checkpoint import Checkpoint

QUICK = replace(MINI, epochs=2, batch_size=8)


@pytest.fixture
def task(tiny_clip: FrozenCLIP, few: Splits) -> Task:
    return Task(tiny_clip, few.shots, Target(("sketch",)))


def test_the_ablation_has_the_papers_names() -> None:
    assert {name: each.name for name, each in ABLATION.items()} == {n: n for n in ABLATION}
    assert {name: each.summary for name, each in ABLATION.items()} == {
        "baseline": "vision prompts",
        "instapg": "vision prompts + InstaPG",
        "ddl": "vision prompts + DDL",
        "full": "vision prompts + InstaPG + DDL",
    }


def test_a_search_tries_what_is_in_play() -> None:
    all_of_them = {"epochs", "learning_rate", "forget_weight", "prompt_tokens"}
    ddl, instapg = {"gamma", "lam"}, {"instapg_block", "instapg_wiring"}
    assert ABLATION["baseline"].search().keys() == all_of_them
    assert ABLATION["ddl"].search().keys() == all_of_them | ddl
    assert ABLATION["instapg"].search().keys() == all_of_them | instapg
    assert ABLATION["full"].search().keys() == all_of_them | ddl | instapg


def learned(model: torch.nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_the_seed_is_0_and_decides_prompts_and_steps(task: Task) -> None:
    first, zero, other = (QUICK.start(task, *seed) for seed in ((), (0,), (1,)))
    assert torch.equal(learned(first), learned(zero))
    assert not torch.equal(learned(first), learned(other))
    first, zero, other = (QUICK.fit(task, *seed) for seed in ((), (0,), (1,)))
    assert torch.equal(learned(first), learned(zero))
    assert not torch.equal(learned(first), learned(other))
    assert not first.training


@dataclass(frozen=True)
class OfClasses(ADU):
    """The method, made to forget classes alone."""

    kinds = frozenset({"classes"})


def test_what_is_asked_is_checked_before_any_work(task: Task) -> None:
    run = Loop(progress=False, after_epoch=lambda *_: pytest.fail("it went to work"))
    with pytest.raises(ValueError, match="cannot forget domains"):
        OfClasses(epochs=2, batch_size=8).fit(task, run=run)
    assert not run.history


def test_a_fit_says_what_it_is_and_is_watched(
    task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[int] = []
    path = tmp_path / "training.safetensors"
    run = Loop(
        progress=False, checkpoint=Checkpoint(path), after_epoch=lambda done, _: seen.append(done)
    )
    QUICK.fit(task, 7, run)
    assert seen == [1, 2]
    assert len(run.history) == 2
    about = read_tensors(path)[1]
    told = {"method": QUICK.as_dict(), "forget": task.target.as_dict(), "seed": 7}
    assert {key: about["run"][key] for key in told} == plain(told)
    assert about["history"] == run.history
    QUICK.fit(task)
    assert capsys.readouterr().err == ""  # no bar unless one is asked for


# The first steps, from the formulas alone: open_clip's own blocks, and autograd.

RATES = 0.02, 0.03  # of the first epoch, and the highest
MOMENTUM, DECAY = 0.5, 0.1


def features_by_hand(
    clip: FrozenCLIP, pictures: Tensor, learned: Mapping[str, Tensor], asked: int
) -> Tensor:
    """Prompts behind the patches of each block; before block ``asked`` InstaPG adds its answers."""
    tower = clip.model.visual
    patches = tower.conv1(pictures).flatten(2).mT
    cls = tower.class_embedding.expand(len(patches), 1, -1)
    x = tower.ln_pre(torch.cat([cls, patches], dim=1) + tower.positional_embedding)
    tokens, own, answers = learned["vision.tokens"], x.shape[1], torch.zeros(())
    prompts = torch.cat([tower.ln_pre(tokens[:1]), tokens[1:]])
    for number, block in enumerate(tower.transformer.resblocks):
        if number == asked and "instapg.query.weight" in learned:
            answers = answers_by_hand(clip.heads, prompts[number], x[:, 1:], learned)
        behind = (prompts[number] + answers).expand(len(x), -1, -1)
        x = block(torch.cat([x, behind], dim=1))[:, :own]
    return F.normalize(tower.ln_post(x[:, 0]) @ tower.proj, dim=1)


def answers_by_hand(
    heads: int, prompts: Tensor, patches: Tensor, learned: Mapping[str, Tensor]
) -> Tensor:
    """Cross-attention: prompts (P, width) ask, patches (B, N, width) answer → (B, P, width)."""

    def part(name: str, x: Tensor) -> Tensor:
        return F.linear(x, learned[f"instapg.{name}.weight"], learned[f"instapg.{name}.bias"])

    def norm(name: str, x: Tensor) -> Tensor:
        weight, bias = learned[f"instapg.{name}.weight"], learned[f"instapg.{name}.bias"]
        return F.layer_norm(x, x.shape[-1:], weight, bias)

    prompts, patches = norm("prompt_norm", prompts), norm("patch_norm", patches)
    query, key, value = (
        part(name, x).unflatten(-1, (heads, -1))
        for name, x in (("query", prompts), ("key", patches), ("value", patches))
    )
    look = torch.einsum("phd,bnhd->bhpn", query, key) / query.shape[-1] ** 0.5
    mixed = torch.einsum("bhpn,bnhd->bphd", look.softmax(dim=-1), value)
    return part("output", mixed.flatten(2))


def mmd2_by_hand(features: Tensor, domains: Tensor) -> Tensor:
    apart = (features[:, None] - features).square().sum(dim=2)
    sigma2 = apart[~torch.eye(len(apart), dtype=torch.bool)].median().detach()
    kernel = sum(torch.exp(-apart / (2 * s * sigma2)) for s in (0.25, 0.5, 1, 2, 4)) / 5

    def mean(a: int, b: int) -> Tensor:
        return kernel[domains == a][:, domains == b].mean()

    pairs = list(combinations(domains.unique().tolist(), 2))
    return sum(mean(a, a) + mean(b, b) - 2 * mean(a, b) for a, b in pairs) / len(pairs)


def losses_by_hand(task: Task, learned: Mapping[str, Tensor], asked: int) -> dict[str, Tensor]:
    """Memorize, uniform answers for what is forgotten, and DDL with γ = 3 and λ = 10."""
    clip, shots = task.clip, task.shots
    gone = shots.domains == shots.domain_names.index("sketch")
    features = features_by_hand(clip, clip.normalise(shots.pictures), learned, asked)
    words = clip.class_features(shots.class_names)
    said = (clip.logit_scale * features @ words.T).log_softmax(dim=1)
    right = said[range(len(said)), shots.labels]
    found = {"memorize": -right[~gone].mean(), "forget": -said[gone].mean(), "ddl": 0 * said.sum()}
    if "domain_classifier.0.weight" in learned:
        names = "domain_classifier.0.weight", "domain_classifier.0.bias"
        told = F.cross_entropy(F.linear(features, *(learned[key] for key in names)), shots.domains)
        found["ddl"] = 3 * told - 10 * mmd2_by_hand(features, shots.domains)
    return found


@pytest.mark.parametrize("name", ABLATION)
def test_two_steps_go_down_the_gradient_of_the_objective(name: str, few: Splits) -> None:
    """All shots in each batch, uncropped: SGD's own formula, by autograd of the paper's losses."""
    settings: Any = method(
        name, "mini", epochs=2, batch_size=len(few.shots), crop=1.0, flip=False, forget_weight=0.7,
        warmup_rate=RATES[0], learning_rate=RATES[1], momentum=MOMENTUM, weight_decay=DECAY,
    )  # fmt: skip
    task, run = Task(load_clip("mini"), few.shots, Target(("sketch",))), Loop(progress=False)
    found = dict(settings.fit(task, run=run).named_parameters())
    start = {key: value.detach() for key, value in settings.start(task).named_parameters()}
    assert found.keys() == start.keys()
    sizes = [value.numel() for value in start.values()]
    weight = torch.cat([value.flatten() for value in start.values()])
    speed = torch.zeros_like(weight)
    for entry, rate in zip(run.history, (RATES[0], RATES[1] / 2), strict=True):  # half a cosine
        parts = zip(start, weight.split(sizes), start.values(), strict=True)
        learned = {key: part.view_as(like).requires_grad_() for key, part, like in parts}
        losses = losses_by_hand(task, learned, settings.instapg_block)
        total = losses["memorize"] + 0.7 * losses["forget"] + losses["ddl"]
        assert entry == pytest.approx(
            {"total": total.item()} | {key: value.item() for key, value in losses.items()}, rel=1e-3
        )
        slopes = torch.autograd.grad(total, list(learned.values()))
        slope = torch.cat([part.flatten() for part in slopes])
        speed = MOMENTUM * speed + slope + DECAY * weight
        weight = weight - rate * speed
    for (key, value), end in zip(found.items(), weight.split(sizes), strict=True):
        moved, wanted = value - start[key], end.view_as(value) - start[key]
        assert (moved - wanted).norm() < 0.01 * wanted.norm() + 1e-6, key


@pytest.mark.parametrize("name", ABLATION)
def test_only_the_adapter_learns(name: str, tiny_clip: FrozenCLIP, few: Splits) -> None:
    parts = {"instapg": ABLATION[name].instapg, "ddl": ABLATION[name].ddl}
    settings = replace(QUICK, **parts, text_tokens=2)
    weights = {key: value.clone() for key, value in tiny_clip.state_dict().items()}
    names = few.shots.class_names, few.shots.domain_names
    start = dict(Adapter(tiny_clip, *names, ["sketch"], settings, seed=0).named_parameters())
    adapter, history = fit(tiny_clip, few.shots, ["sketch"], settings, progress=False)
    assert all(torch.equal(weights[key], value) for key, value in tiny_clip.state_dict().items())
    assert all(parameter.grad is None for parameter in tiny_clip.parameters())
    for key, value in adapter.named_parameters():
        assert not torch.equal(value, start[key]), key
    assert len(history) == 2
    children = {name for name, _ in adapter.named_children()}
    assert {part: part in children for part in ("instapg", "domain_classifier")} == {
        "instapg": parts["instapg"],
        "domain_classifier": parts["ddl"],
    }


# What ADU is taught.

LOGITS = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 0.0]])
LABELS = torch.tensor([0, 0, 1, 1])
DOMAINS = torch.tensor([0, 0, 1, 1])
FORGOTTEN = torch.tensor([False, False, True, True])
FEATURES = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])

MEMORIZE = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))) / 2
FORGET = (math.log(math.exp(3) + 1) - 1.5 + math.log(2)) / 2


def taught(settings: ADU, domain_logits: Tensor | None = None, **changes: Any) -> Any:
    known = {
        "features": FEATURES, "logits": LOGITS, "labels": LABELS, "domains": DOMAINS,
        "forgotten": FORGOTTEN,
    }  # fmt: skip
    return objective(settings, domain_logits=domain_logits, **known | changes)


@pytest.mark.parametrize("multiples", [(0.25, 0.5, 1.0, 2.0, 4.0), (4.0,)])
def test_the_objective_is_the_sum_of_its_parts_by_hand(multiples):
    settings = ADU(gamma=3.0, lam=5.0, forget_weight=0.5, bandwidths=multiples)
    parts = taught(settings)
    assert parts.memorize.item() == pytest.approx(MEMORIZE)
    assert parts.forget.item() == pytest.approx(FORGET)
    assert parts.ddl.item() == 0
    assert parts.total.item() == pytest.approx(MEMORIZE + 0.5 * FORGET)
    # The domain classifier says nothing: log 2 nats. The median squared distance of two different
    # pictures is 4, that of the two domains.
    mmd2 = 2 - 2 * sum(math.exp(-1 / (2 * s)) for s in multiples) / len(multiples)
    ddl = 3 * math.log(2) - 5 * mmd2
    parts = taught(settings, torch.zeros(4, 2))
    assert parts.ddl.item() == pytest.approx(ddl, rel=1e-5)
    assert parts.total.item() == pytest.approx(MEMORIZE + 0.5 * FORGET + ddl, rel=1e-5)


def test_memorize_and_forget_are_not_the_same_thing_the_other_way_round():
    parts, swapped = taught(ADU()), taught(ADU(), forgotten=~FORGOTTEN)
    assert abs(parts.memorize - swapped.memorize) > 0.1
    assert abs(parts.forget - swapped.forget) > 0.01
    logits = LOGITS.clone().requires_grad_()
    taught(ADU(), logits=logits).total.backward()
    slope = logits.grad
    assert slope is not None
    assert (slope[:2, 0] < 0).all()  # memorized: more for the right class
    assert (slope[:2, 1] > 0).all()
    # Forgotten: less for the class it is sure of, right or not.
    assert slope[2, 0] > 0 > slope[2, 1]
    assert slope[3].abs().max() < 1e-6  # and content where it knows nothing
    # The classes of forgotten pictures are of no account.
    assert torch.equal(taught(ADU(), labels=torch.tensor([0, 0, 0, 0])).total, parts.total)


def test_the_domain_classifier_and_mmd2_pull_domains_apart():
    apart = torch.tensor([[5.0, 0.0], [5.0, 0.0], [0.0, 5.0], [0.0, 5.0]])
    assert taught(ADU(), apart).total < taught(ADU(), torch.zeros(4, 2)).total
    assert taught(ADU(), -apart).total > taught(ADU(), torch.zeros(4, 2)).total
    features = FEATURES.clone().requires_grad_()
    parts = taught(ADU(gamma=0.0, bandwidths=(50.0,)), torch.zeros(4, 2), features=features)
    parts.total.backward()
    assert features.grad is not None
    assert (features.grad[:2, 0] < 0).all()  # a step against it moves the first domain further
    assert (features.grad[2:, 0] > 0).all()
