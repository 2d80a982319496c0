"""Names of any characters in tables: nothing runs into its neighbour."""

import json
from pathlib import Path

import pytest

from adu_core.runs.record import read_record, record_paths
from adu_core.runs.record_table import table
from adu_core.show.names import padded, printable, width


@pytest.mark.parametrize(
    ("text", "columns"), [("dog", 3), ("日本", 4), ("e\u0301te\u0301", 3), ("été", 3), ("", 0)]
)
def test_the_columns_that_a_name_takes(text: str, columns: int) -> None:
    assert width(text) == columns
    assert padded(text, 6) == text + (6 - columns) * " "


@pytest.mark.parametrize(
    ("text", "seen"), [("a b_%", "a b_%"), ("a\nb\x1b[1m", r"a\nb\x1b[1m"), ("\udcff", r"\udcff")]
)
def test_what_cannot_be_seen_is_escaped(text: str, seen: str) -> None:
    assert printable(text) == seen


@pytest.mark.parametrize("name", ["写真" * 9, "a domain of a very long name indeed", "$x$|_y_"])
def test_numbers_stand_below_each_other(name: str, repository: Path) -> None:
    path = record_paths(repository / "book/results/ablation")[0]
    text = json.dumps(read_record(path)).replace("painting", json.dumps(name)[1:-1])
    lines = table(json.loads(text)).splitlines()
    rows = [line for line in lines[2:-2] if line]
    assert any(name in row for row in rows)
    assert len({width(row) for row in rows}) == 1
    assert all(row[-19] == " " for row in rows)
