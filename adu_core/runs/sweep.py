"""Many runs, each a record: on this machine, or on a cluster."""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from adu_core.data.messages import warn
from adu_core.machine.files import write_json
from adu_core.runs.alike import refuse_unlike
from adu_core.runs.doubt import doubt_of
from adu_core.runs.record import has_record, read_record
from adu_core.runs.run_spec import read_anew, run_spec
from adu_core.runs.spec import Spec


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

    A record that is there already is kept if it is of the same spec, so an interrupted sweep goes
    on where it stopped; a record of other pictures, shots or another CLIP than there are now is a
    ``ValueError``. ``processes`` share the cores; an ``executor``, of submitit or Dask, takes the
    runs to a cluster instead, whose machines must see ``folder`` and the pictures; places that are
    not absolute are told from this process's folder.

    A run that fails stops no other. Its error is kept in ``folder/<spec.name>.failed.json`` until
    a later sweep succeeds with it, and is entered in ``failed``; without such a place there is a
    ``ValueError`` when all others are done.
    """
    refuse_unlike(folder, work)
    paths = {spec: Path(folder) / f"{spec.name}.json" for spec in work}
    missing = [spec for spec, path in paths.items() if not _is_there(spec, path)]
    noted: dict[Spec, str] = {} if failed is None else failed
    before = len(noted)
    with tqdm(
        total=len(paths), initial=len(paths) - len(missing), desc=label, disable=not progress
    ) as bar:
        for spec, error in _run_all(missing, paths, processes, device, executor):
            note = paths[spec].with_suffix(".failed.json")
            if error is None:
                note.unlink(missing_ok=True)
                record = read_record(paths[spec])
                said = f"H {record['after']['metrics']['h']:.1f}"
                if progress and (text := doubt_of(record)):
                    warn(text)
            else:
                noted[spec] = error
                write_json(note, {"config": spec.as_dict(), "error": error})
                said = f"failed: {error}"
            if progress:
                tqdm.write(f"{spec.name}: {said}", file=sys.stderr)
            bar.update()
    if failed is None and len(noted) > before:
        spec, error = next(iter(noted.items()))
        raise ValueError(f"{len(noted)} of {len(missing)} runs failed: {spec.name}: {error}")
    return list(paths.values())


def _run_all(
    work: Sequence[Spec],
    paths: Mapping[Spec, Path],
    processes: int,
    device: str,
    executor: Executor | None,
) -> Iterator[tuple[Spec, str | None]]:
    """Each spec as it is done, with its error if it failed."""
    workers = min(processes, len(work))
    if executor is None and workers <= 1:
        for spec in work:
            yield spec, _error(functools.partial(run_spec, spec, paths[spec], device))
        return
    threads = max(1, (os.cpu_count() or 1) // max(1, workers))
    do = functools.partial(_run_far, Path.cwd(), uuid.uuid4().hex) if executor else run_spec
    pool = executor or ProcessPoolExecutor(
        workers, _context(), initializer=_start, initargs=(threads, dict(os.environ))
    )
    try:
        futures = {pool.submit(do, spec, paths[spec], device): spec for spec in work}
        for future in _finished(futures):
            yield futures[future], _error(future.result)
    finally:
        if executor is None:
            pool.shutdown(cancel_futures=True)


def _run_far(home: Path, sweep: str, spec: Spec, path: Path, device: str) -> None:
    """A run on a cluster's machine, whose process starts in a folder of its own and may stay.

    It moves to ``home``, the folder of whoever sent the run, where that is seen, so that relative
    places mean the same; and it keeps no picture from one ``sweep`` to the next.
    """
    if home.is_dir():
        os.chdir(home)
    _begin(sweep, spec.data)
    run_spec(spec, home / path, device)


@functools.lru_cache(maxsize=1)
def _begin(sweep: str, source: str) -> None:  # noqa: ARG001
    read_anew(source)


def _error(work: Callable[[], object]) -> str | None:
    """What goes wrong, as text; None if nothing does. Ctrl-C goes through."""
    try:
        work()
    except BrokenExecutor:
        return "its process was killed, perhaps for want of memory: run it again with fewer at once"
    except Exception as error:  # of whatever kind: the other runs go on
        return f"{type(error).__name__}: {error}"
    return None


def _finished(futures: Iterable[Any]) -> Iterator[Any]:
    """Futures as they end, asked by turns: those of clusters know ``done()`` alone."""
    waiting = list(futures)
    while waiting:
        ended = [future for future in waiting if future.done()]
        yield from ended
        waiting = [future for future in waiting if future not in ended]
        if waiting and not ended:
            time.sleep(0.5)


def _is_there(spec: Spec, path: Path) -> bool:
    """Whether the record of this very spec is at ``path``."""
    if not has_record(path):
        return False
    if read_record(path)["spec"] != spec.hash:
        raise ValueError(f"{path} is of another spec: remove it, or give another folder")
    return True


def _context() -> BaseContext:
    """Where a process can be forked from one that has imported all, it begins at once."""
    if sys.platform != "linux":
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["adu_core.runs.run_spec"])
    return context


def _start(threads: int, environment: Mapping[str, str]) -> None:
    """In each process: what is set now, its share of the cores, and no life after the sweep's."""
    os.environ.clear()
    os.environ.update(environment)
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process of a pool that was killed would wait for more work for ever."""
    if (sweep := parent_process()) is not None:
        sweep.join()
        os._exit(1)
