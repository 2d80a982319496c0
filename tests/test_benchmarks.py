"""The benchmarks run; what they measure is no test's business."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from adu_core.files import read_json

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


def said(script: str, *words: str) -> str:
    """What a benchmark prints."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), *words], check=True, capture_output=True, text=True
    )
    return done.stdout


def test_a_step_against_the_matmul_limit() -> None:
    printed = said("step.py", "--clip", "mini", "--batch", "2", "--rounds", "1")
    assert "ADU / matmul limit" in printed


def test_the_parts_for_a_gpu_write_records_and_are_not_done_twice(
    tmp_path: Path, tiny_path: str
) -> None:
    words = ["--device", "cpu", "--clip", tiny_path, "--shots", "1", "--tested", "64"]
    words += ["--epochs", "1", "--parts", "gate,full", "--out", str(tmp_path)]
    printed = said("gpu.py", *words)
    assert "gate: " in printed
    for part in ("gate", "full"):
        record = read_json(tmp_path / f"{part}.json")
        assert record["method"]["name"] == part
        assert record["shots"] == 65 * 4
        assert record["fit_seconds"] > 0
        assert record["largest_difference_of_a_second_run"] == 0  # the CPU's bits are its own
    assert said("gpu.py", *words).count("there already") == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, and it would be used")
def test_without_a_gpu_nothing_is_done(tmp_path: Path) -> None:
    assert "nothing was done" in said("gpu.py", "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
