"""The precision that a step computes with, and the parts that are always float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

#: float32; its products in TF32; or the forward pass in bfloat16, or in float16 on older GPUs.
Precision = Literal["float32", "tf32", "bfloat16", "float16"]


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """TF32 in a GPU's matrix products, or none; torch's own setting is back afterwards."""
    products = torch.backends.cuda.matmul
    before, products.allow_tf32 = products.allow_tf32, allowed
    try:
        yield
    finally:
        products.allow_tf32 = before


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Float32 as it is written, whatever holds outside: for features, logits and MMD²."""
    with tf32(False), torch.autocast(device.type, enabled=False):
        yield
