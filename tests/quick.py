"""What tests of several rooms share: quick methods, and values with one of them changed."""

from dataclasses import fields, replace
from typing import Any

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


def put(values: dict[str, Any], place: str, value: Any) -> None:
    """``value`` at a place of nested values, whose keys are joined by dots."""
    *outer, last = place.split(".")
    for key in outer:
        values = values[key]
    values[last] = value
