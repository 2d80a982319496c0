"""One run: a CLIP before, unlearning, the CLIP after, and the record of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

from torch import Tensor

from adu_core.adapter import Adapter
from adu_core.clip import FrozenCLIP
from adu_core.data.dataset import DomainDataset
from adu_core.data.sources import Splits
from adu_core.evaluation import Result, evaluate
from adu_core.losses import median_squared_distance
from adu_core.methods import METHODS, Settings
from adu_core.metrics import mem_for_h
from adu_core.provenance import provenance
from adu_core.training import History, fit

SCHEMA = 1


class Record(TypedDict):
    """What is kept of a run, as one JSON file."""

    schema: int
    before: Result
    after: Result
    config: dict[str, Any]
    provenance: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A run's record, and what a figure or a notebook wants besides.

    pictures: the dataset that was measured on; features_before, features_after (N, feature_size)
    """

    record: Record
    clip: FrozenCLIP
    adapter: Adapter | None
    history: History
    pictures: DomainDataset
    features_before: Tensor
    features_after: Tensor


def unlearn(
    clip: FrozenCLIP,
    splits: Splits,
    forget: Sequence[str],
    settings: Settings,
    *,
    seed: int = 0,
    on: Literal["validation", "test"] = "test",
    config: dict[str, Any] | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    before: tuple[Result, Tensor] | None = None,
) -> Run:
    """Measure, unlearn the domains ``forget``, measure again.

    ``on`` says which pictures are measured: settings are chosen on "validation", results
    reported on "test". ``config`` is added to the record's; ``before``, what ``evaluate`` gave for
    the same pictures, spares the first measurement. The other arguments are those of ``fit``.
    """
    started = time.perf_counter()
    pictures = splits.test if on == "test" else splits.validation
    pictures.forgotten(forget)  # a wrong name is said now, not after the work
    forget = [pictures.domain_names[pictures.domain_index(name)] for name in forget]
    result_before, features_before = before or evaluate(clip, pictures, forget)
    # A measurement handed in may have had other domains in mind.
    result_before = {
        **result_before,
        "metrics": mem_for_h(result_before["accuracy"], forget),
    }
    adapter: Adapter | None = None
    history: History = []
    result_after, features_after = result_before, features_before
    if settings.method in METHODS:
        adapter, history = fit(
            clip,
            splits.shots,
            forget,
            settings,
            seed=seed,
            checkpoint=checkpoint,
            progress=progress,
        )
        result_after, features_after = evaluate(
            clip, pictures, forget, adapter, bandwidth=median_squared_distance(features_before)
        )
    record: Record = {
        "schema": SCHEMA,
        "before": result_before,
        "after": result_after,
        "config": {
            **(config or {}),
            "forget": forget,
            "seed": seed,
            "on": on,
            "classes": list(pictures.class_names),
            "domains": list(pictures.domain_names),
            "clip": {
                "name": clip.name,
                "pretrained": clip.pretrained,
                "fingerprint": clip.fingerprint,
            },
            "settings": asdict(settings),
        },
        "provenance": provenance(clip.device, started, splits.shots.fingerprint()),
    }
    return Run(record, clip, adapter, history, pictures, features_before, features_after)
