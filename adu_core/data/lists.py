"""Lists of pictures beside the pictures, as Dassl keeps PACS, DomainNet and Mini DomainNet.

``<root>/splits/<domain>_<part>.txt`` holds lines "path label". A path begins in ``<root>``, or in
``<root>/images``; labels count from 0, or from 1; a class is called what the picture's folder is
called. Parts are ``train``, ``crossval`` (or ``val``) and ``test``; a name may end in ``_kfold``.

A ``test`` list that holds every training and validation picture as well, as those of PACS do, is a
list of the whole domain: those are taken out of it, and if it is empty then, it is no part.
``adu_core.data.shares`` says how the parts that there are become the shares of a run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from unicodedata import normalize

from adu_core.data.listing import PART_NAMES, Listing, Part
from adu_core.data.messages import preview, warn
from adu_core.data.picture import PictureError
from adu_core.data.text import entry_of, is_header, lines_of
from adu_core.task import readable

EXPECTED = (
    "expected <root>/splits/<domain>_train.txt and the like, of lines 'path label' such as "
    "'photo/dog/1.jpg 0'"
)
_FILE = re.compile(
    r"(?P<domain>[^.].*)_(?P<part>train|crossval|val|validation|test)(?:_kfold)?\.txt",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Line:
    """A picture of a list: which line says it, where the picture is, and its class's number."""

    where: str
    domain: str
    part: Part
    path: Path
    label: int

    @property
    def name(self) -> str:
        """The class, by the picture's folder."""
        return readable(self.path.parent.name)


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
    lines = [
        line
        for (domain, part), path in list_files(root / splits).items()
        if not only or readable(domain) in only
        for line in _read(path, domain, part)
    ]
    if not lines:
        raise PictureError(f"there are no lists in {root / splits}; {EXPECTED}")
    base = _base(root, lines)
    _check_labels(lines)
    _check_domains(lines)
    found = _find(base, lines)
    missing = {
        line.path: f"{line.where} names {line.path}, which is not in {root}"
        for line in lines
        if line.path not in found
    }
    if missing:
        text = f"{len(missing)} pictures are listed but not there: {preview(missing.values())}"
        if not skip_bad:
            raise PictureError(
                f"{text}; unpack the pictures whole, correct the lists, or say --skip-bad"
            )
        warn(f"--skip-bad: {text}; they are left out")
    kept = [
        line
        for domain in dict.fromkeys(line.domain for line in lines)
        for line in _own_parts([line for line in lines if line.domain == domain])
        if line.path in found
    ]
    kept.sort(key=lambda line: str(line.path))
    entries = ((line.domain, line.part, line.name, [found[line.path]]) for line in kept)
    return Listing.of(str(root / splits), entries)


def _read(path: Path, domain: str, part: Part) -> list[Line]:
    lines, wrong = list[Line](), list[str]()
    for count, (number, line) in enumerate(lines_of(path)):
        entry = entry_of(line)
        if not isinstance(entry, str):
            name, label = entry
            lines.append(Line(f"{path.name} line {number}", domain, part, Path(name), label))
        elif count > 0 or not is_header(line):
            wrong.append(f"line {number}: {line!r} ({entry})")
    if wrong:
        raise PictureError(
            f"{path} has lines that are not 'path label': {preview(wrong)}; {EXPECTED}"
        )
    if not lines:
        raise PictureError(f"the list {path} is empty; {EXPECTED}")
    counts = Counter(line.path for line in lines)
    twice = [f"{name} ({count} times)" for name, count in counts.items() if count > 1]
    if twice:
        raise PictureError(
            f"{path} lists pictures more than once: {preview(twice)}: remove the rest"
        )
    return lines


def _base(root: Path, lines: Sequence[Line]) -> Path:
    """Where the paths begin: where the first picture of any list is found."""
    for line in {(line.domain, line.part): line for line in reversed(lines)}.values():
        for base in (root, root / "images"):
            if any(there.is_file() for there in _spellings(base / line.path)):
                return base
    raise PictureError(
        f"{lines[0].where} names {lines[0].path}, which is neither in {root} nor in "
        f"{root / 'images'}: unpack the pictures there, or let the paths in the lists begin there"
    )


def _spellings(path: Path) -> list[Path]:
    """A path as it is listed, and with its accents as other systems write them."""
    forms = (normalize(form, str(path)) for form in ("NFC", "NFD"))
    return list(dict.fromkeys([path, *map(Path, forms)]))


def _check_labels(lines: Sequence[Line]) -> None:
    """An error unless each label is one class, by the pictures' folders, and each class one label.

    They count from 0, or all from 1.
    """
    count = len({line.name for line in lines})
    first = 1 if min(line.label for line in lines) == 1 else 0
    beyond = [
        f"{line.where} has {line.label}"
        for line in lines
        if not first <= line.label < first + count
    ]
    if beyond:
        raise PictureError(
            f"labels out of range: {preview(beyond)}; there are {count} classes, so they run "
            f"from {first} to {first + count - 1}"
        )
    names: dict[int, str] = {}
    labels: dict[str, int] = {}
    wrong = []
    for line in lines:
        name = names.setdefault(line.label, line.name)
        label = labels.setdefault(line.name, line.label)
        if name != line.name:
            wrong.append(f"{line.where} has {line.label}, {name!r}, for {line.path}")
        elif label != line.label:
            wrong.append(f"{line.where} has {line.label} for {name!r}, {label} elsewhere")
    if wrong:
        raise PictureError(f"labels and folders do not agree: {preview(wrong)}; correct the lists")


def _check_domains(lines: Sequence[Line]) -> None:
    """An error where a list of one domain names a picture in another's folder or list."""
    owners: dict[Path, str] = {}
    known = {readable(line.domain) for line in lines}
    wrong = [
        f"{line.where} names {line.path}"
        for line in lines
        if owners.setdefault(line.path, line.domain) != line.domain
        or readable(line.path.parent.parent.name) in known - {readable(line.domain)}
    ]
    if wrong:
        raise PictureError(f"pictures of another domain are listed: {preview(wrong)}")


def _find(base: Path, lines: Sequence[Line]) -> dict[Path, Path]:
    """Where each listed picture is that is there; each folder is listed once."""
    folders: dict[Path, dict[str, Path]] = {}
    found = {}
    for line in lines:
        name, folder = normalize("NFC", line.path.name), base / line.path.parent
        if folder not in folders:
            there = next((place for place in _spellings(folder) if place.is_dir()), None)
            inside = there.iterdir() if there else ()
            folders[folder] = {normalize("NFC", path.name): path for path in inside}
        if name in folders[folder]:
            found[line.path] = folders[folder][name]
    return found


def _own_parts(lines: Sequence[Line]) -> list[Line]:
    """The lines of a domain whose parts share no picture; a test list of all of it is none."""
    held: dict[Part, dict[Path, Line]] = {}
    for line in lines:
        held.setdefault(line.part, {})[line.path] = line
    domain = lines[0].domain
    if "train" not in held:
        raise PictureError(f"{domain} has no list of training pictures, {domain}_train.txt")
    others = {path for part in held if part != "test" for path in held[part]}
    if others <= held.get("test", {}).keys():
        held["test"] = {path: held["test"][path] for path in held["test"].keys() - others}
    held = {part: held[part] for part in sorted(held) if held[part]}
    for one, other in combinations(held, 2):
        if both := sorted(map(str, held[one].keys() & held[other].keys())):
            raise PictureError(
                f"the {one} and {other} lists of {domain} have {len(both)} pictures in common: "
                f"{preview(both)}: remove them from one"
            )
    if len(held) == 1:
        return [replace(line, part="all") for line in held["train"].values()]
    return [line for part in held.values() for line in part.values()]
