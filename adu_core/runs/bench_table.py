"""The bench for people and for programs: a table as text, and plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adu_core.dataset import Target
from adu_core.runs.bench import SELECTIVE, Bench
from adu_core.runs.fronts import half_width
from adu_core.runs.records import as_text
from adu_core.runs.spec import Spec
from adu_core.runs.tune import KEEP

SCHEMA = 3
HEADS = {
    "mem": "Mem",
    "for": "For",
    "h": "H",
    "h ±": "±",
    "selectivity": "sel",
    SELECTIVE: f"sel@{100 * KEEP:.0f}",
    "h_corrupted": "corr. H",
    "refused": "ref.",
    "confident": "conf.",
    "h_held_out": "unmet H",
    "fit_seconds": "fit s",
    "learned_numbers": "numbers",
    "peak_memory_mb": "MB",
}


def table(found: Bench) -> str:
    """The bench as `adu bench` prints it, and what was left out; no column is empty."""
    rows = found.rows[list(HEADS)].dropna(axis=1, how="all").rename(columns=HEADS).reset_index()
    lines = [as_text(rows, {"±": half_width, "MB": "{:.0f}".format})]
    same = found.rows.index[found.rows["h ±"].abs() < 1e-9].tolist()
    if same:
        lines.append(f"± –: nothing random, the same in every seed: {', '.join(same)}")
    lines += [f"left out: {name} ({why})" for name, why in found.left_out.items()]
    return "\n".join(lines)


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
                "method": (method := found.methods[str(name)]).as_dict(),
                "searched": method.search(),
                **row,
                "changes": method.changes,
                "needs": method.needs,
                "undo": method.undo,
                "validation_trials": found.trials.get(method.name, []),
                "tried": found.tried[method.name],
            }
            for name, row in found.rows.to_dict("index").items()
        ],
        "left_out": found.left_out,
        "pick": found.pick,
        "reason": found.reason,
    }
