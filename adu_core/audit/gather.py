"""The pictures and models of an audit, from a folder of `adu run --save`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from adu_core.audit.materials import Materials
from adu_core.clip import FrozenCLIP
from adu_core.clips.load import load_clip
from adu_core.clips.preprocess import Preprocess
from adu_core.data.grammar import drawn
from adu_core.data.messages import warn
from adu_core.data.shares import TRAIN
from adu_core.data.sources import (
    Pictures,
    listed,
    load_held_out,
    load_pictures,
    load_shots,
    read_share,
    source_names,
)
from adu_core.data.world import MAX_SEED
from adu_core.dataset import DomainDataset
from adu_core.rivals.saved import About, load_model, read_about
from adu_core.runs.record import read_record
from adu_core.runs.spec import Spec

#: An attacker's pictures of each class in each domain, and what their seed is away from the run's.
STOLEN, APART = 16, 1_000_003


def run_of(folder: str | Path, **changes: Any) -> Spec:
    """The run that a folder's model came from, with what is to be otherwise in the audit.

    Where its record is not there, the run that the adapter describes, on the drawn world.
    changes: fields of ``Spec``, such as ``data`` or ``clip``; None leaves a field as it was
    """
    path, about = Path(folder) / "record.json", read_about(folder)
    spec = Spec(about.method, about.forget)
    if path.is_file():
        spec = Spec.from_dict(read_record(path)["config"], path)
    spec = replace(spec, clip=(about.clip_name, about.pretrained))
    return replace(spec, **{key: value for key, value in changes.items() if value is not None})


def check(folder: str | Path, spec: Spec, data: Pictures | None = None) -> About:
    """Raise ``ValueError`` or ``OSError``, before anything is loaded, for what cannot be audited.

    The pictures must have the adapter's classes and domains, in any order.
    data: ``spec.data`` as ``listed`` gives it, if that was done
    """
    about = read_about(folder)
    known = {"classes": about.classes, "domains": about.domains}
    for (what, names), there in zip(known.items(), source_names(data or spec.data), strict=True):
        if set(names) != set(there):
            raise ValueError(
                f"{folder} was made for other {what} than {spec.data} has: there it lacks "
                f"{sorted(set(names) - set(there)) or 'none'} and has "
                f"{sorted(set(there) - set(names)) or 'none'} besides"
            )
    return about


def gather(
    folder: str | Path,
    spec: Spec,
    *,
    data: Pictures | None = None,
    reference: tuple[str, str | None] | None = None,
    stolen: int = STOLEN,
    device: str = "cpu",
) -> Materials:
    """The model in ``folder`` and the pictures of the run ``spec`` to audit it with.

    data:      ``spec.data`` as ``listed`` gives it, if that was done
    reference: ``load_clip``'s name and pretrained of a CLIP that never saw what is to be forgotten
    stolen:    an attacker's pictures of each class in each domain, if there are so many

    Raises what ``check`` raises, and what loading models and pictures does.
    """
    data = data or listed(spec.data)
    about = check(folder, spec, data)
    clip = load_clip(*spec.clip, device)
    model = load_model(folder, clip)
    exact = _reference(reference, clip, device) if reference else None
    size = clip.preprocess
    taken = _stolen(spec, data, stolen, size)
    test = load_pictures(data, "test", size=size, limit=spec.limit)
    return Materials(
        model,
        test=_in_order(test, about),
        stolen=_in_order(taken, about),
        held_out=load_held_out(data, size=size, limit=spec.limit),
        reference=exact,
        drawn=drawn(spec.data),
    )


def _reference(reference: tuple[str, str | None], clip: FrozenCLIP, device: str) -> FrozenCLIP:
    try:
        found = load_clip(*reference, device)
    except FileNotFoundError as error:
        raise FileNotFoundError(str(error).replace("--clip", "--reference")) from None
    if found.picture_size != clip.picture_size:
        raise ValueError(
            f"the reference takes pictures of {found.picture_size} pixels, the model of "
            f"{clip.picture_size}: pretrain it with --size {clip.picture_size}"
        )
    return found


def _stolen(spec: Spec, data: Pictures, wanted: int, size: Preprocess) -> DomainDataset:
    """As many pictures of each as are wanted, or as the smallest class has, with a notice."""
    seed = (spec.seed + APART) % MAX_SEED
    if drawn(spec.data):
        return load_shots(data, size=size, shots=wanted, seed=seed)
    found = read_share(data, TRAIN, size, wanted, seed)
    counts = found.counts()
    most = int(counts.min())
    if most < wanted:
        label, domain = divmod(int(counts.argmin()), len(found.domain_names))
        warn(
            f"the attacker has {most} pictures of each class in each domain, not {wanted} "
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
