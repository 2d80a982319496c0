"""A protocol's records as the paper's table: ours, and the paper's beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from adu_core.measure import harmonic_mean
from adu_core.runs.fronts import confidence_interval
from adu_core.runs.protocol import Protocol, choices
from adu_core.runs.records import read_table
from adu_core.runs.spec import Spec


def rows(
    protocol: Protocol, paths: Sequence[Any], *, text_prompts: int = 0
) -> list[dict[str, Any]]:
    """A row for each number of forgotten domains and method, of the records at ``paths``.

    mem, for, h: means over combinations of domains, then over seeds; "±" is the half-width of a
                 95 % interval over seeds
    h_of_means:  the harmonic mean of the row's Mem and For, which is another number
    paper:       the H that the paper reports, None where it has none. It is said for ADU without
                 text prompts, so it is None with them
    """
    table = read_table(paths)
    table["count"] = table["forget"].str.count(r"\+") + 1
    found = []
    for (count, name), group in table.groupby(["count", "method"], sort=False):
        seeds = group.groupby("seed")[["mem", "for", "h"]].mean()
        _, interval = confidence_interval(seeds["h"].tolist())
        means = seeds.mean()
        reported = protocol.paper.get(count, {}).get(name)
        found.append(
            {
                "forgotten": int(count),
                "method": name,
                "mem": float(means["mem"]),
                "for": float(means["for"]),
                "h": float(means["h"]),
                "h_interval": interval,
                "h_of_means": harmonic_mean(float(means["mem"]), float(means["for"])),
                "paper": None if text_prompts else reported,
                "runs": len(group),
                "seeds": len(seeds),
            }
        )
    return found


def markdown(
    title: str, found: Sequence[dict[str, Any]], work: Sequence[Spec], *, clip: str, data: str
) -> str:
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
    for row in found:
        paper = "–" if row["paper"] is None else f"{row['paper']:.2f}"
        spread = f" ± {row['h_interval']:.2f}" if row["h_interval"] == row["h_interval"] else ""
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
    for name, own in choices([row["method"] for row in found], work).items():
        lines.append(f"- `{name}`: " + ", ".join(f"{key} = {value}" for key, value in own.items()))
    return "\n".join(lines) + "\n"


def progress(found: Sequence[dict[str, Any]]) -> str:
    """The table as text for a terminal."""
    frame = pd.DataFrame(found)
    return str(frame.to_string(index=False, float_format="%.2f", na_rep="–"))
