"""Your own pictures, ``<root>/<domain>/<class>/picture``: what is there, or what is wrong.

Each folder is listed once, when it is first needed; no picture is opened. Files of the operating
system are ignored. Other files that are not read, such as those of other formats, are counted and
named.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from adu_core.data.listing import PART_NAMES, Entry, Listing, Part
from adu_core.data.messages import preview, warn
from adu_core.data.picture import PictureError, left_out, picture_suffixes
from adu_core.dataset import readable

EXPECTED = "expected <root>/<domain>/<class>/picture.jpg, such as photo/dog/1.jpg"
COMMON = {".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".webp"}
#: Folders and files that systems make, in small letters; hidden ones begin with a dot.
SYSTEM = frozenset({
    "__macosx", "__pycache__", "lost+found", "lost.dir", "found.000", "$recycle.bin", "recycler",
    "recycled", "system volume information", "@eadir", "@tmp", "@recycle", "#recycle", "#snapshot",
    "network trash folder", "temporary items", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r",
})  # fmt: skip
#: Names of domains: where all classes have such, they lie the wrong way round.
STYLES = frozenset({
    "art", "art painting", "cartoon", "clipart", "drawing", "infograph", "painting", "photo",
    "photos", "product", "quickdraw", "real", "real world", "rendition", "sketch", "sketches",
})  # fmt: skip
#: Nobody's pictures lie deeper.
_DEEPEST = 8


@dataclass
class Folder:
    """A folder and its content, sorted by name."""

    path: str

    @property
    def name(self) -> str:
        """Without the folders above it."""
        return Path(self.path).name

    @cached_property
    def _held(self) -> tuple[list[str], list[Folder], Counter[str]]:
        pictures, folders, others = list[str](), list[Folder](), Counter[str]()
        suffixes = picture_suffixes()
        with os.scandir(self.path) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith(".") or entry.name.lower() in SYSTEM:
                    continue
                suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - of a million
                if entry.is_dir():
                    if not (entry.is_symlink() and _is_around(entry.path, self.path)):
                        folders.append(Folder(entry.path))
                elif suffix in suffixes:
                    pictures.append(entry.path)
                else:
                    others[suffix] += 1
        return pictures, folders, others

    @property
    def pictures(self) -> list[str]:
        """The pictures in it."""
        return self._held[0]

    @property
    def folders(self) -> list[Folder]:
        """The folders in it; a link to a folder around it is not followed."""
        return self._held[1]

    @property
    def others(self) -> Counter[str]:
        """How many other files are in it, by their suffix."""
        return self._held[2]

    @cached_property
    def nearest(self) -> tuple[int, str] | None:
        """How many folders down the first picture is, and which; None without one."""
        level = [self]
        for depth in range(_DEEPEST):
            for folder in level:
                if folder.pictures:
                    return depth, folder.pictures[0]
            level = [inner for folder in level for inner in folder.folders]
        return None

    def below(self, deepest: int = _DEEPEST) -> Iterator[str]:
        """The pictures at any depth, in order, those of a folder before deeper ones."""
        yield from self.pictures
        for inner in self.folders if deepest else ():
            yield from inner.below(deepest - 1)


def _is_around(link: str, folder: str) -> bool:
    inside = Path(folder).resolve()
    return Path(link).resolve() in (inside, *inside.parents)


@dataclass
class Skipped:
    """What is not read.

    others: files of other formats, by their suffix
    paths:  message → the folders or pictures that it is about
    """

    others: Counter[str] = field(default_factory=Counter)
    paths: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def warn(self, where: str) -> None:
        """All of it on stderr, a line for each kind."""
        if self.others:
            warn(f"{where}: {left_out(self.others)}")
        for what, paths in self.paths.items():
            if paths:
                warn(f"{where}: {len(paths)} {what}, such as {paths[0]}")


def find_folder(root: str | Path, only: frozenset[str] = frozenset()) -> Listing:
    """What there is in a folder of domains; no picture is opened.

    Levels that hold nothing but one folder are passed through: ``<root>/images/<domain>/<class>``,
    ``<root>/<domain>/images/<class>``, ``<root>/<domain>/<class>/images``, an archive unpacked into
    one more folder of its name. ``<domain>/{train,val,test}/<class>`` are the domain's parts.

    only: readable names of the domains to look at; without it, all of them

    Raises ``PictureError`` for folders that are not laid out like that.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise PictureError(f"{root} {what}: pass a folder; {EXPECTED}")
    skipped = Skipped()
    top = _through(Folder(str(root)), 2, skipped)
    domains = [folder for folder in top.folders if not only or readable(folder.name) in only]
    entries = list(_entries(domains, skipped))
    if not entries:
        raise PictureError(_where_the_pictures_are(top, skipped))
    full = {domain for domain, *_ in entries}
    for folder in (folder for folder in domains if folder.name not in full):
        if folder.nearest:
            raise PictureError(
                f"the pictures of {folder.path}, such as {folder.nearest[1]}, are not in a folder "
                f"for each class: move them; {EXPECTED}"
            )
        if not folder.others:
            what = "folders beside the domains hold no pictures and are left out"
            skipped.paths[what].append(folder.path)
    _refuse_parts(top.path, full, {label for _, _, label, _ in entries})
    listing = Listing.of(top.path, entries)
    skipped.warn(top.path)
    if STYLES.issuperset(listing.class_names) and STYLES.isdisjoint(listing.domain_names):
        warn(
            f"{top.path}: are classes and domains the wrong way round? The domains are "
            f"{preview(listing.domain_names)}, the classes {preview(listing.class_names)}; "
            f"{EXPECTED}"
        )
    return listing


def _through(folder: Folder, depth: int, skipped: Skipped) -> Folder:
    """The folder, or the only one in it that holds pictures, if they lie deeper than ``depth``."""
    while folder.nearest and folder.nearest[0] > depth:
        inside = [inner for inner in folder.folders if inner.nearest]
        if len(inside) != 1:
            break
        folder = inside[0]
        skipped.paths["folders that hold one folder are read through"].append(folder.path)
    return folder


def _entries(domains: list[Folder], skipped: Skipped) -> Iterator[Entry]:
    """The pictures of domains, by the parts that a domain's folder keeps apart."""
    for domain in domains:
        top = _through(domain, 1, skipped)
        parts: dict[Part, Folder] = {}
        names = [inner.name.lower() for inner in top.folders]
        depth = top.nearest[0] if top.nearest else 0
        if len(names) > 1 and depth > 1 and PART_NAMES.keys() >= set(names):
            for inner in top.folders:
                part = PART_NAMES[inner.name.lower()]
                if parts.setdefault(part, inner) is not inner:
                    raise PictureError(
                        f"{inner.path} is a second folder of the same part: merge the two"
                    )
        for part, inner in (parts or {"all": top}).items():
            for label, pictures in class_pictures(inner, skipped):
                yield domain.name, part if "train" in parts else "all", label, pictures


def class_pictures(folder: Folder, skipped: Skipped) -> Iterator[tuple[str, list[str]]]:
    """The name of each class in a folder of classes, and its pictures."""
    if folder.folders:
        what = "pictures beside the classes' folders are not read"
        skipped.paths[what] += folder.pictures
    for label in folder.folders:
        held = _through(label, 0, skipped)
        skipped.others += held.others
        if held.pictures:
            what = "folders inside a class's folder are not read"
            skipped.paths[what] += [inner.path for inner in held.folders]
            yield label.name, held.pictures


def _refuse_parts(root: str, domains: set[str], classes: set[str]) -> None:
    """An error for parts of a dataset that stand where its domains or classes should."""
    for what, found in (("domains", domains), ("classes", classes)):
        if PART_NAMES.keys() >= {name.lower() for name in found}:
            raise PictureError(
                f"the folders in {root} are parts of a dataset, not {what}: "
                f"{', '.join(sorted(found))}; pass a folder of domains; {EXPECTED}"
            )


def _where_the_pictures_are(root: Folder, skipped: Skipped) -> str:
    """What to say when no picture lies two folders below ``root``: where they lie instead."""
    if root.nearest is None:
        kinds, others = " ".join(sorted(COMMON & picture_suffixes())), skipped.others + root.others
        seen = f"; {left_out(others)}" if others else ""
        return (
            f"there are no pictures in {root.path} (looked for {kinds} and the like){seen}; "
            f"{EXPECTED}"
        )
    depth, picture = root.nearest
    if depth < 2:
        kind, up = ("class", 1) if depth == 0 else ("domain", 0)
        return (
            f"{root.path} seems to hold the pictures of one {kind}: pass "
            f"{Path(root.path).resolve().parents[up]} instead, if the other domains are there, or "
            f"move them into a folder for each domain and class; {EXPECTED}"
        )
    good = [inner.path for inner in root.folders if _is_whole(inner.folders)]
    remedy = "move each class's pictures into one folder, in the folder of its domain"
    if good:
        remedy = f"pass one of {', '.join(good)}"
    return f"the pictures, such as {picture}, lie too deep: {remedy}; {EXPECTED}"


def _is_whole(domains: list[Folder]) -> bool:
    """Whether there are several domains with the same classes."""
    classes: dict[str, set[str]] = defaultdict(set)
    for domain, _, label, _ in _entries(domains, Skipped()):
        classes[domain].add(label)
    first = next(iter(classes.values()), set())
    return len(classes) > 1 and all(others == first for others in classes.values())
