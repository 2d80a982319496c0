"""Pictures named by a saved model: what is refused, what cannot be read, and what programs read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from adu_core import Model, Splits, save_model
from adu_core.cli import main
from adu_core.data.picture import read_picture


@pytest.fixture(scope="module")
def saved(gate: Model, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("saved")
    save_model(gate, folder)
    return str(folder)


@pytest.fixture(scope="module")
def album(few: Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders in folders, as people have them."""
    root = tmp_path_factory.mktemp("album")
    for number, picture in enumerate(few.test.pictures):
        path = root / few.test.domain_names[few.test.domains[number]] / "é" / f"{number:02}.PNG"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(path)
    (root / "notes.txt").write_text("no picture")
    (root / ".hidden.png").write_text("nor this")
    return root


def predict(*words: object) -> int:
    return main(["predict", *map(str, words)])


def test_a_line_of_json_for_each_picture_of_a_folder(
    saved: str, gate: Model, album: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict("--adapter", saved, "--json", "--top", "3", album) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["file"] for answer in answers] == sorted(map(str, album.rglob("*.PNG")))
    pictures = torch.stack([read_picture(a["file"], gate.clip.preprocess) for a in answers])
    with torch.no_grad():
        refused, features = gate.refuses(pictures).tolist(), gate.features(pictures)
        likely = gate.logits(features).softmax(dim=1)
    assert 0 < sum(refused) < len(refused)
    for answer, gone, row in zip(answers, refused, likely, strict=True):
        assert answer.keys() == {"file", "before", "after", "refused"}
        assert answer["refused"] is gone
        assert len(answer["before"]) == 3
        assert len(answer["after"]) == (0 if gone else 3)
        for told, place in zip(answer["after"], row.argsort(descending=True), strict=False):
            assert told["class"] == gate.class_names[place]
            assert told["probability"] == pytest.approx(row[place].item(), abs=1e-4)


def test_a_refused_picture_gets_no_class(
    saved: str, gate: Model, album: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict("--adapter", saved, "--top", "9", album) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert "after forgetting sketch" in head
    after = [line[head.index("after") :] for line in lines]
    first = [text for line, text in zip(lines, after, strict=True) if not line.startswith(" ")]
    assert len(first) == len(list(album.rglob("*.PNG")))
    assert "refused" in first
    assert len(lines) == len(first) * len(gate.class_names)
    for number, text in enumerate(after):
        if text == "refused":
            assert set(after[number + 1 : number + len(gate.class_names)]) == {""}
        elif text:
            assert text.rpartition(" ")[0].rpartition(" ")[0] in gate.class_names


def test_what_cannot_be_read_is_named_and_the_rest_is_answered(
    saved: str, album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = next(album.rglob("*.PNG"))
    broken, empty = tmp_path / "broken.png", tmp_path / "empty"
    broken.write_bytes(good.read_bytes()[:300])
    empty.mkdir()
    wrong = [broken, tmp_path / "missing.png", empty, tmp_path / ("long" * 999)]
    assert predict("--adapter", saved, wrong[0], good, *wrong[1:], good) == 2
    printed = capsys.readouterr()
    assert [line.startswith(str(good)) for line in printed.out.splitlines()[1:]] == [True, True]
    lines = [line for line in printed.err.splitlines() if "computing on" not in line]
    assert len(lines) == len(wrong)
    assert all(line.startswith("adu predict: ") for line in lines)
    for name in ("broken.png", "missing.png: there is no such file", "empty", "longlong"):
        assert sum(name in line for line in lines) == 1
    assert predict("--adapter", saved, "--json", *wrong) == 2
    assert not capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such a name")
def test_names_that_no_terminal_shows(saved: str, album: Path, tmp_path: Path) -> None:
    """A file name that is no text, on a terminal that knows ASCII only."""
    name = os.fsencode(tmp_path) + b"/\xff \xe7\x8c\xab\n.png"
    Path(os.fsdecode(name)).write_bytes(next(album.rglob("*.PNG")).read_bytes())
    words = [sys.executable, "-m", "adu_core", "predict", "--adapter", saved, tmp_path]
    asked = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, capture_output=True, text=True, env=asked, check=False)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1  # where it is computed
    assert r"/\udcff \u732b\n.png" in done.stdout.splitlines()[1]
