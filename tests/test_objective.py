"""ADU as a method: what it is called, what a search tries, and how its parts reach a fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from adu_core import ABLATION, ADU, MINI, FrozenCLIP, Loop, Splits, Target, Task, method
from adu_core.measure.mmd import mmd2
from adu_core.methods.adu import method as adu
from adu_core.methods.surgery import project_conflict
from adu_core.train.losses import Losses

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


def test_small_clips_have_settings_of_their_own() -> None:
    short = {"epochs": 12, "gamma": 3.0, "lam": 10.0}
    assert dict(ABLATION["full"].small) == {**short, "instapg_block": 0}
    assert dict(ABLATION["baseline"].small) == {**short, "forget_weight": 0.3}
    assert dict(ABLATION["ddl"].small) == dict(ABLATION["instapg"].small) == short


def test_a_search_tries_what_is_in_play() -> None:
    weight = {"forget_weight": (0.3, 1.0, 3.0, 10.0), "learning_rate": (0.0025, 0.01, 0.03)}
    ddl = {"gamma": (1.0, 3.0, 10.0), "lam": (1.0, 3.0, 10.0)}
    block = {"instapg_block": (0, 1, 2, 3)}
    assert ABLATION["baseline"].search() == weight
    assert ABLATION["ddl"].search() == weight | ddl
    assert ABLATION["instapg"].search() == weight | block
    assert ABLATION["full"].search() == weight | ddl | block


def learned(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_the_seed_is_0_and_decides_prompts_and_steps(task: Task) -> None:
    first, zero, other = (QUICK.start(task, *seed) for seed in ((), (0,), (1,)))
    assert torch.equal(learned(first), learned(zero))
    assert not torch.equal(learned(first), learned(other))
    first, zero, other = (QUICK.fit(task, *seed) for seed in ((), (0,), (1,)))
    assert torch.equal(learned(first), learned(zero))
    assert not torch.equal(learned(first), learned(other))
    assert not first.training


def test_what_is_asked_is_checked_before_any_work(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[Task] = []

    def check(_settings: ADU, asked: Task) -> None:
        checked.append(asked)
        raise ValueError("not this")

    monkeypatch.setattr(ADU, "check", check)
    monkeypatch.setattr(adu, "train", lambda *_, **__: pytest.fail("it went to work"))
    with pytest.raises(ValueError, match="not this"):
        QUICK.fit(task)
    assert checked == [task]


def test_a_fit_says_what_it_is_and_is_watched(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    real = adu.train

    def watched(*words: Any, **named: Any) -> None:
        seen.update(named, words=words, drawn=learned(words[0]))
        real(*words, **named)

    monkeypatch.setattr(adu, "train", watched)
    run = Loop(progress=False)
    QUICK.fit(task, 7, run)
    assert seen["seed"] == 7
    assert torch.equal(seen["drawn"], learned(QUICK.start(task, 7)))
    assert seen["run"] is run
    assert len(run.history) == 2
    assert seen["about"] == {"method": QUICK.as_dict(), "forget": task.target.as_dict()}
    assert torch.equal(seen["words"][2], task.forgotten)
    assert seen["backward"] is adu.backward
    QUICK.fit(task)
    assert seen["run"].progress is False
    mended = replace(QUICK, surgery=True)
    mended.fit(task)
    assert seen["backward"] == mended._mended


@pytest.mark.parametrize("name", ["baseline", "full"])
def test_the_losses_of_a_batch_are_those_of_its_pictures(
    task: Task, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Features, logits and domain logits are those of the adapter; labels are the batch's."""
    calls: list[tuple[dict[str, Any], Any]] = []
    real = adu.objective

    def watched(settings: ADU, **named: Any) -> Losses:
        calls.append((named, settings))
        return real(settings, **named)

    monkeypatch.setattr(adu, "objective", watched)
    settings = method(name, "mini", epochs=1, batch_size=len(task.shots))
    settings.fit(task)
    ((named, asked),) = calls
    assert asked is settings
    assert sorted(named["labels"].tolist()) == sorted(task.shots.labels.tolist())
    own = [domain == task.shots.domain_names.index("sketch") for domain in named["domains"]]
    assert named["forgotten"].tolist() == [bool(each) for each in own]
    torch.testing.assert_close(named["features"].norm(dim=1), torch.ones(32))
    assert named["logits"].shape == (32, 4)
    if name == "baseline":
        assert named["domain_logits"] is None
    else:
        assert named["domain_logits"].shape == (32, 4)


def test_surgery_mends_forgetting_against_memorizing_and_ddl() -> None:
    """Against ``project_conflict`` itself, of the sums that the method's text names."""
    settings = replace(QUICK, surgery=True, forget_weight=3.0)
    first = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
    second = torch.nn.Parameter(first.detach().clone())

    def parts(p: torch.nn.Parameter) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return p.square().sum(), (p * torch.tensor([-1.0, 2.0, -3.0])).sum(), p.prod()

    memorize, forget, ddl = parts(first)
    settings._mended(Losses(memorize + 3 * forget + ddl, memorize, forget, ddl), [first])
    memorize, forget, ddl = parts(second)
    project_conflict(memorize + ddl, 3 * forget, [second])
    assert first.grad is not None
    assert second.grad is not None
    torch.testing.assert_close(first.grad, second.grad)
    plain = torch.autograd.grad(sum(parts(second)[i] * (1, 3, 1)[i] for i in range(3)), [second])
    assert not torch.allclose(first.grad, plain[0])  # the two were in conflict


@pytest.mark.parametrize("settings", [MINI, replace(MINI, gamma=2.0, lam=7.0, bandwidths=(4.0,))])
def test_ddl_is_weighed_and_measured_as_the_settings_say(settings: ADU) -> None:
    draw = torch.Generator().manual_seed(0)
    features = torch.nn.functional.normalize(torch.randn(6, 8, generator=draw), dim=1)
    logits, of_domains = torch.randn(6, 3, generator=draw), torch.randn(6, 2, generator=draw)
    labels, domains = torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([0, 0, 0, 1, 1, 1])
    found = adu.objective(
        settings,
        features=features,
        logits=logits,
        domain_logits=of_domains,
        labels=labels,
        domains=domains,
        forgotten=domains == 1,
    )
    told = torch.nn.functional.cross_entropy(of_domains, domains)
    apart = mmd2(features, domains, domain_count=2, multiples=settings.bandwidths)
    torch.testing.assert_close(found.ddl, settings.gamma * told - settings.lam * apart)
