"""Records are of the pictures that there were: results of two states of a folder never mix."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from adu_core import records
from adu_core.cli import main
from adu_core.machine.files import read_json, write_json

DOMAINS, CLASSES = ("art_painting", "cartoon", "photo", "sketch"), ("dog", "house")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Pictures that only their content tells apart: all of one size, all of one time."""
    root = tmp_path / "pictures"
    for i in range(10):
        for number, domain in enumerate(DOMAINS):
            for label, name in enumerate(CLASSES):
                (root / domain / name).mkdir(parents=True, exist_ok=True)
                paint(root / domain / name / f"{i}.bmp", (60 * number, 200 * label, 20 * i))
    return root


def paint(path: Path, colour: tuple[int, int, int]) -> None:
    Image.new("RGB", (8, 8), colour).save(path)
    os.utime(path, (1, 1))


def swap(root: Path) -> None:
    for domain in DOMAINS:
        (root / domain / "dog").rename(root / domain / "spare")
        (root / domain / "house").rename(root / domain / "dog")
        (root / domain / "spare").rename(root / domain / "house")


def add(root: Path) -> None:
    for domain in DOMAINS:
        for i in range(20, 30):
            paint(root / domain / "dog" / f"{i}.bmp", (i, i, i))


def relabel(root: Path) -> None:
    for path in sorted((root / "photo/dog").iterdir())[::2]:
        path.rename(root / "photo/house" / f"was_a_dog_{path.name}")


def replace(root: Path) -> None:
    for path in sorted((root / "photo/dog").iterdir()):
        paint(path, (1, 2, 3))


COMMANDS = {
    "run --method zero-shot --tune --trials 1 --save OUT --data folder:ROOT": 1,
    "sweep OUT --methods zero-shot --seeds 1 --data folder:ROOT": 4,
    "bench --methods zero-shot --trials 1 --seeds 1 --save OUT --data folder:ROOT": 2,
    "reproduce pacs --methods zero-shot --counts 1 --seeds 1 --save OUT --root ROOT": 4,
}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda text: text.split()[0])
def test_what_was_made_of_other_pictures_is_refused_in_one_line(
    command: str, root: Path, tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = command.replace("ROOT", str(root)).replace("OUT", str(out)).split()
    words += ["--clip", tiny_path, "--shots", "2"]
    assert main(words) == 0
    before = {path: path.read_bytes() for path in out.rglob("*-seed*.json")}
    assert len(before) == COMMANDS[command]
    whole = tmp_path / "whole"
    shutil.copytree(root, whole)
    again = [*words, "--force"] if words[0] == "run" else words
    changes: list[Callable[[Path], None]] = [swap, add, relabel, replace]
    for change in changes:
        change(root)
        capsys.readouterr()
        assert main(again) == 2, change
        said = capsys.readouterr()
        assert f"than {'pacs' if 'reproduce' in words else 'folder'}:{root} has now" in said.err
        assert "name another folder, or remove the old records" in said.err
        told = [line for line in said.err.splitlines() if line.startswith("adu ")]
        assert len(told) == 2  # where it computes, and what is wrong
        assert said.out.count("\n") <= 1  # what is forgotten; no table
        assert {path: path.read_bytes() for path in out.rglob("*-seed*.json")} == before
        shutil.rmtree(root)
        shutil.copytree(whole, root)
    assert main(again) == 0  # copied back, the pictures are what they were
    assert {path: path.read_bytes() for path in out.rglob("*-seed*.json")} == before


def test_more_seeds_are_not_added_to_those_of_other_pictures(
    root: Path, tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sweep", str(tmp_path / "out"), "--methods", "zero-shot", "--data", f"folder:{root}"]
    words += ["--clip", tiny_path, "--shots", "2", "--seeds", "1"]
    assert main(words) == 0
    swap(root)
    assert main([*words, "--seeds", "2"]) == 2
    assert "other pictures and shots" in capsys.readouterr().err
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_choosing_on_other_validation_pictures_is_noticed(
    root: Path, tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bench's results hold validation metrics as well."""
    words = ["bench", "--methods", "zero-shot", "--trials", "0", "--seeds", "1"]
    words += ["--data", f"folder:{root}", "--clip", tiny_path, "--shots", "2"]
    words += ["--save", str(tmp_path / "out")]
    assert main(words) == 0
    (path,) = (tmp_path / "out/runs").glob("*-seed*.json")
    record = read_json(path)
    record["found"]["validation_fingerprint"] = "0" * 16
    write_json(path, record)
    assert main(words) == 2
    assert "other validation pictures than" in capsys.readouterr().err


def test_the_drawn_world_of_another_processor_is_the_drawn_world(
    tmp_path: Path, tiny_path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its last bits depend on the processor: they are no reason to refuse records."""
    words = ["sweep", str(tmp_path), "--methods", "zero-shot", "--clip", tiny_path]
    words += ["--shots", "1", "--limit", "1", "--forget", "sketch", "--seeds"]
    assert main([*words, "1"]) == 0
    (path,) = tmp_path.iterdir()
    record = read_json(path)
    record["found"] |= {"pictures_fingerprint": "0" * 16, "shots_fingerprint": "0" * 16}
    write_json(path, record)
    assert main([*words, "2"]) == 0
    assert records.summary(records.read_table(tmp_path))["seeds"].item() == 2
