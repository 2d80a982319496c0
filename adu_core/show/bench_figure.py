"""The bench as a figure: Mem against For, and the line of equal damage in all domains."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import product

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from adu_core.runs.fronts import pareto

MARKERS = "osD^vPX*<>hpd8H"
#: Where a name may stand from its point: so far, in points, in these directions.
FAR = (8, 13, 20, 30, 42, 56, 72, 90)
AROUND = ((1, 0), (-1, 0), (1, 0.7), (1, -0.7), (-1, 0.7), (-1, -0.7), (0, 1.4), (0, -1.4))


def bench_figure(
    rows: pd.DataFrame, trials: Mapping[str, Sequence[tuple[float, float]]], title: str
) -> Figure:
    """Each method a point, its trials on validation pictures a thin front behind it.

    rows:   mem and for of each method, by its name
    trials: Mem and For of those that there were, by the method's name

    The axes show where the points are, so that near ones stay apart; names stand beside them.
    """
    colours = sns.color_palette("husl", len(rows))
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 10}):
        figure, ax = plt.subplots(figsize=(8.6, 6.4), layout="constrained")
        xlim, ylim = _around(rows["mem"]), _around(rows["for"])
        ax.set(
            xlim=xlim,
            ylim=ylim,
            xlabel="Mem, accuracy on what is memorized, %",
            ylabel="For, error on what is forgotten, %",
        )
        ax.set_title(textwrap.fill(title, 90), loc="left", size=11)
        label = "Mem + For = 100: harm to all alike"
        ax.plot([0, 100], [100, 0], color="#777777", linewidth=1, linestyle="--", label=label)
        ax.plot([], [], color="#999999", linewidth=1, label="trials on validation pictures")
        _levels(ax)
        ax.legend(loc="lower left", frameon=False, fontsize=9)
        points = dict(zip(rows.index, zip(rows["mem"], rows["for"], strict=True), strict=True))
        for (name, point), colour, marker in zip(
            points.items(), colours, MARKERS * 2, strict=False
        ):
            front = pareto(trials.get(name, ()))
            if len(front) > 1:
                ax.plot(
                    *zip(*front, strict=True), color=colour, linewidth=1, alpha=0.35, zorder=1.5
                )
            ax.scatter(
                point[0], point[1], s=26, color=[colour], marker=marker, edgecolors="white",
                linewidths=0.4, zorder=3,
            )  # fmt: skip
        _name(figure, ax, points)
        sns.despine(ax=ax)
    return figure


def _around(values: pd.Series) -> tuple[float, float]:
    """Limits of an axis that shows all values, with some room; percentages."""
    low, high = min(values), max(values)
    room = max(2.0, 0.08 * (high - low))
    return max(-2.0, low - room), min(102.0, high + room)


def _name(figure: Figure, ax: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Each method's name, as near to its point as no other name and no point is in its way."""
    figure.draw_without_rendering()  # now it is known where things are
    inside, unit = ax.get_window_extent(), figure.dpi / 72
    dots = [ax.transData.transform(point) for point in points.values()]
    taken = [Bbox.from_bounds(x - 8, y - 8, 16, 16) for x, y in dots]
    if legend := ax.get_legend():
        taken.append(legend.get_window_extent())
    for (name, point), dot in zip(points.items(), dots, strict=True):
        probe = ax.text(0, 0, name, size=9)
        size = probe.get_window_extent()
        probe.remove()
        places = {}
        for far, (across, up) in product(FAR, AROUND):
            left = dot[0] + far * across * unit - size.width * (1 - across) / 2
            low = dot[1] + far * up * unit - size.height / 2
            box = Bbox.from_bounds(left, low, size.width, size.height).padded(1)
            faults = sum(box.overlaps(other) for other in taken)
            faults += not (inside.x0 < box.x0 and box.x1 < inside.x1)
            faults += not (inside.y0 < box.y0 and box.y1 < inside.y1)
            places[far, across, up] = faults, box
        far, across, up = min(places, key=lambda place: places[place][0])  # the nearest of equals
        taken.append(places[far, across, up][1])
        ax.annotate(
            name, point, (far * across, far * up), size=9, va="center",
            textcoords="offset points", color="#222222", ha=("center", "left", "right")[across],
            arrowprops={"arrowstyle": "-", "color": "#888888", "linewidth": 0.6, "shrinkA": 0},
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )  # fmt: skip


def _levels(ax: Axes) -> None:
    """Where H is a round number."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    for step in (20, 10, 5):
        curves = {
            h: [
                (mem, error)
                for i in range(401)
                if 2 * (mem := left + (right - left) * i / 400) > h
                and low < (error := h * mem / (2 * mem - h)) < min(high, 100)
                and mem <= 100
            ]
            for h in range(step, 100, step)
        }
        curves = {h: curve for h, curve in curves.items() if len(curve) > 20}
        if len(curves) > 2:
            break
    bare = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    for h, curve in curves.items():
        ax.plot(*zip(*curve, strict=True), color="#cccccc", linewidth=0.8, zorder=1)
        ax.text(*curve[-1], f"H {h}", color="#999999", size=8, ha="right", va="center", bbox=bare)
