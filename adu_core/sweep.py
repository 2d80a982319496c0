"""Many runs: every combination of methods, forgotten domains, seeds and settings."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from tqdm import tqdm

from adu_core.checkpoints import load_clip
from adu_core.clip import FrozenCLIP
from adu_core.data.sources import Splits, load_splits
from adu_core.evaluation import Result, evaluate
from adu_core.experiment import unlearn
from adu_core.files import write_json
from adu_core.methods import Settings
from adu_core.records import read_record


@dataclass(frozen=True)
class Job:
    """One run of a sweep, as plain values that travel to another process or machine."""

    forget: tuple[str, ...]
    settings: Settings
    seed: int = 0
    data: str = "world"
    clip: tuple[str, str | None] = ("mini", None)
    shots: int = 8
    mix: float = 0.5
    limit: int | None = None
    on: Literal["validation", "test"] = "test"
    device: str = "cpu"

    @property
    def config(self) -> dict[str, Any]:
        """What the record says of the data, beside what ``unlearn`` says itself."""
        return {"data": self.data, "shots": self.shots, "mix": self.mix}


def jobs(
    template: Job,
    *,
    methods: Sequence[str],
    forget: Sequence[tuple[str, ...]],
    seeds: Iterable[int],
    grid: Mapping[str, Sequence[Any]] | None = None,
) -> dict[str, Job]:
    """Every combination as a job, by the name of its record; ``grid`` varies further settings."""
    grid = grid or {}
    found = {}
    for method, domains, seed, *values in product(methods, forget, seeds, *grid.values()):
        varied = dict(zip(grid, values, strict=True))
        settings = replace(template.settings, method=method, **varied)
        tail = "".join(f"-{key}={value}" for key, value in varied.items())
        name = f"{'+'.join(domains).replace(' ', '_')}-{method}{tail}-seed{seed}"
        found[name] = replace(template, forget=domains, settings=settings, seed=seed)
    return found


def sweep(
    work: Mapping[str, Job],
    folder: str | Path,
    *,
    processes: int = 1,
    executor: Executor | None = None,
    progress: bool = True,
) -> list[Path]:
    """Run the jobs and write ``folder/<name>.json`` for each; the paths, in order.

    Records that are there already are kept, so an interrupted sweep goes on where it stopped;
    one of other settings under the same name is a ``ValueError``. ``processes`` share the cores;
    an ``executor`` of submitit, say, takes the jobs to a cluster instead.
    """
    paths = {name: Path(folder) / f"{name}.json" for name in work}
    missing = []
    for name, path in paths.items():
        if not path.exists():
            missing.append(name)
            continue
        stored = Settings.from_dict(read_record(path)["config"]["settings"], path)
        if stored != work[name].settings:
            raise ValueError(f"{path} is of other settings: remove it, or give another folder")
    if missing:
        threads = max(1, (os.cpu_count() or 1) // processes)
        pool = executor or ProcessPoolExecutor(
            processes, mp_context=get_context("spawn"), initializer=_start, initargs=(threads,)
        )
        try:
            futures = [pool.submit(run_job, work[name], paths[name]) for name in missing]
            for future in tqdm(futures, "runs", disable=not progress):
                future.result()
        finally:
            if executor is None:
                pool.shutdown(cancel_futures=True)
    return list(paths.values())


def _start(threads: int) -> None:
    torch.set_num_threads(threads)


def run_job(job: Job, path: Path) -> None:
    """Run one job and write its record to ``path``."""
    clip = _clip(job.clip, job.device)
    splits = _splits(job.data, clip.picture_size, job.shots, job.seed, job.mix, job.limit)
    before = _before(job.clip, job.device, job.data, job.shots, job.mix, job.limit, job.on)
    run = unlearn(
        clip,
        splits,
        job.forget,
        job.settings,
        seed=job.seed,
        on=job.on,
        config=job.config,
        progress=False,
        before=before,
    )
    write_json(path, run.record)


# A process runs many jobs on the same CLIP and pictures: keep the last ones.


@functools.lru_cache(maxsize=1)
def _clip(name: tuple[str, str | None], device: str) -> FrozenCLIP:
    return load_clip(*name, device=device)


@functools.lru_cache(maxsize=8)
def _splits(source: str, size: int, shots: int, seed: int, mix: float, limit: int | None) -> Splits:
    return load_splits(source, size=size, shots=shots, seed=seed, mix=mix, limit=limit)


@functools.lru_cache(maxsize=2)
def _before(
    name: tuple[str, str | None],
    device: str,
    source: str,
    shots: int,
    mix: float,
    limit: int | None,
    on: Literal["validation", "test"],
) -> tuple[Result, Tensor]:
    """The measurement before unlearning: the same for every seed, domain and method."""
    clip = _clip(name, device)
    splits = _splits(source, clip.picture_size, shots, 0, mix, limit)
    pictures = splits.test if on == "test" else splits.validation
    return evaluate(clip, pictures, pictures.domain_names[:1])
