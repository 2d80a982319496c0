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


def provenance(device: torch.device, started: float) -> dict[str, Any]:
    """What a record keeps so that its result can be found again.

    ``started`` is the ``time.perf_counter()`` from which the seconds count.
    """
    peak = peak_memory_mb(device)
    return {
        "versions": {"python": platform.python_version()} | {x: version(x) for x in LIBRARIES},
        "git": git_commit(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "seconds": round(time.perf_counter() - started, 2),
        "peak_memory_mb": None if peak is None else round(peak),
    }


def git_commit() -> str | None:
    """The commit of the source this runs from, with "+" if files differ from it; None elsewhere.

    An installed package may lie inside somebody else's repository: then it is None as well.
    """
    package = Path(__file__).resolve().parent
    try:
        tracked, described = (
            subprocess.run(
                ["git", *words], cwd=package, capture_output=True, text=True, check=True
            ).stdout.strip()
            for words in (
                ["ls-files", "--error-unmatch", Path(__file__).name],
                ["describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            )
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described if tracked else None


def reset_peak_memory(device: torch.device) -> None:
    """Let the peak count from now on, where the machine can; a sweep's runs share a process."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        except OSError:  # some containers do not allow it: the peak is that of the process then
            return


def peak_memory_mb(device: torch.device) -> float | None:
    """The most memory in use since ``reset_peak_memory``, in MB: of the GPU, or of this process.

    None where the machine does not say (Windows); since the process began, where the count
    cannot be reset (macOS, some containers).
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    try:
        import resource
    except ImportError:  # Windows has no such module
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
