"""From chosen pictures to a ``DomainDataset``; what stands in for a picture that is bad."""

from __future__ import annotations

from collections import Counter

import torch

from adu_core.clips.preprocess import Preprocess
from adu_core.data.cache import decode
from adu_core.data.listing import Item, Listing
from adu_core.data.notice import notice, some
from adu_core.data.picture import PictureError
from adu_core.data.shares import Chosen
from adu_core.task import DomainDataset


def read(
    chosen: Chosen,
    listing: Listing,
    preprocess: Preprocess,
    *,
    skip_bad: bool = False,
    progress: bool = False,
) -> DomainDataset:
    """The chosen pictures of ``listing``.

    With ``skip_bad``, pictures that cannot be read are left out, and named on stderr at the end;
    where pictures were drawn, the next ones of the draw take their places. Raises ``PictureError``
    for a class that has none left in a domain, and without ``skip_bad`` for every bad picture.
    """
    found = decode(chosen.items, preprocess, skip_bad=skip_bad, progress=progress)
    cells = list(zip(chosen.domains, chosen.labels, strict=True))
    pictures, bad = found.pictures, list(found.bad.values())
    tried = len(chosen.items)
    if bad:
        lacking = Counter(cells[number] for number in found.bad)
        cells = [cell for number, cell in enumerate(cells) if number not in found.bad]
        spares = {cell: list(chosen.spares.get(cell, [])) for cell in lacking}
        parts = [pictures]
        while True:
            wanted: list[tuple[tuple[int, int], Item]] = []
            for cell, count in lacking.items():
                wanted += [(cell, item) for item in spares[cell][:count]]
                spares[cell] = spares[cell][count:]
            if not wanted:
                break
            more = decode([item for _, item in wanted], preprocess, skip_bad=True)
            lacking = Counter(wanted[number][0] for number in more.bad)
            cells += [cell for number, (cell, _) in enumerate(wanted) if number not in more.bad]
            parts.append(more.pictures)
            bad += more.bad.values()
            tried += len(wanted)
        if len(parts) > 1:  # a copy in memory: where pictures are drawn, they are few
            order = sorted(range(len(cells)), key=cells.__getitem__)
            pictures, cells = torch.cat(parts)[order], [cells[number] for number in order]
        _refuse_empty(chosen, cells, listing, bad)
        notice(
            f"--skip-bad leaves out {len(bad)} of {tried} pictures of {listing.where}: {some(bad)}"
        )
    return DomainDataset(
        pictures,
        torch.tensor([label for _, label in cells], dtype=torch.int64),
        torch.tensor([domain for domain, _ in cells], dtype=torch.int64),
        listing.class_names,
        listing.domain_names,
    )


def _refuse_empty(
    chosen: Chosen, cells: list[tuple[int, int]], listing: Listing, bad: list[str]
) -> None:
    """An error where skipping bad pictures leaves none of a class in a domain."""
    asked = dict.fromkeys(zip(chosen.domains, chosen.labels, strict=True))
    left = set(cells)
    empty = [
        f"{listing.class_names[label]} in {listing.domain_names[domain]}"
        for domain, label in asked
        if (domain, label) not in left
    ]
    if empty:
        raise PictureError(
            f"{listing.where}: with --skip-bad no picture is left of {some(empty)}; they cannot be "
            f"read ({some(bad)}): replace them, or remove these classes from every domain"
        )
