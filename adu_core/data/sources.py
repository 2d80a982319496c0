"""From ``"world"`` or ``"folder:PATH"`` to the pictures an experiment needs."""

from __future__ import annotations

from dataclasses import dataclass

from adu_core.data.dataset import DomainDataset
from adu_core.data.folder import read_folder
from adu_core.data.world import SEEN, world

#: How the files of a folder are shared out, per class and domain; the same at every seed.
TRAIN, VALIDATION, TEST = (0.0, 0.6), (0.6, 0.7), (0.7, 1.0)

#: Pictures per class and domain of the world's validation and test splits.
WORLD_VALIDATION, WORLD_TEST = 12, 25


@dataclass(frozen=True)
class Splits:
    """Disjoint pictures: a few to unlearn with, some to choose settings on, some to report on."""

    shots: DomainDataset
    validation: DomainDataset
    test: DomainDataset


def read_share(
    source: str,
    share: tuple[float, float],
    size: int,
    per_class_and_domain: int | None = None,
    seed: int = 0,
) -> DomainDataset:
    """The ``TRAIN``, ``VALIDATION`` or ``TEST`` share of a ``"folder:PATH"`` source."""
    return read_folder(
        source.removeprefix("folder:"),
        size=size,
        share=share,
        per_class_and_domain=per_class_and_domain,
        seed=seed,
        progress=True,
    )


def load_splits(
    source: str = "world",
    *,
    size: int,
    shots: int = 8,
    seed: int = 0,
    mix: float = 0.5,
    limit: int | None = None,
) -> Splits:
    """The pictures for one run.

    source: ``"world"`` (drawn, with overlap ``mix``) or ``"folder:PATH"``
    size:   height = width in pixels, the CLIP's ``picture_size``
    shots:  training pictures per class and domain; which ones, ``seed`` draws. Validation and
            test pictures are the same for every seed
    limit:  of a folder, read at most so many validation and test pictures each

    Raises ``ValueError`` for another kind of source, and what the folder reader raises.
    """
    if source == "world":
        return Splits(
            world("train", shots, classes=SEEN, mix=mix, seed=seed, size=size),
            world("validation", WORLD_VALIDATION, classes=SEEN, mix=mix, size=size),
            world("test", WORLD_TEST, classes=SEEN, mix=mix, size=size),
        )
    if not source.startswith("folder:"):
        raise ValueError(f"no data {source!r}: give 'world' or 'folder:PATH'")
    train = read_share(source, TRAIN, size, shots, seed)
    return Splits(
        train.few_shot(shots),  # says which class has too few
        read_share(source, VALIDATION, size, limit),
        read_share(source, TEST, size, limit),
    )
