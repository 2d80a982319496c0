"""The paper's protocols: which runs they are, what they cost, and a miniature of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from by_hand import record
from PIL import Image
from trees import tree as coloured
from trees import write_lists

from adu_core import FrozenCLIP, Spec, Target, world
from adu_core.cli import main
from adu_core.cli import reproduce as command
from adu_core.machine.files import read_json, write_json
from adu_core.measure import harmonic_mean
from adu_core.rivals.methods import method
from adu_core.runs.forecast import Speed, gigabytes, operations, rate
from adu_core.runs.grid import Grid
from adu_core.runs.protocol import METHODS, PROTOCOLS, Protocol, choices, table

OFFICE = PROTOCOLS["office-home"]


def plan(protocol: Protocol, *, counts: Sequence[int], **grid: Any) -> list[Spec]:
    return Grid(forget=counts, **grid).specs(lambda _: protocol.placeholder())


def test_the_protocols_are_the_papers() -> None:
    assert tuple(PROTOCOLS) == command.PROTOCOLS
    for protocol in PROTOCOLS.values():
        for row in protocol.results.values():
            assert set(row) <= {*METHODS, "instapg", "ddl"}
            for h, mem, error in row.values():  # some of the paper's are means of combinations' H
                assert h <= harmonic_mean(mem, error) + 0.01 < h + 1.5


@pytest.mark.parametrize(("name", "cases"), [("office-home", 14), ("pacs", 14), ("imagenet", 2)])
def test_every_combination_of_domains(name: str, cases: int) -> None:
    protocol = PROTOCOLS[name]
    counts = range(1, protocol.most + 1)
    work = plan(protocol, counts=counts, methods=METHODS, preset="paper")
    assert len(work) == len(set(work)) == cases * len(METHODS) * 3
    by_count = Counter(len(spec.forget.domains) for spec in work if spec.method.name == "full")
    assert by_count == ({1: 12, 2: 18, 3: 12} if cases == 14 else {1: 6})
    full = next(spec.method for spec in work if spec.method.name == "full").as_dict()["settings"]
    wanted = {"epochs": 50, "learning_rate": 0.0025, "gamma": 30.0, "lam": 10.0}
    wanted |= {"prompt_tokens": 8, "prompt_depth": 9, "text_tokens": 0}
    assert {key: full[key] for key in wanted} == wanted


def test_what_the_paper_does_not_say_is_listed() -> None:
    said = choices(method("full"))
    assert {"batch_size", "bandwidths", "instapg_block"} <= said.keys()
    assert "epochs" not in said  # the paper says it


def test_operations_are_counted_on_the_forward_pass(tiny_clip: FrozenCLIP) -> None:
    picture, sentence = operations(tiny_clip)
    tokens = tiny_clip.grid[0] * tiny_clip.grid[1] + 1
    width, blocks = tiny_clip.width, len(tiny_clip.blocks)
    in_blocks = blocks * (24 * tokens * width**2 + 4 * tokens**2 * width)
    assert 0.8 < in_blocks / picture < 1.2  # the last block's are CLS's alone
    assert sentence > 0


def test_costs_follow_what_is_done(tiny_clip: FrozenCLIP) -> None:
    speed = Speed("cpu", rate("cpu"), *operations(tiny_clip))
    assert speed.rate > 1e9
    names = (("dog", "cat"), OFFICE.domains)
    base = Spec(method("full", "mini"), Target(("art",)))

    def cost(**change: Any) -> float:
        return speed.seconds(replace(base, **change), tiny_clip, names, 100)

    assert cost(method=method("zero-shot")) < cost(method=method("gate", "mini")) < cost()
    assert cost() < cost(method=method("full", "mini", text_tokens=2))  # the text tower as well
    search = method("bbf", "mini", iterations=400)  # it reads all sentences for each context
    assert cost(method=replace(search, iterations=800)) > 1.5 * cost(method=search)
    assert cost(method=search) > 5 * cost(method=method("zero-shot"))
    assert 1.5 < cost(shots=160) / cost(shots=80) < 2
    assert gigabytes([base], tiny_clip) > 0


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_dry_run_needs_no_pictures(
    name: str, tiny_path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", name, "--dry-run", "--clip", tiny_path]) == 0
    said = capsys.readouterr().out
    assert f"{name}: " in said
    assert " in all; 0 are there" in said
    assert "GB of its memory" in said


@pytest.mark.parametrize(("limit", "count"), [([], 48), (["--limit", "2"], 16)])
def test_a_dry_run_counts_the_pictures_that_are_there(
    limit: list[str],
    count: int,
    tiny_path: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of the whole dataset where no root is given, of the root where one is."""
    root = coloured(tmp_path, ("art_painting", "cartoon", "photo", "sketch"), ("dog", "cat"), 20)
    words = ["reproduce", "pacs", "--dry-run", "--clip", tiny_path, "--methods", "zero-shot"]
    assert main([*words, "--root", str(root), *limit]) == 0
    assert f", measured now), {count} test pictures:" in capsys.readouterr().out
    assert main([*words]) == 0
    assert ", measured now), about 2997 test pictures:" in capsys.readouterr().out


def test_what_is_missing_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["reproduce", "pacs"]) == 2
    assert "say --root" in capsys.readouterr().err
    assert main(["reproduce", "pacs", "--root", str(tmp_path / "none")]) == 2
    assert "say --save" in capsys.readouterr().err
    words = ["reproduce", "pacs", "--root", str(tmp_path / "none"), "--save", str(tmp_path / "out")]
    assert main(words) == 2
    assert str(tmp_path / "none") in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# Miniatures: a small tree as each dataset lies on disk, a tiny backbone, every step of the way.

TREES = {
    "pacs": ("art_painting", "cartoon", "photo", "sketch"),
    "office-home": ("Art", "Clipart", "Product", "Real World"),
    "domainnet": ("clipart", "infograph", "painting", "quickdraw", "real", "sketch"),
    "mini-domainnet": ("clipart", "painting", "real", "sketch"),
    "imagenet": ("imagenet", "imagenet-sketch"),
}


def miniature(root: Path, name: str) -> Path:
    """Two classes of the dataset called ``name``, ten pictures of each in each domain."""
    inner = "OfficeHomeDataset_10072016" if name == "office-home" else "."
    coloured(root / inner, TREES[name], ("car", "house"), 10)
    if "domainnet" in name:
        parts = {each: {"train": range(7), "test": range(7, 10)} for each in TREES[name]}
        splits = "splits_mini" if name.startswith("mini") else "splits"
        write_lists(root, parts, ("car", "house"), splits=splits)
    return root


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_miniature_of_the_whole_protocol(
    name: str, tiny_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = miniature(tmp_path / "tree", name), tmp_path / "out"
    seeds = 2 if name == "office-home" else 1
    words = [
        "reproduce", name, "--root", str(root), "--clip", tiny_path, "--save", str(out),
        "--methods", "baseline", "--also", "nullspace", "--counts", "1", "--seeds", f"{seeds}",
        "--shots", "1", "--set", "epochs=1", "--preset", "mini",
    ]  # fmt: skip
    assert main(words) == 0
    domains = TREES[name]
    assert len(list((out / "runs").glob("*.json"))) == len(domains) * 2 * seeds
    values = read_json(out / "table.json")
    assert values["protocol"] == name
    found = {row["method"]: row for row in values["rows"]}
    assert found.keys() == {"baseline", "nullspace"}
    row = found["baseline"]
    assert row["paper_h"] == PROTOCOLS[name].results.get(1, {}).get("baseline", [None])[0]
    assert row["seeds"] == seeds
    runs = [read_json(path) for path in (out / "runs").glob("*-baseline-*.json")]
    mean = sum(run["after"]["metrics"]["h"] for run in runs) / len(runs)
    assert abs(mean - row["h"]) < 1e-9
    text = (out / "table.md").read_text(encoding="utf-8")
    assert f"| 1 | baseline | {row['mem']:.2f}" in text
    assert "- `baseline`: " in text
    assert f"These pictures have 2 classes in {len(domains)} domains" in text
    moved = [row[f"silhouette_domain.{when}"] for when in ("before", "after")]
    assert f"| 1 | baseline | {moved[0]:.3f} → {moved[1]:.3f} |" in text
    said = capsys.readouterr().out
    assert all(f"paper_{name}" in said for name in ("mem", "for", "h"))


def test_of_the_hub(tiny_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dataset in the hub's own format takes the place of a folder; no other may be fetched."""
    datasets = pytest.importorskip("datasets", reason="the extra hub is not installed")
    monkeypatch.setenv("ADU_CACHE", str(tmp_path / "cache"))
    domains = ("Art", "Clipart", "Product", "Real World")
    drawn = world("train", 10, classes=("car", "house"), size=60)
    columns = {
        "image": [Image.fromarray(each.permute(1, 2, 0).numpy()) for each in drawn.pictures],
        "domain": drawn.domains.tolist(),
        "label": drawn.labels.tolist(),
    }
    named = {"domain": domains, "label": ("car", "house")}
    kinds = {name: datasets.ClassLabel(names=list(names)) for name, names in named.items()}
    features = datasets.Features({"image": datasets.Image(), **kinds})
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(str(tmp_path / "pictures"))
    words = [
        "reproduce", "office-home", "--clip", tiny_path, "--save", str(tmp_path / "out"),
        "--methods", "baseline", "--also", "nullspace", "--seeds", "1", "--shots", "1",
        "--set", "epochs=1", "--preset", "mini",
    ]  # fmt: skip
    assert main([*words, "--root", f"hub:{tmp_path / 'pictures'}"]) == 0
    rows = read_json(tmp_path / "out/table.json")["rows"]
    assert {(row["forgotten"], row["method"]) for row in rows} == {
        (count, name) for count in (1, 2, 3) for name in ("baseline", "nullspace")
    }
    for row in rows:
        printed = OFFICE.results[row["forgotten"]].get(row["method"], (None,) * 3)
        assert (row["paper_h"], row["paper_mem"], row["paper_for"]) == tuple(printed)


def test_only_the_hub_is_fetched_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "pacs", "--root", "data/pacs", "--download", "--save", "x"]) == 2
    assert "--download goes with --root hub:NAME, not --root data/pacs" in capsys.readouterr().err


def test_both_ways_to_average(tmp_path: Path) -> None:
    """By hand: two combinations with Mem 100 and 50 and For 50 and 100."""
    paths = []
    for forget, mem, error in (("art", 100.0, 50.0), ("clipart", 50.0, 100.0)):
        spec = Spec(method("gate"), Target((forget,)), data="d")
        paths.append(tmp_path / f"{spec.name}.json")
        write_json(paths[-1], record(spec, mem, error, domains=list(OFFICE.domains)))
    (row,) = table(OFFICE, paths).to_dict("records")
    assert row["h"] == pytest.approx(200 / 3)  # the mean of 66.7 and 66.7
    assert row["h_of_means"] == pytest.approx(75.0)
    assert np.isnan(row["paper_h"])
