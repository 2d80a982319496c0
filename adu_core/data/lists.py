"""Lists of pictures, as in Dassl's PACS, DomainNet and Mini DomainNet.

``<root>/splits/<domain>_<part>.txt`` holds lines "path label". A path starts from ``<root>`` or
``<root>/images``; labels count from 0 or from 1; a class has the name of the picture's folder.
Parts are ``train``, ``crossval`` (or ``val``) and ``test``; a name may end in ``_kfold``.

A ``test`` list that also holds every training and validation picture, as PACS's do, is a list of
the whole domain: those are removed from it, and if it is then empty, there is no such part.
``adu_core.data.shares`` says how the parts become the shares of a run.
"""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from unicodedata import normalize

import pandas as pd

from adu_core.data.listing import PART_NAMES, Listing, Part
from adu_core.data.messages import preview, warn
from adu_core.data.picture import PictureError
from adu_core.dataset import readable

EXPECTED = (
    "expected <root>/splits/<domain>_train.txt and the like, of lines 'path label' such as "
    "'photo/dog/1.jpg 0'"
)
_FILE = re.compile(
    r"(?P<domain>[^.].*)_(?P<part>train|crossval|val|validation|test)(?:_kfold)?\.txt",
    re.IGNORECASE,
)
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


def list_files(folder: Path) -> dict[tuple[str, Part], Path]:
    """The lists in a folder, by the domain's folder name and the part."""
    found: dict[tuple[str, Part], Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if named := _FILE.fullmatch(path.name):
            part = PART_NAMES[named["part"].lower()]
            twin = found.setdefault((named["domain"], part), path)
            if twin is not path:
                raise PictureError(f"{twin} and {path} list the same part: remove one of them")
    return found


def read_lists(
    root: str | Path,
    splits: str = "splits",
    only: frozenset[str] = frozenset(),
    *,
    skip_bad: bool = False,
) -> Listing:
    """The pictures that the lists in ``<root>/<splits>`` name; no picture is opened.

    only: readable names of the domains to look at; without it, all of them
    skip_bad: leave out pictures that are listed and not there, instead of an error

    Raises ``PictureError`` for lists that contradict themselves, each other, or the disk.
    """
    root = Path(root).expanduser()
    files = list_files(root / splits).items()
    lines = pd.DataFrame(
        line
        for (domain, part), path in files
        if not only or readable(domain) in only
        for line in _read(path, domain, part)
    )
    if lines.empty:
        raise PictureError(f"there are no lists in {root / splits}; {EXPECTED}")
    lines["file"] = lines.path.map(_find(root, lines))
    _check(lines)
    missing = lines.file.isna()
    if missing.any():
        text = f"{missing.sum()} pictures are listed but not in {root}: {_some(lines[missing])}"
        if not skip_bad:
            raise PictureError(
                f"{text}; unpack the pictures whole, correct the lists, or say --skip-bad"
            )
        warn(f"--skip-bad: {text}; they are left out")
    kept = pd.concat(_own_parts(domain, mine) for domain, mine in lines.groupby("domain"))
    kept = kept[kept.file.notna()].sort_values("path")
    rows = zip(kept.domain, kept.part, kept.label_name, kept.file, strict=True)
    entries = ((domain, part, label, [file]) for domain, part, label, file in rows)
    return Listing.of(str(root / splits), entries)


def _read(path: Path, domain: str, part: Part) -> list[dict[str, Any]]:
    """The lines of a list, a picture each: where it is named, its path, its class."""
    lines, wrong = list[dict[str, Any]](), list[str]()
    for count, (number, line) in enumerate(lines_of(path)):
        entry = entry_of(line)
        if not isinstance(entry, str):
            name, label = entry
            lines.append({
                "where": f"{path.name} line {number}", "domain": domain, "part": part,
                "path": str(name), "label": label, "label_name": readable(name.parent.name),
                "folder": readable(name.parent.parent.name),
            })  # fmt: skip
        elif count > 0 or not is_header(line):
            wrong.append(f"line {number}: {line!r} ({entry})")
    if wrong:
        raise PictureError(
            f"{path} has lines that are not 'path label': {preview(wrong)}; {EXPECTED}"
        )
    if not lines:
        raise PictureError(f"the list {path} is empty; {EXPECTED}")
    return lines


def _some(lines: pd.DataFrame) -> str:
    """Where the first of these lines are, and which pictures they name."""
    rows = zip(lines["where"], lines.path, lines.label, strict=True)
    return preview(f"{where} names {path} with the label {label}" for where, path, label in rows)


def _check(lines: pd.DataFrame) -> None:
    """An error for lines that contradict each other.

    Labels count from 0, or all from 1. Each label is one class, by the pictures' folders, and each
    class one label; a list of one domain names no picture in another's folder or list.
    """
    count = lines.label_name.nunique()
    first = 1 if lines.label.min() == 1 else 0
    last = first + count - 1

    def differs(key: str, value: str) -> pd.Series:
        return lines.groupby(key)[value].transform("first") != lines[value]

    domains = lines.domain.map(readable)
    for wrong, message in (
        (lines.duplicated(["domain", "part", "path"]), "pictures are listed more than once"),
        (
            ~lines.label.between(first, last),
            f"labels out of range: there are {count} classes, so they run from {first} to {last}",
        ),
        (
            differs("label", "label_name") | differs("label_name", "label"),
            "labels and folders do not agree",
        ),
        (
            differs("path", "domain") | (lines.folder.isin(domains) & (lines.folder != domains)),
            "pictures of another domain are listed",
        ),
    ):
        if wrong.any():
            raise PictureError(f"{message}: {_some(lines[wrong])}: correct the lists")


def _spellings(path: Path) -> list[Path]:
    """A path as it is listed, and with its accents as other systems write them."""
    forms = (normalize(form, str(path)) for form in ("NFC", "NFD"))
    return list(dict.fromkeys([path, *map(Path, forms)]))


def _find(root: Path, lines: pd.DataFrame) -> dict[str, str]:
    """Where each listed picture is that is there; each folder is listed once.

    Paths begin where the first picture of any list is found.
    """
    firsts = lines.drop_duplicates(["domain", "part"])
    bases = (root, root / "images")
    base = next(
        (
            base
            for path in firsts.path
            for base in bases
            if any(place.is_file() for place in _spellings(base / path))
        ),
        None,
    )
    if base is None:
        raise PictureError(
            f"{_some(firsts[:1])}, which is neither in {bases[0]} nor in {bases[1]}: unpack the "
            "pictures there, or let the paths in the lists begin there"
        )
    folders: dict[Path, dict[str, str]] = {}
    found = {}
    for path in map(Path, lines.path.unique()):
        folder = base / path.parent
        if folder not in folders:
            there = next((place for place in _spellings(folder) if place.is_dir()), None)
            inside = os.listdir(there) if there else ()  # noqa: PTH208 - of a million files
            folders[folder] = {normalize("NFC", name): f"{there}{os.sep}{name}" for name in inside}
        if file := folders[folder].get(normalize("NFC", path.name)):
            found[str(path)] = file
    return found


def _own_parts(domain: str, lines: pd.DataFrame) -> pd.DataFrame:
    """The lines of a domain whose parts share no picture; a test list of all of it is none."""
    test = lines.part == "test"
    others = set(lines.path[~test])
    if "train" not in set(lines.part):
        raise PictureError(f"{domain} has no list of training pictures, {domain}_train.txt")
    if others <= set(lines.path[test]):
        lines = lines[~(test & lines.path.isin(others))]
    if (both := lines[lines.duplicated("path", keep=False)]).size:
        names = sorted(set(both.path))
        raise PictureError(
            f"the {' and '.join(sorted(set(both.part)))} lists of {domain} have {len(names)} "
            f"pictures in common: {preview(names)}: remove them from one"
        )
    return lines


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
