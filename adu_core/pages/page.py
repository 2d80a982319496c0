"""Part of a page: markup, data, style and script in one string."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Piece:
    """Shown by Jupyter, and kept in the rendered page; ``html`` is all of it."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


def piece(kind: str, data: dict[str, Any], *, label: str) -> Piece:
    """The interactive ``kind``, whose ``<kind>.js`` is called with its element and ``data``.

    ``label`` says what it is to readers who do not see it. Nothing in it asks the network.
    """
    folder = files(__package__)
    style, controls, script = (
        (folder / name).read_text(encoding="utf-8")
        for name in ("style.css", "controls.js", f"{kind}.js")
    )
    payload = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    number = hashlib.sha256(payload.encode()).hexdigest()[:12]
    return Piece(
        f'<div class="adu-interactive" id="adu-{number}" role="group" '
        f'aria-label="{html.escape(label)}"><style>{style}</style></div>\n'
        f"<script>(() => {{\n{controls}\n{script}\n"
        f'{kind}(document.getElementById("adu-{number}"), {payload});\n}})();</script>'
    )


def data_url(picture: Image.Image, kind: str = "webp", **options: Any) -> str:
    """A picture as an address that holds the picture itself."""
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
