"""Your own pictures: ``<root>/<domain>/<class>/picture`` → ``DomainDataset``.

First the folders are read and everything wrong with them is said at once; only then is a
picture opened.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import torch
from tqdm import tqdm

from adu_core.data.dataset import DomainDataset, readable
from adu_core.data.picture import PICTURE_SUFFIXES, PictureError, read_picture
from adu_core.data.preprocess import Preprocess, preprocessing

Cells = dict[str, dict[str, list[Path]]]  # domain → class → its picture files, sorted

EXPECTED = "expected <root>/<domain>/<class>/picture.jpg, such as photo/dog/1.jpg"
NOT_DOMAINS = {"train", "val", "valid", "validation", "crossval", "test"}


def read_folder(
    root: str | Path,
    *,
    size: int | Preprocess,
    share: tuple[float, float] = (0.0, 1.0),
    cuts: tuple[float, ...] = (),
    per_class_and_domain: int | None = None,
    seed: int = 0,
    progress: bool = False,
) -> DomainDataset:
    """All pictures at ``<root>/<domain>/<class>/``, as PACS, Office-Home or DomainNet lie on disk.

    Domains and classes are called what their folders are called, made readable for prompts
    (``art_painting`` → ``art painting``), in alphabetical order. Hidden files, files that are
    no pictures, and folders inside a class's folder are not read.

    Args:
        root: the folder that holds the domains' folders.
        size: a CLIP's ``preprocess``, or height and width in pixels, see ``read_picture``. A
            picture takes 3 · size² bytes.
        share: where to begin and to end in a shuffled list of each class's files, as parts of
            their number. Shares that do not overlap have no file in common, whatever the limit
            and the seed; how a class is shuffled does not depend on what else is in ``root``.
        cuts: all the places, in rising order, where the list is ever cut. A class so small that
            a share between two cuts would be empty then gives each at least one picture, if it
            has as many as there are shares; larger ones are cut where they are without it.
        per_class_and_domain: read at most that many of each from the share; None reads all.
        seed: which of them.
        progress: show a progress bar.

    Raises:
        PictureError: the folders are not laid out like that, a class has no pictures in some
            domain or too few for the share, there are fewer than two domains, or pictures
            cannot be read.
    """
    preprocess = preprocessing(size)
    if per_class_and_domain is not None and per_class_and_domain < 1:
        raise ValueError(f"per_class_and_domain must be 1 or more, not {per_class_and_domain}")
    if not 0 <= share[0] < share[1] <= 1:
        raise ValueError(f"share must run from one part of 1 to a greater one, not {share}")
    if cuts and not {0.0, *share, 1.0} <= set(cuts):
        raise ValueError(f"cuts must hold 0, 1 and both ends of the share {share}, not {cuts}")
    cells = _find_pictures(Path(root).expanduser())
    _refuse_small_classes(cells, list(pairwise(cuts)) or [share], cuts)
    class_names, domain_names = _names(cells)
    files, labels, domains = [], [], []
    for domain, domain_name in enumerate(domain_names):
        for label, class_name in enumerate(class_names):
            found = cells[domain_name][class_name]
            cell = f"{domain_name}/{class_name}"
            shuffled = random.Random(cell).sample(found, len(found))
            chosen = sorted(shuffled[slice(*_places(share, cuts, len(found)))])
            if per_class_and_domain is not None and len(chosen) > per_class_and_domain:
                draw = random.Random(f"{seed}/{cell}")
                chosen = sorted(draw.sample(chosen, per_class_and_domain))
            files += chosen
            labels += [label] * len(chosen)
            domains += [domain] * len(chosen)

    side = preprocess.size
    pictures = torch.empty((len(files), 3, side, side), dtype=torch.uint8)

    def read(number: int) -> str | None:
        try:
            pictures[number] = read_picture(files[number], preprocess)
        except PictureError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        read_all = pool.map(read, range(len(files)))
        progressing = tqdm(read_all, "reading pictures", len(files), disable=not progress)
        unreadable = [message for message in progressing if message is not None]
    if unreadable:
        some = unreadable[:10] + ["…"] * (len(unreadable) > 10)
        raise PictureError(
            f"{'; '.join(some)}: replace or remove the damaged files, "
            f"{len(unreadable)} of {len(files)}"
        )
    return DomainDataset(
        pictures, torch.tensor(labels), torch.tensor(domains), class_names, domain_names
    )


def folder_names(
    root: str | Path, cuts: tuple[float, ...] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The class and domain names of a folder, checked like ``read_folder``; no picture is read.

    With ``cuts``, every class must be large enough for a picture in each share between them.
    """
    cells = _find_pictures(Path(root).expanduser())
    _refuse_small_classes(cells, list(pairwise(cuts)), cuts)
    return _names(cells)


def _names(cells: Cells) -> tuple[tuple[str, ...], tuple[str, ...]]:
    domain_names = tuple(sorted(cells))
    return tuple(sorted(cells[domain_names[0]])), domain_names


def _places(share: tuple[float, float], cuts: tuple[float, ...], count: int) -> tuple[int, int]:
    """Where ``share`` begins and ends in a list of ``count`` files.

    Of all ``cuts``, no two fall on one place if there are files enough: those beside an empty
    share give way.
    """
    places, later = [round(part * count) for part in cuts], reversed(range(len(cuts)))
    if len(cuts) - 1 <= count:
        for number in range(1, len(cuts)):
            places[number] = max(places[number], places[number - 1] + 1)
        places = [min(place, count - left) for place, left in zip(places, later, strict=True)]
    known = dict(zip(cuts, places, strict=True))
    first, last = (known.get(part, round(part * count)) for part in share)
    return first, last


def _refuse_small_classes(
    cells: Cells, shares: list[tuple[float, float]], cuts: tuple[float, ...]
) -> None:
    """An error that lists every class too small for a picture in each of the shares."""
    small = [
        f"{files[0].parent} holds {len(files)}"
        for classes in cells.values()
        for files in classes.values()
        if any(first >= last for first, last in (_places(x, cuts, len(files)) for x in shares))
    ]
    if small:
        some = small[:10] + ["…"] * (len(small) > 10)
        needed = f", {len(cuts) - 1} are enough" if cuts else ""
        asked = ", ".join(f"{first:g} to {last:g}" for first, last in shares)
        raise PictureError(
            f"too few pictures to share out (from {asked} of them): {', '.join(some)}{needed}: "
            "add pictures there, or remove these classes from every domain"
        )


def _find_pictures(root: Path) -> Cells:
    """The picture files of every domain and class, the same classes in every domain."""
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise PictureError(f"{root} {what}: pass a folder; {EXPECTED}")
    cells: Cells = {}
    for domain_folder in _folders(root):
        classes = {folder: _pictures(folder) for folder in _folders(domain_folder)}
        if not classes and _holds_other_files_only(domain_folder):
            continue  # such as the split lists that lie beside DomainNet's domains
        _refuse_twins(classes)
        cells[domain_folder.name] = {readable(folder.name): classes[folder] for folder in classes}
    if not any(files for classes in cells.values() for files in classes.values()):
        raise PictureError(_where_the_pictures_are(root))
    _refuse_twins(root / name for name in cells)
    if len(cells) < 2:
        raise PictureError(
            f"{root} holds a single domain, {next(iter(cells))!r}: to forget one domain and "
            f"memorize another, add a second folder beside it; {EXPECTED}"
        )
    if NOT_DOMAINS.issuperset(name.lower() for name in cells):
        raise PictureError(
            f"the folders in {root} are parts of a dataset, not domains: {', '.join(cells)}; "
            f"pass a folder of domains; {EXPECTED}"
        )
    _refuse_gaps(root, cells)
    return {readable(name): classes for name, classes in cells.items()}


def _refuse_twins(folders: Iterable[Path]) -> None:
    """An error where two folders in one place have the same readable name."""
    seen: dict[str, Path] = {}
    for folder in folders:
        twin = seen.setdefault(readable(folder.name), folder)
        if twin is not folder:
            raise PictureError(
                f"{twin} and {folder} are both called {readable(folder.name)!r} in a prompt: "
                "merge them or rename one"
            )


def _refuse_gaps(root: Path, cells: Cells) -> None:
    """An error that lists every class without pictures in every domain."""
    class_names = sorted({name for classes in cells.values() for name in classes})
    gaps = []
    for domain, classes in cells.items():
        missing = [name for name in class_names if name not in classes]
        empty = [name for name in class_names if name in classes and not classes[name]]
        if missing:
            gaps.append(f"{root / domain} has no folder for {', '.join(missing)}")
        if empty:
            gaps.append(f"{root / domain} has no pictures in its folder for {', '.join(empty)}")
    if gaps:
        raise PictureError(
            f"every class needs pictures in every domain, but {'; '.join(gaps)}: "
            "add pictures there, or remove these classes from every domain"
        )


def _where_the_pictures_are(root: Path) -> str:
    """What to say when no picture lies two folders below ``root``: where they lie instead."""
    found = _first_picture(root)
    if found is None:
        kinds = " ".join(sorted(PICTURE_SUFFIXES))
        return f"there are no pictures in {root} (looked for {kinds}); {EXPECTED}"
    depth = len(found.relative_to(root).parts) - 1
    if depth < 2:
        kind, up = ("one class", 2) if depth == 0 else ("one domain", 1)
        there = root.resolve()
        for _ in range(up):
            there = there.parent
        return f"{root} seems to hold the pictures of {kind}: pass {there} instead; {EXPECTED}"
    parts = found.relative_to(root).parts
    if len(folders := [folder for folder in _folders(root) if _first_picture(folder)]) == 1:
        remedy = f"pass {root.joinpath(*parts[: depth - 2])} instead"
    elif parts[1].lower() in NOT_DOMAINS:
        remedy = f"move the classes out of folders such as {parts[1]!r} into the domain's own"
    else:
        remedy = f"pass one of {', '.join(map(str, folders))}"
    return f"the pictures, such as {found}, lie too deep: {remedy}; {EXPECTED}"


def _first_picture(root: Path) -> Path | None:
    """Any picture at any depth below ``root``, the least deep folders first in each branch."""
    for folder, names, _ in os.walk(root):
        names[:] = [name for name in sorted(names) if not _ignored(name)]
        for picture in _pictures(Path(folder)):
            return picture
    return None


def _folders(folder: Path) -> list[Path]:
    """The folders in ``folder``, sorted by name."""
    found = (path for path in folder.iterdir() if path.is_dir() and not _ignored(path.name))
    return sorted(found, key=lambda path: path.name)


def _pictures(folder: Path) -> list[Path]:
    """The picture files in ``folder``, sorted by name, told by their suffixes."""
    found = (path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    return sorted((path for path in found if not _ignored(path.name)), key=lambda path: path.name)


def _holds_other_files_only(folder: Path) -> bool:
    return any(not _ignored(path.name) for path in folder.iterdir()) and not _pictures(folder)


def _ignored(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
