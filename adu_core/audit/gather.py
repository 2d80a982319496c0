"""The pictures and models of an audit, from a folder of `adu run --save`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from adu_core.audit.materials import Materials
from adu_core.clips.load import load_clip
from adu_core.clips.preprocess import Preprocess
from adu_core.data.grammar import drawn
from adu_core.data.notice import notice
from adu_core.data.shares import TRAIN
from adu_core.data.sources import load_held_out, load_pictures, load_shots, read_share, source_names
from adu_core.data.world import MAX_SEED
from adu_core.rivals.saved import About, load_model, read_about
from adu_core.runs.record import read_record
from adu_core.runs.spec import Spec
from adu_core.task import DomainDataset

#: An attacker's pictures of each class in each domain, and what their seed is away from the run's.
STOLEN, APART = 16, 1_000_003


@dataclass(frozen=True)
class Asked:
    """Where an audit's model and pictures are.

    folder:    of `adu run --save`
    clip:      ``load_clip``'s name and pretrained, if not where the adapter says
    reference: the same of a CLIP that never saw what is to be forgotten, if there is one
    data, shots, seed, limit: as in ``Spec``, those of the run
    stolen:    an attacker's pictures of each class in each domain, if there are so many
    """

    folder: Path
    clip: tuple[str, str | None] | None = None
    reference: tuple[str, str | None] | None = None
    data: str = "world"
    shots: int = 8
    seed: int = 0
    limit: int | None = None
    stolen: int = STOLEN
    device: str = "cpu"

    def as_dict(self) -> dict[str, Any]:
        """What a record says of the pictures."""
        names = ("data", "shots", "seed", "limit", "stolen")
        return {name: getattr(self, name) for name in names}


def run_of(folder: str | Path) -> Spec | None:
    """The run that a folder's model came from, if its record is there."""
    path = Path(folder) / "record.json"
    return Spec.from_dict(read_record(path)["config"], path) if path.is_file() else None


def check(asked: Asked) -> About:
    """Raise ``ValueError`` or ``OSError``, before anything is loaded, for what cannot be audited.

    The pictures must have the adapter's classes and domains, in any order.
    """
    about = read_about(asked.folder)
    for what, known, there in zip(
        ("classes", "domains"),
        (about.classes, about.domains),
        source_names(asked.data),
        strict=True,
    ):
        if set(known) != set(there):
            missing = sorted(set(known) - set(there))
            more = sorted(set(there) - set(known))
            raise ValueError(
                f"{asked.folder} was made for other {what} than {asked.data} has: there it lacks "
                f"{missing or 'none'} and has {more or 'none'} besides"
            )
    return about


def gather(asked: Asked) -> Materials:
    """Load all; raises what ``check`` raises, and what loading models and pictures does."""
    about = check(asked)
    name, pretrained = asked.clip or (about.clip_name, about.pretrained)
    clip = load_clip(name, pretrained, asked.device)
    model = load_model(asked.folder, clip)
    reference = None
    if asked.reference:
        try:
            reference = load_clip(asked.reference[0], asked.reference[1], asked.device)
        except FileNotFoundError as error:
            said = str(error).replace("--clip", "--reference")
            raise FileNotFoundError(said) from None
        if reference.picture_size != clip.picture_size:
            raise ValueError(
                f"the reference takes pictures of {reference.picture_size} pixels, the model of "
                f"{clip.picture_size}: pretrain it with --size {clip.picture_size}"
            )
    size = clip.preprocess
    other = (asked.seed + APART) % MAX_SEED
    stolen = _stolen(asked, size, other)
    test = load_pictures(asked.data, "test", size=size, limit=asked.limit)
    unused = load_pictures(asked.data, "validation", size=size, limit=asked.limit)
    used = load_shots(asked.data, size=size, shots=asked.shots, seed=asked.seed)
    return Materials(
        model,
        used=_in_order(used, about),
        unused=_in_order(unused, about),
        test=_in_order(test, about),
        stolen=_in_order(stolen, about),
        held_out=load_held_out(asked.data, size=size, limit=asked.limit),
        reference=reference,
        drawn=drawn(asked.data),
    )


def _stolen(asked: Asked, size: Preprocess, seed: int) -> DomainDataset:
    """As many pictures of each as were asked for, or as the smallest class has; that is said."""
    if drawn(asked.data):
        return load_shots(asked.data, size=size, shots=asked.stolen, seed=seed)
    found = read_share(asked.data, TRAIN, size, asked.stolen, seed)
    counts = found.counts()
    most = int(counts.min())
    if most < asked.stolen:
        label, domain = divmod(int(counts.argmin()), len(found.domain_names))
        notice(
            f"the attacker has {most} pictures of each class in each domain, not {asked.stolen} "
            f"(--stolen): {found.class_names[label]} in {found.domain_names[domain]} has no more"
        )
    return found.few_shot(most)


def _in_order(pictures: DomainDataset, about: About) -> DomainDataset:
    """Labels and domains as the adapter numbers them."""
    if (pictures.class_names, pictures.domain_names) == (about.classes, about.domains):
        return pictures
    labels = torch.tensor([about.classes.index(name) for name in pictures.class_names])
    domains = torch.tensor([about.domains.index(name) for name in pictures.domain_names])
    return replace(
        pictures,
        labels=labels[pictures.labels],
        domains=domains[pictures.domains],
        class_names=about.classes,
        domain_names=about.domains,
    )
