"""Names with any characters, made safe for a terminal and for Markdown."""

from __future__ import annotations

import re
from unicodedata import combining, east_asian_width

#: What can mean something else than itself in the Markdown of GitHub and of this book.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|$~&#^]")


def printable(text: str) -> str:
    """Fit for one line: characters that cannot be seen are escaped."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def width(text: str) -> int:
    """How many columns a terminal takes for it: two for a wide character, none for an accent."""
    return sum(
        0 if combining(each) else 2 if east_asian_width(each) in "WF" else 1 for each in text
    )


def padded(text: str, columns: int) -> str:
    """The text, and spaces up to so many columns."""
    return text + " " * (columns - width(text))


def markdown(text: str) -> str:
    """The text as Markdown that shows it, in a cell of a table too."""
    return _SPECIAL.sub(r"\\\g<0>", printable(text))
