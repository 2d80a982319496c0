"""Checks a reader's record: can others use it, and is it free of names and paths?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adu_core.data.grammar import drawn, parse
from adu_core.machine.provenance import LIBRARIES
from adu_core.measure import scores
from adu_core.runs.doubt import doubt_of
from adu_core.runs.record import Measured, Record

#: How far a number that was computed again may be from the record's, in points.
NEAR = 0.01


def objections(record: Record) -> list[str]:
    """What stands against a record that ``read_record`` took, a sentence each; none if all is well.

    Looked at: that it can be run again by somebody else (data and CLIP are named and not places on
    one machine, fingerprints, versions), that its numbers fit together, that the CLIP knew the
    pictures, and that nothing in it is a place on a machine.
    """
    return [*_named(record), *_repeatable(record), *_plausible(record)]


def _named(record: Record) -> list[str]:
    data, clip = record["config"]["data"], record["config"]["clip"]
    found = []
    if drawn(data) or clip["pretrained"] is None:
        found.append("it is of the drawn world or of a small CLIP, which anybody can make")
    elif parse(data).kind != "hub":
        found.append(f"its pictures are {data!r}: only a data set of the Hub is the same for all")
    places = {"pictures": parse(data).place, "CLIP": clip["name"], "weights": clip["pretrained"]}
    for what, text in places.items():
        if re.match(r"[/~.\\]|[A-Za-z]:[\\/]", text or ""):
            found.append(f"its {what} are a place on your machine, {text}: it should name none")
    return found


def _repeatable(record: Record) -> list[str]:
    about, made = record["found"], record["provenance"]
    missing = [
        name
        for name in ("clip_fingerprint", "pictures_fingerprint", "shots_fingerprint", "measured")
        if not about.get(name)
    ]
    versions: Any = made.get("versions") or {}
    missing += [f"the version of {name}" for name in LIBRARIES if name not in versions]
    missing += [name for name in ("device", "seconds") if not made.get(name)]
    found = [f"it lacks {', '.join(missing)}"] if missing else []
    if record["config"]["on"] != "test":
        found.append(f"it was measured on {record['config']['on']} pictures, not on test pictures")
    return found


def _plausible(record: Record) -> list[str]:
    found = []
    counts = record["found"].get("measured") or {}
    for when in ("before", "after"):
        measured: Measured = record[when]
        again = scores(measured["kept"], measured["forgotten"])
        apart = [
            name for name, value in again.items() if abs(value - measured["metrics"][name]) > NEAR
        ]
        if apart:
            found.append(f"{', '.join(apart)} {when} unlearning do not follow from the accuracies")
        if odd := _no_shares(measured["accuracy"], counts):
            found.append(f"accuracies {when} unlearning of {odd} are no shares of its pictures")
    if why := doubt_of(record):
        found.append(why)
    return found


def _no_shares(accuracy: Mapping[str, float], counts: Mapping[str, int]) -> str:
    """The domains whose accuracy is no whole number of their pictures."""
    hits = {name: accuracy[name] / 100 * count for name, count in counts.items()}
    return ", ".join(
        name for name, x in hits.items() if abs(x - round(x)) > NEAR or x > counts[name]
    )


def report(paths: list[Path], records: list[Record]) -> tuple[str, bool]:
    """A line for each record with what stands against it, and whether nothing does.

    Raises ``ValueError`` if there is no record.
    """
    if not records:
        raise ValueError("there is no record to check")
    lines, fine = [], True
    for path, record in zip(paths, records, strict=True):
        against = objections(record)
        fine &= not against
        lines.append(f"{path.name}: {'; '.join(against) or 'fine'}")
    return "\n".join(lines), fine
