"""Which method a bench would take: a row of its table, and what may be said of the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adu_core.runs.fronts import with_interval
from adu_core.task import Method


@dataclass(frozen=True)
class Row:
    """One method on the bench: means over targets and seeds, percentages unless said otherwise.

    interval:     half-width of H's 95 % interval over seeds; NaN for one seed, 0 where nothing is
                  random
    validation_h: H on validation pictures, which the choice goes by, and ``validation_interval``
    for_at_keep:  For of the settings that, on validation, forget most among those with a Mem of
                  at least ``KEEP`` of zero-shot's; NaN if none of the trials had
    h_held_out:   H on classes that unlearning never met; NaN where there are none
    fit_seconds:  of learning alone; ``memory_mb`` the peak of the whole run
    front:        (Mem, For) of all trials on validation pictures
    """

    method: Method
    mem: float
    for_: float
    h: float
    interval: float
    selectivity: float
    validation_h: float
    for_at_keep: float
    h_held_out: float
    fit_seconds: float
    learned_numbers: int
    memory_mb: float
    front: tuple[tuple[float, float], ...]
    validation_interval: float = float("nan")


def choose(rows: Sequence[Row]) -> tuple[Row | None, str]:
    """Which method to take by H on validation pictures, and why, in one sentence.

    Methods whose 95 % intervals over seeds meet that of the best cannot be told apart: of them it
    is the one that learns the fewest numbers, which is zero-shot if that is one of them. With one
    seed there is no interval, and none is taken.
    """
    order = sorted(rows, key=lambda row: -row.validation_h if math.isfinite(row.h) else math.inf)
    first = order[0]
    if len(order) == 1:
        return first, f"There is nothing to compare {first.method.name} with{_costs(first)}."
    if any(math.isnan(row.validation_interval) for row in order):
        return None, (
            "With one seed no two methods can be told apart, and none is taken: highest on "
            f"validation pictures is the H of {_listed(order)}; --seeds 3 says more."
        )
    least = first.validation_h - first.validation_interval
    alike = [row for row in order if row.validation_h + row.validation_interval >= least]
    pick = min(alike, key=lambda row: (row.learned_numbers, row.fit_seconds))
    if len(alike) == 1:
        why = (
            f"{pick.method.name}, whose H on validation pictures is {_spread(pick)}, "
            f"{pick.validation_h - order[1].validation_h:.1f} above that of "
            f"{order[1].method.name}, the next"
        )
    elif pick.method.name == "zero-shot":
        return pick, (
            "For these pictures: none over zero-shot, from which the best cannot be told apart by "
            f"H on validation pictures: {_listed(alike)}; more seeds say more."
        )
    else:
        why = (
            f"{pick.method.name}, which learns the fewest numbers ({pick.learned_numbers}) of "
            f"those that cannot be told apart by H on validation pictures: {_listed(alike)}; more "
            "seeds say more"
        )
    return pick, f"For these pictures: {why}{_costs(pick)}."


def _listed(rows: Sequence[Row]) -> str:
    """Names and H on validation pictures, of four at the most."""
    said = [f"{row.method.name} {_spread(row)}" for row in rows[:4]]
    more = f" and {len(rows) - 4} more" * (len(rows) > 4)
    return f"{', '.join(said)}{more}"


def _spread(row: Row) -> str:
    return with_interval(row.validation_h, row.validation_interval)


def _costs(row: Row) -> str:
    """What it does on test pictures, changes and takes."""
    return (
        f" (on test pictures {with_interval(row.h, row.interval)}: Mem {row.mem:.1f}, For "
        f"{row.for_:.1f}); it changes {row.method.changes}, takes {row.fit_seconds:.1f} s to fit, "
        f"and is undone so: {row.method.undo}"
    )
