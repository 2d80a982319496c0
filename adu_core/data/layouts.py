"""Known data sets: where they may be under a root, and what is in them.

For PACS, Office-Home, DomainNet and Mini DomainNet every common layout is found: plain folders of
domains as unpacked, Dassl's lists, Dassl's ``train`` and ``val`` folders.

ImageNet's photos are the domain "real", with ImageNet-Sketch, "sketch", or ImageNet-R, "rendition",
as the other domain. If ImageNet's training and validation folders are both there, shots and
validation pictures are drawn from the first, and the second is the test, as usual; a single folder
is divided like any other, and so is the second domain. Classes are those of the second domain: all
1,000 of ImageNet-Sketch, the 200 of ImageNet-R.

A class's folder has its WordNet number as name, and ``classnames.txt`` (lines such as
"n01440764 tench") gives the words, as in Dassl; any other folder name is used as it is. Numbers
with the same words are one class, because no prompt can distinguish them.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from adu_core.data.folder import Folder, Skipped, class_pictures, find_folder
from adu_core.data.listing import Entry, Listing, Part
from adu_core.data.lists import lines_of, list_files, read_lists
from adu_core.data.messages import preview, warn
from adu_core.data.picture import PictureError
from adu_core.dataset import readable


@dataclass(frozen=True)
class Known:
    """A known data set.

    domains: their readable names; classes: how many there are in the complete data set
    under:   folders below the root where it may be, in addition to the root
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
    Another number of classes than usual is said on stderr.

    Raises ``PictureError`` naming what was looked for, or the domains that are missing.
    """
    root = Path(root).expanduser()
    if name.startswith("imagenet"):
        second = {"imagenet-sketch": "sketch", "imagenet-r": "rendition"}
        return _imagenet(root, second.get(name))
    known = KNOWN[name]
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


# ImageNet.

NAMES = "classnames.txt"
_NUMBER = re.compile(r"n\d{8}")
_ENTRY = re.compile(r"""["']?(n\d{8})["']?[\s,;]\s*["']?([^"]+?)["']?""")
#: Where each domain may lie below the root.
REAL = ("imagenet/images", "imagenet", "ImageNet", "ILSVRC2012", "real")
SECOND = {
    "sketch": ("imagenet-sketch/images", "imagenet-sketch", "ImageNet-Sketch", "sketch"),
    "rendition": ("imagenet-rendition/imagenet-r", "imagenet-rendition", "imagenet-r"),
}


def _imagenet(root: Path, second: str | None) -> Listing:
    """ImageNet and its second domain, ``sketch`` or ``rendition``; None takes what is there."""
    there = {name: path for name in SECOND if (path := _first(root, SECOND[name])) is not None}
    if second is None and len(there) > 1:
        raise PictureError(
            f"{root} holds ImageNet-Sketch and ImageNet-R: say which, imagenet-sketch:{root} or "
            f"imagenet-r:{root}"
        )
    real, other = _first(root, REAL), second or next(iter(there), "sketch")
    lacking = [
        f"{name} (looked for {', '.join(places)})"
        for name, places, path in (
            ("ImageNet's photos", REAL, real),
            (f"the domain {other}", SECOND[other], there.get(other)),
        )
        if path is None
    ]
    if real is None or lacking:
        raise PictureError(f"{root} lacks {' and '.join(lacking)}: unpack them there")
    words = _words(root, real, there[other])
    trees = {name: path for name in ("train", "val") if (path := real / name).is_dir()}
    second_domain = _entries(other, "all", there[other], words)
    if len(trees) == 2:
        entries = _entries("real", "train", trees["train"], words)
        entries += _entries("real", "test", trees["val"], words)
    else:
        entries = _entries("real", "all", next(iter(trees.values()), real), words)
    classes = {label for _, _, label, _ in second_domain}
    entries = [entry for entry in entries if entry[2] in classes]
    return Listing.of(str(root), entries + second_domain)


def _first(root: Path, places: tuple[str, ...]) -> Path | None:
    return next((root / place for place in places if (root / place).is_dir()), None)


def _words(root: Path, *folders: Path) -> dict[str, str]:
    """What the numbers mean, from the first list there is; none if there is none."""
    for folder in (root, root / "imagenet", *folders, *(folder.parent for folder in folders)):
        path = folder / NAMES
        if path.is_file():
            lines = [(line, _ENTRY.fullmatch(line)) for _, line in lines_of(path)]
            wrong = [line for line, entry in lines if not entry]
            if wrong:
                raise PictureError(
                    f"{path} has lines that are not 'n01440764 tench': {preview(wrong)}"
                )
            return {entry[1]: readable(entry[2]) for _, entry in lines if entry}
    return {}


def _entries(domain: str, part: Part, folder: Path, words: dict[str, str]) -> list[Entry]:
    """The pictures of each class, by the name that a prompt says."""
    skipped = Skipped()
    found = dict(class_pictures(Folder(str(folder)), skipped))
    skipped.warn(str(folder))
    names = {name: words.get(name, readable(name)) for name in sorted(found)}
    nameless = [name for name in names if _NUMBER.fullmatch(name) and name not in words]
    if nameless:
        raise PictureError(
            f"{folder}: CLIP needs words, and {len(nameless)} classes are numbers without one: "
            f"{preview(nameless)}; put {NAMES} beside them, of lines 'n01440764 tench'"
        )
    merged = sorted(name for name, count in Counter(names.values()).items() if count > 1)
    if merged:
        warn(f"{folder}: several folders are called {preview(merged)}, each one class now")
    return [(domain, part, names[name], found[name]) for name in names]
