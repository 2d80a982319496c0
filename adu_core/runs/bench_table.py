"""The bench as people and programs read it: a table of text, and plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from adu_core.data.target import Target
from adu_core.runs.bench import KEEP, Bench
from adu_core.runs.spec import Spec

SCHEMA = 1


def table(found: Bench) -> str:
    """The bench as `adu bench` prints it, and what was left out."""
    head = (
        f"{'method':<11}{'Mem':>6}{'For':>6}{'H':>6}{'±':>6}{'sel':>6}{'For@95':>8}"
        f"{'unmet H':>9}{'fit s':>7}{'numbers':>9}{'MB':>6}  {'changes':<9} "
        f"{'learns from':<24} undone"
    )
    lines = [head]
    for row in found.rows:
        numbers = [
            _cell(row.mem, 6),
            _cell(row.for_, 6),
            _cell(row.h, 6),
            _cell(row.interval, 6),
            _cell(row.selectivity, 6),
            _cell(row.for_at_keep, 8),
            _cell(row.h_held_out, 9),
            _cell(row.fit_seconds, 7),
        ]
        memory = f"{row.memory_mb:>6.0f}" if row.memory_mb == row.memory_mb else f"{'–':>6}"
        lines.append(
            f"{row.method.name:<11}{''.join(numbers)}{row.learned_numbers:>9}{memory}  "
            f"{row.method.changes:<9} {row.method.needs:<24} {row.method.undo}"
        )
    lines += [f"left out: {name} ({why})" for name, why in found.left_out.items()]
    return "\n".join(lines)


def _cell(value: float, width: int) -> str:
    return f"{value:>{width}.1f}" if math.isfinite(value) else f"{'–':>{width}}"


def as_dict(
    found: Bench, template: Spec, targets: Sequence[Target], trials: int, seeds: Sequence[int]
) -> dict[str, Any]:
    """The bench as its JSON keeps it."""
    asked = template.as_dict()
    return {
        "schema": SCHEMA,
        **{key: asked[key] for key in ("data", "clip", "shots", "mix", "limit")},
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
        "pick": found.pick.method.name,
        "reason": found.reason,
    }
