"""Records of runs: one JSON file each, read back as a table, compared with intervals."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from adu_core.files import read_json
from adu_core.measure.fronts import confidence_interval, for_at_mem, hypervolume
from adu_core.methods.base import Method
from adu_core.runs.run import SCHEMA, Record
from adu_core.runs.spec import Spec

_RESULTS = ("mem", "for", "h", "selectivity")
#: JSON files that lie beside records and are none.
COMPANIONS = frozenset({"adapter.json", "history.json", "bench.json"})


def read_record(path: str | Path) -> Record:
    """One record, every value checked; a ``ValueError`` names the file and what is wrong in it."""
    record = read_json(path)
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError(f"{path} is not a record of schema {SCHEMA}")
    optional = {"held_out", "validation"}
    wanted = {"schema", "spec", "config", "before", "after", "found", "provenance"}
    if not wanted <= record.keys() <= wanted | optional:
        raise ValueError(f"{path}: a record holds {sorted(wanted)}, not {sorted(record)}")
    spec = Spec.from_dict(record["config"], path)
    if record["spec"] != spec.hash:
        raise ValueError(f"{path}: its config was changed: the hash does not fit")
    for when in ("before", "after"):
        _check_result(record[when], f"{path}: {when}")
    for when in ("before", "after") if "held_out" in record else ():
        held_out = record["held_out"]
        if not isinstance(held_out, dict) or held_out.keys() != {"before", "after"}:
            raise ValueError(f"{path}: held_out must hold before and after")
        _check_result(held_out[when], f"{path}: held_out: {when}")
    if "validation" in record:
        _check_numbers(record["validation"], f"{path}: validation")
    for part, needed in (
        ("found", {"classes": list, "domains": list, "clip_fingerprint": str}),
        ("provenance", {"seconds": int | float, "device": str}),
    ):
        values = record[part]
        for key, kind in needed.items():
            if not isinstance(values, dict) or not isinstance(values.get(key), kind):
                raise ValueError(f"{path}: {part} must hold {key}")
    found: Record = record  # type: ignore[assignment]
    return found


def _check_result(result: Any, where: str) -> None:
    wanted = {"metrics", "accuracy", "kept", "forgotten"}
    if not isinstance(result, dict) or not wanted <= result.keys() <= wanted | {"entanglement"}:
        raise ValueError(f"{where} must hold {sorted(wanted)}")
    for part in wanted:
        _check_numbers(result[part], f"{where}: {part}")
    if not set(_RESULTS) <= result["metrics"].keys():
        raise ValueError(f"{where}: metrics must hold {', '.join(_RESULTS)}")
    entanglement = result.get("entanglement", {})
    if not isinstance(entanglement, dict):
        raise ValueError(f"{where}: entanglement must be an object")
    flat = {key: value for key, value in entanglement.items() if not isinstance(value, dict)}
    _check_numbers(flat, f"{where}: entanglement")
    for key in entanglement.keys() - flat.keys():
        _check_numbers(entanglement[key], f"{where}: entanglement: {key}")


def _check_numbers(values: Any, where: str) -> None:
    """A JSON object of numbers; null stands for one that is not finite."""
    if not isinstance(values, dict):
        raise ValueError(f"{where} must be an object, not {values!r}")
    for key, value in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{where}: {key} must be a number, not {value!r}")


def read_table(paths: str | Path | Iterable[str | Path]) -> pd.DataFrame:
    """Records as a table, a row each: of the files named, or of all in a folder and below.

    Columns: forget (joined by "+"), method, seed, data, clip, on, mix, shots, limit, pictures (the
    fingerprint of those measured), every setting of the methods (epochs, forget_weight, …), mem,
    for, h and selectivity after unlearning and, as mem_before …, before it, as mem_held_out …, on
    held-out classes, as mem_validation …, on validation pictures, accuracy of each domain after as
    ``accuracy.<domain>``, learned_numbers, fit_seconds, seconds, peak_memory_mb, and the
    entanglement measures with ``.before`` and ``.after``.
    """
    if isinstance(paths, str | Path):
        root = Path(paths)
        within = (path for path in sorted(root.rglob("*.json")) if path.name not in COMPANIONS)
        paths = within if root.is_dir() else [root]
    rows = [_row(read_record(path)) for path in paths]
    if not rows:
        raise ValueError("there is no record to read: run `adu sweep` or `adu run --json` first")
    return pd.DataFrame(rows)


def _row(record: Record) -> dict[str, Any]:
    config, found, spent = record["config"], record["found"], record["provenance"]
    settings = config["method"]["settings"]
    row: dict[str, Any] = {
        "forget": str(Spec.from_dict(config, "record").forget).replace(", ", "+"),
        "method": config["method"]["name"],
        "clip": config["clip"]["name"],
        **{key: config[key] for key in ("seed", "data", "on", "mix", "shots", "limit")},
        "pictures": found.get("pictures_fingerprint"),
        **{k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()},
        **record["after"]["metrics"],
        **{f"{key}_before": value for key, value in record["before"]["metrics"].items()},
        **{f"accuracy.{key}": value for key, value in record["after"]["accuracy"].items()},
        "learned_numbers": found.get("learned_numbers"),
        "fit_seconds": found.get("fit_seconds"),
        "seconds": spent["seconds"],
        "peak_memory_mb": spent.get("peak_memory_mb"),
    }
    if "held_out" in record:
        met = record["held_out"]["after"]["metrics"]
        row |= {f"{key}_held_out": value for key, value in met.items()}
    for key, value in record.get("validation", {}).items():
        row[f"{key}_validation"] = value
    for when in ("before", "after"):
        for name, measured in record[when].get("entanglement", {}).items():
            mean = (
                sum(measured.values()) / len(measured) if isinstance(measured, dict) else measured
            )
            row[f"{name}.{when}"] = mean
    return row


def summary(table: pd.DataFrame, by: list[str] | str = "method") -> pd.DataFrame:
    """Mean Mem, For, H and selectivity, over forgotten domains and seeds, with 95 % intervals.

    The interval is over seeds: the domains of one seed are averaged first, since they are the
    same four in every seed. One row for each value of ``by``; "±" columns are half-widths.
    """
    keys = [by] if isinstance(by, str) else by
    _check_alike(table, keys)
    per_seed = table.groupby([*keys, "seed"], sort=False)[list(_RESULTS)].mean().reset_index()
    rows = []
    for values, group in per_seed.groupby(keys, sort=False):
        row: dict[str, Any] = dict(zip(keys, values, strict=True))
        for result in _RESULTS:
            row[result], row[f"{result} ±"] = confidence_interval(group[result].tolist())
        rows.append(row | {"seeds": len(group)})
    return pd.DataFrame(rows)


def _check_alike(table: pd.DataFrame, keys: list[str]) -> None:
    """Raise ``ValueError`` if runs on unlike pictures or CLIPs would be pooled in one mean."""
    fixed = [name for name in ("pictures", "clip", "shots", "mix", "on") if name not in keys]
    for name in fixed:
        values = table[name].dropna().unique().tolist() if name in table else []
        if len(values) > 1:
            raise ValueError(
                f"these records differ in {name} ({', '.join(map(str, values[:4]))}): means over "
                f"them would mix unlike runs; report them --by {','.join([*keys, name])}, or "
                "name a folder of like ones"
            )


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
    if "forget_weight" not in table:
        raise ValueError("fronts need records of methods with a forget_weight")
    _check_alike(table, settings)
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
    spec = Spec.from_dict(config, "record")
    lines = [
        f"{spec.method.name}: forget {spec.forget} "
        f"({spec.clip[0]}, {spec.data}, seed {spec.seed}, {spec.on} pictures)",
        "",
        f"{'accuracy, %':<28}{'before':>9}{'after':>9}",
    ]
    for name in record["found"]["domains"]:
        sides = [("", "kept"), (" (forget)", "forgotten")]
        there = [(said, side) for said, side in sides if name in after[side]]  # type: ignore[literal-required]
        for said, side in there:
            what = f"  {name}{said if spec.forget.kind == 'domains' or said else ' (keep)'}"
            values = before[side][name], after[side][name]  # type: ignore[literal-required]
            lines.append(f"{what:<28}{values[0]:>9.1f}{values[1]:>9.1f}")
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
    if "entanglement" in before and "entanglement" in after:
        lines.append("")
        for key, label in rows.items():
            measured = [result["entanglement"][key] for result in (before, after)]
            digits = 1 if label.endswith("%") else 3
            lines.append(f"{label:<28}{measured[0]:>9.{digits}f}{measured[1]:>9.{digits}f}")
    spent = record["provenance"]
    lines += ["", f"{spent['seconds']:.0f} s, {spent['peak_memory_mb']} MB, {spent['device']}"]
    return "\n".join(lines)


def said(method: Method) -> str:
    """A method with its settings, as a line of text."""
    settings = method.as_dict()["settings"]
    return f"{method.name}, " + ", ".join(f"{key}={value}" for key, value in settings.items())


def print_report(found: pd.DataFrame, by: list[str]) -> None:
    """Print means with intervals, and the gains over the baseline where it is there."""
    unknown = [name for name in by if name not in found.columns]
    if unknown:
        raise ValueError(f"--by {unknown[0]}: the columns are {', '.join(found.columns)}")
    print(summary(found, by).to_string(index=False, float_format="%.1f"))
    if by == ["method"] and "baseline" in set(found["method"]) and found["method"].nunique() > 1:
        print("\nH above the baseline's, paired by seed and domain:")
        print(differences(found).to_string(index=False, float_format="%.1f"))
