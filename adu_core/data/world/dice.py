"""All chance of a picture is one row of numbers, so that a picture depends on nothing else."""

from __future__ import annotations

import torch
from torch import Tensor

# More than any picture uses: a new use at the end of a row leaves the earlier ones alone.
WIDTH = 96


def roll(count: int, generator: torch.Generator) -> Tensor:
    """(count, WIDTH) float64 uniform numbers from 0 to 1, drawn on the CPU.

    Row i does not depend on ``count``. A cosine's last bit can depend on which numbers share a
    tensor with it; what is computed in float64 and rounded to float32 does not show it.
    """
    return torch.rand(count, WIDTH, generator=generator, dtype=torch.float64)


class Dice:
    """Hands out the columns of ``rows`` (n, WIDTH) from left to right, each column once."""

    def __init__(self, rows: Tensor) -> None:
        self._rows = rows
        self._used = 0

    def uniform(self, count: int) -> Tensor:
        """The next ``count`` columns: (n, count), from 0 to 1. ``ValueError`` past the last."""
        start, self._used = self._used, self._used + count
        if self._used > self._rows.shape[1]:
            raise ValueError(f"{self._used} numbers asked for; a row has {self._rows.shape[1]}")
        return self._rows[:, start : self._used]

    def between(self, low: float, high: float) -> Tensor:
        """(n, 1, 1) numbers from ``low`` to ``high``, ready to meet (n, H, W) pictures."""
        return (low + (high - low) * self.uniform(1)).unsqueeze(-1)

    def normal(self, count: int) -> Tensor:
        """(n, count) standard normal numbers, cut off at 2.6 (1 in 100 would lie beyond)."""
        # Made from uniform ones: torch.randn's rows would depend on how many there are.
        return torch.erfinv(self.uniform(count) * 1.98 - 0.99) * 2**0.5
