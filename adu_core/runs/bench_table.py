"""The bench as people and programs read it: a table of text, and plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from adu_core.runs.bench import KEEP, Bench
from adu_core.runs.fronts import half_width
from adu_core.runs.spec import Spec
from adu_core.task import Target

SCHEMA = 1


def table(found: Bench) -> str:
    """The bench as `adu bench` prints it, and what was left out; no column is empty."""
    rows = found.rows
    columns: dict[str, list[str]] = {
        "Mem": [_cell(row.mem) for row in rows],
        "For": [_cell(row.for_) for row in rows],
        "H": [_cell(row.h) for row in rows],
        "±": [half_width(row.interval) for row in rows],
        "sel": [_cell(row.selectivity) for row in rows],
        "H valid.": [_cell(row.validation_h) for row in rows],
        f"For@{100 * KEEP:.0f}": [_cell(row.for_at_keep) for row in rows],
        "unmet H": [_cell(row.h_held_out) for row in rows],
        "fit s": [_cell(row.fit_seconds) for row in rows],
        "numbers": [str(row.learned_numbers) for row in rows],
        "MB": [_cell(row.memory_mb, 0) for row in rows],
    }
    same = [row.method.name for row in rows if abs(row.interval) < 1e-9]
    shown = {
        head: cells
        for head, cells in columns.items()
        if set(cells) != {"–"} or (head == "±" and same)
    }
    wide = {head: max(map(len, [head, *cells])) + 2 for head, cells in shown.items()}
    lines = [f"{'method':<10}" + "".join(f"{head:>{wide[head]}}" for head in shown)]
    for number, row in enumerate(rows):
        cells = (f"{cells[number]:>{wide[head]}}" for head, cells in shown.items())
        lines.append(f"{row.method.name:<10}" + "".join(cells))
    if same:
        lines.append(f"± –: nothing random, the same in every seed: {', '.join(same)}")
    lines += [f"left out: {name} ({why})" for name, why in found.left_out.items()]
    return "\n".join(lines)


def _cell(value: float, digits: int = 1) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def as_dict(
    found: Bench, template: Spec, targets: Sequence[Target], trials: int, seeds: Sequence[int]
) -> dict[str, Any]:
    """The bench as its JSON keeps it."""
    asked = template.as_dict()
    return {
        "schema": SCHEMA,
        **{key: asked[key] for key in ("data", "clip", "shots", "limit")},
        "forget": [target.as_dict() for target in targets],
        "trials": trials,
        "seeds": list(seeds),
        "rows": [
            {
                "method": row.method.as_dict(),
                "searched": row.method.search(),
                "mem": row.mem,
                "for": row.for_,
                "h": row.h,
                "h_interval": row.interval,
                "selectivity": row.selectivity,
                "validation_h": row.validation_h,
                "validation_h_interval": row.validation_interval,
                f"for_at_mem_{100 * KEEP:.0f}": row.for_at_keep,
                "h_held_out": row.h_held_out,
                "fit_seconds": row.fit_seconds,
                "learned_numbers": row.learned_numbers,
                "peak_memory_mb": row.memory_mb,
                "changes": row.method.changes,
                "needs": row.method.needs,
                "undo": row.method.undo,
                "validation_trials": row.front,
            }
            for row in found.rows
        ],
        "left_out": found.left_out,
        "pick": found.pick.method.name if found.pick else None,
        "reason": found.reason,
    }
