"""What is forgotten, by one meaning in every command: --forget is one case, --cases are several."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from adu_core.cli import main
from adu_core.machine.files import read_json

ONE = (("sketch", "real"),)


SAID: dict[str, Sequence[tuple[str, ...]]] = {
    "--forget sketch --forget real": ONE,
    "--forget sketch+real": ONE,
    "--cases sketch+real": ONE,
    "--cases sketch,real": (("sketch",), ("real",)),
    "--cases sketch+real,clipart": (*ONE, ("clipart",)),
    "--cases each": (("clipart",), ("real",), ("sketch",)),
}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (command, words)
        for command in ("run", "bench", "sweep")
        for words in SAID
        if command != "run" or "--forget" in words
    ],
)
def test_forget_is_one_case_everywhere_and_cases_are_several(
    command: str,
    words: str,
    picture_folder: Path,
    tiny_path: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cases = SAID[words]
    how = {
        "run": ["run", "--method", "zero-shot", "--json", str(tmp_path / "record.json")],
        "bench": ["bench", "--methods", "zero-shot", "--trials", "0", "--processes", "1"],
        "sweep": ["sweep", str(tmp_path), "--methods", "zero-shot"],
    }[command]
    how += ["--save", str(tmp_path)] if command == "bench" else []
    seeds = [] if command == "run" else ["--seeds", "1"]
    what = ["--data", f"folder:{picture_folder}", "--clip", tiny_path, "--shots", "1"]
    assert main([*how, *words.split(), *seeds, *what]) == 0
    paths = [path for path in tmp_path.rglob("*.json") if path.name != "bench.json"]
    found = {tuple(read_json(path)["config"]["forget"]["domains"]) for path in paths}
    assert found == set(cases)
    printed = capsys.readouterr().out
    if command != "run":
        first = printed.splitlines()[0]
        assert first.startswith("forget by turns: " if len(cases) > 1 else "forget sketch + real,")


@pytest.mark.parametrize("command", ["bench --save", "sweep"])
def test_both_ways_at_once_are_refused(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*command.split(), str(tmp_path / "out"), "--forget", "sketch", "--cases", "real"]
    assert main(words) == 2
    assert "say --forget, for one case, or --cases, for several" in capsys.readouterr().err


def test_a_domain_with_a_plus_in_its_name_is_one_domain(
    picture_folder: Path, tiny_path: str, tmp_path: Path
) -> None:
    root = tmp_path / "pictures"
    shutil.copytree(picture_folder, root)
    (root / "real").rename(root / "real+new")
    words = ["sweep", str(tmp_path / "out"), "--methods", "zero-shot", "--seeds", "1"]
    words += ["--data", f"folder:{root}", "--clip", tiny_path, "--shots", "1"]
    assert main([*words, "--forget", "real+new"]) == 0
    (path,) = (tmp_path / "out").iterdir()
    assert read_json(path)["config"]["forget"]["domains"] == ["real+new"]
