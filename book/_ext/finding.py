"""What the bench found, as a picture for the front page: ``book/static/bench.svg``.

It is drawn from the bench's records when the book is built, with a version for dark pages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from computed import bench_rows
from diagram import write
from sphinx.application import Sphinx
from sphinx.config import Config

from adu_core.rivals.methods import method

TRAINED, FREE = "#de8f05", "#0173b2"


def draw(world: dict[str, dict[str, Any]], pacs: dict[str, dict[str, Any]]) -> plt.Figure:
    """H of each method with its interval: a bar on the drawn world, a dot on PACS.

    world, pacs: the means of each method by its name, those of ``world`` by falling H
    """
    figure, axes = plt.subplots(figsize=(7.6, 5.2), layout="constrained")
    figure.set_facecolor("white")
    names = list(world)[::-1]
    for place, name in enumerate(names):
        row = world[name]
        colour = TRAINED if method(name).trained else FREE
        axes.barh(place, row["h"], color=colour, height=0.72, alpha=0.55)
        axes.errorbar(row["h"], place, xerr=row["h ±"], color=colour, linewidth=2)
        dot = pacs[name]
        axes.errorbar(dot["h"], place, xerr=dot["h ±"], fmt="o", color="#222222", markersize=5)
    axes.set(xlim=(0, 100), xlabel="H, %", ylim=(-0.6, len(names) - 0.4))
    axes.set_yticks(range(len(names)), names)
    axes.spines[["top", "right"]].set_visible(False)
    for label, colour in (("nothing is trained", FREE), ("trained", TRAINED)):
        axes.barh(-9, 0, color=colour, alpha=0.55, label=label)
    axes.errorbar([], [], xerr=[], fmt="o", color="#222222", markersize=5, label="on PACS")
    axes.legend(loc="lower right", frameon=False)
    return figure


def write_all(app: Sphinx, config: Config) -> None:  # noqa: ARG001
    """The picture, from the records."""
    book = Path(app.srcdir) / "book"
    rows = (bench_rows(book / "results/bench" / data) for data in ("world", "pacs"))
    write(draw(*rows), book / "static/bench.svg")


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("config-inited", write_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
