import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from adu_core.cli import COMMANDS, main, options, parser
from adu_core.clips.grammar import clip_from
from adu_core.rivals.methods import METHODS

RESULT = {"metrics", "accuracy", "kept", "forgotten", "entanglement"}
QUICK = ["--shots", "1", "--limit", "2", "--set", "epochs=1", "--on", "validation"]


def test_run_then_predict_and_report(
    tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--clip", tiny_path, *QUICK, "--forget", "sketch", "--forget", "real"]
    saved, record = tmp_path / "saved", tmp_path / "record.json"
    assert main([*words, "--save", str(saved), "--json", str(record)]) == 0
    printed = capsys.readouterr().out
    assert "sketch (forget)" in printed
    assert "H " in printed
    found = json.loads(record.read_text())
    assert found.keys() == {
        "schema", "spec", "config", "before", "after", "found", "provenance",
    }  # fmt: skip
    assert found["before"].keys() == found["after"].keys() == RESULT
    assert {"mem", "for", "h", "selectivity", "refused"} <= found["after"]["metrics"].keys()
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
    for folder in (saved, tmp_path):
        assert main(["report", str(folder)]) == 0
        assert "full" in capsys.readouterr().out


def test_sweep_goes_on_and_report_reads_it(
    tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sweep", str(tmp_path), "--clip", tiny_path, *QUICK, "--forget", "sketch"]
    words += ["--methods", "baseline,ddl", "--seeds", "1"]
    assert main(words) == 0
    files = sorted(tmp_path.glob("*.json"))
    names = [path.name.rpartition("-")[0] for path in files]
    assert names == ["sketch-baseline-seed0", "sketch-ddl-seed0"]
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
    assert main([*words, "--set", "gamma=1"]) == 0  # the baseline has a gamma, of no account
    assert len(list(tmp_path.glob("*.json"))) == 4


def test_every_option_is_explained_with_its_default() -> None:
    commands = next(action.choices for action in parser()._actions if action.choices)
    silent = []
    for name, command in commands.items():  # type: ignore[union-attr]
        for action in command._actions:
            default = action.default
            words = default if isinstance(default, list) else [default]
            said = ",".join(map(str, words)) if default not in (None, False, ()) else ""
            if not action.help or (action.dest != "help" and said not in action.help):
                silent.append(f"{name} {action.dest}: {said}")
    assert not silent
    pretrain = commands["pretrain"].format_help()  # type: ignore[call-overload]
    assert "(10 of the world's, 40 of" in " ".join(pretrain.split())
    assert "(250 of the world's, all of" in " ".join(pretrain.split())


HELP = """
import sys
from adu_core.cli import COMMANDS, main
right = ["--version", "--help", *(f"{name} --help" for name in COMMANDS)]
wrong = ["run --shots 0", "run --method magic", "sweep", "magic", "world --mix 2 --out x.png"]
for line in right + wrong:
    try:
        main(line.split())
    except SystemExit as left:
        if left.code == (2 if line in wrong else 0):
            continue
    sys.exit(f"{line}: not answered by the parser")
heavy = {"torch", "numpy", "open_clip", "pandas", "scipy", "sklearn", "matplotlib", "PIL"}
sys.exit(", ".join(sorted(heavy & sys.modules.keys())) or 0)
"""


def test_the_version_help_and_wrong_words_do_without_torch() -> None:
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"adu {version('adu-core')}\nusage: adu ")
    assert all(f"\nusage: adu {name} " in done.stdout for name in COMMANDS)
    assert "95 % intervals" in done.stdout
    assert "%%" not in done.stdout


@pytest.fixture
def corrupt(tmp_path: Path) -> Path:
    """A folder whose pictures are none."""
    root = tmp_path / "pictures"
    for domain in ("photo", "cartoon"):
        for name in ("dog", "house"):
            folder = root / domain / name
            folder.mkdir(parents=True)
            for number in range(10):
                (folder / f"{number}.png").write_bytes(b"no picture")
    return root


WRONG = {
    "": "--forget with one of cartoon, photo (only sketch is taken by default",
    "--forget moon": "no domain 'moon': the domains are cartoon, photo",
    "--forget photo --forget cartoon": "cannot forget every domain",
    "--forget photo --forget photo": "named twice",
    "--forget-classes moon": "no class 'moon': the classes are dog, house",
    "--forget-classes dog --forget-classes house": "cannot forget everything",
    "--forget photo --set epochs=0": "epochs must be at least 1",
    "--forget photo --set prompt_tokens=100000": "at most 512",
    "--forget photo --set momentum=-1": "momentum must be at least 0",
    "--forget photo --set bandwidths=-1": "bandwidths must be above 0",
    "--forget photo --set prompt_std=-1": "prompt_std must be at least 0",
    "--forget photo --set instapg_block=6": "instapg_block is 6",
    "--forget photo --set text_tokens=14": "text prompt tokens leave room for",
    "--forget photo --set magic=1": "no setting 'magic'",
    "--forget photo --device moon": "say cpu, cuda or mps",
    "--forget photo --device meta": "say cpu, cuda or mps",
    "--forget photo --clip nosuch.safetensors": "nosuch.safetensors is missing",
    "--forget photo --clip ViT-B-16": "names no weights",
    "--forget photo --json FILE/record.json": "--json FILE/record.json cannot be written",
    "--forget photo --json .": "there is a folder of that name",
    "--forget photo --save FILE": "there is a file of that name",
    "--forget photo --save FILE/deeper": "--save FILE/deeper cannot be written",
}


@pytest.mark.parametrize(("flags", "said"), WRONG.items(), ids=[flags or "none" for flags in WRONG])
def test_wrong_flags_are_refused_before_a_picture_is_read(
    flags: str, said: str, corrupt: Path, tiny_path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = corrupt.parent / "a file"
    file.write_text("")
    words = ["run", "--data", f"folder:{corrupt}", "--clip", tiny_path]
    words += [word.replace("FILE", str(file)) for word in flags.split()]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said.replace("FILE", str(file)) in error
    assert "cannot read the picture" not in error
    assert len(error.strip().splitlines()) == 1
    assert sorted(path.name for path in corrupt.parent.iterdir()) == ["a file", "pictures"]


def test_pictures_that_cannot_be_read_are_named(
    corrupt: Path, tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--data", f"folder:{corrupt}", "--clip", tiny_path, "--forget", "photo"]
    words += ["--shots", "2", "--json", str(tmp_path / "a/b/record.json")]
    assert main([*words, "--save", str(tmp_path / "c/d")]) == 2
    assert "cannot read the picture" in capsys.readouterr().err
    # The places for results were tried before the work, and nothing of that is left.
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_places_are_tried_and_left_as_they_were(tmp_path: Path) -> None:
    old = tmp_path / "there" / "old.json"
    old.parent.mkdir()
    old.write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    options.check_writable(tmp_path / "new" / "deep" / "record.json", "--json")
    options.check_writable(old, "--json")
    options.check_writable(tmp_path / "new" / "deep", "--save", folder=True)
    options.check_writable(old.parent, "--save", folder=True)
    assert sorted(tmp_path.rglob("*")) == before
    assert old.read_text() == "{}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mini", ("mini", None)),
        ("clips/mine.safetensors", ("clips/mine.safetensors", None)),
        (r"C:\clips\mine.safetensors", (r"C:\clips\mine.safetensors", None)),
        ("D:/clips/mine.safetensors", ("D:/clips/mine.safetensors", None)),
        (r"c:mine.safetensors", (r"c:mine.safetensors", None)),
        (r"\\server\clips\mine.safetensors", (r"\\server\clips\mine.safetensors", None)),
        ("ViT-B-16-quickgelu:openai", ("ViT-B-16-quickgelu", "openai")),
        ("ViT-B-16:weights.safetensors", ("ViT-B-16", "weights.safetensors")),
        (r"ViT-B-16:C:\w\openai.safetensors", ("ViT-B-16", r"C:\w\openai.safetensors")),
    ],
)
def test_a_clip_in_words(text: str, found: tuple[str, str | None]) -> None:
    assert clip_from(text) == found


@pytest.mark.parametrize("text", ["ViT-B-16", "ViT-B-16:", "moon"])
def test_a_clip_without_weights_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names no weights: say"):
        clip_from(text)


@pytest.fixture
def quick(picture_folder: Path, tiny_path: str) -> list[str]:
    return [
        "run", "--data", f"folder:{picture_folder}", "--clip", tiny_path, "--shots", "2",
        "--set", "epochs=2", "--forget", "sketch", "--method", "baseline",
    ]  # fmt: skip


def record_of(folder: Path) -> Any:
    record = json.loads((folder / "record.json").read_text())
    del record["provenance"], record["found"]["fit_seconds"]
    return record


def test_training_is_kept_until_record_and_model_are(
    quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("the disk is full")

    broken, whole = tmp_path / "broken", tmp_path / "whole"
    assert main([*quick, "--save", str(whole)]) == 0
    for module, name in (
        ("adu_core.rivals.saved", "save_model"),
        ("adu_core.machine.files", "write_json"),
        ("adu_core.show.figures", "before_after"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"{module}.{name}", full)
            assert main([*quick, "--save", str(broken)]) == 2
        assert (broken / "training.safetensors").exists(), name
    assert main([*quick, "--save", str(broken)]) == 0
    assert not (broken / "training.safetensors").exists()
    assert record_of(broken) == record_of(whole)
    for name in ("adapter.safetensors", "adapter.json", "history.json"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize("name", [None, "zero-shot", "full"])
def test_methods_and_their_settings_are_listed(
    name: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["methods", *([name] if name else [])]) == 0
    printed = capsys.readouterr().out
    wanted = {None: METHODS, "zero-shot": ("nothing to undo",), "full": ("gamma", "(default 8")}
    assert all(word in printed for word in wanted[name])


def test_world_draws_a_sheet(tmp_path: Path) -> None:
    assert main(["world", "--out", str(tmp_path / "sheet.png"), "--size", "16"]) == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (26 * 18 + 2, 8 * 18 + 2)


@pytest.mark.parametrize(
    "words",
    [
        "run --data moon",
        "run --data folder:/nowhere",
        "run --clip RN50:openai",
        "run --data world?mix=0.9",
        "run --mix 0.2",
        "run --set epochs=1,2",
        "run --shots 0",
        "run --set epochs=many",
        "run --method magic",
        "pretrain --out weights.pt",
        "pretrain --out weights.safetensors --size 25",
        "pretrain --out weights.safetensors --data folder:/nowhere",
        "pretrain --out weights.safetensors --start nowhere.safetensors",
        "pretrain --out weights.safetensors --start ViT-B-32",
        "pretrain --out weights.safetensors --start mini --depth 12",
        "pretrain --out weights.safetensors --start mini --without sketch",
        "world --out sheet.txt",
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
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(("adu ", "adu: "))


def test_ctrl_c_is_said_and_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", interrupt)
    assert main(["world", "--out", str(tmp_path / "x.png")]) == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise there")
def test_a_reader_that_has_seen_enough_is_no_error(repository: Path) -> None:
    records = repository / "book/results/bandwidths"
    command = f"{sys.executable} -m adu_core report {records} | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert not done.stderr
