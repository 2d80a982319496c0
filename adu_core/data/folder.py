"""Your own pictures: ``<root>/<domain>/<class>/picture`` → ``DomainDataset``.

First the folders are read and everything wrong with them is said at once; only then is a
picture opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from adu_core.data.dataset import DomainDataset, readable
from adu_core.data.listing import Listing, Pool
from adu_core.data.picture import PICTURE_SUFFIXES, PictureError
from adu_core.data.preprocess import Preprocess, preprocessing
from adu_core.data.reading import read
from adu_core.data.shares import choose, settle_small

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
    skip_bad: bool = False,
    skip_small: int = 0,
) -> DomainDataset:
    """All pictures at ``<root>/<domain>/<class>/``, as PACS, Office-Home or DomainNet lie on disk.

    Domains and classes are called what their folders are called, made readable for prompts
    (``art_painting`` → ``art painting``), in alphabetical order. Hidden files, files that are
    no pictures, and folders inside a class's folder are not read. What is decoded is kept for the
    next time, see ``adu_core.data.cache``.

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
        skip_bad: leave out pictures that cannot be read, and name them on stderr.
        skip_small: leave out of every domain the classes that are too small to share out, or have
            fewer than so many pictures in the first share; 0 makes them an error.

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
    listing = find_folder(root, gaps=skip_small > 0)
    listing = settle_small(listing, list(pairwise(cuts)) or [share], cuts, skip_small)
    chosen = choose(listing, share, cuts, per_class_and_domain, seed)
    return read(chosen, listing, preprocess, skip_bad=skip_bad, progress=progress)


def find_folder(
    root: str | Path, only: frozenset[str] = frozenset(), *, gaps: bool = False
) -> Listing:
    """What there is in a folder of domains; no picture is opened.

    only: readable names of the domains to look at; without it, all of them
    gaps: whether classes may be missing in some domain
    """
    root = Path(root).expanduser()
    cells = _find_pictures(root, only, gaps)
    return Listing(str(root), {name: {"all": pool} for name, pool in cells.items()})


def class_pictures(domain_folder: Path) -> Pool:
    """The picture files of each class in the folder of a domain."""
    folders = _folders(domain_folder)
    _refuse_twins(folders)
    return {readable(folder.name): [*_pictures(folder)] for folder in folders}


def _find_pictures(root: Path, only: frozenset[str], gaps: bool) -> dict[str, Pool]:
    """The picture files of every domain and class, the same classes in every domain."""
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise PictureError(f"{root} {what}: pass a folder; {EXPECTED}")
    cells: dict[str, Pool] = {}
    for domain_folder in _folders(root):
        if only and readable(domain_folder.name) not in only:
            continue
        classes = class_pictures(domain_folder)
        if not classes and _holds_other_files_only(domain_folder):
            continue  # such as the split lists that lie beside DomainNet's domains
        cells[domain_folder.name] = classes
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
    if not gaps:
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


def _refuse_gaps(root: Path, cells: dict[str, Pool]) -> None:
    """An error that lists every class without pictures in every domain."""
    class_names = sorted({name for classes in cells.values() for name in classes})
    gaps: list[str] = []
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


def pictures_below(root: Path) -> Iterator[Path]:
    """The picture files at any depth below ``root``, in order, those of a folder before deeper."""
    for folder, names, _ in os.walk(root):
        names[:] = [name for name in sorted(names) if not _ignored(name)]
        yield from _pictures(Path(folder))


def _first_picture(root: Path) -> Path | None:
    """Any picture at any depth below ``root``."""
    return next(pictures_below(root), None)


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
