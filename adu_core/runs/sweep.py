"""Many runs: every combination of methods, targets, seeds and settings, each a record."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from adu_core.clip.frozen import FrozenCLIP
from adu_core.clip.load import load_clip
from adu_core.data.dataset import DomainDataset
from adu_core.data.sources import Splits, load_held_out, load_pictures, load_shots
from adu_core.data.target import Target
from adu_core.files import write_json
from adu_core.measure.evaluate import Result, evaluate
from adu_core.methods.base import Method
from adu_core.runs.records import read_record
from adu_core.runs.run import Run, unlearn
from adu_core.runs.spec import Extra, Spec, Split


def specs(
    template: Spec,
    *,
    methods: Sequence[Method],
    forget: Sequence[Target],
    seeds: Iterable[int],
    grid: Mapping[str, Sequence[Any]] | None = None,
) -> list[Spec]:
    """Every combination as a spec; ``grid`` varies settings of every method that has them."""
    grid = grid or {}
    found = []
    for made, goal, seed, *values in product(methods, forget, seeds, *grid.values()):
        known = made.as_dict()["settings"]
        varied = {k: v for k, v in zip(grid, values, strict=True) if k in known}
        spec = replace(template, method=replace(made, **varied), forget=goal, seed=seed)
        if spec not in found:  # a method that lacks a setting of the grid runs once
            found.append(spec)
    return found


def sweep(
    work: Sequence[Spec],
    folder: str | Path,
    *,
    processes: int = 1,
    device: str = "cpu",
    executor: Executor | None = None,
    progress: bool = True,
    label: str = "runs",
) -> list[Path]:
    """Run the specs and write ``folder/<spec.name>.json`` for each; the paths, in order.

    A record that is there already is kept if it is of the same spec, CLIP and all, so an
    interrupted sweep goes on where it stopped; one that is not is a ``ValueError``. ``processes``
    share the cores; an ``executor`` of submitit, say, takes the runs to a cluster instead.
    """
    paths = {spec: Path(folder) / f"{spec.name}.json" for spec in work}
    missing = [spec for spec, path in paths.items() if not _is_there(spec, path)]
    if missing:
        workers = min(processes, len(missing))
        threads = max(1, (os.cpu_count() or 1) // workers)
        if executor is None and workers == 1:
            for spec in tqdm(missing, label, disable=not progress):
                run_spec(spec, paths[spec], device)
            return list(paths.values())
        pool = executor or ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_start, initargs=(threads,)
        )
        try:
            futures = [pool.submit(run_spec, spec, paths[spec], device) for spec in missing]
            done = as_completed(futures) if executor is None else futures
            for future in tqdm(done, label, total=len(futures), disable=not progress):
                future.result()
        finally:
            if executor is None:
                pool.shutdown(cancel_futures=True)
    return list(paths.values())


def _is_there(spec: Spec, path: Path) -> bool:
    """Whether the record of this very spec is at ``path``, made with the CLIP that is there now."""
    if not path.exists():
        return False
    record = read_record(path)
    if record["spec"] != spec.hash:
        raise ValueError(f"{path} is of another spec: remove it, or give another folder")
    stored, now = record["found"]["clip_fingerprint"], _clip(spec.clip, "cpu").fingerprint
    if stored != now:
        raise ValueError(
            f"{path} was made with a CLIP whose fingerprint was {stored}; {spec.clip[0]} now has "
            f"{now}: remove the record, or give another folder"
        )
    return True


def _start(threads: int) -> None:
    torch.set_num_threads(threads)


def run_spec(spec: Spec, path: Path, device: str = "cpu") -> None:
    """Run one spec and write its record to ``path``."""
    write_json(path, run(spec, device, progress=False).record)


def run(
    spec: Spec,
    device: str = "cpu",
    *,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> Run:
    """Run one spec; what does not depend on its method and seed is kept for the next one."""
    clip = _clip(spec.clip, device)
    splits = _splits(spec, clip.picture_size)
    before = _before(spec.clip, device, spec.data, spec.mix, spec.limit, spec.on, spec.measure)
    return unlearn(
        clip,
        splits,
        spec.forget,
        spec.method,
        seed=spec.seed,
        on=spec.on,
        spec=spec,
        checkpoint=checkpoint,
        progress=progress,
        before=before,
    )


# A process runs many specs on the same CLIP and pictures: keep the last ones.


@functools.lru_cache(maxsize=1)
def _clip(name: tuple[str, str | None], device: str) -> FrozenCLIP:
    return load_clip(*name, device=device)


@functools.lru_cache(maxsize=2)
def _before(
    name: tuple[str, str | None],
    device: str,
    source: str,
    mix: float,
    limit: int | None,
    on: Split,
    measure: tuple[Extra, ...],
) -> tuple[Result, Tensor]:
    """The measurement before unlearning: the same for every seed, target and method."""
    clip = _clip(name, device)
    pictures = _pictures(source, on, clip.picture_size, mix, limit)
    some = Target((pictures.domain_names[0],))  # of no account: ``unlearn`` scores it anew
    return evaluate(clip, pictures, some, entangled="entanglement" in measure)


_shots = functools.lru_cache(maxsize=8)(load_shots)
_held_out = functools.lru_cache(maxsize=1)(load_held_out)


@functools.lru_cache(maxsize=2)
def _pictures(source: str, which: Split, size: int, mix: float, limit: int | None) -> DomainDataset:
    return load_pictures(source, which, size=size, mix=mix, limit=limit)


def _splits(spec: Spec, size: int) -> Splits:
    data, mix = spec.data, spec.mix
    return Splits(
        _shots(data, size=size, shots=spec.shots, seed=spec.seed, mix=mix),
        _pictures(data, "validation", size, mix, spec.limit),
        _pictures(data, "test", size, mix, spec.limit),
        _held_out(data, size=size, mix=mix) if "held-out" in spec.measure else None,
    )
