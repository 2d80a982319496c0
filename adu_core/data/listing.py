"""What a source holds before a picture of it is opened: files or rows, by domain and class."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal, Protocol

from adu_core.data.messages import preview
from adu_core.data.picture import PictureError


class Table(Protocol):
    """Rows with a picture each, such as a dataset of the Hugging Face Hub."""

    @property
    def name(self) -> str:
        """How messages call it."""
        ...

    @property
    def stamp(self) -> str:
        """What changes when its pictures do."""
        ...

    def picture(self, number: int) -> bytes | Path:
        """The picture file of a row, or where it is."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """The picture in row ``number`` of a table."""

    table: Table
    number: int

    def __str__(self) -> str:
        return f"{self.table.name}, row {self.number}"


Item = Path | Row
#: The pictures of each class.
Pool = dict[str, list[Item]]
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


@dataclass(frozen=True)
class Listing:
    """The pictures of a source, nothing opened.

    where:   how messages call it
    domains: readable name of a domain → part → readable name of a class → pictures, in an order
             that does not depend on the machine
    """

    where: str
    domains: Mapping[str, Mapping[Part, Pool]]

    @property
    def domain_names(self) -> tuple[str, ...]:
        """In alphabetical order."""
        return tuple(sorted(self.domains))

    @property
    def class_names(self) -> tuple[str, ...]:
        """In alphabetical order, of all domains and parts together."""
        return tuple(sorted({name for _, _, pool in self.pools() for name in pool}))

    def pools(self) -> Iterator[tuple[str, Part, Pool]]:
        """Every domain's every part."""
        for domain in self.domain_names:
            for part, pool in self.domains[domain].items():
                yield domain, part, pool

    def only(self, classes: set[str]) -> Listing:
        """The same without all other classes."""
        kept: dict[str, dict[Part, Pool]] = {name: {} for name in self.domain_names}
        for domain, part, pool in self.pools():
            kept[domain][part] = {name: pool[name] for name in pool if name in classes}
        return Listing(self.where, kept)


def refuse_gaps(listing: Listing) -> None:
    """An error unless there are two domains, with pictures of every class in each."""
    if len(listing.domains) < 2:
        raise PictureError(
            f"{listing.where} has a single domain, {', '.join(listing.domain_names) or 'none'}: "
            "to forget one domain and memorize another there must be two"
        )
    gaps = []
    for domain in listing.domain_names:
        held = {
            name
            for pool in listing.domains[domain].values()
            for name, found in pool.items()
            if found
        }
        gaps += [f"{domain} has no {name}" for name in listing.class_names if name not in held]
    if gaps:
        raise PictureError(
            f"{listing.where}: every class needs pictures in every domain, but {preview(gaps)}: "
            "add pictures there, remove these classes from every domain, or say --skip-small"
        )


def stamp(item: Item) -> str:
    """What changes when the picture does: of a file its path, size and times, and which it is.

    Folders that change names keep the times of the files in them, and so does ``cp -p``.
    """
    if isinstance(item, Row):
        return f"{item.table.stamp}|{item.number}"
    try:
        found = item.stat()
    except OSError:
        return f"{os.path.abspath(item)}|missing"  # noqa: PTH100 - resolve() asks for every folder
    times = f"{found.st_mtime_ns}|{found.st_ctime_ns}"
    return f"{os.path.abspath(item)}|{found.st_size}|{times}|{found.st_ino}"  # noqa: PTH100


def opened(item: Item) -> Path | BytesIO:
    """What Pillow opens."""
    if isinstance(item, Path):
        return item
    found = item.table.picture(item.number)
    return BytesIO(found) if isinstance(found, bytes) else found
