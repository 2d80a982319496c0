"""The record of one run: what it holds, and how it is read back, every value checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NotRequired, TypedDict

from adu_core.machine.files import read_json
from adu_core.measure import Result
from adu_core.runs.spec import Spec

SCHEMA = 2
#: What every measurement says.
RESULTS = ("mem", "for", "h", "selectivity")


class Record(TypedDict):
    """What is kept of a run, as one JSON file.

    spec:     the hash of ``config``, which is the whole ``Spec``
    found:    what the spec does not say itself: names, fingerprints of CLIP and pictures, how
              many numbers the model holds, how long fitting took
    """

    schema: int
    spec: str
    config: dict[str, Any]
    before: Result
    after: Result
    held_out: NotRequired[dict[str, Result]]
    validation: NotRequired[dict[str, float]]
    found: dict[str, Any]
    provenance: dict[str, Any]


def read_record(path: str | Path) -> Record:
    """One record, every value checked; a ``ValueError`` names the file and what is wrong in it."""
    record = read_json(path)
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError(f"{path} is not a record of schema {SCHEMA}: make it anew")
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
    for part, needed, known in (
        ("found", {"classes", "domains", "clip_fingerprint"}, _FOUND),
        ("provenance", {"seconds", "device"}, _PROVENANCE),
    ):
        values = record[part]
        if not isinstance(values, dict) or not needed <= values.keys():
            raise ValueError(f"{path}: {part} must hold {', '.join(sorted(needed))}")
        for key, kind in known.items():
            value = values.get(key)
            if (value is None and key not in needed) or _is(value, kind):
                continue
            raise ValueError(f"{path}: {part}: {key} cannot be {value!r}")
    domains = set(record["found"]["domains"])
    for when in ("before", "after"):
        if record[when]["accuracy"].keys() != domains:
            raise ValueError(f"{path}: {when}: accuracy must be of {', '.join(sorted(domains))}")
        for side in ("kept", "forgotten"):
            if record[when][side].keys() != record["after"][side].keys() or not (
                record[when][side].keys() <= domains
            ):
                raise ValueError(f"{path}: {when}: {side} is of other domains")
    found: Record = record  # type: ignore[assignment]
    return found


#: What a record holds beside its results: the kinds of the values that are read from it.
_FOUND: dict[str, type] = {
    "classes": list,
    "domains": list,
    "clip_fingerprint": str,
    "pictures_fingerprint": str,
    "shots_fingerprint": str,
    "validation_fingerprint": str,
    "learned_numbers": int,
    "fit_seconds": float,
}
_PROVENANCE: dict[str, type] = {"seconds": float, "device": str, "peak_memory_mb": float}


def _is(value: Any, kind: type) -> bool:
    """Whether a JSON value is a text, a number (a whole one for ``int``) or a list of texts."""
    if kind is list:
        return isinstance(value, list) and all(isinstance(name, str) for name in value)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and not isinstance(value, bool)


def _check_result(result: Any, where: str) -> None:
    wanted = {"metrics", "accuracy", "kept", "forgotten"}
    if not isinstance(result, dict) or not wanted <= result.keys() <= wanted | {"entanglement"}:
        raise ValueError(f"{where} must hold {sorted(wanted)}")
    for part in wanted:
        _check_numbers(result[part], f"{where}: {part}")
    if not set(RESULTS) <= result["metrics"].keys():
        raise ValueError(f"{where}: metrics must hold {', '.join(RESULTS)}")
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
        if value is not None and not _is(value, float):
            raise ValueError(f"{where}: {key} must be a number, not {value!r}")
