"""Many records of runs, read back as a table and compared with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from adu_core.data.grammar import drawn, parse
from adu_core.measure import harmonic_mean
from adu_core.runs.fronts import confidence_interval, for_at_mem, half_width, hypervolume
from adu_core.runs.intervals import of_both, of_mean
from adu_core.runs.record import PACKED, RESULTS, Record, read_record, record_paths
from adu_core.runs.spec import Spec

NAN = float("nan")
#: What the columns of half-widths over test pictures end with.
PICTURES = "_pictures"
#: The folder of runs with a method's second choice of settings.
SECOND = "selective"


def read_table(paths: str | Path | Iterable[str | Path]) -> pd.DataFrame:
    """Records as a table, a row each: of the files named, or of all in a folder and below.

    Those in a ``records.jsonl`` are read as well. What `adu run --save` and `adu bench` put beside
    their records is passed over, and so are ``trials``, which a search for settings leaves behind,
    and ``selective``, runs with its second choice: name such a folder to read it.

    Columns: forget (joined by "+"), forgotten (how many domains), method, seed, data, clip (with
    its weights, where it has a choice), clip_fingerprint, on, mix (of the drawn world's ``data``),
    shots, limit, labels (what was told of the shots' domains), pictures (the fingerprint of those
    measured), shots_fingerprint, every setting of the methods (epochs, forget_weight, …), mem, for,
    h and selectivity after unlearning and, as mem_before …, before it, as mem_held_out …, on
    held-out classes, as mem_validation …, on validation pictures, as mem_corrupted …, the mean over
    all corruptions, as "mem.JPEG 15" …, under each of them, ceiling (the H of a gate that never
    errs, where whole domains are forgotten), of_perfect (H in percent of it), mem_pictures …
    (half-widths of the intervals over test pictures), accuracy of each domain
    after as ``accuracy.<domain>``, learned_numbers, fit_seconds, seconds, peak_memory_mb, and the
    entanglement measures with ``.before`` and ``.after``. ``attrs["settings"]`` are the names of
    the methods' settings.
    """
    if isinstance(paths, str | Path):
        paths = within(paths)
    return to_table([read_record(path) for path in paths])


def to_table(records: Sequence[Record]) -> pd.DataFrame:
    """The same of records that were read."""
    if not records:
        raise ValueError("there is no record to read: run `adu sweep` or `adu run --json` first")
    table = pd.DataFrame(map(_row, records))
    settings = (name for record in records for name in record["config"]["method"]["settings"])
    table.attrs["settings"] = list(dict.fromkeys(settings))
    return table


def within(root: str | Path) -> list[Path]:
    """The records in a folder and below; a file itself."""
    root = Path(root)
    if not root.is_dir():
        return [root]
    files = [path for name in ("*.json", PACKED) for path in root.rglob(name)]
    folders = {
        path.parent
        for path in files
        if not {"trials", SECOND} & {*path.relative_to(root).parts[:-1]}
    }
    return sorted(path for folder in folders for path in record_paths(folder))


def _row(record: Record) -> dict[str, Any]:
    config, found, spent = record["config"], record["found"], record["provenance"]
    settings = config["method"]["settings"]
    row: dict[str, Any] = {
        "forget": str(Spec.from_dict(config, "record").forget).replace(", ", "+"),
        "forgotten": len(config["forget"]["domains"]),
        "method": config["method"]["name"],
        "clip": ":".join(filter(None, (config["clip"]["name"], config["clip"]["pretrained"]))),
        "clip_fingerprint": found["clip_fingerprint"],
        **{key: config[key] for key in ("seed", "data", "on", "shots", "limit")},
        "mix": parse(config["data"]).mix if drawn(config["data"]) else None,
        "labels": config.get("labels", "true"),
        "pictures": found.get("pictures_fingerprint"),
        "shots_fingerprint": found.get("shots_fingerprint"),
        **{k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()},
        **record["after"]["metrics"],
        **{f"{key}_before": value for key, value in record["before"]["metrics"].items()},
        **{f"accuracy.{key}": value for key, value in record["after"]["accuracy"].items()},
        "learned_numbers": found.get("learned_numbers"),
        "fit_seconds": found.get("fit_seconds"),
        "seconds": spent["seconds"],
        "peak_memory_mb": spent.get("peak_memory_mb"),
    }
    if config["forget"]["domains"] and not config["forget"]["classes"]:
        # A gate that never errs refuses all that is to be forgotten and changes no other answer.
        row["ceiling"] = harmonic_mean(row["mem_before"], 100.0)
        row["of_perfect"] = 100 * row["h"] / row["ceiling"] if row["ceiling"] else NAN
        row |= _over_pictures(record)
    if "held_out" in record:
        met = record["held_out"]["after"]["metrics"]
        row |= {f"{key}_held_out": value for key, value in met.items()}
    for key, value in record.get("validation", {}).items():
        row[f"{key}_validation"] = value
    under = record.get("corrupted", {})
    row |= {f"{key}.{name}": some[key] for name, some in under.items() for key in some}
    for key in RESULTS if under else ():
        row[f"{key}_corrupted"] = sum(some[key] for some in under.values()) / len(under)
    for when in ("before", "after"):
        for name, measured in record[when].get("entanglement", {}).items():
            values = [*measured.values()] if isinstance(measured, dict) else [measured]
            row[f"{name}.{when}"] = sum(values) / len(values) if values else NAN
    return {key: NAN if value is None else value for key, value in row.items()}


def _over_pictures(record: Record) -> dict[str, float]:
    """Half the widths of the intervals over test pictures, of a run that forgets whole domains."""
    after, counts = record["after"], record["found"].get("measured", {})
    if not all(name in counts for side in ("kept", "forgotten") for name in after[side]):
        return {}
    kept, gone = (
        of_mean(list(after[side].values()), [counts[name] for name in after[side]])
        for side in ("kept", "forgotten")
    )
    both = of_both(after["metrics"]["mem"], after["metrics"]["for"], kept, gone)
    ends = {"mem": kept, "for": gone, **both}
    return {f"{name}{PICTURES}": (high - low) / 2 for name, (low, high) in ends.items()}


def summary(
    table: pd.DataFrame, by: list[str] | str = "method", also: Sequence[str] = ()
) -> pd.DataFrame:
    """Mean Mem, For, H and selectivity, over forgotten domains and seeds, with 95 % intervals.

    The interval is over seeds and test pictures. Over seeds: the domains of one seed are averaged
    first, since they are the same four in every seed. Over test pictures, of Mem, For, H and
    selectivity: all seeds have the same pictures, so theirs is the mean of the seeds'; domains to
    forget are taken for independent. The two half-widths are added as squares. One row for each
    value of ``by``; "±" columns are half-widths. A value that is not finite makes its mean NaN.
    ``also`` names further columns of numbers, which are NaN if no record has them, and whose
    intervals are over seeds alone. Raises ``ValueError`` if runs on unlike pictures or CLIPs would
    be pooled.
    """
    keys = [by] if isinstance(by, str) else by
    _check_alike(table, keys)
    results = (*RESULTS, *also)
    table = table.assign(**dict.fromkeys(set(also) - set(table), NAN))
    per_seed = _means(table, [*keys, "seed"], results)
    rows = []
    for values, group in per_seed.groupby(keys, sort=False, dropna=False):
        row: dict[str, Any] = dict(zip(keys, values, strict=True))
        for result in results:
            row[result], row[f"{result} ±"] = confidence_interval(group[result].tolist())
        rows.append(row | {"seeds": len(group)})
    found = pd.DataFrame(rows)
    for result in RESULTS:
        if f"{result}{PICTURES}" in table:
            halves = _means(table, [*keys, "forget"], [f"{result}{PICTURES}"])
            of_pictures = [
                (group.iloc[:, -1].fillna(0) ** 2).sum() ** 0.5 / len(group)
                for _, group in halves.groupby(keys, sort=False, dropna=False)
            ]
            found[f"{result} ±"] = np.hypot(found[f"{result} ±"], of_pictures)
    return found


def _means(table: pd.DataFrame, keys: list[str], columns: Iterable[str]) -> pd.DataFrame:
    """The means of ``columns`` for each combination of ``keys``; NaN is a key like any other."""
    grouped = table.groupby(keys, sort=False, dropna=False)[list(columns)]
    return grouped.agg(lambda values: values.mean(skipna=False)).reset_index()


#: What runs must have in common to be pooled or compared, unless a report is by it.
_ALIKE = ("pictures", "clip", "clip_fingerprint", "shots", "mix", "labels", "on")


def _check_alike(table: pd.DataFrame, keys: list[str]) -> None:
    """Raise ``ValueError`` if runs on unlike pictures or CLIPs would be pooled in one mean."""
    told_apart = [key for key in keys if key in (*_ALIKE, "data", "limit", "shots_fingerprint")]
    # The drawn world is named by its name: another kind of processor draws another last bit.
    is_drawn = table["data"].map(drawn)
    table = table.assign(pictures=table["pictures"].mask(is_drawn, "world"))
    groups = table.groupby(told_apart, dropna=False) if told_apart else [((), table)]
    for _, group in groups:
        read = group[~group["data"].map(drawn)]
        learned = read.groupby(["data", "clip", "shots", "seed"])["shots_fingerprint"].nunique()
        if (learned > 1).any():
            raise ValueError(
                f"these records of {learned.idxmax()[0]} learned from different shots at the same "
                "seed: its pictures were changed between them; name a folder of like ones"
            )
        for name in _ALIKE:
            values = group[name].dropna().unique().tolist() if name in group else []
            if len(values) > 1:
                raise ValueError(
                    f"these records differ in {name} ({', '.join(map(str, values[:4]))}): means "
                    f"over them would mix unlike runs; report them --by {','.join([*keys, name])}, "
                    "or name a folder of like ones"
                )


def differences(
    table: pd.DataFrame, reference: str = "baseline", result: str = "h"
) -> pd.DataFrame:
    """How much each method's ``result`` exceeds the reference method's, paired by seed and domain.

    One row per method and forgotten domain, and one with forget = "mean"; "±" is the half-width
    of a 95 % interval over seeds. Raises ``ValueError`` if there is no run of ``reference``, or
    if unlike runs would be compared.
    """
    if reference not in set(table["method"]):
        raise ValueError(f"there is no record of {reference} to compare with")
    _check_alike(table, [])
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
    if "forget_weight" not in table:
        raise ValueError("fronts need records of methods with a forget_weight")
    settings = [name for name in ("method", "forget", "forget_weight", "epochs") if name in table]
    _check_alike(table, [])
    points = _means(table.dropna(subset="forget_weight"), settings, ("mem", "for"))
    rows = []
    for (method, forget), group in points.groupby(["method", "forget"], sort=False):
        front = list(zip(group["mem"], group["for"], strict=True))
        row = {"method": method, "forget": forget, "hypervolume": hypervolume(front)}
        rows.append(row | {f"For at Mem {mem:g}": for_at_mem(front, mem) for mem in mems})
    found = pd.DataFrame(rows)
    means = found.groupby("method", sort=False).mean(numeric_only=True).reset_index()
    return pd.concat([found, means.assign(forget="mean")], ignore_index=True)


def print_report(found: pd.DataFrame, by: list[str], also: Sequence[str] = ()) -> None:
    """Print means with intervals, and the gains over the baseline where it is there."""
    for flag, names in (("--by", by), ("--also", also)):
        for name in names:
            if name not in found.columns:
                raise ValueError(f"{flag} {name}: the columns are {', '.join(found.columns)}")
    for name in also:
        if not is_numeric_dtype(found[name]):
            raise ValueError(f"--also {name}: this column holds no numbers to take the mean of")
    means = summary(found, by, also).sort_values(by, kind="stable")
    numbers = [name for name in by if is_numeric_dtype(means[name]) and means[name].dtype != bool]
    formats = dict.fromkeys(numbers, "{:g}".format) | dict.fromkeys(
        [name for name in means if name.endswith(" ±")], half_width
    )
    for name in also:
        if means[name].abs().max() <= 1:  # a silhouette, an MMD²: no percentage
            formats |= {name: "{:.3f}".format, f"{name} ±": partial(half_width, digits=3)}
    print(as_text(means, formats))
    if (means["h ±"].abs() < 1e-9).any():
        print("±  –: nothing random, the same in every seed")
    for values, names in _pooled_settings(found, by):
        print(f"{', '.join(map(str, values))}: a mean over runs that differ in {', '.join(names)}")
    if by == ["method"] and "baseline" in set(found["method"]) and found["method"].nunique() > 1:
        print("\nH above the baseline's, paired by seed and domain:")
        print(as_text(differences(found), {"±": half_width}))


def as_text(table: pd.DataFrame, formats: Mapping[str, Callable[[Any], str]]) -> str:
    """A table for a terminal; – for what there is not."""
    return str(table.to_string(index=False, float_format="%.1f", formatters=formats, na_rep="–"))


def _pooled_settings(found: pd.DataFrame, by: list[str]) -> list[tuple[Any, list[str]]]:
    """The groups of a report in which settings of the method differ, and which."""
    settings = [name for name in found.attrs["settings"] if name not in by]
    groups = found.groupby(by, sort=False, dropna=False)
    varied = [
        (values, [name for name in settings if group[name].nunique(dropna=False) > 1])
        for values, group in groups
    ]
    return [(values, names) for values, names in varied if names]
