"""From ``"world"`` or ``"folder:PATH"`` to the pictures an experiment needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adu_core.data.dataset import DomainDataset
from adu_core.data.folder import folder_names, read_folder
from adu_core.data.preprocess import Preprocess, preprocessing
from adu_core.data.world import DOMAINS, HELD_OUT, SEEN, world

#: How the files of a folder are shared out, per class and domain; the same at every seed.
TRAIN, VALIDATION, TEST = (0.0, 0.6), (0.6, 0.7), (0.7, 1.0)
CUTS = (0.0, 0.6, 0.7, 1.0)

#: Pictures per class and domain of the world's validation and test splits.
WORLD_VALIDATION, WORLD_TEST = 12, 25


@dataclass(frozen=True)
class Splits:
    """Disjoint pictures: a few to unlearn with, some to choose settings on, some to report on."""

    shots: DomainDataset
    validation: DomainDataset
    test: DomainDataset
    #: Test pictures of classes that are in none of the others, where there are some.
    held_out: DomainDataset | None = None


def read_share(
    source: str,
    share: tuple[float, float],
    size: int | Preprocess,
    per_class_and_domain: int | None = None,
    seed: int = 0,
) -> DomainDataset:
    """The ``TRAIN``, ``VALIDATION`` or ``TEST`` share of a ``"folder:PATH"`` source."""
    return read_folder(
        source.removeprefix("folder:"),
        size=size,
        share=share,
        cuts=CUTS,
        per_class_and_domain=per_class_and_domain,
        seed=seed,
        progress=True,
    )


def load_splits(
    source: str = "world",
    *,
    size: int | Preprocess,
    shots: int = 8,
    seed: int = 0,
    mix: float = 0.5,
    limit: int | None = None,
    held_out: bool = False,
) -> Splits:
    """The pictures for one run.

    source: ``"world"`` (drawn, with overlap ``mix``) or ``"folder:PATH"``
    size:   the CLIP's ``preprocess``, or height = width in pixels, the CLIP's ``picture_size``,
            for one that scales the shorter side as the first CLIP does; see ``read_picture``
    shots:  training pictures per class and domain; which ones, ``seed`` draws. Validation and
            test pictures are the same for every seed
    limit:  of a folder, read at most so many validation and test pictures each
    held_out: also test pictures of the world's ten classes that no other split has

    Raises ``ValueError`` for another kind of source, and what the folder reader raises.
    """
    return Splits(
        load_shots(source, size=size, shots=shots, seed=seed, mix=mix),
        load_pictures(source, "validation", size=size, mix=mix, limit=limit),
        load_pictures(source, "test", size=size, mix=mix, limit=limit),
        load_held_out(source, size=size, mix=mix) if held_out else None,
    )


def load_shots(
    source: str, *, size: int | Preprocess, shots: int = 8, seed: int = 0, mix: float = 0.5
) -> DomainDataset:
    """The training pictures alone, ``shots`` per class and domain; see ``load_splits``."""
    if source == "world":
        return world("train", shots, classes=SEEN, mix=mix, seed=seed, size=_side(size))
    train = read_share(_folder(source), TRAIN, size, shots, seed)
    return train.few_shot(shots)  # says which class has too few


def load_pictures(
    source: str,
    which: Literal["validation", "test"],
    *,
    size: int | Preprocess,
    mix: float = 0.5,
    limit: int | None = None,
) -> DomainDataset:
    """The pictures to choose settings on, or to report on; see ``load_splits``."""
    if source == "world":
        count = WORLD_VALIDATION if which == "validation" else WORLD_TEST
        return world(which, count, classes=SEEN, mix=mix, size=_side(size))
    return read_share(_folder(source), VALIDATION if which == "validation" else TEST, size, limit)


def load_held_out(source: str, *, size: int | Preprocess, mix: float = 0.5) -> DomainDataset | None:
    """Test pictures of classes that no other split has; None where there are none."""
    if source != "world":
        return None
    return world("test", WORLD_TEST, classes=HELD_OUT, mix=mix, size=_side(size))


def source_names(source: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The class names and domain names of a source, without reading a picture."""
    if source == "world":
        return SEEN, DOMAINS
    return folder_names(_folder(source).removeprefix("folder:"), CUTS)


def _side(size: int | Preprocess) -> int:
    return preprocessing(size).size


def _folder(source: str) -> str:
    if not source.startswith("folder:"):
        raise ValueError(f"no data {source!r}: give 'world' or 'folder:PATH'")
    return source
