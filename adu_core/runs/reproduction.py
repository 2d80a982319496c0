"""A protocol's records as the paper's table: ours, and the paper's beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from adu_core.measure import harmonic_mean
from adu_core.runs.protocol import Protocol, choices
from adu_core.runs.records import read_table, summary
from adu_core.runs.spec import Spec

KEYS = ["forgotten", "method"]


def rows(protocol: Protocol, paths: Sequence[Any], *, text_prompts: int = 0) -> pd.DataFrame:
    """A row for each number of forgotten domains and method, of the records at ``paths``.

    The columns of ``summary``, means over combinations of domains and then over seeds, and

    h_of_means:  the harmonic mean of the row's Mem and For, which is another number
    paper:       the H that the paper reports, NaN where it has none. It is said for ADU without
                 text prompts, so it is NaN with them
    runs:        how many there are
    """
    table = read_table(paths)
    found = summary(table, KEYS).sort_values("forgotten", kind="stable", ignore_index=True)
    means = zip(found["mem"], found["for"], strict=True)
    reported = [
        None if text_prompts else protocol.paper.get(count, {}).get(name)
        for count, name in zip(*(found[key] for key in KEYS), strict=True)
    ]
    return found.assign(
        h_of_means=[harmonic_mean(mem, error) for mem, error in means],
        paper=pd.Series(reported, dtype=float),
    ).join(table.value_counts(KEYS).rename("runs"), on=KEYS)


def markdown(title: str, found: pd.DataFrame, work: Sequence[Spec], *, clip: str, data: str) -> str:
    """The table, what was chosen where the paper's text at hand is silent, and what is what."""
    lines = [
        f"# {title}",
        "",
        f"CLIP {clip}, pictures {data}. Mem, For and H in percent, on test pictures.",
        "",
        "| forgotten | method | Mem | For | H, mean of combinations | H of the means | paper's H "
        "| runs | seeds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found.to_dict("records"):
        paper = "–" if row["paper"] != row["paper"] else f"{row['paper']:.2f}"
        spread = f" ± {row['h ±']:.2f}" if row["h ±"] == row["h ±"] else ""
        lines.append(
            f"| {row['forgotten']} | {row['method']} | {row['mem']:.2f} | {row['for']:.2f} "
            f"| {row['h']:.2f}{spread} | {row['h_of_means']:.2f} | {paper} | {row['runs']} "
            f"| {row['seeds']} |"
        )
    lines += [
        "",
        "The paper's H of an average seems to be the mean of the combinations' H: compare with "
        "that column. ± is the half-width of a 95 % interval over seeds.",
        "",
        "Settings that the paper's text at hand does not say, and what they were here:",
        "",
    ]
    for name, own in choices(found["method"].tolist(), work).items():
        lines.append(f"- `{name}`: " + ", ".join(f"{key} = {value}" for key, value in own.items()))
    return "\n".join(lines) + "\n"


def progress(found: pd.DataFrame) -> str:
    """The table as text for a terminal."""
    shown = [*KEYS, "mem", "for", "h", "h ±", "h_of_means", "paper", "runs", "seeds"]
    return str(found[shown].to_string(index=False, float_format="%.2f", na_rep="–"))
