"""An audit on one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from adu_core.data.target import Target
from adu_core.show.figures import style

#: What each model is drawn in.
COLOURS = {"frozen": "#949494", "model": "#0173b2", "reference": "#029e73"}
NAMES = {"frozen": "before", "model": "after", "reference": "never knew it"}


def audit_figure(record: Mapping[str, Any]) -> Figure:
    """Six panels of one audit: domains, ranks, features, relearning, ways between, disguises."""
    style()
    figure, panels = plt.subplots(2, 3, figsize=(13, 7.8))
    drawn = (_domains, _ranks, _recovery, _relearning, _between, _disguises)
    for axes, draw in zip(panels.flat, drawn, strict=True):
        draw(axes, record)
    target = Target.from_dict(record["forget"], "the audit")
    figure.suptitle(
        f"{record['method']['name']}, forget {target}. "
        "But for the first and the fifth panel, all pictures are of what should be forgotten"
    )
    there = [who for who in COLOURS if who != "reference" or record["reference"]]
    handles: list[Any] = [Patch(color=COLOURS[who], label=NAMES[who]) for who in there]
    handles.append(Line2D([], [], color="#555555", linewidth=0.8, linestyle=":", label="guessing"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def _chance(axes: Axes, record: Mapping[str, Any]) -> None:
    axes.axhline(record["pictures"]["chance"], color="#555555", linewidth=0.8, linestyle=":")


def _domains(axes: Axes, record: Mapping[str, Any]) -> None:
    after, before = record["accuracy"]["model"], record["accuracy"]["frozen"]
    names = [(name, side) for side in ("kept", "forgotten") for name in after[side]]
    at = np.arange(len(names))
    for shift, who, result in ((-0.2, "frozen", before), (0.2, "model", after)):
        values = [result[side][name] for name, side in names]
        axes.bar(at + shift, values, 0.4, color=COLOURS[who])
    labels = [f"{name}\n(forget)" if side == "forgotten" else name for name, side in names]
    axes.set_xticks(at, labels)
    _chance(axes, record)
    axes.set(title="Answers", ylabel="right, %", ylim=(0, 105))


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


def _recovery(axes: Axes, record: Mapping[str, Any]) -> None:
    recovery = record["recovery"]
    shots = recovery["shots"]
    for who in ("frozen", "model", "reference"):
        if who not in recovery:
            continue
        axes.plot(
            shots, recovery[who]["feature"]["probe"], marker="o", color=COLOURS[who],
            label="feature" if who == "model" else None,
        )  # fmt: skip
    inside = {place: how["probe"] for place, how in recovery["model"].items() if place != "feature"}
    if inside:
        best = max(inside, key=lambda place: inside[place][-1])
        axes.plot(
            shots, inside[best], marker="o", linestyle="--", color=COLOURS["model"],
            label=best,
        )  # fmt: skip
    _shots(axes, shots, record)
    axes.set(title="Read by a linear probe", ylabel="right, %")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.08), frameon=False)


def _shots(axes: Axes, shots: list[int], record: Mapping[str, Any]) -> None:
    _chance(axes, record)
    axes.set_xscale("symlog", base=2, linthresh=1)
    axes.set_xticks(shots, [str(count) for count in shots])
    first = 0.8 * shots[0] if shots[0] else -0.4
    axes.set(xlabel="an attacker's pictures of each class", ylim=(0, 105), xlim=(first, None))


def _relearning(axes: Axes, record: Mapping[str, Any]) -> None:
    curves = record["relearning"]
    for way, who, line in (
        ("parts", "model", "--"), ("weights", "model", "-"), ("reference", "reference", "-"),
    ):  # fmt: skip
        if curves[way] is None:
            continue
        what = {"parts": "learned parts", "weights": "all weights"}.get(way)
        axes.plot(
            curves["shots"], curves[way], marker="o", linestyle=line, color=COLOURS[who],
            label=what,
        )  # fmt: skip
    _shots(axes, curves["shots"], record)
    axes.set(title="Trained on again", ylabel="right, %")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.08), frameon=False)


def _between(axes: Axes, record: Mapping[str, Any]) -> None:
    axes.set(title="Between the styles", xlabel="share of the way", ylabel="right, %")
    ways = record["between"]
    if not ways:
        axes.text(0.5, 0.5, "styles of these pictures\ncannot be moved", ha="center", va="center")
        axes.set(xlim=(0, 1), ylim=(0, 105))
        return
    for number, (name, way) in enumerate(ways.items()):
        axes.plot(way["strength"], way["model"], marker="o", color=f"C{number}", label=name)
    frozen = np.mean([way["frozen"] for way in ways.values()], axis=0)
    strength = next(iter(ways.values()))["strength"]
    axes.plot(strength, frozen, color=COLOURS["frozen"])
    _chance(axes, record)
    axes.set(ylim=(0, 105))
    axes.legend(loc="lower left", frameon=False)


def _disguises(axes: Axes, record: Mapping[str, Any]) -> None:
    tried = record["disguises"]
    order = sorted(tried, key=lambda name: tried[name]["model"])[-12:]
    at = np.arange(len(order))
    for shift, who in ((0.2, "frozen"), (-0.2, "model")):
        values = [tried[name][who] for name in order]
        axes.barh(at + shift, values, 0.4, color=COLOURS[who])
    axes.set_yticks(at, order)
    axes.axvline(record["pictures"]["chance"], color="#555555", linewidth=0.8, linestyle=":")
    axes.set(title="Disguised", xlabel="right, %", xlim=(0, 105))
