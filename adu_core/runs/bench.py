"""All methods on the same pictures: tuned with the same budget, measured in the same way."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from adu_core.clip import FrozenCLIP
from adu_core.data.corruptions import CORRUPTIONS, MOST
from adu_core.dataset import Target
from adu_core.runs.alike import refuse_unlike
from adu_core.runs.choice import choose
from adu_core.runs.doubt import doubt_of
from adu_core.runs.forecast import Speed
from adu_core.runs.grid import specs
from adu_core.runs.record import read_record
from adu_core.runs.records import SECOND, summary, to_table
from adu_core.runs.run_spec import names_of
from adu_core.runs.spec import Spec
from adu_core.runs.sweep import sweep
from adu_core.runs.tune import KEEP, SURVIVORS, Tuned, candidates, most_selective, shorter, tune
from adu_core.task import Method

#: The column of selectivity with the settings that were chosen by it.
SELECTIVE = f"selectivity_at_mem_{100 * KEEP:.0f}"
_ALSO = (
    "mem_before", "h_validation", "mem_validation", "h_held_out", "h_corrupted", "for_corrupted",
    "refused", "confident", "fit_seconds", "learned_numbers", "peak_memory_mb",
)  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """A finished bench.

    rows:     a row for each method, by its name, the best first: ``summary``'s means over targets
              and seeds, and selectivity_at_mem_90: the selectivity of those settings that are the
              most selective on validation pictures among those that keep at least ``KEEP`` of
              zero-shot's Mem; NaN if no trial does
    methods:  by name, with the settings that they ran with
    trials:   for each method, Mem and For of all its full trials on validation pictures
    tried:    how many settings of each were tried, short or full
    left_out: methods without a row, and why
    pick:     the name of the method to take, or None; ``reason`` says why
    doubt:    a warning if the CLIP does not know the pictures, or ""
    """

    rows: pd.DataFrame
    methods: dict[str, Method]
    trials: dict[str, list[tuple[float, float]]]
    tried: dict[str, int]
    left_out: dict[str, str]
    pick: str | None
    reason: str
    doubt: str = ""


def bench(
    template: Spec,
    methods: Sequence[Method],
    targets: Sequence[Target],
    folder: str | Path,
    *,
    trials: int,
    seeds: Sequence[int],
    processes: int = 1,
    device: str = "cpu",
    progress: bool = True,
) -> Bench:
    """Tune every method with ``trials`` trials on validation pictures, then run it on test.

    template: data, CLIP, shots and limit of every run
    targets:  what is forgotten, one after the other; each row is the mean over them
    trials:   settings tried per method, its defaults among them; 0 takes the defaults
    folder:   keeps the records, so an interrupted bench goes on: ``trials/``, ``runs/``, and
              ``selective/``, runs of the most selective settings where they are not the best by H

    A method that cannot forget such a thing, or fails, is left out and named with the reason.
    Raises ``ValueError`` if none is left.
    """
    folder = Path(folder)
    for part in ("trials", "runs", SECOND):
        refuse_unlike(folder / part, [template])
    left_out: dict[str, str] = {}
    able: list[Method] = []
    for method in methods:
        try:
            for target in targets:
                method.check_kind(target.kind)
        except ValueError as error:
            left_out[method.name] = str(error)
        else:
            able.append(method)
    share: dict[str, Any] = {"processes": processes, "device": device, "progress": progress}
    tuned: dict[str, Tuned] = {}
    if trials:
        starts = {method.name: replace(template, method=method) for method in able}
        tuned = tune(starts, trials, targets=targets, folder=folder / "trials", **share)
    chosen, selective = _choose(able, tuned, left_out)

    measured = replace(template, on="test", measure=("held-out", "validation", "corrupted"))
    by_h, by_selectivity = (
        specs(measured, methods=list(made.values()), forget=targets, seeds=seeds)
        for made in (chosen, selective)
    )
    places = dict.fromkeys(by_selectivity, folder / SECOND)
    places |= dict.fromkeys(by_h, folder / "runs")
    failed: dict[Spec, str] = {}
    for place, label in ((folder / "runs", "test pictures"), (folder / SECOND, "most selective")):
        work = [spec for spec, where in places.items() if where == place]
        sweep(work, place, label=label, failed=failed, **share)
    left_out |= {spec.method.name: error for spec, error in failed.items()}
    ran = {name: made for name, made in chosen.items() if name not in left_out}
    if not ran:
        raise ValueError(f"no method is left: {'; '.join(left_out.values())}")
    done, kept = (
        {spec: places[spec] for spec in some if spec.method.name not in left_out}
        for some in (by_h, by_selectivity)
    )
    rows, doubt = _rows(done)
    if trials:
        some = _rows(kept)[0]["selectivity"] if kept else pd.Series(dtype=float)
    else:  # nothing was tried but the defaults: do they keep enough?
        some = rows["selectivity"].where(rows["mem_validation"] >= KEEP * rows["mem_before"])
    rows[SELECTIVE] = some.reindex(rows.index)
    pick, reason = choose(rows, ran)
    points = {
        name: [(each.metrics["mem"], each.metrics["for"]) for each in tuned[name].trials]
        for name in ran
        if name in tuned
    }
    tried = {name: tuned[name].tried if name in tuned else 0 for name in ran}
    return Bench(rows, ran, points, tried, left_out, pick, reason, doubt)


def cost(
    speed: Speed,
    clip: FrozenCLIP,
    template: Spec,
    methods: Sequence[Method],
    targets: Sequence[Target],
    trials: int,
    seeds: int,
    measured: int,
) -> float:
    """The seconds that a bench is expected to take, one run at a time, by counted operations.

    As if all settings tried cost what the method's own do; ``measured`` test pictures.
    """
    names, total = names_of(template.data), 0.0
    besides = 2 * measured + len(CORRUPTIONS) * min(measured, MOST)

    def run(made: Method, pictures: int) -> float:
        spec = replace(template, method=made, forget=targets[0])
        return speed.seconds(spec, clip, names, pictures)

    for made in methods:
        tried = len(candidates(made, trials)) if trials else 0
        total += tried * math.ceil(len(targets) / 2) * run(shorter(made), measured)
        total += min(SURVIVORS, tried) * len(targets) * run(made, measured)
        total += (1 + bool(trials)) * seeds * len(targets) * run(made, measured + besides)
    return total


def _choose(
    methods: Sequence[Method], tuned: Mapping[str, Tuned], left_out: dict[str, str]
) -> tuple[dict[str, Method], dict[str, Method]]:
    """Of each method the settings with the best H, and the most selective ones."""
    chosen: dict[str, Method] = {}
    selective: dict[str, Method] = {}
    for method in methods:
        if method.name not in tuned:
            chosen[method.name] = method
        elif not tuned[method.name].trials:
            left_out[method.name] = f"every trial failed: {tuned[method.name].error}"
        else:
            chosen[method.name] = tuned[method.name].best.method
            if high := most_selective(tuned[method.name].trials):
                selective[method.name] = high.method
    return chosen, selective


def _rows(places: Mapping[Spec, Path]) -> tuple[pd.DataFrame, str]:
    """The means of each method, the best first; and a doubt of the CLIP, or ""."""
    records = [read_record(folder / f"{spec.name}.json") for spec, folder in places.items()]
    rows = summary(to_table(records), also=_ALSO).set_index("method")
    rows["learned_numbers"] = rows["learned_numbers"].astype(int)
    doubts = filter(None, map(doubt_of, records))
    return rows.sort_values("h", ascending=False, kind="stable"), next(doubts, "")
