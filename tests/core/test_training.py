import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from adu_core import ABLATION, MINI, Adapter, FrozenCLIP, Splits, Target, fit
from adu_core.loop import learning_rate
from adu_core.machine.files import read_tensors

QUICK = replace(MINI, epochs=3, batch_size=8, learning_rate=0.05)


def bits(adapter: Adapter) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in adapter.state_dict().items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("name", ABLATION)
def test_only_the_adapter_learns(name: str, tiny_clip: FrozenCLIP, few: Splits) -> None:
    parts = {"instapg": ABLATION[name].instapg, "ddl": ABLATION[name].ddl}
    settings = replace(QUICK, **parts, text_tokens=2)
    weights = {key: value.clone() for key, value in tiny_clip.state_dict().items()}
    names = few.shots.class_names, few.shots.domain_names
    start = bits(Adapter(tiny_clip, *names, ["sketch"], settings, seed=0))
    adapter, history = fit(tiny_clip, few.shots, ["sketch"], settings, progress=False)
    assert same(weights, dict(tiny_clip.state_dict()))
    assert all(parameter.grad is None for parameter in tiny_clip.parameters())
    for key, value in bits(adapter).items():
        assert not torch.equal(value, start[key]), key
    assert len(history) == 3
    children = {name for name, _ in adapter.named_children()}
    assert {part: part in children for part in ("instapg", "domain_classifier")} == {
        "instapg": parts["instapg"],
        "domain_classifier": parts["ddl"],
    }


def test_the_same_seed_gives_the_same_bits(tiny_clip: FrozenCLIP, few: Splits) -> None:
    runs = [
        bits(fit(tiny_clip, few.shots, ["sketch"], QUICK, seed=seed, progress=False)[0])
        for seed in (7, 7, 8)
    ]
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_interrupted_and_resumed_is_unbroken(
    tiny_clip: FrozenCLIP, few: Splits, tmp_path: Path
) -> None:
    def interrupt(done: int, _: Adapter) -> None:
        if done == 2:
            raise KeyboardInterrupt

    arguments = (tiny_clip, few.shots, ["sketch"], QUICK)
    file = tmp_path / "training.safetensors"
    whole, history = fit(*arguments, progress=False)
    with pytest.raises(KeyboardInterrupt):
        fit(*arguments, checkpoint=file, after_epoch=interrupt, progress=False)
    assert file.exists()
    resumed, resumed_history = fit(*arguments, checkpoint=file, progress=False)
    assert same(bits(whole), bits(resumed))
    assert history == resumed_history
    assert file.exists()  # whoever named it removes it, once the result is saved
    file.unlink()
    with pytest.raises(KeyboardInterrupt):
        fit(*arguments, checkpoint=file, after_epoch=interrupt, progress=False)
    with pytest.raises(ValueError, match=r"another run \(seed 0, now 1\): remove it"):
        fit(*arguments, seed=1, checkpoint=file, progress=False)
    other = replace(QUICK, forget_weight=7.0, prompt_std=0.5)
    was = rf"prompt_std {QUICK.prompt_std}, now 0.5; forget_weight {QUICK.forget_weight}, now 7.0"
    with pytest.raises(ValueError, match=rf"another run \({was}\): remove it"):
        fit(*arguments[:3], other, checkpoint=file, progress=False)


KILLED = """
import sys, torch
from dataclasses import replace
from adu_core import MINI, fit, load_clip, world
torch.set_num_threads(int(sys.argv[3]))
shots = world("train", 2, classes=("car", "house", "tree", "fish"))
settings = replace(MINI, epochs=400, batch_size=8, learning_rate=0.05)
def say(done, adapter):
    print(done, flush=True)
fit(load_clip(sys.argv[1]), shots, ["sketch"], settings, checkpoint=sys.argv[2],
    progress=False, after_epoch=say)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
def test_killed_in_training_and_resumed_is_unbroken(
    tiny_path: str, tiny_clip: FrozenCLIP, few: Splits, tmp_path: Path
) -> None:
    file = tmp_path / "training.safetensors"
    words = [sys.executable, "-c", KILLED, tiny_path, str(file), str(torch.get_num_threads())]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 3:
                process.kill()
    assert process.returncode == -signal.SIGKILL
    _, about = read_tensors(file)
    done = len(about["history"])
    assert done >= 3
    # The rest of 400 epochs would take long: compare with an unbroken run after one more.
    settings = replace(QUICK, epochs=400)

    class EnoughError(Exception):
        pass

    def stop(epoch: int, adapter: Adapter) -> None:
        if epoch == done + 1:
            found.append(bits(adapter))
            raise EnoughError

    found: list[dict[str, Tensor]] = []
    for checkpoint in (file, None):
        with pytest.raises(EnoughError):
            fit(
                tiny_clip,
                few.shots,
                ["sketch"],
                settings,
                checkpoint=checkpoint,
                after_epoch=stop,
                progress=False,
            )
    assert same(*found)


ALL = ["real", "painting", "clipart", "sketch"]


@pytest.mark.parametrize(
    ("forget", "said"),
    [
        ([], "name at least one domain"),
        (ALL, "cannot forget every domain: .* real, painting, clipart, sketch"),
        (["photo"], "no domain 'photo': the domains are real, painting, clipart, sketch"),
    ],
)
def test_all_none_or_unknown_domains_are_refused(
    forget: list[str], said: str, tiny_clip: FrozenCLIP, few: Splits
) -> None:
    with pytest.raises(ValueError, match=said):
        fit(tiny_clip, few.shots, forget, QUICK, progress=False)


def test_three_of_four_domains_can_be_forgotten(tiny_clip: FrozenCLIP, few: Splits) -> None:
    adapter, _ = fit(tiny_clip, few.shots, ["real", "sketch", "clipart"], QUICK, progress=False)
    assert adapter.forget == ("real", "sketch", "clipart")
    assert adapter.target == Target(("real", "sketch", "clipart"))


def test_a_diverging_loss_is_said(tiny_clip: FrozenCLIP, few: Splits) -> None:
    wild = replace(QUICK, learning_rate=1e30)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        fit(tiny_clip, few.shots, ["sketch"], wild, progress=False)


def test_the_learning_rate_warms_up_then_falls() -> None:
    rates = [learning_rate(epoch, MINI) for epoch in range(MINI.epochs)]
    assert rates[0] == MINI.warmup_rate
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert MINI.learning_rate > rates[1] > 0.9 * MINI.learning_rate
    assert 0 < rates[-1] < 0.05 * MINI.learning_rate


@pytest.mark.parametrize(
    "wrong",
    [
        {"instapg_wiring": "zzz"},
        {"momentum": -1.0},
        {"batch_size": 1.5},
        {"epochs": 0},
        {"gamma": -1.0},
        {"crop": 0.0},
        {"lam": float("nan")},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(MINI, **wrong)  # type: ignore[arg-type]
