"""One ADU step on a ViT-B/16-sized CLIP against the matmul limit, stock blocks, and bare memory.

Prints ratios measured in one run, interleaved, because the machine's own speed drifts; the
medians are quoted. A step is forward, loss and gradient to prompts, InstaPG and classifier.

- matmul limit: the floating-point operations of the step's matrix products, counted by torch on
  the stock model, at the speed that a plain product of the model's largest shape reaches here.
  The last block's work for tokens that are never pooled is in the stock count and not in ours,
  so the limit of our own products is printed too.
- stock: the same step with open_clip's blocks called as modules, every token to the end.
- bare: the most memory at a time in a forward pass of the frozen CLIP and the gradient of its
  features at the pictures, of the same batch; then that of a step.
- compiled (``--compile``): the same step with ``torch.compile`` on the forward pass: how long
  compiling takes, and after how many steps that is paid back.

Run: make bench
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from common import any_clip, in_turn, keep, peak_memory, seconds
from torch.utils.flop_counter import FlopCounterMode

import adu_core.clip
from adu_core.adu import PAPER, Adapter, objective
from adu_core.clip import run_block
from adu_core.precision import tf32

#: What we hold ourselves to, by device and precision: at most, at least, at most.
LIMIT = {("cpu", "float32"): 1.3, ("cuda", "bfloat16"): 2.2}
STOCK, MEMORY = 1.3, 1.15


def stock_block(block: torch.nn.Module, x: torch.Tensor, **_: object) -> torch.Tensor:
    """open_clip's own forward pass, which knows no short cut."""
    result: torch.Tensor = block(x)
    return result


def step(
    adapter: Adapter,
    pictures: torch.Tensor,
    labels: torch.Tensor,
    domains: torch.Tensor,
    precision: str = "float32",
    forward: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> None:
    """Forward, loss and backward of one batch."""
    device, half = pictures.device.type, precision == "bfloat16"
    with tf32(precision == "tf32"):
        with torch.autocast(device, torch.bfloat16, enabled=half):
            features = (forward or adapter)(pictures)
            assert adapter.domain_classifier is not None  # the full method has one
            losses = objective(
                PAPER,
                features=features,
                logits=adapter.logits(features),
                domain_logits=adapter.domain_classifier(features),
                labels=labels,
                domains=domains,
                forgotten=domains == 0,
            )
        adapter.zero_grad()
        losses.total.backward()


def bare(adapter: Adapter, pictures: torch.Tensor, precision: str) -> None:
    """The frozen CLIP alone, forward and back to the pictures."""
    device, half = pictures.device.type, precision == "bfloat16"
    seen = adapter.clip.normalise(pictures).requires_grad_()
    with torch.autocast(device, torch.bfloat16, enabled=half):
        features = adapter.clip.encode_image(seen)
    torch.autograd.grad(features.sum(), seen)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """All that is printed, as plain numbers."""
    clip = any_clip(arguments.clip, arguments.device)
    names = [f"thing {i}" for i in range(16)]
    adapter = Adapter(clip, names, ("a", "b", "c", "d"), ("a",), PAPER)
    size, batch, device = clip.picture_size, arguments.batch, clip.device
    pictures = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8, device=device)
    labels, domains = (torch.arange(batch, device=device) % n for n in (16, 4))
    adu_step = partial(step, adapter, pictures, labels, domains, arguments.precision)

    def stock_step() -> None:
        vars(adu_core.clip)["run_block"] = stock_block
        try:
            adu_step()
        finally:
            vars(adu_core.clip)["run_block"] = run_block

    with FlopCounterMode(display=False) as counted_stock:
        stock_step()
    with FlopCounterMode(display=False) as counted_ours:
        adu_step()
    stock_operations = counted_stock.get_total_flops()
    our_operations = counted_ours.get_total_flops()

    rows = batch * (clip.grid[0] * clip.grid[1] + 1 + PAPER.prompt_tokens)
    dtype = torch.bfloat16 if arguments.precision == "bfloat16" else torch.float32
    left = torch.randn(rows, clip.width, device=device, dtype=dtype)
    right = torch.randn(clip.width, 4 * clip.width, device=device, dtype=dtype)
    repeats = max(1, int(stock_operations / (2 * left.numel() * right.shape[1]) / 8))

    def products() -> None:
        with tf32(arguments.precision == "tf32"):
            for _ in range(repeats):
                left @ right

    works = {"products": products, "adu": adu_step, "stock": stock_step}
    found: dict[str, Any] = {}
    if arguments.compile:
        works["compiled"] = partial(adu_step, forward=torch.compile(adapter.features))
        found["compile_seconds"] = seconds(works["compiled"], device)
    timed = {name: partial(seconds, work, device) for name, work in works.items()}
    taken = in_turn(timed, arguments.rounds)
    median = statistics.median
    rates = [repeats * 2 * left.numel() * right.shape[1] / t for t in taken["products"]]
    pairs = list(zip(taken["adu"], rates, strict=True))
    found |= {
        "clip": arguments.clip,
        "batch": batch,
        "precision": arguments.precision,
        "rounds": arguments.rounds,
        "matrix_rate_gflops": median(rates) / 1e9,
        "operations_stock_gflop": stock_operations / 1e9,
        "operations_gflop": our_operations / 1e9,
        "step_seconds": median(taken["adu"]),
        "stock_seconds": median(taken["stock"]),
        "to_matmul_limit": median(t * rate / stock_operations for t, rate in pairs),
        "to_own_limit": median(t * rate / our_operations for t, rate in pairs),
        "stock_to_step": median(s / t for s, t in zip(taken["stock"], taken["adu"], strict=True)),
        "peak_memory_mb": peak_memory(adu_step, device) / 1e6,
        "bare_memory_mb": peak_memory(
            partial(bare, adapter, pictures, arguments.precision), device
        ) / 1e6,
    }  # fmt: skip
    found["memory_to_bare"] = found["peak_memory_mb"] / found["bare_memory_mb"]
    if arguments.compile:
        found["compiled_seconds"] = median(taken["compiled"])
        saved = found["step_seconds"] - found["compiled_seconds"]
        found["steps_until_compiling_pays"] = (
            math.ceil(found["compile_seconds"] / saved) if saved > 0 else None
        )
    return found


def main() -> None:
    """Measure, print, and keep the record if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clip", default="ViT-B-16-quickgelu", help="or mini")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--precision", default="float32", choices=("float32", "tf32", "bfloat16")
    )  # fmt: skip
    parser.add_argument("--compile", action="store_true", help="torch.compile besides")
    parser.add_argument("--save", type=Path, metavar="FILE.json")
    arguments = parser.parse_args()
    started = time.perf_counter()
    found = measure(arguments)
    device = torch.device(arguments.device)
    limit = LIMIT.get((device.type, arguments.precision))
    held = f"   (at most {limit})" if limit else ""
    step_time, batch = found["step_seconds"], arguments.batch
    print(f"{arguments.clip}, batch {batch}, {arguments.precision}, {device}")
    print(f"plain product           {found['matrix_rate_gflops']:8.0f} GFLOP/s")
    print(
        f"products of a step      {found['operations_stock_gflop']:8.0f} GFLOP stock, "
        f"{found['operations_gflop']:.0f} ours"
    )
    print(f"ADU step                {step_time:8.3f} s, {batch / step_time:.1f} pictures/s")
    print(f"stock open_clip         {found['stock_seconds']:8.3f} s")
    print(f"ADU / matmul limit      {found['to_matmul_limit']:8.2f}{held}")
    print(f"ADU / limit of its own  {found['to_own_limit']:8.2f}")
    print(f"stock / ADU             {found['stock_to_step']:8.2f}   (at least {STOCK})")
    print(f"memory, bare            {found['bare_memory_mb']:8.0f} MB")
    print(f"ADU / bare memory       {found['memory_to_bare']:8.2f}   (at most {MEMORY})")
    if arguments.compile:
        print(f"compiled step           {found['compiled_seconds']:8.3f} s")
        pays = found["steps_until_compiling_pays"]
        print(
            f"compiling               {found['compile_seconds']:8.1f} s, "
            + (f"paid back after {pays} steps" if pays else "never paid back")
        )
    keep(arguments.save, found, started, device)


if __name__ == "__main__":
    main()
