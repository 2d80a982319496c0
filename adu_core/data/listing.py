"""The content of a source before any picture is opened: files or rows, by domain and class."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path
from typing import Literal
from unicodedata import category

from adu_core.data.picture import PictureError
from adu_core.dataset import readable


@dataclass(frozen=True, eq=False)
class Table:
    """Rows with a picture each, such as a data set of the Hugging Face Hub.

    name:  its name in messages
    stamp: changes when its pictures do
    read:  the picture file of a row, or its path
    """

    name: str
    stamp: str
    read: Callable[[int], bytes | Path]


@dataclass(frozen=True, slots=True)
class Row:
    """The picture in row ``number`` of a table."""

    table: Table
    number: int

    def __str__(self) -> str:
        return f"{self.table.name}, row {self.number}"


#: A picture that was not opened: where its file is, or its row.
Item = str | Path | Row
#: A part that a dataset keeps for itself; ``all`` is all of a domain, not yet shared out.
Part = Literal["all", "train", "validation", "test"]
#: How files, folders and splits call their part.
PART_NAMES: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "crossval": "validation",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
#: Pictures of one class in one part of a domain: domain, part, class, pictures.
Entry = tuple[str, Part, str, Sequence[Item]]


@dataclass(frozen=True, eq=False)
class Listing:
    """The pictures of a source, not opened yet.

    where:    its name in messages
    domains:  readable name of a domain → part → readable name of a class → pictures, in an order
              that does not depend on the machine
    skip_bad: leave out pictures that cannot be read, instead of an error
    """

    where: str
    domains: Mapping[str, Mapping[Part, Mapping[str, Sequence[Item]]]]
    skip_bad: bool = False

    @classmethod
    def of(cls, where: str, entries: Iterable[Entry]) -> Listing:
        """The listing of these pictures, by names that a prompt can say.

        Raises ``PictureError`` for a name that none can, for two names of a domain, or of a class
        within one, that would be the same in a prompt, for fewer than two domains, and for a
        domain that keeps parts apart and has none to train on.
        """
        called: dict[tuple[str, ...], str] = {}

        def name(text: str, *within: str) -> str:
            spoken = _spoken(text)
            if not spoken:
                raise PictureError(f"{where}: no prompt can say the name {text!r}: rename it")
            twin = called.setdefault((*within, spoken), text)
            if twin != text:
                raise PictureError(
                    f"{where}: {twin!r} and {text!r} are both called {spoken!r} in a prompt: merge "
                    "them or rename one"
                )
            return spoken

        domains: dict[str, dict[Part, dict[str, list[Item]]]] = {}
        for domain, part, label, items in entries:
            pools = domains.setdefault(name(domain), {}).setdefault(part, {})
            pools.setdefault(name(label, domain, part), []).extend(items)
        for domain, parts in domains.items():
            if parts.keys() == {"train"}:
                parts["all"] = parts.pop("train")
            elif not parts.keys() & {"all", "train"}:
                raise PictureError(f"{where} has no training pictures of the domain {domain}")
        if len(domains) < 2:
            raise PictureError(
                f"{where} has a single domain, {', '.join(domains) or 'none'}: to forget one "
                "domain and memorize another, add a second"
            )
        return cls(where, domains)

    @property
    def domain_names(self) -> tuple[str, ...]:
        """In alphabetical order."""
        return tuple(sorted(self.domains))

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """In alphabetical order, of all domains and parts together."""
        parts = (part for parts in self.domains.values() for part in parts.values())
        return tuple(sorted({name for part in parts for name in part}))

    def whole(self) -> Listing:
        """The same with each domain's parts together."""
        entries: Iterable[Entry] = (
            (domain, "all", label, items)
            for domain, parts in self.domains.items()
            for pools in parts.values()
            for label, items in pools.items()
        )
        return Listing.of(self.where, entries)


@lru_cache(maxsize=65536)
def _spoken(text: str) -> str:
    """A name as a prompt says it; empty if none can: of blanks, or with bytes that are no text."""
    name = readable(text)
    return "" if any(category(letter) in ("Cc", "Cs") for letter in name) else name


def stamp(item: Item) -> str:
    """What changes when the picture does: of a file its path, size and times, and which it is.

    Folders that change names keep the times of the files in them, and so does ``cp -p``.
    """
    if isinstance(item, Row):
        return f"{item.table.stamp}|{item.number}"
    path = os.path.abspath(item)  # noqa: PTH100 - resolve() asks for every folder
    try:
        found = os.stat(path)  # noqa: PTH116 - of a million files
    except OSError:
        return f"{path}|missing"
    return f"{path}|{found.st_size}|{found.st_mtime_ns}|{found.st_ctime_ns}|{found.st_ino}"


def opened(item: Item) -> str | Path | BytesIO:
    """What Pillow opens."""
    if not isinstance(item, Row):
        return item
    found = item.table.read(item.number)
    return BytesIO(found) if isinstance(found, bytes) else found
