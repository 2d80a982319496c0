"""Divides the pictures of a source into training, validation and test."""

from __future__ import annotations

import random
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from adu_core.data.listing import Item, Listing, Part, Row
from adu_core.data.messages import preview, warn
from adu_core.data.picture import PictureError

Share = tuple[float, float]
#: How the files of a folder are shared out, per class and domain; the same at every seed.
TRAIN, VALIDATION, TEST = (0.0, 0.6), (0.6, 0.7), (0.7, 1.0)
CUTS = (0.0, 0.6, 0.7, 1.0)
#: Of the training share, what a CLIP of one's own is pretrained on; shots come from the rest, as
#: long as there are enough, so that no shot is a picture that the CLIP has seen [choice].
PRETRAIN, SHOTS = (0.0, 0.4), (0.4, 0.6)
#: All of it, where nothing is to be shared out.
WHOLE = (0.0, 1.0)

#: Of a part that serves two purposes: where it is cut. A tenth of a training part is kept to choose
#: settings on [choice]; two thirds of nine tenths are a folder's 60 %.
TENTH, THIRD = (0.0, 0.9, 1.0), (0.0, 2 / 3, 1.0)

#: For each set of parts that a dataset may keep: where each share is taken, and how that is cut.
PIECES: dict[frozenset[Part], dict[Share, tuple[Part, Share, tuple[float, ...]]]] = {
    frozenset({"all"}): {
        TRAIN: ("all", TRAIN, CUTS),
        VALIDATION: ("all", VALIDATION, CUTS),
        TEST: ("all", TEST, CUTS),
        WHOLE: ("all", WHOLE, WHOLE),
    },
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

    items: list[Path | Row]
    labels: list[int]
    domains: list[int]


def choose(
    listing: Listing,
    share: Share,
    most: int | None,
    seed: int,
    without: Set[Path | Row] = frozenset(),
) -> Chosen:
    """The pictures of a share, at most ``most`` per class and domain, which ones ``seed`` draws.

    ``PRETRAIN`` and ``SHOTS`` are parts of ``TRAIN``; if there are fewer than ``most`` shots, some
    of what is for pretraining are taken as well.
    How a class is shuffled and drawn depends on its and its domain's name and its pictures alone.
    In place of those drawn that are to be ``without``, the draw goes on.
    """
    chosen = Chosen([], [], [])
    for domain, domain_name in enumerate(listing.domain_names):
        parts = listing.domains[domain_name]
        whole = TRAIN if share in (PRETRAIN, SHOTS) else share
        part, piece, cuts = PIECES[frozenset(parts)][whole]
        for label, class_name in enumerate(listing.class_names):
            found = parts[part].get(class_name, ())
            cell = f"{domain_name}/{class_name}"
            shuffled = random.Random(cell).sample(found, len(found))
            found = shuffled[slice(*places(piece, cuts, len(found)))]
            taken = _in_order(_part(found, share, (most or 0) + len(without)))
            if most is not None and len(taken) > most:
                draw, pool = random.Random(f"{seed}/{cell}"), taken
                taken = _in_order(draw.sample(pool, most))
                if without:
                    drawn = set(taken)
                    rest = [item for item in pool if item not in drawn]
                    taken += draw.sample(rest, len(rest))
            files = (Path(item) if isinstance(item, str) else item for item in taken)
            good = [file for file in files if file not in without][:most]
            chosen.items.extend(good)
            chosen.labels.extend([label] * len(good))
            chosen.domains.extend([domain] * len(good))
    return chosen


def _part(found: list[Item], share: Share, least: int) -> list[Item]:
    """Of a shuffled training share what is for pretraining, or ``least`` shots and more."""
    cut = round(PRETRAIN[1] / TRAIN[1] * len(found))
    if share == PRETRAIN:
        return found[: max(cut, 1)]
    return found[min(cut, max(0, len(found) - least)) :] if share == SHOTS else found


def _in_order(items: list[Item]) -> list[Item]:
    return sorted(items, key=lambda item: item.number if isinstance(item, Row) else str(item))


def places(share: Share, cuts: tuple[float, ...], count: int) -> tuple[int, int]:
    """Where ``share``, from one of the ``cuts`` to another, begins and ends in ``count`` files.

    Of all ``cuts``, no two fall on one place if there are files enough: those beside an empty
    share give way.
    """
    found = [round(part * count) for part in cuts]
    if len(cuts) - 1 <= count:
        for number in range(1, len(cuts)):
            found[number] = max(found[number], found[number - 1] + 1)
        later = reversed(range(len(cuts)))
        found = [min(place, count - left) for place, left in zip(found, later, strict=True)]
    return found[cuts.index(share[0])], found[cuts.index(share[1])]


def drop_small_classes(
    listing: Listing, least: int = 0, shares: Sequence[Share] = (TRAIN, VALIDATION, TEST)
) -> Listing:
    """The listing, each of whose classes has a picture in each of the shares, in every domain.

    Classes too small for that, or with fewer than ``least`` in the first share, are an error that
    names them; with ``least`` they are left out of every domain, and named on stderr.
    """
    few = {name: _too_few(listing, name, max(least, 1), shares) for name in listing.class_names}
    small = {name: text for name, text in few.items() if text}
    if not small:
        return listing
    if not least:
        needed = "3" if len(shares) > 1 else "pictures"
        if any(set(parts) != {"all"} for parts in listing.domains.values()):
            needed = "some to train on, to choose settings on and to test on"
        raise PictureError(
            f"{listing.where}: too few pictures to share out: {preview(small.values())}. Every "
            f"class needs {needed} in every domain: add pictures there, remove these classes from "
            "every domain, or say --skip-small"
        )
    kept = set(listing.class_names) - small.keys()
    if not kept:
        raise PictureError(
            f"{listing.where}: with skip-small={least} no class is left: too small are "
            f"{preview(small, 20)}"
        )
    warn(
        f"{listing.where}: skip-small={least} leaves {len(small)} of {len(listing.class_names)} "
        f"classes out of every domain: {preview(small, 20)}"
    )
    domains = {
        domain: {
            part: {name: pool[name] for name in pool if name in kept}
            for part, pool in parts.items()
        }
        for domain, parts in listing.domains.items()
    }
    return replace(listing, domains=domains)


def _too_few(listing: Listing, name: str, least: int, shares: Sequence[Share]) -> str:
    """Where a class has too few pictures for a share, and how many; empty if nowhere."""
    few = []
    for domain in listing.domain_names:
        parts = listing.domains[domain]
        for share in shares:
            part, piece, cuts = PIECES[frozenset(parts)][share]
            count = len(parts[part].get(name, ()))
            first, last = places(piece, cuts, count)
            if last - first < (least if share == shares[0] else 1):
                kept = "" if part == "all" else f" in its {part} part"
                few.append(f"{domain}/{name} holds {count}{kept}")
                break
    return ", ".join(few)
