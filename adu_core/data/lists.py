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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from adu_core.data.listing import PART_NAMES, Listing, Part, Pool, refuse_gaps
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
    """One picture of a list: where it was said, where the picture is, and its class's number."""

    where: str
    path: Path
    label: int


Lists = dict[str, dict[Part, list[Line]]]  # domain's folder name → part → lines


def list_files(folder: Path) -> dict[tuple[str, Part], Path]:
    """The lists in a folder, by the domain's folder name and the part."""
    found: dict[tuple[str, Part], Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        said = _FILE.fullmatch(path.name)
        if said:
            part = PART_NAMES[said["part"].lower()]
            twin = found.setdefault((said["domain"], part), path)
            if twin is not path:
                raise PictureError(f"{twin} and {path} list the same part: remove one of them")
    return found


def read_lists(
    root: str | Path,
    splits: str = "splits",
    only: frozenset[str] = frozenset(),
    *,
    skip_bad: bool = False,
    gaps: bool = False,
) -> Listing:
    """The pictures that the lists in ``<root>/<splits>`` name; no picture is opened.

    only: readable names of the domains to look at; without it, all of them
    skip_bad: leave out pictures that are listed and not there, instead of an error
    gaps: whether classes may be missing in some domain

    Raises ``PictureError`` for lists that contradict themselves, each other, or the disk.
    """
    root = Path(root).expanduser()
    files = {
        (domain, part): path
        for (domain, part), path in list_files(root / splits).items()
        if not only or readable(domain) in only
    }
    if not files:
        raise PictureError(f"there are no lists in {root / splits}; {EXPECTED}")
    lists: Lists = {}
    for (domain, part), path in files.items():
        lists.setdefault(domain, {})[part] = _read(path)
    base = _base(root, lists)
    _check_labels(lists)
    _check_folders(lists)
    found, gone = _find(root, base, lists)
    if gone and not skip_bad:
        raise PictureError(
            f"{len(gone)} pictures are listed but not there: {preview(gone.values())}; unpack the "
            "pictures whole, correct the lists, or say --skip-bad"
        )
    if gone:
        warn(f"--skip-bad leaves out {len(gone)} pictures that are listed but not there: "
               f"{preview(gone.values())}")  # fmt: skip
    domains: dict[str, dict[Part, Pool]] = {}
    for domain, parts in lists.items():
        kept = _own_parts(domain, parts)
        if readable(domain) in domains:
            raise PictureError(
                f"{root / splits}: two domains are called {readable(domain)!r}: rename one"
            )
        domains[readable(domain)] = {part: _pool(found, lines) for part, lines in kept.items()}
    listing = Listing(str(root / splits), domains)
    if not gaps:
        refuse_gaps(listing)
    return listing


def _read(path: Path) -> list[Line]:
    lines, wrong = [], []
    for count, (number, line) in enumerate(lines_of(path)):
        entry = entry_of(line)
        if not isinstance(entry, str):
            name, label = entry
            lines.append(Line(f"{path.name} line {number}", Path(name), label))
        elif count > 0 or not is_header(line):
            wrong.append(f"line {number}: {line!r} ({entry})")
    if wrong:
        raise PictureError(
            f"{path} has lines that are not 'path label': {preview(wrong)}; {EXPECTED}"
        )
    if not lines:
        raise PictureError(f"the list {path} is empty; {EXPECTED}")
    twice = [
        f"{name} ({count} times)"
        for name, count in Counter(str(line.path) for line in lines).items()
        if count > 1
    ]
    if twice:
        raise PictureError(
            f"{path} lists pictures more than once: {preview(twice)}: remove the rest"
        )
    return lines


def _all(lists: Lists) -> Iterable[Line]:
    return (line for parts in lists.values() for lines in parts.values() for line in lines)


def _base(root: Path, lists: Lists) -> Path:
    """Where the paths begin: where the first picture of any list is found."""
    for parts in lists.values():
        for lines in parts.values():
            for base in (root, root / "images"):
                if any(there.is_file() for there in _written(base / lines[0].path)):
                    return base
    first = next(iter(_all(lists)))
    raise PictureError(
        f"{first.where} names {first.path}, which is neither in {root} nor in {root / 'images'}: "
        "unpack the pictures there, or let the paths in the lists begin there"
    )


def _written(path: Path) -> list[Path]:
    """A path as it is said, and with its accents as other systems write them."""
    forms = (normalize(form, str(path)) for form in ("NFC", "NFD"))
    return list(dict.fromkeys([path, *map(Path, forms)]))


def _check_labels(lists: Lists) -> None:
    """An error unless each label is one class, by the pictures' folders, and each class one label.

    They count from 0, or all from 1.
    """
    lines = list(_all(lists))
    names = {readable(line.path.parent.name) for line in lines}
    first = 1 if min(line.label for line in lines) == 1 else 0
    beyond = [
        f"{line.where} has {line.label}"
        for line in lines
        if not first <= line.label < first + len(names)
    ]
    if beyond:
        raise PictureError(
            f"labels out of range: {preview(beyond)}; there are {len(names)} classes, so they run "
            f"from {first} to {first + len(names) - 1}"
        )
    named: dict[int, str] = {}
    labelled: dict[str, int] = {}
    wrong = []
    for line in lines:
        name = readable(line.path.parent.name)
        if named.setdefault(line.label, name) != name:
            wrong.append(f"{line.where} has {line.label}, {named[line.label]!r}, for {line.path}")
        elif labelled.setdefault(name, line.label) != line.label:
            wrong.append(f"{line.where} has {line.label} for {name!r}, {labelled[name]} elsewhere")
    if wrong:
        raise PictureError(f"labels and folders do not agree: {preview(wrong)}; correct the lists")


def _check_folders(lists: Lists) -> None:
    """An error where a list of one domain names a picture in another's folder or list."""
    owners: dict[Path, str] = {}
    known = {readable(domain) for domain in lists}
    wrong = [
        f"{line.where} names {line.path}"
        for domain, parts in lists.items()
        for lines in parts.values()
        for line in lines
        if owners.setdefault(line.path, domain) != domain
        or readable(line.path.parent.parent.name) in known - {readable(domain)}
    ]
    if wrong:
        raise PictureError(f"pictures of another domain are listed: {preview(wrong)}")


def _find(root: Path, base: Path, lists: Lists) -> tuple[dict[Path, Path], dict[Path, str]]:
    """Where each listed picture is, and which are not there.

    Each folder is listed once instead of asking for each file.
    """
    folders: dict[Path, dict[str, Path]] = {}
    found, gone = {}, {}
    for line in _all(lists):
        name, folder = normalize("NFC", line.path.name), base / line.path.parent
        if folder not in folders:
            there = next((place for place in _written(folder) if place.is_dir()), None)
            inside = there.iterdir() if there else ()
            folders[folder] = {normalize("NFC", path.name): path for path in inside}
        if name in folders[folder]:
            found[line.path] = folders[folder][name]
        else:
            gone[line.path] = f"{line.where} names {line.path}, which is not in {root}"
    return found, gone


def _own_parts(domain: str, parts: dict[Part, list[Line]]) -> dict[Part, list[Line]]:
    """The parts that share no picture; a test list of the whole domain is none."""
    kept = dict(parts)
    if "train" not in kept:
        raise PictureError(f"{domain} has no list of training pictures, {domain}_train.txt")
    held = {part: {line.path for line in lines} for part, lines in kept.items()}
    others = set().union(*(held[part] for part in held if part != "test"))
    if "test" in kept and others <= held["test"]:
        kept["test"] = [line for line in kept["test"] if line.path not in others]
        held["test"] -= others
        if not kept["test"]:
            del kept["test"], held["test"]
    names: Sequence[Part] = sorted(held)
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            both = sorted(str(path) for path in held[one] & held[other])
            if both:
                raise PictureError(
                    f"the {one} and {other} lists of {domain} have {len(both)} pictures in common: "
                    f"{preview(both)}: remove them from one"
                )
    return kept if len(kept) > 1 else {"all": kept["train"]}


def _pool(found: dict[Path, Path], lines: list[Line]) -> Pool:
    pool: Pool = {}
    for line in sorted(lines, key=lambda line: line.path):
        if line.path in found:
            pool.setdefault(readable(line.path.parent.name), []).append(found[line.path])
    return pool
