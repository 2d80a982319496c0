"""Datasets known by name: where under a root people keep them, and what is in them.

PACS, Office-Home, DomainNet and Mini DomainNet. Of each, every layout in use is found: plain
folders of domains as they are unpacked, Dassl's lists, Dassl's ``train`` and ``val`` folders.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adu_core.data.folder import find_folder
from adu_core.data.listing import Listing
from adu_core.data.lists import list_files, read_lists
from adu_core.data.messages import warn
from adu_core.data.picture import PictureError
from adu_core.task import readable


@dataclass(frozen=True)
class Known:
    """A dataset known by name.

    domains: their readable names; classes: how many there are when it is whole
    under:   folders below the root where it may lie, beside the root itself
    splits:  the folder of its lists
    plain:   whether it may come as plain folders
    """

    domains: tuple[str, ...]
    classes: int
    under: tuple[str, ...]
    splits: str = "splits"
    plain: bool = True


KNOWN = {
    "pacs": Known(
        ("art painting", "cartoon", "photo", "sketch"),
        7,
        ("pacs", "PACS", "images", "pacs/images", "kfold", "pacs_data"),
    ),
    "office-home": Known(
        ("art", "clipart", "product", "real world"),
        65,
        ("office_home_dg", "OfficeHomeDataset_10072016", "office_home", "OfficeHome"),
    ),
    "domainnet": Known(
        ("clipart", "infograph", "painting", "quickdraw", "real", "sketch"),
        345,
        ("domainnet", "DomainNet"),
    ),
    "mini-domainnet": Known(
        ("clipart", "painting", "real", "sketch"),
        126,
        ("domainnet", "DomainNet"),
        splits="splits_mini",
        plain=False,
    ),
}


def find(name: str, root: str | Path, *, skip_bad: bool = False) -> Listing:
    """The pictures of the dataset called ``name`` below ``root``; no picture is opened.

    Lists are taken before folders, and Dassl's ``<domain>/{train,val}/<class>`` before plain ones.
    A dataset with other than its usual number of classes is read, and it is said.

    Raises ``PictureError`` naming what was looked for, or the domains that are missing.
    """
    root, known = Path(root).expanduser(), KNOWN[name]
    if not root.is_dir():
        raise PictureError(f"{root} is no folder: pass the folder that holds {name}")
    for place in (root, *(root / under for under in known.under)):
        found = _at(place, name, known, skip_bad)
        if found:
            if len(found.class_names) != known.classes:
                warn(
                    f"{found.where} has {len(found.class_names)} classes where {name} has "
                    f"{known.classes}: is it all there?"
                )
            return found
    listed = ", ".join(str(root / under) for under in known.under)
    raise PictureError(f"no {name} in {root}, nor in {listed}: {_expected(name, known)}")


def _expected(name: str, known: Known) -> str:
    lists = f"lists {known.splits}/{known.domains[0].replace(' ', '_')}_train.txt and the like"
    folders = f"the folders {', '.join(known.domains)} with a folder for each class"
    return f"expected {folders}, or {lists}" if known.plain else f"{name} needs {lists}"


def _at(place: Path, name: str, known: Known, skip_bad: bool) -> Listing | None:
    """What lies at ``place`` itself, if it is this dataset."""
    domains = frozenset(known.domains)
    listed = {readable(domain) for domain, _ in list_files(place / known.splits)} & domains
    if listed:
        _refuse_missing(place / known.splits, name, domains - listed, "no lists")
        return read_lists(place, known.splits, domains, skip_bad=skip_bad)
    if not known.plain or not place.is_dir():
        return None
    folders = {readable(path.name) for path in place.iterdir() if path.is_dir()} & domains
    if not folders:
        return None
    _refuse_missing(place, name, domains - folders, "no folder")
    return find_folder(place, domains)


def _refuse_missing(place: Path, name: str, missing: frozenset[str], what: str) -> None:
    if missing:
        raise PictureError(
            f"{place} has {what} for {', '.join(sorted(missing))}: add the rest of {name}, or read "
            "what there is with folder:ROOT or lists:ROOT"
        )
