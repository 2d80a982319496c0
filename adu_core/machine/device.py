"""Which device computes: checked before any work, and again on the machine that does it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

#: ``load_clip``'s name and pretrained.
Clip = tuple[str, str | None]


def check_device(name: str, what: str = "--device") -> None:
    """Raise ``ValueError`` if the device does not work on this machine; ``auto`` always does."""
    import torch

    if name == "auto":
        return
    if name.partition(":")[0] not in ("cpu", "cuda", "mps"):
        raise ValueError(f"{what} {name}: say cpu, cuda or mps, or auto for the best of them")
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{what} {name} does not work here: {reason}") from None


def gains(clip: Clip) -> bool:
    """Whether a CLIP is worth a GPU: open_clip's are, those of ``adu pretrain`` are too small."""
    return clip[1] is not None


def accelerator() -> str:
    """The GPU that torch finds on this machine, "cuda" or "mps"; "" if there is none."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else ""


def resolved(name: str, clip: Clip) -> str:
    """The device that ``auto`` means on this machine for a CLIP; any other name as it is."""
    if name != "auto":
        return name
    return (accelerator() if gains(clip) else "") or "cpu"


def half_precision(device: str) -> Literal["float32", "bfloat16", "float16"]:
    """The shorter numbers that a device is made for: bfloat16, float16 on older GPUs of Nvidia's.

    float32 on the CPU and on Apple's GPU, where shorter ones gain nothing or may lack.
    """
    import torch

    if not device.startswith("cuda"):
        return "float32"
    emulated = torch.cuda.get_device_capability(device) < (8, 0)
    return "float16" if emulated else "bfloat16"


def where(name: str, clips: Iterable[Clip]) -> str:
    """In a line: where the device called ``name`` lets these CLIPs be computed, and why there."""
    import torch

    best, found = accelerator(), []
    for device in dict.fromkeys(resolved(name, clip) for clip in clips):
        if device.startswith("cuda"):
            why = torch.cuda.get_device_name(device)
        elif device != "cpu":
            why = "Apple's GPU"
        elif not best:
            why = "no GPU is found"
        else:
            why = "a small CLIP" if name == "auto" else "as asked"
            why += f"; --device {best} would use the GPU"
        found.append(f"{device} ({why})")
    return f"computing on {' and '.join(found)}"
