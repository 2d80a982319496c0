import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from adu_core import commands
from adu_core.cli import main

RESULT = {"metrics", "accuracy", "entanglement"}
QUICK = ["--shots", "1", "--set", "epochs=1", "--on", "validation"]


def test_run_then_predict(
    tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--clip", tiny_path, *QUICK, "--forget", "sketch", "--forget", "real"]
    saved, record = tmp_path / "saved", tmp_path / "record.json"
    assert main([*words, "--save", str(saved), "--json", str(record)]) == 0
    printed = capsys.readouterr().out
    assert "sketch (forget)" in printed
    assert "H " in printed
    found = json.loads(record.read_text())
    assert found.keys() == {"schema", "before", "after", "config", "provenance"}
    assert found["before"].keys() == found["after"].keys() == RESULT
    assert found["after"]["metrics"].keys() == {"mem", "for", "h"}
    assert found["after"]["accuracy"].keys() == {"real", "painting", "clipart", "sketch"}
    assert found["after"]["entanglement"]["mmd2"].keys() == {
        "real|painting", "real|clipart", "real|sketch",
        "painting|clipart", "painting|sketch", "clipart|sketch",
    }  # fmt: skip
    assert {path.name for path in saved.iterdir()} == {
        "adapter.json", "adapter.safetensors", "before_after.png", "history.json", "record.json",
    }  # fmt: skip
    picture = tmp_path / "picture.png"
    Image.new("L", (80, 50), 200).save(picture)
    assert main(["predict", "--adapter", str(saved), str(picture)]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith(str(picture))
    assert line.count("%") == 2


def test_sweep_goes_on_and_report_reads_it(
    tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sweep", str(tmp_path), "--clip", tiny_path, *QUICK, "--forget", "sketch"]
    words += ["--methods", "baseline,ddl", "--seeds", "1", "--first-seed", "7"]
    assert main(words) == 0
    files = sorted(tmp_path.glob("*.json"))
    assert [path.name for path in files] == ["sketch-baseline-seed7.json", "sketch-ddl-seed7.json"]
    kept = files[0].read_bytes()
    files[1].unlink()
    assert main(words) == 0
    assert files[0].read_bytes() == kept
    assert files[1].exists()
    capsys.readouterr()
    assert main(["report", str(tmp_path), "--fronts"]) == 0
    printed = capsys.readouterr().out
    assert "hypervolume" in printed
    assert main(["report", str(tmp_path), "--by", "magic"]) == 2
    assert main([*words, "--set", "gamma=1"]) == 2
    assert "other settings" in capsys.readouterr().err


def test_world_draws_a_sheet(tmp_path: Path) -> None:
    assert main(["world", "--out", str(tmp_path / "sheet.png"), "--size", "16"]) == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (26 * 18 + 2, 8 * 18 + 2)


@pytest.mark.parametrize(
    "words",
    [
        "run --forget moon",
        "run --forget real --forget painting --forget clipart --forget sketch",
        "run --data moon",
        "run --data folder:/nowhere",
        "run --clip /nowhere/clip.safetensors",
        "run --clip ViT-B-16",
        "run --clip RN50:openai",
        "run --mix 0.9",
        "run --device moon",
        "run --set epochs=1,2",
        "run --shots 0",
        "run --set magic=1",
        "run --set epochs=many",
        "run --method magic",
        "pretrain --out weights.pt",
        "predict --adapter /nowhere picture.png",
        "report /nowhere",
    ],
)
def test_a_bad_value_exits_2_with_one_line(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(words.split())
    except SystemExit as left:
        code = left.code  # type: ignore[assignment]
    assert code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("adu ")
    assert (
        len([line for line in lines if "error" in line or not line.startswith(("usage", " "))]) == 1
    )


def test_ctrl_c_is_said_and_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "world", interrupt)
    assert main(["world", "--out", "x.png"]) == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise there")
def test_a_reader_that_has_seen_enough_is_no_error(repository: Path) -> None:
    records = repository / "book/results/tuning/block"
    command = f"{sys.executable} -m adu_core report {records} | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert not done.stderr
