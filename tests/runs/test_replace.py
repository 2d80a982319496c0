"""A finished run is replaced if that is said, and with it goes all that was of it."""

import shutil
from pathlib import Path

import pytest

from adu_core.cli import main
from adu_core.machine.files import read_json, write_json

#: What nobody but the user put there.
OWN = ("notes.txt", "figure.png", "trials/notes.json", "trials/more/x.json")


@pytest.fixture(scope="module")
def words(picture_folder: Path, tiny_path: str) -> list[str]:
    what = ["--data", f"folder:{picture_folder}", "--clip", tiny_path, "--shots", "2"]
    return ["run", *what, "--forget", "sketch"]


@pytest.fixture(scope="module")
def finished(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its search and, as by `adu audit`, what was said of its model."""
    folder = tmp_path_factory.mktemp("finished")
    more = ["--method", "nullspace", "--tune", "--trials", "2", "--save", str(folder)]
    assert main([*words, *more]) == 0
    for name in ("MODEL_CARD.md", "audit.json", "audit.png"):
        (folder / name).write_text("of the first model")
    for name in OWN:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "saved"))


def held(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_finished_run_asks_for_force(
    words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = held(folder)
    assert main([*words, "--method", "zero-shot", "--save", str(folder)]) == 2
    said = capsys.readouterr().err
    assert "holds a finished run (nullspace: forget sketch) and its audit: say --force" in said
    assert held(folder) == before


def test_with_force_all_that_was_of_it_goes_and_nothing_else(
    words: list[str], folder: Path
) -> None:
    assert main([*words, "--method", "zero-shot", "--save", str(folder), "--force"]) == 0
    assert held(folder).keys() == {
        "adapter.json", "adapter.safetensors", "before_after.png", "history.json", "record.json",
        *OWN,
    }  # fmt: skip
    assert read_json(folder / "adapter.json")["method"]["name"] == "zero-shot"


def test_a_search_keeps_its_own_trials(
    words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = {name for name in held(folder) if name.startswith("trials/sketch-")}
    assert len(kept) >= 2
    more = ["--method", "nullspace", "--tune", "--trials", "1", "--save", str(folder), "--force"]
    assert main([*words, *more]) == 0
    assert "chosen on validation pictures: nullspace" in capsys.readouterr().out
    assert {name for name in held(folder) if name.startswith("trials/sketch-")} < kept


def test_what_stopped_half_way_goes_on_without_force(
    words: list[str], folder: Path, tmp_path: Path
) -> None:
    """Saving was interrupted: the model is there, its record not yet, training is kept."""
    (folder / "record.json").unlink()
    words = [*words, "--method", "baseline", "--set", "epochs=1", "--save"]
    whole = tmp_path / "whole"
    assert main([*words, str(whole)]) == 0
    assert main([*words, str(folder)]) == 2  # a model without a record is somebody's
    (folder / "training.safetensors").touch()
    assert main([*words, str(folder)]) == 2  # of no run
    (folder / "training.safetensors").unlink()
    assert main([*words, str(folder), "--force"]) == 0
    assert read_json(folder / "adapter.json") == read_json(whole / "adapter.json")


def test_an_audit_is_of_the_model_beside_it(
    words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("audit.json", "MODEL_CARD.md", "audit.png"):
        (folder / name).unlink()
    clip = words[words.index("--clip") + 1]
    quick = ["--stolen", "1", "--limit", "1", "--tries", "5"]
    assert main(["audit", str(folder), "--clip", clip, *quick]) == 0
    assert main(["report", str(folder), "--audits"]) == 0
    audit = (folder / "audit.json").read_bytes()
    more = ["--method", "zero-shot", "--save", str(folder), "--force"]
    assert main([*words, *more]) == 0
    assert not (folder / "audit.json").exists()
    (folder / "audit.json").write_bytes(audit)  # put back by hand
    capsys.readouterr()
    assert main(["report", str(folder), "--audits"]) == 2
    said = capsys.readouterr()
    assert "audit.json is of another model than the one that is there now" in said.err
    assert not said.out


def test_a_record_of_another_run_is_not_overwritten(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "record.json"
    words = [*words, "--method", "zero-shot", "--json", str(path)]
    assert main(words) == 0
    assert main(words) == 0  # the same run again
    before = path.read_bytes()
    assert main([*words, "--seed", "1"]) == 2
    assert f"--json {path} holds another run (zero-shot: forget sketch, seed 0)" in (
        capsys.readouterr().err
    )
    assert path.read_bytes() == before
    assert main([*words, "--seed", "1", "--force"]) == 0
    write_json(path, {"no": "record"})
    assert main(words) == 0


def test_a_clip_is_not_overwritten(
    tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(shutil.copy(tiny_path, tmp_path / "clip.safetensors"))
    before = path.read_bytes()
    assert main(["pretrain", "--smoke", "--out", str(path)]) == 2
    assert "holds a CLIP: say --force to replace it" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_trials_without_tune_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--trials", "4"]) == 2
    assert "--trials 4 goes with --tune" in capsys.readouterr().err
