"""A figure with knobs, for a live notebook: it is drawn anew when one of them moves."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
from matplotlib.figure import Figure


def knobs(draw: Callable[..., Figure], **controls: Any) -> Any:
    """The figure that ``draw`` returns, under ``controls``: ipywidgets, named as its arguments.

    A slider acts when it is let go. Unlike ``ipywidgets.interact`` it has no Output widget: with
    one, notebooks executed by nbclient hang now and then.
    """
    picture = ipywidgets.Image(format="png")
    busy = ipywidgets.Label()

    def show(_change: object = None) -> None:
        busy.value = "…"
        figure = draw(**{name: control.value for name, control in controls.items()})
        buffer = BytesIO()
        figure.savefig(buffer, format="png", dpi=110, facecolor="white")
        plt.close(figure)
        picture.value = buffer.getvalue()
        busy.value = ""

    for name, control in controls.items():
        control.description = control.description or name
        if hasattr(control, "continuous_update"):
            control.continuous_update = False
        control.observe(show, "value")
    show()
    return ipywidgets.VBox([*controls.values(), busy, picture])
