"""What an interrupted training goes on from."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from adu_core import MINI, Adapter, FrozenCLIP, Splits, fit
from adu_core.machine.files import read_tensors

QUICK = replace(MINI, epochs=3, batch_size=8, learning_rate=0.05)


def stopped(epochs: int, *arguments: Any, **more: Any) -> dict[str, Tensor]:
    """The adapter's tensors after so many epochs, when Ctrl-C comes."""
    found = {}

    def stop(done: int, adapter: Adapter) -> None:
        if done == epochs:
            found.update({key: value.clone() for key, value in adapter.state_dict().items()})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(*arguments, after_epoch=stop, progress=False, **more)
    return found


def test_another_run_does_not_go_on_from_it(
    tiny_clip: FrozenCLIP, few: Splits, tmp_path: Path
) -> None:
    arguments = (tiny_clip, few.shots, ["sketch"], QUICK)
    file = tmp_path / "training.safetensors"
    stopped(2, *arguments, checkpoint=file)
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
    resumed, unbroken = (
        stopped(done + 1, tiny_clip, few.shots, ["sketch"], settings, checkpoint=checkpoint)
        for checkpoint in (file, None)
    )
    torch.testing.assert_close(resumed, unbroken, rtol=0, atol=0)
