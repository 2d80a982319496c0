"""Records of runs: one JSON file each, read back as a table, compared with intervals."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from adu_core.experiment import SCHEMA, Record
from adu_core.files import read_json
from adu_core.metrics import confidence_interval, for_at_mem, hypervolume

_RESULTS = ("mem", "for", "h")


def read_record(path: str | Path) -> Record:
    """One record; a ``ValueError`` names the file if it is not one of this schema."""
    record = read_json(path)
    wanted = {"schema", "before", "after", "config", "provenance"}
    if not isinstance(record, dict) or not wanted <= record.keys() or record["schema"] != SCHEMA:
        raise ValueError(f"{path} is not a record of schema {SCHEMA}")
    found: Record = record  # type: ignore[assignment]
    return found


def read_table(paths: str | Path | Iterable[str | Path]) -> pd.DataFrame:
    """Records as a table, a row each: of the files named, or of all in a folder and below.

    Columns: forget (joined by "+"), seed, on, mix, shots, every setting (method, epochs,
    forget_weight, …), mem, for, h after unlearning and, as mem_before …, before it,
    accuracy of each domain after as ``accuracy.<domain>``, and the entanglement measures with
    ``.before`` and ``.after``.
    """
    if isinstance(paths, str | Path):
        root = Path(paths)
        paths = sorted(root.rglob("*.json")) if root.is_dir() else [root]
    rows = [_row(read_record(path)) for path in paths]
    if not rows:
        raise ValueError("there is no record to read: run `adu sweep` or `adu run --json` first")
    return pd.DataFrame(rows)


def _row(record: Record) -> dict[str, Any]:
    config = record["config"]
    row: dict[str, Any] = {
        "forget": "+".join(config["forget"]),
        **{key: config.get(key) for key in ("seed", "on", "mix", "shots")},
        **{k: tuple(v) if isinstance(v, list) else v for k, v in config["settings"].items()},
        **record["after"]["metrics"],
        **{f"{key}_before": value for key, value in record["before"]["metrics"].items()},
        **{f"accuracy.{key}": value for key, value in record["after"]["accuracy"].items()},
        "seconds": record["provenance"]["seconds"],
    }
    for when in ("before", "after"):
        for key, value in record[when]["entanglement"].items():
            mean = sum(value.values()) / len(value) if isinstance(value, dict) else value
            row[f"{key}.{when}"] = mean
    return row


def summary(table: pd.DataFrame, by: list[str] | str = "method") -> pd.DataFrame:
    """Mean Mem, For and H, over forgotten domains and seeds, with 95 % intervals.

    The interval is over seeds: the domains of one seed are averaged first, since they are the
    same four in every seed. One row for each value of ``by``; "±" columns are half-widths.
    """
    keys = [by] if isinstance(by, str) else by
    per_seed = table.groupby([*keys, "seed"], sort=False)[list(_RESULTS)].mean().reset_index()
    rows = []
    for values, group in per_seed.groupby(keys, sort=False):
        row: dict[str, Any] = dict(zip(keys, values, strict=True))
        for result in _RESULTS:
            row[result], row[f"{result} ±"] = confidence_interval(group[result].tolist())
        rows.append(row | {"seeds": len(group)})
    return pd.DataFrame(rows)


def differences(
    table: pd.DataFrame, reference: str = "baseline", result: str = "h"
) -> pd.DataFrame:
    """How much each method's ``result`` exceeds the reference method's, paired by seed and domain.

    One row per method and forgotten domain, and one with forget = "mean"; "±" is the half-width
    of a 95 % interval over seeds.
    """
    wide = table.pivot_table(index=["forget", "seed"], columns="method", values=result)
    rows = []
    for method in wide.columns.drop(reference):
        gain = (wide[method] - wide[reference]).dropna()
        cells = [(name, values.tolist()) for name, values in gain.groupby("forget")]
        cells.append(("mean", gain.groupby("seed").mean().tolist()))
        for name, values in cells:
            mean, half = confidence_interval(values)
            rows.append({"method": method, "forget": name, "difference": mean, "±": half})
    return pd.DataFrame(rows)


def fronts(table: pd.DataFrame, mems: tuple[float, ...] = (80.0, 90.0)) -> pd.DataFrame:
    """The Mem-For front of each method, from records that sweep a setting such as forget_weight.

    For each method and forgotten domain, and for the mean over domains: the share of the square
    that the front dominates (hypervolume, 0 to 100), and the For it reaches at each Mem of
    ``mems``. The points of all seeds are averaged per setting first.
    """
    settings = ["method", "forget", "forget_weight", "epochs"]
    points = table.groupby(settings, sort=False)[["mem", "for"]].mean().reset_index()
    rows = []
    for (method, forget), group in points.groupby(["method", "forget"], sort=False):
        front = list(zip(group["mem"], group["for"], strict=True))
        row = {"method": method, "forget": forget, "hypervolume": hypervolume(front)}
        rows.append(row | {f"For at Mem {mem:g}": for_at_mem(front, mem) for mem in mems})
    found = pd.DataFrame(rows)
    means = found.groupby("method", sort=False).mean(numeric_only=True).reset_index()
    return pd.concat([found, means.assign(forget="mean")], ignore_index=True)


def table(record: Record) -> str:
    """A record as the table that `adu run` prints."""
    config, before, after = record["config"], record["before"], record["after"]
    forget = config["forget"]
    lines = [
        f"{config['settings']['method']}: forget {', '.join(forget)} "
        f"({config['clip']['name']}, {config['data']}, seed {config['seed']}, "
        f"{config['on']} pictures)",
        "",
        f"{'accuracy, %':<28}{'before':>9}{'after':>9}",
    ]
    lines += [
        f"  {name + (' (forget)' if name in forget else ''):<26}"
        f"{before['accuracy'][name]:>9.1f}{after['accuracy'][name]:>9.1f}"
        for name in config["domains"]
    ]
    names = {"mem": "Mem, memorized accuracy", "for": "For, forgotten error", "h": "H"}
    lines += [
        f"{label:<28}{before['metrics'][key]:>9.1f}{after['metrics'][key]:>9.1f}"
        for key, label in names.items()
    ]
    rows = {
        "silhouette_class": "silhouette by class",
        "silhouette_domain": "silhouette by domain",
        "knn_domain_accuracy": "domain found by k-NN, %",
        "probe_domain_accuracy": "domain found by probe, %",
    }
    lines.append("")
    for key, label in rows.items():
        values = before["entanglement"][key], after["entanglement"][key]
        digits = 1 if label.endswith("%") else 3
        lines.append(f"{label:<28}{values[0]:>9.{digits}f}{values[1]:>9.{digits}f}")
    spent = record["provenance"]
    lines += ["", f"{spent['seconds']:.0f} s, {spent['peak_memory_mb']} MB, {spent['device']}"]
    return "\n".join(lines)
