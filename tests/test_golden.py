"""What stays while the house is rebuilt: names of runs, files of old, first steps of every method.

`python tests/test_golden.py` writes tests/golden anew; what git then shows has changed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from quick import quick
from torch import Tensor

from adu_core import METHODS, Model, Spec, Target, Task, load_clip, load_model, method
from adu_core.data.world import world
from adu_core.machine.files import read_json, write_json
from adu_core.runs.record import read_record
from adu_core.runs.records import read_table

GOLDEN = Path(__file__).parent / "golden"
#: A model and a record that were written before the rebuilding; they are never written anew.
RUN = GOLDEN / "run"
SKETCH = Target(("sketch",))
CLASSES = ("car", "house", "tree", "fish")


def names(name: str) -> dict[str, str]:
    """What a run's record is called, for each preset: its hash is in it."""
    return {
        preset: Spec(method(name, preset), SKETCH).name  # type: ignore[arg-type]
        for preset in ("mini", "paper")
    }


def first_step(name: str) -> dict[str, list[float]]:
    """Of each tensor, after one step: its size, and its sum with fixed weights."""
    known = quick(name).as_dict()["settings"]
    one = {"epochs": 1, "iterations": 1, "batch_size": 64, "warmup_rate": 0.01}
    made = quick(name, **{key: value for key, value in one.items() if key in known})
    model = made.fit(Task(load_clip("mini"), world("train", 2, classes=CLASSES), SKETCH), 3)
    return {key: summed(value) for key, value in sorted(model.state_dict().items())}


def summed(value: Tensor) -> list[float]:
    flat = value.detach().double().flatten()
    weights = torch.cos(torch.arange(len(flat), dtype=torch.float64))
    return [float(f"{number:.6g}") for number in (flat.norm(), flat @ weights)]


def logits(model: Model) -> list[list[float]]:
    pictures = world("test", 1, classes=CLASSES).pictures
    with torch.no_grad():
        found: list[list[float]] = model.logits(model.features(pictures)).tolist()
    return found


@pytest.mark.parametrize("name", METHODS)
def test_runs_keep_their_names(name: str) -> None:
    assert names(name) == read_json(GOLDEN / "names.json")[name]


@pytest.mark.parametrize("name", METHODS)
def test_the_first_step_is_what_it_was(name: str) -> None:
    found, wanted = first_step(name), read_json(GOLDEN / "steps.json")[name]
    assert found.keys() == wanted.keys()
    for key, value in found.items():
        assert value == pytest.approx(wanted[key], rel=0.01, abs=1e-3 * wanted[key][0]), key


def test_a_model_of_old_gives_the_answers_of_old() -> None:
    model = load_model(RUN, load_clip("mini"))
    wanted = torch.tensor(read_json(GOLDEN / "logits.json"))
    torch.testing.assert_close(torch.tensor(logits(model)), wanted, rtol=0, atol=0.05)


def test_a_record_of_old_is_read() -> None:
    record = read_record(RUN / "record.json")
    assert Spec.from_dict(record["config"], "here").hash == record["spec"]
    row: dict[str, Any] = read_table(RUN / "record.json").iloc[0].to_dict()
    assert row["method"] == "full"
    assert row["h"] == record["after"]["metrics"]["h"]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    write_json(GOLDEN / "names.json", {name: names(name) for name in METHODS})
    write_json(GOLDEN / "steps.json", {name: first_step(name) for name in METHODS})
    if not RUN.exists():
        from adu_core.cli import main

        words = ["run", "--method", "full", "--set", "epochs=2", "--set", "prompt_tokens=2"]
        main([*words, "--limit", "5", "--save", str(RUN)])
        for path in RUN.iterdir():
            if path.suffix == ".png" or path.name == "history.json":
                path.unlink()
        write_json(GOLDEN / "logits.json", logits(load_model(RUN, load_clip("mini"))))
