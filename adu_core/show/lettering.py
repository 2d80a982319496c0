"""The text in figures: names in any script, complete, and without overlap."""

from __future__ import annotations

import contextlib
import textwrap
import warnings
from collections.abc import Iterator, Sequence

import matplotlib as mpl
from matplotlib.font_manager import fontManager

from adu_core.show.names import printable, width

#: Where one has no such letter, the next that is installed is asked.
FONTS = (
    "DejaVu Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans", "Hiragino Sans",
    "PingFang SC", "Yu Gothic", "Microsoft YaHei", "Malgun Gothic", "Arial Unicode MS",
)  # fmt: skip
#: A name has at most so many characters a line, and so many lines: 64 characters are drawn.
COLUMNS, LINES = 16, 4


def lettering(size: float) -> contextlib.AbstractContextManager[None]:
    """Text made inside of it has this size, in points, and a $ is a $."""
    there = {font.name for font in fontManager.ttflist}
    families = [name for name in FONTS if name in there]
    return mpl.rc_context({"font.family": families, "font.size": size, "text.parse_math": False})


@contextlib.contextmanager
def any_script() -> Iterator[None]:
    """Drawing inside of it does not warn of letters that no font has; they are drawn as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from")
        yield


def wrapped(name: str, columns: int = COLUMNS) -> str:
    """A name in lines of so many columns; what more than ``LINES`` of them hold ends in "…"."""
    name = printable(name)
    if width(name) > len(name):
        columns //= 2
    return "\n".join(textwrap.wrap(name, columns, max_lines=LINES, placeholder="…"))


def lines(texts: Sequence[str]) -> int:
    """How many lines the longest of them has."""
    return max(text.count("\n") + 1 for text in texts)


def columns(texts: Sequence[str]) -> int:
    """How many columns the widest line of them has."""
    return max(width(line) for text in texts for line in text.split("\n"))
