"""What lies in folders of pictures: each is listed once, no file is opened or asked for.

What systems put there is not seen. What is seen and not read, such as files of other formats, is
counted in ``Met``, and said.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import category

from adu_core.data.listing import PART_NAMES, Item, Part, Pool
from adu_core.data.messages import warn
from adu_core.data.picture import PictureError, left_out, picture_suffixes
from adu_core.task import readable

#: Folders and files that systems make, in small letters; hidden ones begin with a dot.
SYSTEM = frozenset({
    "__macosx", "__pycache__", "lost+found", "lost.dir", "found.000", "$recycle.bin", "recycler",
    "recycled", "system volume information", "@eadir", "@tmp", "@recycle", "#recycle", "#snapshot",
    "network trash folder", "temporary items", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r",
})  # fmt: skip
#: Folders that stand between a domain and its classes, or a class and its pictures, for nothing.
WRAPPERS = frozenset(PART_NAMES) | {
    "all", "data", "dataset", "files", "image", "images", "img", "imgs", "jpegimages", "jpg",
    "photos", "pics", "pictures", "png", "raw",
}  # fmt: skip
#: Nobody's pictures lie deeper.
_DEEPEST = 8


@dataclass
class Held:
    """What a folder holds, sorted by name."""

    pictures: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)


@dataclass
class Met:
    """What was met on the way and is not read.

    others:  files of other formats, by suffix
    loose:   pictures beside a domain's classes
    inner:   folders among a class's pictures
    wrapped: folders that were passed through
    empty:   folders beside the domains, without a picture
    """

    others: Counter[str] = field(default_factory=Counter)
    loose: list[Path] = field(default_factory=list)
    inner: list[Path] = field(default_factory=list)
    wrapped: list[Path] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)

    def say(self, where: Path) -> None:
        """All of it on stderr, a line for each kind."""
        if self.others:
            warn(f"{where}: {left_out(self.others)}")
        for found, what in (
            (self.loose, "pictures beside the classes' folders are not read"),
            (self.inner, "folders inside a class's folder are not read"),
            (self.empty, "folders beside the domains hold no pictures and are left out"),
        ):
            if found:
                warn(f"{where}: {len(found)} {what}, such as {found[0]}")
        if self.wrapped:
            warn(f"{where}: read through folders that hold one folder, such as {self.wrapped[0]}")


def ignored(name: str) -> bool:
    """Whether a system made it, or hides it."""
    return name.startswith(".") or name.lower() in SYSTEM


def scan(folder: Path) -> Held:
    """What a folder holds; a link to a folder around it is not followed."""
    held, suffixes = Held(), picture_suffixes()
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if ignored(entry.name):
                continue
            suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - of a million names
            if entry.is_dir():
                if not (entry.is_symlink() and _around(entry.path, folder)):
                    held.folders.append(folder / entry.name)
            elif suffix in suffixes:
                held.pictures.append(folder / entry.name)
            else:
                held.others[suffix] += 1
    return held


def _around(link: str, folder: Path) -> bool:
    return Path(link).resolve() in (folder.resolve(), *folder.resolve().parents)


def pictures_below(folder: Path, deepest: int = _DEEPEST) -> Iterator[Path]:
    """The pictures at any depth, in order, those of a folder before deeper ones."""
    held = scan(folder)
    yield from held.pictures
    for inner in held.folders if deepest else ():
        yield from pictures_below(inner, deepest - 1)


def first_picture(folder: Path, deepest: int = _DEEPEST) -> Path | None:
    """Any picture at any depth."""
    return next(pictures_below(folder, deepest), None)


def class_pictures(folder: Path, met: Met | None = None) -> Pool:
    """The picture files of each class in a folder of classes."""
    said = Met() if met is None else met
    held = scan(folder)
    refuse_names(held.folders)
    said.loose += held.pictures if held.folders else ()
    pool: Pool = {}
    for path in held.folders:
        at, inside = path, scan(path)
        while inner := _wrapped(at, inside):
            at, inside = inner, scan(inner)
        found: list[Item] = [*inside.pictures]
        pool[readable(path.name)] = found
        said.others += inside.others
        if found:
            said.inner += inside.folders
            said.wrapped += [at] if at is not path else []
    if met is None:
        said.say(folder)
    return pool


def domain_parts(folder: Path, met: Met, wrapper: str | None = None) -> dict[Part, Pool]:
    """The classes of a domain, by the parts that its folder keeps apart.

    wrapper: a name of its only folder that is passed through, as ``WRAPPERS`` are
    """
    held = scan(folder)
    while (inner := _wrapped(folder, held, wrapper)) and not (inside := scan(inner)).pictures:
        folder, held = inner, inside
        met.wrapped.append(inner)
    names = [path.name.lower() for path in held.folders]
    apart = len(names) > 1 and PART_NAMES.keys() >= set(names)
    if apart and not any(scan(path).pictures for path in held.folders):
        return _parts(held.folders, met)
    return {"all": class_pictures(folder, met)}


def _parts(folders: list[Path], met: Met) -> dict[Part, Pool]:
    parts: dict[Part, Pool] = {}
    for path in folders:
        part = PART_NAMES[path.name.lower()]
        if part in parts:
            raise PictureError(f"{path} is a second folder of the same part: merge the two")
        parts[part] = class_pictures(path, met)
    return parts if "train" in parts else {"all": pooled(parts.values())}


def pooled(pools: Iterable[Pool]) -> Pool:
    """The pictures of several parts together."""
    found: Pool = {}
    for pool in pools:
        for name, pictures in pool.items():
            found.setdefault(name, []).extend(pictures)
    return found


def _wrapped(folder: Path, held: Held, wrapper: str | None = None) -> Path | None:
    """The only thing in a folder, if it is a folder that says nothing."""
    if held.pictures or len(held.folders) != 1:
        return None
    inner = held.folders[0]
    nothing = WRAPPERS | {folder.name.lower(), *([wrapper] if wrapper else ())}
    return inner if inner.name.lower() in nothing else None


def refuse_names(folders: Iterable[Path]) -> None:
    """An error for two folders that a prompt would call the same, or a name it cannot say."""
    first: dict[str, Path] = {}
    for folder in folders:
        name = readable(folder.name)
        if not name or any(category(letter) in ("Cc", "Cs") for letter in name):
            raise PictureError(
                f"the folder {str(folder)!r} has a name that no prompt can say: rename it"
            )  # it is empty, or has control characters or bytes that are not UTF-8
        twin = first.setdefault(name, folder)
        if twin is not folder:
            raise PictureError(
                f"{twin} and {folder} are both called {name!r} in a prompt: merge them or rename "
                "one"
            )
