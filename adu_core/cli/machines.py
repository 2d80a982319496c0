"""Where runs go: this machine, SLURM or Dask. None of it changes a result."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adu_core.cli import options
from adu_core.machine.device import gains

if TYPE_CHECKING:
    from adu_core.runs.spec import Spec


def add_machines(command: argparse.ArgumentParser) -> None:
    """The options."""
    count = options.count
    command.add_argument("--processes", type=count(1), default=1, help="runs at a time (1)")
    slurm = command.add_argument_group("a SLURM cluster, by submitit")
    slurm.add_argument("--slurm", metavar="PARTITION", help="send the runs there")
    slurm.add_argument("--minutes", type=count(1), default=240, help="of a job (240)")
    slurm.add_argument("--cpus", type=count(1), default=4, help="of a job (4)")
    slurm.add_argument("--gpus", type=count(0), help="of a job (1, or none if no run gains)")
    slurm.add_argument("--memory", type=count(1), default=16, help="of a job, in GB (16)")
    dask = command.add_argument_group("any other cluster, by Dask")
    dask.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="send the runs to this scheduler; its workers, of one thread each, must see DIR, "
        "the pictures and the CLIP",
    )


def run_all(
    arguments: argparse.Namespace, work: Sequence[Spec], folder: Path
) -> tuple[list[Path], dict[Spec, str]]:
    """Run ``work`` where ``add_machines`` asked for: the records in ``folder``, and what failed."""
    from adu_core.runs.sweep import sweep

    options.begin(arguments, work)
    failed: dict[Spec, str] = {}
    with _executor(arguments, work, folder) as executor:
        paths = sweep(
            work,
            folder,
            processes=arguments.processes,
            device=arguments.device,
            executor=executor,
            failed=failed,
        )
    done = [path for spec, path in zip(work, paths, strict=True) if spec not in failed]
    return done, failed


def refuse_failed(failed: Mapping[Spec, str], work: Sequence[Spec]) -> None:
    """Print what failed; a ``ValueError`` if anything did."""
    if failed:
        print("\nfailed (the same command tries them again):")
        for spec, error in failed.items():
            print(f"  {spec.name}: {error}")
        raise ValueError(f"{len(failed)} of {len(work)} runs failed")


@contextlib.contextmanager
def _executor(arguments: argparse.Namespace, work: Sequence[Spec], folder: Path) -> Iterator[Any]:
    """Who is to run ``work``: None for this machine."""
    if arguments.slurm and arguments.dask:
        raise ValueError("--slurm and --dask: say one of them")
    if arguments.slurm:
        yield _slurm(arguments, work, folder)
    elif arguments.dask:
        try:
            from distributed import Client
        except ImportError:
            raise ImportError("--dask needs Dask: pip install 'adu-core[cluster]'") from None
        connect: Any = Client  # Dask ships no types for it
        with connect(arguments.dask) as client, client.get_executor() as executor:
            yield executor
    else:
        yield None


def _slurm(arguments: argparse.Namespace, work: Sequence[Spec], folder: Path) -> Any:
    try:
        import submitit
    except ImportError:
        raise ImportError("--slurm needs submitit: pip install 'adu-core[cluster]'") from None
    executor = submitit.AutoExecutor(folder=folder / "slurm", cluster="slurm")
    gpus = arguments.gpus
    if gpus is None:  # what auto means is found out by each job, on its own machine
        worth = any(gains(spec.clip) for spec in work)
        gpus = int(worth if arguments.device == "auto" else arguments.device != "cpu")
    executor.update_parameters(
        slurm_partition=arguments.slurm,
        timeout_min=arguments.minutes,
        cpus_per_task=arguments.cpus,
        mem_gb=arguments.memory,
        # Left out if there are to be none: a cluster without GPUs refuses to be asked for none.
        **({"gpus_per_node": gpus} if gpus else {}),
    )
    return executor
