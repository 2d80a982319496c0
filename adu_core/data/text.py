"""Lists in text files, from any operating system: their lines, and the content of a line."""

from __future__ import annotations

import codecs
import re
from pathlib import Path, PurePosixPath, PureWindowsPath

from adu_core.data.picture import PictureError

#: What a file in each of these encodings begins with; the longer marks first.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_ENTRY = re.compile(r"(?P<name>.*[^\s,;])(?:\s*[,;]\s*|\s+)(?P<label>[^\s,;]+)")
_HEADERS = frozenset({"label", "labels", "class", "class_id", "target", "y"})


def lines_of(path: Path) -> list[tuple[int, str]]:
    """The lines that say something, with their numbers: neither blank nor beginning with ``#``.

    Of UTF-8, or whatever the mark at the file's beginning says, and with any system's line ends.
    """
    try:
        raw = path.read_bytes()
        named = next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8")
        text = raw.decode(named)
    except OSError as error:
        raise PictureError(f"the list {path} cannot be read: {error}") from None
    except UnicodeDecodeError as error:
        line = len(re.findall(b"\r\n|\r|\n", raw[: error.start])) + 1
        raise PictureError(
            f"the list {path} cannot be read as {named.upper()}: line {line} has the byte "
            f"{raw[error.start]:#04x}; save the list as UTF-8"
        ) from None
    if "\0" in text:
        raise PictureError(
            f"the list {path} has bytes that are 0: it is no text, or UTF-16 without its mark; "
            "save the list as UTF-8"
        )
    lines = enumerate(re.split(r"\r\n|\r|\n", text), 1)
    return [(n, line.strip()) for n, line in lines if line.strip() and line.strip()[0] != "#"]


def entry_of(line: str) -> tuple[PurePosixPath, int] | str:
    r"""A picture's path and its label, or what is wrong with the line.

    Blanks, a tab, a comma or a semicolon part them, and either may be quoted; ``\`` parts folders
    where no ``/`` does.
    """
    entry = _ENTRY.fullmatch(line)
    if not entry:
        return "it has no label at its end"
    name, label = (_unquoted(entry[part]) for part in ("name", "label"))
    if not re.fullmatch("[0-9]{1,9}", label):
        return f"its label {label!r} is no whole number from 0"
    if "/" not in name or re.match(r"[A-Za-z]:\\", name):
        name = PureWindowsPath(name).as_posix()
    path = PurePosixPath(name)
    return (path, int(label)) if len(path.parts) > 1 else "its picture lies in no class's folder"


def is_header(line: str) -> bool:
    """Whether a line only names the columns."""
    entry = _ENTRY.fullmatch(line)
    return entry is not None and _unquoted(entry["label"]).lower() in _HEADERS


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1].strip() if quoted else text
