"""The numbers that pages take from the records: each by hand once, and every name is there."""

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined

from adu_core.machine.files import read_json, write_json
from adu_core.runs.records import read_table, summary

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "book/results"
sys.path.insert(0, str(ROOT / "book/_ext"))
import computed  # noqa: E402
import knobs as turning  # noqa: E402

NAME = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
PAGES = [
    page
    for page in sorted((ROOT / "book").rglob("*.md"))
    if NAME.search(re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S))
]


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return computed.values(RESULTS)


def test_numbers_and_tables_as_text() -> None:
    assert computed.number(1.25, 0.449) == "1.2 ± 0.4"
    assert computed.number(2.0, digits=2) == "2.00"
    assert computed.number(None) == computed.number(float("nan")) == "–"
    assert computed.table(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |"


def test_the_audits_table_is_sorted_by_what_a_probe_reads(values: dict[str, Any]) -> None:
    for domain in values["audits"].values():
        rows = domain["table"].splitlines()[2:]
        read = [float(row.split("|")[4]) for row in rows]
        assert read == sorted(read)
        assert len(rows) == len(set(domain) - {"table", "never"})


def test_the_witness_is_that_of_every_audit(values: dict[str, Any]) -> None:
    """All audits of a domain ask one reference, so any of them tells what it knows."""
    for path in RESULTS.glob("audit/sketch-*/audit.json"):
        record = read_json(path)
        known = record["relearning"]["reference"]
        assert values["audits"]["sketch"]["never"]["asked"] == f"{known[0]:.1f}"
        assert values["audits"]["sketch"]["never"]["relearned"] == f"{known[-1]:.1f}"
    said = read_json(RESULTS / "clips/without_sketch.json")
    assert record["reference"] == said["fingerprint"]
    assert values["never"]["sketch"] == f"{said['zero_shot']['accuracy']['sketch']:.1f}"


def test_two_clips_tell_the_same_in_the_audit() -> None:
    """What the page of promises says of both."""
    for folder in computed.AUDITED.values():
        found = computed.read_audits(RESULTS / folder)
        means = found.groupby("method")[[*computed.SHOWN]].mean().loc[["full", "late-gate"]]
        assert means.loc["full", "probe"] > 75 > 40 > means.loc["late-gate", "probe"]
        assert means["relearned"].min() > 95
        assert means.loc["late-gate", "disguised"] > 75
        assert found.query("method in ('full', 'late-gate')")["forget"].nunique() == 4


def test_kills_mutants_and_branches_add_up(tmp_path: Path) -> None:
    works = {"a": {"killed": 3, "same": 3}, "b": {"killed": 2, "same": 1}}
    write_json(tmp_path / "kills.json", {"works": works})
    said = computed.kills(tmp_path / "kills.json")
    assert (said["killed"], said["same"]) == ("5", "4")
    parts = {
        "losses": {"made": 7, "noticed": 5, "survived": [{"why": "x"}, {"why": "y"}]},
        "gate": {"made": 3, "noticed": 2, "survived": [{"why": "y"}]},
    }
    write_json(tmp_path / "mutants.json", {"parts": parts})
    said = computed.mutants(tmp_path / "mutants.json")
    assert "changed in 10 places" in said["found"]
    assert "| losses | 7 | 5 | 2 |" in said["found"]
    assert said["found"].endswith(
        "3 changes went unnoticed, and none of them changes a result on a CPU:\n\n- y (2)\n- x (1)"
    )
    rooms = {"clip": {"branches": 4, "taken": 3}, "all": {"branches": 4, "taken": 3}}
    rooms["data"] = {"branches": 0, "taken": 0}
    write_json(tmp_path / "branches.json", {"rooms": rooms})
    said = computed.branches(tmp_path / "branches.json")
    assert "take 75.0 %" in said["found"]
    assert said["found"].endswith("\n| `clip` | 4 | 75.0 |")
    assert "no record" in computed.branches(tmp_path / "none.json")["found"]
    assert "no record" in computed.mutants(tmp_path / "none.json")["found"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_name_on_a_page_is_there(page: Path, values: dict[str, Any]) -> None:
    environment = Environment(undefined=StrictUndefined)
    for name in NAME.findall(page.read_text(encoding="utf-8")):
        said = environment.from_string(f"{{{{ {name} }}}}").render(values)
        assert said, name
        assert not said.startswith("{"), f"{name} is a group of numbers"


def test_what_is_promised_is_kept() -> None:
    """What the page says in words of these records."""
    kills = read_json(RESULTS / "promises/kills.json")["works"]
    assert len(kills) == 5
    assert all(work["killed"] == work["same"] == 10 for work in kills.values())
    mutants = read_json(RESULTS / "promises/mutants.json")["parts"]
    assert all(each["why"] for part in mutants.values() for each in part["survived"])


def test_nine_of_ten_branches_are_taken() -> None:
    record = RESULTS / "promises/branches.json"
    if not record.exists():
        pytest.skip("make branches SAVE=book/results/promises/branches.json makes the record")
    every = read_json(record)["rooms"]["all"]
    assert every["taken"] >= 0.9 * every["branches"]


def test_how_far_accuracies_move_between_machines(tmp_path: Path) -> None:
    def machine(real: float, sketch: float) -> dict[str, Any]:
        by_method = {"full": {"sketch": {"real": real, "sketch": sketch}}, "gate": {"sketch": {}}}
        return {"units": {"tests": 9, "failed": 1}, "accuracy": by_method}

    path = tmp_path / "machines.json"
    assert computed.machines(path)["found"] == computed.MISSING
    played = {"a": machine(50, 20), "b": machine(52, 20), "c": machine(51, 26)}
    played |= {"d": {"notebooks": {"tests": 2, "failed": 0}}}  # not all parts on all machines
    for each in ("a", "b", "c"):
        played[each]["accuracy"]["gate"]["sketch"] = {"real": 90, "sketch": 10}
    write_json(path, {"machines": played})
    found = computed.machines(path)["found"]
    assert "| a | 8 of 9 | – |" in found
    assert "| d | – | 2 of 2 |" in found
    assert "| `full` | 4.00 | 6.00 |" in found
    assert "on 3 of these" in found
    assert "Not by one picture: `gate`" in found


def means(folder: str, *by: str, also: Sequence[str] = ()) -> Any:
    return summary(read_table(RESULTS / folder), list(by), also).set_index(list(by)).sort_index()


def test_a_settings_change_is_paired_by_seed(values: dict[str, Any]) -> None:
    """By hand, of λ = 0; 4.303 is Student's t of three seeds and 95 %."""
    found = read_table(RESULTS / "strength").query("gamma == 3")
    seeds = found.pivot_table(index="seed", columns="lam", values="selectivity")
    gains = seeds[0] - seeds[10]
    said = f"{gains.mean():+.1f} ± {4.303 * gains.std() / 3**0.5:.1f}"
    knobs = values["knobs"]
    assert knobs["strength"]["λ"]["0"]["selectivity"] == said
    assert any(line.startswith(f"| λ: 0 | {knobs['strength']['λ']['0']['h']} | {said} |")
               for line in knobs["table"].splitlines())  # fmt: skip
    level = means("prompts", "prompt_tokens", "prompt_depth", "prompt_std", "text_tokens")
    many = knobs["prompts"]["number of prompts"]["32"]
    assert many["mean_h"] == f"{level.loc[(32, 9, 0.02, 0), 'h']:.1f}"


def test_the_table_of_all_changes_is_sorted_and_counted(values: dict[str, Any]) -> None:
    knobs = values["knobs"]
    rows = [line.strip("| ").split(" | ") for line in knobs["table"].splitlines()[2:]]
    gains = [[float(part) for part in row[2].split(" ± ")] for row in rows]
    assert len(rows) == int(knobs["count"]) == 35
    assert [abs(gain) for gain, _ in gains] == sorted((abs(g) for g, _ in gains), reverse=True)
    assert [row[4] == "**yes**" for row in rows] == [abs(gain) > half for gain, half in gains]
    for column, name in ((3, "h_excludes"), (4, "selectivity_excludes")):
        assert sum(row[column] == "**yes**" for row in rows) == int(knobs[name])
    assert knobs["by_chance"] == f"{0.05 * 35:.1f}"


def test_what_the_page_of_settings_says_in_words(values: dict[str, Any]) -> None:
    knobs = values["knobs"]

    def clear(cell: dict[str, str], score: str) -> bool:
        gain, half = (float(part) for part in cell[score].split(" ± "))
        return abs(gain) > half

    for known in turning.TURNED.values():
        for knob in known:
            assert set(turning.turned(RESULTS, knob)["seeds"]) == {3}
    assert int(knobs["selectivity_excludes"]) > 2 * float(knobs["by_chance"])
    assert (knobs["selectivity_left"], knobs["h_left"]) == ("0", "1")
    assert knobs["labels"]["domain labels"]["from k-means"]["h"].endswith("± 0.1")
    prompts = knobs["prompts"]
    for name, value in (("blocks with prompts", "1"), ("prompts' size at the start", "0.2")):
        for score in ("h", "selectivity"):
            assert prompts[name][value][score].startswith("-")
            assert clear(prompts[name][value], score)
    assert not any(clear(cell, "selectivity") for cell in (
        *(knobs["strength"]["γ"][value] for value in ("0", "30")),
        *(knobs["strength"]["λ"][value] for value in ("0", "30")),
        *(knobs["shots"]["shots"][value] for value in ("1", "2", "4", "16", "32")),
        *(knobs["domains"]["domains at once"][value] for value in ("2", "3")),
        *(knobs["kernel"]["kernel"][value] for value in ("median", "wide", "flat")),
        *(knobs["instapg"]["InstaPG before block"][value] for value in ("1", "3", "5")),
        *(knobs["instapg"]["InstaPG's wiring"][f"`{value}`"] for value in ("each", "replace")),
        knobs["batch"]["balanced batches"]["no"],
        knobs["width"]["CLIP"]["twice as wide"],
        *(knobs["labels"]["domain labels"][f"from {value}"] for value in ("sentences", "k-means")),
        knobs["labels"]["domain labels"]["30 % wrong"],
    ))  # fmt: skip
    assert not any(clear(knobs["batch"]["batch"][value], "h") for value in ("16", "64", "128"))
    fewer = knobs["shots"]["PACS, `full`, shots"]["16"]
    assert fewer["h"].startswith("-")
    assert clear(fewer, "h")
    assert clear(knobs["strength"]["λ, five seeds"]["0"], "selectivity")


GATES = ["door", "gate", "text-gate"]


def test_what_the_page_of_limitations_says_of_other_clips(values: dict[str, Any]) -> None:
    trained = ("full", "baseline", "instapg", "ddl", "slug", "lp++", "doco", "salun", "clipfit")
    world = values["clips"]["world"]
    for clip in computed.CLIPS["world"].values():
        h = {name: float(world[name][clip]) for name in (*GATES, "late-gate", *trained)}
        assert max(trained, key=h.__getitem__) == "full"
        assert min(h[name] for name in (*GATES, "late-gate")) > h["full"] + 15
    others = {*trained, "coop", "bbf", "nullspace"}
    for clip in computed.CLIPS["pacs"].values():
        h = {
            name: float(values["clips"]["pacs"][name][clip])
            for name in (*GATES, "late-gate", *others)
        }
        assert max(others, key=h.__getitem__) == "lp++"
        assert min(h[name] for name in (*GATES, "late-gate")) > h["lp++"] + 9
        assert h["full"] < h["baseline"]
    full = world["full"]
    assert abs(float(full["twelve blocks"]) - float(full["shipped"])) < 3


#: By folder of records, the numbers that its line in the README gives, in their order.
LINES: dict[str, Callable[[], list[Any]]] = {
    "ablation": lambda: [
        means("ablation", "method", "instapg_block").loc[(name, 1), column]
        for column in ("h", "selectivity")
        for name in ("baseline", "instapg", "ddl", "full")
    ],
    "bench/world": lambda: [
        means("bench/world", "method").loc[[*GATES, "late-gate"], "h"].min(),
        means("bench/world", "method").loc[[*GATES, "late-gate"], "h"].max(),
        *means("bench/world", "method").loc[["full", "baseline"], "h"],
    ],
    "bench/pacs": lambda: [
        means("bench/pacs", "method").loc[[*GATES, "late-gate"], "h"].min(),
        means("bench/pacs", "method").loc[[*GATES, "late-gate"], "h"].max(),
        means("bench/pacs", "method", also=["ceiling"]).loc["zero-shot", "ceiling"],
        *means("bench/pacs", "method").loc[["lp++", "instapg", "baseline", "full"], "h"],
        means("bench/pacs", "method").loc["zero-shot", "h"],
    ],
    "prompts": lambda: [
        means("prompts", "prompt_tokens", "text_tokens", "prompt_depth", "prompt_std").loc[
            row, column
        ]
        for row in ((32, 0, 9, 0.02), (8, 0, 9, 0.02))
        for column in ("h", "selectivity")
    ],
    "batches": lambda: [*means("batches", "batch_size").loc[[16, 128], "selectivity"]],
    "forgotten_domains": lambda: [
        means("forgotten_domains", "forgotten", "method").loc[(count, "gate"), "mem"]
        for count in (1, 3)
    ],
    "shots": lambda: [
        means("shots", "method", "shots").loc[(name, count), "h"]
        for name in ("gate", "full")
        for count in (1, 16)
    ],
    "pacs": lambda: [
        means("pacs", "method", "shots").loc[(name, count), "h"]
        for count in (8, 16)
        for name in ("full", "baseline", "gate")
    ],
    "mix_dose": lambda: [
        means("mix_dose", "method", "mix").loc[(name, mix), "h"]
        for name in ("gate", "full", "baseline")
        for mix in (0.0, 0.5)
    ],
    "other_clips": lambda: [
        means("other_clips", "method", "clip").loc[
            (name, f"book/results/clips/{clip}_clip.safetensors"), "h"
        ]
        for name in ("gate", "late-gate", "full")
        for clip in ("second", "deep")
    ],
    "other_clips_pacs": lambda: [
        means("other_clips_pacs", "method").loc[[*GATES, "late-gate"], "h"].min(),
        means("other_clips_pacs", "method").loc[[*GATES, "late-gate"], "h"].max(),
        *means("other_clips_pacs", "method").loc[["lp++", "baseline", "full", "zero-shot"], "h"],
    ],
    "capacity": lambda: [*means("capacity", "method").loc[["full", "gate"], "h"]],
    "corrupted": lambda: [
        value
        for query in (
            "reads == 'blocks' and blocks == 4",
            "noisy == 0",
            "noisy == 8",
            "method == 'text-gate'",
            "reads == 'pixels'",
            "method == 'full'",
        )
        for value in summary(read_table(RESULTS / "corrupted").query(query), also=["h_corrupted"])[
            ["h", "h_corrupted"]
        ].iloc[0]
    ],
}


@pytest.mark.parametrize("folder", LINES)
def test_a_folders_line_in_the_readme_gives_the_numbers_of_its_records(folder: str) -> None:
    results = (RESULTS / "README.md").read_text(encoding="utf-8").partition("## What came out")[2]
    line = next(x for x in results.splitlines() if x.startswith(f"| `{folder}` |"))
    given = iter(map(int, re.findall(r"\d+", line.partition("|")[2].partition("|")[2])))
    for number in LINES[folder]():
        assert round(number) in given, (line, number)  # further on in the line
