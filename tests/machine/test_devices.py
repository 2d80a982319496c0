"""Every method on a pretended GPU: no tensor of one device meets one of another."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fake_cuda import fake_cuda, is_pretended
from quick import quick
from torch import Tensor, nn

from adu_core import (
    METHODS,
    FrozenCLIP,
    Model,
    Spec,
    Splits,
    Target,
    Timeline,
    entanglement,
    fit,
    image_features,
    load_clip,
    load_model,
    method,
    mmd2,
    pretrain,
    profile,
    save_model,
    unlearn,
    world,
)
from adu_core.cli import main
from adu_core.dataset import KINDS
from adu_core.machine.device import resolved, where
from adu_core.runs.record import read_record
from adu_core.runs.run_spec import run_spec

TARGETS = {
    "domains": Target(("sketch",)),
    "classes": Target((), ("car",)),
    "classes in domains": Target(("sketch", "real"), ("car", "house")),
}


@pytest.fixture
def gpu() -> Any:
    with fake_cuda():
        yield


@pytest.fixture
def clip(gpu: None, tiny_path: str) -> FrozenCLIP:
    return load_clip(tiny_path, device="cuda")


# The pretended GPU is as strict as a real one.


def cuda(*shape: int) -> Tensor:
    return torch.ones(shape).cuda()


REFUSED: dict[str, Any] = {
    "add": lambda: cuda(3) + torch.ones(3),
    "add the other way round": lambda: torch.ones(3) + cuda(3),
    "add in place": lambda: torch.ones(3).add_(cuda(3)),
    "a scalar of the GPU into a CPU tensor": lambda: torch.zeros(3).add_(cuda()),
    "matmul": lambda: cuda(2, 3) @ torch.ones(3, 2),
    "linear": lambda: nn.Linear(3, 2).to("cuda")(torch.ones(1, 3)),
    "linear the other way round": lambda: nn.Linear(3, 2)(cuda(1, 3)),
    "cat": lambda: torch.cat([cuda(3), torch.ones(3)]),
    "stack of scalars": lambda: torch.stack([cuda(), torch.ones(())]),
    "where": lambda: torch.where(cuda(3) > 0, torch.ones(3), cuda(3)),
    "mask": lambda: torch.arange(3)[cuda(3) > 0],
    "index of the GPU into a CPU tensor": lambda: torch.arange(3)[torch.zeros(1).long().cuda()],
    "isin": lambda: torch.isin(torch.arange(3).cuda(), torch.arange(2)),
    "cross-entropy": lambda: F.cross_entropy(cuda(2, 3), torch.tensor([0, 1])),
    "equal": lambda: torch.equal(cuda(3), torch.ones(3)),
    "embedding": lambda: nn.Embedding(3, 2).to("cuda")(torch.tensor([0])),
}


@pytest.mark.parametrize("what", REFUSED.values(), ids=REFUSED)
def test_two_devices_in_one_operation_are_refused(what: Any, gpu: None) -> None:
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        what()


def test_a_gpu_tensor_is_no_array_and_takes_no_cpu_generator(gpu: None) -> None:
    for turn in (lambda: cuda(3).numpy(), lambda: np.asarray(cuda(3))):
        with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
            turn()
    generator = torch.Generator().manual_seed(0)
    for draw in (
        lambda: torch.randn(3, generator=generator, device="cuda"),
        lambda: cuda(3).normal_(generator=generator),
        lambda: nn.init.xavier_uniform_(cuda(3, 3), generator=generator),
        lambda: torch.randperm(3, generator=generator, device="cuda"),
    ):
        with pytest.raises(RuntimeError, match="Expected a 'cuda' device type for generator"):
            draw()


def test_what_a_gpu_allows_is_allowed(gpu: None) -> None:
    x = torch.arange(6.0, device="cuda").reshape(2, 3)
    assert x.device == torch.device("cuda", 0)
    assert x.is_cuda
    assert is_pretended(x + torch.tensor(2.0))
    assert is_pretended(torch.where(x > 2, 0.0, x))
    assert is_pretended(x[torch.tensor([1, 0])])
    assert is_pretended(x.new_zeros(3))
    assert is_pretended(torch.zeros_like(x))
    assert is_pretended(F.one_hot(x.long(), 6))
    assert is_pretended(torch.eye(3, device=x.device))
    assert is_pretended(torch.tensor([1.0]).to(x))
    assert not is_pretended(x.cpu())
    assert not is_pretended(x.to("cpu"))
    assert not is_pretended(torch.zeros(3))
    assert x.sum().item() == 15
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]
    into = torch.zeros(2, 3)
    into.copy_(x)
    assert into.sum() == 15


# The library on it.


@pytest.mark.parametrize("name", METHODS)
def test_a_whole_run_of_every_method_gives_what_the_cpu_gives(
    name: str, tiny_clip: FrozenCLIP, tiny_path: str, few: Splits, tmp_path: Path
) -> None:
    made = quick(name)
    goal, *goals = [TARGETS[kind] for kind in KINDS if kind in made.kinds]
    here, _ = fit(tiny_clip, few.shots, goal, made, seed=3, progress=False)
    with fake_cuda(doubles=False):  # Apple's GPU has none, and is taken where there is no other
        clip = load_clip(tiny_path, device="cuda")
        done = unlearn(clip, few, Spec(made, goal, seed=3), progress=False)
        assert done.record["provenance"]["device"] == "a pretended GPU"
        model = done.model
        for kept in (*model.parameters(), *model.buffers()):
            assert is_pretended(kept)
        assert is_pretended(done.features_before)
        assert is_pretended(done.features_after)
        save_model(model, tmp_path)
        loaded = load_model(tmp_path, clip)
        with torch.no_grad():
            features = loaded.features(few.test.pictures)
            assert is_pretended(features)
            assert torch.equal(features.cpu(), done.features_after.cpu())
            logits = model.logits(features, few.test.class_names)
            assert torch.equal(loaded.logits(features, few.test.class_names).cpu(), logits.cpu())
            model.features(few.test.pictures.cuda())  # pictures may be there already
        for other in goals:
            fit(clip, few.shots, other, made, seed=3, progress=False)
        state = {key: value.cpu() for key, value in model.state_dict().items()}
    assert state.keys() == here.state_dict().keys()
    for key, value in here.state_dict().items():
        torch.testing.assert_close(state[key], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in METHODS if method(name).trained])
def test_training_goes_on_from_a_checkpoint(
    name: str, clip: FrozenCLIP, few: Splits, tmp_path: Path
) -> None:
    file = tmp_path / "training.safetensors"

    def stop(done: int, _: Model) -> None:
        if done == 1:
            raise KeyboardInterrupt

    arguments = (clip, few.shots, Target(("sketch",)), quick(name))
    with pytest.raises(KeyboardInterrupt):
        fit(*arguments, checkpoint=file, after_epoch=stop, progress=False)
    fit(*arguments, checkpoint=file, progress=False)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("full", {"text_tokens": 2}),
        ("full", {"instapg_wiring": "each"}),
        ("full", {"instapg_wiring": "replace"}),
        ("full", {"precision": "bfloat16"}),
        ("full", {"precision": "tf32"}),
        ("full", {"balanced": False, "flip": False, "crop": 1.0}),
        ("gate", {"classifier": "logistic"}),
        ("gate", {"threshold": 0.3}),
        ("door", {"classifier": "logistic"}),
        ("nullspace", {"prototypes": "inverted"}),
        ("salun", {"loss": "entropy"}),
        ("doco", {"surgery": False}),
        ("bbf", {"sentence": "photo"}),
    ],
)
def test_variants_of_methods(
    name: str, change: dict[str, Any], clip: FrozenCLIP, few: Splits
) -> None:
    model, _ = fit(clip, few.shots, ["sketch"], quick(name, **change), progress=False)
    with torch.no_grad():
        assert is_pretended(model.logits(model.features(few.test.pictures)))


def test_a_timeline_and_measures_of_gpu_features(clip: FrozenCLIP, few: Splits) -> None:
    timeline = Timeline(clip, few.test, ["sketch"])
    made = quick("full")
    fit(clip, few.shots, ["sketch"], made, after_epoch=timeline.record, progress=False)
    timeline.metrics()
    features = image_features(clip, few.test.pictures)
    labels, domains = few.test.labels.cuda(), few.test.domains.cuda()
    here = entanglement(
        features.cpu(), labels.cpu(), domains.cpu(), few.test.domain_names, bandwidth=0.5
    )
    sigma2 = torch.tensor(0.5).cuda()
    there = entanglement(features, labels, domains, few.test.domain_names, bandwidth=sigma2)
    assert there == here
    assert is_pretended(mmd2(features, domains))


def test_the_command_line(
    gpu: None,
    picture_folder: Path,
    tiny_path: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--data", f"folder:{picture_folder}", "--clip", tiny_path, "--device", "cuda"]
    words += ["--shots", "2", "--set", "epochs=1", "--forget", "sketch"]
    assert main(["run", *words, "--save", str(tmp_path / "saved")]) == 0
    assert "a pretended GPU" in capsys.readouterr().out
    picture = next(picture_folder.rglob("*.png"))
    adapter = ["--adapter", str(tmp_path / "saved"), "--device", "cuda"]
    assert main(["predict", *adapter, str(picture)]) == 0
    sweep = ["sweep", str(tmp_path / "records"), "--methods", "baseline", "--seeds", "1"]
    assert main([*sweep, *words]) == 0


def test_pretraining(gpu: None, tmp_path: Path) -> None:
    pictures = world("pretrain", 2, classes=("car", "cat"), size=20)
    path = tmp_path / "clip.safetensors"
    pretrain(pictures, pictures, path, epochs=1, device="cuda", progress=False)
    assert load_clip(str(path)).picture_size == 20


# Which device is taken if none is said.

SMALL: tuple[str, str | None] = ("mini", None)
LARGE: tuple[str, str | None] = ("ViT-B-16-quickgelu", "openai")


def machine(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool) -> None:
    """A machine with these GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a pretended GPU")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "large", "idle"),
    [
        (True, True, "cuda (a pretended GPU)", "--device cuda would use the GPU"),
        (True, False, "cuda (a pretended GPU)", "--device cuda would use the GPU"),
        (False, True, "mps (Apple's GPU)", "--device mps would use the GPU"),
        (False, False, "cpu (no GPU is found)", "no GPU is found"),
    ],
)
def test_auto_takes_the_gpu_for_large_clips_and_says_why(
    cuda: bool, mps: bool, large: str, idle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, cuda, mps)
    assert resolved("auto", LARGE) == large.partition(" ")[0]
    assert resolved("auto", SMALL) == "cpu"
    assert resolved("cpu", LARGE) == "cpu"
    assert resolved("cuda:1", SMALL) == "cuda:1"
    assert where("auto", [LARGE, LARGE]) == f"computing on {large}"
    for asked, clip, why in (("auto", SMALL, "a small CLIP"), ("cpu", LARGE, "as asked")):
        told = where(asked, [clip])
        assert told.startswith("computing on cpu (")
        assert idle in told
        assert (why in told) == (cuda or mps)
    if cuda:
        assert where("auto", [SMALL, LARGE]).count(" and ") == 1


def test_notebooks_take_the_same_device(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, cuda=False, mps=True)
    assert profile().device == "cpu"
    monkeypatch.setenv("ADU_CLIP", ":".join(map(str, LARGE)))
    assert profile().device == "mps"


def test_every_command_takes_auto_and_says_first_where_it_computes(
    picture_folder: Path,
    tiny_path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A small CLIP stays on the CPU; the line is on stderr, so that output can be piped."""
    monkeypatch.setattr("adu_core.machine.device.accelerator", lambda: "cuda")
    saved = str(tmp_path / "saved")
    words = ["--data", f"folder:{picture_folder}", "--clip", tiny_path, "--shots", "2"]
    words += ["--forget", "sketch"]
    bench = ["--methods", "nullspace", "--seeds", "1", "--trials", "0", "--processes", "1"]
    picture = str(next(picture_folder.rglob("*.png")))
    for line in (
        ["run", *words, "--method", "nullspace", "--save", saved],
        ["sweep", str(tmp_path / "s"), *words, *bench[:4], "--processes", "1"],
        ["bench", *words, *bench, "--save", str(tmp_path / "b")],
        ["predict", "--adapter", saved, picture],
        ["audit", saved, "--stolen", "1", "--limit", "1", "--tries", "1"],
        ["pretrain", "--smoke", "--size", "20", "--out", str(tmp_path / "c.safetensors")],
        ["reproduce", "pacs", "--dry-run", "--clip", tiny_path],
    ):
        assert main(line) == 0, line
        said = capsys.readouterr()
        assert said.err.startswith(
            f"adu {line[0]}: computing on cpu (a small CLIP; --device cuda would use the GPU)\n"
        )
        assert "computing on" not in said.out
    assert read_record(Path(saved) / "record.json")["provenance"]["device"] == "cpu"


def test_auto_is_found_out_where_a_sweeps_run_is_computed(
    gpu: None, tiny_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = Spec(quick("nullspace"), TARGETS["domains"], clip=(tiny_path, None), limit=1, shots=1)
    monkeypatch.setattr("adu_core.machine.device.accelerator", lambda: "cuda")
    # As if it were a large one.
    monkeypatch.setattr("adu_core.machine.device.gains", lambda _: True)
    run_spec(spec, tmp_path / "r.json", "auto")
    assert read_record(tmp_path / "r.json")["provenance"]["device"] == "a pretended GPU"
