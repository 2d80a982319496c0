"""A figure for dark pages: what is grey turns round, what has a colour keeps it."""

from __future__ import annotations

import base64
import colorsys
import contextlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection, QuadMesh
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure

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
def darkened(figure: Figure) -> Iterator[None]:
    """Inside of it, the figure is drawn for a dark page; afterwards it is as it was.

    Pictures, and what is coloured by a colour map, stay; so does text that stands on them.
    """
    on_pictures = _on_pictures(figure)
    artists = [artist for artist in figure.findobj() if id(artist) not in on_pictures]
    # All are read before any is changed: one part's colour may be that of another.
    parts = [found for artist in artists for part in _PARTS if (found := _part(artist, part))]
    try:
        for put, _, new in parts:
            put(new)
        yield
    finally:
        for put, old, _ in parts:
            put(old)


def _on_pictures(figure: Figure) -> set[int]:
    """The texts that stand on a picture or a heat map."""
    found: set[int] = set()
    for axes in figure.findobj(Axes):
        if axes.images or any(isinstance(each, QuadMesh) for each in axes.collections):
            found |= {id(text) for text in axes.texts}
    return found


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


def dark_png(figure: Figure, dpi: float | None = None) -> bytes:
    """The figure for a dark page, on a transparent ground, as a PNG."""
    buffer = BytesIO()
    with darkened(figure):
        figure.savefig(
            buffer, format="png", dpi=dpi or "figure", transparent=True, bbox_inches="tight"
        )
    return buffer.getvalue()


def keep_both() -> None:
    """From now on, a notebook's outputs hold each figure twice; nothing without a notebook.

    The dark one is in the metadata of the light one: whoever knows nothing of it shows the latter.
    """
    from IPython import get_ipython  # late: nothing but a notebook needs it

    shell = get_ipython()
    if shell is None or shell.display_formatter is None:
        return

    def dark(figure: Figure, include: Any = None, exclude: Any = None) -> tuple[Any, Any]:  # noqa: ARG001
        return {}, {LIGHT: {DARK: base64.b64encode(dark_png(figure)).decode()}}

    shell.display_formatter.mimebundle_formatter.for_type(Figure, dark)
