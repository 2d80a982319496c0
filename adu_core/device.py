"""Whether a device works here: asked before any work, and once more on the machine that does it."""

from __future__ import annotations


def check_device(name: str, what: str = "--device") -> None:
    """Raise ``ValueError`` if the device does not work on this machine."""
    import torch

    if name.partition(":")[0] not in ("cpu", "cuda", "mps"):
        raise ValueError(f"{what} {name}: say cpu, cuda or mps")
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"{what} {name} does not work here: {error}") from None
