"""All that only a GPU can show, in parts that can be taken up again: `make gpu`.

- ``tests``: the GPU tests;
- ``step``: ADU's step on ViT-B/16 at 224 pixels against the matmul limit and bare memory, in each
  precision, and whether compiling pays;
- ``scaling``: what it costs for more pictures and for more classes;
- ``full``, ``gate``, ``door``: a run as large as one of Office-Home (65 classes, 4 domains, 2,080
  shots, 50 epochs for full, 4,676 test pictures as in ``adu reproduce``, decoded) on ViT-B/16 with
  random weights: how long it takes, how much memory, what share of the card's rate is used, and
  whether a second run gives the same.

Each part writes a record to ``--out``; a part whose record is there is not done again. Where there
is no GPU it says so and does nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from common import any_clip, dataset, now

from adu_core import FrozenCLIP, Target, Task, image_features, method
from adu_core.loop import Loop
from adu_core.machine.files import read_json, write_json
from adu_core.machine.provenance import provenance, reset_peak_memory
from adu_core.runs.forecast import operations, passes, rate
from adu_core.task import Method

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("tests", "step", "scaling", "gate", "door", "full")
CLASSES, DOMAINS = 65, ("art", "clipart", "product", "real world")


def large_run(clip: FrozenCLIP, made: Method, shots: int, tested: int) -> dict[str, Any]:
    """Fit and evaluate once to measure, fit once more to compare."""
    device, target, cells = clip.device, Target(("art",)), CLASSES * len(DOMAINS)
    data = [
        dataset(count, CLASSES, DOMAINS, clip.picture_size)
        for count in (cells, cells * shots, tested)
    ]
    made.fit(Task(clip, data[0], target), 0)  # warms up
    task, test = Task(clip, data[1], target), data[2].pictures
    reset_peak_memory(device)
    started = now(device)
    model = made.fit(task, 0, Loop(progress=False))
    fitted = now(device)
    features = image_features(model, test)
    ended = now(device)
    about = provenance(device, started)
    again = image_features(made.fit(task, 0, Loop(progress=False)), test[:1024])
    dtype = torch.bfloat16 if getattr(made, "precision", "") == "bfloat16" else torch.float32
    speed = rate(str(device), dtype)
    limit = passes(made) * len(task.shots) * operations(clip)[0] / speed
    return {
        "method": made.as_dict(),
        "clip": clip.name,
        "shots": len(task.shots),
        "test_pictures": tested,
        "fit_seconds": fitted - started,
        "evaluate_seconds": ended - fitted,
        "run_seconds": ended - started,
        "matrix_rate_tflops": speed / 1e12,
        "share_of_matrix_rate": limit / (fitted - started),
        "largest_difference_of_a_second_run": float((again - features[:1024]).abs().max()),
        "provenance": about,
    }


def benchmark(name: str, *words: str) -> dict[str, Any]:
    """What ``benchmarks/NAME.py`` saves."""
    with tempfile.TemporaryDirectory() as folder:
        path, script = Path(folder) / "record.json", ROOT / "benchmarks" / f"{name}.py"
        command = [sys.executable, str(script), *words, "--save", str(path)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return read_json(path)


def step(clip: str, device: str, rounds: int) -> dict[str, Any]:
    """``benchmarks/step.py`` in every precision, and once compiled."""
    found = {}
    for precision, batch, more in (
        ("float32", 32, ()),
        ("tf32", 32, ()),
        ("bfloat16", 32, ()),
        ("bfloat16", 256, ("--compile",)),
    ):
        words = ["--clip", clip, "--device", device, "--precision", precision]
        words += ["--batch", str(batch), "--rounds", str(rounds)]
        found[f"{precision}, batch {batch}"] = benchmark("step", *words, *more)
    return found


def gpu_tests() -> dict[str, Any]:
    """The GPU tests' last line."""
    words = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests/machine/test_gpu.py"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    return {"passed": done.returncode == 0, "said": lines[-30:] if done.returncode else lines[-1:]}


def main() -> None:
    """Do the parts that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--out", type=Path, default=ROOT / "book/results/gpu")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--clip", default="ViT-B-16-quickgelu")
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--tested", type=int, default=4_676)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("there is no CUDA device here: nothing was done")
        return
    clip = any_clip(arguments.clip, arguments.device)
    methods = {
        "gate": method("gate"),
        "door": method("door"),
        "full": method("full", epochs=arguments.epochs, precision="bfloat16"),
    }
    for part in arguments.parts.split(","):
        path = arguments.out / f"{part}.json"
        if path.exists():
            print(f"{part}: there already, {path}")
            continue
        started = time.perf_counter()
        if part == "tests":
            found = gpu_tests()
        elif part == "step":
            found = step(arguments.clip, arguments.device, arguments.rounds)
        elif part == "scaling":
            words = ["--clip", arguments.clip, "--device", arguments.device]
            found = benchmark("scaling", *words)
        else:
            found = large_run(clip, methods[part], arguments.shots, arguments.tested)
        write_json(path, found)
        print(f"{part}: {time.perf_counter() - started:.0f} s\n{json.dumps(found, indent=1)}")


if __name__ == "__main__":
    main()
