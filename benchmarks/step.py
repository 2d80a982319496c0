"""One ADU step on a ViT-B/16-sized CLIP against the matmul limit and stock open_clip blocks.

Prints ratios measured in one run, interleaved, because the machine's own speed drifts; the
medians are quoted. A step is forward, loss and gradient to prompts, InstaPG and classifier.

- matmul limit: the floating-point operations of the step's matrix products, counted by torch on
  the stock model, at the speed that a plain product of the model's largest shape reaches here.
  The last block's work for tokens that are never pooled is in the stock count and not in ours,
  so the limit of our own products is printed too.
- stock: the same step with open_clip's blocks called as modules, every token to the end.

Run: make bench
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

import adu_core.clip.towers
from adu_core.clip.block import run_block
from adu_core.clip.load import load_clip
from adu_core.methods.adu.adapter import Adapter
from adu_core.methods.adu.method import PAPER, objective

LIMIT, STOCK = 1.35, 1.4  # what we hold ourselves to: at most, at least


def stock_block(block: torch.nn.Module, x: torch.Tensor, **_: object) -> torch.Tensor:
    """open_clip's own forward pass, which knows no short cut."""
    result: torch.Tensor = block(x)
    return result


def step(
    adapter: Adapter, pictures: torch.Tensor, labels: torch.Tensor, domains: torch.Tensor
) -> None:
    """Forward, loss and backward of one batch."""
    features = adapter(pictures)
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


def seconds(work: Callable[[], object]) -> float:
    """How long ``work`` takes once."""
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clip", default="ViT-B-16-quickgelu", help="or mini")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    arguments = parser.parse_args()

    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # random weights are as fast as others
        clip = load_clip(arguments.clip, device=arguments.device)
    names = [f"thing {i}" for i in range(16)]
    adapter = Adapter(clip, names, ("a", "b", "c", "d"), ("a",), PAPER)
    size, batch, device = clip.picture_size, arguments.batch, clip.device
    pictures = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8, device=device)
    labels, domains = (torch.arange(batch, device=device) % n for n in (16, 4))

    def adu_step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=arguments.precision == "bfloat16"):
            step(adapter, pictures, labels, domains)

    def stock_step() -> None:
        vars(adu_core.clip.towers)["run_block"] = stock_block
        try:
            adu_step()
        finally:
            vars(adu_core.clip.towers)["run_block"] = run_block

    with FlopCounterMode(display=False) as counted_stock:
        stock_step()
    with FlopCounterMode(display=False) as counted_ours:
        adu_step()
    stock_operations = counted_stock.get_total_flops()
    our_operations = counted_ours.get_total_flops()

    rows = batch * (clip.grid[0] * clip.grid[1] + 1 + PAPER.prompt_tokens)
    dtype = getattr(torch, arguments.precision)
    left = torch.randn(rows, clip.width, device=device, dtype=dtype)
    right = torch.randn(clip.width, 4 * clip.width, device=device, dtype=dtype)
    repeats = max(1, int(stock_operations / (2 * left.numel() * right.shape[1]) / 8))

    def products() -> None:
        for _ in range(repeats):
            left @ right

    rates, ours, stock = [], [], []
    for number in range(arguments.rounds + 1):
        rate = repeats * 2 * left.numel() * right.shape[1] / seconds(products)
        both = seconds(adu_step), seconds(stock_step)
        if number:  # the first round warms up
            rates.append(rate)
            ours.append(both[0])
            stock.append(both[1])
    to_limit = [t * r / stock_operations for t, r in zip(ours, rates, strict=True)]
    to_own_limit = [t * r / our_operations for t, r in zip(ours, rates, strict=True)]
    to_stock = [s / t for t, s in zip(ours, stock, strict=True)]

    median = statistics.median
    print(f"{arguments.clip}, batch {batch}, {arguments.precision}, {device}")
    print(f"plain product           {median(rates) / 1e9:8.0f} GFLOP/s")
    print(f"products of a step      {stock_operations / 1e9:8.0f} GFLOP stock", end="")
    print(f", {our_operations / 1e9:.0f} ours")
    print(f"ADU step                {median(ours):8.3f} s, {batch / median(ours):.1f} pictures/s")
    print(f"stock open_clip         {median(stock):8.3f} s")
    print(f"ADU / matmul limit      {median(to_limit):8.2f}   (at most {LIMIT})")
    print(f"ADU / limit of its own  {median(to_own_limit):8.2f}")
    print(f"stock / ADU             {median(to_stock):8.2f}   (at least {STOCK})")


if __name__ == "__main__":
    main()
