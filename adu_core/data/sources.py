"""From one line, ``"world"`` or ``"KIND:PLACE"``, to the pictures that an experiment needs.

``adu_core.data.grammar`` has the kinds; ``adu_core.data.layouts`` the known data sets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import torch

from adu_core.clips.preprocess import Preprocess, preprocessing
from adu_core.data.cache import decode
from adu_core.data.folder import find_folder
from adu_core.data.grammar import drawn, parse
from adu_core.data.listing import Listing, Row
from adu_core.data.messages import preview, warn
from adu_core.data.picture import PictureError
from adu_core.data.shares import (
    PRETRAIN,
    SHOTS,
    TEST,
    TRAIN,
    VALIDATION,
    WHOLE,
    Share,
    choose,
    drop_small_classes,
)
from adu_core.data.world import DOMAINS, HELD_OUT, SEEN, world
from adu_core.dataset import DomainDataset

__all__ = [
    "PRETRAIN",
    "TEST",
    "TRAIN",
    "VALIDATION",
    "Splits",
    "count_pictures",
    "find_pictures",
    "listed",
    "load_held_out",
    "load_pictures",
    "load_shots",
    "load_splits",
    "read_folder",
    "read_share",
    "source_names",
]

#: Pictures per class and domain of the world's validation and test splits.
WORLD_VALIDATION, WORLD_TEST = 12, 25
#: Those two are the same for every seed of the shots: a process draws them once.
_drawn = lru_cache(maxsize=2)(world)


@dataclass(frozen=True)
class Splits:
    """Disjoint pictures: shots to unlearn with, validation to choose settings on, test pictures."""

    shots: DomainDataset
    validation: DomainDataset
    test: DomainDataset
    #: Test pictures of classes that are in none of the others, where there are some.
    held_out: DomainDataset | None = None


#: A line, or what ``listed`` made of it: whoever asks several things of a source lists it once.
Pictures = str | Listing


def find_pictures(source: str) -> Listing:
    """What there is to read, checked: nothing missing, nothing too small, nothing opened."""
    line = parse(source)
    kind, place = line.kind, line.place
    if kind == "world":
        raise ValueError("the drawn world has no files: draw it with adu_core.world")
    if kind == "folder":
        found = find_folder(place)
    elif kind == "hub":
        from adu_core.data.hub import read_hub

        found = read_hub(place, skip_bad=line.skip_bad)
    elif kind == "lists":
        from adu_core.data.lists import read_lists

        found = read_lists(place, skip_bad=line.skip_bad)
    else:
        from adu_core.data.layouts import find

        found = find(kind, place, skip_bad=line.skip_bad)
    found = replace(found, skip_bad=line.skip_bad)
    return drop_small_classes(found, line.skip_small)


def listed(source: Pictures) -> Pictures:
    """The pictures of a source, for several questions; the drawn world stays a line."""
    return source if isinstance(source, Listing) or drawn(source) else find_pictures(source)


def read_share(
    source: Pictures,
    share: Share,
    size: int | Preprocess,
    per_class_and_domain: int | None = None,
    seed: int = 0,
) -> DomainDataset:
    """The ``TRAIN``, ``VALIDATION`` or ``TEST`` share of any source but the world."""
    return _read(_listing(source), share, size, per_class_and_domain, seed)


def read_folder(
    root: str | Path,
    *,
    size: int | Preprocess,
    per_class_and_domain: int | None = None,
    seed: int = 0,
    progress: bool = False,
    skip_bad: bool = False,
) -> DomainDataset:
    """All pictures at ``<root>/<domain>/<class>/``, as PACS, Office-Home or DomainNet lie on disk.

    Domains and classes are called what their folders are called, made readable for prompts
    (``art_painting`` → ``art painting``), in alphabetical order. Files that are no pictures, and
    folders inside a class's folder, are not read, which is said on stderr. Parts that a domain
    keeps apart, such as ``train`` and ``test``, are read together; see ``find_folder``. What is
    decoded is kept for the next time, see ``adu_core.data.cache``.

    Args:
        root: the folder that holds the domains' folders.
        size: a CLIP's ``preprocess``, or height and width in pixels, see ``read_picture``. A
            picture takes 3 · size² bytes.
        per_class_and_domain: read at most that many of each; None reads all.
        seed: which of them.
        progress: show a progress bar.
        skip_bad: leave out pictures that cannot be read, and name them on stderr.

    Raises:
        PictureError: the folders are not laid out like that, a class has no pictures in some
            domain, there are fewer than two domains, or pictures cannot be read.
    """
    whole = replace(find_folder(root).whole(), skip_bad=skip_bad)
    listing = drop_small_classes(whole, shares=[WHOLE])
    return _read(listing, WHOLE, size, per_class_and_domain, seed, progress)


def load_splits(
    source: str = "world",
    *,
    size: int | Preprocess,
    shots: int = 8,
    seed: int = 0,
    limit: int | None = None,
    held_out: bool = False,
) -> Splits:
    """The pictures for one run.

    source: ``"world"`` (drawn; ``"world?mix=0.25"`` with styles that overlap less) or
            ``"KIND:PLACE"``: ``"folder:ROOT"``, ``"pacs:ROOT"``, ``"hub:flwrlabs/pacs"``, …
    size:   the CLIP's ``preprocess``, or height = width in pixels, the CLIP's ``picture_size``,
            for one that scales the shorter side as the first CLIP does; see ``read_picture``
    shots:  training pictures per class and domain; which ones, ``seed`` draws. Validation and
            test pictures are the same for every seed
    limit:  at most so many pictures per class and domain to choose settings on, and to report on
    held_out: also test pictures of the world's ten classes that no other split has

    Raises ``ValueError`` for another kind of source, and what the source's reader raises.
    """
    pictures = listed(source)
    return Splits(
        load_shots(pictures, size=size, shots=shots, seed=seed),
        load_pictures(pictures, "validation", size=size, limit=limit),
        load_pictures(pictures, "test", size=size, limit=limit),
        load_held_out(pictures, size=size, limit=limit) if held_out else None,
    )


def load_shots(
    source: Pictures, *, size: int | Preprocess, shots: int = 8, seed: int = 0
) -> DomainDataset:
    """The training pictures alone, ``shots`` per class and domain; see ``load_splits``."""
    mix = _mix(source)
    if mix is not None:
        return world("train", shots, classes=SEEN, mix=mix, seed=seed, size=_side(size))
    train = read_share(source, SHOTS, size, shots, seed)
    return train.few_shot(shots)  # says which class has too few


def load_pictures(
    source: Pictures,
    which: Literal["validation", "test"],
    *,
    size: int | Preprocess,
    limit: int | None = None,
) -> DomainDataset:
    """The pictures to choose settings on, or to report on; see ``load_splits``."""
    mix = _mix(source)
    if mix is not None:
        count = _at_most(WORLD_VALIDATION if which == "validation" else WORLD_TEST, limit)
        found = _drawn(which, count, classes=SEEN, mix=mix, size=_side(size))
        return found.subset(torch.arange(len(found)))  # a copy
    return read_share(source, VALIDATION if which == "validation" else TEST, size, limit)


def load_held_out(
    source: Pictures, *, size: int | Preprocess, limit: int | None = None
) -> DomainDataset | None:
    """Test pictures of classes that no other split has; None where there are none."""
    mix = _mix(source)
    if mix is None:
        return None
    count = _at_most(WORLD_TEST, limit)
    return world("test", count, classes=HELD_OUT, mix=mix, size=_side(size))


def count_pictures(source: Pictures, limit: int | None = None) -> int:
    """How many pictures there are to report on; none is opened or drawn."""
    if _mix(source) is not None:
        return _at_most(WORLD_TEST, limit) * len(SEEN) * len(DOMAINS)
    return len(choose(_listing(source), TEST, limit, 0).items)


def source_names(source: Pictures) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The class names and domain names of a source, without reading a picture."""
    if _mix(source) is not None:
        return SEEN, DOMAINS
    found = _listing(source)
    return found.class_names, found.domain_names


def _listing(source: Pictures) -> Listing:
    return source if isinstance(source, Listing) else find_pictures(source)


def _mix(source: Pictures) -> float | None:
    """How much the drawn world's domains overlap; None for other pictures."""
    return parse(source).mix if isinstance(source, str) and drawn(source) else None


def _at_most(count: int, limit: int | None) -> int:
    return count if limit is None else min(count, limit)


def _side(size: int | Preprocess) -> int:
    return preprocessing(size).size


def _read(
    listing: Listing,
    share: Share,
    size: int | Preprocess,
    most: int | None,
    seed: int,
    progress: bool = True,
) -> DomainDataset:
    """The pictures of a share; with ``listing.skip_bad``, without those that cannot be read.

    Those are named on stderr; where pictures were drawn, the next ones of the draw take their
    places. A class that has none left in a domain is a ``PictureError``.
    """
    if most is not None and most < 1:
        raise ValueError(f"per_class_and_domain must be 1 or more, not {most}")
    preprocess, skip_bad = preprocessing(size), listing.skip_bad
    bad: dict[Path | Row, str] = {}
    while True:
        chosen = choose(listing, share, most, seed, without=bad.keys())
        found = decode(chosen.items, preprocess, skip_bad=skip_bad, progress=progress)
        bad |= {chosen.items[number]: why for number, why in found.bad.items()}
        if not found.bad or most is None:
            break
    good = [number for number in range(len(chosen.items)) if number not in found.bad]
    labels, domains = torch.tensor([chosen.labels, chosen.domains], dtype=torch.int64)[:, good]
    data = DomainDataset(found.pictures, labels, domains, listing.class_names, listing.domain_names)
    if bad:
        empty = [
            f"{listing.class_names[label]} in {listing.domain_names[domain]}"
            for label, domain in (data.counts() == 0).nonzero().tolist()
        ]
        if empty:
            raise PictureError(
                f"{listing.where}: with --skip-bad no picture is left of {preview(empty)}; they "
                f"cannot be read ({preview(bad.values())}): replace them, or remove these classes "
                "from every domain"
            )
        warn(
            f"--skip-bad leaves out {len(bad)} of {len(bad) + len(data)} pictures of "
            f"{listing.where}: {preview(bad.values())}"
        )
    return data
