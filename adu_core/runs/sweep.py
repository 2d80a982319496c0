"""Many runs: every combination of methods, targets, seeds and settings, each a record."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from adu_core.data.preprocess import Preprocess
from adu_core.data.sources import (
    Splits,
    load_held_out,
    load_pictures,
    load_shots,
    source_names,
)
from adu_core.data.target import Target
from adu_core.files import write_json
from adu_core.measure.evaluate import Result, evaluate
from adu_core.methods.base import Method, Task
from adu_core.runs.record import read_record
from adu_core.runs.run import Run, unlearn
from adu_core.runs.spec import Spec, Split


def specs(
    template: Spec,
    *,
    methods: Sequence[Method],
    forget: Sequence[Target],
    seeds: Iterable[int],
    grid: Mapping[str, Sequence[Any]] | None = None,
) -> list[Spec]:
    """Every combination as a spec; ``grid`` varies settings of every method that has them.

    A method that lacks a setting of the grid is not varied in it: it runs once.
    """
    grid = grid or {}
    found = []
    for made, goal, seed, *values in product(methods, forget, seeds, *grid.values()):
        known = made.as_dict()["settings"]
        varied = {k: v for k, v in zip(grid, values, strict=True) if k in known}
        spec = replace(template, method=replace(made, **varied), forget=goal, seed=seed)
        found.append(spec)
    return list(dict.fromkeys(found))


def sweep(
    work: Sequence[Spec],
    folder: str | Path,
    *,
    processes: int = 1,
    device: str = "cpu",
    executor: Executor | None = None,
    progress: bool = True,
    label: str = "runs",
    failed: dict[Spec, str] | None = None,
) -> list[Path]:
    """Run the specs and write ``folder/<spec.name>.json`` for each; the paths, in order.

    A record that is there already is kept if it is of the same spec, CLIP and all, so an
    interrupted sweep goes on where it stopped; one that is not is a ``ValueError``. ``processes``
    share the cores; an ``executor`` of submitit, say, takes the runs to a cluster instead. A run
    that fails stops the sweep, or, if ``failed`` is given, is entered there with its error.
    """
    paths = {spec: Path(folder) / f"{spec.name}.json" for spec in work}
    missing = [spec for spec, path in paths.items() if not _is_there(spec, path)]
    if missing:
        workers = min(processes, len(missing))
        threads = max(1, (os.cpu_count() or 1) // workers)
        if executor is None and workers == 1:
            for spec in tqdm(missing, label, disable=not progress):
                with _noting(spec, failed):
                    run_spec(spec, paths[spec], device)
            return list(paths.values())
        pool = executor or ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_start, initargs=(threads,)
        )
        try:
            futures = {pool.submit(run_spec, spec, paths[spec], device): spec for spec in missing}
            done = as_completed(futures) if executor is None else futures
            for future in tqdm(done, label, total=len(futures), disable=not progress):
                with _noting(futures[future], failed):
                    future.result()
        finally:
            if executor is None:
                pool.shutdown(cancel_futures=True)
    return list(paths.values())


@contextlib.contextmanager
def _noting(spec: Spec, failed: dict[Spec, str] | None) -> Iterator[None]:
    """Enter what goes wrong with one run, if there is where to enter it."""
    try:
        yield
    except (ValueError, ArithmeticError, RuntimeError) as error:
        if failed is None:
            raise
        failed[spec] = str(error)


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


def check(work: Iterable[Spec], device: str = "cpu") -> None:
    """Raise ``ValueError`` if a spec's method cannot do what is asked, on its CLIP and its names.

    No picture is read: a setting that does not fit the CLIP is refused before hours of reading.
    """
    unlike = {(spec.clip, spec.data, spec.method, spec.forget.kind): spec for spec in work}
    for spec in unlike.values():
        task = Task.of_names(_clip(spec.clip, device), *_names(spec.data), spec.forget)
        spec.method.check(task)
        with torch.no_grad():
            spec.method.start(task).class_features()  # learned words may leave names no room


_names = functools.lru_cache(maxsize=4)(source_names)


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
    check([spec], device)
    splits = _splits(spec, clip.preprocess)
    entangled = "entanglement" in spec.measure
    before = _before(clip, spec.data, spec.mix, spec.limit, spec.on, entangled)
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


def _clip(name: tuple[str, str | None], device: str) -> FrozenCLIP:
    return _load(name, device, tuple(_stamp(part) for part in name))


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
    mix: float,
    limit: int | None,
    on: Split,
    entangled: bool,
) -> tuple[Result, Tensor]:
    """The measurement before unlearning: the same for every seed, target and method."""
    pictures = _pictures(source, on, clip.preprocess, mix, limit)
    some = Target((pictures.domain_names[0],))  # of no account: ``unlearn`` scores it anew
    return evaluate(clip, pictures, some, entangled=entangled)


_shots = functools.lru_cache(maxsize=8)(load_shots)
_held_out = functools.lru_cache(maxsize=1)(load_held_out)


@functools.lru_cache(maxsize=2)
def _pictures(
    source: str, which: Split, size: Preprocess, mix: float, limit: int | None
) -> DomainDataset:
    return load_pictures(source, which, size=size, mix=mix, limit=limit)


def _splits(spec: Spec, size: Preprocess) -> Splits:
    data, mix = spec.data, spec.mix
    return Splits(
        _shots(data, size=size, shots=spec.shots, seed=spec.seed, mix=mix),
        _pictures(data, "validation", size, mix, spec.limit),
        _pictures(data, "test", size, mix, spec.limit),
        _held_out(data, size=size, mix=mix) if "held-out" in spec.measure else None,
    )
