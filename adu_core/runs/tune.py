"""Chooses settings: the same number of trials for every method, on validation pictures."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adu_core.dataset import Target
from adu_core.runs.record import has_record, read_record
from adu_core.runs.spec import Spec
from adu_core.runs.sweep import sweep
from adu_core.task import Method

#: The shots that trials learn from; results use other seeds, from 0 on.
TUNING_SEED = 50
#: A first trial is so much shorter than a whole run, and so many go on to one.
SHORTER, SURVIVORS = 4, 4
#: How often a search looks beyond the ends of its ranges.
WIDENED = 2
#: The settings that say how long a run takes.
LENGTHS = ("epochs", "iterations")
#: What a method may cost in Mem at most where it is chosen by selectivity: a share of zero-shot's.
KEEP = 0.9


@dataclass(frozen=True)
class Trial:
    """A method with tried settings, and its Mem, For, H and selectivity on validation pictures.

    zero_shot_mem: Mem of the same pictures before unlearning
    """

    method: Method
    metrics: dict[str, float]
    zero_shot_mem: float


@dataclass
class Tuned:
    """A search: the spec to start from, what was tried, and what it cost.

    trials: those with full runs
    tried:  how many settings
    specs:  all runs, short or full
    error:  why the last failed trial failed, or ""
    """

    start: Spec
    trials: list[Trial] = field(default_factory=list)
    tried: int = 0
    specs: list[Spec] = field(default_factory=list)
    error: str = ""

    @property
    def best(self) -> Spec:
        """The spec with the settings of the highest H; ``ValueError`` if every trial failed."""
        chosen = best(self.trials)
        if chosen is None:
            raise ValueError(f"every trial of {self.start.method.name} failed: {self.error}")
        return replace(self.start, method=chosen.method)


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


def shorter(method: Method) -> Method:
    """The method with a quarter of its epochs or iterations; as it is, if it has neither."""
    settings = method.as_dict()["settings"]
    name = next((name for name in LENGTHS if name in settings), None)
    return replace(method, **{name: max(1, settings[name] // SHORTER)}) if name else method


def beyond(method: Method, tried: Sequence[Method]) -> list[Method]:
    """The method with each setting that lies at an end of what was tried moved one step further.

    A step is the last one between values that were tried: a factor, or a difference where one of
    them is 0. What the setting's own limits forbid is no end, nor is one of words or of yes and no,
    nor one of ``LENGTHS``: a longer run is another budget, not another setting.
    """
    found, limits = [], {each.name: each.metadata["limits"] for each in fields(method)}
    for name in method.search():
        value = getattr(method, name)
        if isinstance(value, bool | str | tuple) or name in LENGTHS:
            continue
        values = sorted({getattr(one, name) for one in tried})
        if len(values) < 2 or value not in (values[0], values[-1]):
            continue
        inner = values[1] if value == values[0] else values[-2]
        further: Any = value * value / inner if value and inner else 2 * value - inner
        further = round(further) if isinstance(value, int) else float(f"{further:.3g}")
        try:
            made = replace(method, **{name: further})
        except ValueError:  # beyond what there is
            continue
        if further != value and not _excluded(limits[name], further):
            found.append(made)
    return found


def _excluded(limits: Any, value: float) -> bool:
    """Whether 0 stands for something else, as where 0 lets a method choose."""
    return value == 0 and any(getattr(each, "ge", None) == 0 for each in limits.metadata)


def trial_specs(start: Spec, methods: Sequence[Method], targets: Sequence[Target]) -> list[Spec]:
    """What a search runs: these settings on validation pictures, for all of the targets."""
    base = replace(start, seed=TUNING_SEED, on="validation", measure=())
    return [replace(base, method=made, forget=target) for made in methods for target in targets]


def tune(
    starts: Mapping[str, Spec],
    trials: int,
    *,
    targets: Sequence[Target] = (),
    folder: str | Path | None = None,
    device: str = "cpu",
    processes: int = 1,
    progress: bool = True,
) -> dict[str, Tuned]:
    """Search the settings of some methods, by name, by successive halving.

    ``trials`` settings of each get a short run for every second target, the best of them a whole
    one for all: half of those that go on have the highest H, the others the highest selectivity
    among those with a Mem of ``KEEP`` times zero-shot's. Where the best setting then lies at an end
    of its range, values beyond it are tried as well.

    targets: what to forget by turns, in place of the specs' own; trials are means over them
    folder:  where the trials' records are kept, so that an interrupted search goes on; without
             one they are not

    A trial that fails, a loss that is not finite, say, is out of the race; a method may be left
    without any.
    """
    found = {name: Tuned(start) for name, start in starts.items()}
    tried: dict[str, list[Method]] = {}
    with TemporaryDirectory() as elsewhere:

        def run(
            asked: Mapping[str, Sequence[Method]], label: str, every: int = 1
        ) -> dict[str, list[Trial]]:
            work = {
                name: trial_specs(starts[name], some, (targets or [starts[name].forget])[::every])
                for name, some in asked.items()
            }
            wanted = list(dict.fromkeys(spec for some in work.values() for spec in some))
            kept, failed = folder or elsewhere, dict[Spec, str]()
            sweep(
                wanted, kept, device=device, processes=processes, progress=progress, label=label,
                failed=failed,
            )  # fmt: skip
            for spec, error in failed.items():
                found[spec.method.name].error = error
            for name, some in work.items():
                found[name].specs += some
            return {name: read_trials(some, kept) for name, some in work.items()}

        asked = {name: candidates(start.method, trials) for name, start in starts.items()}
        first = {name: [shorter(one) for one in some] for name, some in asked.items()}
        shown = run(first, "short runs", every=2)
        for name, some in asked.items():
            going = {each.method for each in survivors(shown[name])}
            tried[name] = some
            asked[name] = [one for one in some if shorter(one) in going]
        for round_ in range(1 + WIDENED):
            more = run(asked, "whole runs" if not round_ else "beyond the ranges")
            for name, whole in more.items():
                found[name].trials += whole
            asked = {}
            for name, tuned in found.items():
                ends = [
                    one
                    for chosen in (best(tuned.trials), most_selective(tuned.trials))
                    if chosen
                    for one in beyond(chosen.method, tried[name])
                ]
                if new := [one for one in dict.fromkeys(ends) if one not in tried[name]]:
                    asked[name], tried[name] = new, [*tried[name], *new]
            if not asked:
                break
    for name, tuned in found.items():
        tuned.tried = len(tried[name])
    return found


def survivors(trials: Sequence[Trial]) -> list[Trial]:
    """Those of short runs that get a whole one."""
    by_h, half = _ranked(trials, "h"), SURVIVORS // 2
    found = [*by_h[:half], *_ranked(_that_keep(trials), "selectivity")[:half], *by_h]
    chosen = {trial.method: trial for trial in found}
    return list(chosen.values())[:SURVIVORS]


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
    """The mean of each metric; NaN where one of them is."""
    return {key: sum(m[key] for m in measured) / len(measured) for key in measured[0]}


def best(trials: Sequence[Trial]) -> Trial | None:
    """The trial with the highest H; of equals the first, which is nearest to the defaults."""
    return next(iter(_ranked(trials, "h")), None)


def most_selective(trials: Sequence[Trial]) -> Trial | None:
    """The trial with the highest selectivity of those that keep ``KEEP`` of zero-shot's Mem."""
    return next(iter(_ranked(_that_keep(trials), "selectivity")), None)


def _that_keep(trials: Sequence[Trial]) -> list[Trial]:
    """Those that keep ``KEEP`` of zero-shot's Mem."""
    return [trial for trial in trials if trial.metrics["mem"] >= KEEP * trial.zero_shot_mem]


def _ranked(trials: Sequence[Trial], metric: str) -> list[Trial]:
    """The highest first, of equals the first one; NaN last."""

    def height(trial: Trial) -> float:
        value = trial.metrics[metric]
        return value if value == value else -math.inf

    return sorted(trials, key=height, reverse=True)
