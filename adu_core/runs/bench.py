"""All methods on the same pictures: tuned with the same budget, measured alike, one table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from adu_core.runs.alike import refuse_unlike
from adu_core.runs.choice import Row, choose
from adu_core.runs.doubt import doubt_of
from adu_core.runs.fronts import confidence_interval
from adu_core.runs.record import Record, read_record
from adu_core.runs.spec import Spec
from adu_core.runs.sweep import sweep
from adu_core.runs.tune import Trial, best, best_at, read_trials, trial_specs
from adu_core.task import Method, Target

#: What a method may cost in Mem at most, where For is compared at like Mem: a share of zero-shot's.
KEEP = 0.95


@dataclass(frozen=True)
class Bench:
    """A finished bench: its rows, best first, what was left out and why, and the pick, if any.

    doubt: a warning if the CLIP does not know the pictures, or ""
    """

    rows: list[Row]
    left_out: dict[str, str]
    pick: Row | None
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
    folder:   ``trials/`` and ``runs/`` in it keep the records, so an interrupted bench goes on

    A method that cannot forget such a thing, or fails, is left out and named with the reason.
    Raises ``ValueError`` if none is left.
    """
    folder = Path(folder)
    for part in ("trials", "runs"):
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
    tuned = _tune(template, able, targets, folder / "trials", trials, processes, device, progress)
    chosen, careful = _choose(able, tuned, left_out)

    measured = replace(template, on="test", measure=("held-out", "validation"))
    wanted = {
        (method.name, way): [
            replace(measured, method=made, forget=target, seed=seed)
            for target in targets
            for seed in seeds
        ]
        for way, by_name in (("best", chosen), ("careful", careful))
        for method in able
        if (made := by_name.get(method.name)) is not None
    }
    work = list(dict.fromkeys(spec for specs in wanted.values() for spec in specs))
    failed: dict[Spec, str] = {}
    sweep(
        work,
        folder / "runs",
        processes=processes,
        device=device,
        progress=progress,
        label="runs on test pictures",
        failed=failed,
    )
    left_out |= {spec.method.name: error for spec, error in failed.items()}
    rows = [
        _row(
            chosen[method.name],
            _records(wanted[method.name, "best"], folder / "runs"),
            _records(wanted.get((method.name, "careful"), []), folder / "runs"),
            tuned.get(method.name, []),
        )
        for method in able
        if method.name not in left_out
    ]
    if not rows:
        raise ValueError(f"no method is left: {'; '.join(left_out.values())}")
    rows.sort(key=lambda row: -row.h if row.h == row.h else math.inf)
    pick, reason = choose(rows)
    records = (record for specs in wanted.values() for record in _records(specs, folder / "runs"))
    doubts = filter(None, map(doubt_of, records))
    return Bench(rows, left_out, pick, reason, next(doubts, ""))


def _tune(
    template: Spec,
    methods: Sequence[Method],
    targets: Sequence[Target],
    folder: Path,
    trials: int,
    processes: int,
    device: str,
    progress: bool,
) -> dict[str, list[Trial]]:
    """The trials of every method, all in one sweep; none if ``trials`` is 0."""
    if not trials:
        return {}
    work = {
        method.name: trial_specs(replace(template, method=method), trials, targets)
        for method in methods
    }
    sweep(
        [spec for specs in work.values() for spec in specs],
        folder,
        processes=processes,
        device=device,
        progress=progress,
        label="trials on validation pictures",
        failed={},
    )
    return {name: read_trials(specs, folder) for name, specs in work.items()}


def _choose(
    methods: Sequence[Method],
    tuned: Mapping[str, Sequence[Trial]],
    left_out: dict[str, str],
) -> tuple[dict[str, Method], dict[str, Method]]:
    """Of each method the settings with the best H, and with the best For at a high Mem."""
    chosen: dict[str, Method] = {}
    careful: dict[str, Method] = {}
    for method in methods:
        if method.name not in tuned:
            chosen[method.name] = method
        elif not tuned[method.name]:
            left_out[method.name] = "every trial failed"
        else:
            chosen[method.name] = best(tuned[method.name]).method
            high = best_at(tuned[method.name], KEEP)
            if high is not None:
                careful[method.name] = high.method
    return chosen, careful


def _records(specs: Sequence[Spec], folder: Path) -> list[Record]:
    paths = [folder / f"{spec.name}.json" for spec in specs]
    return [read_record(path) for path in paths if path.exists()]


def _row(
    method: Method, records: Sequence[Record], careful: Sequence[Record], trials: Sequence[Trial]
) -> Row:
    """The means of one method; those over targets first, so that the interval is over seeds."""
    table = pd.DataFrame(
        [
            {
                "seed": record["config"]["seed"],
                **record["after"]["metrics"],
                "validation_h": record.get("validation", {}).get("h"),
                "validation_mem": record.get("validation", {}).get("mem"),
                "keep": KEEP * record["before"]["metrics"]["mem"],
                "h_held_out": record["held_out"]["after"]["metrics"]["h"]
                if "held_out" in record
                else None,
                "fit_seconds": record["found"].get("fit_seconds"),
                "learned_numbers": record["found"].get("learned_numbers"),
                "memory_mb": record["provenance"].get("peak_memory_mb"),
            }
            for record in records
        ]
    ).astype(float)
    means = table.mean()
    seeds = table.groupby("seed")[["h", "validation_h"]].mean()
    _, interval = confidence_interval(seeds["h"].tolist())
    _, validation_interval = confidence_interval(seeds["validation_h"].tolist())
    if careful:
        at_keep = sum(record["after"]["metrics"]["for"] for record in careful) / len(careful)
    elif not trials and means["validation_mem"] >= means["keep"]:
        at_keep = means["for"]  # nothing was tried but the defaults, and they keep enough
    else:
        at_keep = float("nan")
    return Row(
        method,
        means["mem"],
        means["for"],
        means["h"],
        interval,
        means["selectivity"],
        means["validation_h"],
        at_keep,
        means["h_held_out"],
        means["fit_seconds"],
        int(means["learned_numbers"]),
        means["memory_mb"],
        tuple((trial.metrics["mem"], trial.metrics["for"]) for trial in trials),
        validation_interval,
    )
