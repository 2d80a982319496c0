"""Settings chosen fairly: the same number of trials for every method, on validation pictures."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from adu_core.runs.record import has_record, read_record
from adu_core.runs.spec import Spec
from adu_core.runs.sweep import sweep
from adu_core.task import Method, Target

#: The shots that trials learn from; results use other seeds, from 0 on.
TUNING_SEED = 50
#: A search forgets at most so many of the targets by turns, and goes by the mean.
TUNED_TARGETS = 2


@dataclass(frozen=True)
class Trial:
    """A method as it was tried, with Mem, For, H and selectivity on validation pictures.

    zero_shot_mem: Mem of the same pictures before unlearning
    """

    method: Method
    metrics: dict[str, float]
    zero_shot_mem: float


@dataclass(frozen=True)
class Tuned:
    """The outcome of a search: the spec with the best method in it, and all that was tried."""

    best: Spec
    trials: list[Trial]


def candidates(method: Method, trials: int) -> list[Method]:
    """``trials`` different settings of ``method``: its own first, then drawn from its ranges.

    The draws depend on the method's name alone; fewer come back if there are no more.
    """
    ranges, found = method.search(), [method]
    generator = random.Random(f"{TUNING_SEED}/{method.name}")
    for _ in range(50 * trials if ranges else 0):
        if len(found) >= trials:
            break
        drawn = {name: generator.choice(values) for name, values in sorted(ranges.items())}
        other = replace(method, **drawn)
        if other not in found:
            found.append(other)
    return found


def trial_specs(spec: Spec, trials: int, targets: Sequence[Target] = ()) -> list[Spec]:
    """What a search runs: every candidate on validation pictures, for some of the targets."""
    several = tuning_targets(targets or [spec.forget])
    base = replace(spec, seed=TUNING_SEED, on="validation", measure=())
    return [
        replace(base, method=made, forget=target)
        for made in candidates(spec.method, trials)
        for target in several
    ]


def tuning_targets(targets: Sequence[Target]) -> list[Target]:
    """The targets that a search goes by: the first and the last, or all if there are few."""
    return list(dict.fromkeys([targets[0], targets[-1]]))[:TUNED_TARGETS]


def tune(
    spec: Spec,
    trials: int,
    *,
    targets: Sequence[Target] = (),
    folder: str | Path | None = None,
    device: str = "cpu",
    processes: int = 1,
    progress: bool = True,
) -> Tuned:
    """Try ``trials`` settings of the spec's method and keep the one with the highest H.

    targets: what to forget by turns, in place of the spec's own
    folder:  where the trials' records are kept, so that an interrupted search goes on; without
             one they are not

    A trial that fails, a loss that is not finite, say, is out of the race. Raises ``ValueError``
    if all of them fail.
    """
    work = trial_specs(spec, trials, targets)
    with TemporaryDirectory() as elsewhere:
        kept = folder or elsewhere
        failed: dict[Spec, str] = {}
        sweep(
            work,
            kept,
            device=device,
            processes=processes,
            progress=progress,
            label=f"trials of {spec.method.name}",
            failed=failed,
        )
        found = read_trials(work, kept)
    if not found:
        raise ValueError(f"every trial of {spec.method.name} failed: {next(iter(failed.values()))}")
    return Tuned(replace(spec, method=best(found).method), found)


def read_trials(work: Sequence[Spec], folder: str | Path) -> list[Trial]:
    """The trials whose records are all there, with their means over the targets."""
    by_method: dict[Method, list[Spec]] = {}
    for spec in work:
        by_method.setdefault(spec.method, []).append(spec)
    found = []
    for method, some in by_method.items():
        paths = [Path(folder) / f"{spec.name}.json" for spec in some]
        if all(map(has_record, paths)):
            records = [read_record(path) for path in paths]
            after, before = (
                mean_metrics([record[when]["metrics"] for record in records])
                for when in ("after", "before")
            )
            found.append(Trial(method, after, before["mem"]))
    return found


def mean_metrics(measured: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each metric; NaN where one of them is missing (null in JSON)."""
    return {
        key: sum(float("nan") if m[key] is None else m[key] for m in measured) / len(measured)
        for key in measured[0]
    }


def best(trials: Sequence[Trial]) -> Trial:
    """The trial with the highest H; of equals the first, which is nearest to the defaults."""
    return max(trials, key=lambda trial: _or_least(trial.metrics["h"]))


def best_at(trials: Sequence[Trial], keep: float) -> Trial | None:
    """The trial with the highest For of those that keep the share ``keep`` of zero-shot's Mem."""
    able = [trial for trial in trials if trial.metrics["mem"] >= keep * trial.zero_shot_mem]
    return max(able, key=lambda trial: _or_least(trial.metrics["for"]), default=None)


def _or_least(value: float) -> float:
    return value if value == value else -1.0
