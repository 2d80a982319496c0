"""The benchmarks run; what they measure is no test's business."""

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import torch

from adu_core.cli import parser
from adu_core.cli.options import method_from
from adu_core.machine.files import plain, read_json, write_json
from adu_core.runs.record import read_record, record_paths

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(FOLDER))
import audits  # noqa: E402
import branches  # noqa: E402
import imports  # noqa: E402
import machines  # noqa: E402
import mutants  # noqa: E402
from common import peak_memory  # noqa: E402


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a benchmark prints, run in this process: another would import torch first."""

    def run(script: str, *words: str) -> str:
        monkeypatch.setattr(sys, "argv", [script, *words])
        runpy.run_path(str(FOLDER / script), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_a_step_against_the_matmul_limit(tmp_path: Path, said: Callable[..., str]) -> None:
    words = ["--clip", "mini", "--batch", "2", "--rounds", "1"]
    printed = said("step.py", *words, "--save", str(tmp_path / "step.json"))
    assert "ADU / matmul limit" in printed
    record = read_json(tmp_path / "step.json")
    assert 0 < record["operations_gflop"] < record["operations_stock_gflop"]
    assert record["memory_to_bare"] == record["peak_memory_mb"] / record["bare_memory_mb"]
    assert record["provenance"]["device"] == "cpu"


def test_memory_is_that_of_tensors_held_at_one_time() -> None:
    """Three million floats at the most: the fourth comes when one has gone."""

    def work() -> None:
        kept = [torch.ones(1_000_000) for _ in range(3)]
        kept.pop()
        kept.append(torch.ones(1_000_000))

    assert peak_memory(work, torch.device("cpu")) == pytest.approx(3 * 4_000_000, rel=0.01)


def test_cost_against_pictures_and_classes(
    tmp_path: Path, tiny_path: str, said: Callable[..., str]
) -> None:
    words = ["--clip", tiny_path, "--pictures", "16", "--points", "2", "--rounds", "1"]
    printed = said("scaling.py", *words, "--save", str(tmp_path / "scaling.json"))
    assert "sentences" in printed
    record = read_json(tmp_path / "scaling.json")
    assert [point["pictures"] for point in record["pictures"]] == [16, 32]
    assert [point["classes"] for point in record["classes"]] == [4, 16]
    assert all(point["train"] > 0 for along in ("pictures", "classes") for point in record[along])
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")


def test_work_that_is_killed_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    """In a process of its own, as it forks."""
    words = ["--works", "picture cache", "--kills", "1", "--save", str(tmp_path / "kills.json")]
    subprocess.run([sys.executable, str(FOLDER / "kills.py"), *words], check=True)
    found = read_json(tmp_path / "kills.json")["works"]
    assert found.keys() == {"picture cache"}
    assert all(work["killed"] == work["same"] == 1 for work in found.values())


def test_a_bench_of_methods_is_audited_with_the_settings_that_it_chose(
    tmp_path: Path, said: Callable[..., str]
) -> None:
    record = next(path for path in record_paths(audits.BENCH) if "-full-" in path.name)
    full = read_record(record)["config"]["method"]
    words = audits.settings(full)
    assert not {"instapg=true", "ddl=true"} & set(words)  # its name says so
    run = parser().parse_args(["run", "--method", "full", *words])
    assert plain(method_from("full", run).as_dict()) == full
    # What is there is not made again, whatever it holds.
    kept = tmp_path / "sketch-gate/audit.json"
    write_json(kept, {})
    said("audits.py", "--methods", "gate", "--forget", "sketch", "--save", str(tmp_path))
    assert read_json(kept) == {}


def test_imports_against_torchs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With commands that take a moment, whatever they import."""
    monkeypatch.setattr(imports, "COMMANDS", {name: ["-c", "1"] for name in imports.COMMANDS})
    words = ["imports.py", "--rounds", "1", "--save", str(tmp_path / "imports.json")]
    monkeypatch.setattr(sys, "argv", words)
    imports.main()
    found = read_json(tmp_path / "imports.json")
    assert found["import torch"]["to_torch"] == 1
    assert found["adu --help"]["to_torch"] > 0


def test_decoding(
    tmp_path: Path, said: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADU_CACHE", os.environ["ADU_CACHE"])  # it sets one of its own
    monkeypatch.setattr("adu_core.data.cache.cores", lambda: 1)
    words = ["--pictures", "4", "--size", "32", "--rounds", "1"]
    said("decode.py", *words, "--save", str(tmp_path / "decode.json"))
    assert read_json(tmp_path / "decode.json")["cache"]["to_alone"] > 0


def test_the_parts_for_a_gpu_write_records_and_are_not_done_twice(
    tmp_path: Path, tiny_path: str, said: Callable[..., str]
) -> None:
    words = ["--device", "cpu", "--clip", tiny_path, "--shots", "1", "--tested", "64"]
    words += ["--parts", "full", "--epochs", "1", "--out", str(tmp_path)]
    assert "full: " in said("gpu.py", *words)
    record = read_json(tmp_path / "full.json")
    assert record["method"]["name"] == "full"
    assert record["shots"] == 65 * 4
    assert record["fit_seconds"] > 0
    assert record["largest_difference_of_a_second_run"] == 0  # the CPU's bits are its own
    assert "there already" in said("gpu.py", *words)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, and it would be used")
def test_without_a_gpu_nothing_is_done(tmp_path: Path, said: Callable[..., str]) -> None:
    assert "nothing was done" in said("gpu.py", "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_survivor_is_known_by_its_function_and_what_was_changed() -> None:
    shown = "--- a.py\n+++ a.py\n@@ -1 +1 @@\n def f():\n-    return 1\n+    return 2\n"
    assert mutants.change(shown) == ["- return 1", "+ return 2"]
    reasons = read_json(FOLDER / "survivors.json")
    for each in reasons:
        assert each.keys() == {"function", "change", "why"}
        assert each["why"]


def test_what_is_changed_and_what_must_notice_are_there() -> None:
    for part in mutants.PARTS.values():
        for name in part.code:
            assert (FOLDER.parent / "adu_core" / name).is_file()
        for name in part.tests:
            assert (FOLDER.parent / f"tests/{name}.py").is_file()


def test_branches_that_tests_take_are_added_up_by_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "adu_core/a.py": "x = 1\nif x:\n    y = 2\nif not x:\n    y = 3\n",
        "adu_core/data/b.py": "for z in range(2):\n    z += 1\n",
        "tests/test_a.py": "def test_a(): import adu_core.a, adu_core.data.b\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    for folder in ("adu_core", "adu_core/data"):
        (tmp_path / folder / "__init__.py").touch()
    monkeypatch.setattr(branches, "ROOT", tmp_path)
    words = ["branches.py", "--processes", "0", "--save", str(tmp_path / "branches.json")]
    monkeypatch.setattr(sys, "argv", words)
    branches.main()
    assert read_json(tmp_path / "branches.json")["rooms"] == {
        "core": {"branches": 4, "taken": 2},
        "data": {"branches": 2, "taken": 2},
        "all": {"branches": 6, "taken": 4},
    }


def test_a_machine_counts_what_fails_on_it(tmp_path: Path) -> None:
    file = tmp_path / "test_a.py"
    file.write_text(
        "import os, pytest\n"
        "def test_one(): assert os.environ['WHERE'] == 'here'\n"
        "def test_two(): assert False\n"
        "@pytest.mark.skip\n"
        "def test_three(): pass\n"
    )
    found = machines.test([str(file)], tmp_path / "played", os.environ | {"WHERE": "here"}, 0)
    assert found == {"tests": 2, "failed": 1}
    assert machines.failed(found)
    assert machines.described(found) == "1 of 2 passed"


def test_a_machine_counts_the_notebooks_that_fail_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("notebooks", "book/results"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(FOLDER.parent / "book/execute.py", tmp_path / "book")
    for name, cell in {"a": "import os; os.environ['WHERE']", "b": "1 / 0"}.items():
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
        nbformat.write(notebook, tmp_path / f"notebooks/{name}.ipynb")
    monkeypatch.setattr(machines, "ROOT", tmp_path)
    found = machines.notebooks(tmp_path / "played", os.environ | {"WHERE": "here"}, 2)
    assert found == {"tests": 2, "failed": 1}


def test_this_processor_plays_the_simplest() -> None:
    assert machines.supported("default")
