"""What a sweep would run, and how long it would take, by the records that are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from adu_core.runs.record import has_record, read_record
from adu_core.runs.spec import Spec


def forecast(work: Sequence[Spec], folder: str | Path, processes: int = 1) -> str:
    """How many runs, how many of them are there, and the time of the rest and of all.

    A run is expected to take what the records of its method in ``folder`` took, or, if there are
    none, what all of them did.
    """
    seconds: dict[str, list[float]] = {}
    there = 0
    for spec in work:
        path = Path(folder) / f"{spec.name}.json"
        if has_record(path):
            there += 1
            taken = read_record(path)["provenance"]["seconds"]
            seconds.setdefault(spec.method.name, []).append(taken)
    known = [taken for some in seconds.values() for taken in some]

    def expected(some: Sequence[Spec]) -> str:
        if not known:
            return "no record says how long"
        total = sum(mean(seconds.get(spec.method.name, known)) for spec in some)
        return f"about {said_time(total / processes)}"

    rest = [spec for spec in work if not has_record(Path(folder) / f"{spec.name}.json")]
    lines = [f"{len(work)} runs, {expected(work)} in all; {there} are there"]
    if rest:
        lines.append(f"to run: {len(rest)}, {expected(rest)}")
    for name in dict.fromkeys(spec.method.name for spec in rest):
        some = [spec for spec in rest if spec.method.name == name]
        lines.append(f"  {name:<10} {len(some):>5}")
    return "\n".join(lines)


def said_time(seconds: float) -> str:
    """A duration in the largest unit that gives a number worth saying."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
