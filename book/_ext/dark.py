"""Figures on dark pages: beside each light picture stands the dark one, if it has one.

A notebook's outputs hold it in their metadata: MyST-NB writes the light pictures to files that are
named by their hash. Of other pictures it is the file of the same name that ends in ``-dark``. The
theme shows one of the two.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from adu_core.pages.dark import DARK, LIGHT


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
    found = dict(pairs(path)) if path.suffix == ".ipynb" else {}
    for image in list(doctree.findall(nodes.image)):
        places = Path(app.srcdir) / image["uri"].lstrip("/"), path.parent / image["uri"]
        file = next((place for place in places if place.is_file()), places[0])
        dark = file.with_stem(f"{file.stem}-dark")
        if file.stem in found:
            dark.write_bytes(found[file.stem])
        elif not dark.is_file():
            continue
        twin = image.deepcopy()
        twin["uri"] = str(Path(image["uri"]).with_name(dark.name))
        image["classes"] = [*image["classes"], "only-light"]
        twin["classes"] = [*twin["classes"], "only-dark"]
        image.parent.insert(image.parent.index(image) + 1, twin)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this. Before images are collected: priority below 500."""
    app.connect("doctree-read", add_dark, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
