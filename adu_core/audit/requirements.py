"""What a user requires of an audit's scores, and which of it is not met."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from adu_core.audit.audit import SCORES


class Requirement(NamedTuple):
    """A score, a comparison, and a number: ``for>=70``."""

    score: str
    sign: str
    value: float

    def __str__(self) -> str:
        return f"{self.score}{self.sign}{self.value:g}"


_COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


def requirement(text: str) -> Requirement:
    """Read ``for>=70``; a ``ValueError`` says what is wrong."""
    found = re.fullmatch(r"\s*(\w+)\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*", text)
    if not found:
        raise ValueError(f"{text!r} is none: say a score, >= or <=, and a number, as in for>=70")
    score, sign, value = found.groups()
    if score not in SCORES:
        raise ValueError(f"{text!r}: no score {score!r}; there are {', '.join(SCORES)}")
    return Requirement(score, sign, float(value))


def bound(score: str, sign: str, record: Mapping[str, Any]) -> float | None:
    """What a requirement is held against: the end of the score's interval that is the worse for it.

    The score itself, where it has no interval; None where it was not measured.
    """
    interval = record["intervals"][score]
    if interval is None:
        value: float | None = record["scores"][score]
        return value
    return float(interval[0 if sign.startswith(">") else 1])


def failed(
    requirements: Iterable[Requirement], record: Mapping[str, Any]
) -> list[tuple[Requirement, float | None]]:
    """Those that an audit does not meet by the bound of the score's interval, with that bound.

    A score that was not measured is not met.
    """
    found = [(each, bound(each.score, each.sign, record)) for each in requirements]
    return [
        (each, value)
        for each, value in found
        if value is None or not _COMPARE[each.sign](value, each.value)
    ]
