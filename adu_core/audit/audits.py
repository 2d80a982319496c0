"""Many audits as a table of their scores."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from adu_core.audit.audit import SCHEMA, SCORES
from adu_core.machine.files import read_json
from adu_core.rivals.methods import target_from_dict
from adu_core.rivals.saved import MODEL, fingerprint

#: What an audit's record is named in its folder.
NAME = "audit.json"


def read_audit(path: str | Path) -> dict[str, Any]:
    """The record of one audit; a ``ValueError`` names the file and what is wrong in it.

    Checked is what tables and pages of many audits read: names, target and scores, and that a
    model beside the audit is the one that was audited.
    """
    record = read_json(path)
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError(f"{path} is not an audit of schema {SCHEMA}: run `adu audit` anew")
    method, found = record.get("method"), record.get("scores")
    if not isinstance(method, dict) or not isinstance(method.get("name"), str):
        raise ValueError(f"{path}: method must say its name and settings")
    target_from_dict(record.get("forget"), f"{path}: forget")
    if not isinstance(found, dict) or found.keys() != SCORES.keys():
        raise ValueError(f"{path}: scores must be those of `adu audit`: {', '.join(SCORES)}")
    for name, score in found.items():
        if score is not None and not _percent(score):
            raise ValueError(f"{path}: scores: {name} cannot be {str(score)[:40]!r}")
    beside = Path(path).parent
    there = all((beside / name).exists() for name in MODEL)
    if there and record.get("adapter", now := fingerprint(beside)) != now:
        raise ValueError(
            f"{path} is of another model than the one that is there now: `adu audit {beside}` "
            "makes it anew"
        )
    return record


def _percent(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and -100.001 < value < 100.001  # type: ignore[operator]


def read_audits(paths: str | Path | Iterable[str | Path]) -> pd.DataFrame:
    """The scores of many audits, a row each: of the files named, or all in a folder and below.

    Columns: forget, method, and the ``SCORES``; NaN is what was not measured. Raises
    ``ValueError`` if there is none, or if one cannot be read.
    """
    if isinstance(paths, str | Path):
        root = Path(paths)
        paths = sorted(root.rglob(NAME)) if root.is_dir() else [root]
    rows = [
        {
            "forget": str(target_from_dict(record["forget"], "the audit")),
            "method": record["method"]["name"],
            **record["scores"],
        }
        for record in map(read_audit, paths)
    ]
    if not rows:
        raise ValueError("there is no audit to read: run `adu audit` first")
    return pd.DataFrame(rows).astype(dict.fromkeys(SCORES, float))
