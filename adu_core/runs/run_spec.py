"""Does the run of a spec; keeps what the next one may share: CLIP, pictures, "before"."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import torch

from adu_core.clip import FrozenCLIP
from adu_core.clips.load import load_clip
from adu_core.clips.preprocess import Preprocess
from adu_core.data.grammar import drawn
from adu_core.data.messages import warn
from adu_core.data.sources import (
    Splits,
    listed,
    load_held_out,
    load_pictures,
    load_shots,
    source_names,
)
from adu_core.dataset import DomainDataset
from adu_core.machine.device import check_device, resolved
from adu_core.machine.files import write_json
from adu_core.runs.doubt import unknown_words
from adu_core.runs.evaluate import Answers, answers
from adu_core.runs.run import Run, unlearn
from adu_core.runs.spec import Spec, Split
from adu_core.task import Task


def check(work: Iterable[Spec], device: str = "cpu") -> None:
    """Raise ``ValueError`` if a spec's method cannot do what is asked, on its CLIP and its names.

    No picture is read: a setting that does not fit the CLIP is refused before hours of reading.
    """
    unlike = {(spec.clip, spec.data, spec.method, spec.forget.kind): spec for spec in work}
    for spec in unlike.values():
        task = Task.of_names(clip_of(spec.clip, device), *names_of(spec.data), spec.forget)
        with torch.no_grad():
            spec.method.start(task).class_features()  # learned words may leave names no room


def warn_of_unknown_words(work: Iterable[Spec], device: str = "cpu") -> None:
    """Warn on stderr, before any work, of classes whose words a spec's small CLIP never met."""
    for clip, data in dict.fromkeys((spec.clip, spec.data) for spec in work):
        if text := unknown_words(clip_of(clip, device), names_of(data)[0]):
            warn(text)


def run_spec(spec: Spec, path: Path, device: str = "cpu") -> None:
    """Run one spec and write its record to ``path``; the device is asked for on this machine."""
    check_device(device, "device")
    write_json(path, run(spec, device, progress=False).record)


def run(
    spec: Spec,
    device: str = "cpu",
    *,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> Run:
    """Run one spec; what does not depend on its method and seed is kept for the next one."""
    check([spec], device)
    clip = clip_of(spec.clip, device)
    splits = _splits(spec, clip.preprocess)
    before = _before(clip, spec.data, spec.limit, spec.on, "entanglement" in spec.measure)
    return unlearn(clip, splits, spec, checkpoint=checkpoint, progress=progress, before=before)


# A process runs many specs on the same CLIP and pictures: keep the last ones.


def clip_of(name: tuple[str, str | None], device: str = "cpu") -> FrozenCLIP:
    """The CLIP of a spec, read anew only if its file was written anew.

    ``device`` may be "auto", which is found out here, on the machine that computes.
    """
    return _load(name, resolved(device, name), tuple(_stamp(part) for part in name))


@functools.lru_cache(maxsize=1)
def _load(
    name: tuple[str, str | None],
    device: str,
    stamps: tuple[Any, ...],  # noqa: ARG001
) -> FrozenCLIP:
    return load_clip(*name, device=device)


def _stamp(name: str | None) -> tuple[int, int] | None:
    """What changes when a file of weights is written anew; None for what is no file."""
    path = Path(name or "")
    if not path.is_file():
        return None
    found = path.stat()
    return found.st_mtime_ns, found.st_size


@functools.lru_cache(maxsize=2)
def _before(
    clip: FrozenCLIP,
    source: str,
    limit: int | None,
    on: Split,
    entangled: bool,
) -> Answers:
    """The CLIP's answers before unlearning: the same for every seed, target and method."""
    return answers(clip, _pictures(source, on, clip.preprocess, limit), entangled=entangled)


_listed = functools.lru_cache(maxsize=4)(listed)
_shots = functools.lru_cache(maxsize=8)(load_shots)
_held_out = functools.lru_cache(maxsize=1)(load_held_out)


def names_of(source: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The class names and domain names of a source, which is listed once."""
    return source_names(_listed(source))


@functools.lru_cache(maxsize=2)
def _pictures(source: str, which: Split, size: Preprocess, limit: int | None) -> DomainDataset:
    return load_pictures(_listed(source), which, size=size, limit=limit)


_KEPT = (_before, _listed, _shots, _held_out, _pictures)


def read_anew(*sources: str) -> None:
    """Keep nothing that was read of them before: files may have changed. The drawn world cannot."""
    if not all(map(drawn, sources)):
        for kept in _KEPT:
            kept.cache_clear()


def fingerprints(spec: Spec, known: dict[Any, str | None]) -> dict[str, str | None]:
    """What a record of ``spec`` made now would say of its pictures; ``known`` spares reading twice.

    None stands for pictures that cannot be had: too few of a class, say.
    """
    size = clip_of(spec.clip).preprocess
    parts: dict[str, tuple[Any, ...]] = {"pictures": (spec.on, spec.limit)}
    if "validation" in spec.measure:
        parts["validation"] = ("validation", spec.limit)
    parts["shots"] = (spec.shots, spec.seed)
    for name, (first, second) in parts.items():
        if (key := (spec.data, size, first, second)) not in known:
            try:
                known[key] = (
                    _shots(_listed(spec.data), size=size, shots=first, seed=second)
                    if name == "shots"
                    else _pictures(spec.data, first, size, second)
                ).fingerprint()
            except ValueError:
                known[key] = None
    return {name: known[spec.data, size, *part] for name, part in parts.items()}


def _splits(spec: Spec, size: Preprocess) -> Splits:
    """The pictures of a run; a split that it does not measure is left empty, not read."""
    data = _listed(spec.data)
    shots = _shots(data, size=size, shots=spec.shots, seed=spec.seed)
    none = shots.subset(torch.arange(0))
    wanted = {spec.on} | ({"validation"} & set(spec.measure))
    if spec.method.chooses_step:
        wanted.add("validation")
    validation, test = (
        _pictures(spec.data, which, size, spec.limit) if which in wanted else none
        for which in get_args(Split)
    )
    held_out = None
    if "held-out" in spec.measure:
        held_out = _held_out(data, size=size, limit=spec.limit)
    return Splits(shots, validation, test, held_out)
