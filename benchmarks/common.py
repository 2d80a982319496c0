"""What the benchmarks share: works measured in turn, the memory of one, pictures, and records."""

from __future__ import annotations

import json
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch.profiler import ProfilerActivity, profile

from adu_core import DomainDataset, FrozenCLIP, load_clip
from adu_core.machine.files import write_json
from adu_core.machine.provenance import provenance

T = TypeVar("T")
CPU = torch.device("cpu")


def any_clip(name: str, device: str) -> FrozenCLIP:
    """A CLIP, with random weights where it is not mini: they are as fast as others."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_clip(name, device=device)


def dataset(count: int, classes: int, domains: Sequence[str], size: int) -> DomainDataset:
    """Random pictures, class by class and then domain by domain: what is in them takes no time."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)
    number = torch.arange(count)
    return DomainDataset(
        pictures,
        number % classes,
        number // classes % len(domains),
        tuple(f"thing {number}" for number in range(classes)),
        tuple(domains),
    )


def now(device: torch.device = CPU) -> float:
    """The time in seconds, once the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def seconds(work: Callable[[], object], device: torch.device = CPU) -> float:
    """How long ``work`` takes once."""
    started = now(device)
    work()
    return now(device) - started


def in_turn(works: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """What each work gives, ``rounds`` times, all of them in turn: the machine's speed drifts."""
    found: dict[str, list[T]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            given = work()
            if number:  # the first round warms up
                found[name].append(given)
    return found


def peak_memory(work: Callable[[], object], device: torch.device) -> int:
    """Bytes that ``work`` has at most in tensors beyond those there before.

    On the CPU by torch's profiler, which writes down every allocation and release.
    """
    work()  # what is allocated once only is there now
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        work()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.json"
        watched.export_chrome_trace(str(file))
        trace = json.loads(file.read_text(encoding="utf-8"))["traceEvents"]
    changes = sorted(
        (event["ts"], event["args"]["Bytes"]) for event in trace if event.get("name") == "[memory]"
    )
    held = most = 0
    for _, change in changes:
        held += change
        most = max(most, held)
    return most


def keep(
    path: Path | None, found: Mapping[str, Any], started: float, device: torch.device = CPU
) -> None:
    """Write what was found and where it comes from, if it is to be kept."""
    if path:
        write_json(path, {**found, "provenance": provenance(device, started)})
