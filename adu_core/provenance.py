"""Where a result comes from: versions, machine, time, memory."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

LIBRARIES = ("adu-core", "torch", "open_clip_torch", "numpy", "scikit-learn")


def provenance(device: torch.device, started: float, data_fingerprint: str) -> dict[str, Any]:
    """What a record keeps so that its result can be found again.

    ``started`` is the ``time.perf_counter()`` from which the seconds count.
    """
    return {
        "versions": {"python": platform.python_version()} | {x: version(x) for x in LIBRARIES},
        "git": git_commit(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "seconds": round(time.perf_counter() - started, 2),
        "peak_memory_mb": round(peak_memory_mb(device)),
        "data_fingerprint": data_fingerprint,
    }


def git_commit() -> str | None:
    """The commit of the source this runs from, with "+" if files differ from it; None elsewhere."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()


def peak_memory_mb(device: torch.device) -> float:
    """The most memory in use so far, in MB: of the GPU, or of this process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    try:
        import resource
    except ImportError:  # Windows has no such module
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
