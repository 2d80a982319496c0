"""The bench as a picture: Mem against For, and the line that harm to all domains alike draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import matplotlib as mpl
import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

MARKERS = "osD^vPX*<>hpd8H"


class Named(Protocol):
    """What the figure needs of a method."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...


class Point(Protocol):
    """What the figure needs of a row of the bench."""

    @property
    def method(self) -> Named:
        """The method."""
        ...

    @property
    def mem(self) -> float:
        """Accuracy on what is memorized, %."""
        ...

    @property
    def for_(self) -> float:
        """Error on what is forgotten, %."""
        ...

    @property
    def front(self) -> tuple[tuple[float, float], ...]:
        """(Mem, For) of the trials."""
        ...


def bench_figure(rows: Sequence[Point]) -> Figure:
    """Each method a point, its trials on validation pictures a thin front behind it."""
    colours = sns.color_palette("husl", len(rows))
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 10}):
        figure, ax = plt.subplots(figsize=(8.6, 6), layout="constrained")
        ax.plot([0, 100], [100, 0], color="#777777", linewidth=1, linestyle="--")
        ax.text(
            30, 71, "Mem + For = 100: harm to all alike", rotation=-45, color="#777777",
            ha="center", va="bottom", rotation_mode="anchor", transform_rotates_text=True,
        )  # fmt: skip
        _levels(ax)
        for row, colour, marker in zip(rows, colours, MARKERS * 2, strict=False):
            front = pareto(row.front)
            if len(front) > 1:
                mem, error = zip(*front, strict=True)
                ax.plot(mem, error, color=colour, linewidth=1, alpha=0.6, zorder=2)
            ax.scatter(
                row.mem, row.for_, s=70, color=[colour], marker=marker, label=row.method.name,
                edgecolors="white", linewidths=0.8, zorder=3,
            )  # fmt: skip
        ax.set(
            xlim=(0, 102),
            ylim=(-2, 102),
            xlabel="Mem, accuracy on what is memorized, %",
            ylabel="For, error on what is forgotten, %",
        )
        ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
        sns.despine(ax=ax)
    return figure


def _levels(ax: Axes) -> None:
    """Where H is 20, 40, 60 and 80."""
    for h in (20, 40, 60, 80):
        mems = [h / 2 + 0.2 + (100 - h / 2 - 0.2) * i / 200 for i in range(201)]
        curve = [(mem, h * mem / (2 * mem - h)) for mem in mems]
        inside = [(mem, error) for mem, error in curve if error <= 100]
        ax.plot(*zip(*inside, strict=True), color="#cccccc", linewidth=0.8, zorder=1)
        ax.text(100.4, inside[-1][1], f"H {h}", color="#999999", size=8, va="center")


def pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other one beats in both, by rising Mem."""
    front: list[tuple[float, float]] = []
    for point in sorted((p for p in points if p[0] == p[0] and p[1] == p[1]), reverse=True):
        if not front or point[1] > front[-1][1]:
            front.append(point)
    return front[::-1]
