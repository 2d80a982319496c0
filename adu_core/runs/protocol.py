"""The paper's experiments as data, and a table of our records next to the paper's numbers.

The data are in ``protocols.yml``. ``choices`` lists what we chose where the paper's text, as far
as it was available to us, says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from adu_core.measure import harmonic_mean
from adu_core.runs.fronts import half_width
from adu_core.runs.grid import Names
from adu_core.runs.records import read_table, summary
from adu_core.runs.spec import Spec
from adu_core.task import Method

#: The paper's method and its tuning-based rivals, and the CLIP that nothing was done to.
METHODS = ("zero-shot", "lp++", "clipfit", "bbf", "baseline", "full")
KEYS = ["forgotten", "method"]
#: How entangled the domains are, by the column of records: what it is, and how many decimals.
ENTANGLED = {
    "silhouette_domain": ("silhouette by domain", 3),
    "silhouette_class": ("silhouette by class", 3),
    "probe_domain_accuracy": ("domain by a probe, %", 1),
    "mmd2": ("MMD²", 3),
}


@dataclass(frozen=True)
class Protocol:
    """One dataset of the paper; ``protocols.yml`` says what its fields are."""

    data: str
    classes: int
    domains: tuple[str, ...]
    pictures: int
    most: int
    results: Mapping[int, Mapping[str, tuple[float, float, float]]] = field(default_factory=dict)

    def placeholder(self) -> Names:
        """As many names as there are classes, and the domains', where no picture is at hand."""
        return tuple(f"class {number}" for number in range(self.classes)), self.domains


_KNOWN = TypeAdapter(dict[str, Protocol])
#: By the name that `adu reproduce` takes.
PROTOCOLS: Mapping[str, Protocol] = _KNOWN.validate_python(
    yaml.safe_load(Path(__file__).with_name("protocols.yml").read_bytes())
)


def table(protocol: Protocol, paths: Sequence[Any], *, text_prompts: int = 0) -> pd.DataFrame:
    """``summary`` of records by the number of forgotten domains and the method, and the paper's.

    h_of_means: the harmonic mean of the row's Mem and For, which is another number than the mean H
    paper_mem, paper_for, paper_h: what the paper prints, for ADU without text prompts; NaN with
                them and where it has nothing
    runs:       how many there are

    Columns such as ``silhouette_domain.before`` and ``.after`` say how entangled the domains are.
    """
    read = read_table(paths)
    also = [f"{name}.{when}" for name in ENTANGLED for when in ("before", "after")]
    found = summary(read, KEYS, also).sort_values("forgotten", kind="stable", ignore_index=True)
    none = (float("nan"),) * 3
    printed = [
        none if text_prompts else protocol.results.get(count, {}).get(name, none)
        for count, name in zip(*(found[key] for key in KEYS), strict=True)
    ]
    means = zip(found["mem"], found["for"], strict=True)
    found["h_of_means"] = [harmonic_mean(mem, error) for mem, error in means]
    found[["paper_h", "paper_mem", "paper_for"]] = printed
    return found.join(read.value_counts(KEYS).rename("runs"), on=KEYS)


def as_text(found: pd.DataFrame) -> str:
    """The table as text for a terminal."""
    paper = [f"paper_{name}" for name in ("mem", "for", "h")]
    shown = [*KEYS, "mem", "for", "h", "h ±", "h_of_means", *paper, "runs", "seeds"]
    return str(found[shown].to_string(index=False, float_format="%.2f", na_rep="–"))


def markdown(title: str, found: pd.DataFrame, work: Sequence[Spec], names: Names) -> str:
    """The tables, what was chosen where the paper's text at hand is silent, and what is what."""
    clip = ":".join(filter(None, work[0].clip))
    lines = [
        f"# {title}",
        "",
        f"CLIP {clip}, pictures {work[0].data}. Mem, For and H in percent, on test pictures.",
        "",
        "| forgotten | method | Mem | For | H, mean of combinations | H of the means "
        "| paper's Mem | paper's For | paper's H | runs | seeds |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found.to_dict("records"):
        ours = [f"{row[name]:.2f}" for name in ("mem", "for")]
        ours += [f"{row['h']:.2f} ± {half_width(row['h ±'], 2)}", f"{row['h_of_means']:.2f}"]
        paper = [row[f"paper_{name}"] for name in ("mem", "for", "h")]
        theirs = ["–" if value != value else f"{value:.2f}" for value in paper]
        cells = [row["forgotten"], row["method"], *ours, *theirs, row["runs"], row["seeds"]]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    known = PROTOCOLS[title]
    here, there = (f"{classes} classes in {len(domains)} domains" for classes, domains in (
        (len(names[0]), names[1]), (known.classes, known.domains)
    ))  # fmt: skip
    if here != there:
        lines += ["", f"**These pictures have {here}; the paper's numbers are of {there}.**"]
    lines += [
        "",
        "The paper's H of an average seems to be the mean of the combinations' H: compare with "
        "that column. ± is the half-width of a 95 % interval over seeds and test pictures.",
        "",
        "## How entangled the domains are, before → after",
        "",
        f"| forgotten | method | {' | '.join(what for what, _ in ENTANGLED.values())} |",
        f"|---|---|{'---|' * len(ENTANGLED)}",
    ]
    for row in found.to_dict("records"):
        moved = [
            " → ".join(f"{row[f'{name}.{when}']:.{digits}f}" for when in ("before", "after"))
            for name, (_, digits) in ENTANGLED.items()
        ]
        lines.append(f"| {row['forgotten']} | {row['method']} | {' | '.join(moved)} |")
    lines += [
        "",
        "Settings that the paper's text at hand does not say, and what they were here:",
        "",
    ]
    for method in dict.fromkeys(spec.method for spec in work):
        if own := choices(method):
            said = ", ".join(f"{key} = {value}" for key, value in own.items())
            lines.append(f"- `{method.name}`: {said}")
    return "\n".join(lines) + "\n"


def choices(method: Method) -> dict[str, object]:
    """The settings that the paper's text at hand does not say, and what they are."""
    return {
        each.name: getattr(method, each.name)
        for each in fields(method)
        if "[choice]" in each.metadata.get("help", "")
    }
