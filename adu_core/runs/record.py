"""The record of one run: its content, and reading it, with every value checked."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import BeforeValidator, ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict

from adu_core.machine.files import checked, parse_json, plain, read_json, write_text
from adu_core.runs.spec import Spec

SCHEMA: Final = 2
#: A file of many records, a line each.
PACKED = "records.jsonl"
#: JSON files that lie beside records and are none.
COMPANIONS = frozenset({"adapter.json", "history.json", "bench.json", "audit.json"})
#: What every measurement says.
RESULTS = ("mem", "for", "h", "selectivity")

_WHOLE = with_config(ConfigDict(strict=True, extra="forbid"))
_PART = with_config(ConfigDict(strict=True, extra="allow"))


def _number(value: object) -> object:
    return float("nan") if value is None else value


#: A number that is not finite is null in JSON, and NaN once it is read.
Number = Annotated[float, BeforeValidator(_number)]
Numbers = dict[str, Number]


@_WHOLE
class Measured(TypedDict):
    """The measurements of one model, in percent.

    metrics:         Mem, For, H and selectivity, a refusal counted as an error; the share of the
                     pictures to forget that is ``refused``, and the share that gets a class with a
                     probability of ``adu_core.runs.evaluate.CONFIDENT`` or more (``confident``);
                     the share of the kept pictures that is refused (``refused_mem``). Each is a
                     mean over domains
    accuracy:        for each domain, over all its pictures
    kept, forgotten: accuracy for each domain, over its kept and over its forgotten pictures
    """

    metrics: Numbers
    accuracy: Numbers
    kept: Numbers
    forgotten: Numbers
    entanglement: NotRequired[dict[str, Number | Numbers]]


@_PART
class Found(TypedDict):
    """What a spec does not say itself."""

    classes: list[str]
    domains: list[str]
    clip_fingerprint: str
    measured: NotRequired[dict[str, int]]
    pictures_fingerprint: NotRequired[str | None]
    shots_fingerprint: NotRequired[str | None]
    validation_fingerprint: NotRequired[str | None]
    learned_numbers: NotRequired[int | None]
    fit_seconds: NotRequired[float | None]


@_PART
class Provenance(TypedDict):
    """What ``provenance`` says."""

    seconds: float
    device: str
    peak_memory_mb: NotRequired[float | None]


@_WHOLE
class BeforeAndAfter(TypedDict):
    """Two measurements of the same pictures."""

    before: Measured
    after: Measured


@_WHOLE
class Record(TypedDict):
    """What is kept of a run, as one JSON file.

    spec:     the hash of ``config``, which is the whole ``Spec``
    found:    what the spec does not say itself: names, fingerprints of CLIP and pictures, how
              many numbers the model holds, how long fitting took
    corrupted: the metrics after unlearning under each of ``CORRUPTIONS``, by its name
    """

    schema: Literal[2]
    spec: str
    config: dict[str, Any]
    before: Measured
    after: Measured
    held_out: NotRequired[BeforeAndAfter]
    validation: NotRequired[Numbers]
    corrupted: NotRequired[dict[str, Numbers]]
    found: Found
    provenance: Provenance


_RECORD = TypeAdapter(Record)


def read_record(path: str | Path) -> Record:
    """One record, every value checked; a ``ValueError`` names the file and what is wrong in it.

    Where there is no such file, it is the line of this name in the ``records.jsonl`` beside it.
    """
    path = Path(path)
    lines = {} if path.exists() else _packed(path.parent)
    if path.stem in lines:
        where, value = f"{path.parent / PACKED}: {path.stem}", lines[path.stem]
    else:
        where, value = str(path), read_json(path)
    record = checked(_RECORD, value, where)
    if record["spec"] != Spec.from_dict(record["config"], where).hash:
        raise ValueError(f"{where}: its config was changed: the hash does not fit")
    domains = set(record["found"]["domains"])
    for when in ("before", "after"):
        measured: Measured = record[when]
        if not set(RESULTS) <= measured["metrics"].keys():
            raise ValueError(f"{where}: {when}.metrics must hold {', '.join(RESULTS)}")
        if measured["accuracy"].keys() != domains:
            raise ValueError(f"{where}: {when}.accuracy must be of {', '.join(sorted(domains))}")
        for side in ("kept", "forgotten"):
            there = measured[side].keys()
            if there != record["after"][side].keys() or not there <= domains:
                raise ValueError(f"{where}: {when}.{side} is of other domains")
    return record


def has_record(path: str | Path) -> bool:
    """Whether there is a record at ``path``, as a file or as a line of ``records.jsonl``."""
    path = Path(path)
    return path.exists() or path.stem in _packed(path.parent)


def record_paths(folder: str | Path) -> list[Path]:
    """The places of the records in a folder, not below it, as ``read_record`` takes them.

    What failed, and what `adu run` and `adu bench` put beside records, is none.
    """
    folder = Path(folder)
    files = {
        path
        for path in folder.glob("*.json")
        if path.name not in COMPANIONS
        and not path.name.startswith(".")  # left half written
        and not path.name.endswith(".failed.json")
    }
    return sorted(files | {folder / f"{name}.json" for name in _packed(folder)})


def pack(folder: str | Path) -> Path:
    """Put the records of a folder into its ``records.jsonl``, a line each, sorted by name.

    A sweep in the folder finds them there and adds files of its own, which can be packed again.
    Raises ``ValueError`` if there is none, or if a file is no record: then nothing is changed.
    """
    folder = Path(folder)
    lines, paths = {}, record_paths(folder)
    for path in paths:
        record = read_record(path)
        name = Spec.from_dict(record["config"], path).name
        lines[name] = json.dumps(plain(record), allow_nan=False)
    if not lines:
        raise ValueError(f"{folder} holds no record itself: name the folder that does")
    write_text(folder / PACKED, "".join(f"{lines[name]}\n" for name in sorted(lines)))
    for path in paths:
        path.unlink(missing_ok=True)
    return folder / PACKED


def _packed(folder: Path) -> dict[str, Any]:
    """The lines of a folder's ``records.jsonl``, unchecked, by the names that files would have."""
    path = folder / PACKED
    try:
        about = path.stat()
    except OSError:
        return {}
    return _lines(path, about.st_mtime_ns, about.st_size)


@functools.cache
def _lines(path: Path, *_changed: int) -> dict[str, Any]:
    found = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        where = f"{path}, line {number}"
        value = parse_json(line, where)
        config = value.get("config") if isinstance(value, dict) else None
        found[Spec.from_dict(config, where).name] = value
    return found
