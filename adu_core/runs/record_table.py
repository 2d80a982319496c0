"""A record and a method as text for people."""

from __future__ import annotations

from adu_core.runs.record import Record
from adu_core.runs.spec import Spec
from adu_core.show.names import padded, width
from adu_core.task import Method


def table(record: Record) -> str:
    """A record as the table that `adu run` prints."""
    config, before, after = record["config"], record["before"], record["after"]
    spec = Spec.from_dict(config, "record")
    first = max(28, *(2 + width(name) + len(" (forget) ") for name in record["found"]["domains"]))
    lines = [
        f"{spec.method.name}: forget {spec.forget} "
        f"({spec.clip[0]}, {spec.data}, seed {spec.seed}, {spec.on} pictures)",
        "",
        f"{'accuracy, %':<{first}}{'before':>9}{'after':>9}",
    ]
    for name in record["found"]["domains"]:
        sides = [("", "kept"), (" (forget)", "forgotten")]
        there = [(said, side) for said, side in sides if name in after[side]]  # type: ignore[literal-required]
        for said, side in there:
            what = f"  {name}{said if spec.forget.kind == 'domains' or said else ' (keep)'}"
            values = before[side][name], after[side][name]  # type: ignore[literal-required]
            lines.append(f"{padded(what, first)}{values[0]:>9.1f}{values[1]:>9.1f}")
    names = {"mem": "Mem, memorized accuracy", "for": "For, forgotten error", "h": "H"}
    lines += [
        f"{label:<{first}}{before['metrics'][key]:>9.1f}{after['metrics'][key]:>9.1f}"
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
            lines.append(f"{label:<{first}}{measured[0]:>9.{digits}f}{measured[1]:>9.{digits}f}")
    spent = record["provenance"]
    peak = spent.get("peak_memory_mb")
    memory = "" if peak is None else f"{peak} MB, "
    lines += ["", f"{spent['seconds']:.0f} s, {memory}{spent['device']}"]
    return "\n".join(lines)


def said(method: Method) -> str:
    """A method with its settings, as a line of text."""
    settings = method.as_dict()["settings"]
    return f"{method.name}, " + ", ".join(f"{key}={value}" for key, value in settings.items())
