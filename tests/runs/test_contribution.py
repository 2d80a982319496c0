"""A reader's record: what others can use passes, and each fault is named."""

import json
from pathlib import Path
from typing import Any

import pytest
from quick import put

from adu_core.cli import main
from adu_core.machine.files import read_json, write_json
from adu_core.runs.contribution import objections
from adu_core.runs.record import read_record
from adu_core.runs.spec import Spec

COMMUNITY = Path(__file__).parents[2] / "book/results/community"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run of ours, as if it had been of a real CLIP and a data set of the Hub."""
    path = tmp_path_factory.mktemp("run") / "run.json"
    assert main(["run", "--method", "zero-shot", "--limit", "5", "--json", str(path)]) == 0
    record: dict[str, Any] = read_json(path)
    record["config"]["data"] = "hub:flwrlabs/pacs"
    record["config"]["clip"] = {"name": "ViT-B-16-quickgelu", "pretrained": "openai"}
    return signed(record)


def signed(record: dict[str, Any]) -> dict[str, Any]:
    """With the hash that its config has now."""
    return record | {"spec": Spec.from_dict(record["config"], "here").hash}


def test_a_good_record_has_nothing_against_it(good: dict[str, Any], tmp_path: Path) -> None:
    write_json(tmp_path / "good.json", good)
    assert objections(read_record(tmp_path / "good.json")) == []


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("config.data", "world", "drawn world"),
        ("config.data", "folder:/home/somebody/PACS", "only a data set of the Hub"),
        ("config.data", "folder:/home/somebody/PACS", "a place on your machine, /home/somebody"),
        ("config.clip.pretrained", "/home/somebody/w.safetensors", "weights are a place on your"),
        ("config.on", "validation", "measured on validation pictures"),
        ("found.shots_fingerprint", None, "lacks shots_fingerprint"),
        ("found.measured", {}, "lacks measured"),
        ("provenance.device", "", "lacks device"),
        ("provenance.versions", {}, "lacks the version of adu-core"),
        ("after.metrics.mem", 12.0, "mem after unlearning do not follow"),
        ("after.metrics.h", 99.0, "h after unlearning do not follow"),
        ("after.accuracy.sketch", 33.3, "of sketch are no shares of its pictures"),
        ("before.accuracy.real", 101.25, "of real are no shares of its pictures"),
    ],
)
def test_each_fault_is_named(
    good: dict[str, Any], place: str, value: Any, said: str, tmp_path: Path
) -> None:
    record = json.loads(json.dumps(good))
    put(record, place, value)
    write_json(tmp_path / "bad.json", signed(record))
    assert said in "; ".join(objections(read_record(tmp_path / "bad.json")))


def test_a_clip_that_knew_nothing_is_named(good: dict[str, Any], tmp_path: Path) -> None:
    record = json.loads(json.dumps(good))
    for name in record["before"]["accuracy"]:
        record["before"]["accuracy"][name] = 5.0
    write_json(tmp_path / "bad.json", record)
    assert "no better than chance" in "; ".join(objections(read_record(tmp_path / "bad.json")))


def test_the_command(
    good: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path), "--check"]) == 2, "an empty folder is not fine"
    assert "there is no record to check" in capsys.readouterr().err
    write_json(tmp_path / "good.json", good)
    assert main(["report", str(tmp_path), "--check"]) == 0
    assert capsys.readouterr().out == "good.json: fine\n"
    record = json.loads(json.dumps(good))
    put(record, "config.data", "world")
    write_json(tmp_path / "world.json", signed(record))
    assert main(["report", str(tmp_path), "--check"]) == 1
    assert "world.json: it is of the drawn world" in capsys.readouterr().out
    write_json(tmp_path / "changed.json", good | {"spec": "0" * 16})
    assert main(["report", str(tmp_path), "--check"]) == 2
    assert "its config was changed" in capsys.readouterr().err


def test_what_readers_sent_can_be_used() -> None:
    """In CI for every pull request that brings a record."""
    for path in COMMUNITY.rglob("*.json"):
        assert objections(read_record(path)) == [], path.name
