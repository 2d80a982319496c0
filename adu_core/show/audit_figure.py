"""An audit on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from adu_core.rivals.methods import target_from_dict
from adu_core.show.figures import style
from adu_core.show.lettering import lettering, lines, wrapped

#: What each model is drawn in.
COLOURS = {"frozen": "#949494", "model": "#0173b2", "reference": "#029e73"}
NAMES = {"frozen": "before", "model": "after", "reference": "never knew it"}
#: So many disguises are drawn at most, those that work best.
DISGUISES = 12


def audit_figure(record: Mapping[str, Any]) -> Figure:
    """Panels of one audit: domains, ranks, features, relearning, ways between, disguises.

    Without the ways between, where the pictures' styles cannot be moved.
    """
    style()
    drawn = {"a": _domains, "r": _ranks, "f": _recovery, "t": _relearning, "d": _disguises}
    if record["between"]:
        drawn["b"] = _between
    target = target_from_dict(record["forget"], "the audit")
    there = [who for who in COLOURS if who != "reference" or record["reference"]]
    rows = _domain_labels(record), [label for label, _ in _best_disguises(record)]
    heights = [max(2.8, 0.19 * len(labels) * lines(labels)) for labels in rows]
    with lettering(10):
        figure, panels = plt.subplot_mosaic(
            "arf;tbd" if record["between"] else "arf;tdd",
            figsize=(13.5, 3.6 + sum(heights)),
            height_ratios=heights,
        )
        for name, draw in drawn.items():
            draw(panels[name], record)
            panels[name].minorticks_off()
        figure.suptitle(
            wrapped(f"{record['method']['name']}, forget {target}", 100)
            + "\nAll pictures are of what should be forgotten, except where domains are named"
        )
        handles: list[Any] = [Patch(color=COLOURS[who], label=NAMES[who]) for who in there]
        handles.append(
            Line2D([], [], color="#555555", linewidth=0.8, linestyle=":", label="guessing")
        )
        figure.legend(
            handles=handles, loc="outside lower center", ncols=len(handles), frameon=False
        )
    return figure


def _chance(axes: Axes, record: Mapping[str, Any], *, upright: bool = False) -> None:
    line = axes.axvline if upright else axes.axhline
    line(record["pictures"]["chance"], color="#555555", linewidth=0.8, linestyle=":")


def _bars(
    axes: Axes, record: Mapping[str, Any], names: Sequence[str], values: Mapping[str, list[float]]
) -> None:
    """Of each name what was right before and after, the first name at the top."""
    at = np.arange(len(names))
    for shift, (who, right) in zip((-0.2, 0.2), values.items(), strict=True):
        axes.barh(at + shift, right, 0.4, color=COLOURS[who])
    axes.set_yticks(at, names)
    axes.invert_yaxis()
    _chance(axes, record, upright=True)
    axes.set(xlabel="right, %", xlim=(0, 105))


def _domain_labels(record: Mapping[str, Any]) -> list[str]:
    there = record["accuracy"]["model"]
    return [
        *(wrapped(name) for name in there["kept"]),
        *(wrapped(f"{name} (forget)") for name in there["forgotten"]),
    ]


def _domains(axes: Axes, record: Mapping[str, Any]) -> None:
    values = {
        who: [
            *record["accuracy"][who]["kept"].values(),
            *record["accuracy"][who]["forgotten"].values(),
        ]
        for who in ("frozen", "model")
    }
    _bars(axes, record, _domain_labels(record), values)
    axes.set(title="Answers in each domain")


def _ranks(axes: Axes, record: Mapping[str, Any]) -> None:
    for who in ("frozen", "model"):
        shares = np.cumsum(record["ranks"][who]["ranks"])
        ranks = np.arange(1, len(shares) + 1)
        axes.plot(ranks, shares, color=COLOURS[who])
    count = len(record["classes"])
    axes.plot([1, count], [100 / count, 100], color="#555555", linewidth=0.8, linestyle=":")
    axes.set(
        title="Rank of the true class",
        xlabel="rank",
        ylabel="at this rank or before, %",
        ylim=(0, 105),
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _recovery(axes: Axes, record: Mapping[str, Any]) -> None:
    recovery, title = record["recovery"], "Feature, read by a linear probe"
    shots = recovery["shots"]
    for who in ("frozen", "model", "reference"):
        if who in recovery:
            axes.plot(shots, recovery[who]["feature"]["probe"], marker="o", color=COLOURS[who])
    inside = {place: how["probe"] for place, how in recovery["model"].items() if place != "feature"}
    if inside:
        best = max(inside, key=lambda place: inside[place][-1])
        title += f"\ndashed: inside, at {best}"
        axes.plot(shots, inside[best], marker="o", linestyle="--", color=COLOURS["model"])
    _shots(axes, shots, record, title)


def _shots(axes: Axes, shots: list[int], record: Mapping[str, Any], title: str) -> None:
    _chance(axes, record)
    axes.set_xscale("symlog", base=2, linthresh=1)
    axes.set_xticks(shots, [str(count) for count in shots])
    first = 0.8 * shots[0] if shots[0] else -0.4
    axes.set(
        title=title,
        xlabel="an attacker's pictures of each class",
        ylabel="right, %",
        ylim=(0, 105),
        xlim=(first, None),
    )


def _relearning(axes: Axes, record: Mapping[str, Any]) -> None:
    curves, title = record["relearning"], "All weights trained on again"
    for way, who, line in (
        ("parts", "model", "--"), ("weights", "model", "-"), ("reference", "reference", "-"),
    ):  # fmt: skip
        if curves[way] is not None:
            axes.plot(curves["shots"], curves[way], marker="o", linestyle=line, color=COLOURS[who])
            title += "\ndashed: the learned parts alone" if way == "parts" else ""
    if curves["off"] is not None:
        axes.axhline(curves["off"][0], color=COLOURS["model"], linewidth=0.8)
        title += "\nthin line: the gate taken off"
    _shots(axes, curves["shots"], record, title)


def _between(axes: Axes, record: Mapping[str, Any]) -> None:
    axes.set(title="From kept to forgotten style", xlabel="share of the way", ylabel="right, %")
    ways = record["between"]
    for number, (name, way) in enumerate(ways.items()):
        axes.plot(way["strength"], way["model"], marker="o", color=f"C{number}", label=name)
    frozen = np.mean([way["frozen"] for way in ways.values()], axis=0)
    strength = next(iter(ways.values()))["strength"]
    axes.plot(strength, frozen, color=COLOURS["frozen"])
    _chance(axes, record)
    axes.set(ylim=(0, 105))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False)


def _best_disguises(record: Mapping[str, Any]) -> list[tuple[str, Mapping[str, float]]]:
    """Each that counts, or all if none does, with its label, the best first."""
    every = list(record["disguises"].items())
    counted = [each for each in every if each[1]["counts"]] or every
    tried = sorted(counted, key=lambda each: each[1]["model"], reverse=True)
    return [(wrapped(name, 24), right) for name, right in tried[:DISGUISES]]


def _disguises(axes: Axes, record: Mapping[str, Any]) -> None:
    best = _best_disguises(record)
    values = {who: [right[who] for _, right in best] for who in ("frozen", "model")}
    _bars(axes, record, [label for label, _ in best], values)
    counting = sum(each["counts"] for each in record["disguises"].values())
    cut = len(best) < counting
    title = f"The {len(best)} best disguises" if cut else "Disguised"
    axes.set(title=title if counting else "Disguised beyond recognition: none counts")
    axes.tick_params(axis="y", labelsize=9)
