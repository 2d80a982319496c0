"""From one line, ``"world"`` or ``"KIND:PLACE"``, to the pictures an experiment needs.

``adu_core.data.grammar`` has the kinds; ``adu_core.data.layouts`` the datasets that have a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch

from adu_core.clips.preprocess import Preprocess, preprocessing
from adu_core.data.folder import find_folder
from adu_core.data.grammar import Source, drawn, parse
from adu_core.data.listing import Listing
from adu_core.data.reading import read
from adu_core.data.shares import CUTS, TEST, TRAIN, VALIDATION, Share, choose, settle_small
from adu_core.data.world import DOMAINS, HELD_OUT, SEEN, world
from adu_core.task import DomainDataset

__all__ = [
    "CUTS",
    "TEST",
    "TRAIN",
    "VALIDATION",
    "Splits",
    "count_pictures",
    "find_pictures",
    "load_held_out",
    "load_pictures",
    "load_shots",
    "load_splits",
    "read_share",
    "source_names",
]

#: Pictures per class and domain of the world's validation and test splits.
WORLD_VALIDATION, WORLD_TEST = 12, 25
#: Those two are the same for every seed of the shots: a process draws them once.
_drawn = lru_cache(maxsize=2)(world)


@dataclass(frozen=True)
class Splits:
    """Disjoint pictures: a few to unlearn with, some to choose settings on, some to report on."""

    shots: DomainDataset
    validation: DomainDataset
    test: DomainDataset
    #: Test pictures of classes that are in none of the others, where there are some.
    held_out: DomainDataset | None = None


def find_pictures(source: Source) -> Listing:
    """What there is to read, checked: nothing missing, nothing too small, nothing opened."""
    kind, place, gaps = source.kind, source.place, source.skip_small > 0
    found: Listing
    if kind == "folder":
        found = find_folder(place, gaps=gaps)
    elif kind == "hub":
        from adu_core.data.hub import read_hub

        found = read_hub(place, skip_bad=source.skip_bad, gaps=gaps)
    elif kind == "lists":
        from adu_core.data.lists import read_lists

        found = read_lists(place, skip_bad=source.skip_bad, gaps=gaps)
    elif kind.startswith("imagenet"):
        from adu_core.data.imagenet import find_imagenet

        second = {"imagenet-sketch": "sketch", "imagenet-r": "rendition"}.get(kind)
        found = find_imagenet(place, second, gaps=gaps)
    else:
        from adu_core.data.layouts import find

        found = find(kind, place, skip_bad=source.skip_bad, gaps=gaps)
    return settle_small(found, [TRAIN, VALIDATION, TEST], CUTS, source.skip_small)


def read_share(
    source: str,
    share: Share,
    size: int | Preprocess,
    per_class_and_domain: int | None = None,
    seed: int = 0,
) -> DomainDataset:
    """The ``TRAIN``, ``VALIDATION`` or ``TEST`` share of any source but the world."""
    if per_class_and_domain is not None and per_class_and_domain < 1:
        raise ValueError(f"per_class_and_domain must be 1 or more, not {per_class_and_domain}")
    parsed, preprocess = parse(source), preprocessing(size)
    listing = find_pictures(parsed)
    chosen = choose(listing, share, CUTS, per_class_and_domain, seed)
    return read(chosen, listing, preprocess, skip_bad=parsed.skip_bad, progress=True)


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
    return Splits(
        load_shots(source, size=size, shots=shots, seed=seed),
        load_pictures(source, "validation", size=size, limit=limit),
        load_pictures(source, "test", size=size, limit=limit),
        load_held_out(source, size=size, limit=limit) if held_out else None,
    )


def load_shots(
    source: str, *, size: int | Preprocess, shots: int = 8, seed: int = 0
) -> DomainDataset:
    """The training pictures alone, ``shots`` per class and domain; see ``load_splits``."""
    if drawn(source):
        mix = parse(source).mix
        return world("train", shots, classes=SEEN, mix=mix, seed=seed, size=_side(size))
    train = read_share(source, TRAIN, size, shots, seed)
    return train.few_shot(shots)  # says which class has too few


def load_pictures(
    source: str,
    which: Literal["validation", "test"],
    *,
    size: int | Preprocess,
    limit: int | None = None,
) -> DomainDataset:
    """The pictures to choose settings on, or to report on; see ``load_splits``."""
    if drawn(source):
        count = _at_most(WORLD_VALIDATION if which == "validation" else WORLD_TEST, limit)
        found = _drawn(which, count, classes=SEEN, mix=parse(source).mix, size=_side(size))
        return found.subset(torch.arange(len(found)))  # a copy
    return read_share(source, VALIDATION if which == "validation" else TEST, size, limit)


def count_pictures(source: str, limit: int | None = None) -> int:
    """How many pictures there are to report on, of any source but the world; none is opened."""
    return len(choose(find_pictures(parse(source)), TEST, CUTS, limit, 0).items)


def load_held_out(
    source: str, *, size: int | Preprocess, limit: int | None = None
) -> DomainDataset | None:
    """Test pictures of classes that no other split has; None where there are none."""
    if not drawn(source):
        return None
    count = _at_most(WORLD_TEST, limit)
    return world("test", count, classes=HELD_OUT, mix=parse(source).mix, size=_side(size))


def source_names(source: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The class names and domain names of a source, without reading a picture."""
    parsed = parse(source)
    if parsed.kind == "world":
        return SEEN, DOMAINS
    listing = find_pictures(parsed)
    return listing.class_names, listing.domain_names


def _at_most(count: int, limit: int | None) -> int:
    return count if limit is None else min(count, limit)


def _side(size: int | Preprocess) -> int:
    return preprocessing(size).size
