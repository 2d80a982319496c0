"""The library's docstrings as reStructuredText: lists of names, sentences with colons, bars."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

from sphinx.application import Sphinx

ENTRY = re.compile(r"(?P<names>\w+(?:, \w+)*): +(?P<text>\S.*)")
LITERAL = re.compile(r"(``.*?``)")


def as_list(paragraph: list[str]) -> list[str]:
    """``name:  text`` line after line, continued by indented lines, becomes a bulleted list."""
    if not ENTRY.match(paragraph[0]):
        return paragraph
    if not all(ENTRY.match(line) or line.startswith("  ") for line in paragraph):
        return paragraph
    lines = []
    for line in paragraph:
        entry = ENTRY.match(line)
        lines.append(f"- ``{entry['names']}``: {entry['text']}" if entry else f"  {line.strip()}")
    return lines


def without_bars(line: str) -> str:
    """``|`` outside of literals would start a substitution."""
    parts = LITERAL.split(line)
    return "".join(part if part.startswith("``") else part.replace("|", r"\|") for part in parts)


def mend(_app: Sphinx, what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Called for each docstring; changes ``lines`` in place."""
    if what in ("attribute", "data", "property") and ": " in lines[0]:
        # Napoleon would take what stands before the colon for a type, were it not at the end.
        before, after = lines[0].split(": ", 1)
        lines[:1] = [f"{before}:", after]
    mended: list[str] = []
    for blank, group in groupby(lines, key=lambda line: not line.strip()):
        paragraph = list(group)
        first = not any(mended)  # the summary line is a sentence, whatever it begins with
        mended += paragraph if blank or first else as_list(paragraph)
    lines[:] = [without_bars(line) for line in mended]


def leave_out(
    _app: Sphinx, _what: str, _name: str, obj: Any, _skip: bool, _options: Any
) -> bool | None:
    """A named tuple's class explains its fields; Python's own text for each says nothing."""
    return True if (obj.__doc__ or "").startswith("Alias for field number") else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this. Before napoleon: priority below 500."""
    app.connect("autodoc-process-docstring", mend, priority=400)
    app.connect("autodoc-skip-member", leave_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
