"""A row of figures under a slider: an animation that the reader can stop and rewind."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from adu_core.pages.dark import darkened, placed
from adu_core.pages.page import Piece, data_url, piece


def player(figures: Sequence[Figure], names: Sequence[str], *, alt: str, dpi: int = 150) -> Piece:
    """A scrubbable player of ``figures``, all of one size, closed afterwards.

    It holds every figure twice, and shows those that suit a light or a dark page.

    names:  what each is, such as "epoch 3"
    alt:    what they show, for readers who do not see them

    Raises ``ValueError`` if there is no figure or not one name for each.
    """
    if not figures or len(figures) != len(names):
        raise ValueError(f"{len(names)} names for {len(figures)} figures: one for each, and some")
    light, dark = [], []
    for figure in figures:
        with placed(figure):
            light.append(_frame(figure, dpi))
            with darkened(figure):
                dark.append(_frame(figure, dpi))
        plt.close(figure)
    data = {"light": light, "dark": dark, "names": list(names), "alt": alt}
    return piece("player", data, label=alt)


def _frame(figure: Figure, dpi: int) -> str:
    buffer = BytesIO()
    figure.savefig(buffer, dpi=dpi)
    with Image.open(buffer) as picture:
        return data_url(picture.convert("RGB"), quality=85)
