"""The real thing, where there is a GPU: `pytest -m gpu`. See test_devices.py for a pretended one.

Kernels round otherwise than the CPU's, and training makes more of that, step by step; some
methods also decide by rank or threshold. So features may differ by ``FEATURES`` in the mean, in
length-1 features, and ``ANSWERS`` of all pictures must get the CPU's answer.
"""

from pathlib import Path

import pytest
import torch
from quick import quick

from adu_core import (
    ABLATION,
    METHODS,
    FrozenCLIP,
    Spec,
    Splits,
    Target,
    Task,
    class_logits,
    fit,
    image_features,
    load_clip,
    load_model,
    objective,
    save_model,
    unlearn,
)
from adu_core.cli import main

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]

FEATURES, ANSWERS = 0.01, 0.9
GOAL = Target(("sketch",))


@pytest.fixture(autouse=True)
def _exact() -> None:
    """Convolutions in float32, as on the CPU, and not in TF32."""
    torch.backends.cudnn.allow_tf32 = False


@pytest.fixture(scope="module")
def clip(tiny_path: str) -> FrozenCLIP:
    return load_clip(tiny_path, device="cuda")


def test_the_frozen_clip_is_the_cpus(clip: FrozenCLIP, tiny_clip: FrozenCLIP, few: Splits) -> None:
    assert clip.device.type == "cuda"
    assert clip.fingerprint == tiny_clip.fingerprint
    features = image_features(clip, few.test.pictures)
    wanted = image_features(tiny_clip, few.test.pictures)
    torch.testing.assert_close(features.cpu(), wanted, atol=1e-4, rtol=0)
    names = few.test.class_names
    logits = class_logits(clip, features, names).cpu()
    torch.testing.assert_close(logits, class_logits(tiny_clip, wanted, names), atol=0.02, rtol=0)


@pytest.mark.parametrize("name", METHODS)
def test_a_whole_run_is_the_cpus(
    name: str, clip: FrozenCLIP, tiny_clip: FrozenCLIP, few: Splits, tmp_path: Path
) -> None:
    made = quick(name)
    there = unlearn(clip, few, Spec(made, GOAL, seed=3), progress=False)
    here = unlearn(tiny_clip, few, Spec(made, GOAL, seed=3), progress=False)
    assert there.features_after.is_cuda
    assert there.record["provenance"]["device"] == torch.cuda.get_device_name()
    assert there.record["provenance"]["peak_memory_mb"] > 0
    difference = (there.features_after.cpu() - here.features_after).norm(dim=1).mean().item()
    assert difference <= FEATURES
    names = few.test.class_names
    answers = [
        class_logits(done.model, done.features_after, names).argmax(dim=1).cpu()
        for done in (there, here)
    ]
    assert (answers[0] == answers[1]).float().mean().item() >= ANSWERS
    save_model(there.model, tmp_path)
    loaded = load_model(tmp_path, clip)
    features = image_features(loaded, few.test.pictures)
    torch.testing.assert_close(features, there.features_after, atol=1e-5, rtol=0)
    # What was learned on the GPU is of use without one.
    at_home = image_features(load_model(tmp_path, tiny_clip), few.test.pictures)
    assert (at_home - features.cpu()).norm(dim=1).mean().item() <= FEATURES


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16", "float16"])
def test_the_full_method_in_every_precisions(precision: str, clip: FrozenCLIP, few: Splits) -> None:
    made = quick("full", precision=precision, text_tokens=2)
    done = unlearn(clip, few, Spec(made, GOAL), progress=False)
    assert torch.isfinite(done.features_after).all()


def test_a_step_waits_for_nothing(clip: FrozenCLIP, few: Splits) -> None:
    """A wait for the GPU in the middle of a step is an error here."""
    made = quick("full", epochs=2)
    fit(clip, few.shots, GOAL, made, progress=False)  # what is done once only

    model = made.start(Task(clip, few.shots, GOAL))
    batch = clip.normalise(few.shots.pictures[:8])
    domains, labels = few.shots.domains[:8].cuda(), few.shots.labels[:8].cuda()
    gone = GOAL.mask(few.shots)[:8].cuda()
    optimizer = made.sgd(model.parameters())
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        features = model(batch)
        losses = objective(
            made,
            features=features,
            logits=model.logits(features),
            domain_logits=model.domain_classifier(features),
            labels=labels,
            domains=domains,
            forgotten=gone,
        )
        losses.total.backward()
        optimizer.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.isfinite(losses.total).item()


def test_the_command_line(
    picture_folder: Path, tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", f"folder:{picture_folder}", "--clip", tiny_path, "--device", "cuda"]
    words += ["--shots", "2", "--set", "epochs=1", "--forget", "sketch"]
    assert main(["run", *words, "--save", str(tmp_path / "saved")]) == 0
    assert torch.cuda.get_device_name() in capsys.readouterr().out
    names = ",".join(ABLATION)
    assert main(["sweep", str(tmp_path / "records"), *words, "--methods", names]) == 0
