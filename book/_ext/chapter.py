"""Under a chapter's title: how long it took when this page was made, and the ways to run it."""

from __future__ import annotations

import json
import os
import tomllib
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

HOW_TO_RUN = "/book/index"


def address(app: Sphinx) -> str | None:
    """The repository's address as pyproject.toml has it, or None while there is none."""
    project = tomllib.loads((Path(app.srcdir) / "pyproject.toml").read_text(encoding="utf-8"))
    url: str | None = project["project"].get("urls", {}).get("Repository")
    return url


def seconds(notebook: Path) -> float | None:
    """From the first cell's start to the last one's end, as nbclient has noted it in the cells."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    times = [cell["metadata"]["execution"] for cell in cells if "execution" in cell["metadata"]]
    stamps = sorted(datetime.fromisoformat(t) for each in times for t in each.values())
    return (stamps[-1] - stamps[0]).total_seconds() if stamps else None


def add_facts(app: Sphinx, doctree: nodes.document) -> None:
    """Put the line under the title of every notebook's page."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    line = nodes.paragraph(classes=["chapter-facts"])
    if (took := seconds(path)) is not None:
        measured = f"Runs in {took:.0f} s on {os.cpu_count()} CPU cores"
        line += nodes.Text(f"{measured}, measured when this page was made. ")
    url = address(app)
    if url and urlsplit(url).hostname == "github.com":
        place = f"{urlsplit(url).path}/blob/main/notebooks/{path.name}"
        line += nodes.reference(
            "", "Open in Colab", refuri=f"https://colab.research.google.com/github{place}"
        )
        line += nodes.Text(" · ")
    download = addnodes.download_reference("", "", refdoc=app.env.docname, reftarget=path.name)
    download += nodes.Text("Download the notebook")
    line += download
    line += nodes.Text(" · ")
    local = addnodes.pending_xref(
        "",
        refdomain="std",
        reftype="doc",
        reftarget=HOW_TO_RUN,
        refdoc=app.env.docname,
        refexplicit=True,
        refwarn=True,
    )
    local += nodes.inline("", "Run it on your machine")
    line += local
    next(doctree.findall(nodes.title)).parent.insert(1, line)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this. Before images and downloads are collected: priority below 500."""
    app.connect("doctree-read", add_facts, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
