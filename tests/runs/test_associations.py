"""Associations over runs: inside of a forgotten domain, with an interval that means something."""

import math

import numpy as np
import pandas as pd
import pytest

from adu_core.cli import main
from adu_core.runs.associations import associations


@pytest.fixture(autouse=True)
def _few_resamplings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adu_core.runs.associations.RESAMPLED", 200)


def table(slope: float, noise: float, runs: int = 30) -> pd.DataFrame:
    """Two forgotten domains, the second with more MMD² and a lower For in every run."""
    generator = np.random.default_rng(0)
    rows = []
    for number, forget in enumerate(("real", "sketch")):
        for _ in range(runs):
            mmd2 = generator.normal()
            value = slope * mmd2 + noise * generator.normal() - 50 * number
            rows.append({"forget": forget, "mmd2.after": mmd2 + 10 * number, "for": value})
    return pd.DataFrame(rows)


def measured(found: pd.DataFrame) -> pd.Series:
    return associations(found, ["mmd2.after"], ["for"]).iloc[0]


def test_what_domains_differ_in_is_taken_out() -> None:
    """Over all runs together the two go against each other; inside of each they go together."""
    found = table(slope=1.0, noise=0.0)
    assert found["for"].corr(found["mmd2.after"], method="spearman") < 0
    assert measured(found)["rho"] == pytest.approx(1, abs=0.02)


def test_the_interval_holds_what_is_there_and_nothing_where_there_is_nothing() -> None:
    strong, none = measured(table(1.0, 0.5)), measured(table(0.0, 1.0))
    assert 0.5 < strong["low"] < strong["rho"] < strong["high"] < 1
    assert none["low"] < 0 < none["high"]
    assert strong["runs"] == 60


def test_too_few_runs_and_what_does_not_vary_have_none() -> None:
    few = measured(table(1.0, 0.0, runs=1))
    assert math.isnan(few["rho"])
    assert math.isnan(few["low"])
    flat = table(1.0, 0.0).assign(**{"for": 3.0})
    assert math.isnan(measured(flat)["rho"])


def test_a_column_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no column 'mmd3'"):
        associations(table(1.0, 0.0), ["mmd3"], ["for"])
    assert main(["report", "book/results/causes", "--by", "method,labels", "--against", "x"]) == 2
    assert "no column 'x'" in capsys.readouterr().err


def test_the_committed_causes(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--by", "method,labels", "--against", "mmd2.after"]
    assert main(["report", "book/results/causes", *words]) == 0
    assert "Spearman" in capsys.readouterr().out
