"""A figure or a text with knobs, for a live notebook: redrawn when one of them moves."""

from __future__ import annotations

import html
from collections.abc import Callable
from io import BytesIO
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
from matplotlib.figure import Figure


def knobs(draw: Callable[..., Any], **controls: Any) -> ipywidgets.VBox:
    """What ``draw`` returns, under ``controls``: ipywidgets, named as its arguments.

    A figure is shown as a picture, anything else as its text. A slider acts when it is let go.
    Unlike ``ipywidgets.interact`` this has no Output widget: with one, notebooks executed by
    nbclient hang now and then.
    """
    picture, text = ipywidgets.Image(format="png"), ipywidgets.HTML()

    def show(_change: object = None) -> None:
        text.value = "…"
        result = draw(**{name: control.value for name, control in controls.items()})
        if isinstance(result, Figure):
            buffer = BytesIO()
            result.savefig(buffer, format="png", dpi=110, facecolor="white")
            plt.close(result)
            picture.value, result = buffer.getvalue(), ""
        text.value = f"<pre>{html.escape(str(result))}</pre>"

    for name, control in controls.items():
        control.description = control.description or name
        if hasattr(control, "continuous_update"):
            control.continuous_update = False
        control.observe(show, "value")
    show()
    return ipywidgets.VBox([*controls.values(), text, picture])
