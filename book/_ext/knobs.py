"""What each setting of ADU does, from the records: the tables of the page ``book/knobs``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
from cells import number, table
from scipy.stats import t as student

from adu_core.runs.fronts import confidence_interval
from adu_core.runs.records import read_table


@dataclass(frozen=True)
class Knob:
    """A setting that was turned while all others stayed.

    name:    what the page calls it
    folder:  its records, or two folders' together
    common:  what the compared runs have in common, as a query
    column:  the setting, or the settings that were turned together
    default: where it stood before
    words:   what values are called, in the order of the table; without, they are numbers
    """

    name: str
    folder: str | tuple[str, str]
    common: str
    column: str | tuple[str, str]
    default: Any
    words: Mapping[Any, str] = field(default_factory=dict)


FULL = "method == 'full'"
#: MMD²'s kernels by their bandwidths, in squared medians.
KERNELS = {
    (0.25, 0.5, 1.0, 2.0, 4.0): "five widths",
    (0.25,): "narrow",
    (1.0,): "median",
    (4.0,): "wide",
    (100.0,): "flat",
}
LABELS = {
    "true": "true",
    "sentences": "from sentences",
    "k-means": "from k-means",
    "wrong:0.3": "30 % wrong",
}
WIDTHS = {"mini": "mini", "build/wide_clip.safetensors": "twice as wide"}
#: The defaults of what prompts have.
PROMPTS = {"prompt_tokens": 8, "prompt_depth": 9, "prompt_std": 0.02, "text_tokens": 0}
#: By section of the page, what was turned of ``full`` on the drawn world: the comparisons counted.
TURNED = {
    "prompts": [
        Knob(
            name,
            "prompts",
            " and ".join(f"{other} == {at}" for other, at in PROMPTS.items() if other != column),
            column,
            PROMPTS[column],
            {1: "1", 3: "3", 9: "all 6"} if column == "prompt_depth" else {},
        )
        for name, column in (
            ("number of prompts", "prompt_tokens"),
            ("blocks with prompts", "prompt_depth"),
            ("prompts' size at the start", "prompt_std"),
            ("text prompts", "text_tokens"),
        )
    ],
    "strength": [
        Knob("λ", "strength", "gamma == 3", "lam", 10),
        Knob("γ", "strength", "lam == 10", "gamma", 3),
    ],
    "shots": [Knob("shots", "shots", FULL, "shots", 8)],
    "domains": [Knob("domains at once", "forgotten_domains", FULL, "forgotten", 1)],
    "kernel": [
        Knob("kernel", "bandwidths", FULL, "bandwidths", next(iter(KERNELS)), KERNELS),
    ],
    "batch": [
        Knob("batch", "batches", "balanced", "batch_size", 32),
        Knob(
            "balanced batches",
            "batches",
            "batch_size == 32",
            "balanced",
            True,
            {True: "yes", False: "no"},
        ),
    ],
    "instapg": [
        Knob("InstaPG before block", "instapg", "instapg_wiring == 'add'", "instapg_block", 0),
        Knob(
            "InstaPG's wiring",
            "instapg",
            "instapg_block == 0",
            "instapg_wiring",
            "add",
            {"add": "`add`", "each": "`each`", "replace": "`replace`"},
        ),
    ],
    "width": [
        Knob(
            "CLIP",
            ("forgotten_domains", "capacity"),
            f"{FULL} and forgotten == 1",
            "clip",
            "mini",
            WIDTHS,
        ),
    ],
    "labels": [Knob("domain labels", "domain_labels", FULL, "labels", "true", LABELS)],
}
#: What else a section's table shows: of other methods, on PACS, of two settings at once.
BESIDES = {
    "strength": [
        Knob(
            "λ, five seeds",
            "causes",
            f"{FULL} and labels == 'true' and forget_weight == 1 and gamma == 3 and lam >= 0",
            "lam",
            10,
        ),
        Knob(
            "both",
            "strength",
            "gamma != 3 and lam != 10 or gamma == 3 and lam == 10",
            ("gamma", "lam"),
            (3, 10),
            {
                (gamma, lam): f"γ = {gamma}, λ = {lam}"
                for gamma, lam in ((3, 10), (0, 0), (0, 30), (30, 0), (30, 30))
            },
        ),
    ],
    "shots": [
        *(
            Knob(
                f"`{name}`, shots",
                "shots",
                f"method == '{name}' and shots in (1, 8, 32)",
                "shots",
                8,
            )
            for name in ("baseline", "gate")
        ),
        *(
            Knob(
                f"PACS, `{name}`, shots",
                "pacs",
                f"method == '{name}' and shots in (1, 8, 16)",
                "shots",
                8,
            )
            for name in ("full", "baseline", "gate")
        ),
    ],
    "domains": [
        Knob(
            f"`{name}`, domains at once", "forgotten_domains", f"method == '{name}'", "forgotten", 1
        )
        for name in ("baseline", "gate")
    ],
    "width": [
        Knob(
            f"`{name}`, CLIP",
            ("forgotten_domains", "capacity"),
            f"method == '{name}' and forgotten == 1",
            "clip",
            "mini",
            WIDTHS,
        )
        for name in ("baseline", "gate")
    ],
    "labels": [
        Knob(
            f"`{name}`, domain labels",
            "domain_labels",
            f"method == '{name}'",
            "labels",
            "true",
            LABELS,
        )
        for name in ("gate", "door")
    ],
}


#: Most folders have records of several knobs.
once = lru_cache(maxsize=None)(read_table)


def turned(results: Path, knob: Knob) -> pd.DataFrame:
    """Means for each value of a knob, and their differences to its default, paired by seed.

    First the mean over what was forgotten, then the difference, then the interval over seeds.
    """
    folders = (knob.folder,) if isinstance(knob.folder, str) else knob.folder
    found = pd.concat([once(results / name) for name in folders]).query(knob.common)
    if isinstance(knob.column, str):
        found["value"] = found[knob.column]
    else:
        found["value"] = list(zip(*(found[name] for name in knob.column), strict=True))
    means = found.groupby(["value", "seed"])[["mem", "for", "h", "selectivity"]].mean()
    seeds = {each: rows.droplevel("value") for each, rows in means.groupby("value")}
    rows = []
    for each in knob.words or sorted(seeds):
        row: dict[str, Any] = {"value": knob.words.get(each, f"{each:g}" if not knob.words else "")}
        row |= {"knob": knob.name, "default": each == knob.default, **seeds[each].mean()}
        for score in ("h", "selectivity"):
            apart = seeds[each][score] - seeds[knob.default][score]
            row[f"of {score}"], row[f"of {score} ±"] = confidence_interval(apart.tolist())
        rows.append(row | {"seeds": len(seeds[each])})
    return pd.DataFrame(rows)


def change(row: Mapping[str, Any], score: str) -> str:
    """``+1.2 ± 0.3``; – for the default itself."""
    return "–" if row["default"] else f"{row[f'of {score}']:+.1f} ± {row[f'of {score} ±']:.1f}"


def knobs(results: Path) -> dict[str, Any]:
    """What each setting does: a table for each section, one of all changes, and how many they are.

    A change is ``knobs.kernel.kernel.narrow.selectivity``, a mean ``….mean_mem``.
    """
    cells: dict[str, Any] = {}
    counted = []
    for section, known in TURNED.items():
        place = cells[section] = {}
        rows: list[list[str]] = []
        for knob in (*known, *BESIDES.get(section, ())):
            found = turned(results, knob)
            for row in found.to_dict("records"):
                named = f"{knob.name}: {row['value']}" + " (default)" * row["default"]
                means = {name: number(row[name]) for name in ("mem", "for", "h", "selectivity")}
                changes = {name: change(row, name) for name in ("h", "selectivity")}
                if not row["default"] or all(line[1:5] != [*means.values()] for line in rows):
                    rows.append([named, *means.values(), *changes.values()])
                said = {f"mean_{name}": mean for name, mean in means.items()} | changes
                place.setdefault(knob.name, {})[row["value"]] = said
            if knob in known:
                counted.append(found[~found["default"]])
        head = ["setting", "Mem", "For", "H", "selectivity", "change of H", "of selectivity"]
        place["table"] = table(head, rows)
    return {**cells, **every(pd.concat(counted, ignore_index=True))}


def every(counted: pd.DataFrame) -> dict[str, str]:
    """All changes in a table, the largest of selectivity first, and how many exclude 0.

    ``….wider`` is the factor that intervals grow by if they allow for all comparisons (Bonferroni),
    ``….selectivity_left`` how many still exclude 0 then.
    """
    order = counted["of selectivity"].abs().sort_values(ascending=False).index
    clear = {
        name: counted[f"of {name}"].abs() > counted[f"of {name} ±"] for name in ("h", "selectivity")
    }
    rows = [
        [
            f"{row['knob']}: {row['value']}",
            change(row, "h"),
            change(row, "selectivity"),
            *("**yes**" if clear[name][at] else "no" for name in ("h", "selectivity")),
        ]
        for at, row in zip(order, counted.loc[order].to_dict("records"), strict=True)
    ]
    head = [
        "changed to",
        "change of H",
        "of selectivity",
        "H: 0 excluded",
        "selectivity: 0 excluded",
    ]
    agree = clear["h"] & clear["selectivity"]
    freedom = counted["seeds"].min() - 1
    wider = student.ppf(1 - 0.025 / len(counted), freedom) / student.ppf(0.975, freedom)
    return {
        "table": table(head, rows),
        "count": str(len(counted)),
        "by_chance": number(0.05 * len(counted)),
        "h_excludes": str(clear["h"].sum()),
        "selectivity_excludes": str(clear["selectivity"].sum()),
        "wider": number(wider),
        **{
            f"{name}_left": str(
                (counted[f"of {name}"].abs() > wider * counted[f"of {name} ±"]).sum()
            )
            for name in ("h", "selectivity")
        },
        "both_exclude": str((agree & (counted["of h"] * counted["of selectivity"] > 0)).sum()),
    }
