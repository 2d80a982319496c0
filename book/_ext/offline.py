"""No page asks the network: MathJax is among the book's own files, Thebe is left out."""

from __future__ import annotations

import shutil
from importlib.metadata import files
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

MATHJAX = "tex-svg.js"  # one file that draws formulas as SVG, without fonts


def use_own_mathjax(app: Sphinx) -> None:
    """Sphinx writes this path, under _static, into every page with a formula."""
    app.config.mathjax_path = MATHJAX


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Put the file there, from the installed package that carries it."""
    if exception or app.builder.format != "html":
        return
    for file in files("sphinx-mathjax-offline") or ():
        if file.name == MATHJAX:
            shutil.copyfile(file.locate(), Path(app.outdir) / "_static" / MATHJAX)
            return
    raise FileNotFoundError(f"sphinx-mathjax-offline has no {MATHJAX}: run make setup")


def leave_out_thebe(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Jupyter Book puts Thebe into every page; it would run cells on a server far away."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "thebe" not in f"{script.filename}{script.attributes.get('body')}".lower()
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.connect("builder-inited", use_own_mathjax)
    app.connect("html-page-context", leave_out_thebe)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
