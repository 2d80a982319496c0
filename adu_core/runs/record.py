"""The record of one run: what it holds, and how it is read back, every value checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import BeforeValidator, ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict

from adu_core.machine.files import read_as
from adu_core.runs.spec import Spec

SCHEMA: Final = 2
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
    """A ``Result`` as JSON keeps it."""

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
    """

    schema: Literal[2]
    spec: str
    config: dict[str, Any]
    before: Measured
    after: Measured
    held_out: NotRequired[BeforeAndAfter]
    validation: NotRequired[Numbers]
    found: Found
    provenance: Provenance


_RECORD = TypeAdapter(Record)


def read_record(path: str | Path) -> Record:
    """One record, every value checked; a ``ValueError`` names the file and what is wrong in it."""
    record = read_as(_RECORD, path)
    if record["spec"] != Spec.from_dict(record["config"], path).hash:
        raise ValueError(f"{path}: its config was changed: the hash does not fit")
    domains = set(record["found"]["domains"])
    for when in ("before", "after"):
        measured: Measured = record[when]
        if not set(RESULTS) <= measured["metrics"].keys():
            raise ValueError(f"{path}: {when}.metrics must hold {', '.join(RESULTS)}")
        if measured["accuracy"].keys() != domains:
            raise ValueError(f"{path}: {when}.accuracy must be of {', '.join(sorted(domains))}")
        for side in ("kept", "forgotten"):
            there = measured[side].keys()
            if there != record["after"][side].keys() or not there <= domains:
                raise ValueError(f"{path}: {when}.{side} is of other domains")
    return record
