"""Checks that the records in a folder have the present pictures, shots and CLIP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adu_core.data.grammar import drawn
from adu_core.runs.record import Record, read_record, record_paths
from adu_core.runs.run_spec import clip_of, fingerprints, read_anew
from adu_core.runs.spec import Spec


def refuse_unlike(folder: str | Path, work: Sequence[Spec]) -> None:
    """Raise ``ValueError`` naming a record that was made of what is no longer there.

    Looked at are all records in ``folder`` whose data and CLIP are named as those of ``work``,
    whatever else they asked for: one folder never holds results of two states of a source. The
    pictures that a source has now are read once for all of them.
    """
    read_anew(*{spec.data for spec in work})
    asked = {(spec.data, spec.clip) for spec in work}
    known: dict[Any, str | None] = {}
    for path in record_paths(folder):
        try:
            record = read_record(path)
        except ValueError:
            continue  # no record, or a broken one: who needs it says so
        spec = Spec.from_dict(record["config"], path)
        if (spec.data, spec.clip) in asked:
            _check(path, record, spec, known)


def _check(path: Path, record: Record, spec: Spec, known: dict[Any, str | None]) -> None:
    what_to_do = "name another folder, or remove the old records"
    found, now = record["found"], clip_of(spec.clip).fingerprint
    if found["clip_fingerprint"] != now:
        raise ValueError(
            f"{path} was made with a CLIP whose fingerprint was {found['clip_fingerprint']}; "
            f"{spec.clip[0]} now has {now}: {what_to_do}"
        )
    if drawn(spec.data):
        return  # named by its name: another kind of processor may draw another last bit
    unlike = [
        "validation pictures" if name == "validation" else name
        for name, value in fingerprints(spec, known).items()
        if found.get(f"{name}_fingerprint") not in (None, value)
    ]
    if unlike:
        raise ValueError(
            f"{path} was made with other {' and '.join(unlike)} than {spec.data} has now: "
            f"{what_to_do}"
        )
