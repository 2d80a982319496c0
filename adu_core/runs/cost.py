"""What runs cost before they are run: floating-point operations, hours and memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from adu_core.clip import FrozenCLIP
from adu_core.loop import Steps
from adu_core.runs.spec import Spec
from adu_core.task import Method

#: Operations of a step beside the forward pass, in forward passes: gradients reach the prompts
#: through every block, and in methods that edit weights every weight as well.
BACKWARD = {"weights": 2.0}
#: How far from its plain products a run is: what `make bench` measures of a step [choice].
EFFICIENCY = {"cpu": 1 / 1.3, "cuda": 1 / 2.2}
#: Values per token, block and number of its width that a training step keeps for the gradient.
KEPT = 14


@dataclass(frozen=True)
class Cost:
    """What some runs are expected to cost: runs, seconds of all, and the most memory of one."""

    runs: int
    seconds: float
    gigabytes: float


def forward_flops(clip: FrozenCLIP, prompts: int = 0) -> float:
    """Operations of one picture through the vision tower: its matrix products, 2 each."""
    width, blocks = clip.width, len(clip.blocks)
    tokens = clip.grid[0] * clip.grid[1] + 1 + prompts
    return float(blocks * (24 * tokens * width**2 + 4 * tokens**2 * width))


def rate(device: str, dtype: torch.dtype = torch.float32) -> float:
    """Operations per second that a plain product reaches on this device, now."""
    side = 2048 if device == "cpu" else 8192
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


def expect(
    work: Sequence[Spec],
    clip: FrozenCLIP,
    *,
    classes: int,
    domains: int,
    pictures: int,
    speed: float,
    device: str = "cpu",
) -> Cost:
    """The cost of ``work``, each run by itself, pictures decoded.

    classes, domains: of the data; pictures: those measured, before (once in all) and after
    speed: operations per second of plain products, as ``rate`` measures them
    """
    forward = forward_flops(clip)
    usable = speed * EFFICIENCY.get(device.partition(":")[0], EFFICIENCY["cuda"])
    total = pictures * forward
    for spec in work:
        shots = spec.shots * classes * domains
        total += pictures * forward + passes(spec.method) * shots * forward
    weights = 4 * sum(parameter.numel() for parameter in clip.parameters())
    batch = max((getattr(spec.method, "batch_size", 32) for spec in work), default=32)
    tokens = clip.grid[0] * clip.grid[1] + 17
    kept = 4.0 * batch * tokens * clip.width * len(clip.blocks) * KEPT
    return Cost(len(work), total / usable, (weights + kept) / 1e9)


def passes(method: Method) -> float:
    """Forward passes that learning takes for each shot, or as much work as that."""
    if not method.trained:
        return 1.0 + getattr(method, "copies", 0)
    if not isinstance(method, Steps) or method.changes == "head" or hasattr(method, "views"):
        return float(getattr(method, "views", 1))  # pictures are encoded once
    return method.epochs * (2.0 + BACKWARD.get(method.changes, 0.0) / 2)
