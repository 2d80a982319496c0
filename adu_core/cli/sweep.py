"""Many runs.

Every combination of methods, domains, seeds and settings, one record each. A sweep that was
stopped goes on where it was: a run whose record is there is not run again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from adu_core.cli import options

SUMMARY = "many runs, in parallel, one record each; goes on where it stopped"
EXAMPLES = """\
examples:
  adu sweep runs/ablation --seeds 5 --processes 2
  adu sweep runs/front --set forget_weight=0.3,1,3,10 --seeds 3 --on validation
"""


def add(command: argparse.ArgumentParser) -> None:
    """The options."""
    command.add_argument("folder", metavar="DIR", help="where the records go")
    options.add_data(command)
    options.add_settings(command)
    options.add_on(command)
    command.add_argument(
        "--methods",
        type=options.words,
        default=["baseline", "instapg", "ddl", "full"],
        metavar="A,B,…",
    )
    command.add_argument(
        "--forget",
        action="append",
        metavar="DOMAIN[+DOMAIN]",
        help="one case each; several times for several cases (default: every domain by itself)",
    )
    count = options.count
    command.add_argument("--seeds", type=count(1), default=3, help="how many seeds (3)")
    command.add_argument("--first-seed", type=count(0), default=0, help="the lowest of them (0)")
    command.add_argument("--processes", type=count(1), default=1, help="runs at a time (1)")
    slurm = command.add_argument_group("a SLURM cluster, by submitit")
    slurm.add_argument("--slurm", metavar="PARTITION", help="send the runs there")
    slurm.add_argument("--minutes", type=count(1), default=240, help="of a job (240)")
    slurm.add_argument("--cpus", type=count(1), default=4, help="of a job (4)")
    slurm.add_argument("--memory", type=count(1), default=16, help="of a job, in GB (16)")


def do(arguments: argparse.Namespace) -> None:
    """Check everything, run what is missing, print the means."""
    names = options.methods_from(arguments.methods)
    options.check_writable(arguments.folder, "DIR", folder=True)
    options.clip_from(arguments.clip)
    made = [_with_settings(name, arguments) for name in names]
    unknown = [key for key, _ in arguments.set if not any(_has(method, key) for method, _ in made)]
    if unknown:
        raise ValueError(f"--set {unknown[0]}: none of {', '.join(names)} has such a setting")

    from adu_core.data.sources import source_names
    from adu_core.runs import records, sweep

    if not arguments.slurm:  # a cluster's login node need not have the device
        options.check_device(arguments.device)
    class_names, domain_names = source_names(arguments.data)
    cases = arguments.forget or list(domain_names)
    targets = [
        options.target_from(case.split("+"), None, (class_names, domain_names)) for case in cases
    ]
    template = options.spec_from(arguments, made[0][0], targets[0], on=arguments.on)
    first, last = arguments.first_seed, arguments.first_seed + arguments.seeds
    work = [
        spec
        for method, grid in made  # each method reads the words of --set its own way
        for spec in sweep.specs(
            template, methods=[method], forget=targets, seeds=range(first, last), grid=grid
        )
    ]
    for spec in work:
        spec.method.check_kind(spec.forget.kind)
    executor = None
    if arguments.slurm:
        executor = _slurm(arguments)
    else:
        sweep.check(work, arguments.device)
    paths = sweep.sweep(
        work,
        arguments.folder,
        processes=arguments.processes,
        device=arguments.device,
        executor=executor,
    )
    varied = dict.fromkeys(key for _, grid in made for key in grid)
    records.print_report(records.read_table(paths), ["method", *varied])


def _has(method: Any, key: str) -> bool:
    return key in method.as_dict()["settings"]


def _with_settings(name: str, arguments: argparse.Namespace) -> tuple[Any, dict[str, list[Any]]]:
    """The method, with those of ``--set`` that it has; another of the methods may have the rest."""
    from adu_core.methods import method

    bare = method(name, options.preset_of(arguments))
    own = [(key, text) for key, text in arguments.set if _has(bare, key)]
    some = argparse.Namespace(**{**vars(arguments), "set": own})
    return options.method_from(name, some, several=True)


def _slurm(arguments: argparse.Namespace) -> Any:
    try:
        import submitit
    except ImportError:
        raise ImportError("--slurm needs submitit: pip install 'adu-core[cluster]'") from None
    executor = submitit.AutoExecutor(folder=Path(arguments.folder) / "slurm", cluster="slurm")
    executor.update_parameters(
        slurm_partition=arguments.slurm,
        timeout_min=arguments.minutes,
        cpus_per_task=arguments.cpus,
        mem_gb=arguments.memory,
        # Left out for the CPU: a cluster without GPUs refuses to be asked for none.
        **({} if arguments.device == "cpu" else {"gpus_per_node": 1}),
    )
    return executor
