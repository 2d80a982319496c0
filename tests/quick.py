"""What tests of several rooms share: quick methods, a tokenizer, values with one changed."""

from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from adu_core import Method, method

#: Settings that take long, and what tests set them to, in whichever method has them.
_SHORT: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 16,
    "iterations": 3,
    "population": 4,
    "copies": 2,
    "views": 2,
    "judged": 8,
    "inversion_steps": 2,
    "prompt_tokens": 3,
}


def quick(name: str, **settings: Any) -> Method:
    """The method called ``name`` for small CLIPs, as quick as it can be."""
    made = method(name, "mini")
    known = {each.name for each in fields(made)}
    short = {key: value for key, value in _SHORT.items() if key in known}
    return replace(made, **short | settings)


class Words:
    """A tokenizer: of each word its length, between a start token (or none) and an end."""

    def __init__(self, start: list[int], end: int, pad: int) -> None:
        self.start, self.end, self.pad = start, end, pad

    def __call__(self, texts: list[str]) -> Tensor:
        rows = []
        for text in texts:
            row = [*self.start, *(10 + len(word) for word in text.split()), self.end]
            rows.append((row + [self.pad] * 16)[:16])
        return torch.tensor(rows)


def put(values: dict[str, Any], place: str, value: Any) -> None:
    """``value`` at a place of nested values, whose keys are joined by dots."""
    *outer, last = place.split(".")
    for key in outer:
        values = values[key]
    values[last] = value
