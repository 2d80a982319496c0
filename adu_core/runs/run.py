"""One run: a CLIP before, unlearning, the model after, and the record of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from adu_core.clip import FrozenCLIP
from adu_core.data.notice import notice
from adu_core.data.sources import Splits
from adu_core.loop import History, Loop
from adu_core.machine.provenance import provenance, reset_peak_memory
from adu_core.runs.checkpoint import Checkpoint
from adu_core.runs.doubt import doubt, unknown_words
from adu_core.runs.evaluate import Result, evaluate
from adu_core.runs.labels import told
from adu_core.runs.record import SCHEMA, Provenance, Record
from adu_core.runs.spec import Extra, Spec, Split
from adu_core.task import DomainDataset, Method, Model, Target, Task, target


@dataclass(frozen=True)
class Run:
    """A run's record, and what a figure or a notebook wants besides.

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
    run = Loop(progress, _kept(checkpoint), after_epoch)
    model = method.fit(Task(clip, shots, target(forget)), seed, run)
    return model, run.history


def unlearn(
    clip: FrozenCLIP,
    splits: Splits,
    forget: Target | Sequence[str],
    method: Method,
    *,
    seed: int = 0,
    on: Split = "test",
    measure: tuple[Extra, ...] = ("entanglement",),
    spec: Spec | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    before: tuple[Result, Tensor] | None = None,
) -> Run:
    """Measure, unlearn what ``forget`` names, measure again.

    ``on`` says which pictures are measured: settings are chosen on "validation", results
    reported on "test". ``before``, what ``evaluate`` gave for the same pictures, spares the first
    measurement. ``progress`` shows bars, and a warning on stderr if the CLIP does not know the
    pictures. ``spec`` says where CLIP and pictures come from; without one, the record names
    them by their fingerprints. The other arguments are those of ``fit`` and of ``Spec``.
    """
    started = time.perf_counter()
    reset_peak_memory(clip.device)
    pictures = splits.test if on == "test" else splits.validation
    asked = target(forget)
    asked.mask(pictures)  # a wrong name is said now, not after the work
    method.check(Task(clip, splits.shots, asked))
    fingerprint = pictures.fingerprint()
    if spec is None:
        spec = Spec(
            method,
            asked,
            data=f"pictures:{fingerprint}",
            clip=(clip.name, clip.pretrained or None),
            shots=int(splits.shots.counts().max()),
            seed=seed,
            on=on,
            measure=measure,
        )
    elif (spec.method, spec.forget, spec.seed, spec.on) != (method, asked, seed, on):
        raise ValueError("the spec is of another method, target, seed or split than the run")
    entangled = "entanglement" in spec.measure
    result_before, features_before = before or evaluate(clip, pictures, asked, entangled=entangled)
    if before:  # a measurement handed in may have had another target in mind
        again, _ = evaluate(clip, pictures, asked, entangled=False, features=features_before)
        result_before = {**result_before, **again}
    counts = pictures.counts().sum(dim=0).tolist()
    measured = dict(zip(pictures.domain_names, counts, strict=True))
    if progress:
        doubts = (
            unknown_words(clip, pictures.class_names),
            doubt(result_before, measured, len(pictures.class_names)),
        )
        for text in filter(None, doubts):
            notice(text)
    task = told(clip, splits.shots, asked, spec.labels, seed)
    run = Loop(progress=progress, checkpoint=_kept(checkpoint))
    fitting = time.perf_counter()
    model = method.fit(task, seed, run)
    seconds = time.perf_counter() - fitting
    bandwidth = cast("float | None", result_before.get("entanglement", {}).get("bandwidth"))
    result_after, features_after = evaluate(
        model, pictures, asked, entangled=entangled, bandwidth=bandwidth
    )
    record: Record = {
        "schema": SCHEMA,
        "spec": spec.hash,
        "config": spec.as_dict(),
        "before": result_before,
        "after": result_after,
        "found": {
            "classes": list(pictures.class_names),
            "domains": list(pictures.domain_names),
            "measured": measured,
            "clip_fingerprint": clip.fingerprint,
            "pictures_fingerprint": fingerprint,
            "shots_fingerprint": splits.shots.fingerprint(),
            "learned_numbers": model.learned_numbers(),
            "fit_seconds": round(seconds, 2),
        },
        "provenance": {"seconds": 0.0, "device": ""},
    }
    unmet = splits.held_out
    able = model.open_classes and not asked.classes  # forgotten classes say nothing of others
    if "held-out" in spec.measure and unmet is not None and able:
        record["held_out"] = {
            "before": evaluate(clip, unmet, asked, entangled=False)[0],
            "after": evaluate(model, unmet, asked, entangled=False)[0],
        }
    if "validation" in spec.measure:
        chosen = splits.validation
        record["validation"] = evaluate(model, chosen, asked, entangled=False)[0]["metrics"]
        record["found"]["validation_fingerprint"] = chosen.fingerprint()
    record["provenance"] = cast("Provenance", provenance(clip.device, started))
    return Run(record, clip, model, run.history, pictures, features_before, features_after)


def _kept(path: str | Path | None) -> Checkpoint | None:
    return None if path is None else Checkpoint(Path(path))
