"""Records as tables: values by hand, and nothing unlike or broken is let in."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from by_hand import record
from quick import put

from adu_core import ABLATION, MINI, Spec, Target, records
from adu_core.cli import main
from adu_core.machine.files import read_json, write_json
from adu_core.rivals.zero_shot import ZeroShot
from adu_core.runs.record import PACKED, has_record, pack, read_record, record_paths
from adu_core.runs.record_table import table
from adu_core.show.report_figure import report_figure

SPEC = Spec(MINI, Target(("sketch",)))


def write(folder: Path, spec: Spec, mem: float, error: float, **found: Any) -> Path:
    path = folder / f"{spec.name}.json"
    write_json(path, record(spec, mem, error, **found))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two methods, two forgotten domains, three seeds; mem, for of full: 80 + seed, 50 and 70."""
    for name in ("baseline", "full"):
        for domain, error in (("real", 50.0), ("sketch", 70.0)):
            for seed in range(3):
                goal = Target((domain,))
                spec = Spec(ABLATION[name], goal, seed=seed)
                better = 10.0 * (1 + seed) if name == "full" else 0.0
                write(tmp_path, spec, 80.0 + seed, error - 20 + better)
    return tmp_path


def test_a_row_holds_what_the_record_does(tmp_path: Path) -> None:
    path = write(tmp_path, replace(SPEC, clip=("ViT-B-16", "openai")), 80, 60)
    values = read_json(path)
    values["validation"] = {"mem": 81.0, "for": 61.0, "h": 70.0, "selectivity": 42.0}
    values["held_out"] = {"before": values["before"], "after": values["after"]}
    write_json(path, values)
    row = records.read_table(path).iloc[0]
    assert row["h"] == pytest.approx(480 / 7)
    assert row["mmd2.before"] == pytest.approx(0.2)
    wanted = {
        "method": "full", "forget": "sketch", "clip": "ViT-B-16:openai", "pictures": "p" * 16,
        "mem": 80, "for": 60, "selectivity": 40, "mem_before": 99, "mem_validation": 81,
        "for_held_out": 60, "accuracy.sketch": 40, "gamma": 3, "bandwidths": MINI.bandwidths,
        "silhouette_class.before": 0.5, "learned_numbers": 7, "seconds": 2.5,
    }  # fmt: skip
    assert row[list(wanted)].to_dict() == wanted


def test_the_interval_is_over_seeds_with_their_domains_averaged_first(folder: Path) -> None:
    found = records.summary(records.read_table(folder)).set_index("method")
    # Mem is 80, 81, 82 for the seeds: mean 81, deviation 1, t(0.975, 2) = 4.302653.
    half = 4.302653 / math.sqrt(3)
    for name in ("baseline", "full"):
        assert found.loc[name, "mem"] == pytest.approx(81)
        assert found.loc[name, "mem ±"] == pytest.approx(half, rel=1e-6)
        assert found.loc[name, "seeds"] == 3
    # For of the baseline is 30 and 50 in every seed: 40 each, and no spread at all.
    assert found.loc["baseline", "for"] == pytest.approx(40)
    assert found.loc["baseline", "for ±"] == pytest.approx(0, abs=1e-9)
    # For of full is 40 + 10, 40 + 20, 40 + 30.
    assert found.loc["full", "for"] == pytest.approx(60)
    assert found.loc["full", "for ±"] == pytest.approx(10 * half, rel=1e-6)
    assert found.loc["full", "selectivity"] == pytest.approx(41)
    by_both = records.summary(records.read_table(folder), ["method", "forget"])
    assert len(by_both) == 4
    sketch = by_both[(by_both["method"] == "full") & (by_both["forget"] == "sketch")]
    assert sketch["for"].item() == pytest.approx(70)


def test_differences_are_paired_by_seed_and_domain(folder: Path) -> None:
    table = records.read_table(folder)
    found = records.differences(table, result="for").set_index("forget")
    half = 10 * 4.302653 / math.sqrt(3)  # the gains are 10, 20, 30, in either domain
    for name in ("real", "sketch", "mean"):
        assert found.loc[name, "difference"] == pytest.approx(20)
        assert found.loc[name, "±"] == pytest.approx(half, rel=1e-6)
    assert set(found["method"]) == {"full"}
    # A seed that only one of the two ran has no pair and no part in it.
    lonely = table[~((table["method"] == "baseline") & (table["seed"] == 2))]
    fewer = records.differences(lonely, result="for").set_index("forget")
    assert fewer.loc["mean", "difference"] == pytest.approx(15)
    with pytest.raises(ValueError, match="no record of ddl"):
        records.differences(table, "ddl")


def test_fronts_average_the_seeds_first_and_then_the_domains(tmp_path: Path) -> None:
    for domain, shift in (("real", 0.0), ("sketch", 10.0)):
        for weight, mem, error in ((1.0, 90.0, 20.0), (3.0, 50.0, 80.0)):
            for seed, off in ((0, -2.0), (1, 2.0)):
                made = replace(MINI, forget_weight=weight)
                spec = Spec(made, Target((domain,)), seed=seed)
                write(tmp_path, spec, mem + off, error + shift - off)
    write(tmp_path, Spec(ZeroShot(), Target(("sketch",))), 99, 1)  # has no such setting
    table = records.read_table(tmp_path)
    assert set(records.summary(table, ["method", "forget_weight"])["method"]) == {
        "full", "zero-shot",
    }  # fmt: skip
    found = records.fronts(table, mems=(70.0, 95.0))
    assert set(found["method"]) == {"full"}
    found = found.set_index("forget")
    # The points are (90, 20) and (50, 80) for real: 90 · 20 + 50 · 60 of 100 · 100.
    assert found.loc["real", "hypervolume"] == pytest.approx(48)
    assert found.loc["real", "For at Mem 70"] == pytest.approx(50)
    assert found.loc["real", "For at Mem 95"] == 0
    assert found.loc["sketch", "hypervolume"] == pytest.approx((90 * 30 + 50 * 60) / 100)
    assert found.loc["mean", "hypervolume"] == pytest.approx((48 + 57) / 2)
    assert found.loc["mean", "For at Mem 70"] == pytest.approx(55)


@pytest.mark.parametrize(
    ("change", "found", "name"),
    [
        ({"data": "folder:ROOT"}, {"pictures_fingerprint": "q" * 16}, "pictures"),
        ({}, {"clip_fingerprint": "d" * 16}, "clip_fingerprint"),
        ({"shots": 4}, {}, "shots"),
        ({"data": "world?mix=0.25"}, {}, "mix"),
        ({"on": "validation"}, {"pictures_fingerprint": "v" * 16}, "on"),
        ({"clip": ("other.safetensors", None)}, {}, "clip"),
    ],
    ids=str,
)
def test_unlike_runs_are_not_pooled(
    change: dict[str, Any], found: dict[str, Any], name: str, tmp_path: Path
) -> None:
    write(tmp_path, replace(SPEC, data=change.get("data", "world").partition("?")[0]), 80, 60)
    write(tmp_path, replace(SPEC, seed=1, **change), 82, 60, **found)
    table = records.read_table(tmp_path).sort_values("seed")
    for pool in (records.summary, records.fronts):
        with pytest.raises(ValueError, match=rf"differ in {name} .*--by .*{name}"):
            pool(table)
    with pytest.raises(ValueError, match=f"differ in {name} "):
        records.differences(table, "full")
    assert records.summary(table, ["method", name])["mem"].tolist() == [80, 82]


def test_one_seed_learned_from_one_set_of_shots(tmp_path: Path) -> None:
    own = replace(SPEC, data="folder:ROOT")
    write(tmp_path, own, 80, 60)
    write(tmp_path, replace(own, forget=Target(("real",))), 80, 60, shots_fingerprint="t" * 16)
    with pytest.raises(ValueError, match="folder:ROOT learned from different shots at the same"):
        records.summary(records.read_table(tmp_path))


def test_a_report_has_one_sign_for_an_interval_that_is_not_there(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(3):  # one method that comes out the same in every seed
        write(tmp_path, Spec(ZeroShot(), Target(("sketch",)), seed=seed), 99, 1)
    alone = tmp_path / "alone"
    alone.mkdir()
    write(alone, SPEC, 80, 60)
    for place, name, said in ((tmp_path, "zero-shot", "nothing random"), (alone, "full", "")):
        assert main(["report", str(place)]) == 0
        printed = capsys.readouterr().out
        assert said in printed
        assert "NaN" not in printed
        row = next(line.split() for line in printed.splitlines() if line.split()[0] == name)
        assert row[2:9:2] == ["–"] * 4


def test_what_is_not_finite_is_null_on_disk_and_nan_in_the_table(tmp_path: Path) -> None:
    values = record(SPEC, 80, 60)
    values["after"]["metrics"] |= {"mem": math.nan, "h": math.inf, "selectivity": -math.inf}
    values["before"]["entanglement"]["mmd2"]["a|b"] = math.nan
    path = tmp_path / "record.json"
    write_json(path, values)
    row = records.read_table(path).iloc[0]
    assert all(math.isnan(row[key]) for key in ("mem", "h", "selectivity", "mmd2.before"))
    assert row["for"] == 60
    write(tmp_path, replace(SPEC, seed=1), 80, 60)
    found = records.summary(records.read_table(tmp_path))
    assert math.isnan(found["h"].item())  # not the mean of the seeds that happen to be finite
    assert found["for"].item() == pytest.approx(60)


#: Places in a record, and what must not stand there.
WRONG: dict[str, list[Any]] = {
    "schema": [1, "2"],
    "spec": ["0" * 16, None],
    "config": [[]],
    "config.seed": [1, "0"],
    "config.shots": [None],
    "config.method.name": [[]],
    "config.method.settings": [{}],
    "config.method.settings.gamma": ["3", 4.0],
    "before": [None],
    "after": [[]],
    "after.metrics": [[], {}],
    "after.metrics.mem": ["80", True, [80]],
    "after.accuracy": [{}],
    "after.accuracy.sketch": [{}],
    "after.accuracy.moon": [1.0],
    "after.kept.moon": [1.0],
    "after.forgotten": [None],
    "before.forgotten": [{}],
    "before.entanglement": [[]],
    "before.entanglement.mmd2": [[1]],
    "before.entanglement.mmd2.a|b": ["1"],
    "before.entanglement.silhouette_class": ["high"],
    "validation": [[], {"h": "70"}],
    "held_out": [[], {"before": {}, "after": {}}],
    "found": [None],
    "found.domains": ["sketch", [1, 2, 3, 4]],
    "found.classes": [None],
    "found.clip_fingerprint": [7],
    "found.pictures_fingerprint": [7],
    "found.learned_numbers": ["7", 1.5],
    "found.fit_seconds": [[]],
    "provenance": [[]],
    "provenance.seconds": ["long", None],
    "provenance.device": [None],
    "provenance.peak_memory_mb": ["much"],
    "more": [1],
}


@pytest.mark.parametrize(
    ("place", "value"), [(place, value) for place, some in WRONG.items() for value in some], ids=str
)
def test_tampered_records_are_refused_naming_the_file(
    place: str, value: Any, tmp_path: Path
) -> None:
    values = json.loads(json.dumps(record(SPEC, 80.0, 60.0)))
    put(values, place, value)
    path = tmp_path / "a record.json"
    write_json(path, values)
    with pytest.raises(ValueError, match=r"a record\.json"):
        read_record(path)
    with pytest.raises(ValueError, match=r"a record\.json"):
        records.read_table(tmp_path)


@pytest.mark.parametrize("text", ["", "null", "[]", "3", '"record"', "{", "[" * 100_000])
def test_junk_is_refused_naming_the_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "junk.json").write_text(text)
    with pytest.raises(ValueError, match=r"junk\.json"):
        records.read_table(tmp_path)


def test_what_lies_beside_records_is_passed_over(folder: Path) -> None:
    whole = records.read_table(folder)
    for name in ("adapter.json", "history.json", "bench.json", ".sketch-full.x1.json"):
        (folder / name).write_text("{half")
    write(folder / "trials", replace(SPEC, on="validation", seed=50), 1, 1)
    write(folder / "selective", SPEC, 1, 1)
    pd.testing.assert_frame_equal(records.read_table(folder), whole)
    for name in ("trials", "selective"):
        assert len(records.read_table(folder / name)) == 1


def test_packed_records_are_read_and_found_as_files_are(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, places = records.read_table(folder), record_paths(folder)
    (folder / "grid.yml").write_text("seeds: 1\n")
    (folder / "real-full-seed9-0.failed.json").write_text("{}")
    assert main(["report", str(folder), "--pack"]) == 0
    assert f"records are in {folder / PACKED}" in capsys.readouterr().out
    assert {path.suffix for path in folder.iterdir()} == {".jsonl", ".yml", ".json"}
    assert len((folder / PACKED).read_text().splitlines()) == len(whole)
    pd.testing.assert_frame_equal(records.read_table(folder), whole)
    assert record_paths(folder) == places
    assert all(map(has_record, places))
    # What is run later is a file beside them until it is packed as well.
    more = write(folder, replace(SPEC, seed=9), 70, 60)
    assert not has_record(more.with_stem("another"))
    assert len(records.read_table(folder)) == len(whole) + 1
    assert pack(folder).read_text().count("\n") == len(whole) + 1
    assert not more.exists()
    assert read_record(more)["after"]["metrics"]["mem"] == 70


def test_what_cannot_be_packed_is_left_as_it_is(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no record itself"):
        pack(tmp_path / "none")
    junk = folder / "junk.json"
    junk.write_text("{half")
    before = sorted(folder.iterdir())
    with pytest.raises(ValueError, match=r"junk\.json is not readable"):
        pack(folder)
    assert sorted(folder.iterdir()) == before
    junk.unlink()
    lines = pack(folder).read_text().splitlines()
    for line, said in (("{half", "line 2 is not readable"), ("[]", "line 2"), ("{}", "line 2")):
        (folder / PACKED).write_text("\n".join([lines[0], line, *lines[2:]]))
        with pytest.raises(ValueError, match=rf"records\.jsonl, {said}"):
            records.read_table(folder)
    broken = lines[1].replace('"for"', '"four"')
    (folder / PACKED).write_text("\n".join([lines[0], broken, *lines[2:]]))
    with pytest.raises(ValueError, match=r"records\.jsonl: real-baseline-seed1-\w+: "):
        records.read_table(folder)


def test_report_prints_means_and_gains(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "81.0" in printed
    assert "H above the baseline's" in printed
    assert main(["report", str(folder), "--by", "method,forget", "--fronts"]) == 0
    assert "hypervolume" in capsys.readouterr().out
    assert main(["report", str(folder), "--by", "magic"]) == 2
    assert "--by magic: the columns are" in capsys.readouterr().err
    assert main(["report", str(tmp_path_factory.mktemp("empty"))]) == 2
    assert "run `adu sweep` or `adu run --json` first" in capsys.readouterr().err


def test_a_record_without_a_peak_of_memory_is_printed(tmp_path: Path) -> None:
    values = record(SPEC, 80, 60)
    values["provenance"]["peak_memory_mb"] = None  # Windows does not say
    path = tmp_path / "record.json"
    write_json(path, values)
    assert table(read_record(path)).endswith("2 s, cpu")


def test_a_report_says_which_settings_it_pools(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for weight in (3.0, 0.25):
        write(tmp_path, replace(SPEC, method=replace(MINI, forget_weight=weight)), 80, 60)
    table = records.read_table(tmp_path)
    records.print_report(table, ["method"])
    assert "full: a mean over runs that differ in forget_weight\n" in capsys.readouterr().out
    records.print_report(table, ["method", "forget_weight"])
    said = capsys.readouterr().out
    assert "differ" not in said
    assert [line.split()[1] for line in said.splitlines()[1:]] == ["0.25", "3"]
    records.print_report(table, ["forget_weight", "balanced"])
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]] == ["True"] * 2


def test_the_interval_is_over_test_pictures_too(folder: Path) -> None:
    """All seeds share them, so more seeds do not help; domains to forget are different ones."""
    before = records.summary(records.read_table(folder)).set_index("method")
    for path in folder.glob("*.json"):
        values = read_json(path)
        values["found"]["measured"] = {"real": 50, "painting": 50, "clipart": 50, "sketch": 50}
        write_json(path, values)
    table = records.read_table(folder)
    after = records.summary(table).set_index("method")
    for result in ("mem", "for", "h", "selectivity"):
        widths = table.groupby(["method", "forget"])[f"{result}_pictures"].mean()
        over_pictures = (widths.xs("full") ** 2).sum() ** 0.5 / 2
        over_seeds = before.loc["full", f"{result} ±"]
        assert over_pictures > 2
        assert after.loc["full", f"{result} ±"] == pytest.approx(
            math.hypot(over_seeds, over_pictures)
        )
    assert table["for_pictures"].max() > table["mem_pictures"].max(), "one domain, not three"


def test_further_columns_of_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, SPEC, 80, 60)
    table = records.read_table(tmp_path)
    h_before = 2 * table["mem_before"].item() * 100 / (table["mem_before"].item() + 100)
    assert table["ceiling"].item() == pytest.approx(h_before), "all of the forgotten is refused"
    assert table["of_perfect"].item() == pytest.approx(100 * table["h"].item() / h_before)
    found = records.summary(table, also=["of_perfect", "seconds"])
    assert found["of_perfect"].item() == table["of_perfect"].item()
    for name, why in (("clip", "holds no numbers"), ("colour", "the columns are forget, ")):
        with pytest.raises(ValueError, match=f"--also {name}: .*{why}"):
            records.print_report(table, ["method"], [name])
    assert capsys.readouterr().out == ""
    # Only where whole domains are forgotten is there a perfect gate.
    path = write(tmp_path, replace(SPEC, forget=Target((), ("car",))), 80, 60)
    assert "of_perfect" not in records.read_table(path)


def test_a_further_column_has_digits_that_fit_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (0, 1):
        write(tmp_path, replace(SPEC, seed=seed), 80, 60)
    own = {"silhouette_class.after": (0.0312, 0.0452), "seconds": (31.0, 45.6)}
    records.print_report(records.read_table(tmp_path).assign(**own), ["method"], list(own))
    lines = capsys.readouterr().out.replace(" ±", "_±").splitlines()
    head, row = lines[0].split(), lines[1].split()
    shown = dict(zip(head, row, strict=True))
    assert [shown[name] for name in own] == ["0.038", "38.3"]
    assert [shown[f"{name}_±"] for name in own] == ["0.089", "92.8"]


@pytest.mark.parametrize("by", [["method", "shots"], ["shots", "method"], ["shots"]], ids=str)
def test_a_figure_draws_each_mean_with_its_interval(by: list[str], tmp_path: Path) -> None:
    for name in ("baseline", "full"):
        for shots in (1, 4, 16):
            for seed, off in ((0, -1.0), (1, 1.0)):
                spec = Spec(ABLATION[name], Target(("sketch",)), seed=seed, shots=shots)
                write(tmp_path, spec, 80 + off, 60)
    means = records.summary(records.read_table(tmp_path), by)
    figure = report_figure(means, by)
    mem = figure.axes[0]
    assert mem.get_title() == "Mem"
    assert mem.get_xscale() == "log"
    assert len(mem.containers) == len(by)
    points = mem.containers[0].lines[0].get_xydata()
    assert points.tolist() == [[1, 80], [4, 80], [16, 80]]
    ends = mem.containers[0].lines[2][0].get_segments()[0][:, 1]
    assert ends[1] - ends[0] == pytest.approx(2 * means["mem ±"].iloc[0])
    plt.close(figure)


def test_without_a_number_each_combination_is_a_row(folder: Path, tmp_path: Path) -> None:
    by = ["method", "forget"]
    figure = report_figure(records.summary(records.read_table(folder), by), by)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["baseline, real", "baseline, sketch", "full, real", "full, sketch"]
    plt.close(figure)
    out = tmp_path / "out" / "report.png"
    assert main(["report", str(folder), "--by", "method,forget", "--figure", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert not plt.get_fignums()
    assert main(["report", str(folder), "--figure", str(folder)]) == 2
