"""Which pictures of a source are to unlearn with, to choose settings on and to report on."""

from __future__ import annotations

import random
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from adu_core.data.listing import Item, Listing, Part, Row
from adu_core.data.messages import preview, warn
from adu_core.data.picture import PictureError

Share = tuple[float, float]
#: How the files of a folder are shared out, per class and domain; the same at every seed.
TRAIN, VALIDATION, TEST = (0.0, 0.6), (0.6, 0.7), (0.7, 1.0)
CUTS = (0.0, 0.6, 0.7, 1.0)

#: Of a part that serves two purposes: where it is cut. A tenth of a training part is kept to choose
#: settings on [choice]; two thirds of nine tenths are a folder's 60 %.
TENTH, THIRD = (0.0, 0.9, 1.0), (0.0, 2 / 3, 1.0)
WHOLE = (0.0, 1.0)

Piece = tuple[Part, Share, tuple[float, ...]]
#: For each set of parts that a dataset may keep: where each share is taken, and how that is cut.
PIECES: dict[frozenset[Part], dict[Share, Piece]] = {
    frozenset({"train", "validation", "test"}): {
        TRAIN: ("train", WHOLE, WHOLE),
        VALIDATION: ("validation", WHOLE, WHOLE),
        TEST: ("test", WHOLE, WHOLE),
    },
    frozenset({"train", "test"}): {
        TRAIN: ("train", TENTH[:2], TENTH),
        VALIDATION: ("train", TENTH[1:], TENTH),
        TEST: ("test", WHOLE, WHOLE),
    },
    frozenset({"train", "validation"}): {
        TRAIN: ("train", THIRD[:2], THIRD),
        VALIDATION: ("validation", WHOLE, WHOLE),
        TEST: ("train", THIRD[1:], THIRD),
    },
}


@dataclass(frozen=True)
class Chosen:
    """Pictures to be read, with their labels and domains as numbers."""

    items: list[Item]
    labels: list[int]
    domains: list[int]


def choose(
    listing: Listing,
    share: Share,
    cuts: tuple[float, ...],
    most: int | None,
    seed: int,
    without: Set[Item] = frozenset(),
) -> Chosen:
    """The pictures of a share, at most ``most`` per class and domain, which ones ``seed`` draws.

    How a class is shuffled and drawn depends on its and its domain's name and its pictures alone.
    In place of those drawn that are to be ``without``, the draw goes on.
    """
    chosen = Chosen([], [], [])
    for domain, domain_name in enumerate(listing.domain_names):
        parts = listing.domains[domain_name]
        part, (first, last), inner = _piece(frozenset(parts), share, cuts)
        for label, class_name in enumerate(listing.class_names):
            found = parts[part].get(class_name, [])
            cell = f"{domain_name}/{class_name}"
            shuffled = random.Random(cell).sample(found, len(found))
            taken = _in_order(shuffled[slice(*places((first, last), inner, len(found)))])
            if most is not None and len(taken) > most:
                draw, pool = random.Random(f"{seed}/{cell}"), taken
                taken = _in_order(draw.sample(pool, most))
                if not without.isdisjoint(taken):
                    drawn = set(taken)
                    rest = [item for item in pool if item not in drawn]
                    taken += draw.sample(rest, len(rest))
            taken = [item for item in taken if item not in without][:most]
            chosen.items.extend(taken)
            chosen.labels.extend([label] * len(taken))
            chosen.domains.extend([domain] * len(taken))
    return chosen


def _in_order(items: list[Item]) -> list[Item]:
    return sorted(items, key=lambda item: item.number if isinstance(item, Row) else item)


def _piece(parts: frozenset[Part], share: Share, cuts: tuple[float, ...]) -> Piece:
    if parts == {"all"}:
        return "all", share, cuts
    if share not in PIECES[parts]:
        raise ValueError(f"pictures that are shared out already have no share {share}")
    return PIECES[parts][share]


def places(share: Share, cuts: tuple[float, ...], count: int) -> tuple[int, int]:
    """Where ``share`` begins and ends in a list of ``count`` files.

    Of all ``cuts``, no two fall on one place if there are files enough: those beside an empty
    share give way.
    """
    found, later = [round(part * count) for part in cuts], reversed(range(len(cuts)))
    if len(cuts) - 1 <= count:
        for number in range(1, len(cuts)):
            found[number] = max(found[number], found[number - 1] + 1)
        found = [min(place, count - left) for place, left in zip(found, later, strict=True)]
    known = dict(zip(cuts, found, strict=True))
    first, last = (known.get(part, round(part * count)) for part in share)
    return first, last


def drop_small_classes(
    listing: Listing, shares: list[Share], cuts: tuple[float, ...], skip_small: int = 0
) -> Listing:
    """The listing, each of whose classes has a picture in each of the shares.

    Classes too small for that, or with fewer than ``skip_small`` in the first share, are an error
    that names them; with ``skip_small`` they are left out of every domain, and named on stderr.
    """
    small = list(_small(listing, shares, cuts, skip_small))
    if small and not skip_small:
        asked = "from " + ", ".join(f"{first:g} to {last:g}" for first, last in shares) + " of them"
        needed = f", {len(cuts) - 1} are enough" if cuts else ""
        if any(set(parts) != {"all"} for parts in listing.domains.values()):
            asked, needed = "some to train on, to choose settings on and to test on", ""
        raise PictureError(
            f"too few pictures to share out ({asked}): "
            f"{', '.join(said for _, said in small[:10])}{', …' * (len(small) > 10)}{needed}: add "
            "pictures there, remove these classes from every domain, or say --skip-small"
        )
    if not small:
        return listing
    gone = {name for name, _ in small}
    kept = set(listing.class_names) - gone
    named = preview(sorted(gone), 20)
    if not kept:
        raise PictureError(
            f"{listing.where}: with skip-small={skip_small} no class is left: too small are {named}"
        )
    warn(
        f"{listing.where}: skip-small={skip_small} leaves {len(gone)} of {len(gone) + len(kept)} "
        f"classes out of every domain: {named}"
    )
    return listing.only(kept)


def _small(
    listing: Listing, shares: list[Share], cuts: tuple[float, ...], least: int
) -> Iterator[tuple[str, str]]:
    """Each class too small in some domain, and how to say so."""
    for domain in listing.domain_names:
        parts = listing.domains[domain]
        pieces = [_piece(frozenset(parts), share, cuts) for share in shares]
        for name in listing.class_names:
            for number, (part, share, inner) in enumerate(pieces):
                found = parts[part].get(name, [])
                first, last = places(share, inner, len(found))
                if last - first < (max(least, 1) if number == 0 else 1):
                    folder = found[0].parent if found and isinstance(found[0], Path) else None
                    where = str(folder or f"{domain}/{name} of {listing.where}")
                    kept = "" if part == "all" else f" in its {part} part"
                    yield name, f"{where} holds {len(found)}{kept}"
                    break
