"""Your own pictures, ``<root>/<domain>/<class>/picture``: what there is, or what is wrong."""

from __future__ import annotations

import contextlib
from pathlib import Path

from adu_core.data.listing import PART_NAMES, Listing, Part, Pool
from adu_core.data.messages import preview, warn
from adu_core.data.picture import PictureError, left_out, picture_suffixes
from adu_core.data.tree import Met, domain_parts, first_picture, pooled, refuse_names, scan
from adu_core.task import readable

EXPECTED = "expected <root>/<domain>/<class>/picture.jpg, such as photo/dog/1.jpg"
COMMON = {".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".webp"}
#: Names of domains: where all classes have such, they lie the wrong way round.
STYLES = frozenset({
    "art", "art painting", "cartoon", "clipart", "drawing", "infograph", "painting", "photo",
    "photos", "product", "quickdraw", "real", "real world", "rendition", "sketch", "sketches",
})  # fmt: skip


def find_folder(
    root: str | Path, only: frozenset[str] = frozenset(), *, gaps: bool = False
) -> Listing:
    """What there is in a folder of domains; no picture is opened.

    Levels of folders that say nothing are passed through: ``<root>/images/<domain>/<class>``,
    ``<root>/<domain>/images/<class>``, ``<root>/<domain>/<class>/images``, an archive unpacked into
    one more folder of its name. ``<domain>/{train,val,test}/<class>`` are the domain's parts.

    only: readable names of the domains to look at; without it, all of them
    gaps: whether classes may be missing in some domain
    """
    root = Path(root).expanduser()
    listing, met, place = listed(root, only, gaps)
    met.say(place)
    if STYLES.issuperset(listing.class_names) and STYLES.isdisjoint(listing.domain_names):
        warn(
            f"{place}: are classes and domains the wrong way round? The domains are "
            f"{preview(listing.domain_names)}, the classes {preview(listing.class_names)}; "
            f"{EXPECTED}"
        )
    return listing


def listed(root: Path, only: frozenset[str], gaps: bool) -> tuple[Listing, Met, Path]:
    """The pictures of every domain, what else was met, and below ``root`` the domains' folder."""
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise PictureError(f"{root} {what}: pass a folder; {EXPECTED}")
    met = Met()
    folders = [path for path in scan(root).folders if not only or readable(path.name) in only]
    inside = {tuple(inner.name.lower() for inner in scan(path).folders) for path in folders}
    same = inside.pop() if len(inside) == 1 and len(folders) > 1 else ()
    wrapper = same[0] if len(same) == 1 else None
    cells = {path: domain_parts(path, met, wrapper) for path in folders}
    full = {path for path, parts in cells.items() if any(pooled(parts.values()).values())}
    deep = [path for path in folders if path in full or first_picture(path)]
    if not full:
        if len(deep) == 1 and not scan(root).pictures:
            listing, met, place = listed(deep[0], only, gaps)
            met.wrapped.append(deep[0])
            return listing, met, place
        raise PictureError(where_the_pictures_are(root, met))
    for path in deep:
        if path not in full:
            raise PictureError(
                f"the pictures of {path}, such as {first_picture(path)}, are not in a folder for "
                f"each class: move them; {EXPECTED}"
            )
    met.empty = [path for path in folders if path not in full and not scan(path).others]
    cells = {path: parts for path, parts in cells.items() if path in full}
    refuse_names(cells)
    _refuse_parts(root, cells)
    domains = {readable(path.name): parts for path, parts in cells.items()}
    known = {name for parts in domains.values() for name, x in pooled(parts.values()).items() if x}
    if not gaps:
        _refuse_gaps(cells, known)
    return Listing(str(root), domains).only(known), met, root


def _refuse_parts(root: Path, cells: dict[Path, dict[Part, Pool]]) -> None:
    """An error for a single domain, and for parts of a dataset that stand for domains."""
    names = [path.name for path in cells]
    if len(names) < 2:
        raise PictureError(
            f"{root} holds a single domain, {names[0]!r}: to forget one domain and "
            f"memorize another, add a second folder beside it; {EXPECTED}"
        )
    classes = {name for parts in cells.values() for name in pooled(parts.values())}
    for what, found in (("domains", names), ("classes", sorted(classes))):
        if PART_NAMES.keys() >= {name.lower() for name in found}:
            raise PictureError(
                f"the folders in {root} are parts of a dataset, not {what}: {', '.join(found)}; "
                f"pass a folder of domains; {EXPECTED}"
            )


def _refuse_gaps(cells: dict[Path, dict[Part, Pool]], known: set[str]) -> None:
    """An error that lists every class without pictures in every domain."""
    gaps: list[str] = []
    for domain, parts in cells.items():
        classes = pooled(parts.values())
        missing = [name for name in sorted(known) if name not in classes]
        empty = [name for name in sorted(known) if name in classes and not classes[name]]
        if missing:
            gaps.append(f"{domain} has no folder for {', '.join(missing)}")
        if empty:
            gaps.append(f"{domain} has no pictures in its folder for {', '.join(empty)}")
    if gaps:
        raise PictureError(
            f"every class needs pictures in every domain, but {'; '.join(gaps)}: add pictures "
            "there, remove these classes from every domain, or say --skip-small to leave them out"
        )


def where_the_pictures_are(root: Path, met: Met) -> str:
    """What to say when no picture lies two folders below ``root``: where they lie instead."""
    found = first_picture(root)
    if found is None:
        kinds = " ".join(sorted(COMMON & picture_suffixes()))
        seen = f"; {left_out(met.others + scan(root).others)}" if met.others else ""
        return (
            f"there are no pictures in {root} (looked for {kinds} and the like){seen}; {EXPECTED}"
        )
    depth = len(found.relative_to(root).parts) - 1
    if depth < 2:
        kind, up = ("one class", 2) if depth == 0 else ("one domain", 1)
        there = root.resolve().parents[up - 1]
        names = {root.name} if depth == 0 else {path.name for path in scan(root).folders}
        said = f"{root} seems to hold the pictures of {kind}"
        if _beside(there, names) and _works(there):
            return f"{said}: pass {there} instead; {EXPECTED}"
        return f"{said}: move them into a folder for each domain and class; {EXPECTED}"
    folders = [folder for folder in scan(root).folders if _works(folder)]
    remedy = "move each class's pictures into one folder, in the folder of its domain"
    if folders:
        remedy = f"pass one of {', '.join(map(str, folders))}"
    return f"the pictures, such as {found}, lie too deep: {remedy}; {EXPECTED}"


def _beside(root: Path, classes: set[str]) -> bool:
    """Whether several folders have one of these classes: a look, before all of it is listed."""
    with contextlib.suppress(OSError):
        inside = ({path.name for path in scan(domain).folders} for domain in scan(root).folders)
        return sum(not classes.isdisjoint(names) for names in inside) > 1
    return False


def _works(root: Path) -> bool:
    """Whether this folder can be read as it is."""
    try:
        listed(root, frozenset(), gaps=False)
    except (PictureError, OSError):
        return False
    return True
