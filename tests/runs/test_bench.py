import json
import math
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from adu_core import FrozenCLIP
from adu_core.cli import main
from adu_core.dataset import Target
from adu_core.rivals.methods import METHODS, method
from adu_core.runs.bench import SELECTIVE, Bench, cost
from adu_core.runs.bench_table import table
from adu_core.runs.choice import choose
from adu_core.runs.forecast import Speed
from adu_core.runs.records import NAN, read_table, summary
from adu_core.runs.spec import Spec
from adu_core.runs.tune import (
    Trial,
    best,
    beyond,
    candidates,
    most_selective,
    shorter,
    survivors,
    trial_specs,
    tune,
)
from adu_core.show.bench_figure import bench_figure
from adu_core.task import Method


def trial(one: Method, mem: float, error: float, h: float) -> Trial:
    return Trial(one, {"mem": mem, "for": error, "h": h, "selectivity": mem + error - 100}, 90.0)


def rows(*each: tuple[str, float, float, float], half: float = NAN) -> pd.DataFrame:
    """Means of methods by name: Mem, For and H on validation pictures, with its interval."""
    found = pd.DataFrame(each, columns=["method", "mem", "for", "h_validation"])
    h = 2 * found["mem"] * found["for"] / (found["mem"] + found["for"])
    some = {"h": h, "h ±": NAN, "selectivity": 1.0, "h_validation ±": half, "h_held_out": NAN}
    more = {"fit_seconds": 1.0, "learned_numbers": 7, "peak_memory_mb": NAN, SELECTIVE: NAN}
    more |= dict.fromkeys(("h_corrupted", "refused", "confident"), NAN)
    return found.assign(**some, **more).set_index("method").astype({"mem": float, "for": float})


def sure(*each: tuple[str, float, float, int]) -> pd.DataFrame:
    """The same of H on validation pictures, its interval, and how many numbers are learned."""
    found = rows(*((name, 80, 60, h) for name, h, _, _ in each))
    found["h_validation ±"] = [half for _, _, half, _ in each]
    return found.assign(learned_numbers=[count for *_, count in each])


def made(found: pd.DataFrame) -> dict[str, Method]:
    return {name: method(name) for name in found.index}


def test_every_method_gets_as_many_trials_and_its_own_settings_first() -> None:
    for name in METHODS:
        made = method(name, "mini")
        found = candidates(made, 4)
        assert found[0] == made
        assert len(set(found)) == len(found) == (4 if made.search() else 1)
        for other in found[1:]:
            changed = made.search()
            drawn = {key: getattr(other, key) for key in changed}
            assert all(drawn[key] in values for key, values in changed.items())
            assert replace(other, **{key: getattr(made, key) for key in changed}) == made
        assert candidates(made, 4) == found


def test_trials_never_see_test_pictures_nor_the_shots_of_a_result() -> None:
    spec = Spec(method("gate", "mini"), Target(("sketch",)), seed=3)
    targets = [Target((name,)) for name in ("real", "painting", "sketch")]
    found = trial_specs(spec, candidates(spec.method, 3), targets)
    assert len(found) == 9
    assert {each.on for each in found} == {"validation"}
    assert {each.seed for each in found} == {50}
    assert {each.forget for each in found} == set(targets)


def test_the_best_trial_and_the_most_selective_that_keeps_enough() -> None:
    made = method("gate")
    trials = [trial(made, 80, 80, 80), trial(made, 88, 60, 71.4), trial(made, 82, 65, 74.0)]
    failed = trial(made, float("nan"), float("nan"), float("nan"))
    assert best([failed, *trials]) is trials[0]
    assert most_selective([failed, *trials]) is trials[1]  # 0.9 · 90 = 81
    assert most_selective([failed, trials[0]]) is None


def test_a_search_that_fails_says_why(tiny_path: str) -> None:
    """The word table has no room for so many tokens: no trial gets to its end."""
    start = Spec(
        method("coop", tokens=500, epochs=1), Target(("sketch",)), shots=1, limit=1,
        clip=(tiny_path, None),
    )  # fmt: skip
    found = tune({"coop": start}, 1, progress=False)["coop"]
    assert not found.trials
    with pytest.raises(ValueError, match=r"^every trial of coop failed: ValueError: .*room"):
        _ = found.best


def test_half_of_those_that_go_on_are_the_most_selective() -> None:
    made = candidates(method("gate", "mini"), 6)
    scores = [(50, 90, 64), (60, 75, 67), (70, 60, 65), (88, 40, 55), (85, 50, 63), (89, 20, 33)]
    trials = [trial(one, *each) for one, each in zip(made, scores, strict=True)]
    assert [each.method for each in survivors(trials)] == [made[1], made[2], made[4], made[3]]


def test_a_short_run_is_a_quarter_of_a_whole_one() -> None:
    for name in METHODS:
        made = method(name, "mini")
        settings, short = (each.as_dict()["settings"] for each in (made, shorter(made)))
        changed = {key for key in settings if settings[key] != short[key]}
        assert changed == {"epochs", "iterations"} & settings.keys()
        assert all(short[key] == max(1, settings[key] // 4) for key in changed)


def test_a_search_looks_beyond_the_ends_of_its_ranges_and_nowhere_else() -> None:
    made = method("full", "mini", learning_rate=0.01)
    tried = [replace(made, learning_rate=rate) for rate in (0.001, 0.003, 0.01)]
    assert [one.learning_rate for one in beyond(made, tried)] == [pytest.approx(0.0333)]
    assert beyond(tried[1], tried) == []
    longer = [replace(made, epochs=count) for count in (12, 50)]
    assert beyond(longer[1], longer) == []  # that is another budget
    low = beyond(tried[0], tried)
    assert [one.learning_rate for one in low] == [pytest.approx(0.000333)]
    gate = method("gate", "mini", blocks=2)
    some = [replace(gate, blocks=number) for number in (2, 3)]
    assert [one.blocks for one in beyond(gate, some)] == [1]
    lowest = replace(gate, blocks=1)
    assert beyond(lowest, [lowest, *some]) == []  # there is no block 0
    text = method("text-gate", threshold=0.05)  # 0 lets the gate choose
    assert beyond(text, [text, replace(text, threshold=0.1)])[0].threshold == 0.025


@pytest.mark.parametrize(
    ("found", "taken", "why"),
    [
        # Apart from all others.
        (
            sure(("baseline", 50, 1, 7), ("gate", 66.5, 2, 7), ("ddl", 1, 0, 7)),
            "gate",
            "gate, whose H on validation pictures is 66.5 ± 2.0, 16.5 above that of baseline",
        ),
        # Not apart: the one that learns the fewest numbers.
        (
            sure(("gate", 70, 1, 900), ("door", 69.5, 2, 800), ("full", 50, 1, 5)),
            "door",
            "the fewest numbers (800) of those that cannot be told apart by H on validation "
            "pictures: gate 70.0 ± 1.0, door 69.5 ± 2.0;",
        ),
        # The best leads the frozen CLIP by less than its interval.
        (
            sure(("gate", 50, 3, 7), ("door", 49, 3, 7), ("zero-shot", 48, 0, 0)),
            "zero-shot",
            "none over zero-shot",
        ),
        (sure(("gate", 0, 0, 7), ("zero-shot", 0, 0, 0)), "zero-shot", "none over zero-shot"),
        # One seed says nothing of others.
        (
            rows(("gate", 80, 60, 70), ("door", 80, 60, 20)),
            None,
            "With one seed no two methods can be told apart, and none is taken",
        ),
        (sure(("nullspace", 70, 0, 7), ("gate", 60, 1, 7)), "nullspace", "pictures is 70.0, 10.0"),
        (sure(("gate", 70, 0, 7)), "gate", "nothing to compare gate with"),
    ],
)
def test_the_pick_goes_by_validation_and_says_why(
    found: pd.DataFrame, taken: str | None, why: str
) -> None:
    pick, reason = choose(found, made(found))
    assert pick == taken
    assert why in reason
    assert reason.count(". ") == 0


def test_the_table_has_a_line_for_each_method_and_for_what_was_left_out() -> None:
    found = rows(("baseline", 80, 60, 50.0), ("lp++", 70, 60, 66.5))
    lines = table(
        Bench(found, made(found), {}, {}, {"door": "cannot"}, "baseline", "")
    ).splitlines()
    assert [line.split()[0] for line in lines] == ["method", "baseline", "lp++", "left"]
    assert lines[1].split()[1:4] == ["80.0", "60.0", "68.6"]
    assert "unmet H" not in lines[0]  # nothing is in it
    full = found.assign(h_held_out=1.0, peak_memory_mb=12345.0, **{"h ±": 0.0})
    lines = table(Bench(full, made(full), {}, {}, {}, "baseline", "")).splitlines()
    assert "unmet H" in lines[0]
    assert max(map(len, lines)) <= 100
    assert lines[1].split()[4] == "–"  # an interval of 0 is not certainty
    assert lines[-1] == "± –: nothing random, the same in every seed: baseline, lp++"


@pytest.mark.parametrize("place", ["world", "pacs"])
def test_the_figure_of_the_books_bench_can_be_read(place: str, repository: Path) -> None:
    """The line, a title, and sixteen whole names, none on another, on a point, beyond the axes."""
    found = summary(read_table(repository / "book/results/bench" / place / "runs"))
    found = found.set_index("method")
    figure = bench_figure(found, {"gate": [(80, 60), (75, 65), (74, 59)]}, "forget by turns: all")
    figure.canvas.draw()
    ax = figure.axes[0]
    assert ax.get_title(loc="left") == "forget by turns: all"
    assert (np.asarray(ax.lines[0].get_xydata()).sum(axis=1) == 100).all()
    names = [text for text in ax.texts if text.get_text() in METHODS]
    assert {text.get_text() for text in names} == set(found.index)
    boxes = [Text.get_window_extent(text) for text in names]
    inside = ax.get_window_extent()
    points = ax.transData.transform(found[["mem", "for"]].to_numpy())
    for number, box in enumerate(boxes):
        assert inside.x0 <= box.x0 < box.x1 <= inside.x1
        assert not any(box.overlaps(other) for other in boxes[:number])
        assert not any(box.contains(*point) for point in points)
    apart = [math.dist(one, other) for i, one in enumerate(points) for other in points[:i]]
    assert min(apart) > 6  # pixels of a screen
    plt.close(figure)


def test_a_bench_from_the_command_line_goes_on_where_it_stopped(
    picture_folder: Path, tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, answer = tmp_path / "bench", tmp_path / "bench.json"
    words = f"bench --data folder:{picture_folder} --clip {tiny_path} --shots 2 --trials 2"
    words += " --seeds 2 --methods zero-shot,nullspace --processes 1"
    words += f" --save {folder} --json {answer}"
    assert main(words.split()) == 0
    printed = capsys.readouterr().out
    found = json.loads(answer.read_text())
    assert {r["method"]["name"] for r in found["rows"]} == {"zero-shot", "nullspace"}
    assert found["pick"] in {"zero-shot", "nullspace"}
    assert found["reason"] in printed
    assert found["trials"] == 2
    assert all(1 <= len(r["validation_trials"]) <= r["tried"] for r in found["rows"])
    made = {path.name for path in folder.iterdir()}
    assert made - {"selective"} == {"bench.json", "bench.png", "runs", "trials"}
    ran = read_table(folder)  # without the second choice
    assert (ran.groupby("method").size() == 2).all()  # one setting, two seeds
    first = {path.name for path in (folder / "runs").iterdir()}
    assert not first & {path.name for path in (folder / "selective").glob("*.json")}
    kept = {path: path.read_bytes() for path in folder.rglob("*-seed*.json")}
    gone = sorted(kept)[-1]
    gone.unlink()
    assert main(words.split()) == 0
    again = {path: path.read_bytes() for path in folder.rglob("*-seed*.json")}
    assert again.keys() == kept.keys()
    assert all(again[path] == kept[path] for path in kept if path != gone)


def test_what_cannot_be_done_is_left_out_with_its_reason(
    picture_folder: Path, tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"bench --data folder:{picture_folder} --clip {tiny_path} --shots 2 --trials 0"
    words += f" --seeds 1 --forget-classes car --processes 1 --save {tmp_path / 'b'}"
    assert main([*words.split(), "--methods", "nullspace,door"]) == 0
    printed = capsys.readouterr().out
    assert "left out: door" in printed
    assert main([*words.split(), "--methods", "door"]) == 2
    assert "no method is left" in capsys.readouterr().err


def test_a_long_bench_is_begun_when_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says how long before any work; what was begun before is not asked about again."""
    words = ["bench", "--methods", "full,baseline", "--trials", "16", "--seeds", "999"]
    folder = tmp_path / "bench"
    assert main([*words, "--save", str(folder)]) == 2
    said = capsys.readouterr().err
    assert "this takes about" in said
    assert "or more: say --yes to begin" in said
    assert not folder.exists()


def test_what_a_bench_costs_goes_with_what_it_does(tiny_clip: FrozenCLIP, tiny_path: str) -> None:
    speed = Speed("cpu", 1e9, 1e6, 1e5)
    template = Spec(method("zero-shot"), Target(("sketch",)), clip=(tiny_path, None))
    goals = [Target((name,)) for name in ("sketch", "real")]

    def seconds(trials: int = 8, seeds: int = 2, *names: str, targets: int = 1) -> float:
        methods = [method(name, "mini") for name in names or ("gate", "full")]
        return cost(speed, tiny_clip, template, methods, goals[:targets], trials, seeds, 100)

    assert seconds(0) < seconds(8) < seconds(16)
    assert seconds(0, 4) == pytest.approx(2 * seconds(0, 2))
    assert seconds(8, 2, "zero-shot") < seconds(8, 2, "gate") < seconds(8, 2, "full")
    assert seconds() < seconds(targets=2) <= 2 * seconds()
