"""Estimates what runs cost, from existing records or by counting operations."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import torch
from torch.utils.flop_counter import FlopCounterMode

from adu_core.clip import FrozenCLIP
from adu_core.loop import Steps
from adu_core.runs.grid import Names
from adu_core.runs.record import has_record, read_record
from adu_core.runs.spec import Spec
from adu_core.task import Method, Task

#: How far from its plain products a run is: what `make bench` measures of a step [choice].
EFFICIENCY = {"cpu": 1 / 1.3, "cuda": 1 / 2.2}
#: Values per token, block and number of its width that a training step keeps for the gradient.
KEPT = 14


def forecast(
    work: Sequence[Spec],
    folder: str | Path | None,
    processes: int = 1,
    seconds: Mapping[str, float] | None = None,
) -> str:
    """How many runs, how many of them are there, and the time of the rest and of all.

    A run is expected to take what the records of its method in ``folder`` took; or, where there
    are none, what ``seconds`` says of the method, or what all records took on average.
    """
    taken: dict[str, list[float]] = {}
    rest = []
    for spec in work:
        path = Path(folder or "") / f"{spec.name}.json"
        if folder and has_record(path):
            spent = read_record(path)["provenance"]["seconds"]
            taken.setdefault(spec.method.name, []).append(spent)
        else:
            rest.append(spec)
    expected = {**(seconds or {}), **{name: mean(some) for name, some in taken.items()}}
    known = [one for some in taken.values() for one in some]

    def time_of(some: Sequence[Spec]) -> str:
        if not expected:
            return "no record says how long"
        usual = mean(known) if known else 0.0
        total = sum(expected.get(spec.method.name, usual) for spec in some)
        return f"about {duration(total / processes)}"

    lines = [f"{len(work)} runs, {time_of(work)} in all; {len(work) - len(rest)} are there"]
    if rest:
        lines.append(f"to run: {len(rest)}, {time_of(rest)}")
    for name in dict.fromkeys(spec.method.name for spec in rest):
        some = [spec for spec in rest if spec.method.name == name]
        lines.append(f"  {name:<10} {len(some):>5}" + f", {time_of(some)}" * bool(expected))
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """A duration in the largest unit that gives a number worth saying."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@dataclass(frozen=True)
class Speed:
    """A device's operations per second in matrix products, and a CLIP's operations.

    picture, sentence: operations for one picture and one sentence
    """

    device: str
    rate: float
    picture: float
    sentence: float

    @classmethod
    def measure(cls, clip: FrozenCLIP, device: str) -> Speed:
        """Of ``clip`` on ``device``, now."""
        return cls(device, rate(device), *operations(clip))

    def seconds(self, spec: Spec, clip: FrozenCLIP, names: Names, measured: int) -> float:
        """What a run is expected to take; ``measured`` pictures are looked at afterwards."""
        shots = spec.shots * len(names[0]) * len(names[1])
        model = spec.method.start(Task.of_names(clip, names[0][:2], names[1], spec.forget))
        total = (measured + passes(spec.method) * shots) * self.picture
        if model.text_changes:
            total += readings(spec.method, shots) * len(names[0]) * self.sentence
        kind = self.device.partition(":")[0]
        return total / (self.rate * EFFICIENCY.get(kind, EFFICIENCY["cuda"]))


@torch.no_grad()
def operations(clip: FrozenCLIP) -> tuple[float, float]:
    """Floating-point operations of a picture and of a sentence, as torch counts them."""
    size = clip.picture_size
    picture = torch.zeros(1, 3, size, size, device=clip.device)
    with FlopCounterMode(display=False) as seen:
        clip.encode_image(picture)
    with FlopCounterMode(display=False) as read:
        clip.encode_text(["a photo of a dog"])
    return float(seen.get_total_flops()), float(read.get_total_flops())


def rate(device: str, dtype: torch.dtype = torch.float32) -> float:
    """Operations per second that a plain product reaches on this device, now."""
    side = 1024 if device == "cpu" else 8192
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    left @ right  # warms up
    best = float("inf")
    for _ in range(3):
        _wait(device)
        started = time.perf_counter()
        left @ right
        _wait(device)
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    elif device.startswith("mps"):
        torch.mps.synchronize()


def learning(method: Method) -> float:
    """A step in forward passes: gradients go back through every block, or to its weights too."""
    return 3.0 if method.changes == "weights" else 2.0


def passes(method: Method) -> float:
    """Forward passes of the vision tower for each shot, or as much work as that.

    Who has ``views`` or ``copies`` of each shot encodes them once; others in every epoch.
    """
    settings = method.as_dict()["settings"]
    if isinstance(method, Steps) and "views" not in settings:
        return method.epochs * learning(method)
    return float(settings.get("views", 1) + settings.get("copies", 0))


def readings(method: Method, shots: int) -> float:
    """Forward passes of the text tower for each class, or as much work as that.

    Gradient steps read all sentences in every step; a search without gradients, once for each
    context of a population and for its best one.
    """
    if isinstance(method, Steps):
        return method.epochs * math.ceil(shots / method.batch_size) * learning(method)
    settings = method.as_dict()["settings"]
    return float(settings.get("iterations", 0) * (settings.get("population", 0) + 1))


def gigabytes(work: Sequence[Spec], clip: FrozenCLIP) -> float:
    """The most memory that one of the runs takes, besides pictures."""
    weights = 4 * sum(parameter.numel() for parameter in clip.parameters())
    batch = max(
        (one.method.batch_size for one in work if isinstance(one.method, Steps)), default=32
    )
    tokens = clip.grid[0] * clip.grid[1] + 17
    return (weights + 4.0 * batch * tokens * clip.width * len(clip.blocks) * KEPT) / 1e9
