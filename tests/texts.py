"""What a reader cannot read in a figure: text cut off, text over text, a legend over lines."""

from functools import wraps
from itertools import combinations
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox


def drawn(figure: Figure) -> list[Text]:
    """The texts that are drawn: of an axis' labels, those in sight."""
    found: list[Text] = []
    real = Text.draw

    @wraps(real)
    def draw(self: Text, renderer: Any) -> None:
        if self.get_visible() and self.get_text().strip():
            found.append(self)
        real(self, renderer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", draw)
        figure.canvas.draw()
    return found


def unreadable(figure: Figure) -> list[str]:
    """A line for each fault; slanted text is not compared with other text."""
    texts = drawn(figure)
    width, height = figure.canvas.get_width_height()
    places = [(text, text.get_window_extent()) for text in texts]
    found = [
        f"{text.get_text()!r} leaves the canvas"
        for text, at in places
        if at.x0 < -1 or at.y0 < -1 or at.x1 > width + 1 or at.y1 > height + 1
    ]
    upright = [(text, at.padded(-1)) for text, at in places if text.get_rotation() % 90 == 0]
    for (one, here), (other, there) in combinations(upright, 2):
        if Bbox.intersection(here, there):
            found.append(f"{one.get_text()!r} lies over {other.get_text()!r}")
    for axes in figure.findobj(Axes):
        if legend := axes.get_legend():
            box = legend.get_window_extent()
            ways = (line.get_path().transformed(line.get_transform()) for line in axes.lines)
            if any(way.intersects_bbox(box, filled=False) for way in ways):
                found.append(f"the legend of {axes.get_title()!r} lies over a line")
    return found
