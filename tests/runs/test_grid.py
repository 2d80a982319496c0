"""Grids: which runs the words of a command or a YAML file mean, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from adu_core import Target
from adu_core.cli import main
from adu_core.data.world import DOMAINS, SEEN
from adu_core.runs.forecast import forecast
from adu_core.runs.grid import GRID, Grid, read_grids


def names(_: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return SEEN, DOMAINS


def written(tmp_path: Path, values: Any, name: str = GRID) -> Path:
    path = tmp_path / name
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return path


def test_every_list_is_varied(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {
            "methods": ["full", "gate"],
            "forget": ["sketch", "real+painting"],
            "seeds": 2,
            "shots": [1, 8],
            "labels": ["true", "shuffled"],
            "set": {"gamma": [0, 3], "epochs": 2, "bandwidths": [[1.0, 2.0]]},
        },
    )
    (grid,) = read_grids(path)
    work = grid.specs(names)
    # γ is a setting of full alone: the gate runs once for each of the others.
    assert len(work) == len({spec.name for spec in work}) == 2 * 2 * 2 * 2 * (2 + 1)
    full = [spec for spec in work if spec.method.name == "full"]
    settings = [spec.method.as_dict()["settings"] for spec in full]
    assert {one["gamma"] for one in settings} == {0.0, 3.0}
    assert {one["epochs"] for one in settings} == {2}
    assert {one["bandwidths"] for one in settings} == {(1.0, 2.0)}
    assert {spec.forget for spec in work} == {Target(("sketch",)), Target(("real", "painting"))}
    assert {spec.shots for spec in work} == {1, 8}
    assert {spec.labels for spec in work} == {"true", "shuffled"}
    assert {spec.seed for spec in work} == {0, 1}


@pytest.mark.parametrize(("count", "cases"), [(1, 4), (2, 6), (3, 4), ("each", 4)])
def test_all_combinations_of_so_many_domains(tmp_path: Path, count: Any, cases: int) -> None:
    (grid,) = read_grids(written(tmp_path, {"methods": "door", "forget": count, "seeds": [5]}))
    targets = [spec.forget for spec in grid.specs(names)]
    assert len(set(targets)) == cases
    assert {spec.seed for spec in grid.specs(names)} == {5}


def test_several_grids_in_a_file_and_a_real_clip(tmp_path: Path) -> None:
    path = written(tmp_path, [{"methods": "gate"}, {"clip": "ViT-B-16-quickgelu:openai"}])
    first, second = read_grids(path)
    assert first.methods == ("gate",)
    assert second.clip == ("ViT-B-16-quickgelu", "openai")
    assert second.specs(names)[0].method.as_dict()["settings"]["gamma"] == 30  # the paper's


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("methods: [", "is not YAML"),
        ([], "holds no grid"),
        ("just a word", "a grid has methods"),
        ({"magic": 1}, r"not \['magic'\]"),
        ({"methods": ["magic"]}, "no method 'magic'"),
        ({"methods": [3]}, "methods must be a text, not 3"),
        ({"seeds": [True]}, "seeds must be a whole number, not True"),
        ({"shots": "many"}, "shots must be a whole number, not 'many'"),
        ({"set": [1]}, "set must be "),
        ({"clip": "ViT-B-16"}, "names no weights"),
        ({"clip": 3}, "clip must be "),
        ({"data": 3}, "data must be a text, not 3"),
        ({"seeds": 10**30}, "say 1 to 10,000"),
        ({"forget": [[1]]}, "forget: a case is a domain"),
        ({"on": "train"}, "on must be "),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, values: Any, said: str) -> None:
    path = written(tmp_path, values)
    with pytest.raises(ValueError, match=said) as refused:
        read_grids(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (Grid(set={"magic": [1]}), "magic: none of baseline, instapg, ddl, full has"),
        (Grid(forget=4), "4 of 4 domains cannot be forgotten"),
        (Grid(forget=["moon"]), "no domain 'moon'"),
        (Grid(labels=["nearly"]), "labels must be true, shuffled"),
        (Grid(labels=["wrong:2"]), "labels must be true, shuffled"),
        (Grid(shots=[0]), "shots must be a whole number"),
        (Grid(methods=["full"], set={"gamma": [-1]}), "gamma must be"),
        (Grid(methods=["full"], set={"gamma": ["high"]}), "gamma=high: gamma must be a number"),
    ],
)
def test_what_no_run_can_be_is_refused(grid: Grid, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        grid.specs(names)


# The command.


def test_a_grid_beside_its_records_is_run_and_forecast(
    picture_folder: Path, tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {
        "methods": ["zero-shot", "nullspace"], "shots": [1, 2], "forget": "sketch", "seeds": 1,
        "data": f"folder:{picture_folder}", "clip": tiny_path,
    }  # fmt: skip
    written(tmp_path, values)
    assert main(["sweep", str(tmp_path), "--dry-run"]) == 0
    assert "4 runs, no record says how long in all; 0 are there" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == [GRID]  # nothing was run
    assert main(["sweep", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert "shots" in printed.out.splitlines()[0]
    assert "4/4" in printed.err
    assert printed.err.count(": H ") == 4  # a line a run
    assert len(list(tmp_path.glob("*.json"))) == 4
    assert main(["sweep", str(tmp_path), "--dry-run"]) == 0
    assert "; 4 are there" in capsys.readouterr().out
    (grid,) = read_grids(tmp_path / GRID)
    text = forecast(replace(grid, shots=[1, 3]).specs(), tmp_path)
    assert "4 runs, about" in text
    assert "to run: 2, about" in text


def test_grids_that_differ_are_reported_apart(
    picture_folder: Path, tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = {
        "methods": "nullspace", "data": f"folder:{picture_folder}", "clip": tiny_path,
        "forget": "sketch", "seeds": 1, "shots": 2,
    }  # fmt: skip
    written(tmp_path, [common, common | {"labels": "wrong:0.5"}, common | {"set": {"alpha": 0.5}}])
    assert main(["sweep", str(tmp_path)]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["method", "labels", "alpha"]
    assert sum(row.split()[:1] == ["nullspace"] for row in rows) == 3


def test_what_the_file_says_cannot_be_said_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, {"methods": "gate"}, "other.yml")
    assert main(["sweep", str(tmp_path / "out"), "--grid", str(path), "--shots", "4"]) == 2
    assert "--shots belongs in" in capsys.readouterr().err


def test_runs_that_fail_are_named_at_the_end(
    picture_folder: Path, tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "sweep", str(tmp_path / "out"), "--data", f"folder:{picture_folder}", "--clip", tiny_path,
        "--methods", "baseline", "--forget", "sketch", "--seeds", "1", "--shots", "1",
        "--set", "epochs=3", "--set", "learning_rate=0.001,1e30",
    ]  # fmt: skip
    assert main(words) == 2
    printed = capsys.readouterr()
    assert "baseline" in printed.out
    assert "FloatingPointError" in printed.out
    assert "1 of 2 runs failed" in printed.err
