"""Which method a bench would take, and which ones cannot be distinguished from it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from adu_core.runs.fronts import half_width
from adu_core.task import Method


def choose(rows: pd.DataFrame, methods: Mapping[str, Method]) -> tuple[str | None, str]:
    """Which method to take by H on validation pictures, and why, in one sentence.

    rows: means of each method by its name, as ``Bench`` has them

    Methods whose 95 % intervals over seeds meet that of the best cannot be told apart: of them it
    is the one that learns the fewest numbers, which is zero-shot if that is one of them. With one
    seed there is no interval, and none is taken.
    """
    finite = rows["h_validation"].where(np.isfinite(rows["h"]))
    order = rows.loc[finite.sort_values(ascending=False, kind="stable").index]
    h, half = order["h_validation"], order["h_validation ±"]
    first = order.index[0]
    if len(order) == 1:
        return first, f"There is nothing to compare {first} with{_costs(order, methods[first])}."
    if half.isna().any():
        return None, (
            "With one seed no two methods can be told apart, and none is taken: highest on "
            f"validation pictures is the H of {_listed(order)}; --seeds 3 says more."
        )
    alike = order[h + half >= h.iloc[0] - half.iloc[0]]
    pick = alike.sort_values(["learned_numbers", "fit_seconds"], kind="stable").index[0]
    if len(alike) == 1:
        why = (
            f"{pick}, whose H on validation pictures is {_spread(order, pick)}, "
            f"{h.iloc[0] - h.iloc[1]:.1f} above that of {order.index[1]}, the next"
        )
    elif pick == "zero-shot":
        return pick, (
            "For these pictures: none over zero-shot, from which the best cannot be told apart by "
            f"H on validation pictures: {_listed(alike)}; more seeds say more."
        )
    else:
        why = (
            f"{pick}, which learns the fewest numbers ({alike.loc[pick, 'learned_numbers']}) of "
            f"those that cannot be told apart by H on validation pictures: {_listed(alike)}; more "
            "seeds say more"
        )
    return pick, f"For these pictures: {why}{_costs(order, methods[pick])}."


def _listed(rows: pd.DataFrame) -> str:
    """Names and H on validation pictures, of four at the most."""
    parts = [f"{name} {_spread(rows, name)}" for name in rows.index[:4]]
    more = f" and {len(rows) - 4} more" * (len(rows) > 4)
    return f"{', '.join(parts)}{more}"


def _spread(rows: pd.DataFrame, name: str, column: str = "h_validation") -> str:
    """A mean and its interval."""
    mean, half = rows.loc[name, column], half_width(rows.loc[name, f"{column} ±"])
    said = f"{mean:.1f}" if mean == mean else "–"
    return said if half == "–" else f"{said} ± {half}"


def _costs(rows: pd.DataFrame, method: Method) -> str:
    """What it does on test pictures, changes and takes."""
    row = rows.loc[method.name]
    return (
        f" (on test pictures {_spread(rows, method.name, 'h')}: Mem {row['mem']:.1f}, For "
        f"{row['for']:.1f}); it changes {method.changes}, takes {row['fit_seconds']:.1f} s to fit, "
        f"and is undone so: {method.undo}"
    )
