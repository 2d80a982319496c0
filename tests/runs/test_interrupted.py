"""Work that cannot go on: what is said in one line, what is kept, and where it goes on."""

import contextlib
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from quick import quick

from adu_core import FrozenCLIP, Splits, figures, fit
from adu_core.cli import main
from adu_core.machine.files import write_json, write_tensors, write_text


@contextlib.contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file can have more than ``room`` bytes: what is longer fails in the middle, for real."""
    resource = pytest.importorskip("resource", reason="Windows sets no such limit")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


WRITERS: dict[str, Callable[[Path], None]] = {
    "x.safetensors": lambda path: write_tensors(path, {"a": torch.zeros(50_000)}),
    "x.json": lambda path: write_json(path, ["a" * 1000] * 200),
    "x.txt": lambda path: write_text(path, "a" * 200_000),
    "x.png": lambda path: figures.save(plt.figure(figsize=(20, 20)), path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_named_and_what_was_there_stays(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"old")
    with full_disk(10_000), pytest.raises(OSError, match=rf"{name} cannot be written \(.*room"):
        WRITERS[name](path)
    plt.close("all")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    WRITERS[name](path)
    assert path.stat().st_size > 10_000


def test_a_checkpoint_that_finds_no_room_is_one_line(
    tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--clip", tiny_path, "--shots", "1", "--limit", "1", "--set", "epochs=2"]
    words += ["--method", "baseline", "--save", str(tmp_path / "saved")]
    with full_disk(1000):
        assert main(words) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert str(tmp_path / "saved" / "training.safetensors") in error
    assert "the same command then goes on" in error
    assert not list((tmp_path / "saved").iterdir())
    assert main(words) == 0


def test_pretraining_that_finds_no_room_is_one_line(
    tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "clip.safetensors"
    path.write_bytes(Path(tiny_path).read_bytes())
    words = ["pretrain", "--smoke", "--size", "20", "--force", "--out", str(path)]
    with full_disk(100_000):
        assert main(words) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert str(tmp_path / "clip.partial.safetensors") in error
    assert "the same command then goes on" in error
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == Path(tiny_path).read_bytes()


def test_a_resumed_bar_starts_where_it_was(
    tiny_clip: FrozenCLIP, few: Splits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(done: int, _: object) -> None:
        if done == 2:
            raise KeyboardInterrupt

    method, kept = quick("baseline", epochs=3), tmp_path / "training.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_clip, few.shots, ["sketch"], method, checkpoint=kept, after_epoch=stop)
    capsys.readouterr()
    fit(tiny_clip, few.shots, ["sketch"], method, checkpoint=kept)
    shown = capsys.readouterr().err
    assert " 2/3 " in shown
    assert " 0/" not in shown


#: Commands, what they leave when they are stopped, and whether the same command goes on from it.
STOPPED = {
    "run --save D": ("training.safetensors", True),
    "run --tune --save D": ("trials/a.json", True),
    "run": ("training.safetensors", False),
    "pretrain --out D/clip.safetensors": ("clip.partial.safetensors", True),
    "sweep D": ("a.json", True),
    "bench --save D": ("runs/a.json", True),
    "reproduce pacs --root D --save D": ("runs/a.json", True),
    "world --out D/a.png": ("a.json", False),
    "report D": ("a.json", False),
}


@pytest.mark.parametrize("left", [True, False], ids=["something kept", "nothing kept"])
@pytest.mark.parametrize("line", STOPPED)
def test_ctrl_c_says_that_the_same_command_goes_on_where_it_does(
    line: str,
    left: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)  # what lies there is not of a command that keeps nothing
    name, goes_on = STOPPED[line]
    words = [word.replace("D", str(tmp_path)) for word in line.split()]

    def stopped(_: object) -> None:
        if left:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib.import_module(f"adu_core.cli.{words[0]}"), "do", stopped)
    assert main(words) == 130
    said = capsys.readouterr().err
    assert said.startswith("adu: interrupted; nothing is half written")
    assert ("the same command goes on where it stopped" in said) == (goes_on and left)
    assert len(said.splitlines()) == 1


FAULT = "import adu_core.cli as c, sys; c.main = lambda: {}['nowhere']; c.command()"


@pytest.mark.parametrize("asked", ["", "1"])
def test_a_fault_of_ours_is_one_line_and_says_how_to_see_more(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADU_TRACEBACK", asked)
    done = subprocess.run(
        [sys.executable, "-c", FAULT], capture_output=True, text=True, check=False
    )
    assert ("Traceback" in done.stderr) == bool(asked)
    if not asked:
        assert done.returncode == 2
        assert "KeyError: 'nowhere'" in done.stderr
        assert "ADU_TRACEBACK=1" in done.stderr
        assert len(done.stderr.splitlines()) == 1
