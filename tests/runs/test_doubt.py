"""A CLIP that does not know the pictures is said so, loudly, before and after the work."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from quick import quick

from adu_core import Spec, Splits, Target, load_clip, unlearn, world
from adu_core.cli import main
from adu_core.data.messages import warn
from adu_core.machine.files import read_json
from adu_core.runs.doubt import doubt, unknown_words

PACS = Path(__file__).parents[3] / "shared" / "pacs"
CHANCE = "no better than chance"


@pytest.fixture(autouse=True)
def _anew() -> None:
    """As in a process of its own: nothing was said yet."""
    warn.cache_clear()


def test_words_that_the_small_clip_never_met_are_named() -> None:
    mini = load_clip("mini")
    known = world("test", 1, size=60).class_names
    assert unknown_words(mini, known) == ""
    said = unknown_words(mini, [*known[:2], "giraffe", "sea lion", "tree"])
    assert "the words of 2 of 5 classes" in said
    assert "giraffe, sea lion;" in said
    assert "adu pretrain --data" in said
    assert "--clip ViT-B-16-quickgelu:openai" in said
    many = unknown_words(mini, [f"giraffe{'x' * i}" for i in range(300)])
    assert len(many) < 600


@pytest.mark.parametrize(
    ("accuracy", "count", "classes", "said"),
    [
        ({"a": 15.0, "b": 13.0}, 100, 7, "names these pictures no better than chance (14.0 %;"),
        ({"a": 0.0, "b": 0.0}, 100, 7, "these pictures"),
        ({"a": 90.0, "b": 15.0}, 100, 7, "names the pictures of b no better than chance (15.0 %;"),
        ({"a": 90.0, "b": 25.0}, 100, 7, ""),
        ({"a": 100.0, "b": 0.0}, 1, 2, ""),  # too few to tell
        ({"a": 100.0, "b": 100.0}, 5, 2, ""),
        ({"a": 55.0, "b": 45.0}, 20, 2, "these pictures"),
        ({"a": 30.0, "b": 30.0}, 1000, 5, ""),
    ],
)
def test_chance_is_told_by_how_many_pictures_there_are(
    accuracy: dict[str, float], count: int, classes: int, said: str
) -> None:
    before: Any = {"accuracy": accuracy}
    found = doubt(before, dict.fromkeys(accuracy, count), classes)
    assert (said in found) if said else not found


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """Pictures of nothing, of which any CLIP names one class alone: two domains, two classes."""
    root = tmp_path / "noise"
    generator = torch.Generator().manual_seed(0)
    for domain in ("photo", "sketch"):
        for name in ("car", "giraffe"):
            (root / domain / name).mkdir(parents=True)
            for number in range(40):
                pixels = torch.randint(256, (60, 60, 3), generator=generator, dtype=torch.uint8)
                Image.fromarray(pixels.numpy()).save(root / domain / name / f"{number}.png")
    return root


def test_it_is_said_before_the_work_and_under_the_table(
    noise: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", f"folder:{noise}", "--shots", "2", "--forget", "sketch"]
    run = ["run", *words, "--method", "nullspace", "--json", str(tmp_path / "r.json")]
    assert main(run) == 0
    said = capsys.readouterr()
    assert said.err.count("giraffe;") == 1
    assert said.err.index("giraffe;") < said.err.index("reading pictures")
    assert said.err.count(CHANCE) == 1
    assert said.out.count(CHANCE) == 1
    assert said.out.index(CHANCE) > said.out.index("H  ")
    assert read_json(tmp_path / "r.json")["found"]["measured"] == {"photo": 24, "sketch": 24}

    warn.cache_clear()
    methods = ["--methods", "nullspace,zero-shot"]
    sweep = ["sweep", str(tmp_path / "s"), *words, *methods, "--seeds", "2"]
    for times in (1, 0):  # the second time all records are there already
        assert main(sweep) == 0
        said = capsys.readouterr()
        assert said.err.count(CHANCE) == times
        assert said.out.count(CHANCE) == 1

    warn.cache_clear()
    bench = ["bench", *words, *methods, "--seeds", "1", "--trials", "0"]
    assert main([*bench, "--save", str(tmp_path / "b"), "--processes", "1"]) == 0
    said = capsys.readouterr()
    assert said.err.count(CHANCE) == said.out.count(CHANCE) == said.err.count("giraffe;") == 1


def test_a_clip_that_knows_the_pictures_is_not_doubted(
    few: Splits, capsys: pytest.CaptureFixture[str]
) -> None:
    unlearn(load_clip("mini"), few, Spec(quick("nullspace"), Target(("sketch",)), measure=()))
    said = capsys.readouterr()
    assert "warning" not in said.out + said.err


@pytest.mark.skipif(not PACS.is_dir(), reason="real pictures are not at ../shared/pacs")
def test_real_pictures_that_the_shipped_clip_does_not_know(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["run", "--data", f"folder:{PACS}", "--limit", "5", "--shots", "1"]
    assert main([*words, "--method", "nullspace", "--forget", "sketch"]) == 0
    said = capsys.readouterr()
    assert "dog, elephant, giraffe, horse, person;" in said.err
    assert CHANCE in said.err
    assert CHANCE in said.out
