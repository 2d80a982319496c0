"""A drawn world: everyday things in four domains, rendered in pure torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from adu_core.data.world.dice import roll
from adu_core.data.world.render import SIZE, draw
from adu_core.data.world.shapes import CLASSES
from adu_core.data.world.styles import DOMAINS
from adu_core.dataset import DomainDataset

SEEN, HELD_OUT = CLASSES[:16], CLASSES[16:]
SPLITS = ("pretrain", "train", "validation", "test")
MAX_SEED = 2**22

__all__ = ["CLASSES", "DOMAINS", "HELD_OUT", "SEEN", "SIZE", "SPLITS", "world"]


def world(
    split: str = "test",
    per_class: int = 25,
    *,
    classes: Sequence[str] = SEEN,
    domains: Sequence[str] = DOMAINS,
    mix: float = 0.5,
    move: tuple[str, float] | None = None,
    avoid: Sequence[str] = (),
    seed: int = 0,
    size: int = SIZE,
    device: str | torch.device = "cpu",
) -> DomainDataset:
    """``per_class`` pictures of each class in each domain.

    split:  one of ``SPLITS``; no two share a picture
    mix:    how much the domains overlap: 0 (pure) to 0.5
    move:   in place of ``mix``, a domain and how far, 0 to 1, every picture's style is moved
            towards it: at 0 it is pure, at 1 that domain's mean. All else of a picture stays
    avoid:  domains towards which ``mix`` moves no style: such a picture keeps its own
    seed:   0 to 4,194,303; other seeds are other worlds of the same kind
    size:   pixels along a side

    Picture number i of a class in a domain is the same whatever else is asked for. Labels
    index into ``classes`` and domains into ``domains``, in the order given. Raises
    ``ValueError`` for an unknown class, domain or split and for a number out of range.
    """
    for what, asked, known in (
        ("class", tuple(classes), CLASSES),
        ("domain", tuple(domains), DOMAINS),
        ("split", (split,), SPLITS),
        ("domain to avoid", tuple(avoid), DOMAINS),
    ):
        unknown = [name for name in asked if name not in known]
        if unknown:
            raise ValueError(f"no {what} {unknown[0]!r}: choose from {', '.join(known)}")
        if (not asked and what != "domain to avoid") or len(set(asked)) != len(asked):
            raise ValueError(f"each {what} once and at least one, not {list(asked)}")
    if move is not None and (move[0] not in DOMAINS or not 0 <= move[1] <= 1):
        raise ValueError(f"move is one of {', '.join(DOMAINS)} and 0 to 1, not {move}")
    if per_class < 1:
        raise ValueError(f"per_class must be 1 or more, not {per_class}")
    if not 0 <= seed < MAX_SEED:
        raise ValueError(f"seed must be from 0 to {MAX_SEED - 1}, not {seed}")
    cells = [(CLASSES.index(c), DOMAINS.index(d)) for c in classes for d in domains]
    rows = torch.cat([roll(per_class, _generator(split, seed, *cell)) for cell in cells])
    known_labels, known_domains = torch.tensor(cells).repeat_interleave(per_class, 0).unbind(1)
    pictures, shift = draw(
        known_labels,
        known_domains,
        rows,
        mix=mix,
        move=None if move is None else (DOMAINS.index(move[0]), move[1]),
        avoid=[DOMAINS.index(name) for name in avoid],
        size=size,
        device=device,
    )
    labels = torch.arange(len(classes)).repeat_interleave(len(domains) * per_class)
    own_domains = torch.arange(len(domains)).repeat_interleave(per_class).repeat(len(classes))
    return DomainDataset(pictures, labels, own_domains, tuple(classes), tuple(domains), shift)


def _generator(split: str, seed: int, label: int, domain: int) -> torch.Generator:
    """Its own chance for each cell of each split, and for no other.

    torch's CPU generator takes 32 bits of a seed: 22 for the seed, 2 for the split, 6 for
    the class and 2 for the domain, so that no two cells can meet.
    """
    cell = (seed * len(SPLITS) + SPLITS.index(split)) * 64 + label
    return torch.Generator().manual_seed(cell * len(DOMAINS) + domain)
