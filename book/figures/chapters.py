"""Draw the map of the chapters into ``book/static/chapters.svg`` and ``.png``.

Run: python book/figures/chapters.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

STATIC = Path(__file__).parents[1] / "static"
WIDTH, HEIGHT = 2.7, 1.02  # of a box, in inches
LEFT, RIGHT, MIDDLE = 1.45, 4.75, 3.1  # the columns' middles

START, LOOK, BUILD, WHOLE = "", "what there is", "what learns", "all together"

# number: (title, what it is about, group, x, y)
CHAPTERS = {
    0: ("Start here", "why, and how to run it", START, MIDDLE, 9.0),
    1: ("CLIP sees everything", "accuracy in every domain", LOOK, LEFT, 7.4),
    2: ("Domains as data", "class and domain of a picture", LOOK, LEFT, 5.8),
    3: ("Entangled", "features, seen and measured", LOOK, LEFT, 4.2),
    4: ("Prompts", "tokens that steer a frozen CLIP", BUILD, RIGHT, 7.4),
    5: ("The naive way", "memorize, forget, and its price", BUILD, RIGHT, 5.8),
    6: ("DDL", "a loss that pulls domains apart", BUILD, LEFT, 2.6),
    7: ("InstaPG", "prompts for each picture", BUILD, RIGHT, 2.6),
    8: ("ADU, whole", "all parts, measured fairly", WHOLE, MIDDLE, 0.8),
}
# Read the first before the second.
NEEDS = ((0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (2, 5), (3, 6), (5, 6), (5, 7), (6, 8), (7, 8))


def draw_box(ax: Axes, number: int, colour: tuple[float, float, float]) -> None:
    """One chapter: its number and title, and what it is about."""
    title, about, _, x, y = CHAPTERS[number]
    corner = x - WIDTH / 2, y - HEIGHT / 2
    box = FancyBboxPatch(
        corner, WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.12", linewidth=1.6
    )
    box.set(facecolor=sns.set_hls_values(colour, l=0.92), edgecolor=colour)
    ax.add_patch(box)
    ax.text(x, y + 0.17, f"{number}  {title}", size=14, weight="bold", ha="center", va="center")
    ax.text(x, y - 0.22, about, size=11, color="#333333", ha="center", va="center")


def draw_arrow(ax: Axes, first: int, second: int) -> None:
    """From the edge of one box to the edge of another."""
    *_, x1, y1 = CHAPTERS[first]
    *_, x2, y2 = CHAPTERS[second]
    if y1 == y2:
        start, end = (x1 + WIDTH / 2, y1), (x2 - WIDTH / 2, y2)
    elif x1 == x2:
        start, end = (x1, y1 - HEIGHT / 2), (x2, y2 + HEIGHT / 2)
    else:
        aside = (0.45 if second == 6 else 0.25) * WIDTH * (1 if x2 > x1 else -1)
        start = (x1 + aside, y1 - HEIGHT / 2)  # the way to 6 leads past the corner of 3
        end = (x2 - aside, y2 + HEIGHT / 2)
    style = {"arrowstyle": "-|>", "mutation_scale": 18, "linewidth": 1.6, "color": "#555555"}
    ax.annotate("", xy=end, xytext=start, arrowprops=style | {"shrinkA": 2, "shrinkB": 2})


def draw_map() -> plt.Figure:
    """The map, 6.2 by 9.6 inches: narrow enough for a phone held upright."""
    fig = plt.figure(figsize=(6.2, 9.6), facecolor="white")
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, 6.2), ylim=(0.1, 9.7))
    ax.axis("off")
    # No colour of a domain: these mean something else.
    hexes = {START: "#777777", LOOK: "#5b6478", BUILD: "#7a4f86", WHOLE: "#7d3c3c"}
    colours = {group: mpl.colors.to_rgb(colour) for group, colour in hexes.items()}
    for pair in NEEDS:
        draw_arrow(ax, *pair)
    for number, (_, _, group, _, _) in CHAPTERS.items():
        draw_box(ax, number, colours[group])
    labels = (
        (LOOK, LEFT - WIDTH / 2, 8.12, "left"),
        (BUILD, RIGHT + WIDTH / 2, 8.12, "right"),
        (WHOLE, RIGHT + WIDTH / 2, 0.8, "right"),
    )
    for group, x, y, side in labels:
        dark = sns.set_hls_values(colours[group], l=0.25)
        ax.text(x, y, group, size=13, color=dark, style="italic", ha=side, va="center")
    return fig


def main() -> None:
    """Write both files, the same bytes every time."""
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "chapters"}):
        fig = draw_map()
        fig.savefig(STATIC / "chapters.svg", metadata={"Date": None})
        fig.savefig(STATIC / "chapters.png", dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    main()
