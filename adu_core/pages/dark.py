"""A figure for dark pages: greys are inverted, colours stay."""

from __future__ import annotations

import base64
import colorsys
import contextlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection, QuadMesh
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine

#: Where the metadata of a notebook's output hold the dark picture, of a light one of this type.
LIGHT, DARK = "image/png", "dark"
#: White becomes this dark and black this light, so that neither glares.
DARKEST, LIGHTEST = 0.08, 0.93
#: Colours of less saturation than this are greys.
GREY = 0.12

_PARTS = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


def turned(colours: Any) -> np.ndarray:
    """Colours as matplotlib takes them → (N, 4): greys by lightness turned round, alpha kept."""
    rgba = np.array(to_rgba_array(colours), dtype=float)
    for row in rgba:
        _, lightness, saturation = colorsys.rgb_to_hls(*row[:3])
        if saturation < GREY or lightness in (0, 1):
            row[:3] = LIGHTEST - (LIGHTEST - DARKEST) * lightness
    return rgba


@contextlib.contextmanager
def placed(figure: Figure) -> Iterator[None]:
    """Inside of it, everything has its place: the layout is sought once, not for every drawing."""
    engine = figure.get_layout_engine()
    if isinstance(engine, PlaceHolderLayoutEngine):  # it was sought already
        yield
        return
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    try:
        yield
    finally:
        if engine is not None:
            figure.set_layout_engine(engine)


@contextlib.contextmanager
def darkened(figure: Figure) -> Iterator[None]:
    """Inside of it, the figure is drawn for a dark page; afterwards it is as it was.

    Pictures, and what has a colour, stay; so does text that stands on them.
    """
    with placed(figure):
        stay = _stay(figure)
        artists = [artist for artist in figure.findobj() if id(artist) not in stay]
        # All are read before any is changed: one part's colour may be that of another.
        parts = [found for artist in artists for part in _PARTS if (found := _part(artist, part))]
        try:
            for put, _, new in parts:
                put(new)
            yield
        finally:
            for put, old, _ in parts:
                put(old)


def _stay(figure: Figure) -> set[int]:
    """The texts that stand on a picture, a heat map, or a patch that keeps its colour."""
    found: set[int] = set()
    for axes in figure.findobj(Axes):
        pictures = axes.images or any(isinstance(each, QuadMesh) for each in axes.collections)
        coloured = [
            patch.get_window_extent()
            for patch in axes.patches
            if patch.get_fill() and _keeps(patch.get_facecolor())
        ]
        for text in axes.texts:
            place = text.get_window_extent()
            middle = (place.x0 + place.x1) / 2, (place.y0 + place.y1) / 2
            inside = pictures and axes.get_window_extent().contains(*middle)
            if inside or any(patch.contains(*middle) for patch in coloured):
                found.add(id(text))
    return found


def _keeps(colour: Any) -> bool:
    rgba = to_rgba_array(colour)
    return bool(rgba[0, 3] > 0.5 and np.allclose(rgba, turned(colour)))


def _part(artist: Artist, part: str) -> tuple[Callable[[Any], Any], Any, Any] | None:
    """What sets one part's colour, that colour, and the same turned; None if it has none."""
    get, put = (getattr(artist, f"{verb}_{part}", None) for verb in ("get", "set"))
    if get is None or put is None:
        return None
    if isinstance(artist, Collection) and (part == "color" or artist.get_array() is not None):
        return None
    old = get()
    if isinstance(old, str) and old in {"none", "auto", "face"}:
        return None
    new = turned(old)
    if isinstance(artist, Collection):
        return put, old, new
    return put, old if isinstance(old, str) else tuple(old), tuple(new[0])


def dark_png(figure: Figure) -> bytes:
    """The figure for a dark page, on a transparent ground, as a PNG."""
    with darkened(figure):
        return _cut_out(figure, transparent=True)


def _cut_out(figure: Figure, transparent: bool | None = None) -> bytes:
    """A placed figure without its empty margins, as a PNG."""
    buffer, margin = BytesIO(), mpl.rcParams["savefig.pad_inches"]
    box = figure.get_tightbbox().padded(margin)  # what "tight" is, without a drawing of its own
    figure.savefig(buffer, format="png", dpi="figure", bbox_inches=box, transparent=transparent)
    return buffer.getvalue()


def keep_both() -> None:
    """From now on, a notebook's outputs hold each figure twice; nothing without a notebook.

    The dark one is in the metadata of the light one: whoever knows nothing of it shows the latter.
    """
    from IPython import get_ipython  # late: nothing but a notebook needs it

    shell = get_ipython()
    if shell is None or shell.display_formatter is None:
        return

    def both(figure: Figure, include: Any = None, exclude: Any = None) -> tuple[Any, Any]:  # noqa: ARG001
        with placed(figure):
            light, dark = _cut_out(figure), dark_png(figure)
        return {LIGHT: light}, {LIGHT: {DARK: base64.b64encode(dark).decode()}}

    shell.display_formatter.mimebundle_formatter.for_type(Figure, both)
