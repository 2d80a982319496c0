"""Figures of the notebooks on dark pages: each output holds a dark picture beside the light one.

MyST-NB writes the light pictures to files that are named by their hash; beside each stands, with
the theme's classes that show one of the two, the dark one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from adu_core.show.dark import DARK, LIGHT


def pairs(notebook: Path) -> Iterator[tuple[str, bytes]]:
    """The name of each light picture's file, and the dark picture."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    for output in (each for cell in cells for each in cell.get("outputs", [])):
        dark = output.get("metadata", {}).get(LIGHT, {}).get(DARK)
        if dark is not None:
            light = base64.b64decode("".join(output["data"][LIGHT]))
            yield hashlib.sha256(light).hexdigest(), base64.b64decode(dark)


def add_dark(app: Sphinx, doctree: nodes.document) -> None:
    """A second image after each that has a dark one."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    found = dict(pairs(path))
    for image in list(doctree.findall(nodes.image)):
        file = Path(app.srcdir) / image["uri"].lstrip("/")
        if file.stem not in found:
            file = path.parent / image["uri"]
        if file.stem not in found:
            continue
        twin = image.deepcopy()
        dark = file.with_stem(f"{file.stem}-dark")
        dark.write_bytes(found[file.stem])
        twin["uri"] = str(Path(image["uri"]).with_name(dark.name))
        image["classes"] = [*image["classes"], "only-light"]
        twin["classes"] = [*twin["classes"], "only-dark"]
        image.parent.insert(image.parent.index(image) + 1, twin)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this. Before images are collected: priority below 500."""
    app.connect("doctree-read", add_dark, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
