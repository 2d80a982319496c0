"""One run: measure a CLIP, unlearn, measure the model, and make a record."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from adu_core.clip import FrozenCLIP
from adu_core.data.corruptions import CORRUPTIONS, corrupted
from adu_core.data.messages import warn
from adu_core.data.sources import Splits
from adu_core.dataset import DomainDataset, Target, target
from adu_core.loop import History, Loop
from adu_core.machine.provenance import provenance, reset_peak_memory
from adu_core.runs.checkpoint import Checkpoint
from adu_core.runs.doubt import doubt, unknown_words
from adu_core.runs.evaluate import Answers, answers, evaluate, score
from adu_core.runs.labels import relabel
from adu_core.runs.record import SCHEMA, Measured, Provenance, Record
from adu_core.runs.spec import Spec
from adu_core.task import Method, Model, Task


@dataclass(frozen=True)
class Run:
    """A run's record, and what figures and notebooks need in addition.

    pictures: the dataset that was measured on; features_before, features_after (N, feature_size)
    """

    record: Record
    clip: FrozenCLIP
    model: Model
    history: History
    pictures: DomainDataset
    features_before: Tensor
    features_after: Tensor


def fit(
    clip: FrozenCLIP,
    shots: DomainDataset,
    forget: Target | Sequence[str],
    method: Method,
    *,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    after_epoch: Callable[[int, Any], None] | None = None,
) -> tuple[Any, History]:
    """Unlearn, and measure nothing: the model, and its history if it was trained.

    shots:  the few training pictures, of every domain
    forget: a target, or the domains to forget

    The other arguments are those of ``Loop``. Raises ``ValueError`` if everything is to be
    forgotten or nothing, if the method cannot forget such a thing, or if ``checkpoint`` is
    another run's. The same seed gives the same bits on the same machine.
    """
    loop = Loop(progress, _kept(checkpoint), after_epoch)
    model = method.fit(Task(clip, shots, target(forget)), seed, loop)
    return model, loop.history


def unlearn(
    clip: FrozenCLIP,
    splits: Splits,
    spec: Spec,
    *,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    before: Answers | None = None,
    after_epoch: Callable[[int, Any], None] | None = None,
) -> Run:
    """Measure, unlearn what ``spec`` asks for, measure again; all in one record.

    clip, splits: what ``spec`` names; the record keeps their fingerprints as well
    progress:     show bars, and a warning on stderr if the CLIP does not know the pictures
    before:       the CLIP's ``answers`` to the pictures that are measured, if they are known
    after_epoch:  as that of ``Loop``
    """
    started = time.perf_counter()
    reset_peak_memory(clip.device)
    pictures = splits.test if spec.on == "test" else splits.validation
    spec.forget.check(pictures.class_names, pictures.domain_names)
    entangled = "entanglement" in spec.measure
    before = before or answers(clip, pictures, entangled=entangled)
    result_before = score(before, pictures, spec.forget)
    counts = pictures.counts().sum(dim=0).tolist()
    measured = dict(zip(pictures.domain_names, counts, strict=True))
    if progress:
        doubts = (
            unknown_words(clip, pictures.class_names),
            doubt(result_before, measured, len(pictures.class_names)),
        )
        for text in filter(None, doubts):
            warn(text)
    chosen_on = splits.validation if spec.method.chooses_step else None
    task = relabel(
        Task(clip, splits.shots, spec.forget, validation=chosen_on), spec.labels, spec.seed
    )
    loop = Loop(progress, _kept(checkpoint), after_epoch)
    fitting = time.perf_counter()
    model = spec.method.fit(task, spec.seed, loop)
    seconds = time.perf_counter() - fitting
    after = answers(model, pictures, entangled=entangled, bandwidth=before.bandwidth)
    record: Record = {
        "schema": SCHEMA,
        "spec": spec.hash,
        "config": spec.as_dict(),
        "before": result_before,
        "after": score(after, pictures, spec.forget),
        "found": {
            "classes": list(pictures.class_names),
            "domains": list(pictures.domain_names),
            "measured": measured,
            "clip_fingerprint": clip.fingerprint,
            "pictures_fingerprint": pictures.fingerprint(),
            "shots_fingerprint": splits.shots.fingerprint(),
            "learned_numbers": model.learned_numbers(),
            "fit_seconds": round(seconds, 2),
        },
        "provenance": {"seconds": 0.0, "device": ""},
    }
    _measure_besides(record, clip, model, splits, spec)
    record["provenance"] = cast("Provenance", provenance(clip.device, started))
    return Run(record, clip, model, loop.history, pictures, before.features, after.features)


def _measure_besides(
    record: Record, clip: FrozenCLIP, model: Model, splits: Splits, spec: Spec
) -> None:
    """Enter what ``spec.measure`` asks for of other pictures than those reported on."""

    def measured(made: Model | FrozenCLIP, pictures: DomainDataset) -> Measured:
        return evaluate(made, pictures, spec.forget, entangled=False)[0]

    unmet, chosen = splits.held_out, splits.validation
    able = model.open_classes and not spec.forget.classes  # those say nothing of other classes
    if "held-out" in spec.measure and unmet is not None and able:
        record["held_out"] = {"before": measured(clip, unmet), "after": measured(model, unmet)}
    if "validation" in spec.measure:
        record["validation"] = measured(model, chosen)["metrics"]
        record["found"]["validation_fingerprint"] = chosen.fingerprint()
    if "corrupted" in spec.measure:
        pictures = splits.test if spec.on == "test" else splits.validation
        record["corrupted"] = {
            name: measured(model, corrupted(pictures, name))["metrics"] for name in CORRUPTIONS
        }


def _kept(path: str | Path | None) -> Checkpoint | None:
    return None if path is None else Checkpoint(Path(path))
