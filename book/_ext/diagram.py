"""ADU as one picture: the whole method, and under each chapter's title where in it we are.

The pictures are drawn when the book is built, ``book/static/method.svg`` and, for each chapter,
``method-NN.svg``; beside each a version for dark pages.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from docutils import nodes
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from sphinx.application import Sphinx
from sphinx.config import Config

from adu_core.pages.dark import darkened

FROZEN, LEARNED, LOSS = "#8a8a8a", "#0173b2", "#c2410c"
FAINT = "#bbbbbb"

# name: (text, kind, x, y, width, height), the middle of each box, in tenths of an inch
BOXES = {
    "picture": ("picture", FROZEN, 5, 26, 8, 6),
    "patches": ("patch\ntokens", FROZEN, 17, 26, 8, 6),
    "block0": ("block", FROZEN, 30, 26, 8, 6),
    "block1": ("block", FROZEN, 43, 26, 8, 6),
    "block2": ("block", FROZEN, 56, 26, 8, 6),
    "feature": ("feature", FROZEN, 69, 26, 9, 6),
    "prompts0": ("prompts", LEARNED, 30, 14, 9, 5),
    "prompts1": ("prompts", LEARNED, 43, 14, 9, 5),
    "prompts2": ("prompts", LEARNED, 56, 14, 9, 5),
    "instapg": ("InstaPG: prompts attend to patches", LEARNED, 43, 4, 44, 5),
    "words": ("“a photo of a {class}”", FROZEN, 30, 38, 24, 5),
    "text": ("text tower", FROZEN, 52, 38, 13, 5),
    "sentences": ("class features", FROZEN, 71, 38, 15, 5),
    "logits": ("class logits", FROZEN, 88, 32, 12, 5),
    "domains": ("domain classifier", LEARNED, 86, 20, 20, 5),
    "memorize": (r"$L_\mathrm{memorize}$: correct class", LOSS, 112, 38, 31, 5),
    "forget": (r"$L_\mathrm{forget}$: all classes equal", LOSS, 112, 29, 31, 5),
    "find": (r"$\gamma\,L_\mathrm{CE}$: find the domain", LOSS, 113, 20, 29, 5),
    "mmd": (r"$-\lambda\,\mathrm{MMD}^2$: pull domains apart", LOSS, 112, 11, 31, 5),
}
# From one box to another; what stands above a line is not drawn again.
ARROWS = (
    ("picture", "patches"), ("patches", "block0"), ("block0", "block1"), ("block1", "block2"),
    ("block2", "feature"), ("prompts0", "block0"), ("prompts1", "block1"),
    ("prompts2", "block2"), ("words", "text"), ("text", "sentences"), ("sentences", "logits"),
    ("feature", "logits"), ("feature", "domains"), ("logits", "memorize"),
    ("logits", "forget"), ("domains", "find"), ("feature", "mmd"), ("instapg", "prompts1"),
    ("instapg", "prompts2"), ("patches", "instapg"), ("prompts0", "instapg"),
)  # fmt: skip
BENT = {("patches", "instapg"), ("feature", "mmd")}
PROMPTS = ("prompts0", "prompts1", "prompts2")
BLOCKS = ("block0", "block1", "block2")
SEPARATE = ("domains", "find", "mmd")
#: What each chapter is about, by the number of its file; the whole where nothing stands.
LIT = {
    "01": ("picture", "patches", *BLOCKS, "feature", "words", "text", "sentences", "logits"),
    "02": ("picture", "feature"),
    "03": PROMPTS,
    "04": ("memorize", "forget"),
    "05": SEPARATE,
    "06": ("instapg",),
    "07": tuple(BOXES),
    "08": tuple(BOXES),
    "09": ("instapg", *SEPARATE),
    "10": SEPARATE,
    "11": ("feature", "logits"),
    "12": ("feature", "sentences"),
    "13": (*BLOCKS, "feature", "words", "sentences", "logits"),
    "14": ("feature", "logits"),
    "15": ("picture", *BLOCKS, "feature"),
}


def draw(lit: Collection[str]) -> plt.Figure:
    """The diagram with some boxes in their colours, all others faint; 11 by 3.7 inches."""
    figure = plt.figure(figsize=(11, 3.7), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 128), ylim=(0, 43))
    axes.axis("off")
    whole = len(lit) == len(BOXES)
    for first, second in ARROWS:
        _arrow(axes, first, second, {first, second} <= set(lit))
    for name in BOXES:
        _box(axes, name, name in lit, whole)
    if whole:
        for text, colour, y in (
            ("frozen", FROZEN, 6.5),
            ("learned", LEARNED, 4),
            ("loss", LOSS, 1.5),
        ):
            axes.text(5, y, text, color=colour, size=11, weight="bold", va="center")
    return figure


def _box(axes: Axes, name: str, lit: bool, whole: bool) -> None:
    text, colour, x, y, width, height = BOXES[name]
    box = FancyBboxPatch(
        (x - width / 2, y - height / 2), width, height,
        boxstyle="round,pad=0,rounding_size=1.2", linewidth=2.2 if lit else 1.0,
    )  # fmt: skip
    lit_colour = "#222222" if colour == FROZEN and not whole else colour
    box.set(facecolor="white", edgecolor=lit_colour if lit else FAINT)
    axes.add_patch(box)
    axes.text(
        x, y, text, size=11, ha="center", va="center", color="#222222" if lit else "#777777",
        weight="bold" if lit and colour != FROZEN else "normal",
    )  # fmt: skip


def _arrow(axes: Axes, first: str, second: str, lit: bool) -> None:
    *_, x1, y1, w1, h1 = BOXES[first]
    *_, x2, y2, w2, h2 = BOXES[second]
    if abs(y2 - y1) > (h1 + h2) / 2 and abs(x2 - x1) < (w1 + w2) / 2:
        up = 1 if y2 > y1 else -1
        x = x2 if w2 < w1 else x1
        start, end = (x, y1 + up * h1 / 2), (x, y2 - up * h2 / 2)
    else:
        start, end = (x1 + w1 / 2, y1), (x2 - w2 / 2, y2)
    bend = (first, second) in BENT
    if bend:
        start, end = (x1, y1 - h1 / 2), (x2 - w2 / 2, y2)
    arrow = FancyArrowPatch(
        start, end, arrowstyle="-|>", mutation_scale=11, shrinkA=1, shrinkB=1, linewidth=1.4,
        connectionstyle="angle,angleA=-90,angleB=0" if bend else "arc3",
    )  # fmt: skip
    arrow.set_color("#555555" if lit else FAINT)
    axes.add_patch(arrow)


def write(figure: plt.Figure, path: Path) -> None:
    """The figure as SVG, the same bytes every time, and its version for dark pages beside it."""
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": path.stem}):
        figure.savefig(path, metadata={"Date": None})
        with darkened(figure):
            dark = path.with_stem(f"{path.stem}-dark")
            figure.savefig(dark, transparent=True, metadata={"Date": None})
    plt.close(figure)


def write_all(app: Sphinx, config: Config) -> None:  # noqa: ARG001
    """The whole, and a picture for each chapter."""
    static = Path(app.srcdir) / "book/static"
    write(draw(BOXES), static / "method.svg")
    for number, lit in LIT.items():
        write(draw(lit), static / f"method-{number}.svg")


def add_place(app: Sphinx, doctree: nodes.document) -> None:
    """Under a chapter's title, and the line of facts there, where in the method it is."""
    path = Path(app.env.doc2path(app.env.docname))
    number = path.name[:2]
    if path.suffix != ".ipynb" or number not in LIT:
        return
    what = ", ".join(BOXES[name][0].replace("\n", " ").replace("$", "") for name in LIT[number])
    alt = f"The method as boxes and arrows. This chapter is about: {what}."
    if set(LIT[number]) == set(BOXES):
        alt = "The method as boxes and arrows, all of which this chapter is about."
    image = nodes.image(uri=f"/book/static/method-{number}.svg", alt=alt, classes=["where"])
    section = next(doctree.findall(nodes.title)).parent
    section.insert(1, nodes.container("", image, classes=["wide"]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this. Before the line of facts, which goes above; before images are read."""
    app.connect("config-inited", write_all)
    app.connect("doctree-read", add_place, priority=90)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
