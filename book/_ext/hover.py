"""Terms explain themselves: what the glossary says, shown beside a link to it."""

from __future__ import annotations

import json
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

GLOSSARY, DEFINITIONS, SCRIPT = "book/glossary", "definitions.js", "hover.js"


def definitions(glossary: nodes.document) -> dict[str, str]:
    """What the glossary says of each term, as plain text, by the id that links lead to."""
    found = {}
    for item in glossary.findall(nodes.definition_list_item):
        (definition,) = (part for part in item if isinstance(part, nodes.definition))
        text = definition.deepcopy()
        for reference in list(text.findall(addnodes.pending_xref)):
            if reference["refdomain"] == "cite":
                reference.parent.remove(reference)
        said = " ".join(text.astext().split()).replace(" .", ".").replace(" ,", ",")
        for term in item.findall(nodes.term):
            found |= dict.fromkeys(term["ids"], said)
    return found


def write(app: Sphinx, exception: Exception | None) -> None:
    """Put them where pages opened from disk can read them: in a script, as nothing is fetched."""
    if exception or app.builder.format != "html":
        return
    found = definitions(app.env.get_doctree(GLOSSARY))
    if not found:
        raise ValueError(f"{GLOSSARY} defines no term")
    text = json.dumps(found, ensure_ascii=False, indent=0, sort_keys=True)
    path = Path(app.outdir) / "_static" / DEFINITIONS
    path.write_text(f"window.DEFINITIONS = {text};\n", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    for name in (DEFINITIONS, SCRIPT):
        app.add_js_file(name, loading_method="defer")
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
